#include "xml-schemas/xml.h"

#include <algorithm>
#include <cctype>

namespace busbar::xml {
namespace {

enum class Family { none, utf8, utf16, other };

Family familyOf(std::string_view label) {
    std::string lower;
    for (const char c : label) {
        lower += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
    if (lower.empty()) return Family::none;
    if (lower == "utf-8" || lower == "utf8" || lower == "us-ascii" || lower == "ascii")
        return Family::utf8;
    if (lower == "utf-16" || lower == "utf-16le" || lower == "utf-16be") return Family::utf16;
    return Family::other;
}

struct Mark {
    Family family = Family::none;
    Encoding encoding = Encoding::utf8;
};

/// From a byte order mark, or from how "<" is spelled.
Mark markOf(std::string_view bytes) {
    if (bytes.starts_with("\xEF\xBB\xBF")) return {Family::utf8, Encoding::utf8};
    if (bytes.starts_with("\xFF\xFE")) return {Family::utf16, Encoding::utf16le};
    if (bytes.starts_with("\xFE\xFF")) return {Family::utf16, Encoding::utf16be};
    using namespace std::string_view_literals;
    if (bytes.starts_with("<\0"sv)) return {Family::utf16, Encoding::utf16le};
    if (bytes.starts_with("\0<"sv)) return {Family::utf16, Encoding::utf16be};
    return {};
}

/// The encoding that the XML declaration names, as ASCII; empty where it names none.
std::string declared(std::string_view bytes) {
    std::string ascii;
    for (const char c : bytes.substr(0, 400)) {
        if (c > 0) ascii += c;  // drops the zero bytes of UTF-16 and any byte order mark
        if (c == '>') break;
    }
    if (!ascii.starts_with("<?xml")) return {};
    auto at = ascii.find("encoding");
    if (at == ascii.npos) return {};
    at = ascii.find_first_of("\"'", at);
    if (at == ascii.npos) return {};
    const auto end = ascii.find(ascii[at], at + 1);
    return end == ascii.npos ? std::string{} : ascii.substr(at + 1, end - at - 1);
}

Error contradiction(std::string_view what, std::string_view label, std::string_view found) {
    return {ErrorCode::malformed, std::string(what) + " says '" + std::string(label) +
                                      "', but the document is " + std::string(found)};
}

}  // namespace

Result<Encoding> detectEncoding(std::string_view bytes, std::string_view charset) {
    const auto mark = markOf(bytes);
    const auto label = declared(bytes);
    const auto byCharset = familyOf(charset);
    const auto byDeclaration = familyOf(label);
    if (byCharset == Family::other) {
        return {ErrorCode::malformed, "charset '" + std::string(charset) +
                                          "' is not supported: expected utf-8 or utf-16"};
    }
    if (byDeclaration == Family::other) {
        return {ErrorCode::malformed,
                "line 1: encoding '" + label + "' is not supported: expected UTF-8 or UTF-16"};
    }
    const auto family = mark.family == Family::none ? Family::utf8 : mark.family;
    const std::string_view found = family == Family::utf8 ? "UTF-8" : "UTF-16";
    if (byCharset != Family::none && byCharset != family) {
        return contradiction("the charset of the Content-Type", charset, found);
    }
    if (byDeclaration != Family::none && byDeclaration != family) {
        return contradiction("the XML declaration", label, found);
    }
    return mark.encoding;
}

}  // namespace busbar::xml
