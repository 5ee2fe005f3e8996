// From consumers: what becomes of deliveries (AMQP 1.0 sections 2.7.6 and 3.4).
#include "adapters/amqp/connection.h"

#include <proton/disposition.h>

#include <algorithm>
#include <utility>

namespace busbar::amqp {
namespace {

constexpr std::int64_t kDelayMax = 30ll * 24 * 3600 * 1000;

/// Of `modified`: not again before that time. The key is the one that delays a send.
Milliseconds delayOf(const Item& annotations) {
    const Item& delay = annotations.find("x-opt-delivery-delay");
    if (!delay.isInteger()) return Milliseconds(0);
    return Milliseconds(std::clamp<std::int64_t>(delay.number(), 0, kDelayMax));
}

}  // namespace

void Connection::onDisposition(Link& link, pn_delivery_t* delivery) {
    auto* unsettled = static_cast<Link::Unsettled*>(pn_delivery_get_context(delivery));
    const bool over = pn_delivery_settled(delivery);
    if (!unsettled) {  // sent settled, or of a browser
        if (over) pn_delivery_settle(delivery);
        return;
    }
    std::uint64_t state = pn_delivery_remote_state(delivery);
    pn_delivery_clear(delivery);
    if (unsettled->enlisted || unsettled->settling) {
        if (!over) return;
        const DeliveryId id = unsettled->id;
        pn_delivery_settle(delivery);
        link.unsettled.erase(id);
        return;
    }
    const auto transactional = readState(pn_delivery_remote(delivery));
    if (!transactional.id.empty()) return enlist(link, *unsettled, transactional);
    if (state == PN_RECEIVED || state == 0) {
        // "Still at it": for as long again.
        if (!over && state == PN_RECEIVED) extend(unsettled->id, unsettled->lease);
        if (!over) return;
        state = PN_RELEASED;  // let go without a word: nobody has processed it
    }
    settleOne(link, *unsettled, state);
}

/// What Outcome the bus has for it. A client that says "undeliverable here" will not have it again,
/// and there is no telling others apart: it becomes a dead letter.
Settle Connection::outcomeOf(pn_delivery_t* delivery, std::uint64_t state) {
    pn_disposition_t* remote = pn_delivery_remote(delivery);
    Settle settle;
    switch (state) {
        case PN_ACCEPTED:
            break;
        case PN_REJECTED:
            settle.outcome = Outcome::rejected;
            settle.reason = describe(pn_disposition_condition(remote));
            if (settle.reason.empty()) settle.reason = "rejected by the consumer";
            break;
        case PN_MODIFIED:
            if (pn_disposition_is_undeliverable(remote)) {
                settle.outcome = Outcome::rejected;
                settle.reason = "undeliverable here";
            } else {
                settle.outcome =
                    pn_disposition_is_failed(remote) ? Outcome::failed : Outcome::released;
                settle.delay = delayOf(read(pn_disposition_annotations(remote)).item);
            }
            break;
        default:
            settle.outcome = Outcome::released;
    }
    return settle;
}

void Connection::settleOne(Link& link, Link::Unsettled& unsettled, std::uint64_t state) {
    const DeliveryId id = unsettled.id;
    pn_delivery_t* delivery = unsettled.delivery;
    const bool over = pn_delivery_settled(delivery);
    if (over && state == PN_ACCEPTED) {
        accepted_.push_back(id);
        pn_delivery_settle(delivery);
        link.unsettled.erase(id);
        return;
    }
    Settle command = outcomeOf(delivery, state);
    command.session = session_;
    command.deliveries = {id};
    if (over) {
        pn_delivery_settle(delivery);
        link.unsettled.erase(id);
    } else {
        // Receiver settle mode "second": the client settles when the outcome is durable.
        unsettled.settling = true;
        command.request = expect([this, link = link.id, id, state](Completed& answer) {
            Link* there = find(link);
            if (!there) return;
            const auto found = there->unsettled.find(id);
            if (found == there->unsettled.end()) return;
            if (answer.error)
                reject(found->second.delivery, *answer.error);
            else
                settle(found->second.delivery, state);
            there->unsettled.erase(found);
        });
    }
    host_.bus().submit(std::move(command));
}

/// Nothing where it has no end.
void Connection::extend(DeliveryId id, Milliseconds lease) {
    if (lease <= Milliseconds(0)) return;
    ExtendLease command;
    command.session = session_;
    command.deliveries = {id};
    command.lease = lease;
    host_.bus().submit(std::move(command));
}

/// The client is told: it is settled from our side.
void Connection::endLease(const LeaseEnded& effect) {
    Link* link = find(effect.consumer.value);
    if (!link) return;
    const auto found = link->unsettled.find(effect.delivery);
    if (found == link->unsettled.end()) {
        const auto waits = std::find_if(waiting_.begin(), waiting_.end(), [&](const Delivered& d) {
            return d.delivery.id == effect.delivery;
        });
        if (waits != waiting_.end()) waits->delivery.message = nullptr;
        return;
    }
    Link::Unsettled& unsettled = found->second;
    if (unsettled.settling || unsettled.enlisted) return;  // it will be told by the answer
    if (effect.lapsed) pn_disposition_set_failed(pn_delivery_local(unsettled.delivery), true);
    settle(unsettled.delivery, effect.lapsed ? PN_MODIFIED : PN_RELEASED);
    link->unsettled.erase(found);
}

/// AMQP 1.0 section 4.4.2.
void Connection::enlist(Link& link, Link::Unsettled& unsettled, const TransactionalState& state) {
    const auto found = transactions_.find(state.id);
    if (found == transactions_.end()) {
        return detach(link, {ErrorCode::transactionUnknown, "no such transaction is open"});
    }
    const DeliveryId id = unsettled.id;
    if (state.outcome == PN_ACCEPTED || state.outcome == 0) {
        if (auto added = found->second.work.accept(id); !added) return detach(link, added.error());
    } else {
        Settle other = outcomeOf(unsettled.delivery, state.outcome);
        other.deliveries = {id};
        found->second.others.push_back(std::move(other));
    }
    unsettled.enlisted = true;
    if (!pn_delivery_settled(unsettled.delivery)) return;
    pn_delivery_settle(unsettled.delivery);
    link.unsettled.erase(id);
}

/// Acceptances of one turn go over, and become durable, together.
void Connection::flushSettles() {
    if (accepted_.empty() || !session_) return;
    Settle command;
    command.session = session_;
    command.deliveries = std::exchange(accepted_, {});
    host_.bus().submit(std::move(command));
}

}  // namespace busbar::amqp
