// From producers: transfers, assembled and sent on, and the credit that they come on.
#include "adapters/amqp/connection.h"
#include "adapters/transport/pace.h"

#include <proton/disposition.h>

#include <algorithm>
#include <utility>

namespace busbar::amqp {
namespace {

constexpr std::size_t kOverhead = 256;  // of a message, for what is in flight
// The bus remembers four times as many sends of a link: those of which the client may have no
// answer are among them, also where it does not say when it has.
constexpr std::uint32_t kRecoverableCredit = 512;
constexpr std::size_t kTagMax = 32;  // AMQP 1.0 section 2.8.7

}  // namespace

/// AMQP 1.0 section 2.6.12: a message may come in many frames.
void Connection::onTransfer(Link& link, pn_delivery_t* delivery) {
    if (delivery != pn_link_current(link.pn)) return onSettledByProducer(link, delivery);
    if (pn_delivery_aborted(delivery)) {
        forgetArriving(link);
        pn_delivery_settle(delivery);
        return topUp(link);
    }
    const bool good = link.inflow ? flowIn(link, delivery) : gather(link, delivery);
    if (!good || pn_delivery_partial(delivery)) return;  // not good: the link has ended
    pn_link_advance(link.pn);
    if (link.recovery && isResumption(link, delivery)) return;
    if (link.inflow) return endInflow(link, delivery);
    link.lookAgain = 0;
    take(link, delivery, Buffer::of(std::exchange(link.gathered, {})));
}

void Connection::forgetArriving(Link& link) {
    link.gathered = {};
    link.lookAgain = 0;
    link.inflow.reset();
}

/// What is not whole yet is in memory, unless its body turns out to be a large one. False where the
/// link was ended for it.
bool Connection::gather(Link& link, pn_delivery_t* delivery) {
    const std::size_t have = link.gathered.size();
    const std::size_t more = pn_delivery_pending(delivery);
    if (more > 0) {
        if (auto may = mayGather(link, more); !may) {
            detach(link, may.error());
            return false;
        }
        link.gathered.resize(have + more);
        pn_link_recv(link.pn, link.gathered.data() + have, more);
    }
    const bool large = link.role == Link::Role::producer && host_.bus().bodies() &&
                       link.gathered.size() >= link.lookAgain &&
                       (pn_delivery_partial(delivery) || have + more > options_.largeBodyBytes);
    return !large || beginInflow(link);
}

Result<void> Connection::mayGather(const Link& link, std::size_t more) const {
    if (link.gathered.size() + more > options_.messageBytesMax) {
        return {ErrorCode::tooLarge, "a message may have at most " +
                                         std::to_string(options_.messageBytesMax) + " bytes here"};
    }
    return link.gathered.size() + more > options_.frameBytesMax ? mayHold(more) : Result<void>();
}

/// Whether all messages that are not whole may have `more` bytes in memory together.
Result<void> Connection::mayHold(std::size_t more) const {
    std::uint64_t all = more;
    for (const auto& [id, link] : links_)
        all += link->gathered.size() + (link->inflow ? 3 * kBodyPiece : 0);
    if (all <= options_.gatheredBytesMax) return {};
    return {ErrorCode::limitReached,
            "the messages of a connection that are not whole yet may have at most " +
                std::to_string(options_.gatheredBytesMax) + " bytes in memory together"};
}

/// What still comes on a link that we have ended must not fill Proton's memory.
void Connection::discard(pn_link_t* pn) {
    if (!pn || !pn_link_is_receiver(pn)) return;
    char bytes[4096];
    while (pn_link_recv(pn, bytes, sizeof bytes) > 0) {
    }
    pn_delivery_t* current = pn_link_current(pn);
    if (current && !pn_delivery_partial(current)) pn_delivery_settle(current);
}

void Connection::take(Link& link, pn_delivery_t* delivery, const Buffer& encoded) {
    if (link.role == Link::Role::coordinator) {
        coordinate(link, delivery, encoded.view());
        return topUp(link);
    }
    keepPace(host_, seat_, 1);
    auto incoming = toBus(encoded, link.target, mapping(), host_.now().wall);
    if (!incoming) {
        reject(delivery, incoming.error());
        return topUp(link);
    }
    submit(link, {link.id, delivery, encoded.size(), std::move(*incoming),
                  readState(pn_delivery_remote(delivery))});
}

void Connection::submit(Link& link, Arrival arrival) {
    Message& message = *arrival.incoming.message;
    pn_delivery_t* delivery = arrival.delivery;
    if (link.recovery && pn_delivery_tag(delivery).size > kTagMax) {
        reject(delivery, {ErrorCode::invalidArgument,
                          "a delivery tag has at most " + std::to_string(kTagMax) + " bytes"});
        return topUp(link);
    }
    if (link.recovery && isKnown(link, delivery, message.id)) return topUp(link);
    if (link.dedupByMessageId && message.dedupId.empty()) message.dedupId = message.id;
    if (!arrival.state.id.empty()) {
        takeTransactional(delivery, arrival.state, std::move(arrival.incoming.message));
        return topUp(link);
    }
    const bool settled = pn_delivery_settled(delivery);
    Pending pending;
    pending.kind = Pending::Kind::send;
    pending.link = link.id;
    pending.delivery = settled ? nullptr : delivery;
    pending.bytes = arrival.bytes + kOverhead;
    ++link.inFlight;
    bytesInFlight_ += pending.bytes;
    Send command;
    command.session = session_;
    command.message = std::move(arrival.incoming.message);
    command.producer = std::move(arrival.incoming.producer);
    command.sequence = command.producer.empty() ? 0 : arrival.incoming.sequence;
    command.request = expect(std::move(pending));
    if (link.recovery && !settled) {
        const pn_delivery_tag_t tag = pn_delivery_tag(delivery);
        command.link = link.recovery->name;
        command.tag.assign(tag.start, tag.size);
    }
    host_.bus().submit(std::move(command));
    if (settled) pn_delivery_settle(delivery);
}

/// AMQP 1.0 section 4.4.1: the transfer has arrived; it happens when the transaction does.
void Connection::takeTransactional(pn_delivery_t* delivery, const TransactionalState& state,
                                   std::shared_ptr<Message> message) {
    const auto found = transactions_.find(state.id);
    if (found == transactions_.end()) {
        return reject(delivery, {ErrorCode::transactionUnknown, "no such transaction is open"});
    }
    if (auto added = found->second.work.send(std::move(message)); !added)
        return reject(delivery, added.error());
    answer(delivery, state.id);
}

void Connection::onSent(const Pending& pending, const std::optional<Error>& error) {
    bytesInFlight_ -= pending.bytes;
    Link* link = find(pending.link);
    if (!link) return;  // and its deliveries are gone with it
    --link->inFlight;
    if (pending.delivery) {
        if (error)
            reject(pending.delivery, *error);
        else
            acceptFor(*link, pending.delivery);
    }
    topUp(*link);
}

void Connection::settle(pn_delivery_t* delivery, std::uint64_t outcome) {
    pn_delivery_update(delivery, outcome);
    pn_delivery_settle(delivery);
}

void Connection::reject(pn_delivery_t* delivery, const Error& error) {
    set(pn_disposition_condition(pn_delivery_local(delivery)), error);
    settle(delivery, PN_REJECTED);
}

/// A producer may have so many transfers on their way that are not answered: who is slow to be
/// stored gets slow credit.
void Connection::topUp(Link& link) {
    if (!link.attached || !link.isIncoming() || blocked_) return;
    if (bytesInFlight_ > options_.bytesInFlightMax) return;
    const std::int64_t window = link.recovery
                                    ? std::min(options_.producerCredit, kRecoverableCredit)
                                    : options_.producerCredit;
    const std::int64_t credit = pn_link_credit(link.pn);
    const std::int64_t missing =
        window - credit - link.inFlight - (link.recovery ? link.recovery->answered : 0);
    if (missing >= std::max<std::int64_t>(1, window / 4) || (credit == 0 && missing > 0))
        pn_link_flow(link.pn, static_cast<int>(missing));
}

void Connection::topUpAll() {
    for (auto& [id, link] : links_) topUp(*link);
}

}  // namespace busbar::amqp
