// What the store kept, back in memory.
#include "bus/core/broker_impl.h"
#include "bus/core/rows.h"

#include <algorithm>
#include <cstring>
#include <limits>

namespace busbar {
namespace {

constexpr std::size_t kOperationsAtATime = 10'000;

}  // namespace

void Broker::Impl::onRow(Table table, std::string_view key, std::string_view value) {
    switch (table) {
        case Table::instance:
            if (key == rows::kInstanceName) {
                options_.instance = value;
                instanceStored_ = true;
            } else if (key == rows::kIdsReserved && value.size() == 8) {
                std::memcpy(&idsReserved_, value.data(), 8);
                nextStoredId_ = std::max(nextStoredId_, idsReserved_);
            } else if (key.starts_with(rows::kGroupPrefix)) {
                groupStates_[std::string(key)] = value;
            } else if (key.starts_with(rows::kLinkPrefix)) {
                linkMemory_.recover(key, value);
            } else if (key.starts_with(rows::kServicePrefix)) {
                calls_.defineService(std::string(key.substr(rows::kServicePrefix.size())));
            }
            return;
        case Table::queues:
        case Table::subscriptions: {
            auto definition = rows::readDefinition(table, key, value);
            BUSBAR_CHECK(definition, "a stored queue definition makes no sense");
            nextQueueId_ = definition->id.value;
            const bool templates = definition->name == rows::kTemplates;
            Queue& q =
                definition->subscription
                    ? makeSubscription(std::move(*definition->subscription), definition->name, true)
                    : makeQueue(templates ? QueueKind::schedules : QueueKind::queue,
                                definition->name);
            if (templates) templates_ = &q;
            q.options = definition->options;
            q.rowSent = q.rowStored = true;
            maxQueueId_ = std::max(maxQueueId_, q.id.value);
            return;
        }
        case Table::dedup:
            if (auto outcome = DedupMemory::decode(value))
                dedup_.remember(std::string(key), std::move(*outcome));
            return;
        case Table::calls:
            if (auto call = CallTable::decode(value)) {
                call->correlationId = key;
                calls_.add(std::move(*call));
            }
            return;
        case Table::failures: {
            auto known = rows::readFailures(key, value);
            if (known) failures_.push_back(std::move(*known));
            return;
        }
        case Table::producers:
            if (auto last = ProducerMemory::decode(value))
                producers_.set(std::string(key), std::move(*last));
            return;
        case Table::prepared:
            return recoverBranch(key, value);
        case Table::schedules:
            return recoverSchedule(key, value);
        case Table::users:
            return;
    }
}

void Broker::Impl::onMessage(const MessageSummary& message, std::span<const Entry> entries) {
    const StoredId id = message.id;
    nextStoredId_ = std::max(nextStoredId_, id.value + 1);
    for (const Entry& known : entries) {
        if (!recovered_ || recovered_->id != known.queue) recovered_ = queue(known.queue);
        if (!message.persistent || !recovered_ || recovered_->options.keep == Keep::memory) {
            // The last process had put it on the disk for want of memory; it has ended.
            leftovers_.push_back(RemoveEntry{known.queue, id});
            continue;
        }
        Queue& q = *recovered_;
        QueueEntry entry;
        entry.id = id;
        entry.bytes = static_cast<std::uint32_t>(
            std::min<std::uint64_t>(message.bytes + sizeof(Message) + message.bodyBytes,
                                    std::numeric_limits<std::uint32_t>::max()));
        entry.deliveryCount = known.deliveryCount;
        entry.expiration = message.expiration;
        entry.due = known.deliverAt != WallTime{} ? known.deliverAt : message.deliverAt;
        if (&q == templates_) entry.due = WallTime::max();  // no timer: schedules have their own
        entry.state = entry.due != WallTime{} ? EntryState::delayed : EntryState::ready;
        entry.stored = true;
        q.bytes += entry.bytes;
        if (!expected_.empty() && recoverPrepared(q, entry, message.priority)) continue;
        ++q.stats.in;
        q.stats.idsIn += id.value;
        const WallTime due = entry.due;
        const EntryPlace place = q.messages.append(message.priority, std::move(entry));
        if (&q == templates_)
            recoverTemplate(id, place);
        else if (due != WallTime{})
            entryTimers_.add(due, {EntryTimer::Kind::deliver, q.id, place, id});
        noteExpiration(q, place);
        q.messages.packCold();
    }
}

void Broker::Impl::start(Now now, Step& step) {
    begin(now, step);
    recovered_ = nullptr;
    nextQueueId_ = std::max(maxQueueId_ + 1, nextQueueId_);
    nextSweep_ = now.steady;
    dedup_.sort();
    endRecoveryOfBranches();
    for (rows::KnownFailures& known : std::exchange(failures_, {})) {
        Queue* q = queue(known.queue);
        if (q && q->messages.findId(known.message))
            q->failures[known.message] = std::move(known.failures);
        else
            lazily(EraseRow{Table::failures, rows::entryKey(known.queue, known.message)});
    }
    for (auto& operation : std::exchange(leftovers_, {})) {
        lazily(std::move(operation));
        if (lazy_.size() >= kOperationsAtATime) flushLazy();
    }
    if (!instanceStored_) {
        lazilyApart(PutRow{Table::instance, std::string(rows::kInstanceName), options_.instance});
    }
    reserveIds();
    startSchedules();
    for (auto& [id, q] : queues_) {
        if (q->subscription) q->subscription->unusedSince = now.steady;
        q->rates.at = now.steady;
        q->rates.in = q->stats.in;
        updateOldest(*q);  // its age is asked for
    }
    runTimers();
    end();
}

}  // namespace busbar
