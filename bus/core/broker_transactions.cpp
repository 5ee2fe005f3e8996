// Local transactions: many sends and settlements as one unit of work.
#include "bus/core/broker_impl.h"

#include <algorithm>

namespace busbar {

/// Sorts out what was sent before. A repeat gets the first one's id and stores nothing; where that
/// first one may still fail, nobody can say yet what becomes of the repeat.
std::optional<Error> Broker::Impl::sortOutRepeats(const CommitTransaction& c, const Session& s,
                                                  NewSends& out) const {
    std::unordered_map<std::string, const Message*> here;
    for (const auto& message : c.sends) {
        ++out.looked;
        std::string key = dedupKeyOf(*message, s);
        if (!key.empty()) {
            const auto [twin, isNew] = here.emplace(key, message.get());
            const auto* first = isNew ? dedup_.find(key) : nullptr;
            if (first || !isNew) {
                const auto hash = isNew ? first->contentHash : contentHash(*twin->second);
                if (hash != contentHash(*message)) return usedForAnother(*message);
                if (first && isOnItsWay(key)) {
                    return Error{ErrorCode::unavailable, "another send with the id '" +
                                                             message->dedupId +
                                                             "' is on its way: try again"};
                }
                out.repeats.push_back({out.looked, message, isNew ? nullptr : twin->second});
                if (first) message->id = first->messageId;
                continue;
            }
        }
        out.sends.push_back(message);
        out.keys.push_back(std::move(key));
        out.numbers.push_back(out.looked);
    }
    return std::nullopt;
}

bool Broker::Impl::isOnItsWay(const std::string& dedupKey) const {
    return std::any_of(inFlight_.begin(), inFlight_.end(), [&](const Draft& d) {
        return std::find(d.dedupKeys.begin(), d.dedupKeys.end(), dedupKey) != d.dedupKeys.end();
    });
}

void Broker::Impl::on(CommitTransaction& c) {
    Session* s = require(c.session, c.request);
    if (!s) return;
    const auto abort = [&](const Error& cause, std::size_t number = 0) {
        complete(c.session, c.request,
                 Error{ErrorCode::transactionAborted, "nothing was done: " + cause.text}, {},
                 number);
    };
    for (const DeliveryId id : c.accepts) {
        HeldDelivery* held = heldBy(id, s->id);
        if (!held) {
            return abort({ErrorCode::lockLost,
                          "delivery " + std::to_string(id.value) + " is no longer held here"});
        }
    }
    NewSends fresh;
    if (const auto error = sortOutRepeats(c, *s, fresh)) return abort(*error, fresh.looked);
    std::size_t at = 0;
    if (const auto error = mayMakeSchedules(fresh.sends, *s, at))
        return abort(*error, fresh.numbers[at]);
    Queue* wanted = nullptr;
    Error shortOf;
    switch (roomForAll(fresh.sends, wanted, shortOf, at)) {
        case Room::yes:
            break;
        case Room::wait:
            return park(*wanted, s->id, std::move(c), shortOf.text);
        case Room::no:
            return abort(shortOf, fresh.numbers[at]);
    }
    Draft draft = newDraft();
    for (const DeliveryId id : c.accepts) {
        HeldDelivery& held = *ledger_.find(id);
        Queue& q = *queue(held.queue);
        const QueueEntry& entry = q.messages.at(held.place);
        if (entry.state == EntryState::settling) continue;  // named twice
        q.messages.setState(held.place, EntryState::settling);
        if (entry.stored) draft.unit.operations.push_back(RemoveEntry{q.id, entry.id});
        draft.removals.push_back({q.id, held.place, Leaving::out, id, entry.stored});
    }
    for (std::size_t i = 0; i < fresh.sends.size(); ++i)
        sendInTransaction(fresh.sends[i], std::move(fresh.keys[i]), *s, draft);
    std::string repeats;
    for (const auto& repeat : fresh.repeats) {
        ++duplicates_;
        if (repeat.twin) repeat.message->id = repeat.twin->id;
        repeats += (repeats.empty() ? "" : ",") + std::to_string(repeat.number);
    }
    if (c.request) {
        draft.effects.push_back(
            Completed{c.session, c.request, std::nullopt, std::move(repeats), 0, false});
    }
    const SessionId id = s->id;
    finish(std::move(draft), Durability::fsync);
    diskBehind(id);
}

void Broker::Impl::sendInTransaction(const std::shared_ptr<Message>& message, std::string dedupKey,
                                     Session& sender, Draft& draft) {
    Queue* full = nullptr;
    Error why;
    const Queue* target = queueNamed(message->destination.name);
    if (target && !message->recurrence && target->options.whenFull == WhenFull::dropOldest)
        makeRoom(*message, full, why);
    ++sender.sent;
    stamp(*message, &sender);
    route(message, &sender, draft);
    noteRequest(sender, *message, draft);
    if (!dedupKey.empty()) rememberId(std::move(dedupKey), *message, draft);
}

}  // namespace busbar
