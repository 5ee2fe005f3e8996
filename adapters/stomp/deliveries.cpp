// From the bus to the client: MESSAGE frames, held back while the client is behind.
#include "adapters/stomp/connection.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace busbar::stomp {
namespace {

constexpr std::size_t kSharedBodyMin =
    16 * 1024;  // from here on copying costs more than a further segment

void appendNumber(std::string& out, std::uint64_t number) {
    char digits[24];
    out.append(digits, std::to_chars(digits, digits + sizeof digits, number).ptr);
}

}  // namespace

void Connection::deliver(Delivered& effect) {
    if (state_ != State::connected) return;  // leaving: it goes back with the session
    if (!waiting_.empty() || outflow_ || outputHigh()) {
        waiting_.push_back(std::move(effect));
        return;
    }
    const auto subscription = subscriptions_.find(effect.consumer);
    if (subscription == subscriptions_.end())
        return;  // unsubscribed meanwhile: the bus takes it back
    if (effect.delivery.message->large)
        return beginOutflow(effect.consumer, std::move(effect.delivery));
    writeMessage(subscription->second, effect.delivery);
}

/// Writes what waits as far as the peer keeps up, and settles what it was given.
void Connection::pump() {
    if (state_ == State::ended) return host_.flush();
    host_.flush();
    while (!waiting_.empty() && !outflow_ && !outputHigh() && state_ != State::ended) {
        while (!waiting_.empty() && !outflow_ && !outputHigh()) {
            Delivered next = std::move(waiting_.front());
            waiting_.pop_front();
            const auto subscription = subscriptions_.find(next.consumer);
            if (subscription == subscriptions_.end()) continue;
            if (!next.delivery.message)
                passOver(subscription->second, next.delivery.id);
            else if (next.delivery.message->large)
                beginOutflow(next.consumer, std::move(next.delivery));
            else
                writeMessage(subscription->second, next.delivery);
        }
        host_.flush();
    }
    if (outflow_ || outputHigh()) return;
    settleAutomatic();
    if (!std::exchange(browseWaits_, false)) return;
    for (auto& [consumer, subscription] : subscriptions_) {
        if (std::exchange(subscription.browseMore, false)) browse(subscription, {});
    }
}

/// What the socket has taken counts as acknowledged, and makes room for as many more: so a client
/// that does not read is owed no more than its credit.
void Connection::settleAutomatic() {
    if (!session_) return;
    if (!autoSettle_.empty()) {
        Settle command;
        command.session = session_;
        command.deliveries = std::exchange(autoSettle_, {});
        host_.bus().submit(std::move(command));
    }
    if (state_ != State::connected) return;  // what came now would have nowhere to go
    for (const ConsumerId consumer : std::exchange(autoCredit_, {})) {
        const auto found = subscriptions_.find(consumer);
        if (found == subscriptions_.end()) continue;
        host_.bus().submit(
            AddCredit{session_, consumer,
                      static_cast<std::int32_t>(std::exchange(found->second.written, 0))});
    }
}

void Connection::writeMessage(Subscription& subscription, const Delivery& delivery) {
    std::string& out = this->out();
    out += "MESSAGE\n";
    appendHeader(out, "subscription", subscription.id, version_);
    if (subscription.ack == Ack::automatic) {
        if (delivery.id) autoSettle_.push_back(delivery.id);
        if (subscription.written++ == 0) autoCredit_.push_back(subscription.consumer);
    } else {
        const bool byMessage = version_ != Version::v12;
        subscription.outstanding.push_back(
            {delivery.id, byMessage ? delivery.message : nullptr, false});
        if (!byMessage) {
            out += "ack:";
            appendNumber(out, subscription.consumer.value);
            out += '-';
            appendNumber(out, delivery.id.value);
            out += '\n';
        }
    }
    if (delivery.count > 1) {
        out += "redelivered:true\nJMSXDeliveryCount:";
        appendNumber(out, delivery.count);
        out += '\n';
    }
    if (subscription.showsStored) {
        out += "busbar-stored:";
        appendNumber(out, delivery.stored.value);
        out += '\n';
    }
    if (delivery.lease) {
        out += "busbar-lease:" + delivery.lease->token + "\nbusbar-lease-until:";
        appendNumber(out,
                     static_cast<std::uint64_t>(delivery.lease->until.time_since_epoch().count()));
        out += '\n';
    }
    if (delivery.fencingToken != 0) {
        out += "busbar-fencing-token:";
        appendNumber(out, delivery.fencingToken);
        out += '\n';
    }
    if (delivery.firstOfGroup) out += "JMSXGroupFirstForConsumer:true\n";
    writeContent(*delivery.message);
}

/// There is no word for it in STOMP: who acknowledges what ran out is answered then. What was
/// settled by its token is not outstanding any more.
void Connection::endLease(const LeaseEnded& effect) {
    const auto waits = std::find_if(waiting_.begin(), waiting_.end(), [&](const Delivered& d) {
        return d.delivery.id == effect.delivery;
    });
    if (waits != waiting_.end()) {
        waits->delivery.message = nullptr;
        return;
    }
    const auto subscription = subscriptions_.find(effect.consumer);
    if (effect.lapsed || subscription == subscriptions_.end()) return;
    auto& outstanding = subscription->second.outstanding;
    const auto at = findDelivery(outstanding, effect.delivery);
    if (at == outstanding.end()) return;
    at->settled = true;
    trim(outstanding);
}

/// It was taken back before it could be written: the client has room for another one.
void Connection::passOver(const Subscription& subscription, DeliveryId delivery) {
    if (subscription.ack == Ack::automatic) {
        host_.bus().submit(AddCredit{session_, subscription.consumer, 1});
        return;
    }
    Settle command;
    command.session = session_;
    command.deliveries = {delivery};
    host_.bus().submit(std::move(command));
}

/// A large body is on its way: who takes it is at work.
void Connection::extend(const Delivery& delivery) {
    ExtendLease command;
    command.session = session_;
    command.deliveries = {delivery.id};
    command.lease = delivery.lease->length;
    host_.bus().submit(std::move(command));
}

void Connection::writeChange(const ConsumerChanged& effect) {
    const auto found = subscriptions_.find(effect.consumer);
    if (found == subscriptions_.end() || !found->second.showsChanges) return;
    std::string& out = this->out();
    out += "MESSAGE\n";
    appendHeader(out, "subscription", found->second.id, version_);
    out += "destination:/topic/busbar.consumer-changes\nmessage-id:consumer-change-";
    appendNumber(out, effect.consumer.value);
    out += effect.active ? "\nbusbar-active:true\n" : "\nbusbar-active:false\n";
    if (effect.active) {
        out += "busbar-fencing-token:";
        appendNumber(out, effect.fencingToken);
        out += '\n';
    }
    out += "content-length:0\n\n";
    out += '\0';
    outputSeen_ = true;
}

/// What it held of the group was settled before, so nothing of it waits here any more.
void Connection::writeRevoked(const GroupRevoked& effect) {
    const auto found = subscriptions_.find(effect.consumer);
    if (found == subscriptions_.end() || !found->second.showsGroups) return;
    std::string& out = this->out();
    out += "MESSAGE\n";
    appendHeader(out, "subscription", found->second.id, version_);
    out += "destination:/topic/busbar.group-changes\nmessage-id:group-revoked-";
    appendNumber(out, effect.consumer.value);
    out += '\n';
    appendHeader(out, "busbar-group-revoked", effect.group, version_);
    out += "content-length:0\n\n";
    out += '\0';
    outputSeen_ = true;
}

void Connection::writeContent(const Message& message) {
    const auto json = inJson(message);
    const Message& shown = json ? *json : message;
    appendMessageHeaders(out(), shown, version_, *this);
    writeBody(shown);
}

void Connection::writeBody(const Message& message) {
    std::string& out = this->out();
    out += '\n';
    outputSeen_ = true;
    if (message.large) return;  // comes in pieces
    if (message.body.size() >= kSharedBodyMin && &out == &host_.output())
        host_.outputShared(message.body);
    else
        out += message.body.view();
    this->out() += '\0';
}

// ---- bodies that are too large for memory

/// The headers are written with the first piece: a body that cannot be read leaves no half frame.
void Connection::beginOutflow(ConsumerId consumer, Delivery delivery) {
    const LargeBodyPtr& large = delivery.message->large;
    BusPort& bus = host_.bus();
    outflow_ = std::make_unique<Outflow>();
    outflow_->body =
        std::make_unique<BodyDownload>(*bus.bodies(), bus.executor(), large, 0, large->size);
    outflow_->consumer = consumer;
    outflow_->delivery = std::move(delivery);
    fetchOutflow();
}

void Connection::fetchOutflow() {
    if (!outflow_ || outflow_->fetching || outputHigh()) return;
    outflow_->fetching = true;
    outflow_->body->next([this](Result<Buffer> piece) { onPiece(std::move(piece)); });
}

void Connection::onPiece(Result<Buffer> piece) {
    Outflow& flow = *outflow_;
    flow.fetching = false;
    const auto subscription = subscriptions_.find(flow.consumer);
    if (!flow.begun && subscription == subscriptions_.end()) return endOutflow();  // goes back
    if (!flow.begun && !piece) {
        refuseDelivery(subscription->second, flow.delivery, piece.error());
        return endOutflow();
    }
    if (!piece) return end(piece.error().text);
    if (!flow.begun) writeMessage(subscription->second, flow.delivery);
    flow.begun = true;
    outputSeen_ = true;
    host_.outputShared(*piece);
    if (flow.delivery.lease) extend(flow.delivery);
    if (flow.body->left() > 0) {
        host_.flush();
        return fetchOutflow();
    }
    host_.output() += '\0';
    endOutflow();
}

void Connection::endOutflow() {
    const auto flow = std::exchange(outflow_, nullptr);
    host_.output() += flow->behind;
    leaveWhenDone();
    pump();
}

/// Its body cannot be read: nobody could do anything with it.
void Connection::refuseDelivery(const Subscription& subscription, const Delivery& delivery,
                                const Error& why) {
    if (delivery.id) {
        Settle command;
        command.session = session_;
        command.deliveries = {delivery.id};
        command.outcome = Outcome::rejected;
        command.reason = why.text;
        host_.bus().submit(std::move(command));
    }
    if (subscription.ack == Ack::automatic)
        host_.bus().submit(AddCredit{session_, subscription.consumer, 1});
}

void Connection::writeBrowsed(const Subscription& subscription, const Browsed::Entry& entry) {
    std::string& out = this->out();
    out += "MESSAGE\n";
    appendHeader(out, "subscription", subscription.id, version_);
    out += "browser:true\n";
    if (entry.deliveryCount > 0) {
        out += "redelivered:true\nJMSXDeliveryCount:";
        appendNumber(out, entry.deliveryCount);
        out += '\n';
    }
    if (!entry.message->large) return writeContent(*entry.message);
    Message head = *entry.message;  // looking does not need the body
    head.large = nullptr;
    out += "busbar-body-bytes:";
    appendNumber(out, entry.message->large->size);
    out += '\n';
    writeContent(head);
}

void Connection::writeBrowseEnd(const Subscription& subscription) {
    std::string& out = this->out();
    out += "MESSAGE\n";
    appendHeader(out, "subscription", subscription.id, version_);
    appendHeader(out, "destination", "/queue/" + subscription.browseQueue, version_);
    out += "message-id:browser-end-";
    appendNumber(out, subscription.consumer.value);
    out += "\nbrowser:end\ncontent-length:0\n\n";
    out += '\0';
    outputSeen_ = true;
}

}  // namespace busbar::stomp
