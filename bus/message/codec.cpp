#include "bus/message/codec.h"

#include "bus/message/value_codec.h"
#include "bus/message/wire.h"

namespace busbar {
namespace {

constexpr std::uint8_t kVersion = 1;

// Which optional fields follow; part of the format, append only.
enum Field : std::uint32_t {
    kPersistent = 1u << 0,
    kExpiration = 1u << 1,
    kDeliverAt = 1u << 2,
    kCorrelationId = 1u << 3,
    kReplyTo = 1u << 4,
    kType = 1u << 5,
    kGroup = 1u << 6,
    kUserId = 1u << 7,
    kDedupId = 1u << 8,
    kContentType = 1u << 9,
    kProperties = 1u << 10,
    kLarge = 1u << 11,
    kAllFields = (1u << 12) - 1,
};

std::int64_t millis(WallTime time) {
    return time.time_since_epoch().count();
}
WallTime wallTime(std::int64_t value) {
    return WallTime(Milliseconds(value));
}

void putDestination(std::string& out, const Destination& destination) {
    out += static_cast<char>(destination.kind);
    putString(out, destination.name);
}

bool readDestination(WireReader& in, Destination& destination) {
    const auto kind = in.fixed<std::uint8_t>();
    destination.kind = static_cast<DestinationKind>(kind);
    destination.name = in.string();
    return kind <= static_cast<std::uint8_t>(DestinationKind::temporaryTopic);
}

std::uint32_t fieldsOf(const Message& m) {
    std::uint32_t fields = 0;
    if (m.persistent) fields |= kPersistent;
    if (m.expiration != WallTime{}) fields |= kExpiration;
    if (m.deliverAt != WallTime{}) fields |= kDeliverAt;
    if (!m.correlationId.empty()) fields |= kCorrelationId;
    if (m.replyTo) fields |= kReplyTo;
    if (!m.type.empty()) fields |= kType;
    if (!m.groupId.empty() || m.groupSequence != 0) fields |= kGroup;
    if (!m.userId.empty()) fields |= kUserId;
    if (!m.dedupId.empty()) fields |= kDedupId;
    if (!m.contentType.empty()) fields |= kContentType;
    if (!m.properties.empty()) fields |= kProperties;
    if (m.large) fields |= kLarge;
    return fields;
}

bool readProperties(WireReader& in, Properties& properties) {
    const std::uint64_t count = in.varint();
    if (count > in.remaining() / 2) return false;  // a property takes two bytes at the least
    for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
        std::string key(in.string());
        Value value;
        if (!readValue(in, in.fixed<std::uint8_t>(), value)) return false;
        properties.append(std::move(key), std::move(value));
    }
    return true;
}

Error malformed(std::string_view what, const WireReader& in) {
    return {ErrorCode::malformed,
            "stored message: " + std::string(what) + " at byte " + std::to_string(in.position())};
}

}  // namespace

void encodeMessageHead(const Message& m, std::string& out) {
    const std::uint32_t fields = fieldsOf(m);
    out += static_cast<char>(kVersion);
    putFixed(out, fields);
    out += static_cast<char>(m.priority);
    out += static_cast<char>(m.bodyKind);
    putFixed(out, millis(m.timestamp));
    putString(out, m.id);
    putDestination(out, m.destination);
    if (fields & kExpiration) putFixed(out, millis(m.expiration));
    if (fields & kDeliverAt) putFixed(out, millis(m.deliverAt));
    if (fields & kCorrelationId) putString(out, m.correlationId);
    if (fields & kReplyTo) putDestination(out, *m.replyTo);
    if (fields & kType) putString(out, m.type);
    if (fields & kGroup) {
        putString(out, m.groupId);
        putFixed(out, m.groupSequence);
    }
    if (fields & kUserId) putString(out, m.userId);
    if (fields & kDedupId) putString(out, m.dedupId);
    if (fields & kContentType) putString(out, m.contentType);
    if (fields & kProperties) {
        putVarint(out, m.properties.size());
        for (const auto& [key, value] : m.properties) {
            putString(out, key);
            putValue(out, value);
        }
    }
    if (fields & kLarge) {
        putFixed(out, m.large->id);
        putFixed(out, m.large->size);
        putFixed(out, m.large->crc32c);
    }
    putVarint(out, m.body.size());
}

void encodeMessage(const Message& message, std::string& out) {
    encodeMessageHead(message, out);
    out.append(message.body.view());
}

Result<std::shared_ptr<Message>> decodeMessage(const Buffer& bytes) {
    WireReader in(bytes.view());
    auto m = std::make_shared<Message>();
    if (const auto version = in.fixed<std::uint8_t>(); version != kVersion) {
        return malformed("version " + std::to_string(version) + ", expected 1,", in);
    }
    const auto fields = in.fixed<std::uint32_t>();
    if (fields & ~static_cast<std::uint32_t>(kAllFields))
        return malformed("unknown field flags", in);
    m->persistent = (fields & kPersistent) != 0;
    m->priority = in.fixed<std::uint8_t>();
    const auto bodyKind = in.fixed<std::uint8_t>();
    if (m->priority > 9) return malformed("priority over 9", in);
    if (bodyKind > static_cast<std::uint8_t>(BodyKind::amqp))
        return malformed("unknown body kind", in);
    m->bodyKind = static_cast<BodyKind>(bodyKind);
    m->timestamp = wallTime(in.fixed<std::int64_t>());
    m->id = in.string();
    if (!readDestination(in, m->destination)) return malformed("unknown destination kind", in);
    if (fields & kExpiration) m->expiration = wallTime(in.fixed<std::int64_t>());
    if (fields & kDeliverAt) m->deliverAt = wallTime(in.fixed<std::int64_t>());
    if (fields & kCorrelationId) m->correlationId = in.string();
    if (fields & kReplyTo) {
        Destination replyTo;
        if (!readDestination(in, replyTo)) return malformed("unknown reply destination kind", in);
        m->replyTo = std::move(replyTo);
    }
    if (fields & kType) m->type = in.string();
    if (fields & kGroup) {
        m->groupId = in.string();
        m->groupSequence = in.fixed<std::int32_t>();
    }
    if (fields & kUserId) m->userId = in.string();
    if (fields & kDedupId) m->dedupId = in.string();
    if (fields & kContentType) m->contentType = in.string();
    if (fields & kProperties && !readProperties(in, m->properties))
        return malformed("bad property", in);
    if (fields & kLarge) {
        LargeBody large;
        large.id = in.fixed<std::uint64_t>();
        large.size = in.fixed<std::uint64_t>();
        large.crc32c = in.fixed<std::uint32_t>();
        if (large.id == 0) return malformed("a large body without a name", in);
        m->large = std::make_shared<const LargeBody>(large);
    }
    const std::uint64_t bodySize = in.varint();
    if (m->large && bodySize != 0) return malformed("two bodies", in);
    if (!in.ok() || bodySize != in.remaining()) return malformed("length does not fit", in);
    m->body = bytes.slice(in.position(), bodySize);
    return m;
}

MessageSummaryFields summaryOf(const Message& message) {
    return {message.expiration, message.deliverAt, message.priority, message.persistent,
            message.large != nullptr};
}

Result<MessageSummaryFields> readMessageSummary(std::string_view bytes) {
    WireReader in(bytes);
    MessageSummaryFields summary;
    const auto version = in.fixed<std::uint8_t>();
    const auto fields = in.fixed<std::uint32_t>();
    summary.priority = in.fixed<std::uint8_t>();
    summary.persistent = (fields & kPersistent) != 0;
    summary.large = (fields & kLarge) != 0;
    if (!in.ok() || version != kVersion || (fields & ~static_cast<std::uint32_t>(kAllFields)) ||
        summary.priority > 9) {
        return malformed("no readable head", in);
    }
    if ((fields & (kExpiration | kDeliverAt)) == 0) return summary;
    in.take(1 + sizeof(std::int64_t));  // body kind, timestamp
    in.string();                        // id
    in.take(1);                         // destination
    in.string();
    if (fields & kExpiration) summary.expiration = wallTime(in.fixed<std::int64_t>());
    if (fields & kDeliverAt) summary.deliverAt = wallTime(in.fixed<std::int64_t>());
    if (!in.ok()) return malformed("no readable head", in);
    return summary;
}

}  // namespace busbar
