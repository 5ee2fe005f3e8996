// Messages coming in: checking, routing, dedup.
#include "bus/core/broker_impl.h"
#include "bus/core/lease_orders.h"
#include "bus/core/rows.h"

#include <algorithm>
#include <charconv>
#include <limits>

namespace busbar {
namespace {

constexpr std::uint64_t kIdsAtATime = 100'000;

}  // namespace

/// Long before the ids are used, so that those that end up nowhere (of messages that are not
/// persistent, fencing tokens) are not given again after a power loss either.
void Broker::Impl::reserveIds() {
    if (nextStoredId_ + kIdsAtATime / 2 < idsReserved_) return;
    idsReserved_ = nextStoredId_ + kIdsAtATime;
    std::string value;
    for (int i = 0; i < 8; ++i) value += static_cast<char>(idsReserved_ >> (8 * i));
    flushLazy();
    lazily(PutRow{Table::instance, std::string(rows::kIdsReserved), std::move(value)});
    flushLazy(Durability::fsync);
}

StoredId Broker::Impl::nextId() {
    reserveIds();
    return StoredId(nextStoredId_++);
}

std::string Broker::Impl::messageId(StoredId id) const {
    char digits[20];
    const auto end = std::to_chars(digits, digits + sizeof digits, id.value).ptr;
    std::string out;
    out.reserve(4 + options_.instance.size() + sizeof digits);
    out.append("ID:").append(options_.instance).append("-").append(digits, end);
    return out;
}

/// May this message be sent at all? Changes nothing; the limits of its queue are makeRoom's.
Result<void> Broker::Impl::checkSend(const Message& message) {
    const Destination& to = message.destination;
    if (auto valid = checkDestinationName(to.name); !valid) return valid;
    if (isLeaseOrder(message)) {
        return {ErrorCode::invalidArgument,
                "'" + to.name + "' takes orders, carried out at once: not within a transaction"};
    }
    if (message.priority > 9) {
        return {ErrorCode::invalidArgument,
                "priority is 0 to 9, got " + std::to_string(message.priority)};
    }
    // Stored messages leave memory when it is short, the others are spilled; twice the limit is
    // reached only where the disk takes nothing.
    if (memory_ + footprint(message) > 2 * options_.memoryMax) {
        return {ErrorCode::limitReached,
                "the bus holds " + std::to_string(memory_) +
                    " bytes of messages in memory, twice its limit, because the disk does not take "
                    "them; it takes more when some were consumed"};
    }
    if (to.kind == DestinationKind::temporaryTopic) {
        if (temporaryTopics_.contains(to.name)) return {};
        return {ErrorCode::notFound,
                "temporary topic '" + to.name + "' is gone: its connection has ended"};
    }
    if (to.isTopic()) {
        if (to.name.find_first_of("*>#+") != std::string::npos) {
            return {ErrorCode::invalidArgument,
                    "'" + to.name + "' is a pattern: one can subscribe to it, but not send to it"};
        }
        return {};
    }
    if (queueNamed(to.name)) return {};
    if (to.isTemporary()) {
        return {ErrorCode::notFound,
                "temporary queue '" + to.name + "' is gone: its connection has ended"};
    }
    if (queues_.size() >= options_.queuesMax) {
        return {ErrorCode::limitReached,
                "there are " + std::to_string(options_.queuesMax) + " queues already, the limit"};
    }
    return {};
}

void Broker::Impl::stamp(Message& message, const Session* sender) {
    if (message.timestamp == WallTime{}) message.timestamp = now_.wall;
    if (sender) message.userId = sender->user;
}

/// `shareOf`: on how many queues the message is, for what each of them counts as memory.
void Broker::Impl::enqueue(Queue& q, const MessagePtr& message, StoredId id, std::uint32_t shareOf,
                           std::vector<QueueId>& stored, Draft& draft) {
    QueueEntry entry;
    entry.message = message;
    entry.id = id;
    entry.bytes = static_cast<std::uint32_t>(
        std::min<std::uint64_t>(sizeInQueue(*message), std::numeric_limits<std::uint32_t>::max()));
    entry.expiration = message->expiration;
    entry.due = message->deliverAt;
    entry.stored = message->persistent && q.durable && q.options.keep != Keep::memory;
    entry.state = EntryState::pending;
    if (entry.stored) {
        storeDefinition(q, draft);
        stored.push_back(q.id);
        draft.durability = std::max(
            draft.durability, q.options.keep == Keep::written ? Durability::os : Durability::fsync);
    }
    const auto here = static_cast<std::uint32_t>(footprint(*message));
    addToMemory(q, entry, std::max(1u, here / shareOf));
    q.bytes += entry.bytes;
    ++q.stats.in;
    q.stats.idsIn += id.value;
    draft.added.push_back({q.id, q.messages.append(message->priority, std::move(entry))});
}

/// Puts a message on one queue, whatever its destination says.
void Broker::Impl::enqueueAlone(Queue& q, const std::shared_ptr<Message>& message, Draft& draft) {
    const StoredId id = nextId();
    if (message->id.empty()) message->id = messageId(id);
    std::vector<QueueId> stored;
    enqueue(q, message, id, 1, stored, draft);
    if (!stored.empty())
        draft.unit.operations.push_back(AddMessage{id, message, std::move(stored)});
}

const std::vector<QueueId>& Broker::Impl::subscriptionsTo(const Destination& topic) {
    static const std::vector<QueueId> kNone;
    if (!topic.isTemporary()) return topics_.match(topic.name);
    const auto found = temporaryTopics_.find(topic.name);
    return found == temporaryTopics_.end() ? kNone : found->second.subscriptions;
}

/// Puts a message that checkSend said yes to on its queues, as part of `draft`.
void Broker::Impl::route(const std::shared_ptr<Message>& message, const Session* sender,
                         Draft& draft) {
    ++messagesIn_;
    if (message->recurrence) return makeSchedule(message, *sender, draft);
    if (!message->destination.isTopic()) {
        if (message->destination.kind == DestinationKind::queue && answerCall(message, draft))
            return;
        if (auto target = openQueue(message->destination.name)) {
            Queue& q = **target;
            if (q.options.ageMax > Milliseconds(0)) {
                const WallTime latest = after(now_.wall, q.options.ageMax);
                if (message->expiration == WallTime{} || message->expiration > latest)
                    message->expiration = latest;
            }
            enqueueAlone(q, message, draft);
        }
        return;
    }
    const StoredId id = nextId();
    if (message->id.empty()) message->id = messageId(id);
    const auto& wanting = subscriptionsTo(message->destination);
    std::vector<Queue*> targets;
    targets.reserve(wanting.size());
    for (const QueueId target : wanting) {
        Queue& q = *queue(target);
        const SubscriptionInfo& info = *q.subscription;
        const bool own = info.noLocal && sender &&
                         (info.clientId.empty() ? info.noLocalSession == sender->id
                                                : info.clientId == sender->clientId);
        if (own || (info.selector && !info.selector->matches(*message))) continue;
        Error why;
        if (room(q, sizeInQueue(*message), why) == Room::yes)
            targets.push_back(&q);
        else
            ++q.stats.dropped;  // a slow subscriber harms nobody but itself
    }
    if (targets.empty()) ++unroutable_;
    std::vector<QueueId> stored;
    for (Queue* q : targets)
        enqueue(*q, message, id, static_cast<std::uint32_t>(targets.size()), stored, draft);
    if (!stored.empty())
        draft.unit.operations.push_back(AddMessage{id, message, std::move(stored)});
}

std::string Broker::Impl::dedupKeyOf(const Message& message, const Session& sender) {
    if (message.dedupId.empty()) return {};
    return DedupMemory::key(toUri(message.destination), sender.user, message.dedupId);
}

Error Broker::Impl::usedForAnother(const Message& message) {
    return {ErrorCode::conflict,
            "the id '" + message.dedupId + "' was used for another message: its body differs"};
}

/// The dedup row of a send that is part of `draft`.
void Broker::Impl::rememberId(std::string key, const Message& message, Draft& draft) {
    DedupMemory::Outcome outcome{message.id, contentHash(message), now_.wall};
    draft.unit.operations.push_back(PutRow{Table::dedup, key, DedupMemory::encode(outcome)});
    draft.dedupKeys.push_back(key);
    dedup_.remember(std::move(key), std::move(outcome));
}

/// Where the send is a repeat: answers it with the first outcome, not before that is durable.
bool Broker::Impl::answerRepeated(const Send& c, const Session& s, const std::string& key) {
    Completed again{c.session, c.request, std::nullopt, {}, 0, true};
    const auto answer = [&](auto isTheFirst) {
        ++duplicates_;
        if (!c.request) return true;
        const auto waiting = std::find_if(inFlight_.begin(), inFlight_.end(), isTheFirst);
        if (waiting != inFlight_.end())
            waiting->effects.push_back(std::move(again));
        else
            emit(std::move(again));
        return true;
    };
    if (c.sequence > 0) {
        const std::string producer = ProducerMemory::key(s.user, c.producer);
        const auto* last = producers_.find(producer);
        if (last && ProducerMemory::taken(*last, c.sequence)) {
            if (c.sequence == last->sequence) again.value = last->messageId;
            return answer([&](const Draft& d) {
                return std::any_of(d.producers.begin(), d.producers.end(), [&](const auto& p) {
                    return p.producer == producer && p.sequence == c.sequence;
                });
            });
        }
    }
    const auto* first = key.empty() ? nullptr : dedup_.find(key);
    if (!first) return false;
    if (first->contentHash != contentHash(*c.message)) {
        complete(c.session, c.request, usedForAnother(*c.message));
        return true;
    }
    again.value = first->messageId;
    return answer([&](const Draft& d) {
        return std::find(d.dedupKeys.begin(), d.dedupKeys.end(), key) != d.dedupKeys.end();
    });
}

void Broker::Impl::on(Send& c) {
    Session* s = require(c.session, c.request);
    if (!s) return;
    if (isLeaseOrder(*c.message)) return obey(c);
    if (!c.link.empty() && !isTheirs(c, *s)) {
        return complete(c.session, c.request,
                        Error{ErrorCode::conflict, "the link was resumed by another connection"});
    }
    std::string key = dedupKeyOf(*c.message, *s);
    if (answerRepeated(c, *s, key)) return;  // whatever the limits say now
    if (auto allowed = checkSend(*c.message); !allowed)
        return complete(c.session, c.request, allowed.error());
    if (c.message->recurrence) {
        if (auto error = mayMakeSchedule(*c.message, *s, 0))
            return complete(c.session, c.request, std::move(error));
    }
    Queue* full = nullptr;
    Error why;
    switch (makeRoom(*c.message, full, why)) {
        case Room::yes:
            break;
        case Room::wait:
            return park(*full, s->id, std::move(c), why.text);
        case Room::no:
            return complete(c.session, c.request, why);
    }
    ++s->sent;
    stamp(*c.message, s);
    Draft draft = newDraft();
    const std::shared_ptr<Message> message = std::move(c.message);
    route(message, s, draft);
    noteRequest(*s, *message, draft);
    if (!key.empty()) rememberId(std::move(key), *message, draft);
    if (!c.link.empty()) rememberSend(c, *s, *message, draft);
    if (c.sequence > 0) {
        std::string producer = ProducerMemory::key(s->user, c.producer);
        const auto* before = producers_.find(producer);
        draft.producers.push_back(
            {producer, c.sequence, before ? *before : ProducerMemory::Last{}});
        ProducerMemory::Last last = draft.producers.back().before;
        std::erase(last.refused, c.sequence);
        if (c.sequence > last.sequence) {
            last.sequence = c.sequence;
            last.messageId = message->id;
        }
        last.time = now_.wall;
        draft.unit.operations.push_back(
            PutRow{Table::producers, producer, ProducerMemory::encode(last)});
        producers_.set(producer, std::move(last));
    }
    if (c.request)
        draft.effects.push_back(
            Completed{c.session, c.request, std::nullopt, message->id, 0, false});
    const bool remembered = !draft.dedupKeys.empty() || !draft.producers.empty() || draft.linked;
    const Durability durability = remembered ? Durability::fsync : draft.durability;
    const SessionId id = s->id;
    finish(std::move(draft), durability);
    diskBehind(id);
}

void Broker::Impl::on(ForgetProducer& c) {
    const Session* s = session(c.session);
    if (!s) return;
    std::string key = ProducerMemory::key(s->user, c.producer);
    if (!producers_.find(key)) return;
    producers_.set(key, {});
    lazily(EraseRow{Table::producers, std::move(key)});
}

}  // namespace busbar
