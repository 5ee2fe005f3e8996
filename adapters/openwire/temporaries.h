// Which temporary destinations of others does the client know of?
#pragma once

#include "bus/message/destination.h"

#include <deque>
#include <optional>
#include <set>

namespace busbar::openwire {

/// A Java client refuses to send to a temporary destination that no advisory told it of. This
/// remembers of which it was told, the newest ones.
class KnownTemporaries {
  public:
    /// True where it is new. `forgotten`: the one that is not remembered any more for it.
    bool add(const Destination& destination, std::size_t max,
             std::optional<Destination>& forgotten) {
        if (!known_.insert(destination).second) return false;
        order_.push_back(destination);
        if (order_.size() > max) {
            known_.erase(order_.front());
            forgotten = std::move(order_.front());
            order_.pop_front();
        }
        return true;
    }

  private:
    std::set<Destination> known_;
    std::deque<Destination> order_;
};

}  // namespace busbar::openwire
