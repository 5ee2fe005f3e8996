#include "adapters/soap/names.h"

#include <cctype>

namespace busbar::soap {
namespace {

std::string_view trim(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return out;
}

/// Takes one parameter off the front, up to a ';' outside quotes.
std::string_view takeParameter(std::string_view& rest) {
    bool quoted = false;
    std::size_t end = 0;
    for (; end < rest.size() && (quoted || rest[end] != ';'); ++end) quoted ^= rest[end] == '"';
    const auto parameter = rest.substr(0, end);
    rest.remove_prefix(end == rest.size() ? end : end + 1);
    return trim(parameter);
}

}  // namespace

std::string toText(const QName& name) {
    return name.ns.empty() ? name.local : "{" + name.ns + "}" + name.local;
}

std::string escapeXml(std::string_view text) {
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        switch (c) {
            case '&':
                out += "&amp;";
                break;
            case '<':
                out += "&lt;";
                break;
            case '>':
                out += "&gt;";
                break;
            case '"':
                out += "&quot;";
                break;
            case '\t':
            case '\n':
            case '\r':
                out += ' ';
                break;
            default:
                out += byte < 0x20 ? '?' : c;  // other control characters cannot stand in XML 1.0
        }
    }
    return out;
}

std::string contentTypeOf(Version version, std::string_view action) {
    if (version == Version::v11) return "text/xml; charset=utf-8";
    std::string type = "application/soap+xml; charset=utf-8";
    if (!action.empty()) type += "; action=\"" + std::string(action) + "\"";
    return type;
}

MediaType parseMediaType(std::string_view header) {
    MediaType media;
    media.type = lower(takeParameter(header));
    while (!header.empty()) {
        const auto parameter = takeParameter(header);
        const auto equals = parameter.find('=');
        if (equals == parameter.npos) continue;
        const auto name = lower(trim(parameter.substr(0, equals)));
        auto value = trim(parameter.substr(equals + 1));
        if (value.size() >= 2 && value.front() == '"' && value.back() == '"')
            value = value.substr(1, value.size() - 2);
        if (name == "charset") media.charset = lower(value);
        if (name == "action") media.action = value;
    }
    return media;
}

}  // namespace busbar::soap
