// Who gets the next one? Consumers with credit: the highest priority first, equal ones in turn.
#pragma once

#include "bus/core/commands.h"
#include "bus/core/message_list.h"

#include <algorithm>
#include <deque>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace busbar {

struct Queue;
struct View;

/// Someone who takes deliveries as they come.
struct Consumer {
    ConsumerId id;
    SessionId session;
    Queue* queue = nullptr;
    View* view = nullptr;
    AckMode ackMode = AckMode::explicitly;
    bool windowed = true;
    bool exclusive = false;
    bool standby = false;  ///< another, exclusive one is served
    bool listed = false;   ///< stands in its view's Distributor
    std::int32_t priority = 0;
    std::uint32_t credit = 0;
    std::uint32_t window = 0;  ///< the credit that it has with empty hands; 0: it says so itself
    std::optional<RequestId> drain;  ///< asks for what there is now, then its credit lapses
    std::uint64_t turn = 0;          ///< the lowest is next among equals
    std::uint64_t joined = 0;        ///< order of coming
    std::uint64_t fencingToken = 0;  ///< while it is the active exclusive one
    UnitSequence unheldUnit;         ///< the last unit that takes away what it gets at most once
    Milliseconds lease{0};           ///< of each delivery; 0: as its queue says
    std::set<DeliveryId> lapsed;     ///< windowed: ran out in its hands; their credit is gone
    std::set<EntryPlace> parked;     ///< of the groups that it has; waited for its credit
};

class Distributor {
  public:
    /// Where it has credit it gets its turn, behind all others of its priority.
    void offer(Consumer& consumer, std::uint64_t& turns) {
        if (consumer.listed || consumer.credit == 0 || consumer.standby) return;
        consumer.listed = true;
        consumer.turn = ++turns;
        lineOf(consumer.priority).push_back(&consumer);
        ++size_;
    }
    bool empty() const { return size_ == 0; }
    /// Of all that stand in line.
    std::uint64_t credit() const {
        std::uint64_t sum = 0;
        for (const auto& [priority, line] : lines_) {
            for (const Consumer* consumer : line) sum += consumer->credit;
        }
        return sum;
    }
    /// True where one that stands in line wants to know when there is no more for it.
    bool draining() const {
        return std::any_of(lines_.begin(), lines_.end(), [](const auto& line) {
            return std::any_of(
                line.second.begin(), line.second.end(),
                [](const Consumer* consumer) { return consumer->drain.has_value(); });
        });
    }
    Consumer& first() const {
        for (const auto& [priority, line] : lines_) {
            if (!line.empty()) return *line.front();
        }
        return *lines_.front().second.front();  // not reached: the caller asked empty()
    }
    /// Takes one credit of a consumer that stands in line; it goes to the end of its line if it has
    /// more.
    void take(Consumer& consumer, std::uint64_t& turns) {
        remove(consumer);
        --consumer.credit;
        offer(consumer, turns);
    }
    void remove(Consumer& consumer) {
        if (!consumer.listed) return;
        consumer.listed = false;
        --size_;
        auto& line = lineOf(consumer.priority);
        if (line.front() == &consumer)
            line.pop_front();
        else
            std::erase(line, &consumer);
    }

  private:
    using Line = std::deque<Consumer*>;
    Line& lineOf(std::int32_t priority) {
        auto at = std::find_if(lines_.begin(), lines_.end(),
                               [&](const auto& l) { return l.first <= priority; });
        if (at == lines_.end() || at->first != priority) at = lines_.insert(at, {priority, Line()});
        return at->second;
    }

    std::vector<std::pair<std::int32_t, Line>> lines_;  ///< highest priority first
    std::size_t size_ = 0;
};

}  // namespace busbar
