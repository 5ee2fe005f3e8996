// ConsumerInfo, ConsumerControl, MessagePull and RemoveInfo.
#include "adapters/openwire/connection.h"
#include "adapters/openwire/errors.h"

#include <algorithm>
#include <limits>

namespace busbar::openwire {
namespace {

constexpr Milliseconds kPullMax{24 * 3'600'000};
constexpr std::int32_t kAllCredit = std::numeric_limits<std::int32_t>::min() + 1;

/// What one destination of a consumer can be. Queues are not chosen by pattern here.
Result<void> checkSource(const Destination& source, const ConsumerInfo& info,
                         const std::set<Destination>& own) {
    if (source.isTemporary() && !own.contains(source)) {
        return {ErrorCode::notAuthorized,
                "'" + source.name + "' can be read by the connection that made it alone"};
    }
    if (!source.isTopic() && source.name.find_first_of("*>") != std::string::npos) {
        return {ErrorCode::unsupported,
                "'" + source.name + "': consumers of queues by pattern are not offered"};
    }
    if (info.browser && source.isTopic()) {
        return {ErrorCode::unsupported, "only queues can be browsed"};
    }
    return {};
}

}  // namespace

Connection::Consumer* Connection::findConsumer(const Ref<ConsumerId>& id) {
    if (!id) return nullptr;
    const auto found = consumers_.find({id->sessionId, id->value});
    return found == consumers_.end() ? nullptr : found->second.get();
}

Result<void> Connection::readConsumer(ConsumerInfo& info, Consumer& consumer,
                                      std::vector<Subscribe>& commands) {
    if (!info.consumerId || !info.destination) {
        return {ErrorCode::invalidArgument, "ConsumerInfo needs an id and a destination"};
    }
    const auto target = toTarget(*info.destination);
    if (!target) return target.error();
    if (auto applied = applyConsumerOptions(*target, info); !applied) return applied;
    consumer.key = {info.consumerId->sessionId, info.consumerId->value};
    consumer.wireId = info.consumerId;
    consumer.destination = info.destination;
    consumer.prefetch =
        std::clamp(info.prefetchSize, 0, static_cast<std::int32_t>(options_.prefetchMax));
    const bool durable = info.subscriptionName && !info.subscriptionName->empty();
    if ((durable || info.browser) && target->destinations.size() > 1) {
        return {ErrorCode::unsupported,
                "durable subscriptions and browsers are of one destination alone"};
    }
    if (durable && clientId_.empty()) {
        return {ErrorCode::invalidArgument,
                "a durable subscription needs a client id: see setClientID"};
    }
    for (const auto& source : target->destinations) {
        if (isAdvisory(source)) continue;
        if (auto good = checkSource(source, info, temporaries_); !good) return good;
        Subscribe& command = commands.emplace_back();
        command.session = session_;
        command.source = source;
        command.credit = static_cast<std::uint32_t>(consumer.prefetch);
        command.windowed = false;
        command.selector = info.selector.value_or("");
        // NOLINTNEXTLINE(bugprone-signed-char-misuse): a number, not a character
        command.priority = info.priority;
        command.exclusive = info.exclusive;
        command.noLocal = info.noLocal;
        if (source.isTopic()) command.durableName = info.subscriptionName.value_or("");
    }
    readAdvisory(*target, consumer);
    return {};
}

void Connection::on(ConsumerInfo& info) {
    const Answer answer = answerTo(info);
    if (consumers_.size() >= options_.consumersMax) {
        return refuse(answer, {ErrorCode::limitReached, "a connection may have at most " +
                                                            std::to_string(options_.consumersMax) +
                                                            " consumers"});
    }
    auto made = std::make_unique<Consumer>();
    std::vector<Subscribe> commands;
    if (auto read = readConsumer(info, *made, commands); !read) return refuse(answer, read.error());
    const auto [at, added] = consumers_.try_emplace(made->key);
    if (!added) {
        return refuse(answer, {ErrorCode::alreadyExists, "this consumer id is in use"});
    }
    at->second = std::move(made);
    Consumer& consumer = *at->second;
    if (info.browser && !commands.empty()) {
        consumer.browse = std::make_unique<Consumer::Browse>();
        consumer.browse->queue = commands.front().source.name;
        consumer.browse->selector = commands.front().selector;
        consumer.browse->credit = consumer.prefetch;
        consumer.browse->answer = answer;
        browse(consumer);
        if (!consumer.browse->asked) reply(*std::exchange(consumer.browse->answer, std::nullopt));
        return;
    }
    if (commands.empty()) return reply(answer);  // advisories alone
    const bool selects = !commands.front().selector.empty();
    subscribe(consumer, std::move(commands), answer, selects);
}

void Connection::subscribe(Consumer& consumer, std::vector<Subscribe> commands,
                           const Answer& answer, bool selects) {
    auto together = std::make_shared<Together>();
    together->open = commands.size();
    const auto then = [this, together, answer, selects, key = consumer.key](Completed& done) {
        if (done.error && !together->error) together->error = *done.error;
        if (--together->open > 0) return;
        if (!together->error) return reply(answer);
        if (selects && together->error->code == ErrorCode::invalidArgument)
            refuse(answer, toInvalidSelector(*together->error));
        else
            refuse(answer, *together->error);
        const auto found = consumers_.find(key);
        if (found != consumers_.end()) removeConsumer(*found->second, -1, Answer{});
    };
    for (Subscribe& command : commands) {
        command.consumer = busbar::ConsumerId(++lastSource_);
        consumer.sources.push_back(command.consumer);
        sources_.emplace(command.consumer, &consumer);
        command.request = expect(then);
        host_.bus().submit(std::move(command));
    }
}

/// Sent by a client that has failed over, when it is done with what came before: the consumer was
/// made again without a prefetch, and gets it now.
void Connection::on(ConsumerControl& control) {
    replaying_ = false;
    const Answer answer = answerTo(control);
    Consumer* consumer = findConsumer(control.consumerId);
    if (!consumer) return reply(answer);
    if (control.close) return removeConsumer(*consumer, -1, answer);
    const std::int32_t prefetch =
        std::clamp(control.prefetch, 0, static_cast<std::int32_t>(options_.prefetchMax));
    const std::int32_t more = prefetch - std::exchange(consumer->prefetch, prefetch);
    for (const auto source : consumer->sources) credits_[source] += more;
    if (consumer->browse) consumer->browse->credit += more;
    if (consumer->browse) browse(*consumer);
    reply(answer);
}

// ---- pull

void Connection::on(MessagePull& command) {
    replaying_ = false;
    Consumer* consumer = findConsumer(command.consumerId);
    const Answer answer = answerTo(command);
    if (!consumer) {
        return refuse(answer, {ErrorCode::notFound, "MessagePull of a consumer that is not here"});
    }
    if (consumer->sources.size() > 1) {
        return refuse(answer, {ErrorCode::unsupported,
                               "a consumer of several destinations needs a prefetch above 0"});
    }
    reply(answer);
    if (consumer->browse) {
        ++consumer->browse->credit;
        return browse(*consumer);
    }
    if (consumer->sources.empty() || consumer->prefetch > 0) return;
    pull(*consumer, Milliseconds(command.timeout));
}

/// Credit for one. 0 waits for ever, below 0 not at all. A pull that is repeated (after a failover)
/// is the same pull.
void Connection::pull(Consumer& consumer, Milliseconds timeout) {
    if (!std::exchange(consumer.pulling, true)) ++credits_[consumer.sources.front()];
    ++consumer.pull;
    if (timeout.count() < 0) return endPull(consumer);
    if (timeout.count() == 0) return;
    pulls_.emplace(host_.now().steady + std::min(timeout, kPullMax),
                   std::pair{consumer.key, consumer.pull});
    arm();
}

/// Gives what there is; where there is nothing the client is told so.
void Connection::endPull(Consumer& consumer) {
    flush();
    AddCredit command;
    command.session = session_;
    command.consumer = consumer.sources.front();
    command.drain = true;
    command.request = expect([this, key = consumer.key, pull = consumer.pull](Completed& done) {
        const auto found = consumers_.find(key);
        if (found == consumers_.end() || done.error) return;
        Consumer& drained = *found->second;
        if (!drained.pulling || drained.pull != pull) return;
        drained.pulling = false;
        dispatchNothing(drained);
    });
    host_.bus().submit(command);
}

// ---- the end of consumers, sessions and all

void Connection::forget(Consumer& consumer) {
    for (const auto source : consumer.sources) {
        sources_.erase(source);
        credits_.erase(source);
    }
    consumers_.erase(consumer.key);
}

/// What the application may have seen has failed, which ending the consumer means anyway; what was
/// only prefetched is released before. Else a few crashes would make dead letters of messages that
/// nobody ever saw.
void Connection::giveBack(Consumer& consumer, Window::Position seenEnd) {
    if (consumer.browse || consumer.window.size() == 0) return;
    Settle command;
    command.session = session_;
    command.outcome = Outcome::released;
    Window& window = consumer.window;
    for (auto at = std::max(seenEnd, window.begin()); at < window.end(); ++at) {
        if (window.at(at).state == Window::State::open)
            command.deliveries.push_back(window.at(at).id);
    }
    if (command.deliveries.empty()) return;
    // Not to the same consumer again.
    for (const auto source : consumer.sources)
        host_.bus().submit(AddCredit{session_, source, kAllCredit});
    host_.bus().submit(std::move(command));
}

/// The connection broke: what was acknowledged in any way was seen, and perhaps the next one.
void Connection::giveBackUnseen() {
    for (auto& [key, consumer] : consumers_) {
        Window& window = consumer->window;
        Window::Position seen = std::max(window.seenEnd(), window.begin());
        giveBack(*consumer, seen + 1);
    }
}

void Connection::removeConsumer(Consumer& consumer, std::int64_t lastDelivered,
                                const Answer& answer) {
    flushAccepts();
    Window& window = consumer.window;
    Window::Position seen = window.seenEnd();
    if (lastDelivered > 0) {
        if (const auto last = window.findStored(lastDelivered)) seen = std::max(seen, *last + 1);
    }
    giveBack(consumer, seen);
    for (const auto source : consumer.sources) {
        Unsubscribe command;
        command.session = session_;
        command.consumer = source;
        if (answer.wanted && source == consumer.sources.back()) {
            command.request = expect([this, answer](Completed&) { reply(answer); });
        }
        host_.bus().submit(command);
    }
    if (consumer.sources.empty()) reply(answer);
    forget(consumer);
}

void Connection::removeSession(std::int64_t session, std::int64_t lastDelivered) {
    constexpr std::int64_t kFirst = std::numeric_limits<std::int64_t>::min();
    for (auto at = consumers_.lower_bound({session, kFirst});
         at != consumers_.end() && at->first.session == session;) {
        Consumer& consumer = *(at++)->second;
        removeConsumer(consumer, lastDelivered, Answer{});
    }
    for (auto at = producers_.lower_bound({session, kFirst});
         at != producers_.end() && at->first.session == session;) {
        const ProducerKey key = (at++)->first;
        removeProducer(key);
    }
}

void Connection::on(RemoveInfo& info) {
    const Answer answer = answerTo(info);
    const std::int64_t last = info.lastDeliveredSequenceId;
    if (const auto* consumer = std::get_if<Ref<ConsumerId>>(&info.objectId)) {
        if (Consumer* found = findConsumer(*consumer)) return removeConsumer(*found, last, answer);
    } else if (const auto* producer = std::get_if<Ref<ProducerId>>(&info.objectId)) {
        if (*producer) removeProducer({(*producer)->sessionId, (*producer)->value});
    } else if (const auto* session = std::get_if<Ref<SessionId>>(&info.objectId)) {
        if (*session) removeSession((*session)->value, last);
    } else if (std::holds_alternative<Ref<ConnectionId>>(info.objectId)) {
        while (!consumers_.empty()) removeConsumer(*consumers_.begin()->second, last, Answer{});
        while (!producers_.empty()) removeProducer(producers_.begin()->first);
        return leave([this, answer] {
            // The client id is free when the client knows that it is gone: the answer waits until
            // the end of the session is on its way.
            host_.bus().close(std::exchange(session_, busbar::SessionId()));
            host_.postToEngine([this, answer] {
                if (state_ == State::ended) return;
                state_ = State::left;
                reply(answer);
                loginUntil_ = host_.now().steady + options_.loginTimeout;
                arm();
                host_.flush();
            });
        });
    }
    reply(answer);
}

}  // namespace busbar::openwire
