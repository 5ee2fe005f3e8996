// What went wrong in the bus, as a Java client understands it: one table.
#pragma once

#include "adapters/openwire/command.h"
#include "bus/base/result.h"

namespace busbar::openwire {

/// The class that a client makes of an error: always one of javax.jms with a constructor that takes
/// a text, so that a client finds it whatever its version.
std::string_view exceptionClass(ErrorCode code);

/// "limit-reached: …" as an exception of that class.
Ref<Throwable> toThrowable(const Error& error);

/// A selector that was refused; Java tells it apart from other bad arguments.
Ref<Throwable> toInvalidSelector(const Error& error);

/// Codes of javax.transaction.xa.XAException. OpenWire carries only the text of an exception; the
/// client finds the code there by the prefix "xaErrorCode:".
enum class XaCode : int {
    rolledBack = 100,      ///< XA_RBROLLBACK
    heuristicCommit = 7,   ///< XA_HEURCOM
    heuristicBack = 6,     ///< XA_HEURRB
    duplicate = -8,        ///< XAER_DUPID
    invalid = -5,          ///< XAER_INVAL
    notKnown = -4,         ///< XAER_NOTA
    resourceError = -3,    ///< XAER_RMERR
    protocol = -6,         ///< XAER_PROTO
    resourceFailure = -7,  ///< XAER_RMFAIL
};
Ref<Throwable> toXaThrowable(XaCode code, std::string_view text);

}  // namespace busbar::openwire
