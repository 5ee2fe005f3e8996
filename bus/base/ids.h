// Ids that cannot be mixed up: each is a type of its own around a number.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>

namespace busbar {

/// A number with a meaning. 0 is "none". Cheap to copy, ordered, hashable.
template <class Tag, class Rep = std::uint64_t>
struct StrongId {
    Rep value = 0;

    constexpr StrongId() = default;
    constexpr explicit StrongId(Rep v) : value(v) {}
    constexpr explicit operator bool() const { return value != 0; }
    constexpr auto operator<=>(const StrongId&) const = default;
};

/// A message as the store knows it: ascending in the order of arrival, never reused.
using StoredId = StrongId<struct StoredIdTag>;
/// A queue (also: subscription, temporary queue, dead-letter queue). Never reused.
using QueueId = StrongId<struct QueueIdTag>;
/// One client's conversation with the bus. The high 16 bits name the I/O loop that it lives on.
using SessionId = StrongId<struct SessionIdTag>;
/// A consumer, chosen by the adapter, unique within its session.
using ConsumerId = StrongId<struct ConsumerIdTag>;
/// One hand-out of one message to one consumer; a redelivery has a new one. Ascending, never reused
/// by a process.
using DeliveryId = StrongId<struct DeliveryIdTag>;
/// What an adapter calls a command that it wants answered; unique within its session. 0: no answer
/// wanted.
using RequestId = StrongId<struct RequestIdTag>;
/// Position of a unit of work in the order in which the core made them.
using UnitSequence = StrongId<struct UnitSequenceTag>;

}  // namespace busbar

template <class Tag, class Rep>
struct std::hash<busbar::StrongId<Tag, Rep>> {
    std::size_t operator()(busbar::StrongId<Tag, Rep> id) const noexcept {
        return std::hash<Rep>{}(id.value);
    }
};
