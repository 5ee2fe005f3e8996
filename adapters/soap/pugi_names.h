// Private to this folder: qualified names over pugixml, which knows only prefixes.
#pragma once

#include "adapters/soap/names.h"

#include <pugixml.hpp>

#include <string>
#include <string_view>

namespace busbar::soap {

inline std::string_view localPart(std::string_view qualified) {
    const auto colon = qualified.find(':');
    return colon == qualified.npos ? qualified : qualified.substr(colon + 1);
}

inline std::string_view prefixPart(std::string_view qualified) {
    const auto colon = qualified.find(':');
    return colon == qualified.npos ? std::string_view{} : qualified.substr(0, colon);
}

/// The namespace that `prefix` (empty: the default one) means at `node`; empty where it is not
/// declared.
inline std::string_view namespaceAt(pugi::xml_node node, std::string_view prefix) {
    if (prefix == "xml") return "http://www.w3.org/XML/1998/namespace";
    const std::string attribute = prefix.empty() ? "xmlns" : "xmlns:" + std::string(prefix);
    for (; node; node = node.parent()) {
        if (const auto found = node.attribute(attribute.c_str())) return found.value();
    }
    return {};
}

inline std::string_view namespaceOf(pugi::xml_node node) {
    return namespaceAt(node, prefixPart(node.name()));
}

inline bool is(pugi::xml_node node, std::string_view ns, std::string_view local) {
    return node.type() == pugi::node_element && localPart(node.name()) == local &&
           namespaceOf(node) == ns;
}

inline QName nameOf(pugi::xml_node node) {
    return {std::string(namespaceOf(node)), std::string(localPart(node.name()))};
}

/// A QName in content or in an attribute, resolved where it stands.
inline QName resolve(pugi::xml_node at, std::string_view qualified) {
    return {std::string(namespaceAt(at, prefixPart(qualified))), std::string(localPart(qualified))};
}

inline pugi::xml_node child(pugi::xml_node parent, std::string_view ns, std::string_view local) {
    for (const auto node : parent.children()) {
        if (is(node, ns, local)) return node;
    }
    return {};
}

inline pugi::xml_node firstElement(pugi::xml_node parent) {
    for (const auto node : parent.children()) {
        if (node.type() == pugi::node_element) return node;
    }
    return {};
}

inline std::string serialize(const pugi::xml_node& node) {
    struct Writer final : pugi::xml_writer {
        std::string text;
        void write(const void* data, std::size_t size) override {
            text.append(static_cast<const char*>(data), size);
        }
    } writer;
    node.print(writer, "", pugi::format_raw, pugi::encoding_utf8);
    return std::move(writer.text);
}

}  // namespace busbar::soap
