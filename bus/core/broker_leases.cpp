// Deliveries with an end: granted, extended, run out, and settled by their tokens.
#include "bus/core/broker_impl.h"
#include "bus/core/lease_orders.h"

namespace busbar {
namespace {

Error leaseOver() {
    return {ErrorCode::lockLost, "the lease is over: the message was settled or given to another"};
}

Outcome outcomeOf(LeaseOrder::Kind kind) {
    switch (kind) {
        case LeaseOrder::Kind::release:
            return Outcome::released;
        case LeaseOrder::Kind::fail:
            return Outcome::failed;
        case LeaseOrder::Kind::reject:
            return Outcome::rejected;
        default:
            return Outcome::accepted;
    }
}

}  // namespace

void Broker::Impl::grantLease(const Queue& q, HeldDelivery& held, Milliseconds lease,
                              Delivery& delivery) {
    auto grant = std::make_shared<LeaseGrant>();
    grant->token = options_.leaseTokens->make(q.name, {held.session, held.id});
    grant->length = lease;
    grant->until = after(now_.wall, lease);
    delivery.lease = std::move(grant);
    delivery.fencingToken = nextId().value;
    held.leaseUntil = after(now_.steady, lease);
    watchLease(held);
}

void Broker::Impl::on(ExtendLease& c) {
    if (!require(c.session, c.request)) return;
    if (c.lease <= Milliseconds(0) || c.lease > kLeaseMax) {
        return complete(c.session, c.request,
                        Error{ErrorCode::invalidArgument,
                              "a lease is 1 ms to 12 h, got " + std::to_string(c.lease.count())});
    }
    const SessionId holder = holderOf(c.session, c.holder);
    for (const DeliveryId id : c.deliveries) {
        HeldDelivery* held = heldBy(id, holder);
        if (!held || held->leaseUntil == SteadyTime{})
            return complete(c.session, c.request, leaseOver());
        const SteadyTime before = held->leaseUntil;
        held->leaseUntil = after(now_.steady, c.lease);
        // Where it is longer, the timer that runs sees that and goes on.
        if (held->leaseUntil < before) watchLease(*held);
    }
    complete(c.session, c.request);
}

void Broker::Impl::watchLease(const HeldDelivery& held) {
    steadyTimers_.add(held.leaseUntil, {SteadyTimer::Kind::lease, {}, {}, held.id.value, {}});
}

/// The commit that was to settle it has failed. Its lease may be over by now.
void Broker::Impl::heldAgain(Queue& q, const HeldDelivery& held) {
    q.messages.setState(held.place, EntryState::held);
    if (held.leaseUntil != SteadyTime{}) watchLease(held);
}

void Broker::Impl::leaseDue(DeliveryId id) {
    HeldDelivery* held = ledger_.find(id);
    if (!held || !held->session) return;
    if (held->leaseUntil > now_.steady) return watchLease(*held);  // extended meanwhile
    if (!heldBy(id, held->session)) return;                        // in a commit: see heldAgain
    if (held->consumer) {
        emit(LeaseEnded{held->session, held->consumer, id, true});
        Consumer& consumer = *session(held->session)->consumers.at(held->consumer);
        if (consumer.windowed) consumer.lapsed.insert(id);
        held->lapsed = true;
    }
    returnToQueue(*held, true, Milliseconds(0), "the lease ran out");
}

/// A cumulative acknowledgement means also what has run out in the consumers' hands.
void Broker::Impl::addLapsed(const Session& s, Settle& c) {
    for (const auto& [id, consumer] : s.consumers) {
        if (c.upToConsumer && c.upToConsumer != id) continue;
        const auto& lapsed = consumer->lapsed;
        c.deliveries.insert(c.deliveries.end(), lapsed.begin(), lapsed.upper_bound(c.upTo));
    }
}

/// Consumers in whose hands some of these ran out have spoken of them: their credit comes back.
void Broker::Impl::endLapsed(Session& s, const std::vector<DeliveryId>& deliveries) {
    for (const auto& [id, consumer] : s.consumers) {
        auto& lapsed = consumer->lapsed;
        const std::size_t before = lapsed.size();
        if (before == 0) continue;
        for (const DeliveryId delivery : deliveries) lapsed.erase(delivery);
        consumer->credit += static_cast<std::uint32_t>(before - lapsed.size());
        offer(*consumer);
    }
}

/// Carries out what a message to the queue of leases says.
void Broker::Impl::obey(const Send& c) {
    const auto order = readLeaseOrder(*c.message);
    if (!order) return complete(c.session, c.request, order.error());
    const auto claimed = LeaseTokens::claimed(order->token);
    if (!claimed) return complete(c.session, c.request, claimed.error());
    const SessionId holder = holderOf(c.session, claimed->session);
    const HeldDelivery* held = holder ? heldBy(claimed->delivery, holder) : nullptr;
    if (!held) return complete(c.session, c.request, leaseOver());
    if (const auto lease = options_.leaseTokens->read(queue(held->queue)->name, order->token);
        !lease)
        return complete(c.session, c.request, lease.error());
    if (order->kind == LeaseOrder::Kind::extend) {
        ExtendLease extend{c.session, c.request, {held->id}, order->lease, holder};
        return on(extend);
    }
    Settle settle;
    settle.session = c.session;
    settle.request = c.request;
    settle.deliveries = {held->id};
    settle.outcome = outcomeOf(order->kind);
    settle.delay = order->delay;
    settle.reason = order->reason;
    settle.holder = holder;
    on(settle);
}

}  // namespace busbar
