// What a consumer was handed and has not settled, in the order of dispatch.
#pragma once

#include "adapters/openwire/command.h"
#include "bus/base/ids.h"

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

namespace busbar::openwire {

/// Problem: an acknowledgement names a range of message ids, and means two things that go apart:
/// what becomes of the messages, and how many more the client takes. Here each message remembers
/// both. Positions are stable for as long as the window lives. No threads of its own.
class Window {
  public:
    using Position = std::uint64_t;
    /// over: it was settled by other means than an acknowledgement, which may still come. lapsed:
    /// its lease ran out; it is held by nobody here.
    enum class State : unsigned char { open, enlisted, over, lapsed, settled };
    struct Entry {
        DeliveryId id;  ///< 0: only shown, by a browser
        StoredId stored;
        busbar::ConsumerId source;  ///< whose credit it used
        std::uint32_t count = 1;    ///< deliveries, this one included
        /// Under a lease: the producer sequence of this delivery's id. 0: any names it.
        std::uint64_t fencingToken = 0;
        State state = State::open;
        bool opened = false;  ///< its credit was given back
    };
    struct Range {
        Position first = 0;
        Position end = 0;  ///< one behind the last
    };

    void add(Entry entry) { entries_.push_back(entry); }
    /// The entries that an acknowledgement of `count` messages up to `last` names: from `first` on
    /// where it is here; from the oldest on where it is null; else the last `count` of them that
    /// are not settled. Nothing where `last` is not here.
    std::optional<Range> find(const MessageId* first, const MessageId& last,
                              std::int32_t count) const;
    /// Where the message of that broker sequence is, the newest hand-out of it.
    std::optional<Position> findStored(std::int64_t brokerSequence) const;

    std::optional<Position> findDelivery(DeliveryId id) const;

    Entry& at(Position position) { return entries_[position - first_]; }
    /// Whether it is still in the window.
    bool holds(Position position) const {
        return position >= first_ && position - first_ < entries_.size();
    }
    Position begin() const { return first_; }
    Position end() const { return first_ + entries_.size(); }
    std::size_t size() const { return entries_.size(); }

    /// An acknowledgement named what is before `end`: the application has seen it.
    void sawUpTo(Position end) { seenEnd_ = seenEnd_ < end ? end : seenEnd_; }
    Position seenEnd() const { return seenEnd_; }

    /// Drops what is settled off the front; what is over or lapsed too, where the client has spoken
    /// of later ones, or there are very many. Gives the sources of lapsed ones, each of which has
    /// room for one more now.
    std::vector<busbar::ConsumerId> trim();

  private:
    std::optional<Position> findOpen(const MessageId& id) const;

    std::deque<Entry> entries_;
    Position first_ = 0;
    Position seenEnd_ = 0;
};

}  // namespace busbar::openwire
