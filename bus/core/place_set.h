// Which places, in order? Made for what a queue does: they come nearly ascending, and go from the
// front.
#pragma once

#include "bus/core/message_list.h"

#include <algorithm>
#include <set>
#include <vector>

namespace busbar {

/// Places in the order of delivery. What comes behind all that is here, as nearly all does, is 16
/// bytes in a vector; what comes between (a message that was returned, one of a higher priority)
/// is a node in a tree. A place that was put in twice may be met twice; popFront() takes both.
class PlaceSet {
  public:
    /// False where it is known to be here already.
    bool insert(EntryPlace place) {
        if (head_ == run_.size()) {
            run_.clear();
            head_ = 0;
        } else if (place == run_.back()) {
            return false;
        } else if (place < run_.back()) {
            return strays_.insert(place).second;
        }
        run_.push_back(place);
        return true;
    }

    bool empty() const { return head_ == run_.size() && strays_.empty(); }
    std::size_t size() const { return run_.size() - head_ + strays_.size(); }

    /// The first one; there must be one.
    EntryPlace front() const {
        if (strays_.empty()) return run_[head_];
        if (head_ == run_.size()) return *strays_.begin();
        return std::min(run_[head_], *strays_.begin());
    }
    void popFront() {
        const EntryPlace place = front();
        if (!strays_.empty() && *strays_.begin() == place) strays_.erase(strays_.begin());
        if (head_ == run_.size() || !(run_[head_] == place)) return;
        ++head_;
        if (head_ < kSlack || head_ * 2 < run_.size()) return;
        run_.erase(run_.begin(), run_.begin() + static_cast<std::ptrdiff_t>(head_));
        head_ = 0;
    }

    /// Calls `visit(place)`, in order, as long as it returns true.
    template <class Visit>
    void each(Visit visit) const {
        auto stray = strays_.begin();
        for (std::size_t i = head_; i < run_.size(); ++i) {
            for (; stray != strays_.end() && *stray < run_[i]; ++stray) {
                if (!visit(*stray)) return;
            }
            if (!visit(run_[i])) return;
        }
        for (; stray != strays_.end(); ++stray) {
            if (!visit(*stray)) return;
        }
    }

    template <class Unwanted>
    void eraseIf(Unwanted unwanted) {
        run_.erase(run_.begin(), run_.begin() + static_cast<std::ptrdiff_t>(head_));
        head_ = 0;
        std::erase_if(run_, unwanted);
        run_.shrink_to_fit();
        std::erase_if(strays_, unwanted);
    }

  private:
    static constexpr std::size_t kSlack = 64;

    std::vector<EntryPlace> run_;  ///< ascending; what is before head_ has gone
    std::size_t head_ = 0;
    std::set<EntryPlace> strays_;
};

}  // namespace busbar
