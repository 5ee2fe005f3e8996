// decodeMessage over arbitrary bytes; what it accepts must encode to the same message again.
#include "bus/base/check.h"
#include "bus/message/codec.h"

#include <cstdint>

using namespace busbar;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto decoded = decodeMessage(Buffer::copyOf({reinterpret_cast<const char*>(data), size}));
    if (!decoded) return 0;
    std::string bytes;
    encodeMessage(**decoded, bytes);
    const auto again = decodeMessage(Buffer::of(bytes));
    BUSBAR_CHECK(again.ok(), "an encoded message does not decode");
    BUSBAR_CHECK((*again)->body == (*decoded)->body && (*again)->id == (*decoded)->id,
                 "a message changed");
    BUSBAR_CHECK(!(*decoded)->large == !(*again)->large &&
                     (!(*decoded)->large || *(*decoded)->large == *(*again)->large),
                 "a large body changed");
    return 0;
}
