// Distributed transactions: branches between their coordinator's two words.
#include "bus/core/broker_impl.h"
#include "bus/core/rows.h"

#include <algorithm>

namespace busbar {
namespace {

constexpr std::size_t kRowMax = 15 << 20;  // of the 16 MiB that a row may have
constexpr std::chrono::minutes kInDoubtLong(10);
constexpr std::string_view kRolledBack = "its distributed transaction was rolled back";

std::string outcomeName(bool commit) {
    return commit ? "committed" : "rolled-back";
}

Error unknown(const BranchId& id) {
    return {ErrorCode::notFound, "no transaction " + toText(id) +
                                     " is prepared: it was never, or it was decided before"};
}

}  // namespace

// ---- first phase ----

/// Is there room for one more branch, and is all in it what a branch may hold?
std::optional<Error> Broker::Impl::mayPrepare(const PrepareTransaction& c, const Session& s,
                                              std::uint64_t bytes) const {
    if (auto valid = checkBranchId(c.branch); !valid) return valid.error();
    if (branches_.contains(c.branch)) {
        return Error{ErrorCode::alreadyExists,
                     "transaction " + toText(c.branch) + " is prepared already"};
    }
    if (branches_.size() >= options_.preparedMax ||
        bytes > options_.preparedBytesMax - std::min(preparedBytes_, options_.preparedBytesMax)) {
        return Error{ErrorCode::limitReached,
                     std::to_string(branches_.size()) + " transactions with " +
                         std::to_string(preparedBytes_) +
                         " bytes of messages are prepared; the limits are " +
                         std::to_string(options_.preparedMax) + " and " +
                         std::to_string(options_.preparedBytesMax) +
                         ": there is room when their coordinators, or an operator, have decided"};
    }
    std::size_t row = 0;
    for (const auto& message : c.sends) {
        if (message->recurrence) {
            return Error{ErrorCode::unsupported,
                         "a recurring schedule cannot be part of two phases: commit in one"};
        }
        // A reply is matched to its call when it comes in: too early, before the commit.
        if (message->correlationId.starts_with(kCallPrefix) &&
            !calls_.serviceOfReplyQueue(message->destination.name).empty()) {
            return Error{ErrorCode::unsupported,
                         "the reply to a service call cannot be part of two phases: commit in one"};
        }
        if (message->dedupId.empty()) continue;
        const std::string key = dedupKeyOf(*message, s);
        row += key.size() + 8;
        const auto* first = dedup_.find(key);
        if (first && first->contentHash != contentHash(*message)) return usedForAnother(*message);
    }
    if (row > kRowMax) return Error{ErrorCode::limitReached, "too many dedup ids in a transaction"};
    return std::nullopt;
}

void Broker::Impl::on(PrepareTransaction& c) {
    Session* s = require(c.session, c.request);
    if (!s) return;
    const auto refuse = [&](ErrorCode code, const Error& cause) {
        complete(c.session, c.request, Error{code, "nothing was done: " + cause.text});
    };
    std::uint64_t bytes = 0;
    for (const auto& message : c.sends) bytes += sizeInQueue(*message);
    if (const auto error = mayPrepare(c, *s, bytes)) return refuse(error->code, *error);
    for (const DeliveryId id : c.accepts) {
        if (heldBy(id, s->id)) continue;
        return refuse(ErrorCode::transactionAborted,
                      {ErrorCode::lockLost,
                       "delivery " + std::to_string(id.value) + " is no longer held here"});
    }
    Queue* full = nullptr;
    Error why;
    std::size_t at = 0;
    const Room room = roomForAll(c.sends, full, why, at);
    if (room == Room::no) return refuse(ErrorCode::transactionAborted, why);
    if (room == Room::wait) return park(*full, s->id, std::move(c), why.text);

    PreparedBranch& branch = branches_[c.branch];
    branch.id = c.branch;
    branch.user = s->user;
    branch.preparedAt = now_.wall;
    branch.state = PreparedBranch::State::preparing;
    branch.bytes = bytes;
    preparedBytes_ += bytes;
    Draft draft = newDraft();
    draft.prepares = branch.id;
    for (const DeliveryId id : c.accepts) prepareAccept(id, branch, draft);
    for (const auto& message : c.sends) prepareSend(message, *s, branch, draft);
    std::string row = rows::branch(branch);
    if (c.request)
        draft.effects.push_back(Completed{c.session, c.request, std::nullopt, {}, 0, false});
    if (row.size() > kRowMax) {
        return undo(draft, {ErrorCode::transactionAborted,
                            "nothing was done: the transaction is on too many queues"});
    }
    draft.unit.operations.push_back(
        PutRow{Table::prepared, rows::branchKey(branch.id), std::move(row)});
    const SessionId id = s->id;
    finish(std::move(draft), Durability::fsync);
    diskBehind(id);
}

/// The delivery stays in its session's list, and its group locked, until the decision; but its
/// count is stored now, for it may come back after a restart.
void Broker::Impl::prepareAccept(DeliveryId id, PreparedBranch& branch, Draft& draft) {
    const HeldDelivery& held = *ledger_.find(id);
    Queue& q = *queue(held.queue);
    const QueueEntry& entry = q.messages.at(held.place);
    if (entry.state == EntryState::settling) return;  // named twice
    branch.accepts.push_back({q.id, entry.id, held.place, id});
    if (entry.stored)
        draft.unit.operations.push_back(SetEntry{q.id, entry.id, entry.deliveryCount, WallTime{}});
    ++q.prepared.accepts;
    q.messages.setState(held.place, EntryState::settling);
}

void Broker::Impl::prepareSend(const std::shared_ptr<Message>& message, Session& s,
                               PreparedBranch& branch, Draft& draft) {
    std::string key = dedupKeyOf(*message, s);
    if (!key.empty() && dedup_.find(key)) {
        ++duplicates_;
        return;
    }
    Queue* full = nullptr;
    Error why;
    const Queue* target =
        message->destination.isTopic() ? nullptr : queueNamed(message->destination.name);
    if (target && target->options.whenFull == WhenFull::dropOldest) makeRoom(*message, full, why);
    ++s.sent;
    stamp(*message, &s);
    const std::size_t before = draft.added.size();
    route(message, &s, draft);
    --messagesIn_;  // not before the commit
    ++branch.messages;
    for (std::size_t i = before; i < draft.added.size(); ++i) {
        const auto [queueId, place] = draft.added[i];
        Queue& q = *queue(queueId);
        const StoredId id = q.messages.at(place).id;
        --q.stats.in;
        q.stats.idsIn -= id.value;
        ++q.prepared.sends;
        q.prepared.idsOfSends += id.value;
        branch.sends.push_back({queueId, id, place});
    }
    draft.added.resize(before);
    if (key.empty()) return;
    branch.dedupKeys.push_back(key);
    rememberId(std::move(key), *message, draft);
}

/// It is durable. Its messages may have to wait long: they do so on disk where memory is short.
std::vector<Command> Broker::Impl::branchPrepared(const BranchId& id) {
    PreparedBranch& branch = branches_.at(id);
    branch.state = PreparedBranch::State::prepared;
    if (memory_ > options_.memoryMax / 2) {
        for (const auto& at : branch.sends) {
            Queue* q = queue(at.queue);
            QueueEntry* entry = entryOf(q, at);
            if (entry && entry->stored) removeFromMemory(*q, *entry);
        }
    }
    return std::exchange(branch.later, {});
}

std::vector<Command> Broker::Impl::prepareRefused(const BranchId& id) {
    const auto node = branches_.extract(id);
    const PreparedBranch& branch = node.mapped();
    preparedBytes_ -= branch.bytes;
    for (const auto& at : branch.sends) sendIsGone(at);
    for (const auto& at : branch.accepts) {
        const HeldDelivery* held = ledger_.find(at.delivery);
        acceptComesBack(at, held ? held->session : SessionId());
    }
    return std::move(node.mapped().later);
}

void Broker::Impl::runLater(std::vector<Command>& later) {
    for (Command& command : later) std::visit([this](auto& c) { on(c); }, command);
}

// ---- second phase ----

PreparedBranch* Broker::Impl::branchFor(const Session& s, const BranchId& id, bool force) {
    const auto found = branches_.find(id);
    if (found == branches_.end()) return nullptr;
    return force || found->second.user == s.user ? &found->second : nullptr;
}

void Broker::Impl::on(DecidePrepared& c) {
    const Session* s = require(c.session, c.request);
    if (!s) return;
    PreparedBranch* branch = branchFor(*s, c.branch, c.force);
    if (!branch) return complete(c.session, c.request, unknown(c.branch));
    switch (branch->state) {
        case PreparedBranch::State::preparing:
        case PreparedBranch::State::deciding:
            branch->later.emplace_back(std::move(c));
            return;
        case PreparedBranch::State::prepared:
            return decide(*branch, c, *s);
        case PreparedBranch::State::forced:
            break;
    }
    if (c.commit != branch->commit) {
        if (!c.force) {
            notice(Notice::Level::alarm, toText(c.branch),
                   "the transaction was " + outcomeName(branch->commit) + " by '" +
                       branch->decidedBy + "', but its coordinator says " + outcomeName(c.commit) +
                       ": what it did elsewhere does not fit what was done here");
        }
        if (!c.request) return;
        return emit(Completed{c.session, c.request,
                              Error{ErrorCode::conflict, "transaction " + toText(c.branch) +
                                                             " was " + outcomeName(branch->commit) +
                                                             " by '" + branch->decidedBy + "'"},
                              outcomeName(branch->commit), 0, false});
    }
    if (c.force) return complete(c.session, c.request);
    closeForced(*branch, c.session, c.request);
}

void Broker::Impl::decide(PreparedBranch& branch, const DecidePrepared& c, const Session& s) {
    branch.state = PreparedBranch::State::deciding;
    branch.commit = c.commit;
    branch.force = c.force;
    branch.decider = c.force ? SessionId() : s.id;
    if (c.force) {
        branch.decidedBy = s.user;
        branch.decidedAt = now_.wall;
    }
    Draft draft = newDraft();
    draft.decides = branch.id;
    for (auto& at : c.commit ? branch.accepts : branch.sends) {
        const QueueEntry* entry = entryOf(queue(at.queue), at);
        if (!entry || !entry->stored) continue;
        at.recorded = true;
        draft.unit.operations.push_back(RemoveEntry{at.queue, at.id});
    }
    if (!c.commit) {
        for (const auto& key : branch.dedupKeys)
            draft.unit.operations.push_back(EraseRow{Table::dedup, key});
    }
    std::string key = rows::branchKey(branch.id);
    if (c.force)
        draft.unit.operations.push_back(
            PutRow{Table::prepared, std::move(key), rows::branch(branch)});
    else
        draft.unit.operations.push_back(EraseRow{Table::prepared, std::move(key)});
    if (c.request)
        draft.effects.push_back(Completed{c.session, c.request, std::nullopt, {}, 0, false});
    finish(std::move(draft), Durability::fsync);
}

std::vector<Command> Broker::Impl::branchDecided(const BranchId& id) {
    auto node = branches_.extract(id);
    PreparedBranch branch = std::move(node.mapped());
    preparedBytes_ -= branch.bytes;
    if (branch.commit) messagesIn_ += branch.messages;
    for (const auto& at : branch.sends) branch.commit ? sendHappens(at) : sendIsGone(at);
    for (const auto& at : branch.accepts)
        branch.commit ? acceptHappens(at) : acceptComesBack(at, branch.decider);
    if (!branch.commit) {
        for (const auto& key : branch.dedupKeys) dedup_.forget(key);
    }
    std::vector<Command> later = std::exchange(branch.later, {});
    if (branch.force) {
        notice(Notice::Level::warning, toText(id),
               "the prepared transaction of '" + branch.user + "' was " +
                   outcomeName(branch.commit) + " by '" + branch.decidedBy +
                   "' in place of its coordinator");
        branch.state = PreparedBranch::State::forced;
        branch.sends.clear();
        branch.accepts.clear();
        branch.dedupKeys.clear();
        branches_.emplace(id, std::move(branch));
    }
    return later;
}

std::vector<Command> Broker::Impl::decisionRefused(const BranchId& id) {
    PreparedBranch& branch = branches_.at(id);
    branch.state = PreparedBranch::State::prepared;
    branch.force = false;
    branch.decidedBy.clear();
    branch.decidedAt = WallTime{};
    for (auto* places : {&branch.sends, &branch.accepts}) {
        for (auto& at : *places) at.recorded = false;
    }
    return std::exchange(branch.later, {});
}

/// The coordinator knows, or never will: nothing is remembered any more.
void Broker::Impl::closeForced(PreparedBranch& branch, SessionId session, RequestId request) {
    Draft draft = newDraft();
    draft.unit.operations.push_back(EraseRow{Table::prepared, rows::branchKey(branch.id)});
    if (request) draft.effects.push_back(Completed{session, request, std::nullopt, {}, 0, false});
    branches_.erase(branches_.find(branch.id));
    finish(std::move(draft), Durability::fsync);
}

void Broker::Impl::on(ForgetPrepared& c) {
    const Session* s = require(c.session, c.request);
    if (!s) return;
    PreparedBranch* branch = branchFor(*s, c.branch, c.force);
    if (!branch) return complete(c.session, c.request, unknown(c.branch));
    if (branch->state == PreparedBranch::State::forced)
        return closeForced(*branch, c.session, c.request);
    complete(c.session, c.request,
             Error{ErrorCode::inUse,
                   "transaction " + toText(c.branch) + " is prepared: commit it, or roll it back"});
}

void Broker::Impl::on(ListPrepared& c) {
    const Session* s = require(c.session, c.request);
    if (!s) return;
    auto picture = std::make_shared<Picture>();
    picture->branches = branchPictures(&s->user);
    emit(Pictured{c.session, c.request, std::move(picture)});
}

/// Says once that a coordinator is long in coming: what its branch holds is nobody's meanwhile.
void Broker::Impl::sweepBranches() {
    for (auto& [id, branch] : branches_) {
        if (branch.state != PreparedBranch::State::prepared || branch.warned) continue;
        if (now_.wall - branch.preparedAt < kInDoubtLong) continue;
        branch.warned = true;
        notice(Notice::Level::warning, toText(id),
               "a transaction of '" + branch.user + "' has been prepared for " +
                   std::to_string(
                       std::chrono::duration_cast<std::chrono::minutes>(kInDoubtLong).count()) +
                   " minutes and waits for its coordinator; 'busbar tx' decides in its place");
    }
}

// ---- entries ----

/// Null where its queue has gone, which takes along what it holds.
QueueEntry* Broker::Impl::entryOf(Queue* q, const PreparedBranch::Place& at) {
    QueueEntry* entry = q && at.found ? q->messages.find(at.place) : nullptr;
    return entry && entry->id == at.id ? entry : nullptr;
}

void Broker::Impl::sendHappens(const PreparedBranch::Place& at) {
    Queue* q = queue(at.queue);
    if (!entryOf(q, at)) return;
    --q->prepared.sends;
    q->prepared.idsOfSends -= at.id.value;
    ++q->stats.in;
    q->stats.idsIn += at.id.value;
    activate(*q, at.place);
}

void Broker::Impl::sendIsGone(const PreparedBranch::Place& at) {
    Queue* q = queue(at.queue);
    if (!entryOf(q, at)) return;
    --q->prepared.sends;
    q->prepared.idsOfSends -= at.id.value;
    removeUncounted(*q, at.place);
}

void Broker::Impl::acceptHappens(const PreparedBranch::Place& at) {
    if (HeldDelivery* held = ledger_.find(at.delivery)) letGo(*held);
    Queue* q = queue(at.queue);
    const QueueEntry* entry = entryOf(q, at);
    if (!entry) return;
    --q->prepared.accepts;
    // It may have been spilled to the disk while the decision was on its way.
    if (entry->stored && !at.recorded) lazily(RemoveEntry{q->id, entry->id});
    eraseEntry(*q, at.place, Leaving::out);
    dropUnwanted(*q);
}

/// `keeper`: the session in whose hands it stays where it has it.
void Broker::Impl::acceptComesBack(const PreparedBranch::Place& at, SessionId keeper) {
    HeldDelivery* held = ledger_.find(at.delivery);
    Queue* q = queue(at.queue);
    if (!entryOf(q, at)) {
        if (held) letGo(*held);
        return;
    }
    --q->prepared.accepts;
    if (held && held->session && held->session == keeper) return heldAgain(*q, *held);
    if (held)
        returnToQueue(*held, true, Milliseconds(0), std::string(kRolledBack));
    else
        acceptFailed(*q, at.place);
    dropUnwanted(*q);
}

/// What returnToQueue does, for a message that nobody has had in hands since the bus was started.
void Broker::Impl::acceptFailed(Queue& q, EntryPlace place) {
    const QueueEntry& entry = q.messages.at(place);
    const std::uint32_t count = std::max(1u, entry.deliveryCount);
    noteFailure(q, entry, std::string(kRolledBack));
    if (q.options.deliveriesMax && count >= q.options.deliveriesMax && !q.options.parkFailedGroups)
        return deadLetter(q, place, "deliveries", std::string(kRolledBack));
    const auto& delays = q.options.redeliveryDelays;
    makeReady(
        q, place,
        delays.empty() ? Milliseconds(0) : delays[std::min<std::size_t>(count, delays.size()) - 1]);
}

// ---- recovery ----

void Broker::Impl::recoverBranch(std::string_view key, std::string_view value) {
    auto read = rows::readBranch(key, value);
    BUSBAR_CHECK(read, "a stored prepared transaction makes no sense");
    preparedBytes_ += read->state == PreparedBranch::State::forced ? 0 : read->bytes;
    PreparedBranch& branch = branches_[read->id];
    branch = std::move(*read);
    for (auto& at : branch.sends) expected_[{at.queue, at.id}] = {&branch, &at, true};
    for (auto& at : branch.accepts) expected_[{at.queue, at.id}] = {&branch, &at, false};
}

/// Where the entry belongs to a branch: puts it back into its place there.
bool Broker::Impl::recoverPrepared(Queue& q, QueueEntry& entry, unsigned char priority) {
    const auto node = expected_.extract({q.id, entry.id});
    if (node.empty()) return false;
    const Expected& expected = node.mapped();
    const StoredId id = entry.id;
    entry.state = expected.send ? EntryState::pending : EntryState::settling;
    if (expected.send) {
        ++q.prepared.sends;
        q.prepared.idsOfSends += id.value;
    } else {
        ++q.prepared.accepts;
        ++q.stats.in;
        q.stats.idsIn += id.value;
    }
    expected.place->found = true;
    expected.place->place = q.messages.append(priority, std::move(entry));
    q.messages.packCold();
    return true;
}

/// What was not found was on a queue that has gone since, or not persistent.
void Broker::Impl::endRecoveryOfBranches() {
    expected_.clear();
    for (auto& [id, branch] : branches_) {
        std::erase_if(branch.sends, [](const auto& at) { return !at.found; });
        std::erase_if(branch.accepts, [](const auto& at) { return !at.found; });
    }
}

// ---- pictures ----

/// `user`: only that one's.
std::vector<BranchPicture> Broker::Impl::branchPictures(const std::string* user) const {
    std::vector<BranchPicture> out;
    for (const auto& [id, branch] : branches_) {
        if (user && branch.user != *user) continue;
        if (branch.state == PreparedBranch::State::preparing) continue;
        BranchPicture p;
        p.branch = id;
        const bool forced = branch.state == PreparedBranch::State::forced;
        p.state = forced ? outcomeName(branch.commit) : "prepared";
        p.user = branch.user;
        p.preparedAt = branch.preparedAt;
        p.messages = branch.messages;
        p.accepts = branch.accepts.size();
        p.bytes = branch.bytes;
        p.decidedBy = branch.decidedBy;
        p.decidedAt = branch.decidedAt;
        out.push_back(std::move(p));
    }
    return out;
}

void Broker::Impl::checkBranches() const {
    std::unordered_map<QueueId, PreparedEntries> counted;
    std::uint64_t bytes = 0;
    for (const auto& [id, branch] : branches_) {
        if (branch.state != PreparedBranch::State::forced) bytes += branch.bytes;
        for (const bool sends : {true, false}) {
            for (const auto& at : sends ? branch.sends : branch.accepts) {
                const auto q = queues_.find(at.queue);
                if (q == queues_.end()) continue;
                const QueueEntry* entry = q->second->messages.find(at.place);
                BUSBAR_CHECK(entry && entry->id == at.id, "a prepared entry that is not there");
                BUSBAR_CHECK(entry->state == (sends ? EntryState::pending : EntryState::settling),
                             "a prepared entry that others can see");
                PreparedEntries& of = counted[at.queue];
                if (sends) {
                    ++of.sends;
                    of.idsOfSends += at.id.value;
                } else {
                    ++of.accepts;
                }
            }
        }
    }
    BUSBAR_CHECK(bytes == preparedBytes_, "the broker miscounts what is prepared");
    for (const auto& [id, q] : queues_) {
        const PreparedEntries& of = counted[id];
        BUSBAR_CHECK(of.sends == q->prepared.sends && of.accepts == q->prepared.accepts &&
                         of.idsOfSends == q->prepared.idsOfSends,
                     "queue " + q->name + " miscounts what is prepared");
    }
}

}  // namespace busbar
