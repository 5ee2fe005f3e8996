// Which messages are in memory? Fetching ahead of consumers, and letting go when memory is short.
#include "bus/core/broker_impl.h"

#include <algorithm>

namespace busbar {
namespace {

constexpr std::uint32_t kFetchMax = 4'096;  // messages at a time
// Beyond this share of the limit what arrives is looked at again at the end of the step.
constexpr std::uint64_t kAheadShare = 4;
// A scanner reads this much at a time, and no more than this share of the limit.
constexpr std::uint64_t kScanMax = 4u << 20, kScanShare = 8;
// Who fetched this long ago is expected to come again.
constexpr std::chrono::seconds kReceiverStays(10);

}  // namespace

void Broker::Impl::addToMemory(Queue& q, QueueEntry& entry, std::uint32_t share) {
    entry.share = share;
    q.memory += share;
    memory_ += share;
}

void Broker::Impl::removeFromMemory(Queue& q, QueueEntry& entry) {
    q.memory -= entry.share;
    memory_ -= entry.share;
    entry.share = 0;
    entry.message.reset();
}

/// Bytes to fetch at a time. Short memory is shared.
std::uint64_t Broker::Impl::fetchWindow() const {
    return memory_ > options_.memoryMax ? options_.readAheadBytes / kAheadShare
                                        : options_.readAheadBytes;
}

void Broker::Impl::fetch(Queue& q, EntryPlace place) {
    QueueEntry& entry = q.messages.at(place);
    entry.loading = true;
    ++q.loads;
    auto& waiting = loads_[entry.id];
    if (waiting.empty()) step_->reads.push_back(entry.id);
    waiting.push_back({q.id, place});
}

/// Of what a scanner reads most is for other consumers than what comes next: where it reads much at
/// a time, each of them gets several at once.
std::uint64_t Broker::Impl::scanWindow() const {
    return std::max(fetchWindow(), std::min(kScanMax, options_.memoryMax / kScanShare));
}

/// Fetches ready messages at `from` and behind it, of one lane. Returns how many there are, and
/// moves `from` behind them.
std::uint32_t Broker::Impl::fetchFrom(Queue& q, EntryPlace& from, std::uint64_t window) {
    std::uint64_t bytes = 0;
    std::uint32_t count = 0;
    EntryPlace& at = from;
    while (bytes < window && count < kFetchMax) {
        const auto place = q.messages.nextReadyFrom(at);
        if (!place) break;
        const QueueEntry& entry = q.messages.at(*place);
        bytes += entry.bytes;
        ++count;
        if (!entry.message && !entry.loading) fetch(q, *place);
        at = {place->position + 1, place->priority};
    }
    return count;
}

/// Fetches the message and those that come after it.
void Broker::Impl::fetchAhead(Queue& q, EntryPlace from) {
    q.readAheadCount = fetchFrom(q, from, fetchWindow());
    q.readAhead = from;
}

/// The consumer is half through what was fetched: fetches the next before it has to wait.
void Broker::Impl::readAhead(Queue& q, EntryPlace given) {
    if (q.readAheadCount == 0 || q.loads > 0 || given.priority != q.readAhead.priority) return;
    if (given.position + q.readAheadCount / 2 < q.readAhead.position) return;
    q.readAheadCount = 0;
    fetchAhead(q, q.readAhead);
}

/// Fetches the first messages of a selector that are known to match, or that may.
void Broker::Impl::fetchMatches(Queue& q, View& view, const PlaceSet& places, std::uint64_t max) {
    const std::uint64_t window = fetchWindow();
    std::uint64_t bytes = 0;
    std::uint32_t count = 0;
    view.hurried = false;
    places.each([&](EntryPlace place) {
        if (bytes >= window || count >= std::min<std::uint64_t>(max, kFetchMax)) return false;
        const QueueEntry* entry = q.messages.find(place);
        if (!entry || entry->state != EntryState::ready) return true;
        bytes += entry->bytes;
        ++count;
        if (!entry->message && !entry->loading) fetch(q, place);
        return true;
    });
    view.dry = true;
    refreshStanding(q, view);
}

/// For work over all that waits: the same over entries of any waiting state.
void Broker::Impl::fetchWaiting(Queue& q, EntryPlace from) {
    std::uint64_t bytes = 0;
    std::uint32_t count = 0;
    for (EntryPlace at = from; bytes < options_.readAheadBytes && count < kFetchMax;) {
        const auto place = q.messages.nextFrom(at);
        if (!place) break;
        const QueueEntry& entry = q.messages.at(*place);
        bytes += entry.bytes;
        ++count;
        if (!entry.message && !entry.loading) fetch(q, *place);
        at = {place->position + 1, place->priority};
    }
}

/// Does `action` with the entry's message, now or when it was fetched; until then the entry is
/// nobody's.
void Broker::Impl::withMessage(Queue& q, EntryPlace place, Action action) {
    const QueueEntry& entry = q.messages.at(place);
    if (entry.message) return action(q, place);
    q.messages.setState(place, EntryState::settling);
    actions_[entry.id].push_back({Waiting{q.id, place}, std::move(action)});
    if (!entry.loading) fetch(q, place);
}

/// It has left its place for an action that needs its message.
bool Broker::Impl::waitsForAction(Queue& q, EntryPlace place) {
    const auto found = actions_.find(q.messages.at(place).id);
    if (found == actions_.end()) return false;
    return std::any_of(found->second.begin(), found->second.end(), [&](const auto& waiting) {
        return waiting.first.queue == q.id && waiting.first.place == place;
    });
}

void Broker::Impl::unreadable(Queue& q, EntryPlace place, const Error& error) {
    QueueEntry& entry = q.messages.at(place);
    if (!std::exchange(entry.unreadable, true)) {
        notice(Notice::Level::alarm, q.name,
               "message " + std::to_string(entry.id.value) +
                   " cannot be read and is put aside (purge it by its number): " + error.text);
    }
    // Somebody holds it, or a unit of work has it: put aside when it comes back.
    const bool waitsHere = entry.state == EntryState::ready || entry.state == EntryState::delayed ||
                           entry.state == EntryState::parked;
    if (!waitsHere && !waitsForAction(q, place)) return;
    entry.due = WallTime::max();
    q.messages.setState(place, EntryState::delayed);
    if (&q == templates_) templateUnreadable(entry.id, error);
}

void Broker::Impl::loaded(std::vector<StoredMessage> messages, Now now, Step& step) {
    begin(now, step);
    std::set<QueueId> touched;
    for (StoredMessage& read : messages) {
        const auto load = loads_.find(read.id);
        if (load == loads_.end()) continue;
        const std::vector<Waiting> waiting = std::move(load->second);
        loads_.erase(load);
        for (const Waiting& w : waiting) {
            Queue* q = queue(w.queue);
            if (!q) continue;
            QueueEntry* entry = q->messages.find(w.place);
            --q->loads;
            touched.insert(w.queue);  // also where it has left: somebody waited for it
            if (!entry || entry->id != read.id) continue;
            entry->loading = false;
            if (read.message) {
                entry->message = read.message;
                addToMemory(
                    *q, *entry,
                    static_cast<std::uint32_t>(std::max<std::size_t>(1, footprint(*read.message))));
                if (entry->id == q->oldest) q->oldestSent = read.message->timestamp;
                fresh_.push_back(w);
            } else {
                unreadable(*q, w.place,
                           read.error ? *read.error
                                      : Error{ErrorCode::storageCorrupt, "it is not in the store"});
            }
        }
        auto actions = actions_.extract(read.id);
        if (actions.empty()) continue;
        for (auto& [w, action] : actions.mapped()) {
            Queue* q = queue(w.queue);
            QueueEntry* entry = q ? q->messages.find(w.place) : nullptr;
            if (entry && entry->id == read.id && entry->message) action(*q, w.place);
        }
    }
    for (const QueueId id : touched) {
        if (Queue* q = queue(id)) wakeAll(*q);
    }
    for (const auto& job : jobs_) job->waits = false;
    if (!actions_.empty() || expiries_ > 0) runTimers();
    end();
}

/// Where memory is short: what came into memory in this step and was not handed out leaves it
/// again; what was in memory alone goes to the disk.
void Broker::Impl::relieveMemory() {
    if (fresh_.empty()) return;
    if (memory_ <= options_.memoryMax) {
        fresh_.clear();
        return;
    }
    Draft spill = newDraft();
    std::unordered_map<StoredId, AddMessage> adds;
    for (const Waiting& w : std::exchange(fresh_, {})) {
        Queue* q = queue(w.queue);
        QueueEntry* entry = q ? q->messages.find(w.place) : nullptr;
        if (!entry || !entry->message) continue;
        if (entry->state != EntryState::ready && entry->state != EntryState::delayed &&
            entry->state != EntryState::parked)
            continue;
        if (entry->stored) {
            // What was fetched for a consumer of everything is wanted soon.
            const bool taken =
                q->everything().members > 0 || q->receivedAt + kReceiverStays > now_.steady;
            const bool wanted = q->readAheadCount > 0 && taken;
            if (!wanted) removeFromMemory(*q, *entry);
            continue;
        }
        // A message with entries that are stored cannot be added a second time.
        if (storeFailed_ ||
            (entry->message->persistent && entry->share + 1 < footprint(*entry->message)))
            continue;
        AddMessage& add = adds[entry->id];
        add.id = entry->id;
        add.message = entry->message;
        add.queues.push_back(w.queue);
        spill.spilled.push_back({w.queue, w.place, entry->id});
    }
    for (auto& [id, add] : adds) spill.unit.operations.push_back(std::move(add));
    if (spill.unit.operations.empty())
        spare_.push_back(std::move(spill));
    else
        finish(std::move(spill), Durability::lazy);
}

}  // namespace busbar
