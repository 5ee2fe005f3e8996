// Destinations as ActiveMQ writes them: a type, a name that may stand for several, and options.
#pragma once

#include "adapters/openwire/command.h"
#include "bus/base/result.h"
#include "bus/message/destination.h"

#include <utility>
#include <vector>

namespace busbar::openwire {

/// What one name on the wire says. "a,topic://b?consumer.exclusive=true" on a queue is queue a and
/// topic b, with one option. ActiveMQ's Java client takes the options off itself; others may not.
struct Target {
    std::vector<Destination> destinations;  ///< one or more, none twice
    std::vector<std::pair<std::string, std::string>> options;
};

/// At most this many destinations in one name.
inline constexpr std::size_t kCompositeMax = 64;

/// invalidArgument: no name, a bad name; malformed: a bad escape in the options; tooLarge: too many
/// destinations.
Result<Target> toTarget(const WireDestination& destination);
/// The same where only one will do (reply-to, consumers of queues): invalidArgument for more.
Result<Destination> toDestination(const WireDestination& destination);

WireDestination toWire(const Destination& destination);

/// Applies the options that begin with "consumer." to the consumer, as the Java client does itself:
/// prefetchSize, exclusive, priority, selector, noLocal, retroactive, dispatchAsync,
/// maximumPendingMessageLimit, browser. invalidArgument names an option that is unknown or whose
/// value does not fit. Others ("producer.") are left alone.
Result<void> applyConsumerOptions(const Target& target, ConsumerInfo& consumer);

/// True for ActiveMQ.Advisory.…: topics whose messages the adapter makes itself.
/// Where ActiveMQ's clients send what they ask of its scheduler
/// (ScheduledMessage.AMQ_SCHEDULER_MANAGEMENT_DESTINATION).
inline bool isSchedulerManagement(const Destination& destination) {
    return destination.isTopic() && destination.name == "ActiveMQ.Scheduler.Management";
}

bool isAdvisory(const Destination& destination);

}  // namespace busbar::openwire
