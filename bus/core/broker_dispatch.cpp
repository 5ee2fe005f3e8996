// Who gets which message: hand-out to consumers and to those that fetch.
#include "bus/core/broker_impl.h"

#include <algorithm>

namespace busbar {
void Broker::Impl::markDirty(Queue& q) {
    if (q.dirty) return;
    q.dirty = true;
    dirty_.push_back(q.id);
}

void Broker::Impl::dispatchDirty() {
    for (std::size_t i = 0; i < dirty_.size(); ++i) {  // dispatch may make other queues dirty
        Queue* q = queue(dirty_[i]);
        if (!q) continue;
        if (more_ && looks_ <= 0) {  // the budget is used up: the rest goes on in the next step
            dirty_.erase(dirty_.begin(), dirty_.begin() + static_cast<std::ptrdiff_t>(i));
            return;
        }
        q->dirty = false;
        if (!q->blocked.empty()) roomMade(*q);
        if (q->options.messagesMax || q->options.bytesMax) watchLimits(*q);
        dispatch(*q);
        if (!q->receives.empty()) finishReceives(*q);
        if (!q->draining.empty()) finishDrains(*q);
        q->messages.packCold();
    }
    dirty_.clear();
}

/// The next message that may be handed out; expired ones are put away on the way.
std::optional<EntryPlace> Broker::Impl::nextLive(Queue& q) {
    while (auto place = q.messages.nextReady()) {
        const WallTime expiration = q.messages.at(*place).expiration;
        if (expiration == WallTime{} || expiration > now_.wall) return place;
        expire(q, *place);
    }
    return std::nullopt;
}

void Broker::Impl::dispatch(Queue& q) {
    if (!q.scanners.empty()) {
        classifyReturned(q);
        scanIndexes(q);
    }
    if (!q.receives.empty()) serveReceives(q);
    for (;;) {
        if (!q.parkedTurn.empty()) serveParked(q);
        View* view = nextView(q);
        if (!view) return;
        const auto place = nextFor(q, *view);
        if (!place && more_ && looks_ <= 0) return;
        if (!place) continue;
        if (!q.messages.at(*place).message) {
            if (view->selector) {
                fetchWanted(q, *view, view->matches);
                continue;
            }
            fetchAhead(q, *place);
            view->dry = true;
            refreshStanding(q, *view);
            continue;
        }
        Group* group = nullptr;
        if (Consumer* consumer = consumerFor(q, *view, *place, group))
            give(q, *place, *consumer, group);
    }
}

/// Consumers that have credit again get first what waited for them.
void Broker::Impl::serveParked(Queue& q) {
    while (!q.parkedTurn.empty()) {
        Consumer& consumer = *q.parkedTurn.back();
        if (!consumer.listed || consumer.parked.empty()) {
            q.parkedTurn.pop_back();
            continue;
        }
        const EntryPlace place = *consumer.parked.begin();
        const QueueEntry* entry = q.messages.find(place);
        if (!entry || entry->state != EntryState::parked) {
            consumer.parked.erase(consumer.parked.begin());
            continue;
        }
        if (!entry->message) {
            if (!entry->loading) fetch(q, place);
            q.parkedTurn.pop_back();  // wakeAll lists it again
            continue;
        }
        consumer.parked.erase(consumer.parked.begin());
        if (entry->expiration != WallTime{} && entry->expiration <= now_.wall) {
            expire(q, place);
            continue;
        }
        Group& group = q.groups.get(entry->message->groupId);
        if (group.taken())
            group.parked.insert(place);
        else if (group.owner != &consumer)
            becomeReady(q, place);  // the group was closed or forgotten: it is anybody's
        else
            give(q, place, consumer, &group);
    }
}

/// Who of the view's consumers gets this message. A message of a group that another one has is put
/// aside for that one, or until the group is free.
Consumer* Broker::Impl::consumerFor(Queue& q, View& view, EntryPlace place, Group*& group) {
    Consumer& turn = view.distributor.first();
    const Message& message = *q.messages.at(place).message;
    if (message.groupId.empty()) return &turn;
    Group& g = q.groups.get(message.groupId);
    if (g.taken()) {
        park(q, place, g.parked);
        return nullptr;
    }
    if (g.owner && g.owner->view->selector && !g.owner->view->selector->matches(message))
        return &turn;  // the group's consumer does not want it: it belongs to the group by name
                       // only
    group = &g;
    if (!g.owner) {
        g.owner = &turn;
        g.fresh = true;
        return &turn;
    }
    if (g.owner->listed && g.owner->parked.empty()) return g.owner;
    parkFor(q, place, *g.owner);
    return nullptr;
}

/// Puts a message aside for the consumer that has its group.
void Broker::Impl::parkFor(Queue& q, EntryPlace place, Consumer& owner) {
    park(q, place, owner.parked);
    if (!owner.listed) return;
    q.parkedTurn.push_back(&owner);
    markDirty(q);
}

void Broker::Impl::give(Queue& q, EntryPlace place, Consumer& consumer, Group* group) {
    consumer.view->distributor.take(consumer, q.turns);
    refreshStanding(q, *consumer.view);
    if (consumer.ackMode == AckMode::none) return handOutUnheld(q, place, consumer, group);
    Session& s = *session(consumer.session);
    const Milliseconds lease = consumer.lease > Milliseconds(0) ? consumer.lease : q.options.lease;
    Delivery delivery = handOut(q, place, s, consumer.id, lease, group);
    if (!delivery.lease) delivery.fencingToken = consumer.fencingToken;
    emit(Delivered{consumer.session, consumer.id, std::move(delivery)});
}

Delivery Broker::Impl::handOut(Queue& q, EntryPlace place, Session& s, ConsumerId consumer,
                               Milliseconds lease, Group* group) {
    QueueEntry& entry = q.messages.at(place);
    q.messages.setState(place, EntryState::held);
    if (++entry.deliveryCount > 1) ++q.stats.redelivered;
    ++deliveries_;
    HeldDelivery held;
    held.queue = q.id;
    held.place = place;
    held.session = s.id;
    held.consumer = consumer;
    held.group = group;
    HeldDelivery& added = ledger_.add(s.held, held);
    Delivery delivery{added.id, entry.message, entry.deliveryCount, entry.id};
    if (lease > Milliseconds(0)) grantLease(q, added, lease, delivery);
    if (group) {
        delivery.firstOfGroup = std::exchange(group->fresh, false);
        ++group->outstanding;
        if (entry.message->groupSequence < 0) group->closing = true;
    }
    readAhead(q, place);
    if (memory_ > options_.memoryMax && entry.stored) removeFromMemory(q, entry);
    return delivery;
}

/// At most once: gone, durably, before it is handed out.
void Broker::Impl::handOutUnheld(Queue& q, EntryPlace place, Consumer& consumer, Group* group) {
    const QueueEntry& entry = q.messages.at(place);
    ++deliveries_;
    Delivered delivered{consumer.session, consumer.id,
                        Delivery{DeliveryId(), entry.message, entry.deliveryCount + 1, entry.id,
                                 consumer.fencingToken, false}};
    const bool closes = group && entry.message->groupSequence < 0 && group->outstanding == 0;
    std::optional<GroupRevoked> revoked;
    if (group) delivered.delivery.firstOfGroup = std::exchange(group->fresh, false);
    if (closes) {
        revoked = GroupRevoked{consumer.session, consumer.id, group->name};
        closeGroup(q, *group);
    }
    const SessionId owner = consumer.session;
    readAhead(q, place);
    if (entry.stored) {
        Draft draft = newDraft();
        draft.unit.operations.push_back(RemoveEntry{q.id, entry.id});
        draft.effects.push_back(std::move(delivered));
        if (revoked) draft.effects.push_back(std::move(*revoked));
        q.messages.setState(place, EntryState::settling);
        draft.removals.push_back({q.id, place, Leaving::out, DeliveryId(), true});
        finish(std::move(draft),
               q.options.keep == Keep::written ? Durability::os : Durability::fsync);
        if (!inFlight_.empty()) consumer.unheldUnit = inFlight_.back().sequence;
    } else if (Draft* before = inFlight(consumer.unheldUnit)) {
        // What was given before waits for the disk: this one does not pass it.
        before->effects.push_back(std::move(delivered));
        if (revoked) before->effects.push_back(std::move(*revoked));
        q.messages.setState(place, EntryState::settling);
        before->removals.push_back({q.id, place, Leaving::out, DeliveryId(), false});
    } else {
        emit(std::move(delivered));
        if (revoked) emit(std::move(*revoked));
        leave(q, place, Leaving::out);
    }
    if (consumer.windowed && session(owner)) {
        ++consumer.credit;
        offer(consumer);
    }
}

}  // namespace busbar
