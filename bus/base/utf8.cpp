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

/// How many bytes at the end of `text` begin a character that is not whole.
std::size_t cutAtEnd(std::string_view text) {
    for (std::size_t back = 1; back <= 3 && back <= text.size(); ++back) {
        const auto byte = static_cast<unsigned char>(text[text.size() - back]);
        if (byte >= 0x80 && byte < 0xc0) continue;
        return sequenceOf(byte).length > back ? back : 0;
    }
    return 0;
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

void Utf8Check::push(std::string_view piece) {
    if (!cut_.empty()) {
        const std::size_t length = sequenceOf(static_cast<unsigned char>(cut_[0])).length;
        const std::string_view rest = piece.substr(0, length - cut_.size());
        cut_ += rest;
        piece.remove_prefix(rest.size());
        if (cut_.size() < length) return;
        good_ = good_ && isUtf8(cut_);
        cut_.clear();
    }
    const std::string_view cut = piece.substr(piece.size() - cutAtEnd(piece));
    piece.remove_suffix(cut.size());
    good_ = good_ && isUtf8(piece);
    cut_ = cut;
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
