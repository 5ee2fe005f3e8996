#include "adapters/amqp/body_mapping.h"

#include "adapters/amqp/values.h"
#include "bus/base/utf8.h"
#include "bus/message/body.h"

namespace busbar::amqp {
namespace {

constexpr std::string_view kJavaObject = "application/x-java-serialized-object";

/// The part of `encoded` that `view` is.
Buffer partOf(const Buffer& encoded, std::string_view view) {
    if (view.empty()) return {};
    return encoded.slice(static_cast<std::size_t>(view.data() - encoded.data()), view.size());
}

bool toBodyValue(const Item& item, BodyValue& value, int depth);

bool toBodyList(const std::vector<Item>& items, BodyList& list, int depth) {
    if (depth > kBodyDepthMax) return false;
    for (const Item& item : items) {
        if (!toBodyValue(item, list.emplace_back(), depth)) return false;
    }
    return true;
}

bool toBodyMap(const Item& item, BodyMap& map, int depth) {
    if (depth > kBodyDepthMax) return false;
    for (std::size_t i = 0; i + 1 < item.items.size(); i += 2) {
        if (item.items[i].type != Type::string) return false;
        BodyEntry& entry = map.emplace_back();
        entry.name = item.items[i].bytes;
        if (!toBodyValue(item.items[i + 1], entry.value, depth)) return false;
    }
    return true;
}

/// False where the bus's bodies have no such value.
bool toBodyValue(const Item& item, BodyValue& value, int depth) {
    if (item.type == Type::list)
        return toBodyList(item.items, value.data.emplace<BodyList>(), depth + 1);
    if (item.type == Type::map) return toBodyMap(item, value.data.emplace<BodyMap>(), depth + 1);
    return toValue(item, std::get<Value>(value.data));
}

void putBodyValue(std::string& out, const BodyValue& value);

void putBodyList(std::string& out, const BodyList& list) {
    Compound compound(out, Compound::Kind::list);
    for (const BodyValue& value : list) putBodyValue(out, value);
    compound.end(list.size());
}

void putBodyMap(std::string& out, const BodyMap& map) {
    Compound compound(out, Compound::Kind::map);
    for (const auto& [key, value] : map) {
        putString(out, key);
        putBodyValue(out, value);
    }
    compound.end(2 * map.size());
}

void putBodyValue(std::string& out, const BodyValue& value) {
    if (const auto* scalar = std::get_if<Value>(&value.data)) return putValue(out, *scalar);
    if (const auto* list = std::get_if<BodyList>(&value.data)) return putBodyList(out, *list);
    putBodyMap(out, std::get<BodyMap>(value.data));
}

bool textual(std::string_view contentType) {
    return contentType.starts_with("text/") || contentType.starts_with("application/json") ||
           contentType.starts_with("application/xml") ||
           contentType.find("+xml") != contentType.npos ||
           contentType.find("+json") != contentType.npos;
}

/// Kept as it came: only clients of AMQP can read it.
std::string_view keepRaw(const BodySections& sections, const Buffer& encoded, Message& message) {
    message.bodyKind = BodyKind::amqp;
    message.body = encoded.slice(sections.begin, sections.end - sections.begin);
    return {};
}

/// Several data sections are one body (AMQP 1.0 section 3.2.6).
std::string_view readData(const BodySections& sections, const Buffer& encoded, JmsType type,
                          Message& message) {
    if (sections.parts.size() == 1) {
        message.body = partOf(encoded, sections.parts[0].second.bytes);
    } else {
        std::string all;
        for (const auto& [section, item] : sections.parts) all += item.bytes;
        message.body = Buffer::of(std::move(all));
    }
    const bool text =
        type == JmsType::text || (type == JmsType::none && textual(message.contentType));
    if (text && isUtf8(message.body.view())) {
        message.bodyKind = BodyKind::text;
        return "data";
    }
    const bool object = type == JmsType::object || message.contentType == kJavaObject;
    message.bodyKind = object ? BodyKind::object : BodyKind::bytes;
    return {};
}

std::string_view readSequence(const BodySections& sections, const Buffer& encoded,
                              Message& message) {
    BodyList all;
    for (const auto& [section, item] : sections.parts) {
        if (!toBodyList(item.items, all, 1)) return keepRaw(sections, encoded, message);
    }
    std::string body;
    encodeStreamBody(all, body);
    message.bodyKind = BodyKind::stream;
    message.body = Buffer::of(std::move(body));
    return {};
}

/// Without a body, or with one of null, it is what JMS clients say that it is: an empty one of that
/// kind, a text that is null.
void readNothing(JmsType type, Message& message) {
    switch (type) {
        case JmsType::none:
        case JmsType::plain:
            message.bodyKind = BodyKind::none;
            return;
        case JmsType::text:
            message.bodyKind = BodyKind::text;
            message.properties.set(kNullTextProperty, true);
            return;
        case JmsType::object:
            message.bodyKind = BodyKind::object;
            return;
        case JmsType::map:
            message.bodyKind = BodyKind::map;
            return;
        case JmsType::bytes:
            message.bodyKind = BodyKind::bytes;
            return;
        case JmsType::stream:
            message.bodyKind = BodyKind::stream;
            return;
    }
}

std::string_view readValue(const BodySections& sections, const Buffer& encoded, JmsType type,
                           Message& message) {
    const Item& item = sections.parts[0].second;
    if (type == JmsType::object) return keepRaw(sections, encoded, message);
    if (item.isNull()) {
        readNothing(type, message);
        return {};
    }
    if (item.type == Type::string && isUtf8(item.bytes)) {
        message.bodyKind = BodyKind::text;
        message.body = partOf(encoded, item.bytes);
        return {};
    }
    if (item.type == Type::binary) {
        message.bodyKind = BodyKind::bytes;
        message.body = partOf(encoded, item.bytes);
        return "value";
    }
    std::string body;
    if (BodyMap map; item.type == Type::map && toBodyMap(item, map, 1)) {
        encodeMapBody(map, body);
        message.bodyKind = BodyKind::map;
        message.body = Buffer::of(std::move(body));
        return {};
    }
    if (BodyList list; item.type == Type::list && toBodyList(item.items, list, 1)) {
        encodeStreamBody(list, body);
        message.bodyKind = BodyKind::stream;
        message.body = Buffer::of(std::move(body));
        return "value";
    }
    return keepRaw(sections, encoded, message);
}

}  // namespace

void putValue(std::string& out, const Value& value) {
    struct Visitor {
        std::string& out;
        void operator()(std::monostate) const { putNull(out); }
        void operator()(bool v) const { putBoolean(out, v); }
        void operator()(std::int8_t v) const { putByte(out, v); }
        void operator()(std::int16_t v) const { putShort(out, v); }
        void operator()(std::int32_t v) const { putInt(out, v); }
        void operator()(std::int64_t v) const { putLong(out, v); }
        void operator()(float v) const { putFloat(out, v); }
        void operator()(double v) const { putDouble(out, v); }
        void operator()(const std::string& v) const { putString(out, v); }
        void operator()(const Bytes& v) const { putBinary(out, v.data); }
        void operator()(char16_t v) const { putChar(out, v); }
    };
    std::visit(Visitor{out}, value);
}

std::string_view readBody(const BodySections& sections, const Buffer& encoded, JmsType type,
                          Message& message) {
    if (sections.parts.empty()) {
        readNothing(type, message);
        return {};
    }
    switch (sections.parts[0].first) {
        case Section::data:
            return readData(sections, encoded, type, message);
        case Section::sequence:
            return readSequence(sections, encoded, message);
        default:
            return readValue(sections, encoded, type, message);
    }
}

JmsType jmsTypeOf(BodyKind kind) {
    switch (kind) {
        case BodyKind::none:
            return JmsType::plain;
        case BodyKind::text:
            return JmsType::text;
        case BodyKind::bytes:
            return JmsType::bytes;
        case BodyKind::map:
            return JmsType::map;
        case BodyKind::stream:
            return JmsType::stream;
        case BodyKind::object:
            return JmsType::object;
        case BodyKind::amqp:
            break;
    }
    return JmsType::none;
}

namespace {

void descriptor(std::string& out, Section section) {
    putDescriptor(out, static_cast<std::uint8_t>(section));
}

/// A stored body that cannot be read is shown as the bytes that it is.
void writeBytes(const Message& message, Outgoing& out) {
    descriptor(out.head, Section::data);
    putBinaryHead(out.head, bodySize(message));
    out.body = message.body;
}

void writeText(const Message& message, std::string_view form, Outgoing& out) {
    if (form == "data") return writeBytes(message, out);
    descriptor(out.head, Section::value);
    if (message.properties.find(kNullTextProperty)) return putNull(out.head);
    putStringHead(out.head, bodySize(message));
    out.body = message.body;
}

}  // namespace

void writeBody(const Message& message, std::string_view form, Outgoing& out) {
    switch (message.bodyKind) {
        case BodyKind::none:
            descriptor(out.head, Section::value);
            return putNull(out.head);
        case BodyKind::text:
            return writeText(message, form, out);
        case BodyKind::bytes:
        case BodyKind::object:
            if (form != "value") return writeBytes(message, out);
            descriptor(out.head, Section::value);
            putBinaryHead(out.head, bodySize(message));
            out.body = message.body;
            return;
        case BodyKind::map: {
            const auto map = decodeMapBody(message.body.view());
            if (!map) return writeBytes(message, out);
            descriptor(out.head, Section::value);
            return putBodyMap(out.head, *map);
        }
        case BodyKind::stream: {
            const auto list = decodeStreamBody(message.body.view());
            if (!list) return writeBytes(message, out);
            descriptor(out.head, form == "value" ? Section::value : Section::sequence);
            return putBodyList(out.head, *list);
        }
        case BodyKind::amqp:
            out.body = message.body;
            return;
    }
}

}  // namespace busbar::amqp
