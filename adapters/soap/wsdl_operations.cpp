#include "adapters/soap/pugi_names.h"
#include "adapters/soap/wsdl_parts.h"

namespace busbar::soap {
namespace {

/// A top-level component by kind and local name, in any of the files.
pugi::xml_node component(const WsdlFiles& files, std::string_view kind,
                         std::string_view qualified) {
    for (const auto& file : files.wsdls) {
        for (const auto node : file->document.document_element().children()) {
            if (is(node, kWsdl, kind) && node.attribute("name").value() == localPart(qualified))
                return node;
        }
    }
    return {};
}

/// The child of that name in the SOAP 1.1 or the SOAP 1.2 binding namespace.
pugi::xml_node soapChild(pugi::xml_node node, std::string_view local) {
    const auto found = child(node, kWsdlSoap11, local);
    return found ? found : child(node, kWsdlSoap12, local);
}

/// The part that makes the body: the one that soap:body names, or the first that no soap:header
/// takes.
pugi::xml_node bodyPart(pugi::xml_node message, pugi::xml_node bound) {
    const std::string_view wanted = soapChild(bound, "body").attribute("parts").value();
    const std::string_view header = soapChild(bound, "header").attribute("part").value();
    for (const auto part : message.children()) {
        const std::string_view name = part.attribute("name").value();
        if (!is(part, kWsdl, "part") || (!wanted.empty() && name != wanted)) continue;
        if (!header.empty() && name == header) continue;
        return part;
    }
    return {};
}

struct Side {
    pugi::xml_node bound;     ///< input or output of the binding's operation
    pugi::xml_node declared;  ///< of the port type's
};

Result<QName> bodyName(const WsdlFiles& files, const Side& side, bool rpc,
                       const std::string& rpcName) {
    if (rpc) return QName{soapChild(side.bound, "body").attribute("namespace").value(), rpcName};
    const std::string messageName = side.declared.attribute("message").value();
    const auto message = component(files, "message", messageName);
    if (!message) return {ErrorCode::malformed, "there is no message '" + messageName + "'"};
    const auto part = bodyPart(message, side.bound);
    if (!part) return QName{};
    const auto element = part.attribute("element");
    if (!element) {
        return {
            ErrorCode::unsupported,
            "message '" + messageName + "': a document/literal part needs an element, not a type"};
    }
    return resolve(part, element.value());
}

Result<Operation> readOperation(const WsdlFiles& files, pugi::xml_node bound,
                                pugi::xml_node declared, bool rpcBinding) {
    Operation operation;
    operation.name = bound.attribute("name").value();
    const auto soap = soapChild(bound, "operation");
    operation.action = soap.attribute("soapAction").value();
    const std::string style = soap.attribute("style").value();
    const bool rpc = style.empty() ? rpcBinding : style == "rpc";
    const Side input{child(bound, kWsdl, "input"), child(declared, kWsdl, "input")};
    const Side output{child(bound, kWsdl, "output"), child(declared, kWsdl, "output")};
    auto in = bodyName(files, input, rpc, operation.name);
    if (!in) return in.error();
    operation.input = std::move(*in);
    operation.oneWay = !output.declared;
    if (operation.oneWay) return operation;
    auto out = bodyName(files, output, rpc, operation.name + "Response");
    if (!out) return out.error();
    operation.output = std::move(*out);
    return operation;
}

Result<void> readBinding(const WsdlFiles& files, pugi::xml_node binding,
                         std::vector<Operation>& out) {
    const std::string typeName = binding.attribute("type").value();
    const auto type = component(files, "portType", typeName);
    if (!type) return {ErrorCode::malformed, "there is no portType '" + typeName + "'"};
    const bool rpc =
        std::string_view(soapChild(binding, "binding").attribute("style").value()) == "rpc";
    for (const auto bound : binding.children()) {
        if (!is(bound, kWsdl, "operation")) continue;
        const std::string_view name = bound.attribute("name").value();
        pugi::xml_node declared;
        for (const auto node : type.children()) {
            if (is(node, kWsdl, "operation") && node.attribute("name").value() == name)
                declared = node;
        }
        if (!declared)
            return {ErrorCode::malformed,
                    "portType '" + typeName + "' has no operation '" + std::string(name) + "'"};
        auto operation = readOperation(files, bound, declared, rpc);
        if (!operation) return operation.error();
        bool known = false;
        for (const auto& other : out)
            known |= other.input == operation->input && other.name == operation->name;
        if (!known) out.push_back(std::move(*operation));
    }
    return {};
}

}  // namespace

Result<std::vector<Operation>> readOperations(const WsdlFiles& files) {
    std::vector<Operation> out;
    for (const auto& file : files.wsdls) {
        for (const auto service : file->document.document_element().children()) {
            if (!is(service, kWsdl, "service")) continue;
            for (const auto port : service.children()) {
                if (!is(port, kWsdl, "port") || !soapChild(port, "address")) continue;
                const std::string bindingName = port.attribute("binding").value();
                const auto binding = component(files, "binding", bindingName);
                if (!binding)
                    return {ErrorCode::malformed, "there is no binding '" + bindingName + "'"};
                if (auto read = readBinding(files, binding, out); !read) return read.error();
            }
        }
    }
    if (out.empty())
        return {ErrorCode::malformed, "no service with a SOAP port that has operations"};
    return out;
}

}  // namespace busbar::soap
