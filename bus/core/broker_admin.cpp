// Changing definitions, schedules and group states.
#include "bus/core/broker_impl.h"
#include "bus/core/rows.h"

namespace busbar {
namespace {

constexpr std::size_t kGroupStateMax = 64 << 10;

Error noQueue(const std::string& name) {
    return {ErrorCode::notFound, "no queue '" + name + "'"};
}

}  // namespace

Queue* Broker::Impl::browsable(const std::string& name) {
    if (Queue* q = queueNamed(name)) return q;
    const auto subscription = subscriptionNames_.find(name);
    return subscription == subscriptionNames_.end() ? nullptr : queue(subscription->second);
}

void Broker::Impl::on(DefineQueue& c) {
    if (!require(c.session, c.request)) return;
    if (c.options.lease < Milliseconds(0) || c.options.lease > kLeaseMax) {
        return complete(c.session, c.request,
                        Error{ErrorCode::invalidArgument, "a lease is at most 12 h"});
    }
    Queue* known = browsable(c.queue);
    auto opened = known ? Result<Queue*>(known) : openQueue(c.queue);
    if (!opened) return complete(c.session, c.request, opened.error());
    Queue& q = **opened;
    if (q.kind == QueueKind::temporary) {
        return complete(c.session, c.request,
                        Error{ErrorCode::invalidArgument, "'" + q.name + "' is temporary"});
    }
    Draft draft = newDraft();
    if (!q.rowStored || q.options != c.options) {
        q.options = std::move(c.options);
        if (!q.blocked.empty()) markDirty(q);
        q.rowStored = false;
        ++q.rowVersion;
        storeDefinition(q, draft);
    }
    if (c.request)
        draft.effects.push_back(Completed{c.session, c.request, std::nullopt, {}, 0, false});
    finish(std::move(draft), Durability::fsync);
}

void Broker::Impl::on(DeleteQueue& c) {
    if (!require(c.session, c.request)) return;
    Queue* q = queueNamed(c.queue);
    if (!q) return complete(c.session, c.request, noQueue(c.queue));
    const std::uint64_t busy = q->handedOut();
    if (!q->consumers.empty() || busy > 0) {
        return complete(c.session, c.request,
                        Error{ErrorCode::inUse, "queue '" + c.queue + "' has " +
                                                    std::to_string(q->consumers.size()) +
                                                    " consumers and " + std::to_string(busy) +
                                                    " messages in their hands or in transactions: "
                                                    "end them first"});
    }
    dropQueue(*q);
    Draft draft = newDraft();
    draft.unit.operations = std::exchange(lazy_, {});
    if (c.request)
        draft.effects.push_back(Completed{c.session, c.request, std::nullopt, {}, 0, false});
    finish(std::move(draft), Durability::fsync);
}

void Broker::Impl::on(Reschedule& c) {
    if (!require(c.session, c.request)) return;
    Queue* q = browsable(c.queue);
    if (!q) return complete(c.session, c.request, noQueue(c.queue));
    const auto place = q->messages.findId(c.id);
    if (!place || q->messages.at(*place).state != EntryState::delayed) {
        return complete(
            c.session, c.request,
            Error{ErrorCode::notFound, "message " + std::to_string(c.id.value) + " in queue '" +
                                           c.queue + "' does not wait for its time (any more)"});
    }
    const QueueEntry& entry = q->messages.at(*place);
    // A time in the past, but not zero: zero would mean what the message itself says.
    const WallTime due = std::max(c.deliverAt, WallTime(Milliseconds(1)));
    if (entry.stored) lazily(SetEntry{q->id, entry.id, entry.deliveryCount, due});
    if (due > now_.wall)
        delayUntil(*q, *place, due);
    else
        becomeReady(*q, *place);
    if (!c.request) return;
    Draft draft = newDraft();
    draft.unit.operations = std::exchange(lazy_, {});
    draft.effects.push_back(Completed{c.session, c.request, std::nullopt, {}, 1, false});
    finish(std::move(draft), Durability::fsync);
}

void Broker::Impl::on(GroupState& c) {
    if (!require(c.session, c.request)) return;
    Queue* q = browsable(c.queue);
    if (!q) return complete(c.session, c.request, noQueue(c.queue));
    const std::string key = rows::groupKey(q->id, c.group);
    if (!c.value) {
        const auto found = groupStates_.find(key);
        return complete(c.session, c.request, {},
                        found == groupStates_.end() ? std::string() : found->second);
    }
    if (c.value->size() > kGroupStateMax) {
        return complete(c.session, c.request,
                        Error{ErrorCode::tooLarge,
                              "a group's state may have " + std::to_string(kGroupStateMax) +
                                  " bytes, got " + std::to_string(c.value->size())});
    }
    Draft draft = newDraft();
    storeDefinition(*q, draft);
    if (c.value->empty()) {
        groupStates_.erase(key);
        draft.unit.operations.push_back(EraseRow{Table::instance, key});
    } else {
        groupStates_[key] = *c.value;
        draft.unit.operations.push_back(PutRow{Table::instance, key, std::move(*c.value)});
    }
    if (c.request)
        draft.effects.push_back(Completed{c.session, c.request, std::nullopt, {}, 0, false});
    finish(std::move(draft), Durability::fsync);
}

}  // namespace busbar
