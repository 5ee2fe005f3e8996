#include "bus/base/utf8.h"

#include <cstdint>
#include <cstring>

namespace busbar {
namespace {

/// Length of the sequence that begins with `first`, and the bounds of its second byte; 0: not a
/// first byte.
struct Sequence {
    std::size_t length = 0;
    unsigned char low = 0x80, high = 0xbf;
};

Sequence sequenceOf(unsigned char first) {
    if (first < 0x80) return {1};
    if (first >= 0xc2 && first <= 0xdf) return {2};
    if (first == 0xe0) return {3, 0xa0, 0xbf};
    if (first == 0xed) return {3, 0x80, 0x9f};
    if (first >= 0xe1 && first <= 0xef) return {3};
    if (first == 0xf0) return {4, 0x90, 0xbf};
    if (first >= 0xf1 && first <= 0xf3) return {4};
    if (first == 0xf4) return {4, 0x80, 0x8f};
    return {};
}

/// Most text is ASCII: eight bytes at a time.
bool isAscii8(std::string_view text, std::size_t at) {
    std::uint64_t eight = 0;
    if (text.size() - at < sizeof eight) return false;
    std::memcpy(&eight, text.data() + at, sizeof eight);
    return (eight & 0x8080808080808080u) == 0;
}

}  // namespace

bool isUtf8(std::string_view text) {
    for (std::size_t i = 0; i < text.size();) {
        if (isAscii8(text, i)) {
            i += 8;
            continue;
        }
        const Sequence sequence = sequenceOf(static_cast<unsigned char>(text[i]));
        if (sequence.length == 0 || sequence.length > text.size() - i) return false;
        for (std::size_t k = 1; k < sequence.length; ++k) {
            const auto byte = static_cast<unsigned char>(text[i + k]);
            const bool second = k == 1;
            if (byte < (second ? sequence.low : 0x80) || byte > (second ? sequence.high : 0xbf))
                return false;
        }
        i += sequence.length;
    }
    return true;
}

std::string showable(std::string_view text) {
    std::string out(text);
    if (isUtf8(text)) return out;
    for (char& c : out) {
        if (static_cast<unsigned char>(c) >= 0x80) c = '?';
    }
    return out;
}

}  // namespace busbar
