// ACK and NACK.
#include "adapters/stomp/connection.h"

#include <algorithm>
#include <charconv>
#include <iterator>

namespace busbar::stomp {
namespace {

constexpr std::size_t kReasonMax = 1024;
constexpr std::uint64_t kNackDelayMax = 30ull * 24 * 3600 * 1000;

/// "CONSUMER-DELIVERY", as writeMessage put it into the 'ack' header.
bool parseAckId(std::string_view text, ConsumerId& consumer, DeliveryId& delivery) {
    const char* const last = text.data() + text.size();
    const auto first = std::from_chars(text.data(), last, consumer.value);
    if (first.ec != std::errc() || first.ptr == last || *first.ptr != '-') return false;
    const auto second = std::from_chars(first.ptr + 1, last, delivery.value);
    return second.ec == std::errc() && second.ptr == last;
}

Error notOutstanding(std::string_view id) {
    return {ErrorCode::lockLost,
            "'" + std::string(id.substr(0, 100)) +
                "' is not outstanding: it was acknowledged before, was never delivered here, "
                "or its subscription is over"};
}

/// NACK: again after `delay`; `requeue:false`: never again, to the dead letters with `reason`.
Result<void> readNack(const Frame& frame, Settle& settling) {
    settling.outcome = Outcome::failed;
    settling.reason = std::string(frame.get("reason", "NACK").substr(0, kReasonMax));
    if (const auto* delay = frame.find("delay")) {
        const auto number = toNumber("delay", *delay, kNackDelayMax);
        if (!number) return number.error();
        settling.delay = Milliseconds(static_cast<std::int64_t>(*number));
    }
    if (const auto* requeue = frame.find("requeue")) {
        const auto again = toBoolean("requeue", *requeue);
        if (!again) return again.error();
        if (!*again) settling.outcome = Outcome::rejected;
    }
    return {};
}

/// Whether both can go over as one command. Cumulative ones grow where they are of one consumer.
bool together(const Settle& a, const Settle& b) {
    return a.outcome == b.outcome && a.delay == b.delay && a.reason == b.reason &&
           static_cast<bool>(a.upTo) == static_cast<bool>(b.upTo) &&
           a.upToConsumer == b.upToConsumer;
}

}  // namespace

std::deque<Connection::Outstanding>::iterator Connection::findDelivery(
    std::deque<Outstanding>& outstanding, DeliveryId delivery) {
    const auto at = std::lower_bound(outstanding.begin(), outstanding.end(), delivery,
                                     [](const Outstanding& o, DeliveryId d) { return o.id < d; });
    return at == outstanding.end() || at->id != delivery ? outstanding.end() : at;
}

void Connection::trim(std::deque<Outstanding>& outstanding) {
    while (!outstanding.empty() && outstanding.front().settled) outstanding.pop_front();
}

/// 1.2: header `id` names the 'ack' header of a MESSAGE. 1.1 and 1.0: `message-id` (and
/// `subscription`).
Result<std::pair<Connection::Subscription*, std::size_t>> Connection::findOutstanding(
    const Frame& frame) {
    using Found = std::pair<Subscription*, std::size_t>;
    if (version_ == Version::v12) {
        const auto* id = frame.find("id");
        ConsumerId consumer;
        DeliveryId delivery;
        if (!id || !parseAckId(*id, consumer, delivery)) {
            return {ErrorCode::invalidArgument,
                    std::string(frame.command) +
                        " needs an 'id' header with the value of the 'ack' header of a "
                        "MESSAGE"};
        }
        const auto found = subscriptions_.find(consumer);
        if (found == subscriptions_.end()) return notOutstanding(*id);
        auto& outstanding = found->second.outstanding;
        const auto at = findDelivery(outstanding, delivery);
        if (at == outstanding.end() || at->settled) return notOutstanding(*id);
        return Found{&found->second, static_cast<std::size_t>(at - outstanding.begin())};
    }
    const auto* messageId = frame.find("message-id");
    if (!messageId) {
        return {ErrorCode::invalidArgument,
                std::string(frame.command) + " needs a 'message-id' header"};
    }
    const auto* wanted = frame.find("subscription");
    for (auto& [consumer, subscription] : subscriptions_) {
        if (wanted && subscription.id != *wanted) continue;
        const auto& outstanding = subscription.outstanding;
        const auto at = std::find_if(
            outstanding.begin(), outstanding.end(),
            [&](const Outstanding& o) { return !o.settled && o.message->id == *messageId; });
        if (at != outstanding.end()) {
            return Found{&subscription, static_cast<std::size_t>(at - outstanding.begin())};
        }
    }
    return notOutstanding(*messageId);
}

/// With ack:client everything up to the named one, else that one alone. `settling` is told which:
/// as one number where nothing in between belongs to an open transaction.
Result<std::vector<DeliveryId>> Connection::takeAcknowledged(const Frame& frame, Settle& settling) {
    auto found = findOutstanding(frame);
    if (!found) return found.error();
    auto& [subscription, index] = *found;
    auto& outstanding = subscription->outstanding;
    const bool cumulative = subscription->ack == Ack::client;
    std::vector<DeliveryId> taken;
    for (std::size_t i = cumulative ? 0 : index; i <= index; ++i) {
        if (!std::exchange(outstanding[i].settled, true)) taken.push_back(outstanding[i].id);
    }
    if (cumulative && transactions_.empty()) {
        settling.upTo = outstanding[index].id;
        settling.upToConsumer = subscription->consumer;
    } else {
        settling.deliveries = taken;
    }
    trim(outstanding);
    return taken;
}

void Connection::acknowledge(const Frame& frame, bool accepted) {
    const bool transacted = frame.find("transaction") != nullptr;
    LocalTransaction* transaction = transacted ? findTransaction(frame) : nullptr;
    if (transacted && !transaction) return;
    if (transacted && !accepted) {
        return refuse(
            frame, {ErrorCode::unsupported, "NACK within a transaction: NACK outside, or ABORT"});
    }
    Settle settling;
    if (!accepted) {
        if (auto read = readNack(frame, settling); !read) return refuse(frame, read.error());
    }
    auto taken = takeAcknowledged(frame, settling);
    if (!taken) {
        // An acknowledgement may cross with the end of its subscription: harmless where nobody
        // waits.
        const bool crossed = taken.error().code == ErrorCode::lockLost &&
                             frame.get("receipt").empty() && version_ == Version::v12 &&
                             !subscriptions_.contains(consumerOf(frame.get("id")));
        if (!crossed) refuse(frame, taken.error());
        return;
    }
    if (!transaction) return settle(std::move(settling), frame.get("receipt"));
    for (const DeliveryId delivery : *taken) {
        if (auto enlisted = transaction->accept(delivery); !enlisted)
            return refuse(frame, enlisted.error());
    }
    receiptNow(frame);
}

/// Collects: acknowledgements that come together go over, and become durable, together.
void Connection::settle(Settle settling, std::string_view receipt) {
    if (settles_ && !together(*settles_, settling)) flushSettles();
    if (!settles_) {
        settles_ = std::move(settling);
    } else if (settling.upTo) {
        settles_->upTo = settling.upTo;
        settles_->upToConsumer = settling.upToConsumer;
    } else {
        settles_->deliveries.insert(settles_->deliveries.end(), settling.deliveries.begin(),
                                    settling.deliveries.end());
    }
    if (!receipt.empty()) settlesReceipts_.emplace_back(receipt);
}

void Connection::flushSettles() {
    if (!settles_ || !session_) return;
    Settle command = *std::exchange(settles_, std::nullopt);
    command.session = session_;
    if (!settlesReceipts_.empty()) {
        Pending& pending = expect(Pending::Kind::settle, settlesReceipts_.front(), command.request);
        settlesReceipts_.erase(settlesReceipts_.begin());
        pending.moreReceipts = std::exchange(settlesReceipts_, {});
        pending.what = command.outcome == Outcome::accepted ? "ACK" : "NACK";
    }
    host_.bus().submit(std::move(command));
}

ConsumerId Connection::consumerOf(std::string_view ackId) {
    ConsumerId consumer;
    DeliveryId delivery;
    return parseAckId(ackId, consumer, delivery) ? consumer : ConsumerId();
}

}  // namespace busbar::stomp
