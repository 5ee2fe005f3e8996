// Queues and subscriptions coming and going.
#include "bus/core/broker_impl.h"
#include "bus/core/lease_orders.h"
#include "bus/core/rows.h"
#include "bus/core/topic_pattern.h"

#include <algorithm>

namespace busbar {
namespace {

constexpr std::size_t kOperationsAtATime = 10'000;
constexpr double kWarnAt = 0.8;

}  // namespace

Queue* Broker::Impl::queue(QueueId id) {
    const auto found = queues_.find(id);
    return found == queues_.end() ? nullptr : found->second.get();
}

Queue* Broker::Impl::queueNamed(const std::string& name) {
    const auto found = queueNames_.find(name);
    return found == queueNames_.end() ? nullptr : queue(found->second);
}

Queue& Broker::Impl::makeQueue(QueueKind kind, std::string name) {
    auto made = std::make_unique<Queue>();
    made->id = QueueId(nextQueueId_++);
    made->kind = kind;
    made->durable = kind != QueueKind::temporary;
    made->options = options_.queueDefaults;
    made->views.push_back(std::make_unique<View>());
    if (kind == QueueKind::queue) {
        for (const auto& [pattern, options] : options_.queuePatterns) {
            if (!matchesPattern(pattern, name)) continue;
            made->options = options;
            break;
        }
    }
    if (kind == QueueKind::queue && (name.starts_with("DLQ.") || name.starts_with("EXPIRED."))) {
        made->options = QueueOptions{};
        made->options.deliveriesMax = 0;
    }
    if (kind == QueueKind::schedules) made->options = QueueOptions{};
    made->rates.at = now_.steady;
    made->name = std::move(name);
    if (kind == QueueKind::queue || kind == QueueKind::temporary)
        queueNames_[made->name] = made->id;
    return *queues_.emplace(made->id, std::move(made)).first->second;
}

/// The queue of that name, made where it is missing.
Result<Queue*> Broker::Impl::openQueue(const std::string& name) {
    if (Queue* found = queueNamed(name)) return found;
    if (auto valid = checkDestinationName(name); !valid) return valid.error();
    if (name == kLeaseQueue) {
        return {ErrorCode::invalidArgument,
                "'" + name + "' takes orders about leases; no queue can have this name"};
    }
    if (queues_.size() >= options_.queuesMax) {
        return {ErrorCode::limitReached,
                "there are " + std::to_string(options_.queuesMax) +
                    " queues and subscriptions already, the limit: delete some, or raise it"};
    }
    return &makeQueue(QueueKind::queue, name);
}

/// Makes the queue's definition part of `draft`. Until one is known to be stored each unit has it:
/// the disk may refuse one unit and take the next.
void Broker::Impl::storeDefinition(Queue& q, Draft& draft) {
    if (q.rowStored || !q.durable) return;
    q.rowSent = true;
    draft.queueRows.push_back({q.id, q.rowVersion});
    draft.unit.operations.push_back(rows::definition(q));
}

void Broker::Impl::dropQueue(Queue& q) {
    q.messages.forEach([&](EntryPlace, const QueueEntry& entry) {
        if (!entry.stored) return;
        lazily(RemoveEntry{q.id, entry.id});
        if (lazy_.size() >= kOperationsAtATime) flushLazy();
    });
    memory_ -= q.memory;
    for (const auto& [id, failures] : q.failures)
        lazily(EraseRow{Table::failures, rows::entryKey(q.id, id)});
    for (const Command& command : q.blocked) refuseWaiting(command, q.name);
    for (const WaitingReceive& r : q.receives) {
        emit(Received{r.session,
                      r.request,
                      Error{ErrorCode::notFound, "queue '" + q.name + "' was deleted"},
                      {}});
    }
    if (q.rowSent) lazily(rows::eraseDefinition(q));
    if (recovered_ == &q) recovered_ = nullptr;
    if (Session* s = session(q.owner)) std::erase(s->temporaries, q.id);
    const std::string states = rows::groupKey(q.id, {});
    for (auto at = groupStates_.lower_bound(states);
         at != groupStates_.end() && at->first.starts_with(states);) {
        lazily(EraseRow{Table::instance, at->first});
        at = groupStates_.erase(at);
    }
    if (q.subscription) {
        const auto temporary = temporaryTopics_.find(q.subscription->pattern);
        if (!q.subscription->temporary)
            topics_.remove(q.subscription->pattern, q.id);
        else if (temporary != temporaryTopics_.end())
            std::erase(temporary->second.subscriptions, q.id);
        std::erase_if(subscriptionNames_, [&](const auto& named) { return named.second == q.id; });
    } else {
        queueNames_.erase(q.name);
    }
    queues_.erase(q.id);
}

Result<Queue*> Broker::Impl::openSubscription(const Subscribe& c, Session& s,
                                              std::shared_ptr<const Selector> selector) {
    if (c.source.isTemporary()) {
        if (auto allowed = checkTemporaryTopic(c, s); !allowed) return allowed.error();
    }
    if (auto valid = checkDestinationName(c.source.name); !valid) return valid.error();
    const auto tooMany = [&]() -> std::optional<Error> {
        if (queues_.size() < options_.queuesMax) return std::nullopt;
        return Error{ErrorCode::limitReached,
                     "there are " + std::to_string(options_.queuesMax) +
                         " queues and subscriptions already, the limit: delete some, or raise it"};
    };
    SubscriptionInfo info;
    info.pattern = c.source.name;
    info.clientId = s.clientId;
    info.name = c.durableName;
    info.shared = c.shared;
    info.temporary = c.source.isTemporary();
    info.noLocal = c.noLocal;
    if (c.noLocal) info.noLocalSession = s.id;
    info.selectorText = c.selector;
    info.selector = std::move(selector);
    if (c.durableName.empty()) {
        if (auto error = tooMany()) return std::move(*error);
        return &makeSubscription(std::move(info),
                                 c.source.name + "@" + std::to_string(s.id.value) + "." +
                                     std::to_string(c.consumer.value),
                                 false);
    }
    if (!c.shared && s.clientId.empty()) {
        return {ErrorCode::invalidArgument,
                "a durable subscription needs a connection with a client id, or to be shared"};
    }
    if (c.shared) info.clientId.clear();
    const std::string name = info.clientId + "." + c.durableName;
    if (const auto found = subscriptionNames_.find(name); found != subscriptionNames_.end()) {
        Queue& known = *queue(found->second);
        if (known.subscription->clientId != info.clientId) {  // "a.b" + "c" and "a" + "b.c"
            return {ErrorCode::conflict, "'" + name + "' is the durable subscription '" +
                                             known.subscription->name + "' of client id '" +
                                             known.subscription->clientId +
                                             "': choose another name"};
        }
        if (!known.consumers.empty() && !c.shared) {
            return {ErrorCode::inUse, "durable subscription '" + name + "' has a consumer already"};
        }
        if (known.subscription->pattern == info.pattern &&
            known.subscription->noLocal == info.noLocal &&
            known.subscription->selectorText == info.selectorText)
            return &known;
        if (!known.consumers.empty()) {
            return {ErrorCode::conflict, "shared subscription '" + name + "' is on topic '" +
                                             known.subscription->pattern + "' with the selector '" +
                                             known.subscription->selectorText + "', not on '" +
                                             info.pattern + "' with '" + info.selectorText + "'"};
        }
        if (known.messages.count(EntryState::settling) > 0 || known.prepared.any()) {
            return {ErrorCode::inUse,
                    "durable subscription '" + name +
                        "' has messages in a commit on its way, or in a prepared transaction: try "
                        "again when it is over"};
        }
        dropQueue(
            known);  // JMS 2.0, 8.3.3: another topic under the same name is a new subscription
    }
    if (auto error = tooMany()) return std::move(*error);
    return &makeSubscription(std::move(info), name, true);
}

Result<void> Broker::Impl::checkTemporaryTopic(const Subscribe& c, const Session& s) const {
    const auto found = temporaryTopics_.find(c.source.name);
    if (found == temporaryTopics_.end())
        return {ErrorCode::notFound, "no temporary topic '" + c.source.name + "'"};
    if (found->second.owner != s.id) {
        return {ErrorCode::notAuthorized,
                "temporary topic '" + c.source.name +
                    "' can be consumed only by the connection that made it"};
    }
    if (!c.durableName.empty()) {
        return {ErrorCode::invalidArgument,
                "a temporary topic ends with its connection: no durable subscription to it"};
    }
    return {};
}

Queue& Broker::Impl::makeSubscription(SubscriptionInfo info, std::string name, bool durable) {
    Queue& q = makeQueue(QueueKind::subscription, std::move(name));
    q.durable = durable;
    if (!durable) q.options.bytesMax = options_.transientSubscriptionBytesMax;
    if (info.temporary)
        temporaryTopics_.at(info.pattern).subscriptions.push_back(q.id);
    else
        topics_.add(info.pattern, q.id);
    if (durable) subscriptionNames_[q.name] = q.id;
    q.subscription = std::make_unique<SubscriptionInfo>(std::move(info));
    return q;
}

void Broker::Impl::on(DeleteSubscription& c) {
    Session* s = require(c.session, c.request);
    if (!s) return;
    const std::string name = (c.shared ? std::string() : s->clientId) + "." + c.name;
    const auto found = subscriptionNames_.find(name);
    if (found == subscriptionNames_.end()) {
        return complete(c.session, c.request,
                        Error{ErrorCode::notFound, "no durable subscription '" + name + "'"});
    }
    Queue& q = *queue(found->second);
    if (!q.consumers.empty() || q.messages.count(EntryState::settling) > 0 || q.prepared.any()) {
        return complete(c.session, c.request,
                        Error{ErrorCode::inUse,
                              "durable subscription '" + name +
                                  "' has a consumer, or messages in a transaction: end it first"});
    }
    dropQueue(q);
    Draft draft = newDraft();
    draft.unit.operations = std::exchange(lazy_, {});
    if (c.request)
        draft.effects.push_back(Completed{c.session, c.request, std::nullopt, {}, 0, false});
    finish(std::move(draft), Durability::fsync);
}

/// Ends durable subscriptions that nobody consumes and that are over a limit; warns before.
void Broker::Impl::sweepSubscriptions() {
    const AbandonedLimits& limits = options_.abandoned;
    if (limits.unusedMax == Milliseconds(0) && limits.messagesMax == 0 && limits.bytesMax == 0)
        return;
    std::vector<QueueId> over;
    for (auto& [name, id] : subscriptionNames_) {
        Queue& q = *queue(id);
        SubscriptionInfo& info = *q.subscription;
        if (!q.consumers.empty() || info.unusedSince == SteadyTime{}) continue;
        const auto unused =
            std::chrono::duration_cast<Milliseconds>(now_.steady - info.unusedSince);
        const auto share = [](double is, double max) { return max > 0 ? is / max : 0.0; };
        const double most = std::max(
            {share(static_cast<double>(unused.count()),
                   static_cast<double>(limits.unusedMax.count())),
             share(static_cast<double>(q.messages.size()), static_cast<double>(limits.messagesMax)),
             share(static_cast<double>(q.bytes), static_cast<double>(limits.bytesMax))});
        const std::string held = std::to_string(q.messages.size()) + " messages, " +
                                 std::to_string(q.bytes) + " bytes, without a consumer for " +
                                 std::to_string(unused.count() / 1000) + " s";
        if (most >= 1 && q.messages.count(EntryState::settling) == 0 && !q.prepared.any()) {
            over.push_back(id);
            notice(Notice::Level::warning, q.name, "abandoned subscription ended: " + held);
        } else if (most >= kWarnAt && !std::exchange(info.warned, true)) {
            notice(Notice::Level::warning, q.name,
                   "abandoned subscription is near its limit and will be ended: " + held);
        }
    }
    for (const QueueId id : over) dropQueue(*queue(id));
}

}  // namespace busbar
