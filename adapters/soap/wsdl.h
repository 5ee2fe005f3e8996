// WSDL 1.1: what a service is called with, and the same description with the bus's own address in
// it.
#pragma once

#include "adapters/soap/names.h"
#include "bus/base/result.h"
#include "xml-schemas/xml.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace busbar::soap {

/// One operation of a SOAP binding.
struct Operation {
    std::string name;
    std::string action;  ///< SOAPAction of the binding; may be empty
    QName input;         ///< the body's child; empty for an empty body
    QName output;
    bool oneWay = false;
};

/// A WSDL file with all that it imports. Immutable after load: any thread.
class Wsdl {
  public:
    /// Reads `path` and, from disk only, the WSDL and XSD files that it names by relative locations
    /// (http: locations are not fetched: their namespaces must come from elsewhere in the set, or
    /// not be used). Document/literal (wrapped and bare) and rpc/literal bindings over SOAP 1.1
    /// or 1.2. The error names the file. Blocks on the disk: at start and on reload.
    static Result<std::shared_ptr<const Wsdl>> load(const std::string& path);

    const std::string& serviceName() const { return serviceName_; }
    const std::vector<Operation>& operations() const { return operations_; }
    /// By the name of the body's child; by SOAPAction where the body is empty. nullptr where there
    /// is none.
    const Operation* find(const QName& payload, std::string_view action) const;

    /// The schemas of the types section and all imported ones.
    const std::vector<xml::Source>& schemas() const { return schemas_; }

    /// The description for clients: every port has `address`, imports are ADDRESS?xsd=N and
    /// ADDRESS?wsdl=N, and there is a SOAP 1.1 and a SOAP 1.2 port whichever the file had. Number 0
    /// is the file itself.
    std::optional<std::string> wsdlText(std::size_t number, std::string_view address) const;
    std::optional<std::string> xsdText(std::size_t number, std::string_view address) const;

  private:
    friend class WsdlLoader;
    std::string serviceName_;
    std::vector<Operation> operations_;
    std::vector<xml::Source> schemas_;
    std::vector<std::string> wsdlTexts_;  // with kAddressPlaceholder for the address
    std::vector<std::string> xsdTexts_;
};

}  // namespace busbar::soap
