// Recurring schedules: made, fired, changed, ended, found again.
//
// A schedule is a message (its template) that nobody gets, on a queue without a name, and a row:
// the rule, and how far it has come. Firing is one unit of work: the copy is added, and the row
// says what is next (or both go, with the last one). So a crash at any moment finds the firing done
// or not begun, and what is due is fired then. While a unit of a schedule is on its way nothing
// else is begun with it: what is asked meanwhile waits in Schedule::later.
#include "bus/core/broker_impl.h"
#include "bus/core/rows.h"

#include <algorithm>

namespace busbar {
namespace {

constexpr int kFiringsAStep = 500;
constexpr Milliseconds kFirstWait{1'000}, kLongestWait{16'000};  // before it is tried again
constexpr Milliseconds kSetBackMin{1'000};
// A template that is not wanted for this long need not be in memory.
constexpr std::chrono::seconds kSoon(60);

using Kind = Draft::ScheduleStep::Kind;

Error noSchedule(StoredId id) {
    return {ErrorCode::notFound,
            "no schedule " + std::to_string(id.value) + ": it is over, or was cancelled"};
}

/// What is sent this time.
std::shared_ptr<Message> copyOf(const Message& original, const ScheduleRecord& record,
                                std::string name, WallTime now) {
    auto copy = std::make_shared<Message>(original);
    copy->id.clear();
    copy->recurrence = nullptr;
    copy->dedupId.clear();
    copy->persistent = record.persistent;
    copy->timestamp = now;
    copy->deliverAt = WallTime{};
    copy->expiration =
        record.timeToLive > Milliseconds(0) ? after(now, record.timeToLive) : WallTime{};
    copy->properties.set("scheduledJobId", std::move(name));
    return copy;
}

}  // namespace

// ---- making ----

Result<Plan> Broker::Impl::planOf(const Recurrence& rule) {
    static UtcOnly utcOnly;
    return Plan::make(rule, options_.schedulePeriodMin,
                      options_.zones ? *options_.zones : static_cast<ZoneSource&>(utcOnly));
}

/// `before`: how many of the same transaction come before it.
std::optional<Error> Broker::Impl::mayMakeSchedule(const Message& m, const Session& s,
                                                   std::uint64_t before) {
    if (m.destination.isTemporary()) {
        return Error{ErrorCode::invalidArgument,
                     "a temporary destination ends with its connection: nothing can be sent to it "
                     "again and again"};
    }
    const auto own = schedulesOf_.find(s.user);
    const std::uint64_t owned = own == schedulesOf_.end() ? 0 : own->second;
    if (schedules_.size() + before >= options_.schedulesMax) {
        return Error{ErrorCode::limitReached, "there are " + std::to_string(schedules_.size()) +
                                                  " schedules, the limit: cancel some"};
    }
    if (owned + before >= options_.userSchedulesMax) {
        return Error{ErrorCode::limitReached,
                     "user '" + s.user + "' has " + std::to_string(owned) +
                         " schedules, the limit for one user: cancel some"};
    }
    const auto plan = planOf(*m.recurrence);
    if (!plan) return plan.error();
    if (!plan->first(now_.wall))
        return Error{ErrorCode::invalidArgument, "the schedule has no time that is still to come"};
    return std::nullopt;
}

std::optional<Error> Broker::Impl::mayMakeSchedules(
    const std::vector<std::shared_ptr<Message>>& sends, const Session& s, std::size_t& at) {
    std::uint64_t before = 0;
    for (at = 0; at < sends.size(); ++at) {
        if (!sends[at]->recurrence) continue;
        if (auto error = mayMakeSchedule(*sends[at], s, before++)) return error;
    }
    return std::nullopt;
}

/// Of a message that mayMakeSchedule said nothing against.
void Broker::Impl::makeSchedule(const std::shared_ptr<Message>& message, const Session& sender,
                                Draft& draft) {
    if (!templates_) templates_ = &makeQueue(QueueKind::schedules, std::string(rows::kTemplates));
    const StoredId id = nextId();
    Schedule& s = schedules_[id];
    s.id = id;
    s.busy = Schedule::Busy::making;
    s.plan = std::move(*planOf(*message->recurrence));
    ScheduleRecord& r = s.record;
    r.rule = *message->recurrence;
    r.destination = message->destination;
    r.owner = sender.user;
    r.roles = sender.roles;
    r.persistent = message->persistent;
    if (message->expiration != WallTime{})
        r.timeToLive = std::max(Milliseconds(1), message->expiration - now_.wall);
    r.created = r.since = now_.wall;
    r.next = *s.plan->first(now_.wall);
    ++schedulesOf_[r.owner];
    message->persistent = true;
    message->expiration = message->deliverAt = WallTime{};
    if (message->id.empty()) message->id = messageId(id);
    std::vector<QueueId> stored;
    enqueue(*templates_, message, id, 1, stored, draft);
    s.place = draft.added.back().place;
    s.bytes = sizeInQueue(*message);
    draft.unit.operations.push_back(AddMessage{id, message, std::move(stored)});
    draft.unit.operations.push_back(PutRow{Table::schedules, rows::idKey(id), encodeSchedule(r)});
    draft.durability = Durability::fsync;
    draft.schedules.push_back({Kind::made, id, {}});
}

// ---- waiting ----

Schedule* Broker::Impl::schedule(StoredId id) {
    const auto found = schedules_.find(id);
    return found == schedules_.end() ? nullptr : &found->second;
}

bool Broker::Impl::wanted(const ScheduleTimer& timer) const {
    const auto found = schedules_.find(timer.id);
    return found != schedules_.end() && found->second.wake == timer.due;
}

void Broker::Impl::wakeAt(Schedule& s, WallTime time) {
    s.wake = time;
    scheduleTimers_.add(time, {s.id, time});
}

/// Nothing of it is on its way any more: waits for its time, or does what was asked meanwhile.
void Broker::Impl::rest(Schedule& s) {
    s.busy = Schedule::Busy::no;
    QueueEntry& entry = templates_->messages.at(s.place);
    entry.due = WallTime::max();
    templates_->messages.setState(s.place, EntryState::delayed);
    const bool active = s.plan && !s.record.paused;
    const WallTime time = s.trouble.empty() ? s.record.next.due : s.wake;
    if (active) wakeAt(s, time);
    // Others have more use for the memory.
    const bool soon = active && time < now_.wall + kSoon;
    if (!soon && entry.message && entry.stored && !entry.loading)
        removeFromMemory(*templates_, entry);
    else if (memory_ > options_.memoryMax / 4 * 3)
        fresh_.push_back({templates_->id, s.place});
    std::vector<Command> later = std::exchange(s.later, {});
    runLater(later);
}

/// The disk is behind, or many messages are being fetched: what is due waits for that.
bool Broker::Impl::schedulesMayRun() const {
    return unconfirmed_ <= options_.unconfirmedMax && actions_.size() < 2'000;
}

void Broker::Impl::runSchedules() {
    const auto passed = std::chrono::duration_cast<Milliseconds>(now_.steady - clockSeen_.steady);
    if (now_.wall + kSetBackMin < clockSeen_.wall + passed) clockSetBack();
    clockSeen_ = now_;
    for (int budget = kFiringsAStep; budget > 0 && schedulesMayRun(); --budget) {
        const auto timer = scheduleTimers_.take(now_.wall);
        if (!timer) break;
        Schedule* s = schedule(timer->id);
        if (!s || s->wake != timer->due || s->busy != Schedule::Busy::no || !s->plan ||
            s->record.paused)
            continue;
        fireSchedule(*s);
    }
    scheduleTimers_.compact([this](const ScheduleTimer& timer) { return wanted(timer); });
}

/// What was reckoned from a time that is now in the future is reckoned again.
void Broker::Impl::clockSetBack() {
    for (auto& [id, s] : schedules_) {
        if (s.busy != Schedule::Busy::no || !s.plan || s.record.paused) continue;
        s.record.next = s.plan->adjusted(s.record.next, s.record.since, now_.wall);
        wakeAt(s, s.record.next.due);
    }
}

// ---- firing ----

void Broker::Impl::fireSchedule(Schedule& s) {
    s.busy = Schedule::Busy::firing;
    templates_->messages.setState(s.place, EntryState::settling);
    withMessage(*templates_, s.place, [this, id = s.id](Queue& q, EntryPlace place) {
        q.messages.setState(place, EntryState::settling);
        if (Schedule* found = schedule(id)) {
            const MessagePtr original = q.messages.at(place).message;
            sendScheduled(*found, *original);
        }
    });
}

void Broker::Impl::sendScheduled(Schedule& s, const Message& original) {
    const bool topic = s.record.destination.isTopic();
    const std::string& name = s.record.destination.name;
    if (!isKnown(s.record.owner))
        return pauseSchedule(s, "its owner is gone: " + notKnown(s.record.owner).text);
    const auto known = roles_.find(s.record.owner);  // as they are now, where that is known
    Access access(options_.permissions, s.record.owner,
                  known == roles_.end() ? s.record.roles : known->second);
    const bool makes = !topic && !queueNamed(name);
    if (!access.may(Right::send, topic, name) ||
        (makes && !access.may(Right::create, topic, name))) {
        return pauseSchedule(
            s, "its owner, user '" + s.record.owner + "', has no right to send there any more");
    }
    const auto copy = copyOf(original, s.record, scheduleName(options_.instance, s.id), now_.wall);
    if (auto allowed = checkSend(*copy); !allowed) return postpone(s, allowed.error());
    Queue* full = nullptr;
    Error why;
    if (makeRoom(*copy, full, why) != Room::yes) return postpone(s, why);
    Draft draft = newDraft();
    route(copy, nullptr, draft);
    const auto next = s.plan->following(s.record.next, now_.wall);
    if (next) {
        ScheduleRecord becomes = s.record;
        becomes.next = *next;
        becomes.last = becomes.since = now_.wall;
        ++becomes.sent;
        draft.unit.operations.push_back(
            PutRow{Table::schedules, rows::idKey(s.id), encodeSchedule(becomes)});
        draft.schedules.push_back({Kind::fired, s.id, std::move(becomes)});
    } else {
        draft.unit.operations.push_back(RemoveEntry{templates_->id, s.id});
        draft.unit.operations.push_back(EraseRow{Table::schedules, rows::idKey(s.id)});
        draft.removals.push_back({templates_->id, s.place, Leaving::out, DeliveryId(), true});
        draft.schedules.push_back({Kind::over, s.id, {}});
    }
    finish(std::move(draft), Durability::fsync);
}

/// It could not be sent: stays due, and is tried again in a while. What becomes due meanwhile is
/// sent with it, as one.
void Broker::Impl::postpone(Schedule& s, const Error& why) {
    if (s.trouble.empty()) {
        notice(Notice::Level::warning, scheduleName(options_.instance, s.id),
               "the schedule to " + toUri(s.record.destination) +
                   " waits, and is tried again: " + why.text);
    }
    s.trouble = why.text;
    const Milliseconds wait = std::min(kLongestWait, kFirstWait * (1 << std::min(s.attempts, 4u)));
    ++s.attempts;
    s.wake = after(now_.wall, wait);
    rest(s);
}

void Broker::Impl::templateUnreadable(StoredId id, const Error& error) {
    Schedule* s = schedule(id);
    if (s && s->busy == Schedule::Busy::firing) postpone(*s, error);
}

void Broker::Impl::pauseSchedule(Schedule& s, std::string why) {
    notice(Notice::Level::alarm, scheduleName(options_.instance, s.id),
           "the schedule to " + toUri(s.record.destination) + " is paused: " + why);
    ScheduleRecord becomes = s.record;
    becomes.paused = true;
    becomes.trouble = std::move(why);
    changeSchedule(s, std::move(becomes), newDraft());
}

void Broker::Impl::dropSchedule(Schedule& s) {
    const auto own = schedulesOf_.find(s.record.owner);
    if (--own->second == 0) schedulesOf_.erase(own);
    std::vector<Command> later = std::move(s.later);
    schedules_.erase(s.id);
    runLater(later);  // to be told that it is gone
}

void Broker::Impl::schedulesHappen(Draft& draft) {
    for (auto& step : std::exchange(draft.schedules, {})) {
        Schedule* s = schedule(step.id);
        if (!s) continue;
        switch (step.kind) {
            case Kind::made:
                rest(*s);
                break;
            case Kind::fired:
                if (!s->trouble.empty()) {
                    notice(Notice::Level::info, scheduleName(options_.instance, s->id),
                           "the schedule to " + toUri(s->record.destination) + " goes on");
                }
                s->trouble.clear();
                s->attempts = 0;
                s->record = std::move(step.becomes);
                rest(*s);
                break;
            case Kind::changed:
                s->trouble.clear();
                s->record = std::move(step.becomes);
                if (auto plan = planOf(s->record.rule)) s->plan = std::move(*plan);
                rest(*s);
                break;
            case Kind::over:
            case Kind::cancelled:
                dropSchedule(*s);
                break;
        }
    }
}

void Broker::Impl::schedulesUndone(Draft& draft, const Error& error) {
    for (auto& step : std::exchange(draft.schedules, {})) {
        Schedule* s = schedule(step.id);
        if (!s) continue;
        switch (step.kind) {
            case Kind::made:
                dropSchedule(*s);
                break;
            case Kind::fired:
            case Kind::over:
                postpone(*s, error);
                break;
            case Kind::changed:
            case Kind::cancelled:
                rest(*s);
                break;
        }
    }
}

// ---- changing and ending ----

bool Broker::Impl::mayChange(Session& session, const Schedule& s) {
    const Destination& to = s.record.destination;
    return session.user == s.record.owner ||
           session.access.may(Right::manage, to.isTopic(), to.name);
}

void Broker::Impl::changeSchedule(Schedule& s, ScheduleRecord becomes, Draft draft) {
    s.busy = Schedule::Busy::changing;
    templates_->messages.setState(s.place, EntryState::settling);
    draft.unit.operations.push_back(
        PutRow{Table::schedules, rows::idKey(s.id), encodeSchedule(becomes)});
    draft.schedules.push_back({Kind::changed, s.id, std::move(becomes)});
    finish(std::move(draft), Durability::fsync);
}

void Broker::Impl::on(ChangeSchedule& c) {
    if (!require(c.session, c.request)) return;
    Schedule* s = schedule(c.id);
    if (!s || s->busy == Schedule::Busy::making)
        return complete(c.session, c.request, noSchedule(c.id));
    if (s->busy != Schedule::Busy::no) return s->later.emplace_back(std::move(c)), void();
    ScheduleRecord becomes = s->record;
    if (c.rule) becomes.rule = std::move(*c.rule);
    const auto plan = planOf(becomes.rule);
    if (!plan) return complete(c.session, c.request, plan.error());
    const bool resumed = c.paused && !*c.paused && becomes.paused;
    becomes.paused = c.paused.value_or(becomes.paused);
    becomes.trouble.clear();
    if (c.rule || resumed) {
        const auto first = plan->first(now_.wall);
        if (!first) {
            return complete(c.session, c.request,
                            Error{ErrorCode::invalidArgument,
                                  "the schedule has no time that is still to come"});
        }
        // Of periods that were counted already as many are left as there were.
        const bool counted = !c.rule && becomes.rule.cron.empty();
        becomes.next = {first->due, counted ? becomes.next.left : first->left};
        becomes.since = now_.wall;
    }
    Draft draft = newDraft();
    if (c.request)
        draft.effects.push_back(Completed{c.session, c.request, std::nullopt, {}, 1, false});
    changeSchedule(*s, std::move(becomes), std::move(draft));
}

void Broker::Impl::cancelSchedule(Schedule& s, Draft& draft) {
    s.busy = Schedule::Busy::ending;
    templates_->messages.setState(s.place, EntryState::settling);
    draft.unit.operations.push_back(RemoveEntry{templates_->id, s.id});
    draft.unit.operations.push_back(EraseRow{Table::schedules, rows::idKey(s.id)});
    draft.removals.push_back({templates_->id, s.place, Leaving::purged, DeliveryId(), true});
    draft.schedules.push_back({Kind::cancelled, s.id, {}});
}

void Broker::Impl::on(CancelSchedules& c) {
    const Session* session = require(c.session, c.request);
    if (!session) return;
    std::vector<Schedule*> meant;
    for (const StoredId id : c.ids) {
        Schedule* s = schedule(id);
        if (s && s->busy != Schedule::Busy::making) meant.push_back(s);
    }
    if (!c.ids.empty() && meant.empty())
        return complete(c.session, c.request, noSchedule(c.ids.front()));
    if (c.ids.empty()) {
        for (auto& [id, s] : schedules_) {
            const WallTime next = s.record.next.due;
            if (s.record.owner == session->user && s.busy != Schedule::Busy::making &&
                next >= c.from && next <= c.to)
                meant.push_back(&s);
        }
    }
    if (c.ids.size() == 1 && meant.front()->busy != Schedule::Busy::no)
        return meant.front()->later.emplace_back(std::move(c)), void();
    Draft draft = newDraft();
    for (Schedule* s : meant) {
        if (s->busy == Schedule::Busy::no)
            cancelSchedule(*s, draft);
        else if (s->busy != Schedule::Busy::ending)
            s->later.emplace_back(CancelSchedules{c.session, {}, {s->id}});
    }
    if (c.request) {
        draft.effects.push_back(
            Completed{c.session, c.request, std::nullopt, {}, meant.size(), false});
    }
    finish(std::move(draft), Durability::fsync);
}

void Broker::Impl::on(ListSchedules& c) {
    Session* session = require(c.session, c.request);
    if (!session) return;
    auto out = std::make_shared<Picture>();
    out->scheduleCount = schedules_.size();
    for (auto at = c.only ? schedules_.find(c.only) : schedules_.upper_bound(c.after);
         at != schedules_.end(); ++at) {
        const Schedule& s = at->second;
        if (s.busy == Schedule::Busy::making || !mayChange(*session, s)) {
            if (c.only) break;
            continue;
        }
        if (out->schedules.size() >= c.max) {
            out->moreSchedules = true;
            break;
        }
        out->schedules.push_back(pictureOf(s));
        if (c.only) break;
    }
    emit(Pictured{c.session, c.request, std::move(out)});
}

SchedulePicture Broker::Impl::pictureOf(const Schedule& s) const {
    const ScheduleRecord& r = s.record;
    SchedulePicture p;
    p.id = s.id;
    p.name = scheduleName(options_.instance, s.id);
    p.destination = r.destination;
    p.owner = r.owner;
    p.rule = r.rule;
    p.trouble = r.paused ? r.trouble : s.trouble;
    p.state = r.paused ? "paused" : p.trouble.empty() ? "active" : "waiting";
    p.created = r.created;
    if (s.plan && !r.paused) p.next = r.next.due;
    p.last = r.last;
    p.sent = r.sent;
    p.left = r.next.left;
    p.bytes = s.bytes;
    return p;
}

// ---- found again ----

void Broker::Impl::recoverSchedule(std::string_view key, std::string_view value) {
    auto record = decodeSchedule(value);
    const auto id = rows::readIdKey(key);
    BUSBAR_CHECK(record && id, "a stored schedule makes no sense");
    Schedule& s = schedules_[StoredId(*id)];
    s.id = StoredId(*id);
    s.record = std::move(*record);
    s.busy = Schedule::Busy::making;  // until its template was found
    ++schedulesOf_[s.record.owner];
}

void Broker::Impl::recoverTemplate(StoredId id, EntryPlace place) {
    QueueEntry& entry = templates_->messages.at(place);
    Schedule* s = schedule(id);
    if (!s) return;  // startSchedules removes it
    s->busy = Schedule::Busy::no;
    s->place = place;
    s->bytes = entry.bytes;
}

/// A journal that was repaired may have lost the one or the other.
void Broker::Impl::dropHalves() {
    std::vector<EntryPlace> alone;
    if (templates_) {
        templates_->messages.forEach([&](EntryPlace place, const QueueEntry& entry) {
            if (!schedules_.contains(entry.id)) alone.push_back(place);
        });
    }
    for (const EntryPlace place : alone) leave(*templates_, place, Leaving::purged);
    std::vector<StoredId> lost;
    for (const auto& [id, s] : schedules_) {
        if (s.busy != Schedule::Busy::no) lost.push_back(id);
    }
    for (const StoredId id : lost) {
        Schedule& s = *schedule(id);
        notice(Notice::Level::alarm, scheduleName(options_.instance, id),
               "the schedule of user '" + s.record.owner + "' to " + toUri(s.record.destination) +
                   " is over: the journal has lost its message");
        lazily(EraseRow{Table::schedules, rows::idKey(id)});
        dropSchedule(s);
    }
    if (alone.empty()) return;
    notice(Notice::Level::alarm, "schedules",
           std::to_string(alone.size()) +
               " are over: the journal has lost when their messages are to be sent");
}

void Broker::Impl::startSchedules() {
    clockSeen_ = now_;
    dropHalves();
    for (auto& [id, s] : schedules_) {
        auto plan = planOf(s.record.rule);
        if (!plan) {
            s.trouble = plan.error().text;
            notice(Notice::Level::alarm, scheduleName(options_.instance, id),
                   "the schedule to " + toUri(s.record.destination) +
                       " waits until the next start: " + s.trouble);
            continue;
        }
        s.plan = std::move(*plan);
        if (s.record.paused) continue;
        s.record.next = s.plan->adjusted(s.record.next, s.record.since, now_.wall);
        wakeAt(s, s.record.next.due);
    }
}

void Broker::Impl::checkSchedules() const {
    std::uint64_t owned = 0;
    for (const auto& [owner, count] : schedulesOf_) owned += count;
    BUSBAR_CHECK(owned == schedules_.size(), "schedules and their owners do not agree");
    BUSBAR_CHECK(templates_ || schedules_.empty(), "schedules without templates");
    if (!templates_) return;
    BUSBAR_CHECK(templates_->messages.size() == schedules_.size(),
                 "schedules and their templates do not agree");
    for (const auto& [id, s] : schedules_) {
        const QueueEntry* entry = templates_->messages.find(s.place);
        BUSBAR_CHECK(entry && entry->id == id, "a schedule without its template");
        const bool resting = s.busy == Schedule::Busy::no;
        BUSBAR_CHECK(resting == (entry->state == EntryState::delayed),
                     "a schedule that is not where its template is");
    }
}

}  // namespace busbar
