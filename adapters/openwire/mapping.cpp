#include "adapters/openwire/mapping.h"

#include "adapters/openwire/body_mapping.h"
#include "adapters/openwire/destinations.h"
#include "adapters/openwire/primitive.h"
#include "bus/core/lease_orders.h"
#include "bus/message/schedule_fields.h"

#include <algorithm>
#include <charconv>

namespace busbar::openwire {
namespace {

constexpr std::string_view kDelay = "AMQ_SCHEDULED_DELAY";
constexpr std::string_view kPeriod = "AMQ_SCHEDULED_PERIOD";
constexpr std::string_view kRepeat = "AMQ_SCHEDULED_REPEAT";
constexpr std::string_view kCron = "AMQ_SCHEDULED_CRON";
constexpr std::string_view kCronZone = "busbar_cronZone";
constexpr std::string_view kDedup = "_AMQ_DUPL_ID";
constexpr std::string_view kContentType = "JMS_AMQP_ContentType";
// A blob message is a message without a body that says where the client finds it.
constexpr std::string_view kBlobUrl = "busbar_blobUrl";
constexpr std::string_view kBlobType = "busbar_blobMimeType";
constexpr std::string_view kBlobDeleted = "busbar_blobDeletedByBroker";

template <class T>
bool readNumber(std::string_view text, T& number) {
    const auto end = text.data() + text.size();
    const auto [at, error] = std::from_chars(text.data(), end, number);
    return error == std::errc() && at == end;
}

/// Takes ":123" off the end, where it is written as Java writes it.
bool takeNumber(std::string_view& text, std::int64_t& number) {
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) return false;
    const auto digits = text.substr(colon + 1);
    if (!readNumber(digits, number) || std::to_string(number) != digits) return false;
    text = text.substr(0, colon);
    return true;
}

WallTime wallTime(std::int64_t ms) {
    return WallTime(Milliseconds(std::max<std::int64_t>(ms, 0)));
}
std::int64_t millis(WallTime time) {
    return time.time_since_epoch().count();
}

Text textOf(const std::string& text) {
    return text.empty() ? Text() : Text(text);
}

Result<std::int64_t> wholeNumber(std::string_view name, const Value& value) {
    std::int64_t number = 0;
    if (readNumber(busbar::toText(value), number)) return number;
    return {ErrorCode::invalidArgument, std::string(name) + " is not a whole number"};
}

Result<std::int64_t> numberWithin(std::string_view name, const Value& value, std::int64_t min,
                                  std::int64_t max) {
    auto number = wholeNumber(name, value);
    if (!number || (*number >= min && *number <= max)) return number;
    return {ErrorCode::invalidArgument, std::string(name) + " is not within " +
                                            std::to_string(min) + " and " + std::to_string(max)};
}

/// Properties of ActiveMQ's ScheduledMessage. True where `name` was one.
Result<bool> takeSchedule(std::string_view name, const Value& value, Message& to,
                          ScheduleFields& schedule, WallTime now) {
    Result<std::int64_t> number(0);
    if (name == kDelay) {
        number = numberWithin(name, value, 0, kPeriodMax);
        if (number && *number > 0) to.deliverAt = now + Milliseconds(*number);
    } else if (name == kPeriod) {
        number = numberWithin(name, value, 0, kPeriodMax);
        if (number) schedule.period = Milliseconds(*number);
    } else if (name == kRepeat) {
        number = numberWithin(name, value, kRepeatForever, kRepeatsMax);
        if (number) schedule.repeats = *number;
    } else if (name == kCron) {
        schedule.cron = busbar::toText(value);
    } else if (name == kCronZone) {
        schedule.zone = busbar::toText(value);
    } else {
        return false;
    }
    if (!number) return number.error();
    return true;
}

/// Properties that are not kept as such. True where `name` was one.
Result<bool> takeSpecial(std::string_view name, const Value& value, Message& to,
                         ScheduleFields& schedule, WallTime now) {
    if (name == kDedup) {
        to.dedupId = busbar::toText(value);
    } else if (name == kContentType) {
        to.contentType = busbar::toText(value);
    } else {
        return takeSchedule(name, value, to, schedule, now);
    }
    return true;
}

Result<void> readProperties(const WireMessage& from, Message& to, WallTime now,
                            const MappingLimits& limits) {
    if (!from.marshalledProperties || from.marshalledProperties->empty()) return {};
    auto map =
        readPrimitiveMap(from.marshalledProperties->view(), {limits.entriesMax, kBodyDepthMax});
    if (!map) return {map.error().code, "message properties: " + map.error().text};
    ScheduleFields schedule;
    for (auto& [name, value] : *map) {
        auto* scalar = std::get_if<Value>(&value.data);
        if (!scalar) {
            return {ErrorCode::unsupported,
                    "the property '" + name + "' is a list or map; a map message can hold it"};
        }
        const auto taken = takeSpecial(name, *scalar, to, schedule, now);
        if (!taken) return taken.error();
        if (!*taken) to.properties.append(std::move(name), std::move(*scalar));
    }
    schedule.apply(to, now);
    return {};
}

void readBlob(const WireMessage& from, Message& to) {
    to.properties.set(kBlobUrl, from.remoteBlobUrl.value_or(""));
    if (from.mimeType) to.properties.set(kBlobType, *from.mimeType);
    if (from.deletedByBroker) to.properties.set(kBlobDeleted, true);
}

void writeBlob(const Message& from, WireMessage& to) {
    const Value* url = from.properties.find(kBlobUrl);
    if (!url || from.bodyKind != BodyKind::none) return;
    to.kind = WireMessage::kBlob;
    to.remoteBlobUrl = busbar::toText(*url);
    if (const Value* type = from.properties.find(kBlobType)) to.mimeType = busbar::toText(*type);
    to.deletedByBroker = from.properties.find(kBlobDeleted) != nullptr;
}

bool isOurs(std::string_view property) {
    return property == kNullTextProperty || property == kBlobUrl || property == kBlobType ||
           property == kBlobDeleted;
}

Result<void> writeProperties(const Message& from, const DeliveryFacts& facts, WireMessage& to) {
    BodyMap map;
    for (const auto& [name, value] : from.properties) {
        if (!isOurs(name)) map.push_back({name, {value}});
    }
    const auto add = [&](std::string_view name, const std::string& value) {
        if (!value.empty()) map.push_back({std::string(name), {Value(value)}});
    };
    add(kDedup, from.dedupId);
    add(kContentType, from.contentType);
    const auto addNumber = [&](std::string_view name, std::int64_t value) {
        map.push_back({std::string(name), {Value(value)}});
    };
    if (facts.fencingToken != 0)
        addNumber(kFencingProperty, static_cast<std::int64_t>(facts.fencingToken));
    if (facts.lease) {
        add(kLeaseProperty, facts.lease->token);
        addNumber(kLeaseUntilProperty, millis(facts.lease->until));
    }
    if (map.empty()) return {};
    std::string bytes;
    if (const auto written = appendPrimitiveMap(bytes, map); !written) return written.error();
    to.marshalledProperties = Buffer::of(std::move(bytes));
    return {};
}

}  // namespace

std::string toText(const MessageId& id) {
    if (id.textView) return id.textView->starts_with("ID:") ? *id.textView : "ID:" + *id.textView;
    if (!id.producerId) return {};
    return id.producerId->connectionId.value_or("") + ":" +
           std::to_string(id.producerId->sessionId) + ":" + std::to_string(id.producerId->value) +
           ":" + std::to_string(id.producerSequenceId);
}

MessageId toMessageId(std::string_view text, StoredId stored) {
    MessageId id;
    id.brokerSequenceId = static_cast<std::int64_t>(stored.value);
    ProducerId producer;
    std::string_view rest = text;
    if (takeNumber(rest, id.producerSequenceId) && takeNumber(rest, producer.value) &&
        takeNumber(rest, producer.sessionId) && !rest.empty()) {
        producer.connectionId = std::string(rest);
        id.producerId = makeRef(std::move(producer));
        return id;
    }
    // The same producer for all ids that differ in a number at the end only: it is cached then.
    const auto last = text.find_last_not_of("0123456789");
    producer = {std::string(text.substr(0, last == std::string_view::npos ? 0 : last + 1)), 0, 0};
    id.textView = std::string(text);
    id.producerId = makeRef(std::move(producer));
    id.producerSequenceId = id.brokerSequenceId;
    return id;
}

MessageId toLeasedId(std::string_view text, StoredId stored, std::uint64_t fencingToken) {
    MessageId id;
    id.brokerSequenceId = static_cast<std::int64_t>(stored.value);
    id.producerId = makeRef(ProducerId{"busbar-lease", 0, 0});
    id.producerSequenceId = static_cast<std::int64_t>(fencingToken);
    id.textView = std::string(text);
    return id;
}

Result<std::shared_ptr<Message>> toBus(const WireMessage& from, const Destination& destination,
                                       WallTime now, const MappingLimits& limits) {
    auto to = std::make_shared<Message>();
    if (from.messageId) to->id = toText(*from.messageId);
    to->destination = destination;
    to->persistent = from.persistent;
    to->priority = static_cast<unsigned char>(std::clamp<int>(from.priority, 0, 9));
    to->timestamp = wallTime(from.timestamp);
    to->expiration = wallTime(from.expiration);
    to->correlationId = from.correlationId.value_or("");
    to->type = from.jmsType.value_or("");
    to->groupId = from.groupId.value_or("");
    to->groupSequence = from.groupSequence;
    if (from.replyTo) {
        auto replyTo = toDestination(*from.replyTo);
        if (!replyTo) return Error{replyTo.error().code, "JMSReplyTo: " + replyTo.error().text};
        to->replyTo = std::move(*replyTo);
    }
    if (const auto read = readProperties(from, *to, now, limits); !read) return read.error();
    if (const auto read = readContent(from, *to, limits); !read) return read.error();
    if (from.kind == WireMessage::kBlob) readBlob(from, *to);
    return to;
}

Result<std::shared_ptr<WireMessage>> toWire(const Message& from, const DeliveryFacts& facts) {
    auto to = std::make_shared<WireMessage>();
    MessageId id = facts.lease ? toLeasedId(from.id, facts.stored, facts.fencingToken)
                               : toMessageId(from.id, facts.stored);
    to->producerId = id.producerId;
    to->messageId = makeRef(std::move(id));
    to->destination = makeRef(toWire(from.destination));
    to->persistent = from.persistent;
    to->priority = static_cast<std::int8_t>(from.priority);
    to->timestamp = millis(from.timestamp);
    to->expiration = millis(from.expiration);
    to->correlationId = textOf(from.correlationId);
    to->jmsType = textOf(from.type);
    to->groupId = textOf(from.groupId);
    to->groupSequence = from.groupSequence;
    to->userId = textOf(from.userId);
    if (from.replyTo) to->replyTo = makeRef(toWire(*from.replyTo));
    to->redeliveryCounter = static_cast<std::int32_t>(facts.count > 0 ? facts.count - 1 : 0);
    to->groupFirstForConsumer = facts.firstOfGroup;
    if (const auto written = writeContent(from, *to); !written) return written.error();
    writeBlob(from, *to);
    if (const auto written = writeProperties(from, facts, *to); !written) return written.error();
    return to;
}

}  // namespace busbar::openwire
