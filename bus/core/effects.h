// What the bus tells adapters, as plain values. Each goes to the session that it names.
#pragma once

#include "bus/base/ids.h"
#include "bus/base/result.h"
#include "bus/core/picture.h"
#include "bus/message/message.h"

#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace busbar {

/// The end that a delivery has, and the name that whoever holds it may settle it by.
struct LeaseGrant {
    std::string token;  ///< lease_tokens.h
    Milliseconds length{0};
    WallTime until{};  ///< by the clock of the bus; moves where it is extended
};

/// One hand-out of a message.
struct Delivery {
    DeliveryId id;  ///< 0 where AckMode::none
    MessagePtr message;
    std::uint32_t count = 1;  ///< JMSXDeliveryCount: 1 the first time; JMSRedelivered is count > 1
    StoredId stored{};        ///< the message's own number: the same at every delivery, for ever
    /// Of a lease, or of the exclusive consumer that this is for; else 0. Above all that were given
    /// out before (ConsumerChanged).
    std::uint64_t fencingToken = 0;
    bool firstOfGroup = false;                  ///< JMSXGroupFirstForConsumer
    std::shared_ptr<const LeaseGrant> lease{};  ///< null: it has no end
};

/// Answers a command that has no richer answer.
struct Completed {
    SessionId session;
    RequestId request;
    std::optional<Error> error;
    std::string value;        ///< Send: the message id
    std::uint64_t count = 0;  ///< Purge, MoveMessages: how many
    bool repeated = false;    ///< Send: the dedup id was known; nothing was stored
};

/// A message for a consumer.
struct Delivered {
    SessionId session;
    ConsumerId consumer;
    Delivery delivery;
};

/// Answers Receive; empty where nothing came in time.
struct Received {
    SessionId session;
    RequestId request;
    std::optional<Error> error;
    std::vector<Delivery> deliveries;
};

/// Answers Browse.
struct Browsed {
    struct Entry {
        StoredId id;
        MessagePtr message;
        std::uint32_t deliveryCount = 0;  ///< how often it was handed out so far
        bool held = false;                ///< a consumer has it now
        WallTime deliverAt{};             ///< not zero: it waits for this time
    };
    SessionId session;
    RequestId request;
    std::optional<Error> error;
    std::vector<Entry> entries;
    bool more = false;
};

/// Answers Call.
struct Replied {
    SessionId session;
    RequestId request;
    std::optional<Error> error;
    MessagePtr reply;
    bool repeated = false;  ///< an earlier call's reply, collected again
};

/// Answers ResumeLink.
struct LinkResumed {
    struct Known {
        std::string tag;
        std::string messageId;
    };
    SessionId session;
    RequestId request;
    std::optional<Error> error;
    std::vector<Known> known{};
};

/// Answers TakePicture.
struct Pictured {
    SessionId session;
    RequestId request;
    std::shared_ptr<const Picture> picture;
};

/// A consumer was ended by the bus (its queue was deleted).
struct ConsumerEnded {
    SessionId session;
    ConsumerId consumer;
    Error error;
};

/// Whether an exclusive consumer (or one beside an exclusive one) is served now. The token of the
/// active one is above every token that was ever given out, also before a restart, so that what it
/// writes elsewhere can be told from what a predecessor writes late.
struct ConsumerChanged {
    SessionId session;
    ConsumerId consumer;
    bool active = false;
    std::uint64_t fencingToken = 0;
};

/// What a consumer held under a lease was taken out of its hands: the lease ran out (`lapsed`: what
/// it says of the delivery now is answered lockLost), or it was settled by its token.
struct LeaseEnded {
    SessionId session;
    ConsumerId consumer;
    DeliveryId delivery;
    bool lapsed = false;
};

/// A message group that the consumer had is no longer its own, although the consumer is still
/// there: what comes of the group next goes to another one. Told before that other one gets
/// anything, and not before what the consumer held of the group was settled.
struct GroupRevoked {
    SessionId session;
    ConsumerId consumer;
    std::string group;
};

/// The session's sends wait (blocked) or go on. `text`: which limit, and what clears it. While
/// blocked the adapter stops reading from its client; what was submitted already is kept.
struct ProducerBlocked {
    SessionId session;
    bool blocked = false;
    std::string text;
};

/// The session was ended by the bus. No more effects follow; the adapter closes its connection.
struct SessionEnded {
    SessionId session;
    Error error;
};

using Effect = std::variant<Completed, Delivered, Received, Browsed, Replied, Pictured,
                            ConsumerEnded, ConsumerChanged, GroupRevoked, LeaseEnded, LinkResumed,
                            ProducerBlocked, SessionEnded>;

/// Something that an operator should know; not an answer to anybody.
struct Notice {
    enum class Level : unsigned char { info, warning, alarm } level = Level::info;
    std::string subject;  ///< what it is about: a queue's or subscription's name
    std::string text;
};

}  // namespace busbar
