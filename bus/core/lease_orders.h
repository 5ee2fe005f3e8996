// Leases by message: what a client sends whose protocol has no verb for them (JMS, AMQP 1.0,
// STOMP).
//
// Enterprise Integration Patterns, "Control Bus": a message to the queue `busbar.leases` is no
// message but an order, answered as its send is: confirmed when it was carried out, or refused with
// the reason. The queue does not exist, so nobody can read from it or put anything there.
#pragma once

#include "bus/base/clock.h"
#include "bus/base/result.h"
#include "bus/message/message.h"

#include <string>
#include <string_view>

namespace busbar {

inline constexpr std::string_view kLeaseQueue = "busbar.leases";

/// The properties of an order, and of messages that are delivered under leases.
inline constexpr std::string_view kLeaseProperty = "BusbarLease";            ///< the token
inline constexpr std::string_view kLeaseUntilProperty = "BusbarLeaseUntil";  ///< ms since 1970
inline constexpr std::string_view kFencingProperty = "BusbarFencingToken";

/// `extend` by `BusbarLeaseMs`; `accept`; `release`, `fail`: back, after `BusbarDelayMs`; `reject`:
/// a dead letter. `BusbarReason` is kept with failures.
struct LeaseOrder {
    enum class Kind : unsigned char { extend, accept, release, fail, reject };
    Kind kind = Kind::extend;
    std::string token;
    Milliseconds lease{0};
    Milliseconds delay{0};
    std::string reason;
};

/// Whether the message is for the queue above.
bool isLeaseOrder(const Message& message);

/// Reads properties `BusbarLease`, `BusbarOrder` and those named above; numbers may come as text.
/// invalidArgument names the property and what was expected of it. The token is not looked into.
Result<LeaseOrder> readLeaseOrder(const Message& message);

}  // namespace busbar
