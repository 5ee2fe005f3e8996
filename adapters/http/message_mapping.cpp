#include "adapters/http/message_mapping.h"

#include "adapters/http/send_fields.h"
#include "bus/base/base64.h"
#include "bus/message/json.h"
#include "bus/message/json_reader.h"
#include "bus/message/value_text.h"

namespace busbar::http {
namespace {

constexpr std::string_view kPropertyPrefix = "x-property-";

Result<void> setHeader(SendFields& fields, const std::string& header, const std::string& value) {
    const auto key = lowerCase(header);
    if (const auto* row = SendFields::byHeader(key)) return fields.set(*row, header, value);
    if (!key.starts_with(kPropertyPrefix)) return {};
    return fields.setProperty(header, std::string_view(header).substr(kPropertyPrefix.size()),
                              value);
}

/// X-Body-Kind: what a message that is received calls its `bodyKind`.
Result<void> setBodyOfKind(SendFields& fields, std::string_view name, const Buffer& body) {
    const auto kind = bodyKindOf("X-Body-Kind", name);
    if (!kind) return kind.error();
    if (*kind != BodyKind::map && *kind != BodyKind::stream)
        return fields.setBodyOfKind("X-Body-Kind", *kind, body);
    auto encoded = bodyFromJson(*kind, body.view());
    if (!encoded)
        return {encoded.error().code,
                "X-Body-Kind: " + std::string(name) + ": " + encoded.error().text};
    fields.message().contentType.clear();  // it was that of the JSON
    return fields.setBodyOfKind("X-Body-Kind", *kind, Buffer::of(std::move(*encoded)));
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

Result<void> setBody(SendFields& fields, const Request& request) {
    const auto kind = request.header("x-body-kind");
    if (request.large) return setLargeBody(fields.message(), kind, request.large);
    return kind.empty() ? fields.setPlainBody(request.body)
                        : setBodyOfKind(fields, kind, request.body);
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
    if (message.bodyKind == BodyKind::text && message.properties.find(kNullText)) {
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

Result<std::shared_ptr<Message>> messageOf(const Request& request, Destination destination,
                                           WallTime now) {
    if (auto checked = checkDestinationName(destination.name); !checked) return checked.error();
    SendFields fields(std::move(destination), now);
    for (const auto& [header, value] : request.headers) {
        if (auto set = setHeader(fields, header, value); !set) return set.error();
    }
    if (auto set = setTypes(fields.message(), request); !set) return set.error();
    if (auto set = setBody(fields, request); !set) return set.error();
    return fields.finish();
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
