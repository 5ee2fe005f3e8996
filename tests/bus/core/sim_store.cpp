#include "tests/bus/core/sim_store.h"

#include "bus/base/check.h"

#include <algorithm>

namespace busbar::test {
namespace {

bool adds(const UnitOfWork& unit) {
    return std::any_of(unit.operations.begin(), unit.operations.end(), [](const Operation& o) {
        const auto* row = std::get_if<PutRow>(&o);
        return std::holds_alternative<AddMessage>(o) ||
               (row && (row->table != Table::instance || row->value.size() > 1024));
    });
}

}  // namespace

void StoreContent::apply(const UnitOfWork& unit) {
    for (const Operation& operation : unit.operations) {
        if (const auto* add = std::get_if<AddMessage>(&operation)) {
            Stored& stored = messages[add->id];
            BUSBAR_CHECK(stored.entries.empty(), "a stored id was given twice");
            stored.message = add->message;
            for (const QueueId q : add->queues) stored.entries[q] = {};
        } else if (const auto* gone = std::get_if<RemoveEntry>(&operation)) {
            const auto found = messages.find(gone->id);
            BUSBAR_CHECK(found != messages.end() && found->second.entries.erase(gone->queue) == 1,
                         "removed an entry that is not stored");
            if (found->second.entries.empty()) messages.erase(found);
        } else if (const auto* set = std::get_if<SetEntry>(&operation)) {
            const auto found = messages.find(set->id);
            BUSBAR_CHECK(found != messages.end() && found->second.entries.contains(set->queue),
                         "changed an entry that is not stored");
            found->second.entries[set->queue] = {set->queue, set->deliveryCount, set->deliverAt};
        } else if (const auto* put = std::get_if<PutRow>(&operation)) {
            rows[{put->table, put->key}] = put->value;
        } else if (const auto* erase = std::get_if<EraseRow>(&operation)) {
            rows.erase({erase->table, erase->key});
        }
    }
}

void StoreContent::tell(RecoveryListener& listener) const {
    for (const auto& [key, value] : rows) listener.onRow(key.first, key.second, value);
    for (const auto& [id, stored] : messages) {
        std::vector<RecoveryListener::Entry> entries;
        for (const auto& [queue, entry] : stored.entries)
            entries.push_back({queue, entry.deliveryCount, entry.deliverAt});
        const Message& m = *stored.message;
        listener.onMessage({id, static_cast<std::uint32_t>(m.body.size() + 100), m.priority,
                            m.persistent, m.expiration, m.deliverAt, m.large ? m.large->size : 0},
                           entries);
    }
}

std::vector<StoredMessage> SimStore::answer(std::size_t count) {
    std::vector<StoredMessage> out;
    for (; count > 0 && !reads_.empty(); --count) {
        const StoredId id = reads_.front();
        reads_.pop_front();
        if (corrupt_.contains(id)) {
            out.push_back({id, nullptr, Error{ErrorCode::storageCorrupt, "bad checksum"}});
            continue;
        }
        // What was appended but is not synced can be read too.
        StoreContent all;
        const StoreContent* from = &content_;
        if (!content_.messages.contains(id)) {
            for (const auto& unit : waiting_) {
                for (const Operation& operation : unit.unit.operations) {
                    const auto* add = std::get_if<AddMessage>(&operation);
                    if (add && add->id == id) all.messages[id].message = add->message;
                }
            }
            from = &all;
        }
        const auto found = from->messages.find(id);
        StoredMessage read{id, nullptr, std::nullopt};
        if (found != from->messages.end()) {
            // A copy: what is compared later must not be the same object by chance.
            read.message = std::make_shared<Message>(*found->second.message);
        }
        out.push_back(std::move(read));
    }
    return out;
}

void SimStore::shuffleReads(std::mt19937_64& random) {
    std::shuffle(reads_.begin(), reads_.end(), random);
}

void SimStore::append(std::vector<NumberedUnit> units) {
    for (auto& unit : units) {
        BUSBAR_CHECK(unit.sequence.value == expected_++, "units of work out of order");
        waiting_.push_back(std::move(unit));
    }
}

StoreProgress SimStore::sync(std::size_t count) {
    StoreProgress progress;
    for (; count > 0 && !waiting_.empty(); --count) {
        const NumberedUnit unit = std::move(waiting_.front());
        waiting_.pop_front();
        progress.done = unit.sequence;
        if (full_ && adds(unit.unit)) {
            progress.refused.emplace_back(unit.sequence,
                                          Error{ErrorCode::storageFull, "the disk is full"});
        } else {
            content_.apply(unit.unit);
        }
    }
    return progress;
}

void SimStore::forgetWaiting() {
    waiting_.clear();
    reads_.clear();
    expected_ = 1;
}

void SimStore::crash(std::mt19937_64& random) {
    const std::size_t survives = full_ ? 0 : random() % (waiting_.size() + 1);
    for (std::size_t i = 0; i < survives; ++i) content_.apply(waiting_[i].unit);
    forgetWaiting();
}

}  // namespace busbar::test
