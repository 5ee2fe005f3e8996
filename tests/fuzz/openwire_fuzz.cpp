// Arbitrary bytes into the OpenWire decoder. The first byte chooses the wire format, the last one
// how the input is cut. What decodes must encode, decode again to the same, and its messages must
// map to the bus's and back without harm.
#include "adapters/openwire/codec.h"
#include "adapters/openwire/destinations.h"
#include "adapters/openwire/mapping.h"
#include "bus/base/check.h"

#include <cstdint>

using namespace busbar;
using namespace busbar::openwire;

namespace {

std::string bytesOf(const Structure& structure, const WireFormat& format) {
    Encoder encoder;
    encoder.setFormat(format);
    std::string out;
    if (!encoder.append(structure, out)) out.clear();
    return out;
}

/// Written and read again it is the same. What OpenWire takes but does not write (over-long strings
/// after a repair of their encoding) is left alone.
void checkRoundTrip(const Structure& structure, WireFormat format) {
    format.cache = false;
    const std::string bytes = bytesOf(structure, format);
    if (bytes.empty()) return;
    Decoder decoder({64u << 20, 65'535, 1024, 20, 1u << 20});
    decoder.setFormat(format);
    std::string_view input = bytes;
    const auto again = decoder.next(input);
    BUSBAR_CHECK(again.ok() && *again, "what was written is not read");
    BUSBAR_CHECK(bytesOf(**again, format) == bytes, "what was read is written otherwise");
}

void checkMessage(const WireMessage& wire) {
    if (wire.destination) (void)toTarget(*wire.destination);
    MappingLimits limits;
    limits.bodyBytesMax = 1u << 20;
    const auto message = toBus(wire, Destination::queue("fuzz"), WallTime{}, limits);
    if (!message) return;
    const auto back = toWire(**message, {StoredId(1), 1, false});
    BUSBAR_CHECK(back.ok() || back.error().code == ErrorCode::tooLarge,
                 "a message does not come back");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    const unsigned choice = data[0];
    const WireFormat format{static_cast<std::int32_t>(10 + choice % 3), (choice & 4) != 0,
                            (choice & 8) != 0, 128, (choice & 16) != 0};
    Decoder decoder({1u << 20, 65'535, 1024, 8, 1u << 16});
    decoder.setFormat(format);
    std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
    const std::size_t step = 1 + static_cast<unsigned char>(rest.back());
    while (!rest.empty()) {
        std::string_view input = rest.substr(0, step);
        rest.remove_prefix(input.size());
        while (true) {
            const auto decoded = decoder.next(input);
            if (!decoded) return 0;
            if (!*decoded) break;
            checkRoundTrip(**decoded, format);
            if (const auto* message = (*decoded)->as<WireMessage>()) checkMessage(*message);
            if (const auto* info = (*decoded)->as<WireFormatInfo>()) (void)readInfo(*info);
        }
    }
    return 0;
}
