// May it be sent now? Limits of queues and of memory, producers that wait, and being told why.
#include "bus/core/broker_impl.h"

#include <algorithm>

namespace busbar {
namespace {

constexpr int kDropLooks = 1'000;  // messages in hands that are passed over
// Shares of a limit: when an operator is told, and when that may be told again.
constexpr double kNear = 0.8;
constexpr double kCalm = 0.7;

/// Which of its limits the queue would pass; nothing where none.
std::optional<std::string> overLimit(const Queue& q, std::uint64_t bytes,
                                     std::uint64_t messagesBefore = 0) {
    if (q.options.messagesMax && q.messages.size() + messagesBefore >= q.options.messagesMax)
        return std::to_string(q.options.messagesMax) + " messages";
    if (q.options.bytesMax && q.bytes + bytes > q.options.bytesMax)
        return std::to_string(q.options.bytesMax) + " bytes";
    return std::nullopt;
}

std::string_view whatHappens(const Queue& q) {
    if (q.subscription) return "what comes is dropped for this subscription alone";
    switch (q.options.whenFull) {
        case WhenFull::reject:
            return "sends are refused";
        case WhenFull::block:
            return "producers wait";
        case WhenFull::dropOldest:
            return "the first in line are dropped";
        case WhenFull::spill:
            return "the rest is kept on disk";
    }
    return {};
}

/// Who waits for room, and under which request.
std::pair<SessionId, RequestId> askedBy(const Command& command) {
    return std::visit(
        [](const auto& c) -> std::pair<SessionId, RequestId> {
            if constexpr (requires { c.request; })
                return {c.session, c.request};
            else
                return {c.session, {}};
        },
        command);
}

SessionId senderOf(const Command& command) {
    return askedBy(command).first;
}

/// The first in line; where nothing is ready, the first that waits for its group or its time.
std::optional<EntryPlace> firstToDrop(Queue& q) {
    if (const auto ready = q.messages.nextReady()) return ready;
    int looks = kDropLooks;
    for (EntryPlace at{0, MessageList::kPriorities - 1}; looks-- > 0;) {
        const auto place = q.messages.nextFrom(at);
        if (!place) break;
        const EntryState state = q.messages.at(*place).state;
        if (state == EntryState::parked || state == EntryState::delayed) return place;
        at = {place->position + 1, place->priority};
    }
    return std::nullopt;
}

}  // namespace

Broker::Impl::Room Broker::Impl::room(Queue& q, std::uint64_t bytes, Error& why, Load before) {
    if (q.options.whenFull == WhenFull::spill) return Room::yes;
    bytes += before.bytes;
    const bool neverFits = (q.options.bytesMax && bytes > q.options.bytesMax) ||
                           (q.options.messagesMax && before.messages >= q.options.messagesMax);
    while (const auto limit = overLimit(q, bytes, before.messages)) {
        why = {ErrorCode::limitReached,
               "queue '" + q.name + "' is full: it holds its limit of " + *limit +
                   "; it takes messages again when some were consumed, purged or moved"};
        noteFull(q, *limit);
        // What would not even fit into the empty queue would wait for ever, or empty it for
        // nothing.
        if (q.options.whenFull == WhenFull::reject || neverFits) return Room::no;
        if (q.options.whenFull == WhenFull::block) return Room::wait;
        const auto oldest = firstToDrop(q);
        if (!oldest) return Room::no;  // all in hands: nothing that could be dropped
        const QueueEntry& entry = q.messages.at(*oldest);
        if (entry.message && needsRequestGone(q)) {
            requestGone(*entry.message,
                        {ErrorCode::limitReached, "the request was dropped: its queue was full"});
        }
        leave(q, *oldest, Leaving::evicted);
    }
    return Room::yes;
}

/// Whether the message's queue takes it. Topics always do: each subscription has its own limits.
Broker::Impl::Room Broker::Impl::makeRoom(const Message& message, Queue*& full, Error& why) {
    if (message.destination.isTopic() || message.recurrence) return Room::yes;
    full = queueNamed(message.destination.name);
    if (!full) return Room::yes;
    // Who came first goes first, also among those that wait.
    if (full->options.whenFull == WhenFull::block && !full->blocked.empty()) {
        why = {ErrorCode::limitReached, "queue '" + full->name + "' is full"};
        return Room::wait;
    }
    return room(*full, sizeInQueue(message), why);
}

Broker::Impl::Room Broker::Impl::roomForAll(const std::vector<std::shared_ptr<Message>>& sends,
                                            Queue*& full, Error& why, std::size_t& at) {
    std::unordered_map<QueueId, Load> loads;
    for (at = 0; at < sends.size(); ++at) {
        const auto& message = sends[at];
        if (auto allowed = checkSend(*message); !allowed) {
            why = allowed.error();
            return Room::no;
        }
        const bool toQueue = !message->destination.isTopic() && !message->recurrence;
        full = toQueue ? queueNamed(message->destination.name) : nullptr;
        if (!full || full->options.whenFull == WhenFull::dropOldest) continue;
        Load& before = loads[full->id];
        const Room answer = room(*full, sizeInQueue(*message), why, before);
        if (answer != Room::yes) return answer;
        ++before.messages;
        before.bytes += sizeInQueue(*message);
    }
    return Room::yes;
}

void Broker::Impl::park(Queue& q, SessionId id, Command command, const std::string& why) {
    q.blocked.push_back(std::move(command));
    Session& s = *session(id);
    ++s.waitingSends;
    tellBlocked(s, why);
}

/// Something left the queue: lets waiting sends in, in their order.
void Broker::Impl::roomMade(Queue& q) {
    const QueueId id = q.id;
    Queue* at = &q;
    while (at && !at->blocked.empty()) {
        const auto* send = std::get_if<Send>(&at->blocked.front());
        const SessionId owner = senderOf(at->blocked.front());
        if (overLimit(*at, send ? sizeInQueue(*send->message) : 1)) return;
        std::list<Command> others;
        others.splice(others.begin(), at->blocked, std::next(at->blocked.begin()),
                      at->blocked.end());
        Command first = std::move(at->blocked.front());
        at->blocked.clear();
        if (Session* s = session(owner)) --s->waitingSends;
        std::visit([this](auto& c) { on(c); }, first);
        at = queue(id);
        if (!at) return;
        const bool waitsAgain = !at->blocked.empty();
        at->blocked.splice(at->blocked.end(), others);
        if (Session* s = session(owner); s && s->waitingSends == 0 && !s->waitsForDisk)
            tellBlocked(*s, {});
        if (waitsAgain) return;
    }
}

void Broker::Impl::dropWaitingSends(SessionId id) {
    for (auto& [number, q] : queues_) {
        std::erase_if(q->blocked, [&](const Command& command) { return senderOf(command) == id; });
    }
}

/// The queue that the command waits for is deleted.
void Broker::Impl::refuseWaiting(const Command& command, const std::string& queue) {
    const auto [id, request] = askedBy(command);
    complete(id, request, Error{ErrorCode::notFound, "queue '" + queue + "' was deleted"});
    Session* s = session(id);
    if (s && --s->waitingSends == 0 && !s->waitsForDisk) tellBlocked(*s, {});
}

void Broker::Impl::tellBlocked(Session& s, const std::string& why) {
    const bool was = !s.blocked.empty();
    s.blocked = why;
    if (was == !why.empty()) return;
    emit(ProducerBlocked{s.id, !why.empty(), why});
}

/// Says once that the queue comes near a limit of its own, and again when it was well below.
void Broker::Impl::watchLimits(Queue& q) {
    const auto share = [](std::uint64_t is, std::uint64_t max) {
        return max ? static_cast<double>(is) / static_cast<double>(max) : 0.0;
    };
    const double messages = share(q.messages.size(), q.options.messagesMax);
    const double bytes = share(q.bytes, q.options.bytesMax);
    const double most = std::max(messages, bytes);
    const std::string limit = [&] {
        if (most < kNear) return std::string();
        return messages >= bytes ? std::to_string(q.options.messagesMax) + " messages"
                                 : std::to_string(q.options.bytesMax) + " bytes";
    }();
    if (most < kCalm) {
        q.limitWarned = 0;
    } else if (most >= 1) {
        noteFull(q, limit);
    } else if (most >= kNear && q.limitWarned == 0) {
        q.limitWarned = kNear;
        notice(Notice::Level::warning, q.name,
               "is at " + std::to_string(static_cast<int>(most * 100)) + " % of its limit of " +
                   limit + "; there " + std::string(whatHappens(q)));
    }
}

void Broker::Impl::noteFull(Queue& q, const std::string& limit) {
    if (q.limitWarned >= 1) return;
    q.limitWarned = 1;
    notice(Notice::Level::alarm, q.name,
           "is at its limit of " + limit + ": " + std::string(whatHappens(q)));
}

/// The disk is behind: what it has not taken yet is bounded by asking producers to wait.
void Broker::Impl::diskBehind(SessionId id) {
    if (unconfirmed_ <= options_.unconfirmedMax) return;
    Session* s = session(id);
    if (!s || s->waitsForDisk) return;
    s->waitsForDisk = true;
    waitForDisk_.push_back(id);
    tellBlocked(*s, std::to_string(unconfirmed_) +
                        " bytes of messages wait for the disk, over the limit of " +
                        std::to_string(options_.unconfirmedMax) +
                        "; goes on when it has caught up");
}

void Broker::Impl::diskCaughtUp() {
    if (waitForDisk_.empty() || unconfirmed_ > options_.unconfirmedMax / 2) return;
    for (const SessionId id : std::exchange(waitForDisk_, {})) {
        Session* s = session(id);
        if (!s) continue;
        s->waitsForDisk = false;
        if (s->waitingSends == 0) tellBlocked(*s, {});
    }
}

}  // namespace busbar
