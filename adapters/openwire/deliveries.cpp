// From the bus to the client: MessageDispatch, held back while the client is behind.
#include "adapters/openwire/connection.h"
#include "adapters/openwire/errors.h"

#include <algorithm>
#include <utility>

namespace busbar::openwire {
namespace {

constexpr std::uint32_t kBrowsePage = 100;
/// What a dispatch takes beside body and properties, generously.
constexpr std::uint64_t kDispatchHead = 4096;

}  // namespace

void Connection::deliver(Delivered& effect) {
    const auto source = sources_.find(effect.consumer);
    if (source == sources_.end()) return;  // the bus takes it back with its consumer
    Consumer& consumer = *source->second;
    const Delivery& delivery = effect.delivery;
    consumer.pulling = false;
    consumer.window.add({delivery.id, delivery.stored, effect.consumer, delivery.count,
                         delivery.lease ? delivery.fencingToken : 0});
    if (!waiting_.empty() || download_ || outputHigh()) {
        waiting_.push_back(std::move(effect));
        return;
    }
    dispatch(effect);
}

void Connection::dispatch(Delivered& delivered) {
    const auto source = sources_.find(delivered.consumer);
    if (source == sources_.end()) return;
    const Delivery& delivery = delivered.delivery;
    if (!delivery.message) return passOver(*source->second, delivery.id);
    if (delivery.message->large) return beginDownload(std::move(delivered));
    const DeliveryFacts facts{delivery.stored, delivery.count, delivery.firstOfGroup,
                              delivery.fencingToken, delivery.lease};
    std::optional<Error> why;
    if (!writeDispatch(*source->second, *delivery.message, facts, why))
        refuseDelivery(delivered, *why);
}

/// False where it cannot be written, `why` says the reason; nothing was written then.
bool Connection::writeDispatch(Consumer& consumer, const Message& message,
                               const DeliveryFacts& facts, std::optional<Error>& why) {
    const auto most =
        static_cast<std::uint64_t>(std::max<std::int64_t>(agreement_.frameBytesMax, 0));
    if (most > 0 && footprint(message) + kDispatchHead > most) {
        why = Error{ErrorCode::tooLarge, "a message of " + std::to_string(footprint(message)) +
                                             " bytes does not fit into the " +
                                             std::to_string(most) + " that the client takes"};
        return false;
    }
    auto wire = toWire(message, facts);
    if (!wire) {
        why = wire.error();
        return false;
    }
    adviseReplyTo(message);
    MessageDispatch dispatch;
    dispatch.commandId = ++lastCommandId_;
    dispatch.consumerId = consumer.wireId;
    dispatch.destination = (*wire)->destination;
    dispatch.redeliveryCounter = (*wire)->redeliveryCounter;
    dispatch.message = std::move(*wire);
    Structure structure;
    structure.value = std::move(dispatch);
    if (writeStructure(structure)) return true;
    why = Error{ErrorCode::tooLarge, "a text of the message is longer than OpenWire can say"};
    return false;
}

/// The end of a browse, or nothing there for a pull.
void Connection::dispatchNothing(const Consumer& consumer) {
    MessageDispatch dispatch;
    dispatch.consumerId = consumer.wireId;
    write(std::move(dispatch));
}

/// This client can do nothing with it, now or later: a dead letter, so that it does not block.
void Connection::refuseDelivery(const Delivered& delivered, const Error& why) {
    const auto source = sources_.find(delivered.consumer);
    if (source == sources_.end()) return;
    Consumer& consumer = *source->second;
    Settle command;
    command.session = session_;
    command.deliveries = {delivered.delivery.id};
    command.outcome = Outcome::rejected;
    command.reason = why.text;
    host_.bus().submit(std::move(command));
    const auto stored = static_cast<std::int64_t>(delivered.delivery.stored.value);
    if (const auto at = consumer.window.findStored(stored)) {
        consumer.window.at(*at).state = Window::State::settled;
        open(consumer, consumer.window.at(*at));
        trim(consumer);
    }
    flush();
}

/// It was taken back before it could be written: the client has room for another one.
void Connection::passOver(Consumer& consumer, DeliveryId delivery) {
    const auto at = consumer.window.findDelivery(delivery);
    if (!at) return;
    open(consumer, consumer.window.at(*at));
    consumer.window.at(*at).state = Window::State::settled;
    trim(consumer);
}

/// There is no word for it in OpenWire: who acknowledges what ran out is answered then. What was
/// settled by its token may be acknowledged all the same (JMS clients do), which changes nothing.
void Connection::endLease(const LeaseEnded& effect) {
    const auto source = sources_.find(effect.consumer);
    if (source == sources_.end()) return;
    const auto waits = std::find_if(waiting_.begin(), waiting_.end(), [&](const Delivered& d) {
        return d.delivery.id == effect.delivery;
    });
    if (waits != waiting_.end()) {
        waits->delivery.message = nullptr;
        return;
    }
    Consumer& consumer = *source->second;
    const auto at = consumer.window.findDelivery(effect.delivery);
    if (!at || consumer.window.at(*at).state != Window::State::open) return;
    Window::Entry& entry = consumer.window.at(*at);
    entry.state = effect.lapsed ? Window::State::lapsed : Window::State::over;
    if (!effect.lapsed) open(consumer, entry);
    trim(consumer);
}

/// Writes what waits as far as the peer keeps up.
void Connection::pump() {
    host_.flush();
    while (!waiting_.empty() && !download_ && !outputHigh() && state_ != State::ended) {
        while (!waiting_.empty() && !download_ && !outputHigh()) {
            Delivered next = std::move(waiting_.front());
            waiting_.pop_front();
            dispatch(next);
        }
        host_.flush();
    }
    if (download_ || outputHigh() || state_ != State::connected) return;
    for (auto& [key, consumer] : consumers_) {
        if (consumer->browse) browse(*consumer);
    }
    host_.flush();
}

// ---- bodies that are too large for memory

void Connection::beginDownload(Delivered delivered) {
    const LargeBodyPtr large = delivered.delivery.message->large;
    BusPort& bus = host_.bus();
    if (!bus.bodies() || large->size > options_.frameBytesMax) {
        return refuseDelivery(
            delivered, {ErrorCode::tooLarge, "a body of " + std::to_string(large->size) +
                                                 " bytes does not fit into a frame of OpenWire"});
    }
    download_ = std::make_unique<Download>();
    download_->body =
        std::make_unique<BodyDownload>(*bus.bodies(), bus.executor(), large, 0, large->size);
    download_->delivered = std::move(delivered);
    fetchDownload();
}

void Connection::fetchDownload() {
    if (!download_ || download_->fetching) return;
    download_->fetching = true;
    download_->body->next([this](Result<Buffer> piece) { onPiece(std::move(piece)); });
}

void Connection::onPiece(Result<Buffer> piece) {
    download_->fetching = false;
    if (piece) {
        download_->content += piece->view();
        if (download_->body->left() > 0) return fetchDownload();
    }
    const auto whole = std::exchange(download_, nullptr);
    if (piece) {
        auto message = std::make_shared<Message>(*whole->delivered.delivery.message);
        message->large = nullptr;
        message->body = Buffer::of(std::move(whole->content));
        whole->delivered.delivery.message = std::move(message);
        dispatch(whole->delivered);
    } else {
        refuseDelivery(whole->delivered, piece.error());
    }
    pump();
}

// ---- browsing

/// The next page, where the client has room for it.
void Connection::browse(Consumer& consumer) {
    Consumer::Browse& view = *consumer.browse;
    if (view.asked || view.credit <= 0 || outputHigh()) return;
    if (view.ended) return;
    view.asked = true;
    Browse command;
    command.session = session_;
    command.queue = view.queue;
    command.after = view.shown;
    command.max = static_cast<std::uint32_t>(std::min<std::int64_t>(kBrowsePage, view.credit));
    command.selector = view.selector;
    command.request = expect(nullptr);
    browses_.emplace(command.request, consumer.key);
    host_.bus().submit(std::move(command));
}

void Connection::onBrowsed(Browsed& effect) {
    const auto asked = browses_.find(effect.request);
    if (asked == browses_.end()) return;
    const ConsumerKey key = asked->second;
    browses_.erase(asked);
    Completed answered;
    answered.request = effect.request;
    onCompleted(answered);
    const auto found = consumers_.find(key);
    if (state_ == State::ended || found == consumers_.end()) return;
    Consumer& consumer = *found->second;
    Consumer::Browse& view = *consumer.browse;
    view.asked = false;
    // A queue that nobody has made yet is empty.
    const bool failed = effect.error && effect.error->code != ErrorCode::notFound;
    if (const auto answer = std::exchange(view.answer, std::nullopt)) {
        if (failed) {
            if (effect.error->code == ErrorCode::invalidArgument)
                refuse(*answer, toInvalidSelector(*effect.error));
            else
                refuse(*answer, *effect.error);
            return removeConsumer(consumer, -1, Answer{});
        }
        reply(*answer);
    }
    for (const auto& entry : effect.entries) {
        view.shown = entry.id;
        Message head = *entry.message;
        head.large = nullptr;  // looking does not need the body
        std::optional<Error> why;
        const DeliveryFacts facts{entry.id, entry.deliveryCount + (entry.held ? 0 : 1), false};
        if (!writeDispatch(consumer, head, facts, why)) continue;
        --view.credit;
        consumer.window.add({DeliveryId(), entry.id, busbar::ConsumerId(), 1});
    }
    if (!effect.more || effect.entries.empty() || effect.error) {
        view.ended = true;
        dispatchNothing(consumer);
    }
}

}  // namespace busbar::openwire
