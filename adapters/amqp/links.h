// Private to this folder: what the engine keeps of each link.
#pragma once

#include "adapters/amqp/big_endian.h"
#include "adapters/amqp/frame_filter.h"
#include "adapters/amqp/large_message.h"
#include "adapters/amqp/mapping.h"
#include "adapters/transport/body_transfer.h"
#include "bus/core/effects.h"

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

struct pn_link_t;
struct pn_delivery_t;

namespace busbar::amqp {

/// An id within the connection; also the consumer's id where the link is one.
using LinkId = std::uint64_t;

/// The tag that we give a delivery is the message's own number: the same each time, on every
/// connection.
inline std::string tagOf(StoredId stored) {
    std::string tag;
    putBig(tag, stored.value, sizeof stored.value);
    return tag;
}
/// And back; 0: it is not one of ours.
inline StoredId storedOf(std::string_view tag) {
    return tag.size() == sizeof(StoredId::value) ? StoredId(readBig(tag)) : StoredId();
}

/// A message whose body goes to the store while it arrives.
struct Inflow {
    explicit Inflow(LargeMessage::Limits limits) : message(limits) {}

    LargeMessage message;
    std::unique_ptr<BodyUpload> body;  ///< gone once the message is refused
    std::optional<Error> refused;      ///< what comes of it is dropped; told at its end
};

/// A producer's link that can be resumed: the bus remembers what has become of its sends.
struct Recovery {
    std::string name;                 ///< of the link, among those of its user
    bool second = false;              ///< receiver settle mode: we settle when the client has
    bool mapCut = false;              ///< we did not say all that we know: nothing new may come
    std::optional<Unsettled> theirs;  ///< until we are attached
    std::unordered_map<std::string, std::string> known;  ///< taken before: tag, message id
    std::uint32_t answered = 0;  ///< deliveries that the client has not settled yet
};

/// A link that is attached, or on its way to be.
struct Link {
    enum class Role : unsigned char { producer, coordinator, consumer, browser, unsubscriber };

    Role role = Role::producer;
    LinkId id = 0;
    pn_link_t* pn = nullptr;
    bool attached = false;                 ///< our attach is out
    std::optional<Destination> temporary;  ///< the dynamic node that ends with this link

    bool isIncoming() const { return role == Role::producer || role == Role::coordinator; }

    // producer, coordinator
    std::optional<Destination> target;   ///< nothing: the anonymous relay
    std::string gathered;                ///< of the transfer that is not whole yet
    std::size_t lookAgain = 0;           ///< at how many gathered bytes: is its body a large one?
    std::unique_ptr<Inflow> inflow;      ///< where it is
    std::uint32_t inFlight = 0;          ///< sends that are not answered
    std::unique_ptr<Recovery> recovery;  ///< where it can be resumed
    bool dedupByMessageId = false;       ///< link property busbar-dedup: message-id

    // consumer, browser
    struct Unsettled {
        DeliveryId id;
        pn_delivery_t* delivery = nullptr;
        bool enlisted = false;  ///< has its outcome in a transaction that is open, or was
        bool settling = false;  ///< its outcome is on its way to the bus; the client waits
        Milliseconds lease{0};  ///< 0: it has no end
    };
    std::unordered_map<DeliveryId, Unsettled> unsettled;
    std::uint32_t granted = 0;  ///< credit that the bus has and did not use; browser: seen last
    std::uint32_t waiting = 0;  ///< deliveries that the bus gave and the client did not get yet
    bool settled = false;       ///< sends pre-settled
    bool showsStored = false;
    bool resumes = false;     ///< the client has said what it has of an earlier connection
    bool suspended = false;   ///< and not all of it, or we did not: nothing is delivered
    bool drainAsked = false;  ///< the bus was asked to drain
    bool drained = false;     ///< and has: the client is told behind what waits
    std::string durableName;
    bool shared = false;
    bool isVolatile = false;  ///< the subscription ends with its last link

    // browser
    std::string queue;
    std::string selector;
    StoredId browsed;       ///< the last one shown
    bool looking = false;   ///< a Browse is on its way
    bool atTheEnd = false;  ///< the last Browse found no more
};

/// A delivery whose body comes from the store. A link's transfers follow each other: what else is
/// for this connection waits.
struct Outflow {
    std::unique_ptr<BodyDownload> body;
    LinkId link = 0;
    Delivery delivery;
    pn_delivery_t* out = nullptr;  ///< set when its first bytes were written
    std::string tail;
    bool fetching = false;
};

}  // namespace busbar::amqp
