// Addresses of nodes and the bus's destinations.
#pragma once

#include "bus/message/destination.h"

#include <optional>
#include <string>
#include <string_view>

namespace busbar::amqp {

/// "queue://N", "topic://N", "temp-queue://N", "temp-topic://N", the same as "/queue/N" and so on;
/// else `kind` decides, which is what a capability or an annotation says, or the listener's
/// default. invalidArgument for a name that is none.
Result<Destination> toDestination(std::string_view address, DestinationKind kind);

/// Queues by their name alone, the others as URIs: what toDestination reads back where the default
/// is a queue.
std::string toAddress(const Destination& destination);

/// The capability "queue", "topic", "temporary-queue", "temporary-topic", as JMS clients name the
/// kind of a node.
std::string_view capabilityOf(DestinationKind kind);
std::optional<DestinationKind> kindOfCapability(std::string_view capability);

}  // namespace busbar::amqp
