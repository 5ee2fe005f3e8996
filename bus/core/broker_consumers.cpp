// Consumers coming and going; which of them is served where one is exclusive.
#include "bus/core/broker_impl.h"

#include <algorithm>

namespace busbar {
namespace {

std::shared_ptr<const Selector> none() {
    return nullptr;
}

}  // namespace

void Broker::Impl::on(Subscribe& c) {
    Session* s = require(c.session, c.request);
    if (!s) return;
    const auto refuse = [&](Error error) { complete(c.session, c.request, std::move(error)); };
    if (s->consumers.contains(c.consumer)) {
        return refuse({ErrorCode::alreadyExists, "this consumer id is in use in this session"});
    }
    auto selector = none();
    if (c.selector.find_first_not_of(" \t\r\n") != std::string::npos) {
        auto parsed = Selector::parse(c.selector);
        if (!parsed) return refuse(parsed.error());
        selector = std::move(*parsed);
    } else {
        c.selector.clear();
    }
    if (c.lease < Milliseconds(0) || c.lease > kLeaseMax) {
        return refuse({ErrorCode::invalidArgument,
                       "a lease is at most 12 h, got " + std::to_string(c.lease.count()) + " ms"});
    }
    const bool alone = c.exclusive || (c.source.isTopic() && !c.durableName.empty() && !c.shared);
    if (c.exactlyOnce && !alone) {
        return refuse({ErrorCode::invalidArgument,
                       "exactly once needs a consumer that is alone: exclusive, or on a durable "
                       "subscription that is not shared"});
    }
    if (c.source.isTemporary() && !c.source.isTopic() && !queueNamed(c.source.name)) {
        return refuse({ErrorCode::notFound, "no temporary queue '" + c.source.name + "'"});
    }
    auto opened = c.source.isTopic() ? openSubscription(c, *s, selector) : openQueue(c.source.name);
    if (!opened) return refuse(opened.error());
    Queue& q = **opened;
    if (q.owner && q.owner != s->id) {
        return refuse({ErrorCode::notAuthorized,
                       "temporary queue '" + q.name +
                           "' can be consumed only by the connection that made it"});
    }
    if (c.exactlyOnce || c.resumes) acceptProcessed(q, c.processed, c.exactlyOnce ? "" : s->user);
    std::string inHands;
    for (const StoredId id : c.inHands) {
        if (!alone || !comesAgain(q, id)) continue;
        if (!inHands.empty()) inHands += ',';
        inHands += std::to_string(id.value);
    }
    auto made = std::make_unique<Consumer>();
    Consumer& consumer = *made;
    consumer.id = c.consumer;
    consumer.session = s->id;
    consumer.queue = &q;
    consumer.ackMode = c.ackMode;
    consumer.windowed = c.windowed;
    consumer.exclusive = c.exclusive && !q.subscription;
    consumer.priority = c.priority;
    consumer.lease = c.lease;
    consumer.credit = c.credit;
    consumer.window = c.windowed ? c.credit : 0;
    consumer.joined = ++nextTicket_;
    s->consumers.emplace(c.consumer, std::move(made));
    join(q, consumer, q.subscription ? none() : std::move(selector));
    Draft draft = newDraft();
    storeDefinition(q, draft);
    draft.subscriber = s->id;
    draft.subscribed = c.consumer;
    if (c.exactlyOnce || c.resumes) {
        for (auto& operation : std::exchange(lazy_, {}))
            draft.unit.operations.push_back(std::move(operation));
    }
    if (c.request)
        draft.effects.push_back(
            Completed{c.session, c.request, std::nullopt, std::move(inHands), 0, false});
    finish(std::move(draft), Durability::fsync);
}

/// What the consumer of an exactly-once subscription has done already, whatever the bus knows.
/// `heldBy`: not what sessions of other users hold; empty: whoever holds it.
void Broker::Impl::acceptProcessed(Queue& q, const std::vector<StoredId>& ids,
                                   const std::string& heldBy) {
    for (const StoredId id : ids) {
        const auto place = q.messages.findId(id);
        if (!place) continue;
        const EntryState state = q.messages.at(*place).state;
        if (state == EntryState::ready || state == EntryState::delayed ||
            state == EntryState::parked)
            leave(q, *place, Leaving::out);
        else if (state == EntryState::held)
            acceptHeld(q, *place, heldBy);
    }
}

/// Whether a message waits, or returns when who holds it is seen to be lost.
bool Broker::Impl::comesAgain(Queue& q, StoredId id) {
    const auto place = q.messages.findId(id);
    if (!place) return false;
    const EntryState state = q.messages.at(*place).state;
    return state == EntryState::ready || state == EntryState::delayed ||
           state == EntryState::parked || state == EntryState::held;
}

/// Settles what an earlier connection of the consumer, not seen to be lost yet, still holds.
void Broker::Impl::acceptHeld(Queue& q, EntryPlace place, const std::string& heldBy) {
    DeliveryId id;
    ledger_.forEach([&](const HeldDelivery& held) {
        if (held.queue == q.id && held.place == place) id = held.id;
    });
    HeldDelivery& held = *ledger_.find(id);
    const Session* holder = session(held.session);
    if (!heldBy.empty() && holder && holder->user != heldBy) return;
    letGo(held);
    leave(q, place, Leaving::out);
}

void Broker::Impl::join(Queue& q, Consumer& consumer, std::shared_ptr<const Selector> selector) {
    consumer.view = &viewFor(q, std::move(selector));
    ++consumer.view->members;
    consumer.view->window += consumer.window;
    consumer.view->eager += consumer.window == 0 ? 1 : 0;
    hurry(q, *consumer.view);
    q.consumers.push_back(&consumer);
    if (q.subscription) {
        q.subscription->unusedSince = SteadyTime{};
        q.subscription->warned = false;
    }
    consumer.standby = q.exclusive != nullptr;
    if (consumer.exclusive || consumer.standby) elect(q);
    offer(consumer);
    markDirty(q);
}

/// It may have credit: gives it its turn.
void Broker::Impl::offer(Consumer& consumer) {
    Queue& q = *consumer.queue;
    consumer.view->distributor.offer(consumer, q.turns);
    if (!consumer.listed) return;
    if (consumer.view->patient && !mayWait(*consumer.view)) hurry(q, *consumer.view);
    refreshStanding(q, *consumer.view);
    if (!consumer.parked.empty()) q.parkedTurn.push_back(&consumer);
    markDirty(q);
}

/// Decides which exclusive consumer is served. The one that is stays so until it goes.
void Broker::Impl::elect(Queue& q) {
    Consumer* chosen = q.exclusive;
    if (!chosen) {
        for (Consumer* c : q.consumers) {
            if (!c->exclusive) continue;
            if (!chosen || c->priority > chosen->priority ||
                (c->priority == chosen->priority && c->joined < chosen->joined))
                chosen = c;
        }
    }
    const bool changed = chosen != q.exclusive;
    q.exclusive = chosen;
    for (Consumer* c : q.consumers) {
        const bool standby = chosen && c != chosen;
        const bool told = c->standby != standby || (changed && c == chosen) ||
                          (c->exclusive && c->fencingToken == 0 && standby);
        c->standby = standby;
        if (c == chosen && changed) c->fencingToken = nextId().value;
        if (standby) {
            c->view->distributor.remove(*c);
            refreshStanding(q, *c->view);
            releaseGroups(q, *c);
        } else {
            offer(*c);
        }
        if (told)
            emit(ConsumerChanged{c->session, c->id, !standby, c == chosen ? c->fencingToken : 0});
    }
}

void Broker::Impl::leaveView(Queue& q, Consumer& consumer) {
    View& view = *consumer.view;
    view.distributor.remove(consumer);
    refreshStanding(q, view);
    std::erase(q.parkedTurn, &consumer);
    --view.members;
    view.window -= consumer.window;
    view.eager -= consumer.window == 0 ? 1 : 0;
    if (view.members == 0 && view.fetchers == 0 && view.selector) dropView(q, view);
}

void Broker::Impl::removeConsumer(Session& s, Consumer& consumer, Tried tried) {
    Queue& q = *consumer.queue;
    const ConsumerId id = consumer.id;
    endDrain(consumer);
    leaveView(q, consumer);
    std::erase(q.consumers, &consumer);
    const bool wasExclusive = q.exclusive == &consumer;
    if (wasExclusive) q.exclusive = nullptr;
    releaseGroups(q, consumer);
    s.consumers.erase(id);
    returnHeld(s, id, tried);
    if (wasExclusive) elect(q);
    if (!q.consumers.empty()) return;
    if (q.subscription) q.subscription->unusedSince = now_.steady;
    dropUnwanted(q);
}

/// A subscription that is not durable ends with its consumer, or with the commit that still has
/// messages of it.
void Broker::Impl::dropUnwanted(Queue& q) {
    const bool wanted = !q.subscription || q.durable || !q.consumers.empty();
    if (!wanted && q.messages.count(EntryState::settling) == 0) dropQueue(q);
}

void Broker::Impl::on(Unsubscribe& c) {
    Session* s = require(c.session, c.request);
    if (!s) return;
    const auto found = s->consumers.find(c.consumer);
    if (found == s->consumers.end()) {
        return complete(c.session, c.request,
                        Error{ErrorCode::notFound, "no such consumer in this session"});
    }
    removeConsumer(*s, *found->second, Tried::all);
    complete(c.session, c.request);
}

void Broker::Impl::on(AddCredit& c) {
    Session* s = session(c.session);
    if (!s) return;
    const auto found = s->consumers.find(c.consumer);
    if (found == s->consumers.end()) return;
    Consumer& consumer = *found->second;
    if (c.credit >= 0) {
        consumer.credit += std::min(static_cast<std::uint32_t>(c.credit),
                                    0x7fffffffu - std::min(consumer.credit, 0x7fffffffu));
        offer(consumer);
    } else {
        const auto less = static_cast<std::uint32_t>(-std::int64_t{c.credit});
        consumer.credit -= std::min(less, consumer.credit);
        if (consumer.credit == 0) withdraw(consumer);
    }
    if (!c.drain) return;
    if (consumer.drain) endDrain(consumer);  // asked twice: the first one is over
    consumer.drain = c.request;
    consumer.queue->draining.push_back(&consumer);
    hurry(*consumer.queue, *consumer.view);
    markDirty(*consumer.queue);
}

/// It has no turn any more.
void Broker::Impl::withdraw(Consumer& consumer) {
    consumer.view->distributor.remove(consumer);
    refreshStanding(*consumer.queue, *consumer.view);
}

/// Ends the drains of those for whom there is nothing (more) now.
void Broker::Impl::finishDrains(Queue& q) {
    for (Consumer* consumer : std::vector<Consumer*>(q.draining)) {
        const View& view = *consumer->view;
        const bool moreMayCome = view.scanner && view.scanner->behind;
        if (consumer->listed && (!view.dry || q.loads > 0 || moreMayCome)) continue;
        endDrain(*consumer);
    }
}

void Broker::Impl::endDrain(Consumer& consumer) {
    if (!consumer.drain) return;
    const RequestId request = *std::exchange(consumer.drain, std::nullopt);
    std::erase(consumer.queue->draining, &consumer);
    const std::uint32_t lapsed = std::exchange(consumer.credit, 0);
    withdraw(consumer);
    complete(consumer.session, request, std::nullopt, {}, lapsed);
}

}  // namespace busbar
