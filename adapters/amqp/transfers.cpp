// From producers: transfers, assembled and sent on, and the credit that they come on.
#include "adapters/amqp/connection.h"
#include "adapters/transport/pace.h"

#include <proton/disposition.h>

#include <algorithm>
#include <utility>

namespace busbar::amqp {
namespace {

constexpr std::size_t kOverhead = 256;  // of a message, for what is in flight

}  // namespace

/// AMQP 1.0 section 2.6.12: a message may come in many frames.
void Connection::onTransfer(Link& link, pn_delivery_t* delivery) {
    if (delivery != pn_link_current(link.pn)) return;
    if (pn_delivery_aborted(delivery)) {
        link.gathered.clear();
        pn_delivery_settle(delivery);
        return topUp(link);
    }
    const std::size_t have = link.gathered.size();
    const std::size_t more = pn_delivery_pending(delivery);
    if (have + more > options_.messageBytesMax) {
        return detach(link, {ErrorCode::tooLarge, "a message may have at most " +
                                                      std::to_string(options_.messageBytesMax) +
                                                      " bytes here"});
    }
    if (more > 0) {
        link.gathered.resize(have + more);
        pn_link_recv(link.pn, link.gathered.data() + have, more);
    }
    if (pn_delivery_partial(delivery)) return;
    pn_link_advance(link.pn);
    take(link, delivery, Buffer::of(std::exchange(link.gathered, {})));
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
    const MappingOptions mapping{{16, options_.itemsMax}, options_.defaultKind};
    auto incoming = toBus(encoded, link.target, mapping, host_.now().wall);
    if (!incoming) {
        reject(delivery, incoming.error());
        return topUp(link);
    }
    const Message& message = *incoming->message;
    Arrival arrival{link.id, delivery, encoded.size(), std::move(*incoming),
                    readState(pn_delivery_remote(delivery))};
    const bool plain = message.bodyKind == BodyKind::bytes || message.bodyKind == BodyKind::text ||
                       message.bodyKind == BodyKind::object;
    if (plain && message.body.size() > options_.largeBodyBytes && host_.bus().bodies())
        return beginUpload(std::move(arrival));
    submit(link, std::move(arrival));
}

void Connection::submit(Link& link, Arrival arrival) {
    Message& message = *arrival.incoming.message;
    pn_delivery_t* delivery = arrival.delivery;
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
    host_.bus().submit(std::move(command));
    if (settled) pn_delivery_settle(delivery);
}

// ---- bodies that are too large for memory

void Connection::beginUpload(Arrival arrival) {
    upload_ = std::make_unique<Upload>();
    upload_->body = std::exchange(arrival.incoming.message->body, {});
    upload_->arrival = std::move(arrival);
    upload_->upload = std::make_unique<BodyUpload>(*host_.bus().bodies(), host_.bus().executor(),
                                                   [this] { onUploadProgress(); });
    onUploadProgress();
}

/// As much as the disk takes; the end when all is with it.
void Connection::onUploadProgress() {
    if (!upload_) return;
    Upload& up = *upload_;
    const std::string_view body = up.body.view();
    if (up.taken == body.size()) return;  // its end tells
    if (const auto failure = up.upload->failure()) {
        onUploaded(*failure);
        return pump();
    }
    while (up.taken < body.size() && up.upload->wantsMore()) {
        const std::string_view piece = body.substr(up.taken, kBodyPiece);
        up.upload->append(piece);
        up.taken += piece.size();
    }
    if (up.taken < body.size()) return;
    up.upload->finish([this](Result<LargeBodyPtr> done) {
        onUploaded(std::move(done));
        pump();
    });
}

void Connection::onUploaded(Result<LargeBodyPtr> body) {
    const auto upload = std::exchange(upload_, nullptr);
    Link* link = upload ? find(upload->arrival.link) : nullptr;
    if (!link) return;  // and its deliveries are gone with it
    if (!body) {
        reject(upload->arrival.delivery, body.error());
        return topUp(*link);
    }
    upload->arrival.incoming.message->large = std::move(*body);
    submit(*link, std::move(upload->arrival));
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
            settle(pending.delivery, PN_ACCEPTED);
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
    const auto window = static_cast<std::int64_t>(options_.producerCredit);
    const std::int64_t credit = pn_link_credit(link.pn);
    const std::int64_t missing = window - credit - link.inFlight;
    if (missing >= std::max<std::int64_t>(1, window / 4) || (credit == 0 && missing > 0))
        pn_link_flow(link.pn, static_cast<int>(missing));
}

void Connection::topUpAll() {
    for (auto& [id, link] : links_) topUp(*link);
}

}  // namespace busbar::amqp
