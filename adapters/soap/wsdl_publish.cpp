#include "adapters/soap/pugi_names.h"
#include "adapters/soap/wsdl_parts.h"

namespace busbar::soap {
namespace {

const std::string kAddress(kAddressPlaceholder);

bool isAddress(pugi::xml_node node) {
    return is(node, kWsdlSoap11, "address") || is(node, kWsdlSoap12, "address");
}

void rewriteLocations(pugi::xml_node node, const std::string& base, const WsdlFiles& files) {
    for (auto inner : node.children()) {
        if (isAddress(inner)) inner.attribute("location").set_value(kAddress.c_str());
        for (const char* name : {"schemaLocation", "location"}) {
            auto location = inner.attribute(name);
            if (!location || localPart(inner.name()) == "address") continue;
            const auto path = xml::resolveLocation(base, location.value());
            if (const auto at = files.xsdNumbers.find(path); at != files.xsdNumbers.end()) {
                location.set_value((kAddress + "?xsd=" + std::to_string(at->second)).c_str());
            } else if (const auto wsdl = files.wsdlNumbers.find(path);
                       wsdl != files.wsdlNumbers.end()) {
                location.set_value((kAddress + "?wsdl=" + std::to_string(wsdl->second)).c_str());
            }
        }
        rewriteLocations(inner, base, files);
    }
}

/// Renames the elements of one SOAP binding namespace to the other's, whose prefix is `prefix`.
void rename(pugi::xml_node node, std::string_view from, const std::string& prefix) {
    for (auto inner : node.children()) {
        rename(inner, from, prefix);
        if (inner.type() != pugi::node_element || namespaceOf(inner) != from) continue;
        const std::string local(localPart(inner.name()));
        inner.set_name((prefix + ":" + local).c_str());
    }
}

pugi::xml_node bindingOf(pugi::xml_node definitions, pugi::xml_node port) {
    const auto wanted = localPart(port.attribute("binding").value());
    for (auto node : definitions.children()) {
        if (is(node, kWsdl, "binding") && node.attribute("name").value() == wanted) return node;
    }
    return {};
}

/// Adds a port and a binding for the other version, made after `port`.
void addOther(pugi::xml_node definitions, pugi::xml_node service, pugi::xml_node port, bool has11) {
    const auto from = has11 ? kWsdlSoap11 : kWsdlSoap12;
    const auto to = has11 ? kWsdlSoap12 : kWsdlSoap11;
    const std::string prefix = has11 ? "busbarsoap12" : "busbarsoap11";
    const std::string suffix = has11 ? "Soap12" : "Soap11";
    const auto binding = bindingOf(definitions, port);
    if (!binding) return;  // it is in an imported file: that file's clients have one version
    definitions.append_attribute(("xmlns:" + prefix).c_str()) = std::string(to).c_str();
    auto otherBinding = definitions.insert_copy_after(binding, binding);
    otherBinding.attribute("name").set_value(
        (std::string(binding.attribute("name").value()) + suffix).c_str());
    rename(otherBinding, from, prefix);
    auto otherPort = service.insert_copy_after(port, port);
    otherPort.attribute("name").set_value(
        (std::string(port.attribute("name").value()) + suffix).c_str());
    otherPort.attribute("binding").set_value(
        (std::string(port.attribute("binding").value()) + suffix).c_str());
    rename(otherPort, from, prefix);
}

void offerBothVersions(pugi::xml_node definitions) {
    for (auto service : definitions.children()) {
        if (!is(service, kWsdl, "service")) continue;
        pugi::xml_node port11, port12;
        for (const auto port : service.children()) {
            if (child(port, kWsdlSoap11, "address") && !port11) port11 = port;
            if (child(port, kWsdlSoap12, "address") && !port12) port12 = port;
        }
        if (port11 && !port12) addOther(definitions, service, port11, true);
        if (port12 && !port11) addOther(definitions, service, port12, false);
    }
}

}  // namespace

void rewriteForClients(WsdlFiles& files) {
    for (const auto& file : files.wsdls) {
        auto root = file->document.document_element();
        offerBothVersions(root);
        rewriteLocations(root, file->path, files);
    }
    for (const auto& file : files.xsds)
        rewriteLocations(file->document.document_element(), file->path, files);
}

}  // namespace busbar::soap
