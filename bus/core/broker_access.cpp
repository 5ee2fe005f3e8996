// What a session may do: every command passes here first, whatever wire it came by.
#include "bus/core/broker_impl.h"
#include "bus/core/lease_orders.h"

#include <algorithm>

namespace busbar {
namespace {

Error forbidden(const Session& s, Right right, bool topic, const std::string& destination) {
    return {ErrorCode::notAuthorized, "user '" + s.user + "' has no right to " +
                                          std::string(name(right)) +
                                          (topic ? ": topic '" : ": queue '") + destination + "'"};
}

}  // namespace

std::optional<Error> Broker::Impl::lacks(Session& s, Right right, bool topic,
                                         const std::string& destination) {
    if (s.access.may(right, topic, destination)) return std::nullopt;
    return forbidden(s, right, topic, destination);
}

/// A queue that its use would make needs the right to create it too.
std::optional<Error> Broker::Impl::lacksUse(Session& s, Right right, const std::string& queue) {
    if (auto error = lacks(s, right, false, queue)) return error;
    return queueNamed(queue) ? std::nullopt : lacks(s, Right::create, false, queue);
}

/// An operation on a queue, or on a durable subscription: then the right is that on its topic.
std::optional<Error> Broker::Impl::lacksAt(Session& s, Right right, const std::string& name) {
    const Queue* q = browsable(name);
    if (q && q->owner && q->owner != s.id) {
        return Error{ErrorCode::notAuthorized,
                     "temporary queue '" + name + "' is its connection's alone"};
    }
    if (q && q->owner) return std::nullopt;
    if (q && q->subscription) return lacks(s, right, true, q->subscription->pattern);
    return lacks(s, right, false, name);
}

/// Whoever may do anything at all may have temporary destinations, and answer to others'.
std::optional<Error> Broker::Impl::lacksAny(const Session& s) const {
    if (s.access.any()) return std::nullopt;
    return Error{ErrorCode::notAuthorized,
                 "user '" + s.user + "' has no rights: its roles are in no rule of permissions"};
}

std::optional<Error> Broker::Impl::lacksSend(Session& s, const Destination& to) {
    if (to.isTemporary()) return lacksAny(s);
    if (!to.isTopic() && to.name == kLeaseQueue) return std::nullopt;  // the lease is its user's
    return to.isTopic() ? lacks(s, Right::send, true, to.name) : lacksUse(s, Right::send, to.name);
}

std::optional<Error> Broker::Impl::refusal(Session& s, const Send& c) {
    return lacksSend(s, c.message->destination);
}

std::optional<Error> Broker::Impl::lacksSends(Session& s,
                                              const std::vector<std::shared_ptr<Message>>& sends) {
    for (const auto& message : sends) {
        if (auto error = lacksSend(s, message->destination)) return error;
    }
    return std::nullopt;
}

std::optional<Error> Broker::Impl::refusal(Session& s, const CommitTransaction& c) {
    return lacksSends(s, c.sends);
}

std::optional<Error> Broker::Impl::refusal(Session& s, const PrepareTransaction& c) {
    const auto error = lacksSends(s, c.sends);
    if (!error) return std::nullopt;
    return Error{ErrorCode::transactionAborted, error->text};  // its coordinator rolls back
}

/// A coordinator's word on its own user's branch needs no right; an operator's does.
std::optional<Error> Broker::Impl::lacksForce(const Session& s, bool force) {
    if (!force) return std::nullopt;
    return Error{ErrorCode::notAuthorized,
                 "user '" + s.user + "' may not decide in place of a coordinator: that needs the " +
                     "role '" + std::string(kAdminRole) + "'"};
}

std::optional<Error> Broker::Impl::refusal(Session& s, const DecidePrepared& c) {
    return lacksForce(s, c.force);
}

std::optional<Error> Broker::Impl::refusal(Session& s, const ForgetPrepared& c) {
    return lacksForce(s, c.force);
}

std::optional<Error> Broker::Impl::refusal(Session& s, const Subscribe& c) {
    if (c.source.isTemporary()) return lacksAny(s);  // whose it is, is looked at later
    if (!c.source.isTopic()) return lacksUse(s, Right::receive, c.source.name);
    if (auto error = lacks(s, Right::receive, true, c.source.name)) return error;
    if (c.durableName.empty()) return std::nullopt;
    const std::string owner = c.shared ? std::string() : s.clientId;
    if (subscriptionNames_.contains(owner + "." + c.durableName)) return std::nullopt;
    return lacks(s, Right::create, true, c.source.name);
}

std::optional<Error> Broker::Impl::refusal(Session& s, const DeleteSubscription& c) {
    const std::string owner = c.shared ? std::string() : s.clientId;
    const auto found = subscriptionNames_.find(owner + "." + c.name);
    if (found == subscriptionNames_.end()) return lacksAny(s);
    return lacks(s, Right::create, true, queue(found->second)->subscription->pattern);
}

std::optional<Error> Broker::Impl::refusal(Session& s, const Receive& c) {
    const Queue* q = queueNamed(c.queue);
    if (q && q->owner) return lacksAny(s);  // whose it is, is looked at later
    return c.make ? lacksUse(s, Right::receive, c.queue) : lacks(s, Right::receive, false, c.queue);
}

/// Who may take messages may look at them too.
std::optional<Error> Broker::Impl::refusal(Session& s, const Browse& c) {
    if (!lacksAt(s, Right::receive, c.queue)) return std::nullopt;
    return lacksAt(s, Right::browse, c.queue);
}

std::optional<Error> Broker::Impl::refusal(Session& s, const GroupState& c) {
    return lacksAt(s, Right::receive, c.queue);
}

std::optional<Error> Broker::Impl::refusal(Session& s, const DefineQueue& c) {
    return lacksAt(s, Right::manage, c.queue);
}

std::optional<Error> Broker::Impl::refusal(Session& s, const DeleteQueue& c) {
    return lacksAt(s, Right::manage, c.queue);
}

std::optional<Error> Broker::Impl::refusal(Session& s, const Purge& c) {
    return lacksAt(s, Right::manage, c.queue);
}

std::optional<Error> Broker::Impl::refusal(Session& s, const MoveMessages& c) {
    if (auto error = lacksAt(s, Right::manage, c.queue)) return error;
    return c.target.empty() ? std::nullopt : lacksUse(s, Right::send, c.target);
}

std::optional<Error> Broker::Impl::refusal(Session& s, const Reschedule& c) {
    return lacksAt(s, Right::manage, c.queue);
}

std::optional<Error> Broker::Impl::refusal(Session& s, const ChangeSchedule& c) {
    const Schedule* found = schedule(c.id);
    if (!found || mayChange(s, *found)) return std::nullopt;
    const Destination& to = found->record.destination;
    return forbidden(s, Right::manage, to.isTopic(), to.name);
}

/// Without ids it means the user's own.
std::optional<Error> Broker::Impl::refusal(Session& s, const CancelSchedules& c) {
    for (const StoredId id : c.ids) {
        const Schedule* found = schedule(id);
        if (!found || mayChange(s, *found)) continue;
        const Destination& to = found->record.destination;
        return forbidden(s, Right::manage, to.isTopic(), to.name);
    }
    return std::nullopt;
}

std::optional<Error> Broker::Impl::refusal(Session& s, const PauseGroup& c) {
    return lacksAt(s, Right::manage, c.queue);
}

std::optional<Error> Broker::Impl::refusal(Session& s, const MakeTemporary&) {
    return lacksAny(s);
}

std::optional<Error> Broker::Impl::refusal(Session& s, const DefineService& c) {
    return lacks(s, Right::manage, false, c.service + std::string(kRequestSuffix));
}

std::optional<Error> Broker::Impl::refusal(Session& s, const Call& c) {
    return lacks(s, Right::send, false, c.service + std::string(kRequestSuffix));
}

std::optional<Error> Broker::Impl::refusal(Session& s, const TakePicture&) {
    if (s.access.mayWatch()) return std::nullopt;
    return Error{ErrorCode::notAuthorized,
                 "user '" + s.user + "' may not see the whole bus: that needs the role '" +
                     std::string(kMonitorRole) + "' or '" + std::string(kAdminRole) + "'"};
}

// ---- other rules

Error Broker::Impl::notKnown(const std::string& user) {
    return {ErrorCode::notAuthorized, "user '" + user + "' is not known any more"};
}

/// Whether there is such a user, as far as that was ever told.
bool Broker::Impl::isKnown(const std::string& user) const {
    if (goneUsers_.contains(user)) return false;
    return !knowsUsers_ || roles_.contains(user) || seenUsers_.contains(user);
}

void Broker::Impl::setAccess(AccessChange change, Now now, Step& step) {
    begin(now, step);
    options_.permissions = std::move(change.permissions);
    roles_ = std::move(change.roles);
    knowsUsers_ = true;
    for (const auto& user : change.gone) seenUsers_.erase(user);
    goneUsers_.insert(change.gone.begin(), change.gone.end());
    std::erase_if(goneUsers_, [&](const auto& user) { return roles_.contains(user); });
    std::vector<SessionId> ids;
    for (const auto& [id, s] : sessions_) {
        if (!isOwn(s->user, s->protocol)) ids.push_back(id);
    }
    std::sort(ids.begin(), ids.end());
    for (const SessionId id : ids) {
        Session& s = *session(id);
        if (change.gone.contains(s.user)) {
            emit(SessionEnded{id, notKnown(s.user)});
            closeSession(id, Tried::all);
            continue;
        }
        if (const auto known = roles_.find(s.user); known != roles_.end()) s.roles = known->second;
        s.access = Access(options_.permissions, s.user, s.roles);
        if (!s.access.mayAll()) endForbidden(s);
    }
    end();
}

std::optional<Error> Broker::Impl::lacksConsuming(Session& s, const Queue& q) {
    if (q.owner || (q.subscription && q.subscription->temporary)) return lacksAny(s);
    return q.subscription ? lacks(s, Right::receive, true, q.subscription->pattern)
                          : lacks(s, Right::receive, false, q.name);
}

/// Ends the session's consumers and waiting fetches that have no right to be there (any more).
void Broker::Impl::endForbidden(Session& s) {
    std::vector<std::pair<ConsumerId, Error>> ended;
    for (const auto& [id, consumer] : s.consumers) {
        if (auto error = lacksConsuming(s, *consumer->queue))
            ended.emplace_back(id, std::move(*error));
    }
    for (auto& [id, error] : ended) {
        removeConsumer(s, *s.consumers.at(id), Tried::all);
        emit(ConsumerEnded{s.id, id, std::move(error)});
    }
    if (!s.receives) return;
    for (auto& [queueId, q] : queues_) {
        for (auto at = q->receives.begin(); at != q->receives.end();) {
            const auto receive = at++;
            if (receive->session != s.id) continue;
            auto error = lacksConsuming(s, *q);
            if (!error) continue;
            emit(Received{s.id, receive->request, std::move(*error), {}});
            endReceive(*q, receive);
        }
    }
}

/// Counts it, and tells operators: at most once a second, so that nobody can fill the log.
void Broker::Impl::noteRefusal(const Session& s, const Error& error) {
    ++unauthorized_;
    ++refusalsUntold_;
    if (now_.steady < nextRefusalNotice_) return;
    nextRefusalNotice_ = after(now_.steady, Milliseconds(1'000));
    const auto more = std::exchange(refusalsUntold_, 0) - 1;
    notice(Notice::Level::warning, s.user,
           error.text + " (" + s.protocol + " " + s.remote + ")" +
               (more > 0 ? "; " + std::to_string(more) + " more since the last such line" : ""));
}

}  // namespace busbar
