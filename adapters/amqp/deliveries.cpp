// To consumers: credit and drain, transfers, and when they are held back; browsing.
#include "adapters/amqp/connection.h"

#include <proton/disposition.h>

#include <algorithm>
#include <utility>

namespace busbar::amqp {
namespace {

constexpr std::uint32_t kBrowsePage = 100;
constexpr std::size_t kSessionBytesMax = 1u << 20;  // written and not yet within the peer's window

void send(pn_link_t* link, std::string_view bytes) {
    if (!bytes.empty()) pn_link_send(link, bytes.data(), bytes.size());
}

}  // namespace

// ---- credit

/// AMQP 1.0 section 2.6.7. The bus is given what the client gives, less what is on its way.
void Connection::onFlow(Link& link) {
    if (!link.attached) return;
    if (link.role == Link::Role::browser) {
        const auto seen = static_cast<std::uint32_t>(std::max(0, pn_link_credit(link.pn)));
        // Clients also send flows that say nothing new.
        if (std::exchange(link.granted, seen) != seen || pn_link_get_drain(link.pn))
            link.atTheEnd = false;
        return look(link);
    }
    if (link.role != Link::Role::consumer) return;
    if (link.suspended) {
        link.drained = drains_ = drains_ || pn_link_get_drain(link.pn);
        return;
    }
    const std::int64_t credit = std::max(0, pn_link_credit(link.pn));
    const bool flowing = outflow_ && outflow_->link == link.id;  // advances at its end
    const std::int64_t wanted =
        std::max<std::int64_t>(0, credit - link.waiting - (flowing ? 1 : 0));
    const std::int64_t more = wanted - link.granted;
    const bool drain = pn_link_get_drain(link.pn) && !link.drainAsked;
    if (more == 0 && !drain) return;
    AddCredit command;
    command.session = session_;
    command.consumer = ConsumerId(link.id);
    command.credit = static_cast<std::int32_t>(std::min<std::int64_t>(more, 0x7fff'ffff));
    link.granted = static_cast<std::uint32_t>(wanted);
    if (drain) {
        link.drainAsked = command.drain = true;
        command.request = expect([this, id = link.id](Completed&) {
            Link* drained = find(id);
            if (!drained) return;
            drained->granted = 0;
            drained->drained = drains_ = true;
        });
    }
    host_.bus().submit(command);
}

void Connection::tellDrained() {
    if (!drains_ || state_ != State::open) return;
    drains_ = false;
    for (auto& [id, link] : links_) {
        if (!link->drained) continue;
        const bool behind = link->waiting > 0 || (outflow_ && outflow_->link == id);
        if (behind) {
            drains_ = true;
            continue;
        }
        pn_link_drained(link->pn);
        link->drained = link->drainAsked = false;
    }
}

// ---- deliveries

bool Connection::outputHigh(pn_link_t* pn) const {
    return host_.outputPending() > host_.outputHighMark() ||
           pn_session_outgoing_bytes(pn_link_session(pn)) > kSessionBytesMax;
}

void Connection::deliver(Delivered& effect) {
    Link* link = find(effect.consumer.value);
    if (!link || link->role != Link::Role::consumer) return;  // ended: the bus takes it back
    if (link->granted > 0) --link->granted;
    ++link->waiting;
    waiting_.push_back(std::move(effect));
}

void Connection::writeWaiting() {
    if (state_ != State::open) return;
    while (!waiting_.empty() && !outflow_) {
        Link* link = find(waiting_.front().consumer.value);
        if (link && outputHigh(link->pn)) {
            write();
            host_.flush();
            if (outputHigh(link->pn)) return;
        }
        Delivered next = std::move(waiting_.front());
        waiting_.pop_front();
        if (!link) continue;
        --link->waiting;
        if (!next.delivery.message)  // its lease ran out before it could be written
            onFlow(*link);
        else if (next.delivery.message->large)
            beginOutflow(*link, std::move(next.delivery));
        else
            writeDelivery(*link, next.delivery);
    }
    if (outflow_) return;
    for (Browsed& page : std::exchange(browsed_, {})) onBrowsed(page);
}

pn_delivery_t* Connection::begin(Link& link, const Delivery& delivery) {
    const auto tag = tagOf(delivery.stored);
    return pn_delivery(link.pn, pn_dtag(tag.data(), tag.size()));
}

void Connection::finish(Link& link, const Delivery& delivery, pn_delivery_t* out) {
    pn_link_advance(link.pn);
    if (!delivery.id) return pn_delivery_settle(out);
    auto& unsettled = link.unsettled[delivery.id];
    unsettled.id = delivery.id;
    unsettled.delivery = out;
    if (delivery.lease) unsettled.lease = delivery.lease->length;
    pn_delivery_set_context(out, &unsettled);
}

DeliveryFacts Connection::factsOf(const Link& link, const Delivery& delivery) const {
    DeliveryFacts facts;
    facts.count = delivery.count;
    if (link.showsStored) facts.stored = delivery.stored;
    facts.fencingToken = delivery.fencingToken;
    facts.firstOfGroup = delivery.firstOfGroup;
    facts.lease = delivery.lease;
    facts.now = host_.now().wall;
    return facts;
}

void Connection::writeDelivery(Link& link, Delivery& delivery) {
    const Outgoing bytes = toWire(*delivery.message, factsOf(link, delivery));
    pn_delivery_t* out = begin(link, delivery);
    send(link.pn, bytes.head);
    send(link.pn, bytes.body.view());
    send(link.pn, bytes.tail);
    finish(link, delivery, out);
}

// ---- bodies that are too large for memory

/// The transfer begins with the first piece: a body that cannot be read leaves no half message.
void Connection::beginOutflow(Link& link, Delivery delivery) {
    const LargeBodyPtr& large = delivery.message->large;
    BusPort& bus = host_.bus();
    outflow_ = std::make_unique<Outflow>();
    outflow_->body =
        std::make_unique<BodyDownload>(*bus.bodies(), bus.executor(), large, 0, large->size);
    outflow_->link = link.id;
    outflow_->delivery = std::move(delivery);
    fetchOutflow();
}

void Connection::fetchOutflow() {
    if (!outflow_ || outflow_->fetching) return;
    const Link* link = find(outflow_->link);
    if (!link || outputHigh(link->pn)) return;
    outflow_->fetching = true;
    // The last piece ends the download, and with it this function's captures.
    outflow_->body->next([this](Result<Buffer> piece) {
        Connection& self = *this;
        self.onPiece(std::move(piece));
        self.pump();
    });
}

void Connection::onPiece(Result<Buffer> piece) {
    Outflow& flow = *outflow_;
    flow.fetching = false;
    Link* link = find(flow.link);
    if (!link) return outflow_.reset();
    if (!piece) {  // nobody could do anything with it
        if (flow.out) pn_delivery_abort(flow.out);
        if (flow.delivery.id) {
            Settle command;
            command.session = session_;
            command.deliveries = {flow.delivery.id};
            command.outcome = Outcome::rejected;
            command.reason = piece.error().text;
            host_.bus().submit(std::move(command));
        }
        outflow_.reset();
        return onFlow(*link);
    }
    if (!flow.out) {
        Outgoing bytes = toWire(*flow.delivery.message, factsOf(*link, flow.delivery));
        flow.out = begin(*link, flow.delivery);
        flow.tail = std::move(bytes.tail);
        send(link->pn, bytes.head);
    }
    send(link->pn, piece->view());
    if (flow.delivery.lease) extend(flow.delivery.id, flow.delivery.lease->length);
    if (flow.body->left() > 0) {
        write();
        host_.flush();
        return fetchOutflow();
    }
    send(link->pn, flow.tail);
    finish(*link, flow.delivery, flow.out);
    outflow_.reset();
}

// ---- browsing

/// The next page, as far as the client's credit goes. At the end of the queue what comes later is
/// shown when the client gives credit again.
void Connection::look(Link& link) {
    const int credit = pn_link_credit(link.pn);
    if (link.looking || credit <= 0) return;
    if (link.atTheEnd) {
        if (!pn_link_get_drain(link.pn)) return;
        link.drained = drains_ = true;
        return;
    }
    Browse command;
    command.session = session_;
    command.queue = link.queue;
    command.after = link.browsed;
    command.max = std::min(kBrowsePage, static_cast<std::uint32_t>(credit));
    command.selector = link.selector;
    Pending pending;
    pending.link = link.id;
    command.request = expect(std::move(pending));
    link.looking = true;
    host_.bus().submit(std::move(command));
}

void Connection::onBrowsed(Browsed& effect) {
    const Pending* pending = pending_.find(effect.request);
    if (!pending) return;
    Link* link = find(pending->link);
    const bool browses = link && link->role == Link::Role::browser;
    if (browses && !effect.error && outputHigh(link->pn)) {
        browsed_.push_back(std::move(effect));
        return;
    }
    Completed answered;
    answered.session = effect.session;
    answered.request = effect.request;
    answered.error = effect.error;
    onCompleted(answered);
    if (!browses) return;
    link->looking = false;
    // A queue that nobody has made yet is empty.
    if (effect.error && effect.error->code != ErrorCode::notFound)
        return detach(*link, *effect.error);
    for (const auto& entry : effect.entries) {
        writeBrowsed(*link, entry);
        link->browsed = entry.id;
    }
    link->atTheEnd = !effect.more;
    link->granted = static_cast<std::uint32_t>(std::max(0, pn_link_credit(link->pn)));
    look(*link);
}

/// Of a large body its size is shown: looking does not need the rest.
void Connection::writeBrowsed(Link& link, const Browsed::Entry& entry) {
    Delivery delivery;
    delivery.stored = entry.id;
    delivery.count = entry.deliveryCount + 1;
    delivery.message = entry.message;
    if (entry.message->large) {
        auto copy = std::make_shared<Message>(*entry.message);
        copy->properties.set("busbar_bodyBytes",
                             static_cast<std::int64_t>(entry.message->large->size));
        copy->large = nullptr;
        delivery.message = std::move(copy);
    }
    writeDelivery(link, delivery);
}

}  // namespace busbar::amqp
