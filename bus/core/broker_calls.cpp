// Request-reply: calls, their answers, their deadlines, and what is remembered of them.
#include "bus/core/broker_impl.h"
#include "bus/core/rows.h"

#include <algorithm>

namespace busbar {

void Broker::Impl::defineService(const std::string& name, Draft& draft) {
    if (calls_.isService(name)) return;
    calls_.defineService(name);
    draft.services.push_back(name);
    draft.unit.operations.push_back(
        PutRow{Table::instance, std::string(rows::kServicePrefix) + name, {}});
    for (const std::string_view suffix : {kRequestSuffix, kReplySuffix}) {
        if (auto q = openQueue(name + std::string(suffix))) storeDefinition(**q, draft);
    }
}

void Broker::Impl::on(DefineService& c) {
    if (!require(c.session, c.request)) return;
    if (auto valid = checkDestinationName(c.service); !valid) {
        return complete(c.session, c.request, valid.error());
    }
    Draft draft = newDraft();
    defineService(c.service, draft);
    if (c.request)
        draft.effects.push_back(Completed{c.session, c.request, std::nullopt, {}, 0, false});
    finish(std::move(draft), Durability::fsync);
}

void Broker::Impl::on(Call& c) {
    Session* s = session(c.session);
    const auto refuse = [&](Error error) {
        emit(Replied{c.session, c.request, std::move(error), nullptr, false});
    };
    if (!s) return refuse({ErrorCode::closed, "this session is not open"});
    if (!calls_.isService(c.service))
        return refuse({ErrorCode::notFound, "no service '" + c.service + "'"});
    Message& message = *c.message;
    if (message.recurrence)
        return refuse({ErrorCode::unsupported, "a request cannot be sent again and again"});
    const ServiceCall::Waiter waiter{s->id, c.request, after(now_.steady, c.timeout), false};
    ServiceCall call;
    call.service = c.service;
    call.contentHash = contentHash(message);
    if (!message.dedupId.empty()) {
        call.key = DedupMemory::key("service://" + c.service, s->user, message.dedupId);
        if (ServiceCall* known = calls_.findKey(call.key)) {
            if (known->contentHash != call.contentHash) {
                return refuse(
                    {ErrorCode::conflict, "the id '" + message.dedupId +
                                              "' was used for another request: its body differs"});
            }
            ++duplicates_;
            known->waiters.push_back(waiter);
            known->waiters.back().repeated = true;
            waitsForReply(s->id, c.service);
            const bool replyIsDurable =
                known->reply &&
                std::none_of(inFlight_.begin(), inFlight_.end(), [&](const Draft& d) {
                    return std::find(d.answered.begin(), d.answered.end(), known->correlationId) !=
                           d.answered.end();
                });
            if (replyIsDurable) return tellWaiters(*known, std::nullopt, true);
            steadyTimers_.add(waiter.until,
                              {SteadyTimer::Kind::call, {}, {}, 0, known->correlationId});
            return;
        }
    }
    message.destination = Destination::queue(c.service + std::string(kRequestSuffix));
    if (auto allowed = checkSend(message); !allowed) return refuse(allowed.error());
    stamp(message, s);
    call.correlationId =
        std::string(kCallPrefix) + options_.instance + "-" + std::to_string(nextId().value);
    call.callerCorrelationId = std::exchange(message.correlationId, call.correlationId);
    call.deadline = after(now_.wall, c.timeout);
    call.waiters.push_back(waiter);
    message.replyTo = Destination::queue(c.service + std::string(kReplySuffix));
    message.expiration = call.deadline;
    ++s->sent;
    ++calls_.stats(c.service).calls;
    Draft draft = newDraft();
    if (!call.key.empty()) {
        draft.unit.operations.push_back(
            PutRow{Table::calls, call.correlationId, CallTable::encode(call)});
    }
    draft.made.push_back(call.correlationId);
    steadyTimers_.add(waiter.until, {SteadyTimer::Kind::call, {}, {}, 0, call.correlationId});
    calls_.add(std::move(call));
    waitsForReply(s->id, c.service);
    route(c.message, s, draft);
    finish(std::move(draft), Durability::fsync);
}

/// Where the message is the reply to a call of the bus's own: makes it the call's answer, as part
/// of `draft`. False: an ordinary message, to be enqueued.
bool Broker::Impl::answerCall(const MessagePtr& reply, Draft& draft) {
    if (!reply->correlationId.starts_with(kCallPrefix)) return false;
    const std::string service(calls_.serviceOfReplyQueue(reply->destination.name));
    if (service.empty()) return false;
    ServiceStats& stats = calls_.stats(service);
    ServiceCall* call = calls_.find(reply->correlationId);
    if (call && call->reply) {
        ++stats.duplicateReplies;
        return true;
    }
    if (!call) {
        ++stats.lateReplies;
        auto parked = std::make_shared<Message>(*reply);
        parked->destination = Destination::queue("DLQ." + reply->destination.name);
        parked->correlationId = reply->correlationId;
        parked->properties.set("BusbarOrigin", reply->destination.name);
        parked->properties.set("BusbarReason", std::string("late-reply"));
        parked->properties.set(
            "BusbarText",
            std::string("no call waits for this reply: its deadline has passed, or the "
                        "bus was restarted and the call had no id to collect it by"));
        if (auto q = openQueue(parked->destination.name)) enqueueAlone(**q, parked, draft);
        return true;
    }
    ++stats.replies;
    auto copy = std::make_shared<Message>(*reply);
    copy->correlationId = call->callerCorrelationId;
    if (copy->id.empty()) copy->id = messageId(nextId());
    calls_.setReply(*call, std::move(copy), now_.wall);
    draft.answered.push_back(call->correlationId);
    if (!call->key.empty()) {
        draft.unit.operations.push_back(
            PutRow{Table::calls, call->correlationId, CallTable::encode(*call)});
    }
    return true;
}

void Broker::Impl::tellWaiters(ServiceCall& call, const std::optional<Error>& error,
                               bool repeated) {
    for (const auto& waiter : call.waiters) {
        if (!session(waiter.session)) continue;
        waitsNoMore(waiter.session, call.service);
        emit(Replied{waiter.session, waiter.request, error, error ? nullptr : call.reply,
                     repeated || waiter.repeated});
    }
    call.waiters.clear();
    if (call.key.empty()) calls_.erase(call.correlationId);
}

/// The request of a call has left its queue without having been answered: it never will be.
void Broker::Impl::requestGone(const Message& request, Error error) {
    if (!request.correlationId.starts_with(kCallPrefix)) return;
    ServiceCall* call = calls_.find(request.correlationId);
    if (!call || call->reply ||
        request.destination.name != call->service + std::string(kRequestSuffix))
        return;
    if (error.code == ErrorCode::timeout)
        calls_.stats(call->service).timeouts += call->waiters.size();
    const std::string id = call->correlationId;
    const bool collectable = !call->key.empty();
    tellWaiters(*call, std::move(error), false);
    if (!collectable) return;
    calls_.erase(id);
    lazily(EraseRow{Table::calls, id});
}

void Broker::Impl::forgetCall(ServiceCall& call) {
    const std::string id = call.correlationId;
    if (!call.key.empty()) lazily(EraseRow{Table::calls, id});
    calls_.erase(id);
}

void Broker::Impl::expireCallWaiters(ServiceCall& call) {
    const Error timeout{ErrorCode::timeout, "service " + call.service + " gave no reply in time"};
    std::erase_if(call.waiters, [&](const ServiceCall::Waiter& waiter) {
        if (waiter.until > now_.steady) return false;
        waitsNoMore(waiter.session, call.service);
        if (session(waiter.session))
            emit(Replied{waiter.session, waiter.request, timeout, nullptr, false});
        ++calls_.stats(call.service).timeouts;
        return true;
    });
    if (call.waiters.empty() && call.key.empty()) calls_.erase(call.correlationId);
}

void Broker::Impl::sweepMemories() {
    while (auto key = dedup_.takeOldest(now_.wall, options_.dedupWindow, options_.dedupMax)) {
        lazily(EraseRow{Table::dedup, std::move(*key)});
    }
    std::vector<ServiceCall*> old;
    for (auto& [id, call] : calls_) {
        const WallTime since = call.reply ? call.answeredAt : call.deadline;
        if (call.waiters.empty() && since + options_.dedupWindow <= now_.wall) old.push_back(&call);
    }
    for (ServiceCall* call : old) forgetCall(*call);
    while (auto key = producers_.takeOlder(now_.wall - options_.dedupWindow)) {
        lazily(EraseRow{Table::producers, std::move(*key)});
    }
    sweepLinks();
}

}  // namespace busbar
