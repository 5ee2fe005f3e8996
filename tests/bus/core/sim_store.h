// A disk for simulations: keeps units of work, forgets the unsynced tail in a crash, can be full.
#pragma once

#include "bus/store/store.h"

#include <deque>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace busbar::test {

/// What the units amount to; the durable truth after a crash.
struct StoreContent {
    struct Stored {
        MessagePtr message;
        std::map<QueueId, RecoveryListener::Entry> entries;
    };
    std::map<StoredId, Stored> messages;
    std::map<std::pair<Table, std::string>, std::string> rows;

    void apply(const UnitOfWork& unit);
    void tell(RecoveryListener& listener) const;
};

class SimStore {
  public:
    void append(std::vector<NumberedUnit> units);
    bool idle() const { return waiting_.empty(); }
    std::size_t waiting() const { return waiting_.size(); }
    /// Syncs the first `count` waiting units (or all) and reports them.
    StoreProgress sync(std::size_t count);
    /// Asks for messages; answered by answer(), in order.
    void read(std::vector<StoredId> ids) {
        asked_ += ids.size();
        reads_.insert(reads_.end(), ids.begin(), ids.end());
    }
    /// How many messages were asked for so far.
    std::uint64_t asked() const { return asked_; }
    std::size_t reading() const { return reads_.size(); }
    std::vector<StoredMessage> answer(std::size_t count);
    /// Messages that cannot be read any more.
    void setCorrupt(StoredId id) { corrupt_.insert(id); }
    void clearCorrupt() { corrupt_.clear(); }
    /// Mixes up what is asked for: the store answers in any order.
    void shuffleReads(std::mt19937_64& random);
    const std::deque<NumberedUnit>& units() const { return waiting_; }
    /// Refuses units that add while set.
    void setFull(bool full) { full_ = full; }
    bool full() const { return full_; }
    /// Power loss: a random prefix of what waits has reached the disk by chance.
    void crash(std::mt19937_64& random);
    /// Power loss with nothing of what waits on the disk.
    void forgetWaiting();
    const StoreContent& content() const { return content_; }

  private:
    StoreContent content_;
    std::deque<NumberedUnit> waiting_;
    std::deque<StoredId> reads_;
    std::set<StoredId> corrupt_;
    std::uint64_t expected_ = 1;
    std::uint64_t asked_ = 0;
    bool full_ = false;
};

}  // namespace busbar::test
