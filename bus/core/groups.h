// Message groups: whose messages must stay together and in order?
#pragma once

#include "bus/core/distributor.h"

#include <optional>
#include <set>
#include <string>
#include <unordered_map>

namespace busbar {

/// One value of JMSXGroupID on one queue. Its messages go to one consumer, in order. While somebody
/// else has messages of it in hands (a closing group, a lease, a commit on its way), while one of
/// them waits for its redelivery, or while it is paused, what follows waits in `parked`.
struct Group {
    struct Member {
        SessionId session;
        ConsumerId consumer;
    };

    std::string name;
    Consumer* owner = nullptr;
    std::uint32_t outstanding = 0;  ///< handed out, not settled
    std::uint32_t delayed = 0;      ///< failed ones that wait to be tried again
    bool leased = false;            ///< what is outstanding is under leases
    bool closing = false;           ///< its last message (JMSXGroupSeq < 0) was handed out
    bool paused = false;
    bool fresh = false;            ///< has a new owner that got nothing of it yet
    std::optional<Member> lostBy;  ///< who had it, stands by now, and still holds some of it
    std::set<EntryPlace> parked;   ///< while nobody may have them

    bool blocked() const { return paused || delayed > 0; }
    /// Nobody may have more of it now.
    bool taken() const { return blocked() || leased || closing || (!owner && outstanding > 0); }
    bool idle() const { return outstanding == 0 && delayed == 0 && parked.empty() && !paused; }
    /// Nothing of it waits, also not for its consumer.
    bool forgettable() const { return idle() && (!owner || owner->parked.empty()); }
};

/// The groups of one queue. Groups keep their address until they are forgotten. A group of which
/// nothing is outstanding may be forgotten without harm but for its stickiness: that is how a group
/// key per message costs no memory.
class Groups {
  public:
    Group& get(const std::string& name) {
        Group& group = groups_[name];
        if (group.name.empty()) group.name = name;
        return group;
    }
    Group* find(const std::string& name) {
        const auto found = groups_.find(name);
        return found == groups_.end() ? nullptr : &found->second;
    }
    void erase(Group& group) { groups_.erase(std::string(group.name)); }
    std::size_t size() const { return groups_.size(); }
    /// Where there are more than `max`: forgets the idle ones, after `visit(group)`.
    template <class Visit>
    void trim(std::size_t max, Visit visit) {
        if (groups_.size() <= std::max(max, trimAt_)) return;
        std::erase_if(groups_, [&](const auto& named) {
            if (!named.second.forgettable()) return false;
            visit(named.second);
            return true;
        });
        trimAt_ = groups_.size() * 2;
    }
    template <class Visit>
    void forEach(Visit visit) {
        for (auto& [name, group] : groups_) visit(group);
    }

  private:
    std::unordered_map<std::string, Group> groups_;
    std::size_t trimAt_ = 0;
};

}  // namespace busbar
