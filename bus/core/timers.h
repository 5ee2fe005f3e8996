// What is due when. Timers are values with a time; whoever takes one finds out whether it still
// matters.
#pragma once

#include <algorithm>
#include <optional>
#include <vector>

namespace busbar {

/// A heap of timers over one clock. There is no cancelling: a timer whose cause has gone is dropped
/// when it is due, or by compact() when such ones pile up (messages with a long expiry that are
/// consumed at once).
template <class Time, class Item>
class Timers {
  public:
    void add(Time due, Item item) {
        heap_.push_back({due, order_++, std::move(item)});
        std::push_heap(heap_.begin(), heap_.end(), later);
    }

    std::optional<Time> next() const {
        if (heap_.empty()) return std::nullopt;
        return heap_.front().due;
    }

    /// Takes the first timer that is due at `now`; timers of one time come in the order of their
    /// adding.
    std::optional<Item> take(Time now) {
        if (heap_.empty() || heap_.front().due > now) return std::nullopt;
        std::pop_heap(heap_.begin(), heap_.end(), later);
        Item item = std::move(heap_.back().item);
        heap_.pop_back();
        return item;
    }

    /// Where the heap has doubled since the last time, drops what `wanted(item)` says no to.
    /// Amortised O(1) an add.
    template <class Wanted>
    void compact(Wanted wanted) {
        if (heap_.size() < compactAt_) return;
        std::erase_if(heap_, [&](const Timed& t) { return !wanted(t.item); });
        std::make_heap(heap_.begin(), heap_.end(), later);
        compactAt_ = std::max<std::size_t>(4096, heap_.size() * 2);
    }

    std::size_t size() const { return heap_.size(); }

  private:
    struct Timed {
        Time due;
        std::uint64_t order;
        Item item;
    };
    static bool later(const Timed& a, const Timed& b) {
        return a.due != b.due ? a.due > b.due : a.order > b.order;
    }

    std::vector<Timed> heap_;
    std::uint64_t order_ = 0;
    std::size_t compactAt_ = 4096;
};

}  // namespace busbar
