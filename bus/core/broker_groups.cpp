// Message groups: parking what must wait, and letting it go.
#include "bus/core/broker_impl.h"

namespace busbar {

void Broker::Impl::park(Queue& q, EntryPlace place, std::set<EntryPlace>& where) {
    q.messages.setState(place, EntryState::parked);
    where.insert(place);
}

void Broker::Impl::unpark(Queue& q, std::set<EntryPlace>& where) {
    for (const EntryPlace place : std::exchange(where, {})) {
        const QueueEntry* entry = q.messages.find(place);
        if (entry && entry->state == EntryState::parked) becomeReady(q, place);
    }
}

/// Nothing holds the group up any more: what waited for that may go, but not past what waits for
/// the group's consumer already.
void Broker::Impl::unparkGroup(Queue& q, Group& group) {
    if (group.taken()) return;
    if (!group.owner || group.owner->parked.empty()) return unpark(q, group.parked);
    for (const EntryPlace place : std::exchange(group.parked, {})) {
        const QueueEntry* entry = q.messages.find(place);
        if (entry && entry->state == EntryState::parked) parkFor(q, place, *group.owner);
    }
}

/// Its last message is settled: what comes next is anybody's.
void Broker::Impl::closeGroup(Queue& q, Group& group) {
    group.closing = false;
    Consumer* owner = std::exchange(group.owner, nullptr);
    if (owner) unpark(q, owner->parked);
}

/// One of the group's deliveries is no longer out.
void Broker::Impl::groupSettled(Queue& q, Group& group) {
    if (--group.outstanding > 0) return;
    group.leased = false;
    if (group.closing) {
        tellRevoked(group, group.owner);
        closeGroup(q, group);
    }
    if (group.lostBy) tellRevoked(group, consumerOf(*std::exchange(group.lostBy, std::nullopt)));
    unparkGroup(q, group);
    if (!group.owner && group.idle()) q.groups.erase(group);
}

Consumer* Broker::Impl::consumerOf(const Group::Member& member) {
    Session* s = session(member.session);
    if (!s) return nullptr;
    const auto found = s->consumers.find(member.consumer);
    return found == s->consumers.end() ? nullptr : found->second.get();
}

/// `who` is there still, but the group is not its own any more.
void Broker::Impl::tellRevoked(const Group& group, const Consumer* who) {
    if (who) emit(GroupRevoked{who->session, who->id, group.name});
}

/// One of its messages waits to be tried again: all behind it wait with it.
void Broker::Impl::groupDelayed(Queue& q, StoredId id, Group& group) {
    ++group.delayed;
    q.groupDelays[id] = &group;
}

/// The group whose delayed message this was, where it is still there.
Group* Broker::Impl::groupDelayOver(Queue& q, StoredId id) {
    if (q.groupDelays.empty()) return nullptr;
    const auto found = q.groupDelays.find(id);
    if (found == q.groupDelays.end()) return nullptr;
    Group& group = *found->second;
    q.groupDelays.erase(found);
    --group.delayed;
    if (group.taken()) return &group;
    unparkGroup(q, group);
    if (group.owner || !group.idle()) return &group;
    q.groups.erase(group);
    return nullptr;
}

/// The consumer goes, or stands by: its groups are anybody's, but not before what it holds of them
/// has come back.
void Broker::Impl::releaseGroups(Queue& q, Consumer& consumer) {
    unpark(q, consumer.parked);
    if (q.groups.size() == 0) return;
    q.groups.forEach([&](Group& group) {
        if (group.owner != &consumer) return;
        group.owner = nullptr;
        if (group.outstanding > 0)
            group.lostBy = Group::Member{consumer.session, consumer.id};
        else if (consumer.standby)
            tellRevoked(group, &consumer);
    });
}

/// Idle groups beyond the limit are forgotten; their consumers have them no longer.
void Broker::Impl::trimGroups(Queue& q) {
    q.groups.trim(options_.groupsMax,
                  [this](const Group& group) { tellRevoked(group, group.owner); });
}

void Broker::Impl::on(PauseGroup& c) {
    if (!require(c.session, c.request)) return;
    Queue* q = browsable(c.queue);
    if (!q) {
        return complete(c.session, c.request,
                        Error{ErrorCode::notFound, "no queue '" + c.queue + "'"});
    }
    Group* group = c.paused ? &q->groups.get(c.group) : q->groups.find(c.group);
    if (group) {
        group->paused = c.paused;
        unparkGroup(*q, *group);
        if (!group->owner && group->idle()) q->groups.erase(*group);
    }
    complete(c.session, c.request);
}

}  // namespace busbar
