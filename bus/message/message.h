// The message: JMS's headers, typed properties and a body, once made never changed.
#pragma once

#include "bus/base/buffer.h"
#include "bus/base/clock.h"
#include "bus/message/destination.h"
#include "bus/message/recurrence.h"
#include "bus/message/value.h"

#include <memory>
#include <optional>
#include <string>

namespace busbar {

/// What the body's bytes mean. Part of the journal format: append, never reorder.
/// text: UTF-8. bytes: opaque. map, stream: encoded by `bus/message/body.h` (with the OpenWire and
/// AMQP adapters). object: serialised by the client, never looked into. amqp: AMQP 1.0 sections as
/// they came.
enum class BodyKind : unsigned char { none, text, bytes, map, stream, object, amqp };

/// A body that is not in memory but in a file of the store's (bus/store/body_store.h).
struct LargeBody {
    std::uint64_t id = 0;      ///< the store's name for it
    std::uint64_t size = 0;    ///< bytes
    std::uint32_t crc32c = 0;  ///< of all of it

    bool operator==(const LargeBody&) const = default;
};

/// Keeps the file while it exists, where the store gave it out; see BodyStore. Null: no such body.
using LargeBodyPtr = std::shared_ptr<const LargeBody>;

/// What a producer sends and a consumer gets. An adapter fills one in; from the moment it is given
/// to the core it is shared, immutable and may be read by any thread. Limits are the adapter's to
/// check (sizes of strings: 65 535 bytes; the codec refuses more).
struct Message {
    std::string id;  ///< JMSMessageID. Empty when sent: the core gives one ("ID:" + instance + "-"
                     ///< + number).
    Destination destination;     ///< JMSDestination: where the producer sent it.
    bool persistent = true;      ///< JMSDeliveryMode. Persistent ones survive kill and power loss.
    unsigned char priority = 4;  ///< JMSPriority 0 to 9, higher first.
    WallTime timestamp{};        ///< JMSTimestamp: when the bus took it.
    WallTime expiration{};       ///< JMSExpiration; zero: never.
    WallTime deliverAt{};        ///< JMSDeliveryTime; zero or past: at once.
    std::string correlationId;   ///< JMSCorrelationID
    std::optional<Destination> replyTo;  ///< JMSReplyTo
    std::string type;                    ///< JMSType
    std::string groupId;                 ///< JMSXGroupID
    std::int32_t groupSequence = 0;      ///< JMSXGroupSeq
    std::string userId;                  ///< JMSXUserID: the authenticated sender, set by the core.
    std::string dedupId;      ///< What the producer says makes this send unique; empty: nothing.
    std::string contentType;  ///< MIME type of the body, as the producer named it.
    BodyKind bodyKind = BodyKind::none;
    Buffer body;         ///< empty where `large` is set
    LargeBodyPtr large;  ///< the body, where it is too large for memory
    Properties properties;
    /// Where set, this is not sent but the template of a schedule: copies of it are. Not part of
    /// the message's encoding.
    RecurrencePtr recurrence;
};

/// A message that is shared: read-only.
using MessagePtr = std::shared_ptr<const Message>;

/// Roughly what the message takes in memory, in bytes: for limits and statistics. A large body is
/// not in memory and does not count.
std::size_t footprint(const Message& message);

/// The body's bytes, wherever it is.
std::uint64_t bodySize(const Message& message);

}  // namespace busbar
