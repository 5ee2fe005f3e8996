#include "adapters/openwire/window.h"

#include <algorithm>

namespace busbar::openwire {
namespace {

/// Clients give ids back as they got them, so the number of the message in the store names it.
std::int64_t sequenceOf(const Window::Entry& entry) {
    return static_cast<std::int64_t>(entry.stored.value);
}

bool isNamed(const Window::Entry& entry, const MessageId& id) {
    return sequenceOf(entry) == id.brokerSequenceId &&
           (entry.fencingToken == 0 ||
            entry.fencingToken == static_cast<std::uint64_t>(id.producerSequenceId));
}

constexpr std::size_t kSpentMax = 1000;  // what is over or lapsed, and never acknowledged

}  // namespace

/// The oldest that is not settled: what was handed out twice is acknowledged in turn.
std::optional<Window::Position> Window::findOpen(const MessageId& id) const {
    for (std::size_t i = 0; i < entries_.size(); ++i) {
        if (entries_[i].state != State::settled && isNamed(entries_[i], id)) return first_ + i;
    }
    return std::nullopt;
}

std::optional<Window::Position> Window::findStored(std::int64_t brokerSequence) const {
    for (std::size_t i = entries_.size(); i > 0; --i) {
        if (sequenceOf(entries_[i - 1]) == brokerSequence) return first_ + i - 1;
    }
    return std::nullopt;
}

std::optional<Window::Range> Window::find(const MessageId* first, const MessageId& last,
                                          std::int32_t count) const {
    const auto end = findOpen(last);
    if (!end) return std::nullopt;
    Range range{first_, *end + 1};
    if (!first) return range;
    if (const auto begin = findOpen(*first); begin && *begin <= *end) {
        range.first = *begin;
        return range;
    }
    range.first = *end;
    for (std::int32_t left = count - 1; left > 0 && range.first > first_;) {
        --range.first;
        if (entries_[range.first - first_].state != State::settled) --left;
    }
    return range;
}

std::optional<Window::Position> Window::findDelivery(DeliveryId id) const {
    const auto at = std::lower_bound(entries_.begin(), entries_.end(), id,
                                     [](const Entry& e, DeliveryId d) { return e.id < d; });
    if (at == entries_.end() || at->id != id) return std::nullopt;
    return first_ + static_cast<Position>(at - entries_.begin());
}

std::vector<busbar::ConsumerId> Window::trim() {
    std::vector<busbar::ConsumerId> roomy;
    while (!entries_.empty()) {
        const Entry& front = entries_.front();
        const bool spent = front.state == State::over || front.state == State::lapsed;
        const bool passed = first_ < seenEnd_ || entries_.size() > kSpentMax;
        if (front.state != State::settled && !(spent && passed)) break;
        if (front.state == State::lapsed && !front.opened) roomy.push_back(front.source);
        entries_.pop_front();
        ++first_;
    }
    return roomy;
}

}  // namespace busbar::openwire
