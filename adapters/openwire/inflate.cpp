#include "adapters/openwire/inflate.h"

#include <zlib.h>

#include <algorithm>

namespace busbar::openwire {
namespace {

/// Frees zlib's state.
struct Inflater {
    z_stream stream{};
    bool open = inflateInit(&stream) == Z_OK;

    Inflater() = default;
    Inflater(const Inflater&) = delete;
    Inflater& operator=(const Inflater&) = delete;
    ~Inflater() {
        if (open) inflateEnd(&stream);
    }
};

constexpr std::size_t kStep = 64u << 10;

}  // namespace

Result<std::string> inflate(std::string_view deflated, std::size_t bytesMax) {
    Inflater inflater;
    if (!inflater.open) return {ErrorCode::internal, "zlib has no memory"};
    z_stream& stream = inflater.stream;
    // zlib's interface is not const-correct; it does not write here.
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(deflated.data()));
    stream.avail_in = static_cast<uInt>(deflated.size());
    std::string out;
    while (true) {
        const std::size_t before = out.size();
        if (before > bytesMax) {
            return {ErrorCode::tooLarge, "compressed content has more than " +
                                             std::to_string(bytesMax) + " bytes when inflated"};
        }
        out.resize(before + std::clamp(before, std::size_t{1024}, kStep));
        stream.next_out = reinterpret_cast<Bytef*>(out.data() + before);
        stream.avail_out = static_cast<uInt>(out.size() - before);
        const int state = ::inflate(&stream, Z_NO_FLUSH);
        out.resize(out.size() - stream.avail_out);
        if (state == Z_STREAM_END) break;
        if (state != Z_OK || out.size() == before) {
            return {ErrorCode::malformed, "compressed content is not a zlib stream"};
        }
    }
    if (out.size() > bytesMax) {
        return {ErrorCode::tooLarge, "compressed content has more than " +
                                         std::to_string(bytesMax) + " bytes when inflated"};
    }
    return out;
}

}  // namespace busbar::openwire
