// Sessions coming and going, and what is theirs.
#include "bus/core/broker_impl.h"

#include <algorithm>

namespace busbar {

Session* Broker::Impl::session(SessionId id) {
    const auto found = sessions_.find(id);
    return found == sessions_.end() ? nullptr : found->second.get();
}

Session* Broker::Impl::require(SessionId id, RequestId request) {
    Session* found = session(id);
    if (!found) complete(id, request, Error{ErrorCode::closed, "this session is not open"});
    return found;
}

/// A login may have begun before its user's roles were changed.
const std::vector<std::string>& Broker::Impl::rolesOf(const OpenSession& c) const {
    const auto known = isOwn(c.user, c.protocol) ? roles_.end() : roles_.find(c.user);
    return known == roles_.end() ? c.roles : known->second;
}

void Broker::Impl::on(OpenSession& c) {
    if (session(c.session)) {
        return complete(c.session, c.request,
                        Error{ErrorCode::alreadyExists, "this session is open already"});
    }
    if (goneUsers_.contains(c.user) && !isOwn(c.user, c.protocol))
        return complete(c.session, c.request, notKnown(c.user));
    if (c.takeOver) endPredecessor(c);
    if (!c.clientId.empty() && !clientIds_.try_emplace(c.clientId, c.session).second) {
        return complete(c.session, c.request,
                        Error{ErrorCode::conflict,
                              "client id '" + c.clientId + "' is in use by another connection"});
    }
    auto made = std::make_unique<Session>();
    made->id = c.session;
    made->roles = rolesOf(c);
    made->access = Access(options_.permissions, c.user, made->roles);
    made->user = std::move(c.user);
    if (!isOwn(made->user, c.protocol)) seenUsers_.insert(made->user);
    made->clientId = std::move(c.clientId);
    made->protocol = std::move(c.protocol);
    made->remote = std::move(c.remote);
    sessions_.emplace(c.session, std::move(made));
    complete(c.session, c.request);
}

/// The client has come back: what its lost connection still has returns to the queues.
void Broker::Impl::endPredecessor(const OpenSession& c) {
    const auto found = clientIds_.find(c.clientId);
    if (found == clientIds_.end()) return;
    const SessionId before = found->second;
    if (session(before)->user != c.user) return;
    emit(SessionEnded{
        before, Error{ErrorCode::conflict, "client id '" + c.clientId + "' has connected again"}});
    closeSession(before, Tried::oldest);
}

void Broker::Impl::on(CloseSession& c) {
    closeSession(c.session, Tried::all);
}

void Broker::Impl::closeSession(SessionId id, Tried tried) {
    Session* s = session(id);
    if (!s) return;
    for (auto& [queueId, q] : queues_) {
        if (!s->receives) break;
        endReceives(*q, id);
    }
    if (s->waitingSends > 0) dropWaitingSends(id);
    while (!s->consumers.empty()) removeConsumer(*s, *s->consumers.begin()->second, tried);
    returnHeld(*s, ConsumerId(), Tried::all);
    for (const QueueId temporary : std::exchange(s->temporaries, {})) {
        if (Queue* q = queue(temporary)) dropQueue(*q);
    }
    if (s->temporaryTopics > 0)
        std::erase_if(temporaryTopics_, [&](const auto& t) { return t.second.owner == id; });
    if (!s->clientId.empty()) clientIds_.erase(s->clientId);
    sessions_.erase(id);
}

/// Gives back what one consumer of the session holds (0: under leases). What a commit is settling
/// stays with the commit.
void Broker::Impl::returnHeld(Session& s, ConsumerId consumer, Tried tried) {
    std::vector<DeliveryId> ids;
    ledger_.forEachOf(s.held, [&](const HeldDelivery& held) {
        if (held.consumer == consumer) ids.push_back(held.id);
    });
    for (const DeliveryId id : ids) {
        HeldDelivery& held = *ledger_.find(id);
        const bool countIt = tried == Tried::all || id == ids.front();
        if (queue(held.queue)->messages.at(held.place).state == EntryState::settling)
            ledger_.detach(s.held, held);
        else
            returnToQueue(held, countIt, Milliseconds(0), "the consumer went away");
    }
}

void Broker::Impl::on(MakeTemporary& c) {
    Session* s = require(c.session, c.request);
    if (!s) return;
    const std::string& name = c.destination.name;
    if (auto valid = checkDestinationName(name); !valid)
        return complete(c.session, c.request, valid.error());
    const bool topic = c.destination.isTopic();
    if (topic ? temporaryTopics_.contains(name) : queueNamed(name) != nullptr) {
        return complete(c.session, c.request,
                        Error{ErrorCode::alreadyExists, toUri(c.destination) + " exists"});
    }
    const std::size_t owned = s->temporaries.size() + s->temporaryTopics;
    if (owned >= options_.temporariesPerSessionMax ||
        queues_.size() + temporaryTopics_.size() >= options_.queuesMax) {
        return complete(c.session, c.request,
                        Error{ErrorCode::limitReached,
                              "too many temporary destinations: " + std::to_string(owned) +
                                  " of this connection"});
    }
    if (topic) {
        ++s->temporaryTopics;
        temporaryTopics_[name].owner = s->id;
    } else {
        Queue& q = makeQueue(QueueKind::temporary, name);
        q.owner = s->id;
        s->temporaries.push_back(q.id);
    }
    complete(c.session, c.request);
}

void Broker::Impl::on(DeleteTemporary& c) {
    Session* s = require(c.session, c.request);
    if (!s) return;
    const auto refuse = [&](ErrorCode code, std::string_view why) {
        complete(c.session, c.request, Error{code, toUri(c.destination) + " " + std::string(why)});
    };
    constexpr std::string_view kGone = "is not a temporary destination (any more)";
    constexpr std::string_view kOthers = "belongs to another connection";
    constexpr std::string_view kInUse = "has consumers, or messages in their hands: end them first";
    if (c.destination.isTopic()) {
        const auto found = temporaryTopics_.find(c.destination.name);
        if (found == temporaryTopics_.end()) return refuse(ErrorCode::notFound, kGone);
        if (found->second.owner != s->id) return refuse(ErrorCode::notAuthorized, kOthers);
        if (!found->second.subscriptions.empty()) return refuse(ErrorCode::inUse, kInUse);
        temporaryTopics_.erase(found);
        --s->temporaryTopics;
        return complete(c.session, c.request);
    }
    Queue* q = queueNamed(c.destination.name);
    if (!q || !q->owner) return refuse(ErrorCode::notFound, kGone);
    if (q->owner != s->id) return refuse(ErrorCode::notAuthorized, kOthers);
    if (!q->consumers.empty() || q->handedOut() > 0) return refuse(ErrorCode::inUse, kInUse);
    dropQueue(*q);
    complete(c.session, c.request);
}

}  // namespace busbar
