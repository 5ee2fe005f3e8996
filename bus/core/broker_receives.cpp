// Who fetches what: messages under a lease, of a selector or of one group, now or when they come.
#include "bus/core/broker_impl.h"

#include <algorithm>

namespace busbar {
namespace {

constexpr int kGroupLooks = 10'000;  // messages that a fetch of one group passes over
constexpr Milliseconds kDiskWait{5'000};

}  // namespace

/// The next message for a fetch. Groups that a consumer or another fetch has are left alone.
std::optional<EntryPlace> Broker::Impl::nextForReceive(Queue& q, const WaitingReceive& receive,
                                                       const std::vector<Group*>& batch) {
    if (receive.oneGroup) return nextOfOneGroup(q, batch);
    while (auto place = receive.view ? nextFor(q, *receive.view) : nextLive(q)) {
        const QueueEntry& entry = q.messages.at(*place);
        if (!entry.message || entry.message->groupId.empty()) return place;
        Group& g = q.groups.get(entry.message->groupId);
        const bool mine = std::find(batch.begin(), batch.end(), &g) != batch.end();
        if (mine || (!g.owner && !g.blocked() && g.outstanding == 0)) return place;
        if (g.owner && !g.taken())
            parkFor(q, *place, *g.owner);
        else
            park(q, *place, g.parked);
    }
    return std::nullopt;
}

/// The same where all are to be of one group: the first of a group that nobody has, or, where there
/// is one already, the next of that, as far as it is in memory.
std::optional<EntryPlace> Broker::Impl::nextOfOneGroup(Queue& q, const std::vector<Group*>& batch) {
    int looks = kGroupLooks;
    for (std::uint8_t p = MessageList::kPriorities; p-- > 0;) {
        for (EntryPlace at{q.groupsFrom[p], p}; looks-- > 0; ++at.position) {
            const auto place = q.messages.nextReadyFrom(at);
            if (!place) break;
            at = *place;
            if (batch.empty()) q.groupsFrom[p] = at.position;
            const QueueEntry& entry = q.messages.at(at);
            if (entry.expiration != WallTime{} && entry.expiration <= now_.wall) {
                expire(q, at);
                continue;
            }
            if (!entry.message) return batch.empty() ? place : std::nullopt;
            if (entry.message->groupId.empty()) continue;
            Group& g = q.groups.get(entry.message->groupId);
            if (!batch.empty()) {
                if (batch.front() == &g) return place;
                continue;
            }
            if (!g.owner && !g.blocked() && g.outstanding == 0) return place;
            // Put aside, so that the next fetch need not read it again to learn its group.
            if (g.owner && !g.taken())
                parkFor(q, at, *g.owner);
            else
                park(q, at, g.parked);
            QueueEntry& aside = q.messages.at(at);
            if (memory_ > options_.memoryMax && aside.stored) removeFromMemory(q, aside);
        }
    }
    return std::nullopt;
}

/// Gives those that wait what is there, in the order in which they came. One that finds nothing
/// holds up those that look for the same, and no others.
void Broker::Impl::serveReceives(Queue& q) {
    if (q.exclusive) return;
    bool anyDone = false, groupDone = false;
    for (auto at = q.receives.begin(); at != q.receives.end();) {
        const auto next = std::next(at);
        bool& done = at->oneGroup ? groupDone : anyDone;
        if (at->view) {
            if (!at->view->dry) serveReceive(q, at);
        } else if (!done) {
            done = !serveReceive(q, at);
        }
        at = next;
    }
}

/// False where there is nothing for it.
bool Broker::Impl::serveReceive(Queue& q, ReceiveAt at) {
    const WaitingReceive receive = *at;
    Session& s = *session(receive.session);
    std::vector<Delivery> deliveries;
    std::vector<Group*> batch;
    while (deliveries.size() < receive.max) {
        const auto place = nextForReceive(q, receive, batch);
        if (!place) break;
        const QueueEntry& entry = q.messages.at(*place);
        if (!entry.message) {
            if (receive.view)
                fetchMatches(q, *receive.view, receive.view->matches, receive.max);
            else
                fetchAhead(q, *place);
            break;
        }
        Group* group =
            entry.message->groupId.empty() ? nullptr : &q.groups.get(entry.message->groupId);
        deliveries.push_back(handOut(q, *place, s, ConsumerId(), receive.lease, group));
        if (group && !std::exchange(group->leased, true)) batch.push_back(group);
    }
    if (deliveries.empty()) return false;
    endReceive(q, at);
    emit(Received{receive.session, receive.request, std::nullopt, std::move(deliveries)});
    return true;
}

/// Whether it may find something yet without anything new coming.
bool Broker::Impl::moreMayCome(const Queue& q, const WaitingReceive& receive) const {
    if (q.exclusive) return false;
    return q.loads > 0 || (receive.view && (receive.view->scanner->behind || !receive.view->dry));
}

/// Answers those that wanted what there is now, where there is nothing.
void Broker::Impl::finishReceives(Queue& q) {
    for (auto at = q.receives.begin(); at != q.receives.end();) {
        const auto next = std::next(at);
        if (at->onlyNow && !moreMayCome(q, *at)) refuseReceive(q, at);
        at = next;
    }
}

/// Answers that there is nothing.
void Broker::Impl::refuseReceive(Queue& q, ReceiveAt at) {
    emit(Received{at->session, at->request, std::nullopt, {}});
    endReceive(q, at);
}

void Broker::Impl::endReceive(Queue& q, ReceiveAt at) {
    View* view = at->view;
    q.receives.erase(at);
    if (!view) return;
    --view->fetchers;
    if (view->fetchers == 0 && view->members == 0) keepView(q, *view);
}

/// The session has ended.
void Broker::Impl::endReceives(Queue& q, SessionId id) {
    for (auto at = q.receives.begin(); at != q.receives.end();) {
        const auto next = std::next(at);
        if (at->session == id) endReceive(q, at);
        at = next;
    }
}

void Broker::Impl::on(Receive& c) {
    Session* s = session(c.session);
    const auto refuse = [&](Error error) {
        emit(Received{c.session, c.request, std::move(error), {}});
    };
    if (!s) return refuse({ErrorCode::closed, "this session is not open"});
    if (c.max == 0 || c.lease <= Milliseconds(0))
        return refuse({ErrorCode::invalidArgument, "max and lease must be over 0"});
    std::shared_ptr<const Selector> selector;
    if (c.selector.find_first_not_of(" \t\r\n") != std::string::npos) {
        if (c.oneGroup) {
            return refuse({ErrorCode::invalidArgument,
                           "a fetch takes one group as it is: no selector together with it"});
        }
        auto parsed = Selector::parse(c.selector);
        if (!parsed) return refuse(parsed.error());
        selector = std::move(*parsed);
    }
    if (!c.make && !queueNamed(c.queue))
        return refuse({ErrorCode::notFound, "no queue '" + c.queue + "'"});
    auto opened = openQueue(c.queue);
    if (!opened) return refuse(opened.error());
    Queue& q = **opened;
    if (q.owner && q.owner != s->id) {
        return refuse({ErrorCode::notAuthorized,
                       "temporary queue '" + q.name + "' belongs to another connection"});
    }
    s->receives = true;
    q.receivedAt = now_.steady;
    View* view = selector ? &viewFor(q, std::move(selector)) : nullptr;
    if (view) {
        ++view->fetchers;
        hurry(q, *view);
    }
    const std::uint64_t ticket = nextTicket_++;
    q.receives.push_back(
        {s->id, c.request, c.max, c.lease, ticket, c.oneGroup, view, c.wait <= Milliseconds(0)});
    dispatch(q);
    if (q.receives.empty() || q.receives.back().ticket != ticket) return;
    const auto at = std::prev(q.receives.end());
    Milliseconds wait = c.wait;
    if (moreMayCome(q, *at)) {
        wait = std::max(wait, kDiskWait);  // there may be something, on the disk
        markDirty(q);
    }
    if (wait <= Milliseconds(0)) return refuseReceive(q, at);
    steadyTimers_.add(after(now_.steady, wait), {SteadyTimer::Kind::receive, q.id, {}, ticket, {}});
}

}  // namespace busbar
