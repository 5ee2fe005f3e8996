// The frame of the broker: the public face, steps, units of work on their way.
#include "bus/core/broker.h"

#include "bus/core/broker_impl.h"

#include <algorithm>

namespace busbar {

Broker::Broker(BrokerOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}
Broker::~Broker() = default;
RecoveryListener& Broker::recovery() {
    return *impl_;
}
void Broker::start(Now now, Step& step) {
    impl_->start(now, step);
}
void Broker::apply(std::span<Command> commands, Now now, Step& step) {
    impl_->apply(commands, now, step);
}
void Broker::progress(const StoreProgress& p, Now now, Step& step) {
    impl_->progress(p, now, step);
}
void Broker::loaded(std::vector<StoredMessage> messages, Now now, Step& step) {
    impl_->loaded(std::move(messages), now, step);
}
void Broker::tick(Now now, Step& step) {
    impl_->tick(now, step);
}
void Broker::setAccess(AccessChange change, Now now, Step& step) {
    impl_->setAccess(std::move(change), now, step);
}
std::optional<SteadyTime> Broker::nextTick(Now now) const {
    return impl_->nextTick(now);
}
void Broker::checkInvariants() const {
    impl_->checkInvariants();
}
Picture Broker::picture(Now now) const {
    return impl_->picture(now);
}

namespace {

constexpr int kLooksAStep = 20'000;
constexpr int kExpiriesAStep = 2'000;
constexpr std::size_t kNoticesKept = 100;

std::uint64_t bytesOf(const UnitOfWork& unit) {
    std::uint64_t sum = 0;
    for (const Operation& operation : unit.operations) {
        if (const auto* add = std::get_if<AddMessage>(&operation))
            sum += add->message->body.size() + sizeof(Message);
    }
    return sum;
}

}  // namespace

// ---- steps ----

void Broker::Impl::begin(Now now, Step& step) {
    now_ = now;
    step_ = &step;
    more_ = false;
    looks_ = kLooksAStep;
    expiries_ = kExpiriesAStep;
}

void Broker::Impl::end() {
    runJobs();
    dispatchDirty();
    relieveMemory();
    flushLazy();
}

void Broker::Impl::apply(std::span<Command> commands, Now now, Step& step) {
    begin(now, step);
    for (Command& command : commands) {
        std::visit([this](auto& c) { applyOne(c); }, command);
    }
    end();
}

/// These need no right: what they touch is the session's own.
template <class C>
constexpr bool kNeedsNoRight =
    std::is_same_v<C, OpenSession> || std::is_same_v<C, CloseSession> ||
    std::is_same_v<C, Unsubscribe> || std::is_same_v<C, AddCredit> || std::is_same_v<C, Settle> ||
    std::is_same_v<C, ExtendLease> || std::is_same_v<C, ListPrepared> ||
    std::is_same_v<C, ListSchedules> || std::is_same_v<C, DeleteTemporary> ||
    std::is_same_v<C, ForgetProducer> || std::is_same_v<C, ResumeLink> ||
    std::is_same_v<C, ForgetSends>;

template <class C>
void Broker::Impl::applyOne(C& c) {
    if constexpr (!kNeedsNoRight<C>) {
        Session* s = session(c.session);
        if (s && !s->access.mayAll()) {
            if (auto error = refusal(*s, c)) {
                noteRefusal(*s, *error);
                return refuse(c, std::move(*error));
            }
        }
    }
    on(c);
}

/// Answers with the effect that the command is answered with.
template <class C>
void Broker::Impl::refuse(C& c, Error error) {
    if constexpr (std::is_same_v<C, Call>)
        emit(Replied{c.session, c.request, std::move(error), nullptr, false});
    else if constexpr (std::is_same_v<C, Receive>)
        emit(Received{c.session, c.request, std::move(error), {}});
    else if constexpr (std::is_same_v<C, Browse>)
        emit(Browsed{c.session, c.request, std::move(error), {}, false});
    else
        complete(c.session, c.request, std::move(error));
}

// ---- units of work ----

Draft Broker::Impl::newDraft() {
    if (spare_.empty()) return {};
    Draft draft = std::move(spare_.back());
    spare_.pop_back();
    return draft;
}

void Broker::Impl::finish(Draft draft, Durability durability) {
    if (draft.unit.operations.empty()) {
        happen(draft);
    } else if (storeFailed_) {
        undo(draft, *storeFailed_);
    } else {
        flushLazy();
        draft.sequence = UnitSequence(nextSequence_++);
        draft.unit.durability = durability;
        draft.bytes = bytesOf(draft.unit);
        unconfirmed_ += draft.bytes;
        step_->units.push_back({draft.sequence, std::move(draft.unit)});
        inFlight_.push_back(std::move(draft));
        return;
    }
    draft.unit.operations.clear();
    draft.durability = Durability::lazy;
    if (spare_.size() < 256) spare_.push_back(std::move(draft));
}

Draft* Broker::Impl::inFlight(UnitSequence sequence) {
    if (!sequence) return nullptr;
    const auto at = std::lower_bound(
        inFlight_.begin(), inFlight_.end(), sequence,
        [](const Draft& draft, UnitSequence number) { return draft.sequence < number; });
    return at != inFlight_.end() && at->sequence == sequence ? &*at : nullptr;
}

void Broker::Impl::happen(Draft& draft) {
    for (const auto& added : draft.added) {
        if (Queue* q = queue(added.queue)) activate(*q, added.place);
    }
    for (const auto& removal : draft.removals) {
        if (HeldDelivery* held = ledger_.find(removal.delivery)) letGo(*held);
        Queue* q = queue(removal.queue);
        if (!q) continue;
        const QueueEntry& entry = q->messages.at(removal.place);
        // It may have been spilled to the disk while this unit was on its way.
        if (entry.stored && !removal.recorded) lazily(RemoveEntry{q->id, entry.id});
        eraseEntry(*q, removal.place, removal.leaving);
        dropUnwanted(*q);
    }
    for (const auto& spilled : draft.spilled) {
        Queue* q = queue(spilled.queue);
        QueueEntry* entry = q ? q->messages.find(spilled.place) : nullptr;
        if (entry && entry->id == spilled.id) {
            entry->stored = true;
            if (entry->state != EntryState::held && entry->state != EntryState::settling)
                removeFromMemory(*q, *entry);
        } else {
            lazily(RemoveEntry{spilled.queue, spilled.id});  // left meanwhile
        }
    }
    std::vector<Command> later;
    if (draft.prepares) later = branchPrepared(*std::exchange(draft.prepares, std::nullopt));
    if (draft.decides) later = branchDecided(*std::exchange(draft.decides, std::nullopt));
    for (auto& effect : draft.effects) emit(std::move(effect));
    for (auto& effect : draft.behind) emit(std::move(effect));
    runLater(later);
    for (const auto& id : draft.answered) {
        if (ServiceCall* call = calls_.find(id)) tellWaiters(*call, std::nullopt, false);
    }
    for (const auto& row : draft.queueRows) {
        if (Queue* q = queue(row.queue); q && q->rowVersion == row.version) q->rowStored = true;
    }
    if (const auto linked = std::exchange(draft.linked, nullptr)) sendArrived(*linked, true);
    if (!draft.schedules.empty()) schedulesHappen(draft);
    if (draft.job) {
        ++draft.job->done;
        --draft.job->outstanding;
    }
    draft.added.clear();
    draft.removals.clear();
    draft.spilled.clear();
    draft.effects.clear();
    draft.behind.clear();
    draft.dedupKeys.clear();
    draft.producers.clear();
    draft.made.clear();
    draft.answered.clear();
    draft.queueRows.clear();
    draft.services.clear();
    draft.subscriber = SessionId();
    draft.job = nullptr;
    draft.durability = Durability::lazy;
    draft.bytes = 0;
}

void Broker::Impl::undo(Draft& draft, const Error& error) {
    for (const auto& added : draft.added) {
        Queue* q = queue(added.queue);
        if (!q) continue;
        const QueueEntry& entry = q->messages.at(added.place);
        --q->stats.in;
        q->stats.idsIn -= entry.id.value;
        removeUncounted(*q, added.place);
    }
    std::vector<Command> later;
    if (draft.prepares) later = prepareRefused(*draft.prepares);
    if (draft.decides) later = decisionRefused(*draft.decides);
    for (const auto& removal : draft.removals) {
        Queue* q = queue(removal.queue);
        HeldDelivery* held = ledger_.find(removal.delivery);
        if (held && held->session) {
            heldAgain(*q, *held);
            continue;
        }
        if (held) {
            Group* group = held->group;
            ledger_.release(*held);
            if (q && group) groupSettled(*q, *group);
        }
        if (q) makeReady(*q, removal.place, Milliseconds(1000));
        if (q) dropUnwanted(*q);
    }
    for (auto& effect : draft.effects) {
        if (std::holds_alternative<Delivered>(effect)) continue;  // not handed out after all
        if (auto* completed = std::get_if<Completed>(&effect)) {
            completed->error = error;
            completed->value.clear();
        }
        emit(std::move(effect));
    }
    for (auto& effect : draft.behind) emit(std::move(effect));
    runLater(later);
    for (const auto& key : draft.dedupKeys) dedup_.forget(key);
    for (auto& numbered : draft.producers) {
        const auto row =
            producers_.refuse(numbered.producer, numbered.sequence, std::move(numbered.before));
        if (row)
            lazilyApart(PutRow{Table::producers, numbered.producer, ProducerMemory::encode(*row)});
    }
    if (draft.linked) sendArrived(*draft.linked, false);
    for (const auto& id : draft.made) {
        ServiceCall* call = calls_.find(id);
        if (!call) continue;
        tellWaiters(*call, error, false);
        calls_.erase(id);
    }
    for (const auto& id : draft.answered) {
        if (ServiceCall* call = calls_.find(id)) calls_.setReply(*call, nullptr, WallTime{});
    }
    for (const std::string& name : draft.services) calls_.forgetService(name);
    if (!draft.schedules.empty()) schedulesUndone(draft, error);
    if (Session* s = session(draft.subscriber)) {
        const auto consumer = s->consumers.find(draft.subscribed);
        if (consumer != s->consumers.end()) removeConsumer(*s, *consumer->second, Tried::all);
    }
    if (draft.job) {
        draft.job->error = error;
        --draft.job->outstanding;
    }
    draft = Draft{};
}

void Broker::Impl::lazily(Operation operation) {
    if (!storeFailed_) lazy_.push_back(std::move(operation));
}

void Broker::Impl::lazilyApart(Operation operation) {
    flushLazy();
    lazily(std::move(operation));
    flushLazy();
}

void Broker::Impl::flushLazy(Durability durability) {
    if (lazy_.empty()) return;
    UnitOfWork unit;
    unit.operations = std::exchange(lazy_, {});
    unit.durability = durability;
    step_->units.push_back({UnitSequence(nextSequence_++), std::move(unit)});
}

void Broker::Impl::progress(const StoreProgress& progress, Now now, Step& step) {
    begin(now, step);
    auto refused = progress.refused.begin();
    while (!inFlight_.empty() && inFlight_.front().sequence <= progress.done) {
        Draft draft = std::move(inFlight_.front());
        inFlight_.pop_front();
        unconfirmed_ -= draft.bytes;
        while (refused != progress.refused.end() && refused->first < draft.sequence) ++refused;
        if (refused != progress.refused.end() && refused->first == draft.sequence) {
            undo(draft, refused->second);
        } else {
            happen(draft);
        }
        if (spare_.size() < 256) spare_.push_back(std::move(draft));
    }
    if (progress.failed && !storeFailed_) {
        storeFailed_ = Error{ErrorCode::storageFailed, progress.failed->text};
        lazy_.clear();
        unconfirmed_ = 0;
        while (!inFlight_.empty()) {
            Draft draft = std::move(inFlight_.front());
            inFlight_.pop_front();
            undo(draft, *storeFailed_);
        }
    }
    diskCaughtUp();
    end();
}

void Broker::Impl::complete(SessionId session, RequestId request, std::optional<Error> error,
                            std::string value, std::uint64_t count) {
    if (!request) return;
    emit(Completed{session, request, std::move(error), std::move(value), count, false});
}

void Broker::Impl::notice(Notice::Level level, std::string subject, std::string text) {
    notices_.push_back(std::to_string(now_.wall.time_since_epoch().count()) + " " + subject + ": " +
                       text);
    if (notices_.size() > kNoticesKept) notices_.pop_front();
    step_->notices.push_back({level, std::move(subject), std::move(text)});
}

}  // namespace busbar
