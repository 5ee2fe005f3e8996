// Private to this folder: the files of one WSDL, and the two things that are made of them.
#pragma once

#include "adapters/soap/wsdl.h"

#include <pugixml.hpp>

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace busbar::soap {

inline constexpr std::string_view kAddressPlaceholder = "http://address.invalid/busbar";

struct WsdlFile {
    std::string path;
    pugi::xml_document document;
};

/// All files, in the order in which they were found; the WSDL itself is wsdls[0].
struct WsdlFiles {
    std::vector<std::unique_ptr<WsdlFile>> wsdls;
    std::vector<std::unique_ptr<WsdlFile>> xsds;
    std::map<std::string, std::size_t> wsdlNumbers, xsdNumbers;  ///< path -> place
};

/// The operations of all SOAP ports. wsdl_operations.cpp
Result<std::vector<Operation>> readOperations(const WsdlFiles& files);

/// Puts placeholders where addresses and locations are, and adds the missing SOAP version's port.
/// wsdl_publish.cpp
void rewriteForClients(WsdlFiles& files);

}  // namespace busbar::soap
