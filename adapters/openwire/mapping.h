// OpenWire's messages and the bus's: headers, properties, bodies, ids. No state.
#pragma once

#include "adapters/openwire/command.h"
#include "bus/base/clock.h"
#include "bus/base/ids.h"
#include "bus/core/effects.h"
#include "bus/message/message.h"

#include <memory>

namespace busbar::openwire {

struct MappingLimits {
    std::size_t bodyBytesMax = 64u << 20;  ///< of a body, after inflating
    std::size_t entriesMax = 10'000;       ///< properties; entries of one map or stream
};

/// The text of a message id: what JMSMessageID shows. "ID:host-41731-1790000000000-1:1:1:1:1" of a
/// client's own, else what its text view says.
std::string toText(const MessageId& id);

/// The id of a message on its way to a client, whose toText is `text`. Clients tell messages apart
/// by producer and number alone, so ids that no OpenWire client made get the number of the message
/// in the store, which is unique, and the text view says the rest.
MessageId toMessageId(std::string_view text, StoredId stored);

/// The same for a message under a lease: another one at each delivery, with the same text. A client
/// that had it before, on this connection, would take it for a repeat that it has processed.
MessageId toLeasedId(std::string_view text, StoredId stored, std::uint64_t fencingToken);

/// A message that a client sends to one of its destinations. The frame's content is shared, not
/// copied, where it can be. Compressed content is inflated: all the bus sees plain bodies.
///
/// Property              | becomes
/// AMQ_SCHEDULED_DELAY   | Message::deliverAt, `now` + that many ms
/// AMQ_SCHEDULED_PERIOD, _REPEAT, _CRON, busbar_cronZone | Message::recurrence (ScheduleFields)
/// _AMQ_DUPL_ID          | Message::dedupId (Artemis's name for it)
/// JMS_AMQP_ContentType  | Message::contentType
/// others                | properties of the same name and type
///
/// unsupported: a property that is a list or map; malformed,
/// tooLarge: content or properties that do not follow their grammar or limits.
Result<std::shared_ptr<Message>> toBus(const WireMessage& message, const Destination& destination,
                                       WallTime now, const MappingLimits& limits);

/// What else a client is told with a message.
struct DeliveryFacts {
    StoredId stored;
    std::uint32_t count = 1;  ///< deliveries, this one included
    bool firstOfGroup = false;
    /// Property BusbarFencingToken; 0: none.
    std::uint64_t fencingToken = 0;
    /// Properties BusbarLease and BusbarLeaseUntil; null: none.
    std::shared_ptr<const LeaseGrant> lease{};
};

/// The message as a client gets it. A message without a body becomes a plain message, AMQP's raw
/// sections become bytes. malformed: the stored body does not follow its grammar (internal damage);
/// tooLarge: a property or map key is longer than the wire can say.
Result<std::shared_ptr<WireMessage>> toWire(const Message& message, const DeliveryFacts& facts);

}  // namespace busbar::openwire
