#include "bus/selector/identifier.h"

#include "bus/base/utf8.h"
#include "bus/selector/identifier_ranges.h"

#include <algorithm>
#include <iterator>

namespace busbar::selector {
namespace {

template <std::size_t N>
bool contains(const CodePoints (&ranges)[N], char32_t code) {
    const auto after =
        std::upper_bound(std::begin(ranges), std::end(ranges), code,
                         [](char32_t c, const CodePoints& r) { return c < r.first; });
    return after != std::begin(ranges) && code <= std::prev(after)->last;
}

bool isAsciiLetter(char32_t code) {
    return (code >= 'a' && code <= 'z') || (code >= 'A' && code <= 'Z') || code == '_' ||
           code == '$';
}

std::size_t sizeOf(unsigned char first) {
    if (first < 0x80) return 1;
    if (first < 0xe0) return 2;
    return first < 0xf0 ? 3 : 4;
}

}  // namespace

Character characterAt(std::string_view text, std::size_t at) {
    const auto first = static_cast<unsigned char>(text[at]);
    if (first < 0x80) return {first, 1};
    const std::string_view bytes = text.substr(at, sizeOf(first));
    if (bytes.size() != sizeOf(first) || !isUtf8(bytes)) return {};
    char32_t code = first & (0x7fu >> bytes.size());
    for (const char c : bytes.substr(1)) code = code << 6 | (static_cast<unsigned char>(c) & 0x3f);
    return {code, bytes.size()};
}

std::size_t characterCount(std::string_view text) {
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
        return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
    }));
}

bool startsIdentifier(char32_t code) {
    return code < 0x80 ? isAsciiLetter(code) : contains(kIdentifierStart, code);
}

bool continuesIdentifier(char32_t code) {
    if (code < 0x80) return isAsciiLetter(code) || (code >= '0' && code <= '9');
    return contains(kIdentifierPart, code);
}

}  // namespace busbar::selector
