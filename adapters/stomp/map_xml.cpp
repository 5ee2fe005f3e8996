#include "adapters/stomp/map_xml.h"

#include "bus/base/base64.h"
#include "bus/base/utf8.h"
#include "bus/message/body.h"
#include "bus/message/json_reader.h"
#include "bus/message/value_text.h"

#include <pugixml.hpp>

#include <algorithm>

namespace busbar::stomp {
namespace {

constexpr std::size_t kBytesMax = 4u << 20;
constexpr std::size_t kTagsMax = 6 * kJsonValuesMax + 16;  // of entry, name and value
constexpr unsigned kParse = pugi::parse_escapes | pugi::parse_cdata | pugi::parse_doctype |
                            pugi::parse_pi | pugi::parse_eol | pugi::parse_ws_pcdata_single;

std::string textOf(pugi::xml_node node) {
    std::string out;
    for (const auto part : node.children()) out += part.value();
    return out;
}

bool onlyText(pugi::xml_node node) {
    return std::all_of(node.begin(), node.end(), [](pugi::xml_node part) {
        return part.type() == pugi::node_pcdata || part.type() == pugi::node_cdata;
    });
}

std::vector<pugi::xml_node> elements(pugi::xml_node node) {
    std::vector<pugi::xml_node> out;
    for (const auto child : node.children()) {
        if (child.type() == pugi::node_element) out.push_back(child);
    }
    return out;
}

Result<Value> valueOf(pugi::xml_node node) {
    const std::string_view type = node.name();
    const std::string text = textOf(node);
    if (!onlyText(node) || (type != "byte-array" && !isValueType(type)) || type == "bytes") {
        return {ErrorCode::invalidArgument,
                "<" + showable(type.substr(0, 40)) + "> is no value: boolean, byte, short, int, " +
                    "long, float, double, string, char, byte-array or null is expected"};
    }
    if (!isUtf8(text))  // half of a surrogate pair, by its number
        return {ErrorCode::invalidArgument, "a character reference is no character"};
    if (type != "byte-array") return valueFromText(type, text);
    auto bytes = fromBase64(text);
    if (!bytes) return {ErrorCode::invalidArgument, "base64 is expected in <byte-array>"};
    return Value(Bytes{std::move(*bytes)});
}

Result<BodyEntry> entryOf(pugi::xml_node node) {
    const auto parts = elements(node);
    const bool named =
        !parts.empty() && std::string_view(parts[0].name()) == "string" && onlyText(parts[0]);
    if (std::string_view(node.name()) != "entry" || !named || parts.size() != 2) {
        return {ErrorCode::invalidArgument,
                "<entry> with a <string> (the name) and a value is expected"};
    }
    const std::string name = textOf(parts[0]);
    auto value = isUtf8(name) ? valueOf(parts[1])
                              : Result<Value>(Error{ErrorCode::invalidArgument, "no text"});
    if (!value) {
        return {value.error().code,
                "entry '" + showable(name.substr(0, 60)) + "': " + value.error().text};
    }
    return BodyEntry{name, {std::move(*value)}};
}

Result<void> checkSize(std::string_view xml) {
    if (xml.size() > kBytesMax) {
        return {ErrorCode::tooLarge,
                "a map in XML may have at most " + std::to_string(kBytesMax) + " bytes"};
    }
    if (static_cast<std::size_t>(std::count(xml.begin(), xml.end(), '<')) > kTagsMax) {
        return {ErrorCode::tooLarge,
                "a map may have at most " + std::to_string(kJsonValuesMax) + " entries"};
    }
    if (!isUtf8(xml)) return {ErrorCode::malformed, "XML: not UTF-8"};
    return {};
}

}  // namespace

Result<std::string> mapBodyFromXml(std::string_view xml) {
    if (auto checked = checkSize(xml); !checked) return checked.error();
    pugi::xml_document document;
    const auto parsed = document.load_buffer(xml.data(), xml.size(), kParse, pugi::encoding_utf8);
    if (!parsed) {
        return {ErrorCode::malformed,
                "XML, byte " + std::to_string(parsed.offset + 1) + ": " + parsed.description()};
    }
    for (const auto child : document.children()) {
        if (child.type() == pugi::node_doctype || child.type() == pugi::node_pi) {
            return {ErrorCode::malformed, "XML: no DOCTYPE and no processing instruction is taken"};
        }
    }
    const auto roots = elements(document);
    if (roots.size() != 1 || std::string_view(roots[0].name()) != "map") {
        return {ErrorCode::invalidArgument, "XML: one <map> is expected"};
    }
    BodyMap map;
    for (const auto node : elements(roots[0])) {
        auto entry = entryOf(node);
        if (!entry) return entry.error();
        map.push_back(std::move(*entry));
    }
    std::string out;
    encodeMapBody(map, out);
    return out;
}

}  // namespace busbar::stomp
