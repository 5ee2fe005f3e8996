#include "adapters/openwire/window.h"

namespace busbar::openwire {
namespace {

/// Clients give ids back as they got them, so the number of the message in the store names it.
std::int64_t sequenceOf(const Window::Entry& entry) {
    return static_cast<std::int64_t>(entry.stored.value);
}

}  // namespace

/// The oldest that is not settled: what was handed out twice is acknowledged in turn.
std::optional<Window::Position> Window::findOpen(std::int64_t brokerSequence) const {
    for (std::size_t i = 0; i < entries_.size(); ++i) {
        const Entry& entry = entries_[i];
        if (entry.state != State::settled && sequenceOf(entry) == brokerSequence) return first_ + i;
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
    const auto end = findOpen(last.brokerSequenceId);
    if (!end) return std::nullopt;
    Range range{first_, *end + 1};
    if (!first) return range;
    if (const auto begin = findOpen(first->brokerSequenceId); begin && *begin <= *end) {
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

void Window::trim() {
    while (!entries_.empty() && entries_.front().state == State::settled) {
        entries_.pop_front();
        ++first_;
    }
}

}  // namespace busbar::openwire
