// AMQP's messages and the bus's: sections, properties by type, bodies, JMS's annotations. No state.
// docs/protocols/amqp.md has the table.
#pragma once

#include "adapters/amqp/types.h"
#include "bus/base/clock.h"
#include "bus/base/ids.h"
#include "bus/core/effects.h"
#include "bus/message/message.h"

#include <memory>
#include <optional>
#include <string>

namespace busbar::amqp {

struct MappingOptions {
    ReadLimits limits;
    DestinationKind defaultKind = DestinationKind::queue;
};

/// A message that a client sent.
struct Incoming {
    std::shared_ptr<Message> message;
    std::string producer;  ///< annotations x-opt-busbar-producer and -sequence: Send's
    std::uint64_t sequence = 0;
};

/// Reads all sections of a message. The body shares `encoded`'s memory where it can. Without
/// `target` (a link to the anonymous relay) the message's own `to` says where it goes.
///
/// malformed, tooLarge: bytes that do not follow AMQP's grammar or its limits; invalidArgument: a
/// property whose type an application property cannot have, a bad address.
Result<Incoming> toBus(const Buffer& encoded, const std::optional<Destination>& target,
                       const MappingOptions& options, WallTime now);

/// What else a client is told with a message.
struct DeliveryFacts {
    std::uint32_t count = 1;         ///< deliveries, this one included
    std::optional<StoredId> stored;  ///< annotation x-opt-busbar-stored
    std::uint64_t fencingToken = 0;  ///< annotation x-opt-busbar-fencing-token; 0: none
    bool firstOfGroup = false;       ///< annotation x-opt-busbar-first-of-group
    /// Annotations x-opt-busbar-lease and x-opt-locked-until; null: none.
    std::shared_ptr<const LeaseGrant> lease{};
    WallTime now{};  ///< what the time to live is counted from
};

/// A message's bytes on their way out: head, then the body (or, where Message::large is set, what
/// its file holds), then tail.
struct Outgoing {
    std::string head;
    Buffer body;
    std::string tail;
};

Outgoing toWire(const Message& message, const DeliveryFacts& facts);

// ---- parts, for the tests and for each other

/// A message id or correlation id as text, in the spelling of JMS clients: strings as they are,
/// "ID:AMQP_ULONG:7", "ID:AMQP_UUID:...", "ID:AMQP_BINARY:hex" for the other types.
Result<std::string> idText(const Item& id);
/// Appends the id that idText wrote so.
void putId(std::string& out, std::string_view text);

/// What the bus's own types cannot say, so that a client of AMQP gets it back as it came: words
/// "TYPE=NAME" in the property kFormProperty.
inline constexpr std::string_view kFormProperty = "JMS_AMQP_FORM";
inline constexpr std::string_view kAnnotationPrefix = "JMS_AMQP_MA_";
inline constexpr std::string_view kFooterPrefix = "JMS_AMQP_FT_";
inline constexpr std::string_view kEncodingProperty = "JMS_AMQP_ContentEncoding";
inline constexpr std::string_view kReplyToGroupProperty = "JMS_AMQP_ReplyToGroupID";
/// Set where a text message has no text at all, as OpenWire says it too.
inline constexpr std::string_view kNullTextProperty = "busbar_nullText";

}  // namespace busbar::amqp
