#include "adapters/soap/fault.h"

namespace busbar::soap {
namespace {

std::string_view codeText(FaultCode code, Version version) {
    const bool old = version == Version::v11;
    switch (code) {
        case FaultCode::versionMismatch:
            return "VersionMismatch";
        case FaultCode::mustUnderstand:
            return "MustUnderstand";
        case FaultCode::sender:
            return old ? "Client" : "Sender";
        case FaultCode::receiver:
            return old ? "Server" : "Receiver";
    }
    return old ? "Server" : "Receiver";
}

std::string detailText(const Fault& fault) {
    return "<b:error xmlns:b=\"urn:busbar:fault\">" + escapeXml(fault.detail) + "</b:error>";
}

std::string body11(const Fault& fault) {
    std::string text =
        "<soap:Fault><faultcode>soap:" + std::string(codeText(fault.code, Version::v11)) +
        "</faultcode><faultstring xml:lang=\"" + escapeXml(fault.language) + "\">" +
        escapeXml(fault.reason) + "</faultstring>";
    if (!fault.detail.empty()) text += "<detail>" + detailText(fault) + "</detail>";
    return text + "</soap:Fault>";
}

std::string body12(const Fault& fault) {
    std::string text = "<soap:Fault><soap:Code><soap:Value>soap:" +
                       std::string(codeText(fault.code, Version::v12)) +
                       "</soap:Value></soap:Code><soap:Reason><soap:Text xml:lang=\"" +
                       escapeXml(fault.language) + "\">" + escapeXml(fault.reason) +
                       "</soap:Text></soap:Reason>";
    if (!fault.detail.empty()) text += "<soap:Detail>" + detailText(fault) + "</soap:Detail>";
    return text + "</soap:Fault>";
}

/// SOAP 1.2 part 1, sections 5.4.7 (Upgrade, also on 1.1 faults) and 5.4.8 (NotUnderstood).
std::string headerText(const Fault& fault, Version version) {
    std::string blocks;
    if (fault.code == FaultCode::versionMismatch) {
        blocks += "<e:Upgrade xmlns:e=\"" + std::string(kEnvelope12) + "\">";
        for (const auto supported : {kEnvelope12, kEnvelope11}) {
            blocks += "<e:SupportedEnvelope xmlns:ns=\"" + std::string(supported) +
                      "\" qname=\"ns:Envelope\"/>";
        }
        blocks += "</e:Upgrade>";
    }
    if (version == Version::v12) {
        for (const auto& name : fault.notUnderstood) {
            blocks += "<soap:NotUnderstood qname=\"" + std::string(name.ns.empty() ? "" : "ns:") +
                      escapeXml(name.local) + "\"";
            if (!name.ns.empty()) blocks += " xmlns:ns=\"" + escapeXml(name.ns) + "\"";
            blocks += "/>";
        }
    }
    return blocks.empty() ? blocks : "<soap:Header>" + blocks + "</soap:Header>";
}

}  // namespace

FaultCode faultCodeOf(ErrorCode code) {
    switch (code) {
        case ErrorCode::invalidArgument:
            return FaultCode::sender;
        case ErrorCode::malformed:
            return FaultCode::sender;
        case ErrorCode::tooLarge:
            return FaultCode::sender;
        case ErrorCode::notFound:
            return FaultCode::receiver;  // a service of ours that is not there is our set-up
        case ErrorCode::alreadyExists:
            return FaultCode::sender;
        case ErrorCode::unauthenticated:
            return FaultCode::sender;
        case ErrorCode::notAuthorized:
            return FaultCode::sender;
        case ErrorCode::limitReached:
            return FaultCode::receiver;
        case ErrorCode::lockLost:
            return FaultCode::receiver;
        case ErrorCode::conflict:
            return FaultCode::sender;
        case ErrorCode::transactionUnknown:
            return FaultCode::receiver;
        case ErrorCode::transactionAborted:
            return FaultCode::receiver;
        case ErrorCode::timeout:
            return FaultCode::receiver;
        case ErrorCode::unsupported:
            return FaultCode::versionMismatch;
        case ErrorCode::storageFull:
            return FaultCode::receiver;
        case ErrorCode::storageFailed:
            return FaultCode::receiver;
        case ErrorCode::storageCorrupt:
            return FaultCode::receiver;
        case ErrorCode::inUse:
            return FaultCode::receiver;
        case ErrorCode::unavailable:
            return FaultCode::receiver;
        case ErrorCode::closed:
            return FaultCode::receiver;
        case ErrorCode::internal:
            return FaultCode::receiver;
    }
    return FaultCode::receiver;
}

Fault faultOf(const Error& error) {
    Fault fault;
    fault.code = faultCodeOf(error.code);
    fault.reason = error.text;
    return fault;
}

unsigned httpStatusOf(FaultCode code, Version version) {
    return version == Version::v12 && code == FaultCode::sender ? 400 : 500;
}

std::string faultText(const Fault& fault, Version version) {
    return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<soap:Envelope xmlns:soap=\"" +
           std::string(envelopeNamespace(version)) + "\">" + headerText(fault, version) +
           "<soap:Body>" + (version == Version::v11 ? body11(fault) : body12(fault)) +
           "</soap:Body></soap:Envelope>";
}

}  // namespace busbar::soap
