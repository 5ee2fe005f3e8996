#include "adapters/openwire/modified_utf8.h"

#include "bus/base/utf8.h"

#include <algorithm>

namespace busbar::openwire {
namespace {

constexpr char32_t kReplacement = 0xfffd;

void appendUtf8(std::string& out, char32_t c) {
    if (c < 0x80) {
        out += static_cast<char>(c);
    } else if (c < 0x800) {
        out += static_cast<char>(0xc0 | (c >> 6));
        out += static_cast<char>(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        out += static_cast<char>(0xe0 | (c >> 12));
        out += static_cast<char>(0x80 | ((c >> 6) & 0x3f));
        out += static_cast<char>(0x80 | (c & 0x3f));
    } else {
        out += static_cast<char>(0xf0 | (c >> 18));
        out += static_cast<char>(0x80 | ((c >> 12) & 0x3f));
        out += static_cast<char>(0x80 | ((c >> 6) & 0x3f));
        out += static_cast<char>(0x80 | (c & 0x3f));
    }
}

bool isHigh(char32_t c) {
    return c >= 0xd800 && c < 0xdc00;
}
bool isLow(char32_t c) {
    return c >= 0xdc00 && c < 0xe000;
}

/// Reads code units as Java wrote them (1 to 3 bytes), and four-byte UTF-8 as one.
class UnitReader {
  public:
    explicit UnitReader(std::string_view bytes) : bytes_(bytes) {}

    bool atEnd() const { return at_ == bytes_.size(); }

    /// Nothing where the bytes are no such unit.
    std::optional<char32_t> next() {
        const auto first = static_cast<unsigned char>(bytes_[at_++]);
        if (first < 0x80) return first;
        if (first >= 0xc0 && first < 0xe0) return trail(first & 0x1f, 1);
        if (first >= 0xe0 && first < 0xf0) return trail(first & 0x0f, 2);
        if (first >= 0xf0 && first < 0xf5) return trail(first & 0x07, 3);
        return {};
    }

  private:
    std::optional<char32_t> trail(char32_t value, int count) {
        for (; count > 0; --count) {
            if (atEnd()) return {};
            const auto byte = static_cast<unsigned char>(bytes_[at_++]);
            if ((byte & 0xc0) != 0x80) return {};
            value = (value << 6) | (byte & 0x3f);
        }
        if (value > 0x10ffff) return {};
        return value;
    }

    std::string_view bytes_;
    std::size_t at_ = 0;
};

/// Takes one well-formed character off UTF-8.
char32_t takeUtf8(std::string_view& text) {
    UnitReader reader(text);
    const char32_t c = *reader.next();
    text.remove_prefix(c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4);
    return c;
}

}  // namespace

bool sameInBoth(std::string_view utf8) {
    return std::none_of(utf8.begin(), utf8.end(),
                        [](char c) { return c == '\0' || static_cast<unsigned char>(c) >= 0xf0; });
}

std::optional<std::string> fromModifiedUtf8(std::string_view bytes) {
    if (isUtf8(bytes)) return std::string(bytes);
    std::string out;
    out.reserve(bytes.size());
    UnitReader reader(bytes);
    char32_t high = 0;
    while (!reader.atEnd()) {
        const auto unit = reader.next();
        if (!unit) return {};
        if (high != 0 && isLow(*unit)) {
            appendUtf8(out, 0x10000 + ((high - 0xd800) << 10) + (*unit - 0xdc00));
            high = 0;
            continue;
        }
        if (high != 0) appendUtf8(out, kReplacement);
        high = isHigh(*unit) ? *unit : 0;
        if (high == 0) appendUtf8(out, isLow(*unit) ? kReplacement : *unit);
    }
    if (high != 0) appendUtf8(out, kReplacement);
    return out;
}

void appendModifiedUtf8(std::string& out, std::string_view utf8) {
    if (!isUtf8(utf8)) return appendModifiedUtf8(out, showable(utf8));
    if (sameInBoth(utf8)) {
        out.append(utf8);
        return;
    }
    while (!utf8.empty()) {
        const char32_t c = takeUtf8(utf8);
        if (c == 0) {
            out.append("\xc0\x80", 2);
        } else if (c >= 0x10000) {
            appendUtf8(out, 0xd800 + ((c - 0x10000) >> 10));
            appendUtf8(out, 0xdc00 + ((c - 0x10000) & 0x3ff));
        } else {
            appendUtf8(out, c);
        }
    }
}

bool isJavaAscii(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c >= 1; });
}

}  // namespace busbar::openwire
