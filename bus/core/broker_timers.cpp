// What is due: deliveries, expiry, leases, deadlines, and the regular look at everything.
#include "bus/core/broker_impl.h"

#include <algorithm>

namespace busbar {
namespace {

constexpr std::size_t kActionsMax = 2'000;  // messages fetched at once in order to put them away
constexpr std::chrono::seconds kSweepEvery(10);
constexpr std::chrono::seconds kWatchEvery(1);

}  // namespace

bool Broker::Impl::wanted(const EntryTimer& timer) {
    if (timer.kind == EntryTimer::Kind::expire) return queue(timer.queue) != nullptr;
    Queue* q = queue(timer.queue);
    const QueueEntry* entry = q ? q->messages.find(timer.place) : nullptr;
    return entry && entry->id == timer.id && entry->state == EntryState::delayed;
}

bool Broker::Impl::wanted(const SteadyTimer& timer) {
    return timer.kind != SteadyTimer::Kind::lease || ledger_.find(DeliveryId(timer.id));
}

void Broker::Impl::fire(const EntryTimer& timer) {
    Queue* q = queue(timer.queue);
    if (!q) return;
    if (timer.kind == EntryTimer::Kind::expire) {
        std::vector<EntryPlace> places;
        const auto next = q->messages.expired(timer.place, now_.wall, places);
        if (next) entryTimers_.add(*next, timer);
        expiries_ -= static_cast<int>(places.size());
        for (const EntryPlace place : places) expire(*q, place);
        return;
    }
    const QueueEntry* entry = q->messages.find(timer.place);
    if (!entry || entry->id != timer.id || entry->state != EntryState::delayed) return;
    if (entry->due == WallTime{} || entry->due > now_.wall) return;  // was given another time
    becomeReady(*q, timer.place);
}

void Broker::Impl::fire(const SteadyTimer& timer) {
    switch (timer.kind) {
        case SteadyTimer::Kind::redeliver: {
            Queue* q = queue(timer.queue);
            const QueueEntry* entry = q ? q->messages.find(timer.place) : nullptr;
            if (entry && entry->id.value == timer.id && entry->state == EntryState::delayed &&
                entry->due == WallTime{}) {
                becomeReady(*q, timer.place);
            }
            return;
        }
        case SteadyTimer::Kind::lease:
            return leaseDue(DeliveryId(timer.id));
        case SteadyTimer::Kind::receive: {
            Queue* q = queue(timer.queue);
            if (!q) return;
            const auto at =
                std::find_if(q->receives.begin(), q->receives.end(),
                             [&](const WaitingReceive& r) { return r.ticket == timer.id; });
            if (at == q->receives.end()) return;
            return refuseReceive(*q, at);
        }
        case SteadyTimer::Kind::patience:
            if (Queue* q = queue(timer.queue)) endPatience(*q);
            return;
        case SteadyTimer::Kind::call:
            if (ServiceCall* call = calls_.find(timer.call)) expireCallWaiters(*call);
            return;
    }
}

/// A million messages that expire at once are put away in slices.
void Broker::Impl::runTimers() {
    while (expiries_ > 0 && actions_.size() < kActionsMax) {
        const auto timer = entryTimers_.take(now_.wall);
        if (!timer) break;
        fire(*timer);
    }
    while (auto timer = steadyTimers_.take(now_.steady)) fire(*timer);
    runSchedules();
}

void Broker::Impl::tick(Now now, Step& step) {
    begin(now, step);
    runTimers();
    entryTimers_.compact([this](const EntryTimer& timer) { return wanted(timer); });
    steadyTimers_.compact([this](const SteadyTimer& timer) { return wanted(timer); });
    if (now.steady >= nextSweep_) {
        sweep();
        nextSweep_ = now.steady + kSweepEvery;
    }
    if (watch_ && now.steady >= nextWatch_) {
        watchForDeadlocks();
        nextWatch_ = now.steady + kWatchEvery;
    }
    end();
}

/// Finds what has become old, and checks that every number reconciles.
void Broker::Impl::sweep() {
    sweepMemories();
    sweepSubscriptions();
    sweepBranches();
    updateRates();
    for (auto& [id, q] : queues_) {
        sweepScanners(*q);
        trimGroups(*q);
        const QueueStats& s = q->stats;
        const std::uint64_t missing =
            s.idsIn - s.idsGone - (q->messages.idSum() - q->prepared.idsOfSends);
        const std::uint64_t there = q->messages.size() - q->prepared.sends;
        if (s.in == s.gone() + there && missing == 0) continue;
        if (std::exchange(q->alarmed, true)) continue;
        notice(Notice::Level::alarm, q->name,
               "does not reconcile: " + std::to_string(s.in) + " came in, " +
                   std::to_string(s.gone()) + " left, " + std::to_string(there) +
                   " are there; the ids that are missing add up to " + std::to_string(missing));
    }
}

std::optional<SteadyTime> Broker::Impl::nextTick(Now now) const {
    if (more_) return now.steady;
    std::optional<SteadyTime> next = steadyTimers_.next();
    const auto consider = [&](SteadyTime at) { next = next ? std::min(*next, at) : at; };
    auto wall = actions_.size() < kActionsMax ? entryTimers_.next() : std::nullopt;
    const auto scheduled = schedulesMayRun() ? scheduleTimers_.next() : std::nullopt;
    if (scheduled) wall = wall ? std::min(*wall, *scheduled) : *scheduled;
    if (wall) {
        // The time of day may be set: look again within a second, whatever the difference says.
        const WallTime soon = now.wall + Milliseconds(1000);
        consider(now.steady + (*wall <= now.wall ? Milliseconds(0)
                               : *wall < soon    ? *wall - now.wall
                                                 : Milliseconds(1000)));
    }
    for (const auto& job : jobs_) {
        if (!job->waits && job->notBefore > SteadyTime{}) consider(job->notBefore);
    }
    if (watch_) consider(std::max(nextWatch_, now.steady));
    if (!queues_.empty() || !branches_.empty() || dedup_.size() > 0 || !calls_.empty() ||
        linkMemory_.size() > 0)
        consider(std::max(nextSweep_, now.steady));
    return next;
}

}  // namespace busbar
