// The advisories of temporary destinations, which Java clients need to reply to them.
#include "adapters/openwire/connection.h"

namespace busbar::openwire {
namespace {

constexpr std::string_view kTempQueue = "ActiveMQ.Advisory.TempQueue";
constexpr std::string_view kTempTopic = "ActiveMQ.Advisory.TempTopic";
constexpr std::string_view kAll = "ActiveMQ.Advisory.>";

}  // namespace

/// Which advisories it listens to; those that are not offered say nothing.
bool Connection::readAdvisory(const Target& target, Consumer& consumer) const {
    for (const auto& source : target.destinations) {
        if (!isAdvisory(source)) continue;
        consumer.tellsQueues |= source.name == kTempQueue || source.name == kAll;
        consumer.tellsTopics |= source.name == kTempTopic || source.name == kAll;
    }
    return consumer.tellsQueues || consumer.tellsTopics;
}

void Connection::advise(const Destination& temporary, std::int8_t operation) {
    const bool topic = temporary.isTopic();
    DestinationInfo info;
    info.connectionId = connectionId_;
    info.destination = makeRef(toWire(temporary));
    info.operationType = operation;
    Structure told;
    told.value = std::move(info);
    const Ref<Structure> structure = makeRef(std::move(told));
    const auto advisory =
        makeRef(toWire(Destination::topic(std::string(topic ? kTempTopic : kTempQueue))));
    for (const auto& [key, consumer] : consumers_) {
        if (!(topic ? consumer->tellsTopics : consumer->tellsQueues)) continue;
        ProducerId producer;
        producer.connectionId = "ID:busbar-advisory";
        MessageId id;
        id.producerId = makeRef(std::move(producer));
        id.producerSequenceId = lastCommandId_ + 1;
        WireMessage message;
        message.producerId = id.producerId;
        message.messageId = makeRef(std::move(id));
        message.destination = advisory;
        message.jmsType = "Advisory";
        message.dataStructure = structure;
        message.priority = 0;
        MessageDispatch dispatch;
        dispatch.consumerId = consumer->wireId;
        dispatch.destination = advisory;
        dispatch.message = makeRef(std::move(message));
        write(std::move(dispatch));
    }
}

/// A client can know another's temporary destination only from a reply-to, so it is told just
/// before the first message that has it.
void Connection::adviseReplyTo(const Message& message) {
    if (!message.replyTo || !message.replyTo->isTemporary()) return;
    if (temporaries_.contains(*message.replyTo)) return;
    std::optional<Destination> forgotten;
    if (!known_.add(*message.replyTo, options_.temporariesKnownMax, forgotten)) return;
    if (forgotten) advise(*forgotten, DestinationInfo::kRemove);
    advise(*message.replyTo, DestinationInfo::kAdd);
}

}  // namespace busbar::openwire
