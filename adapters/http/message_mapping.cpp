#include "adapters/http/message_mapping.h"

#include "adapters/http/parameters.h"
#include "bus/base/base64.h"
#include "bus/message/json.h"
#include "bus/message/json_reader.h"
#include "bus/message/schedule_fields.h"
#include "bus/message/value_text.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace busbar::http {
namespace {

constexpr std::string_view kPropertyPrefix = "x-property-";
/// What AMQP and OpenWire say with this property: a text message whose text is null, not "".
constexpr std::string_view kNullText = "busbar_nullText";
constexpr Milliseconds kExpiresMax{std::int64_t{10} * 365 * 24 * 3600 * 1000};

std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return out;
}

using Setter = Result<void> (*)(Message&, std::string_view value, WallTime now);

Result<void> setPriority(Message& message, std::string_view value, WallTime) {
    const auto number = numberOf("X-Priority", value, 4, 0, 9);
    if (!number) return number.error();
    message.priority = static_cast<unsigned char>(*number);
    return {};
}

Result<void> setPersistent(Message& message, std::string_view value, WallTime) {
    const auto flag = booleanOf("X-Persistent", value, true);
    if (!flag) return flag.error();
    message.persistent = *flag;
    return {};
}

Result<void> setExpires(Message& message, std::string_view value, WallTime now) {
    const auto ms =
        numberOf("X-Expires-Ms", value, 0, 0, static_cast<std::uint64_t>(kExpiresMax.count()));
    if (!ms) return ms.error();
    if (*ms > 0) message.expiration = now + Milliseconds(*ms);
    return {};
}

/// X-Deliver-At: ms since 1970.
Result<void> setDeliverAt(Message& message, std::string_view value, WallTime) {
    const auto ms = numberOf("X-Deliver-At", value, 0, 0, 253'402'300'799'999);
    if (!ms) return ms.error();
    message.deliverAt = WallTime(Milliseconds(*ms));
    return {};
}

Result<void> setDelay(Message& message, std::string_view value, WallTime now) {
    const auto ms =
        numberOf("X-Delay-Ms", value, 0, 0, static_cast<std::uint64_t>(kExpiresMax.count()));
    if (!ms) return ms.error();
    if (*ms > 0) message.deliverAt = now + Milliseconds(*ms);
    return {};
}

Result<void> setGroupSequence(Message& message, std::string_view value, WallTime) {
    if (value == "-1") return message.groupSequence = -1, Result<void>();
    const auto number = numberOf("X-Group-Seq", value, 0, 0, 0x7FFF'FFFF);
    if (!number) return number.error();
    message.groupSequence = static_cast<std::int32_t>(*number);
    return {};
}

Result<void> setReplyTo(Message& message, std::string_view value, WallTime) {
    auto destination = destinationOf("X-Reply-To", value);
    if (!destination) return destination.error();
    message.replyTo = std::move(*destination);
    return {};
}

/// X-Cron and what belongs to it. True where the header is one of them.
Result<bool> setSchedule(ScheduleFields& schedule, std::string_view key, const std::string& value) {
    if (key == "x-cron") {
        schedule.cron = value;
    } else if (key == "x-cron-zone") {
        schedule.zone = value;
    } else if (key == "x-period-ms") {
        const auto ms =
            numberOf("X-Period-Ms", value, 0, 1, static_cast<std::uint64_t>(kPeriodMax));
        if (!ms) return ms.error();
        schedule.period = Milliseconds(*ms);
    } else if (key == "x-repeat") {
        const auto times =
            numberOf("X-Repeat", value, 0, 0, static_cast<std::uint64_t>(kRepeatsMax));
        if (!times) return times.error();
        schedule.repeats = static_cast<std::int64_t>(*times);
    } else {
        return false;
    }
    return true;
}

struct HeaderRow {
    std::string_view header;  ///< lower case
    Setter set;
};

/// docs/http-messages.md, "Headers", lists the same rows.
constexpr std::array<HeaderRow, 12> kHeaders{{
    {"x-priority", setPriority},
    {"x-persistent", setPersistent},
    {"x-expires-ms", setExpires},
    {"x-reply-to", setReplyTo},
    {"x-deliver-at", setDeliverAt},
    {"x-delay-ms", setDelay},
    {"x-group-seq", setGroupSequence},
    {"x-correlation-id",
     [](Message& m, std::string_view v, WallTime) { return m.correlationId = v, Result<void>(); }},
    {"x-message-type",
     [](Message& m, std::string_view v, WallTime) { return m.type = v, Result<void>(); }},
    {"x-group-id",
     [](Message& m, std::string_view v, WallTime) { return m.groupId = v, Result<void>(); }},
    {"idempotency-key",
     [](Message& m, std::string_view v, WallTime) { return m.dedupId = v, Result<void>(); }},
    {"content-type",
     [](Message& m, std::string_view v, WallTime) { return m.contentType = v, Result<void>(); }},
}};

/// JMS 2.0, section 3.8.1.1: names are identifiers.
bool isPropertyName(std::string_view name) {
    if (name.empty() || std::isdigit(static_cast<unsigned char>(name.front()))) return false;
    return std::all_of(name.begin(), name.end(), [](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '$' || c == '-' ||
               c == '.';
    });
}

Result<void> apply(Message& message, ScheduleFields& schedule, const std::string& header,
                   const std::string& value, WallTime now) {
    const auto key = lower(header);
    if (value.size() > 65'535 || !isUtf8(value)) {
        return {ErrorCode::invalidArgument, header + ": the value is too long or not UTF-8"};
    }
    for (const auto& row : kHeaders) {
        if (row.header == key) return row.set(message, value, now);
    }
    const auto taken = setSchedule(schedule, key, value);
    if (!taken) return taken.error();
    if (*taken) return {};
    if (!key.starts_with(kPropertyPrefix)) return {};
    const auto name = std::string_view(header).substr(kPropertyPrefix.size());
    if (!isPropertyName(name)) {
        return {ErrorCode::invalidArgument,
                header + ": what follows X-Property- must be a property name"};
    }
    message.properties.set(name, value);
    return {};
}

/// By the Content-Type.
Result<void> setPlainBody(Message& message, const Buffer& body) {
    message.body = body;
    if (!isTextType(message.contentType)) {
        message.bodyKind = BodyKind::bytes;
        return {};
    }
    const auto type = lower(message.contentType);
    const auto at = type.find("charset=");
    const auto charset = at == type.npos ? std::string{} : type.substr(at + 8);
    const bool utf8 = charset.empty() || charset.starts_with("utf-8") ||
                      charset.starts_with("\"utf-8") || charset.starts_with("us-ascii");
    message.bodyKind = utf8 ? BodyKind::text : BodyKind::bytes;
    if (utf8 && !isUtf8(body.view())) {
        return {ErrorCode::malformed,
                "the body is not UTF-8, as its Content-Type says: name its charset, or send "
                "application/octet-stream"};
    }
    return {};
}

/// X-Body-Kind: what a message that is received calls its `bodyKind`.
Result<void> setBodyOfKind(Message& message, std::string_view kind, const Buffer& body) {
    if (kind == "text" && !isUtf8(body.view()))
        return {ErrorCode::malformed, "X-Body-Kind: the body of a text is UTF-8"};
    if (kind == "none" && !body.empty())
        return {ErrorCode::invalidArgument, "X-Body-Kind is none, but there is a body"};
    message.body = body;
    if (kind == "none" || kind == "text" || kind == "bytes" || kind == "object") {
        message.bodyKind = kind == "none"    ? BodyKind::none
                           : kind == "text"  ? BodyKind::text
                           : kind == "bytes" ? BodyKind::bytes
                                             : BodyKind::object;
        return {};
    }
    if (kind != "map" && kind != "stream") {
        return {ErrorCode::invalidArgument, "X-Body-Kind is '" + std::string(kind.substr(0, 40)) +
                                                "': none, text, bytes, map, stream or object is "
                                                "expected"};
    }
    message.bodyKind = kind == "map" ? BodyKind::map : BodyKind::stream;
    auto encoded = bodyFromJson(message.bodyKind, body.view());
    if (!encoded)
        return {encoded.error().code,
                "X-Body-Kind: " + std::string(kind) + ": " + encoded.error().text};
    message.body = Buffer::of(std::move(*encoded));
    message.contentType.clear();  // it was that of the JSON
    return {};
}

Result<void> setLargeBody(Message& message, std::string_view kind, const LargeBodyPtr& large) {
    if (!kind.empty() && kind != "bytes" && kind != "object") {
        return {ErrorCode::tooLarge, "X-Body-Kind: a body of " + std::to_string(large->size) +
                                         " bytes can be of bytes or of an object alone"};
    }
    message.large = large;
    // Nobody has looked whether it is UTF-8.
    message.bodyKind = kind == "object" ? BodyKind::object : BodyKind::bytes;
    return {};
}

Result<void> setBody(Message& message, const Request& request) {
    const auto kind = request.header("x-body-kind");
    if (request.large) return setLargeBody(message, kind, request.large);
    return kind.empty() ? setPlainBody(message, request.body)
                        : setBodyOfKind(message, kind, request.body);
}

/// X-Types, behind all properties.
Result<void> setTypes(Message& message, const Request& request) {
    const auto types = request.header("x-types");
    if (types.empty()) return {};
    auto applied = applyTypes(types, message.properties);
    if (!applied) return {applied.error().code, "X-Types: " + applied.error().text};
    return {};
}

void writeProperties(JsonWriter& json, const Properties& properties) {
    json.key("properties").beginObject();
    for (const auto& [name, value] : properties) {
        if (!isUtf8(name) || name == kNullText) continue;
        std::string text;
        appendJson(text, value);
        json.key(name).raw(text);
    }
    json.endObject();
}

std::string_view kindName(BodyKind kind) {
    static constexpr std::array<std::string_view, 7> kNames{"none",   "text",   "bytes", "map",
                                                            "stream", "object", "amqp"};
    return kNames[static_cast<std::size_t>(kind)];
}

/// False where a map or stream cannot be read.
bool writeAsJson(JsonWriter& json, const Message& message) {
    if (message.bodyKind != BodyKind::map && message.bodyKind != BodyKind::stream) return false;
    const auto body = jsonBody(message);
    if (body) json.key("body").raw(*body);
    return body.ok();
}

void writeBody(JsonWriter& json, const Message& message) {
    json.key("bodyKind").string(kindName(message.bodyKind));
    if (message.large) {
        json.key("bodyBytes").number(message.large->size);
        return;
    }
    if (writeAsJson(json, message)) return;
    if (message.properties.find(kNullText)) {
        json.key("body").null();
        return;
    }
    const bool text = message.bodyKind == BodyKind::text && isUtf8(message.body.view());
    json.key("body").string(text ? std::string(message.body.view()) : base64(message.body.view()));
    if (!text) json.key("bodyEncoding").string("base64");
}

void writeText(JsonWriter& json, std::string_view key, const std::string& value) {
    if (!value.empty() && isUtf8(value)) json.key(key).string(value);
}

void writeTime(JsonWriter& json, std::string_view key, WallTime time) {
    if (time != WallTime{}) json.key(key).signedNumber(time.time_since_epoch().count());
}

}  // namespace

bool isTextType(std::string_view contentType) {
    auto type = lower(contentType.substr(0, contentType.find(';')));
    while (!type.empty() && type.back() == ' ') type.pop_back();
    return type.starts_with("text/") || type == "application/json" || type == "application/xml" ||
           type.ends_with("+json") || type.ends_with("+xml");
}

Result<std::shared_ptr<Message>> messageOf(const Request& request, Destination destination,
                                           WallTime now) {
    if (auto checked = checkDestinationName(destination.name); !checked) return checked.error();
    auto message = std::make_shared<Message>();
    message->destination = std::move(destination);
    constexpr std::int64_t kNotSaid = kRepeatForever - 1;
    ScheduleFields schedule;
    schedule.repeats = kNotSaid;
    for (const auto& [header, value] : request.headers) {
        if (auto applied = apply(*message, schedule, header, value, now); !applied)
            return applied.error();
    }
    if (schedule.repeats == kNotSaid) {
        const bool forEver = schedule.cron.empty() && schedule.period > Milliseconds(0);
        schedule.repeats = forEver ? kRepeatForever : 0;
    }
    schedule.apply(*message, now);
    if (auto set = setTypes(*message, request); !set) return set.error();
    if (auto set = setBody(*message, request); !set) return set.error();
    return message;
}

void writeMessageFields(JsonWriter& json, const Message& message) {
    writeText(json, "id", message.id);
    writeText(json, "destination", toUri(message.destination));
    json.key("persistent").boolean(message.persistent);
    json.key("priority").number(message.priority);
    writeTime(json, "timestamp", message.timestamp);
    writeTime(json, "expiration", message.expiration);
    writeTime(json, "deliverAt", message.deliverAt);
    writeText(json, "correlationId", message.correlationId);
    if (message.replyTo) writeText(json, "replyTo", toUri(*message.replyTo));
    writeText(json, "type", message.type);
    writeText(json, "groupId", message.groupId);
    if (message.groupSequence != 0) json.key("groupSequence").signedNumber(message.groupSequence);
    writeText(json, "userId", message.userId);
    writeText(json, "contentType", message.contentType);
    writeProperties(json, message.properties);
    writeBody(json, message);
}

}  // namespace busbar::http
