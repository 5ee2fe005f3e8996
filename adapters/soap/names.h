// The names that SOAP, WSDL and WS-Addressing fix.
#pragma once

#include <compare>
#include <string>
#include <string_view>

namespace busbar::soap {

enum class Version : unsigned char { v11, v12 };

inline constexpr std::string_view kEnvelope11 = "http://schemas.xmlsoap.org/soap/envelope/";
inline constexpr std::string_view kEnvelope12 = "http://www.w3.org/2003/05/soap-envelope";
inline constexpr std::string_view kWsdl = "http://schemas.xmlsoap.org/wsdl/";
inline constexpr std::string_view kWsdlSoap11 = "http://schemas.xmlsoap.org/wsdl/soap/";
inline constexpr std::string_view kWsdlSoap12 = "http://schemas.xmlsoap.org/wsdl/soap12/";
inline constexpr std::string_view kXmlSchema = "http://www.w3.org/2001/XMLSchema";
inline constexpr std::string_view kAddressing = "http://www.w3.org/2005/08/addressing";
inline constexpr std::string_view kAddressing2004 =
    "http://schemas.xmlsoap.org/ws/2004/08/addressing";
inline constexpr std::string_view kNext11 = "http://schemas.xmlsoap.org/soap/actor/next";
inline constexpr std::string_view kNext12 = "http://www.w3.org/2003/05/soap-envelope/role/next";
inline constexpr std::string_view kNone12 = "http://www.w3.org/2003/05/soap-envelope/role/none";
inline constexpr std::string_view kUltimate12 =
    "http://www.w3.org/2003/05/soap-envelope/role/ultimateReceiver";

constexpr std::string_view envelopeNamespace(Version version) {
    return version == Version::v11 ? kEnvelope11 : kEnvelope12;
}

/// A name with its namespace.
struct QName {
    std::string ns;
    std::string local;

    bool empty() const { return local.empty(); }
    auto operator<=>(const QName&) const = default;
};

/// "{urn:x}name", for people.
std::string toText(const QName& name);

/// Text as it may stand in XML content or in a double-quoted attribute.
std::string escapeXml(std::string_view text);

/// "text/xml; charset=utf-8", or "application/soap+xml; charset=utf-8; action=\"...\"" (RFC 3902).
std::string contentTypeOf(Version version, std::string_view action = {});

/// What a Content-Type says: the type in lower case, and its parameters charset and action (may be
/// empty).
struct MediaType {
    std::string type;
    std::string charset;
    std::string action;
};
MediaType parseMediaType(std::string_view header);

}  // namespace busbar::soap
