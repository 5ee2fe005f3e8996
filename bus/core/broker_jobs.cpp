// Purging, moving, copying, putting back and browsing, over any number of messages.
#include "bus/core/broker_impl.h"

#include <algorithm>

namespace busbar {
namespace {

constexpr std::uint32_t kEntriesAtATime = 500;
constexpr std::size_t kOperationsAtATime = 10'000;

bool waitsInQueue(EntryState state) {
    return state == EntryState::ready || state == EntryState::delayed ||
           state == EntryState::parked;
}

/// A dead letter as it was before: for its way home. It remembers how often it went there.
std::shared_ptr<Message> withoutDeathMarks(const Message& message) {
    auto copy = std::make_shared<Message>(message);
    const bool dead = message.properties.find("BusbarReason") != nullptr;
    for (const char* mark : {"BusbarOrigin", "BusbarSubscription", "BusbarReason", "BusbarText",
                             "BusbarDeliveryCount", "BusbarTime", "BusbarHistory"}) {
        copy->properties.erase(mark);
    }
    if (!dead) return copy;
    const Value* before = message.properties.find("BusbarReturns");
    const auto* returns = before ? std::get_if<std::int32_t>(before) : nullptr;
    copy->properties.set("BusbarReturns", (returns ? *returns : 0) + 1);
    return copy;
}

std::string textOf(const Message& message, const char* property) {
    const Value* value = message.properties.find(property);
    return value ? toText(*value) : std::string();
}

}  // namespace

/// False where it was answered with an error.
bool Broker::Impl::startJob(std::unique_ptr<Job> job, const std::string& name,
                            const Selection& selection) {
    const auto refuse = [&](Error error) {
        job->error = std::move(error);
        endJob(*job);
        return false;
    };
    if (!session(job->session)) return refuse({ErrorCode::closed, "this session is not open"});
    Queue* q = browsable(name);
    if (!q) return refuse({ErrorCode::notFound, "no queue '" + name + "'"});
    job->queue = q->id;
    if (selection.selector.find_first_not_of(" \t\r\n") != std::string::npos) {
        auto parsed = Selector::parse(selection.selector);
        if (!parsed) return refuse(parsed.error());
        job->selector = std::move(*parsed);
    }
    job->ids = selection.ids;
    std::sort(job->ids.begin(), job->ids.end());
    if (selection.max > 0) job->left = selection.max;
    job->last = StoredId(nextStoredId_ - 1);  // what comes later is not meant
    jobs_.push_back(std::move(job));
    return true;
}

void Broker::Impl::on(Browse& c) {
    auto job = std::make_unique<Job>();
    job->kind = Job::Kind::browse;
    job->session = c.session;
    job->request = c.request;
    job->after = c.after;
    job->delayedOnly = c.delayedOnly;
    Selection selection;
    selection.selector = std::move(c.selector);
    selection.max = std::max(1u, c.max);
    if (!startJob(std::move(job), c.queue, selection)) return;
    if (run(*jobs_.back())) jobs_.pop_back();  // mostly at once
}

void Broker::Impl::on(Purge& c) {
    auto job = std::make_unique<Job>();
    job->kind = Job::Kind::purge;
    job->session = c.session;
    job->request = c.request;
    job->perSecondMax = c.perSecondMax;
    startJob(std::move(job), c.queue, c.selection);
}

void Broker::Impl::on(MoveMessages& c) {
    auto job = std::make_unique<Job>();
    job->kind = Job::Kind::move;
    job->session = c.session;
    job->request = c.request;
    job->target = c.target;
    job->copy = c.copy;
    job->perSecondMax = c.perSecondMax;
    if (!c.target.empty()) {
        if (auto valid = checkDestinationName(c.target); !valid) {
            job->error = valid.error();
            return endJob(*job);
        }
    }
    startJob(std::move(job), c.queue, c.selection);
}

void Broker::Impl::runJobs() {
    for (auto at = jobs_.begin(); at != jobs_.end();) {
        Job& job = **at;
        const bool rests = job.perSecondMax > 0 && job.inSlice == 0 && job.notBefore > now_.steady;
        if (job.waits || rests || !run(job)) {
            ++at;
            continue;
        }
        at = jobs_.erase(at);
    }
}

/// Does a slice; true where the job has ended.
bool Broker::Impl::run(Job& job) {
    Queue* q = queue(job.queue);
    if (!q && !job.scanned) {
        job.error = Error{ErrorCode::notFound, "the queue was deleted meanwhile"};
        job.scanned = true;
    }
    if (!job.scanned)
        job.scanned = job.kind == Job::Kind::browse ? runBrowse(job, *q) : runOverEntries(job, *q);
    if (!job.scanned || job.outstanding > 0) return false;
    endJob(job);
    return true;
}

void Broker::Impl::endJob(Job& job) {
    if (job.kind == Job::Kind::browse) {
        job.answer.session = job.session;
        job.answer.request = job.request;
        job.answer.error = std::move(job.error);
        return emit(std::move(job.answer));
    }
    if (!job.request) return;
    Draft draft = newDraft();
    draft.unit.operations = std::exchange(lazy_, {});
    draft.effects.push_back(
        Completed{job.session, job.request, std::move(job.error), {}, job.done, false});
    finish(std::move(draft), Durability::fsync);
}

bool Broker::Impl::runBrowse(Job& job, Queue& q) {
    for (std::uint32_t i = 0; i < kEntriesAtATime; ++i) {
        const auto place = q.messages.firstAfter(job.after);
        if (!place) return true;
        const QueueEntry& entry = q.messages.at(*place);
        const bool shown = entry.state != EntryState::pending && !entry.unreadable &&
                           (!job.delayedOnly || entry.state == EntryState::delayed);
        if (shown && !entry.message) {
            fetchWaiting(q, *place);
            job.waits = true;
            return false;
        }
        if (shown && (!job.selector || job.selector->matches(*entry.message))) {
            if (job.left-- == 0) {
                job.answer.more = true;
                return true;
            }
            job.answer.entries.push_back(
                {entry.id, entry.message, entry.deliveryCount,
                 entry.state == EntryState::held || entry.state == EntryState::settling,
                 entry.state == EntryState::delayed ? entry.due : WallTime{}});
        }
        job.after = entry.id;
    }
    more_ = true;
    return false;
}

std::optional<EntryPlace> Broker::Impl::nextOfJob(Job& job, Queue& q) {
    if (job.ids.empty()) return q.messages.nextFrom(job.at);
    while (job.nextId < job.ids.size()) {
        if (const auto place = q.messages.findId(job.ids[job.nextId])) return place;
        ++job.nextId;
    }
    return std::nullopt;
}

/// True where it is through with the queue.
bool Broker::Impl::runOverEntries(Job& job, Queue& q) {
    const bool looksInside = job.kind == Job::Kind::move || job.selector || needsRequestGone(q);
    if (job.perSecondMax == 0) {
        job.inSlice = kEntriesAtATime;
    } else if (job.notBefore <= now_.steady) {
        // A tenth of a second's share at a time, also where messages must be fetched for it.
        job.inSlice = std::max(1u, job.perSecondMax / 10);
        job.notBefore = now_.steady + std::chrono::milliseconds(
                                          job.perSecondMax >= 10 ? 100 : 1000 / job.perSecondMax);
    }
    for (std::uint32_t looks = kEntriesAtATime; job.left > 0 && job.inSlice > 0 && looks > 0;
         --looks) {
        const auto place = nextOfJob(job, q);
        if (!place) return true;
        const QueueEntry& entry = q.messages.at(*place);
        const bool seen = !looksInside || entry.message || !entry.unreadable;
        if (waitsInQueue(entry.state) && entry.id <= job.last && seen) {
            if (looksInside && !entry.message) {
                if (job.ids.empty())
                    fetchWaiting(q, *place);
                else if (!entry.loading)
                    fetch(q, *place);
                job.waits = true;
                return false;
            }
            if (!job.selector || job.selector->matches(*entry.message)) {
                if (act(job, q, *place)) {
                    --job.left;
                    --job.inSlice;
                }
                if (job.error) return true;
            }
        }
        ++job.nextId;
        job.at = {place->position + 1, place->priority};
    }
    if (job.left == 0) return true;
    if (job.perSecondMax == 0 || job.inSlice > 0) more_ = true;
    return false;
}

/// What the job is there for, with one message. False where it could not be done with this one.
bool Broker::Impl::act(Job& job, Queue& q, EntryPlace place) {
    if (job.kind == Job::Kind::move) return moveOne(job, q, place);
    const MessagePtr message = q.messages.at(place).message;
    leave(q, place, Leaving::purged);
    if (message)
        requestGone(*message, {ErrorCode::unavailable, "the request was purged by an operator"});
    if (lazy_.size() >= kOperationsAtATime) flushLazy();
    ++job.done;
    return true;
}

bool Broker::Impl::moveOne(Job& job, Queue& q, EntryPlace place) {
    const QueueEntry& entry = q.messages.at(place);
    const Message& message = *entry.message;
    const std::string subscription = textOf(message, "BusbarSubscription");
    const std::string target = !job.target.empty() ? job.target : textOf(message, "BusbarOrigin");
    auto copy = withoutDeathMarks(message);
    // A subscription's dead letter goes back to that subscription, not to all of its topic.
    Queue* home = nullptr;
    if (job.target.empty() && !subscription.empty()) {
        home = browsable(subscription);
        if (!home) return false;
        copy->destination = Destination::topic(target);
    } else {
        if (target.empty() || (target == q.name && !job.copy)) return false;  // no way to go
        copy->destination = Destination::queue(target);
        if (auto allowed = checkSend(*copy); !allowed) {
            job.error = allowed.error();
            return false;
        }
        Queue* full = nullptr;
        Error why;
        if (makeRoom(*copy, full, why) != Room::yes) {
            job.error = why;
            return false;
        }
    }
    if (job.copy) copy->id.clear();
    Draft draft = newDraft();
    draft.job = &job;
    ++job.outstanding;
    if (!job.copy) {
        if (entry.stored) draft.unit.operations.push_back(RemoveEntry{q.id, entry.id});
        q.messages.setState(place, EntryState::settling);
        draft.removals.push_back({q.id, place, Leaving::moved, DeliveryId(), entry.stored});
    }
    if (home) {
        enqueueAlone(*home, copy, draft);
    } else {
        route(copy, nullptr, draft);
        --messagesIn_;
    }
    finish(std::move(draft), Durability::fsync);
    return true;
}

}  // namespace busbar
