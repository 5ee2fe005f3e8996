// Where messages go that nobody took in time, or that nobody could process.
#include "bus/core/broker_impl.h"
#include "bus/core/rows.h"

#include <algorithm>

namespace busbar {
namespace {

constexpr std::size_t kFailuresKept = 20;
constexpr std::size_t kFailureText = 1000;

std::shared_ptr<Message> deadCopy(const Queue& q, const QueueEntry& entry, std::string to,
                                  std::string_view reason, const std::string& text,
                                  const std::string& history, WallTime now) {
    auto copy = std::make_shared<Message>(*entry.message);
    copy->destination = Destination::queue(std::move(to));
    copy->expiration = WallTime{};
    copy->deliverAt = WallTime{};
    copy->properties.set("BusbarOrigin", q.subscription ? entry.message->destination.name : q.name);
    if (q.subscription) copy->properties.set("BusbarSubscription", q.name);
    copy->properties.set("BusbarReason", std::string(reason));
    copy->properties.set("BusbarText", text);
    copy->properties.set("BusbarDeliveryCount", static_cast<std::int32_t>(entry.deliveryCount));
    copy->properties.set("BusbarTime", static_cast<std::int64_t>(now.time_since_epoch().count()));
    if (!history.empty()) copy->properties.set("BusbarHistory", history);
    return copy;
}

}  // namespace

/// Moves an entry, changed, to the queue that `copy` names: removed here and added there in one
/// unit.
void Broker::Impl::moveTo(Queue& from, EntryPlace place, const std::shared_ptr<Message>& copy,
                          Leaving leaving, Draft& draft) {
    const QueueEntry& entry = from.messages.at(place);
    if (entry.stored) draft.unit.operations.push_back(RemoveEntry{from.id, entry.id});
    from.messages.setState(place, EntryState::settling);
    draft.removals.push_back({from.id, place, leaving, DeliveryId(), entry.stored});
    route(copy, nullptr, draft);
    --messagesIn_;
}

/// Only the requests of calls must be looked at when they leave unanswered.
bool Broker::Impl::needsRequestGone(const Queue& q) const {
    return !calls_.empty() && q.name.ends_with(kRequestSuffix);
}

void Broker::Impl::noteFailure(Queue& q, const QueueEntry& entry, const std::string& text) {
    auto& failures = q.failures[entry.id];
    if (failures.size() >= kFailuresKept) failures.erase(failures.begin());
    failures.push_back({now_.wall, text.substr(0, kFailureText)});
    if (!entry.stored) return;
    lazilyApart(PutRow{Table::failures, rows::entryKey(q.id, entry.id), rows::failures(failures)});
}

void Broker::Impl::forgetFailures(Queue& q, StoredId id) {
    if (q.failures.erase(id) > 0) lazily(EraseRow{Table::failures, rows::entryKey(q.id, id)});
}

/// Each failure on a line: milliseconds since 1970, text.
std::string Broker::Impl::historyOf(const Queue& q, StoredId id) const {
    const auto found = q.failures.find(id);
    if (found == q.failures.end()) return {};
    std::string out;
    for (const Failure& failure : found->second) {
        if (!out.empty()) out += '\n';
        out += std::to_string(failure.time.time_since_epoch().count()) + " " + failure.text;
    }
    return out;
}

void Broker::Impl::deadLetter(Queue& q, EntryPlace place, std::string_view reason,
                              const std::string& text) {
    withMessage(q, place, [this, reason = std::string(reason), text](Queue& from, EntryPlace at) {
        const QueueEntry& entry = from.messages.at(at);
        const MessagePtr message = entry.message;
        requestGone(*message, {ErrorCode::unavailable, "the request was dead-lettered after " +
                                                           std::to_string(entry.deliveryCount) +
                                                           " deliveries: " + text});
        if (!from.durable)
            return leave(from, at, Leaving::dead);  // ends with its consumer: nobody looks there
        const std::string origin = from.subscription ? message->destination.name : from.name;
        Draft draft = newDraft();
        moveTo(from, at,
               deadCopy(from, entry, "DLQ." + origin, reason, text, historyOf(from, entry.id),
                        now_.wall),
               Leaving::dead, draft);
        finish(std::move(draft), Durability::fsync);
    });
}

void Broker::Impl::expire(Queue& q, EntryPlace place) {
    const QueueEntry& entry = q.messages.at(place);
    const bool keepsNoRecord = !entry.stored || q.subscription || q.isDeadLetters();
    if (keepsNoRecord && !needsRequestGone(q)) return leave(q, place, Leaving::expired);
    withMessage(q, place, [this, keepsNoRecord](Queue& from, EntryPlace at) {
        const QueueEntry& old = from.messages.at(at);
        const MessagePtr message = old.message;
        requestGone(*message, {ErrorCode::timeout, "the request expired in queue '" + from.name +
                                                       "' before anybody took it"});
        // What was only spilled to the disk leaves no dead letter either.
        if (keepsNoRecord || !message->persistent) return leave(from, at, Leaving::expired);
        Draft draft = newDraft();
        moveTo(from, at,
               deadCopy(from, old, "EXPIRED." + from.name, "expired", "its time to live had passed",
                        historyOf(from, old.id), now_.wall),
               Leaving::expired, draft);
        finish(std::move(draft), Durability::fsync);
    });
}

}  // namespace busbar
