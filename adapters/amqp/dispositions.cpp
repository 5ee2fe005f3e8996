// From consumers: what becomes of deliveries (AMQP 1.0 sections 2.7.6 and 3.4).
#include "adapters/amqp/connection.h"

#include <proton/disposition.h>

#include <utility>

namespace busbar::amqp {

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
