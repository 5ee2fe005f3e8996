#include "adapters/soap/envelope_convert.h"

#include "adapters/soap/pugi_names.h"

#include <vector>

namespace busbar::soap {
namespace {

/// The four codes that both versions have, in their spellings.
struct CodePair {
    std::string_view v11, v12;
};
constexpr CodePair kCodes[] = {{"Client", "Sender"},
                               {"Server", "Receiver"},
                               {"MustUnderstand", "MustUnderstand"},
                               {"VersionMismatch", "VersionMismatch"}};

struct FaultParts {
    std::string code11 = "Server";  ///< in SOAP 1.1's spelling
    QName custom;                   ///< a code of the application's own: becomes a subcode in 1.2
    std::string reason;
    std::string language = "en";
    std::string actor;
    pugi::xml_node detail;
};

FaultParts read11(pugi::xml_node fault) {
    FaultParts parts;
    const auto code = fault.child("faultcode");
    const auto name = resolve(code, code.text().get());
    const auto base = name.local.substr(0, name.local.find('.'));
    const bool standard = name.ns == kEnvelope11 || name.ns.empty();
    for (const auto& pair : kCodes) {
        if (standard && pair.v11 == base) parts.code11 = base;
    }
    if (!standard) parts.custom = name;
    const auto reason = fault.child("faultstring");
    parts.reason = reason.text().get();
    if (const auto language = reason.attribute("xml:lang")) parts.language = language.value();
    parts.actor = fault.child("faultactor").text().get();
    parts.detail = fault.child("detail");
    return parts;
}

FaultParts read12(pugi::xml_node fault) {
    FaultParts parts;
    const auto code = child(fault, kEnvelope12, "Code");
    const auto value = child(code, kEnvelope12, "Value");
    const auto name = resolve(value, value.text().get());
    for (const auto& pair : kCodes) {
        if (pair.v12 == name.local) parts.code11 = pair.v11;
    }
    const auto text = child(child(fault, kEnvelope12, "Reason"), kEnvelope12, "Text");
    parts.reason = text.text().get();
    if (const auto language = text.attribute("xml:lang")) parts.language = language.value();
    parts.actor = child(fault, kEnvelope12, "Role").text().get();
    parts.detail = child(fault, kEnvelope12, "Detail");
    return parts;
}

void declare(pugi::xml_node node, const char* name, std::string_view ns) {
    node.append_attribute(name) = std::string(ns).c_str();
}

/// Moves the content of the detail element. Under <detail xmlns=""> children that relied on the
/// default namespace get it declared on themselves.
void moveDetail(pugi::xml_node from, pugi::xml_node to, std::string_view defaultNamespace) {
    for (const auto attribute : from.attributes()) {
        if (std::string_view(attribute.name()) != "xmlns") to.append_copy(attribute);
    }
    for (const auto node : from.children()) {
        auto copy = to.append_copy(node);
        const bool relies = node.type() == pugi::node_element && prefixPart(node.name()).empty() &&
                            !node.attribute("xmlns");
        if (relies && namespaceAt(from, {}) == defaultNamespace && !defaultNamespace.empty()) {
            declare(copy, "xmlns", defaultNamespace);
        }
    }
}

/// SOAP 1.1 section 4.4: unqualified children in this order.
void write11(pugi::xml_node fault, const FaultParts& parts) {
    const std::string defaultNamespace(namespaceAt(fault, {}));
    const auto add = [&](const char* name) {
        auto node = fault.append_child(name);
        if (!defaultNamespace.empty()) declare(node, "xmlns", "");
        return node;
    };
    auto code = add("faultcode");
    declare(code, "xmlns:env", kEnvelope11);
    code.text() = ("env:" + parts.code11).c_str();
    auto reason = add("faultstring");
    declare(reason, "xml:lang", parts.language);
    reason.text() = parts.reason.c_str();
    if (!parts.actor.empty()) add("faultactor").text() = parts.actor.c_str();
    if (parts.detail) moveDetail(parts.detail, add("detail"), defaultNamespace);
}

/// SOAP 1.2 part 1, section 5.4: Code, Reason, Role, Detail in this order.
void write12(pugi::xml_node fault, const FaultParts& parts) {
    const std::string prefix(prefixPart(fault.name()));
    const auto add = [&](pugi::xml_node parent, const std::string& local) {
        return parent.append_child((prefix.empty() ? local : prefix + ":" + local).c_str());
    };
    auto code = add(fault, "Code");
    auto value = add(code, "Value");
    declare(value, "xmlns:env", kEnvelope12);
    for (const auto& pair : kCodes) {
        if (pair.v11 == parts.code11) value.text() = ("env:" + std::string(pair.v12)).c_str();
    }
    if (!parts.custom.empty()) {
        auto sub = add(add(code, "Subcode"), "Value");
        declare(sub, "xmlns:app", parts.custom.ns);
        sub.text() = ("app:" + parts.custom.local).c_str();
    }
    auto text = add(add(fault, "Reason"), "Text");
    declare(text, "xml:lang", parts.language);
    text.text() = parts.reason.c_str();
    if (!parts.actor.empty()) add(fault, "Role").text() = parts.actor.c_str();
    if (parts.detail) moveDetail(parts.detail, add(fault, "Detail"), {});
}

void convertFault(pugi::xml_node body, pugi::xml_node fault, Version to) {
    const auto parts = to == Version::v12 ? read11(fault) : read12(fault);
    auto fresh = body.insert_child_before(fault.name(), fault);
    for (const auto attribute : fault.attributes()) {
        if (std::string_view(attribute.name()).starts_with("xmlns")) fresh.append_copy(attribute);
    }
    if (to == Version::v12)
        write12(fresh, parts);
    else
        write11(fresh, parts);
    body.remove_child(fault);
}

void convertRole(pugi::xml_node block, pugi::xml_attribute attribute, const std::string& prefix,
                 Version to) {
    const std::string_view value = attribute.value();
    if (to == Version::v11 && value == kUltimate12) {
        block.remove_attribute(attribute);
        return;
    }
    attribute.set_name((prefix + (to == Version::v11 ? ":actor" : ":role")).c_str());
    if (value == kNext11)
        attribute.set_value(std::string(kNext12).c_str());
    else if (value == kNext12)
        attribute.set_value(std::string(kNext11).c_str());
}

void convertHeaderBlock(pugi::xml_node block, std::string_view fromNs, Version to) {
    std::vector<pugi::xml_attribute> attributes(block.attributes_begin(), block.attributes_end());
    for (auto attribute : attributes) {
        const std::string prefix(prefixPart(attribute.name()));
        if (prefix.empty() || prefix == "xmlns" || namespaceAt(block, prefix) != fromNs) continue;
        const std::string local(localPart(attribute.name()));
        if (local == "actor" || local == "role") {
            convertRole(block, attribute, prefix, to);
        } else if (local == "mustUnderstand") {
            const std::string_view value = attribute.value();
            const bool must = value == "1" || value == "true";
            attribute.set_value(to == Version::v11 ? (must ? "1" : "0")
                                                   : (must ? "true" : "false"));
        } else if (local == "relay" && to == Version::v11) {
            block.remove_attribute(attribute);
        }
    }
}

/// Envelope, Header and Body may not carry encodingStyle in 1.2 (part 1, section 5.1.1).
void dropEncodingStyle(pugi::xml_node node, std::string_view fromNs) {
    for (auto attribute = node.first_attribute(); attribute;) {
        const auto next = attribute.next_attribute();
        const auto prefix = prefixPart(attribute.name());
        const bool style = localPart(attribute.name()) == "encodingStyle" && !prefix.empty();
        if (style && namespaceAt(node, prefix) == fromNs) node.remove_attribute(attribute);
        attribute = next;
    }
}

/// Only on the envelope's own elements: an envelope inside the payload is the application's.
void redeclare(pugi::xml_node node, std::string_view from, std::string_view to) {
    for (auto attribute : node.attributes()) {
        const bool declaration = std::string_view(attribute.name()).starts_with("xmlns");
        if (declaration && attribute.value() == from) attribute.set_value(std::string(to).c_str());
    }
}

}  // namespace

void convertEnvelope(pugi::xml_document& document, Version from, Version to) {
    if (from == to) return;
    const auto fromNs = envelopeNamespace(from);
    auto envelope = document.document_element();
    auto header = child(envelope, fromNs, "Header");
    auto body = child(envelope, fromNs, "Body");
    for (auto node : {envelope, header, body}) dropEncodingStyle(node, fromNs);
    for (auto block = firstElement(header); block; block = block.next_sibling()) {
        convertHeaderBlock(block, fromNs, to);
    }
    for (auto after = body.next_sibling(); after;) {  // only 1.1 allows elements after the body
        const auto next = after.next_sibling();
        if (after.type() == pugi::node_element) envelope.remove_child(after);
        after = next;
    }
    const auto payload = firstElement(body);
    if (is(payload, fromNs, "Fault")) convertFault(body, payload, to);
    const auto toNs = envelopeNamespace(to);
    for (auto block = header.first_child(); block; block = block.next_sibling())
        redeclare(block, fromNs, toNs);
    for (auto node : {envelope, header, body}) redeclare(node, fromNs, toNs);
    if (const auto fault = firstElement(body); localPart(fault.name()) == "Fault")
        redeclare(fault, fromNs, toNs);
}

}  // namespace busbar::soap
