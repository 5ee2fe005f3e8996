// Entries between arriving and leaving; settlement, redelivery.
#include "bus/core/broker_impl.h"

#include <algorithm>

namespace busbar {

// ---- entries ----

/// A message that was on its way to the disk has arrived there: it may be seen.
void Broker::Impl::activate(Queue& q, EntryPlace place) {
    if (&q == templates_) return;  // rests when its schedule does
    const QueueEntry& entry = q.messages.at(place);
    if (memory_ > options_.memoryMax / 4 * 3) fresh_.push_back({q.id, place});
    noteExpiration(q, place);
    if (entry.due > now_.wall) return delayUntil(q, place, entry.due);
    becomeReady(q, place);
}

void Broker::Impl::noteExpiration(Queue& q, EntryPlace place) {
    const QueueEntry& entry = q.messages.at(place);
    if (entry.expiration == WallTime{} || !q.messages.noteExpiration(place)) return;
    entryTimers_.add(entry.expiration, {EntryTimer::Kind::expire, q.id, place, {}});
}

void Broker::Impl::delayUntil(Queue& q, EntryPlace place, WallTime due) {
    QueueEntry& entry = q.messages.at(place);
    entry.due = due;
    const StoredId id = entry.id;
    q.messages.setState(place, EntryState::delayed);
    entryTimers_.add(due, {EntryTimer::Kind::deliver, q.id, place, id});
}

/// It may be handed out; whoever looks for messages like it is told.
void Broker::Impl::becomeReady(Queue& q, EntryPlace place) {
    QueueEntry& entry = q.messages.at(place);
    entry.due = WallTime{};
    Group* group = groupDelayOver(q, entry.id);
    if (group && !group->taken() && group->owner && !group->owner->parked.empty())
        return parkFor(q, place, *group->owner);
    q.messages.setState(place, EntryState::ready);
    auto& groupsFrom = q.groupsFrom[place.priority];
    groupsFrom = std::min(groupsFrom, place.position);
    markDirty(q);
    wake(q, q.everything());
    bool missed = false;
    for (const auto& scanner : q.scanners) {
        if (place.position < scanner->next[place.priority]) {
            if (entry.message)
                classify(q, *scanner, place, *entry.message);
            else
                missed = true;
            continue;
        }
        scanner->behind = true;
        if (scanner->only) wake(q, *scanner->only);
    }
    if (missed) q.unclassified.push_back(place);
}

/// Back to its place, now or after a delay.
void Broker::Impl::makeReady(Queue& q, EntryPlace place, Milliseconds delay) {
    if (&q == templates_) return;  // rests when its schedule does
    noteExpiration(q, place);
    QueueEntry& entry = q.messages.at(place);
    if (entry.unreadable) {
        entry.due = WallTime::max();
        return q.messages.setState(place, EntryState::delayed);
    }
    if (delay <= Milliseconds(0)) return becomeReady(q, place);
    entry.due = WallTime{};
    const StoredId id = entry.id;
    q.messages.setState(place, EntryState::delayed);
    steadyTimers_.add(after(now_.steady, delay),
                      {SteadyTimer::Kind::redeliver, q.id, place, id.value, {}});
}

/// The entry is gone as if it had never come.
void Broker::Impl::removeUncounted(Queue& q, EntryPlace place) {
    QueueEntry& entry = q.messages.at(place);
    removeFromMemory(q, entry);
    q.bytes -= entry.bytes;
    q.messages.erase(place);
    if (!q.blocked.empty()) markDirty(q);
}

/// The entry is gone from memory, and counted.
void Broker::Impl::eraseEntry(Queue& q, EntryPlace place, Leaving leaving) {
    QueueEntry& entry = q.messages.at(place);
    const StoredId id = entry.id;
    removeFromMemory(q, entry);
    q.bytes -= entry.bytes;
    q.stats.idsGone += id.value;
    q.messages.erase(place);
    groupDelayOver(q, id);
    if (!q.failures.empty()) forgetFailures(q, id);
    if (!q.blocked.empty()) markDirty(q);
    switch (leaving) {
        case Leaving::out:
            ++q.stats.out;
            break;
        case Leaving::expired:
            ++q.stats.expired;
            break;
        case Leaving::dead:
            ++q.stats.dead;
            break;
        case Leaving::purged:
            ++q.stats.purged;
            break;
        case Leaving::moved:
            ++q.stats.moved;
            break;
        case Leaving::evicted:
            ++q.stats.evicted;
            break;
    }
}

/// The entry is gone, from the store too; nobody waits for that.
void Broker::Impl::leave(Queue& q, EntryPlace place, Leaving leaving) {
    const QueueEntry& entry = q.messages.at(place);
    if (entry.stored) lazily(RemoveEntry{q.id, entry.id});
    eraseEntry(q, place, leaving);
}

// ---- settlement ----

/// The delivery, where `holder` holds it and no commit is settling it.
HeldDelivery* Broker::Impl::heldBy(DeliveryId id, SessionId holder) {
    HeldDelivery* held = ledger_.find(id);
    if (!held || held->session != holder) return nullptr;
    return queue(held->queue)->messages.at(held->place).state == EntryState::held ? held : nullptr;
}

/// Whose deliveries a command means: another session's only for the same user.
SessionId Broker::Impl::holderOf(SessionId own, SessionId holder) const {
    if (!holder || holder == own) return own;
    const auto mine = sessions_.find(own);
    const auto other = sessions_.find(holder);
    if (mine == sessions_.end() || other == sessions_.end()) return SessionId();
    return mine->second->user == other->second->user ? holder : SessionId();
}

void Broker::Impl::giveBackCredit(const HeldDelivery& held) {
    if (!held.consumer || held.lapsed) return;
    Session* s = session(held.session);
    if (!s) return;
    const auto found = s->consumers.find(held.consumer);
    if (found == s->consumers.end() || !found->second->windowed) return;
    ++found->second->credit;
    offer(*found->second);
}

/// The session no longer holds it.
void Broker::Impl::letGo(HeldDelivery& held) {
    giveBackCredit(held);
    Queue* q = queue(held.queue);
    Group* group = held.group;
    if (Session* s = session(held.session)) ledger_.detach(s->held, held);
    ledger_.release(held);
    if (q && group) groupSettled(*q, *group);
}

void Broker::Impl::returnToQueue(HeldDelivery& held, bool countIt, Milliseconds delay,
                                 const std::string& reason) {
    Queue& q = *queue(held.queue);
    const EntryPlace place = held.place;
    QueueEntry& entry = q.messages.at(place);
    Group* group = held.group;
    const StoredId id = entry.id;
    if (countIt) noteFailure(q, entry, reason);
    if (!countIt) --entry.deliveryCount;
    const bool last =
        countIt && q.options.deliveriesMax && entry.deliveryCount >= q.options.deliveriesMax;
    if (last && !(group && q.options.parkFailedGroups)) {
        letGo(held);
        return deadLetter(q, place, "deliveries", reason);
    }
    if (countIt && entry.stored) lazily(SetEntry{q.id, id, entry.deliveryCount, WallTime{}});
    const auto& delays = q.options.redeliveryDelays;
    if (countIt && delay == Milliseconds(0) && !delays.empty())
        delay = delays[std::min<std::size_t>(entry.deliveryCount, delays.size()) - 1];
    if (group && last) {
        group->paused = true;
        notice(Notice::Level::warning, q.name,
               "group '" + group->name + "' is paused: message " + std::to_string(id.value) +
                   " failed " + std::to_string(entry.deliveryCount) + " times: " + reason);
    } else if (group && delay > Milliseconds(0)) {
        groupDelayed(q, id, *group);
    }
    // First to its place, then what waited behind it may go.
    const bool blocked = group && last;
    const bool queued = group && group->owner && !group->owner->parked.empty();
    if (blocked)
        park(q, place, group->parked);
    else if (queued && delay <= Milliseconds(0) && !entry.unreadable)
        parkFor(q, place, *group->owner);  // before what waits for the consumer already
    else
        makeReady(q, place, delay);
    if (blocked || queued) noteExpiration(q, place);
    letGo(held);
}

void Broker::Impl::settle(HeldDelivery& held, const Settle& c) {
    Queue& q = *queue(held.queue);
    const EntryPlace place = held.place;
    switch (c.outcome) {
        case Outcome::accepted:
            letGo(held);
            return leave(q, place, Leaving::out);
        case Outcome::released:
            return returnToQueue(held, false, c.delay, c.reason);
        case Outcome::failed:
            return returnToQueue(held, true, c.delay, c.reason);
        case Outcome::rejected:
            if (q.isDeadLetters()) return returnToQueue(held, true, c.delay, c.reason);
            noteFailure(q, q.messages.at(place), c.reason);
            letGo(held);
            return deadLetter(q, place, "rejected", c.reason);
        case Outcome::expired:
            letGo(held);
            return expire(q, place);
    }
}

void Broker::Impl::on(Settle& c) {
    if (!require(c.session, c.request)) return;
    const SessionId holder = holderOf(c.session, c.holder);
    Session* const s = session(holder);
    if (s && c.upTo) {
        ledger_.forEachOf(s->held, [&](const HeldDelivery& held) {
            if (held.id <= c.upTo && (!c.upToConsumer || held.consumer == c.upToConsumer) &&
                heldBy(held.id, holder))
                c.deliveries.push_back(held.id);
        });
        addLapsed(*s, c);
    }
    const std::uint64_t unitsBefore = nextSequence_;
    std::size_t lost = 0;
    DeliveryId firstLost;
    bool synced = false;
    for (const DeliveryId id : c.deliveries) {
        if (HeldDelivery* held = heldBy(id, holder)) {
            synced |= queue(held->queue)->options.keep == Keep::synced;
            if (c.holder && held->consumer) emit(LeaseEnded{holder, held->consumer, id, false});
            settle(*held, c);
        } else if (lost++ == 0) {
            firstLost = id;
        }
    }
    if (s && lost > 0) endLapsed(*s, c.deliveries);
    if (!c.request) return;
    std::optional<Error> error;
    if (lost > 0) {
        error = Error{
            ErrorCode::lockLost,
            std::to_string(lost) + " of " + std::to_string(c.deliveries.size()) +
                " deliveries are not held any more (first: " + std::to_string(firstLost.value) +
                "): settled before, the lease ran out, or the connection was lost"};
    }
    Completed done{c.session, c.request, std::move(error), {}, c.deliveries.size() - lost, false};
    if (lazy_.empty() && nextSequence_ != unitsBefore && !inFlight_.empty()) {
        inFlight_.back().behind.push_back(std::move(done));  // a dead letter is on its way
        return;
    }
    Draft draft = newDraft();
    draft.unit.operations = std::exchange(lazy_, {});
    draft.effects.push_back(std::move(done));
    finish(std::move(draft), synced ? Durability::fsync : Durability::os);
}

}  // namespace busbar
