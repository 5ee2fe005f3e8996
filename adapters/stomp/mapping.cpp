#include "adapters/stomp/mapping.h"

#include "adapters/stomp/map_xml.h"
#include "bus/base/id_list.h"
#include "bus/base/utf8.h"
#include "bus/message/json.h"
#include "bus/message/json_reader.h"
#include "bus/message/schedule_fields.h"
#include "bus/message/value_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <vector>

namespace busbar::stomp {
namespace {

/// 9999-12-31: later ones would not fit the clock everywhere.
constexpr std::uint64_t kTimeMax = 253'402'300'799'999;
constexpr std::uint64_t kDelayMax = 10ull * 365 * 24 * 3600 * 1000;
constexpr std::size_t kTextMax = 65'535;  // what the message codec keeps of one string

struct Prefix {
    std::string_view text;
    DestinationKind kind;
};
constexpr Prefix kPrefixes[] = {{"/queue/", DestinationKind::queue},
                                {"/topic/", DestinationKind::topic},
                                {"/temp-queue/", DestinationKind::temporaryQueue},
                                {"/temp-topic/", DestinationKind::temporaryTopic}};

std::string_view prefixOf(DestinationKind kind) {
    for (const Prefix& prefix : kPrefixes) {
        if (prefix.kind == kind) return prefix.text;
    }
    return {};
}

std::string localName(const Destination& destination, const TemporaryNames& names) {
    return destination.isTemporary() ? names.toLocal(destination) : destination.name;
}

template <class Number>
void appendNumber(std::string& out, std::string_view header, Number number) {
    char digits[24];
    const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
    out.append(header).append(":").append(digits, end).append("\n");
}

/// What readers may need beside the value.
struct In {
    TemporaryNames& names;
    WallTime now;
    ScheduleFields& schedule;
};

struct Out {
    std::string& bytes;
    Version version;
    const TemporaryNames& names;

    void text(std::string_view header, std::string_view value) const {
        if (value.empty()) return;
        bytes.append(header).append(":");
        appendValue(bytes, value, version);
        bytes += '\n';
    }
    void destination(std::string_view header, const Destination& value) const {
        bytes.append(header).append(":").append(prefixOf(value.kind));
        appendValue(bytes, localName(value, names), version);
        bytes += '\n';
    }
};

using Read = Result<void> (*)(Message&, std::string_view, const In&);
using Write = void (*)(const Message&, std::string_view header, const Out&);

/// read: header of SEND -> message; nullptr: the header is the frame's own or the bus's to set, and
/// is not kept. write: message -> header of MESSAGE; nullptr: written elsewhere or not at all.
struct Row {
    std::string_view header;
    Read read;
    Write write;
};

Result<void> keep(std::string& field, std::string_view value) {
    field.assign(value);
    return {};
}

Result<void> readDelay(Message& m, std::string_view header, std::string_view value, WallTime now) {
    auto number = toNumber(header, value, kDelayMax);
    if (!number) return number.error();
    if (*number > 0) m.deliverAt = now + Milliseconds(static_cast<std::int64_t>(*number));
    return {};
}

Result<void> readTime(Message& m, std::string_view header, std::string_view value) {
    auto number = toNumber(header, value, kTimeMax);
    if (!number) return number.error();
    m.deliverAt = WallTime(Milliseconds(static_cast<std::int64_t>(*number)));
    return {};
}

const Row kRows[] = {
    {"destination",
     [](Message& m, std::string_view value, const In& in) -> Result<void> {
         auto destination = toDestination(value, in.names);
         if (!destination) return destination.error();
         m.destination = std::move(*destination);
         return {};
     },
     [](const Message& m, std::string_view h, const Out& out) {
         out.destination(h, m.destination);
     }},
    {"message-id", nullptr,
     [](const Message& m, std::string_view h, const Out& out) { out.text(h, m.id); }},
    {"timestamp", nullptr,
     [](const Message& m, std::string_view h, const Out& out) {
         appendNumber(out.bytes, h, m.timestamp.time_since_epoch().count());
     }},
    {"persistent",
     [](Message& m, std::string_view value, const In&) -> Result<void> {
         m.persistent = value == "true";
         return {};
     },
     [](const Message& m, std::string_view h, const Out& out) {
         if (m.persistent) out.text(h, "true");
     }},
    {"priority",
     [](Message& m, std::string_view value, const In&) -> Result<void> {
         auto number = toNumber("priority", value, 9);
         if (!number) return number.error();
         m.priority = static_cast<unsigned char>(*number);
         return {};
     },
     [](const Message& m, std::string_view h, const Out& out) {
         appendNumber(out.bytes, h, m.priority + 0);
     }},
    {"expires",
     [](Message& m, std::string_view value, const In&) -> Result<void> {
         auto number = toNumber("expires", value, kTimeMax);
         if (!number) return number.error();
         m.expiration = WallTime(Milliseconds(static_cast<std::int64_t>(*number)));
         return {};
     },
     [](const Message& m, std::string_view h, const Out& out) {
         appendNumber(out.bytes, h, m.expiration.time_since_epoch().count());
     }},
    {"deliver-at",
     [](Message& m, std::string_view value, const In&) { return readTime(m, "deliver-at", value); },
     [](const Message& m, std::string_view h, const Out& out) {
         if (m.deliverAt != WallTime{})
             appendNumber(out.bytes, h, m.deliverAt.time_since_epoch().count());
     }},
    {"AMQ_SCHEDULED_TIME",
     [](Message& m, std::string_view value, const In&) {
         return readTime(m, "AMQ_SCHEDULED_TIME", value);
     },
     nullptr},
    {"AMQ_SCHEDULED_DELAY",
     [](Message& m, std::string_view value, const In& in) {
         return readDelay(m, "AMQ_SCHEDULED_DELAY", value, in.now);
     },
     nullptr},
    {"x-delay",
     [](Message& m, std::string_view value, const In& in) {
         return readDelay(m, "x-delay", value, in.now);
     },
     nullptr},
    {"AMQ_SCHEDULED_PERIOD",
     [](Message&, std::string_view value, const In& in) -> Result<void> {
         auto number = toSigned("AMQ_SCHEDULED_PERIOD", value, 0, kPeriodMax);
         if (!number) return number.error();
         in.schedule.period = Milliseconds(*number);
         return {};
     },
     nullptr},
    {"AMQ_SCHEDULED_REPEAT",
     [](Message&, std::string_view value, const In& in) -> Result<void> {
         auto number = toSigned("AMQ_SCHEDULED_REPEAT", value, kRepeatForever, kRepeatsMax);
         if (!number) return number.error();
         in.schedule.repeats = *number;
         return {};
     },
     nullptr},
    {"AMQ_SCHEDULED_CRON",
     [](Message&, std::string_view value, const In& in) { return keep(in.schedule.cron, value); },
     nullptr},
    {"busbar-cron-zone",
     [](Message&, std::string_view value, const In& in) { return keep(in.schedule.zone, value); },
     nullptr},
    {"correlation-id",
     [](Message& m, std::string_view value, const In&) { return keep(m.correlationId, value); },
     [](const Message& m, std::string_view h, const Out& out) { out.text(h, m.correlationId); }},
    {"reply-to",
     [](Message& m, std::string_view value, const In& in) -> Result<void> {
         auto destination = toDestination(value, in.names);
         if (!destination) return destination.error();
         m.replyTo = std::move(*destination);
         return {};
     },
     [](const Message& m, std::string_view h, const Out& out) {
         if (m.replyTo) out.destination(h, *m.replyTo);
     }},
    {"type", [](Message& m, std::string_view value, const In&) { return keep(m.type, value); },
     [](const Message& m, std::string_view h, const Out& out) { out.text(h, m.type); }},
    {"content-type",
     [](Message& m, std::string_view value, const In&) { return keep(m.contentType, value); },
     [](const Message& m, std::string_view h, const Out& out) { out.text(h, m.contentType); }},
    {"JMSXGroupID",
     [](Message& m, std::string_view value, const In&) { return keep(m.groupId, value); },
     [](const Message& m, std::string_view h, const Out& out) { out.text(h, m.groupId); }},
    {"JMSXGroupSeq",
     [](Message& m, std::string_view value, const In&) -> Result<void> {
         // -1 closes the group.
         auto number = toSigned("JMSXGroupSeq", value, std::numeric_limits<std::int32_t>::min(),
                                std::numeric_limits<std::int32_t>::max());
         if (!number) return number.error();
         m.groupSequence = static_cast<std::int32_t>(*number);
         return {};
     },
     [](const Message& m, std::string_view h, const Out& out) {
         if (m.groupSequence != 0) appendNumber(out.bytes, h, m.groupSequence);
     }},
    {"dedup-id",
     [](Message& m, std::string_view value, const In&) { return keep(m.dedupId, value); },
     [](const Message& m, std::string_view h, const Out& out) { out.text(h, m.dedupId); }},
    {"JMSXUserID", nullptr,
     [](const Message& m, std::string_view h, const Out& out) { out.text(h, m.userId); }},
    // The frame's own; and what a relayed MESSAGE still carries.
    {"content-length", nullptr, nullptr},
    {"receipt", nullptr, nullptr},
    {"transaction", nullptr, nullptr},
    {"subscription", nullptr, nullptr},
    {"ack", nullptr, nullptr},
    {"redelivered", nullptr, nullptr},
    {"JMSXDeliveryCount", nullptr, nullptr},
    {"browser", nullptr, nullptr},
    {"JMSXGroupFirstForConsumer", nullptr, nullptr},
    {"busbar-body", nullptr, nullptr},   // setBody
    {"busbar-types", nullptr, nullptr},  // behind all properties
    {"busbar-producer", nullptr, nullptr},
    {"busbar-sequence", nullptr, nullptr},
    {"busbar-stored", nullptr, nullptr},
    {"busbar-fencing-token", nullptr, nullptr},
};

/// Most of a SEND's headers are the application's own, which match none: the rows are looked up by
/// the length of their name first.
class RowsByLength {
  public:
    RowsByLength() {
        for (const Row& row : kRows) rows_[row.header.size() % rows_.size()].push_back(&row);
    }
    const Row* find(std::string_view header) const {
        for (const Row* row : rows_[header.size() % rows_.size()]) {
            if (row->header == header) return row;
        }
        return nullptr;
    }

  private:
    std::array<std::vector<const Row*>, 32> rows_;
};

const Row* findRow(std::string_view header) {
    static const RowsByLength kIndex;
    return kIndex.find(header);
}

/// What a MESSAGE may have, in the order of the rows.
const std::vector<const Row*>& writtenRows() {
    static const auto kWritten = [] {
        std::vector<const Row*> rows;
        for (const Row& row : kRows) {
            if (row.write) rows.push_back(&row);
        }
        return rows;
    }();
    return kWritten;
}

/// Text as ActiveMQ's clients have it: no content-length, or a content-type that says so.
bool saysText(const Message& message, bool hasLength) {
    const std::string& type = message.contentType;
    if (type.empty()) return !hasLength;
    return type.starts_with("text/") || type.starts_with("application/json") ||
           type.starts_with("application/xml") || type.find("+xml") != std::string::npos ||
           type.find("+json") != std::string::npos;
}

std::string_view bodyKindName(BodyKind kind) {
    switch (kind) {
        case BodyKind::map:
            return "map";
        case BodyKind::stream:
            return "stream";
        case BodyKind::object:
            return "object";
        case BodyKind::amqp:
            return "amqp";
        case BodyKind::none:
        case BodyKind::text:
        case BodyKind::bytes:
            break;
    }
    return {};
}

using Transform = Result<std::string> (*)(std::string_view body);

Result<std::string> mapOfJson(std::string_view body) {
    return bodyFromJson(BodyKind::map, body);
}
Result<std::string> streamOfJson(std::string_view body) {
    return bodyFromJson(BodyKind::stream, body);
}

/// How the body of a map or stream is written, where the frame says that it is one. Others of
/// ActiveMQ's transformations are for objects and advisories: a property like any.
Transform transformOf(const Frame& frame, BodyKind& kind) {
    const auto body = frame.get("busbar-body");
    const auto transformation = frame.get("transformation");
    kind = body == "stream" ? BodyKind::stream : BodyKind::map;
    if (body == "map") return mapOfJson;
    if (body == "stream") return streamOfJson;
    if (transformation == "jms-map-json") return mapBodyFromMapJson;
    if (transformation == "jms-map-xml") return mapBodyFromXml;
    return nullptr;
}

Result<void> setBody(Message& message, Frame& frame) {
    const auto named = frame.get("busbar-body");
    BodyKind kind = BodyKind::bytes;
    if (const Transform transform = transformOf(frame, kind)) {
        if (frame.streamed) {
            return {ErrorCode::tooLarge,
                    "the body of a map or stream is longer than what is taken in memory"};
        }
        auto body = transform(frame.body);
        if (!body) {
            return {body.error().code,
                    (kind == BodyKind::map ? "a map as the body: " : "a stream as the body: ") +
                        body.error().text};
        }
        message.bodyKind = kind;
        message.body = Buffer::of(std::move(*body));
        message.contentType.clear();  // it was that of the text
        message.properties.erase("transformation");
        return {};
    }
    if (named == "object") {
        message.bodyKind = BodyKind::object;
    } else if (!named.empty() && named != "amqp") {  // amqp: seen by a relay; bytes from anybody
        return {ErrorCode::invalidArgument, "header 'busbar-body' is '" +
                                                std::string(named.substr(0, 40)) +
                                                "': map, stream or object is expected"};
    } else {
        // Nobody looks whether a body in parts is UTF-8.
        const bool text =
            !frame.streamed && saysText(message, frame.hasLength) && isUtf8(frame.body);
        message.bodyKind = text ? BodyKind::text : BodyKind::bytes;
    }
    message.body = frame.takeBody();
    return {};
}

}  // namespace

Result<std::uint64_t> toNumber(std::string_view header, std::string_view text, std::uint64_t max) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size() || number > max) {
        return {ErrorCode::invalidArgument,
                "header '" + std::string(header) + "' is '" + std::string(text.substr(0, 60)) +
                    "': a whole number from 0 to " + std::to_string(max) + " is expected"};
    }
    return number;
}

Result<std::int64_t> toSigned(std::string_view header, std::string_view text, std::int64_t min,
                              std::int64_t max) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size() || number < min || number > max) {
        return {ErrorCode::invalidArgument, "header '" + std::string(header) + "' is '" +
                                                std::string(text.substr(0, 60)) +
                                                "': a whole number from " + std::to_string(min) +
                                                " to " + std::to_string(max) + " is expected"};
    }
    return number;
}

Result<bool> toBoolean(std::string_view header, std::string_view text) {
    if (text == "true") return true;
    if (text == "false") return false;
    return {ErrorCode::invalidArgument, "header '" + std::string(header) + "' is '" +
                                            std::string(text.substr(0, 60)) +
                                            "': true or false is expected"};
}

Result<std::vector<StoredId>> toStoredIds(std::string_view header, std::string_view text,
                                          std::size_t countMax) {
    auto ids = parseIdList(text, countMax);
    if (!ids)
        return {ids.error().code, "header '" + std::string(header) + "': " + ids.error().text};
    return ids;
}

const std::string_view* findSpelling(const Frame& frame,
                                     std::initializer_list<std::string_view> names) {
    for (const std::string_view name : names) {
        if (const auto* value = frame.find(name)) return value;
    }
    return nullptr;
}

Result<Destination> toDestination(std::string_view wire, TemporaryNames& names) {
    for (const Prefix& prefix : kPrefixes) {
        if (!wire.starts_with(prefix.text)) continue;
        const auto name = wire.substr(prefix.text.size());
        if (auto checked = checkDestinationName(name); !checked) return checked.error();
        Destination destination{prefix.kind, std::string(name)};
        if (!destination.isTemporary()) return destination;
        auto busName = names.toBus(prefix.kind, name);
        if (!busName) return busName.error();
        destination.name = std::move(*busName);
        return destination;
    }
    return {ErrorCode::invalidArgument,
            "destination '" + std::string(wire.substr(0, 100)) +
                "': /queue/NAME, /topic/NAME, /temp-queue/NAME or /temp-topic/NAME is expected"};
}

void appendDestination(std::string& out, const Destination& destination,
                       const TemporaryNames& names) {
    out.append(prefixOf(destination.kind)).append(localName(destination, names));
}

Result<std::shared_ptr<Message>> toMessage(Frame& frame, TemporaryNames& names, WallTime now) {
    if (!frame.find("destination")) {
        return {ErrorCode::invalidArgument, "SEND without a 'destination' header"};
    }
    auto message = std::make_shared<Message>();
    message->persistent = false;
    ScheduleFields schedule;
    const In in{names, now, schedule};
    for (std::size_t i = 0; i < frame.headers.size(); ++i) {
        const auto [header, value] = frame.headers[i];
        if (value.size() > kTextMax || header.size() > kTextMax) {
            return {ErrorCode::tooLarge,
                    "a header of SEND is longer than " + std::to_string(kTextMax) + " bytes"};
        }
        if (frame.find(header) != &frame.headers[i].value) continue;  // the first of a name counts
        const Row* row = findRow(header);
        if (!row) {
            if (header.empty()) return {ErrorCode::malformed, "SEND has a header without a name"};
            message->properties.append(std::string(header), std::string(value));
        } else if (row->read) {
            if (auto read = row->read(*message, value, in); !read) return read.error();
        }
    }
    schedule.apply(*message, now);
    if (const auto* types = frame.find("busbar-types")) {
        if (auto applied = applyTypes(*types, message->properties); !applied)
            return {applied.error().code, "header 'busbar-types': " + applied.error().text};
    }
    if (auto set = setBody(*message, frame); !set) return set.error();
    return message;
}

void appendMessageHeaders(std::string& out, const Message& message, Version version,
                          const TemporaryNames& names) {
    const Out to{out, version, names};
    for (const Row* row : writtenRows()) row->write(message, row->header, to);
    if (const auto kind = bodyKindName(message.bodyKind); !kind.empty())
        to.text("busbar-body", kind);
    // Before the properties: of repeated headers the first counts, so none of them can change the
    // framing.
    appendNumber(out, "content-length", bodySize(message));
    if (const auto types = typesOf(message.properties); !types.empty())
        to.text("busbar-types", types);
    for (const auto& [name, value] : message.properties) {
        if (const auto* text = std::get_if<std::string>(&value))
            appendHeader(out, name, *text, version);
        else
            appendHeader(out, name, toText(value), version);
    }
}

std::optional<Message> inJson(const Message& message) {
    const bool structured =
        message.bodyKind == BodyKind::map || message.bodyKind == BodyKind::stream;
    if (!structured || message.large) return std::nullopt;
    auto json = jsonBody(message);
    if (!json) return std::nullopt;  // damaged: its bytes are all that there is to show
    Message out = message;
    out.body = Buffer::of(std::move(*json));
    out.contentType = "application/json";
    return out;
}

}  // namespace busbar::stomp
