// SUBSCRIBE (consumers and browsers) and UNSUBSCRIBE.
#include "adapters/stomp/connection.h"

#include <limits>

namespace busbar::stomp {
namespace {

constexpr std::uint32_t kBrowsePage = 100;
constexpr std::uint32_t kPrefetchMax = 65'535;
constexpr std::size_t kProcessedMax = 100'000;

std::string durableName(const Frame& frame) {
    const auto* name = findSpelling(
        frame, {"activemq.subscriptionName", "durable-subscription-name", "subscription-name"});
    return name ? std::string(*name) : std::string();
}

/// False where the frame has none of the names.
Result<bool> flag(const Frame& frame, std::initializer_list<std::string_view> names) {
    const auto* value = findSpelling(frame, names);
    return value ? toBoolean(*names.begin(), *value) : false;
}

/// STOMP's properties are all strings, so a selector compares them as numbers where it means
/// numbers (docs/selectors.md). An option in the client's own text comes later, and so counts.
std::string selectorOf(const Frame& frame) {
    const auto text = frame.get("selector");
    return text.empty() ? std::string() : "convert_string_expressions:" + std::string(text);
}

/// How much, to whom first, to whom alone.
Result<void> readFlow(const Frame& frame, Subscribe& command) {
    if (const auto* prefetch =
            findSpelling(frame, {"activemq.prefetchSize", "prefetch-count", "x-prefetch"})) {
        auto number = toNumber("prefetch", *prefetch, kPrefetchMax);
        if (!number) return number.error();
        command.credit = *number == 0 ? 1 : static_cast<std::uint32_t>(*number);
    }
    if (const auto* priority =
            findSpelling(frame, {"activemq.priority", "priority", "x-priority"})) {
        auto number = toSigned("priority", *priority, std::numeric_limits<std::int32_t>::min(),
                               std::numeric_limits<std::int32_t>::max());
        if (!number) return number.error();
        command.priority = static_cast<std::int32_t>(*number);
    }
    if (const auto* lease = frame.find("lease")) {
        auto number = toNumber("lease", *lease, static_cast<std::uint64_t>(kLeaseMax.count()));
        if (!number) return number.error();
        command.lease = Milliseconds(static_cast<std::int64_t>(*number));
    }
    const auto exclusive =
        flag(frame, {"exclusive", "activemq.exclusive", "x-single-active-consumer"});
    if (!exclusive) return exclusive.error();
    command.exclusive = *exclusive;
    return {};
}

/// With whom the subscription is shared, and what of it was processed before.
Result<void> readSharing(const Frame& frame, Subscribe& command) {
    const auto noLocal = flag(frame, {"no-local", "activemq.noLocal"});
    if (!noLocal) return noLocal.error();
    const auto shared = flag(frame, {"shared"});
    if (!shared) return shared.error();
    const auto exactlyOnce = flag(frame, {"exactly-once"});
    if (!exactlyOnce) return exactlyOnce.error();
    command.noLocal = *noLocal;
    command.shared = *shared;
    command.exactlyOnce = *exactlyOnce;
    if (const auto* processed = frame.find("processed")) {
        if (!command.exactlyOnce) {
            return {ErrorCode::invalidArgument, "'processed' needs 'exactly-once:true'"};
        }
        auto ids = toStoredIds("processed", *processed, kProcessedMax);
        if (!ids) return ids.error();
        command.processed = std::move(*ids);
    }
    return {};
}

}  // namespace

Connection::Subscription* Connection::findSubscription(std::string_view id) {
    for (auto& [consumer, subscription] : subscriptions_) {
        if (subscription.id == id) return &subscription;
    }
    return nullptr;
}

Result<Subscribe> Connection::readSubscribe(const Frame& frame) {
    const auto* wire = frame.find("destination");
    if (!wire) return {ErrorCode::invalidArgument, "SUBSCRIBE without a 'destination' header"};
    auto source = toDestination(*wire, *this);
    if (!source) return source.error();
    if (source->isTemporary() && !temporaryLocalNames_.contains(*source)) {
        return {ErrorCode::notAuthorized,
                "a temporary queue or topic can be read by the connection that made it alone"};
    }
    Subscribe command;
    command.session = session_;
    command.source = std::move(*source);
    command.credit = options_.prefetchDefault;
    if (auto read = readFlow(frame, command); !read) return read.error();
    if (auto read = readSharing(frame, command); !read) return read.error();
    command.selector = selectorOf(frame);
    command.durableName = durableName(frame);
    if (!command.durableName.empty() && !command.shared && clientId_.empty()) {
        return {ErrorCode::invalidArgument,
                "a durable subscription needs the header 'client-id' on CONNECT, or 'shared:true'"};
    }
    return command;
}

Result<void> Connection::readDelivery(const Frame& frame, Subscription& subscription,
                                      Subscribe& command) {
    const auto ack = frame.get("ack", "auto");
    if (ack == "client") {
        subscription.ack = Ack::client;
    } else if (ack == "client-individual") {
        subscription.ack = Ack::individual;
    } else if (ack != "auto") {
        return {ErrorCode::invalidArgument, "header 'ack' is '" + std::string(ack.substr(0, 40)) +
                                                "': auto, client or client-individual is expected"};
    }
    // Credit of automatic ones comes back when the socket has taken what they used it for.
    command.windowed = subscription.ack != Ack::automatic;
    const auto atMostOnce = flag(frame, {"at-most-once"});
    if (!atMostOnce) return atMostOnce.error();
    if (*atMostOnce && (subscription.ack != Ack::automatic || command.exactlyOnce)) {
        return {ErrorCode::invalidArgument, "'at-most-once:true' goes with 'ack:auto' alone"};
    }
    if (*atMostOnce) command.ackMode = AckMode::none;
    subscription.showsStored = command.exactlyOnce;
    const auto changes = flag(frame, {"busbar-consumer-changes"});
    if (!changes) return changes.error();
    subscription.showsChanges = *changes;
    const auto groups = flag(frame, {"busbar-group-changes"});
    if (!groups) return groups.error();
    subscription.showsGroups = *groups;
    return {};
}

void Connection::subscribe(const Frame& frame) {
    const auto* id = frame.find("id");
    if (!id && version_ != Version::v10) {
        return refuse(frame, {ErrorCode::invalidArgument, "SUBSCRIBE without an 'id' header"});
    }
    const std::string wireId(id ? *id : frame.get("destination"));
    if (findSubscription(wireId)) {
        return refuse(frame,
                      {ErrorCode::conflict, "subscription '" + wireId + "' is open already"});
    }
    if (subscriptions_.size() >= options_.subscriptionsMax) {
        return refuse(frame, {ErrorCode::limitReached,
                              "a connection may have at most " +
                                  std::to_string(options_.subscriptionsMax) + " subscriptions"});
    }
    Subscription subscription;
    auto command = readSubscribe(frame);
    if (!command) return refuse(frame, command.error());
    if (auto read = readDelivery(frame, subscription, *command); !read)
        return refuse(frame, read.error());
    command->consumer = subscription.consumer = ConsumerId(++lastConsumer_);
    subscription.id = wireId;
    const bool browses = frame.get("browser") == "true";
    if (browses && command->source.isTopic()) {
        return refuse(frame, {ErrorCode::unsupported, "only queues can be browsed"});
    }
    if (browses) {
        subscription.browseQueue = command->source.name;
        subscription.browseSelector = command->selector;
    }
    auto& added =
        subscriptions_.emplace(subscription.consumer, std::move(subscription)).first->second;
    if (browses) return browse(added, frame.get("receipt"));
    expect(Pending::Kind::command, frame.get("receipt"), command->request).what =
        "SUBSCRIBE id:" + wireId.substr(0, 100);
    host_.bus().submit(std::move(*command));
}

void Connection::browse(Subscription& subscription, std::string_view receipt) {
    Browse command;
    command.session = session_;
    command.queue = subscription.browseQueue;
    command.after = subscription.browsed;
    command.max = kBrowsePage;
    command.selector = subscription.browseSelector;
    Pending& pending = expect(Pending::Kind::browse, receipt, command.request);
    pending.consumer = subscription.consumer;
    pending.what = "SUBSCRIBE browser:true";
    host_.bus().submit(std::move(command));
}

void Connection::onBrowsed(Browsed& effect) {
    const Pending* pending = pending_.find(effect.request);
    if (!pending) return;
    const ConsumerId consumer = pending->consumer;
    Completed answered;
    answered.session = effect.session;
    answered.request = effect.request;
    answered.error = std::move(effect.error);
    onCompleted(answered);
    const auto found = subscriptions_.find(consumer);
    if (state_ == State::ended || found == subscriptions_.end()) return;
    Subscription& subscription = found->second;
    for (const auto& entry : effect.entries) {
        writeBrowsed(subscription, entry);
        subscription.browsed = entry.id;
    }
    if (effect.more && !effect.entries.empty())
        subscription.browseMore = browseWaits_ = true;
    else
        writeBrowseEnd(subscription);
}

void Connection::unsubscribe(const Frame& frame) {
    const auto* id = frame.find("id");
    const std::string wireId(id ? *id : frame.get("destination"));
    Subscription* subscription = findSubscription(wireId);
    const std::string durable = durableName(frame);
    const auto shared = flag(frame, {"shared"});
    if (!shared) return refuse(frame, shared.error());
    if (!subscription && durable.empty()) {
        return refuse(frame, {ErrorCode::notFound, "no subscription '" + wireId +
                                                       "' is open: the 'id' of a "
                                                       "SUBSCRIBE is expected"});
    }
    bool receiptGoes = false;
    if (subscription) {
        const ConsumerId consumer = subscription->consumer;
        const bool browses = !subscription->browseQueue.empty();
        settleAutomatic();
        subscriptions_.erase(consumer);
        if (!browses) {
            Unsubscribe command;
            command.session = session_;
            command.consumer = consumer;
            receiptGoes = durable.empty();
            expect(Pending::Kind::command, receiptGoes ? frame.get("receipt") : std::string_view(),
                   command.request)
                .what = "UNSUBSCRIBE id:" + wireId.substr(0, 100);
            host_.bus().submit(command);
        }
    }
    if (!durable.empty()) {
        DeleteSubscription command;
        command.session = session_;
        command.name = durable;
        command.shared = *shared;
        receiptGoes = true;
        expect(Pending::Kind::command, frame.get("receipt"), command.request).what =
            "UNSUBSCRIBE durable subscription " + durable.substr(0, 100);
        host_.bus().submit(std::move(command));
    }
    if (!receiptGoes) receiptNow(frame);
}

}  // namespace busbar::stomp
