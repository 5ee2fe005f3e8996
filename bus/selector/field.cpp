#include "bus/selector/field.h"

#include <algorithm>
#include <iterator>

namespace busbar::selector {
namespace {

struct Header {
    std::string_view name;
    Source source;
};
constexpr Header kHeaders[] = {
    {"JMSCorrelationID", Source::correlationId},
    {"JMSDeliveryMode", Source::deliveryMode},
    {"JMSDeliveryTime", Source::deliveryTime},
    {"JMSExpiration", Source::expiration},
    {"JMSMessageID", Source::messageId},
    {"JMSPriority", Source::priority},
    {"JMSTimestamp", Source::timestamp},
    {"JMSType", Source::type},
    {"JMSXGroupID", Source::groupId},
    {"JMSXGroupSeq", Source::groupSequence},
    {"JMSXUserID", Source::userId},
};
constexpr std::string_view kOfDeliveries[] = {"JMSRedelivered", "JMSXDeliveryCount",
                                              "JMSXRcvTimestamp", "JMSXState"};
constexpr std::string_view kOfDestinations[] = {"JMSDestination", "JMSReplyTo"};

template <class Range>
bool contains(const Range& names, std::string_view name) {
    return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

Operand textOrNull(std::string_view text) {
    return text.empty() ? Operand::null() : Operand::of(text);
}

Operand milliseconds(WallTime time) {
    return Operand::of(static_cast<std::int64_t>(
        std::chrono::duration_cast<Milliseconds>(time.time_since_epoch()).count()));
}

}  // namespace

Source sourceOf(std::string_view name) {
    if (!name.starts_with("JMS")) return Source::property;
    const auto at = std::find_if(std::begin(kHeaders), std::end(kHeaders),
                                 [&](const Header& header) { return header.name == name; });
    return at == std::end(kHeaders) ? Source::property : at->source;
}

std::string_view objectionTo(std::string_view name) {
    if (!name.starts_with("JMS") || sourceOf(name) != Source::property) return {};
    if (contains(kOfDeliveries, name))
        return "known only of a delivery, selectors choose before there is one";
    if (contains(kOfDestinations, name)) return "a destination, which selectors cannot use";
    if (name.starts_with("JMSX") || name.starts_with("JMS_")) return {};
    return "no header that selectors know: JMSCorrelationID, JMSDeliveryMode, JMSDeliveryTime, "
           "JMSExpiration, JMSMessageID, JMSPriority, JMSTimestamp, JMSType, JMSXGroupID, "
           "JMSXGroupSeq or JMSXUserID";
}

Operand readProperty(const Message& message, std::string_view name) {
    const Value* value = message.properties.find(name);
    return value ? Operand::of(*value) : Operand::null();
}

Operand readHeader(const Message& message, Source source) {
    switch (source) {
        case Source::property:
            break;
        case Source::correlationId:
            return textOrNull(message.correlationId);
        case Source::deliveryMode:
            return Operand::of(
                std::string_view(message.persistent ? "PERSISTENT" : "NON_PERSISTENT"));
        case Source::deliveryTime:
            return milliseconds(message.deliverAt == WallTime{} ? message.timestamp
                                                                : message.deliverAt);
        case Source::expiration:
            return milliseconds(message.expiration);
        case Source::groupId:
            return textOrNull(message.groupId);
        case Source::groupSequence:
            if (message.groupId.empty()) return Operand::null();
            return Operand::of(static_cast<std::int64_t>(message.groupSequence));
        case Source::messageId:
            return textOrNull(message.id);
        case Source::priority:
            return Operand::of(static_cast<std::int64_t>(message.priority));
        case Source::timestamp:
            return milliseconds(message.timestamp);
        case Source::type:
            return textOrNull(message.type);
        case Source::userId:
            return textOrNull(message.userId);
    }
    return Operand::null();
}

Operand Field::read(const Message& message) const {
    return source == Source::property ? readProperty(message, name) : readHeader(message, source);
}

}  // namespace busbar::selector
