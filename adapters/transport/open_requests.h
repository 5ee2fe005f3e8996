// Which commands of a session are not answered yet, and what was to be done with each answer?
#pragma once

#include "bus/base/ids.h"

#include <algorithm>
#include <deque>
#include <optional>
#include <utility>

namespace busbar {

/// Hands out the request ids of one session, ascending from 1, and keeps what its adapter remembers
/// of each until the answer comes. Answers come nearly in the order of the commands, so the open
/// ones are a deque that is indexed by id: O(1). One loop.
template <class What>
class OpenRequests {
  public:
    /// What is remembered of a new request, whose id goes to `request`. Valid until the next add().
    What& add(RequestId& request) {
        request = RequestId(first_ + open_.size());
        return open_.emplace_back().emplace();
    }
    RequestId add(What what) {
        RequestId request;
        add(request) = std::move(what);
        return request;
    }

    /// nullptr where it is answered already, or was never asked.
    What* find(RequestId request) {
        const std::uint64_t at = request.value - first_;
        return at < open_.size() && open_[at] ? &*open_[at] : nullptr;
    }

    /// The answer has come: what was remembered, which is forgotten now.
    std::optional<What> take(RequestId request) {
        if (!find(request)) return std::nullopt;
        auto taken = std::exchange(open_[request.value - first_], std::nullopt);
        while (!open_.empty() && !open_.front()) {
            open_.pop_front();
            ++first_;
        }
        return taken;
    }

    bool anyOpen() const { return !open_.empty(); }
    /// From the oldest open one to the newest: what they cost, an answered one in between included.
    std::size_t span() const { return open_.size(); }

  private:
    std::deque<std::optional<What>> open_;  ///< the front one is open
    std::uint64_t first_ = 1;               ///< id of open_.front()
};

}  // namespace busbar
