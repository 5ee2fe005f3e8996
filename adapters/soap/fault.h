// The faults that the bus itself gives, and the one table from its errors to them.
#pragma once

#include "adapters/soap/names.h"
#include "bus/base/result.h"

#include <string>
#include <vector>

namespace busbar::soap {

/// SOAP 1.1 section 4.4.1 / SOAP 1.2 part 1, section 5.4.6.
enum class FaultCode : unsigned char { versionMismatch, mustUnderstand, sender, receiver };

struct Fault {
    FaultCode code = FaultCode::receiver;
    std::string reason;
    std::string language = "en";
    std::string detail;                ///< text for the detail element; only for errors of the body
    std::vector<QName> notUnderstood;  ///< mustUnderstand: the headers in question
};

/// Whose fault an error is: the caller's (sender) or ours and the provider's (receiver).
FaultCode faultCodeOf(ErrorCode code);

/// The fault that tells about `error`.
Fault faultOf(const Error& error);

/// 500, but 400 for Sender faults of SOAP 1.2 (part 2, section 7.5.2.2).
unsigned httpStatusOf(FaultCode code, Version version);

/// The whole envelope, children in the order that the version fixes.
std::string faultText(const Fault& fault, Version version);

}  // namespace busbar::soap
