// What the bus looks like from outside, and whether it is right from inside.
#include "bus/core/broker_impl.h"

#include <algorithm>
#include <cmath>

namespace busbar {
namespace {

constexpr double kRateSeconds = 60;
constexpr int kOldestLooks = 200;  // messages in hands that are passed over

std::string_view kindName(QueueKind kind) {
    switch (kind) {
        case QueueKind::queue:
            return "queue";
        case QueueKind::temporary:
            return "temp-queue";
        case QueueKind::subscription:
            return "subscription";
        case QueueKind::schedules:
            return "schedules";
    }
    return "queue";
}

}  // namespace

void Broker::Impl::on(TakePicture& c) {
    updateRates();
    emit(Pictured{c.session, c.request, std::make_shared<Picture>(picture(now_))});
}

/// The oldest message that could be handed out; nothing where there is none, or where too many in
/// hands are before it.
std::optional<EntryPlace> Broker::Impl::oldestWaiting(Queue& q) const {
    if (q.messages.count(EntryState::ready) + q.messages.count(EntryState::parked) == 0)
        return std::nullopt;
    StoredId after;
    for (int looks = kOldestLooks; looks > 0; --looks) {
        const auto place = q.messages.firstAfter(after);
        if (!place) break;
        const QueueEntry& entry = q.messages.at(*place);
        if (entry.state == EntryState::ready || entry.state == EntryState::parked) return place;
        after = entry.id;
    }
    return std::nullopt;
}

/// Remembers when the oldest one was sent; where it is on disk alone it is fetched for that, once.
void Broker::Impl::updateOldest(Queue& q) {
    const auto place = oldestWaiting(q);
    if (!place) return;
    const QueueEntry& entry = q.messages.at(*place);
    if (entry.id == q.oldest && q.oldestSent != WallTime{}) return;
    const bool asked = std::exchange(q.oldest, entry.id) == entry.id;
    q.oldestSent = entry.message ? entry.message->timestamp : WallTime{};
    if (!entry.message && !entry.loading && !asked) fetch(q, *place);
}

/// Weighs what came and went since the last look, so that about a minute counts.
void Broker::Impl::updateRates() {
    for (auto& [id, q] : queues_) {
        updateOldest(*q);
        Rates& r = q->rates;
        const double passed = std::chrono::duration<double>(now_.steady - r.at).count();
        if (passed < 1) continue;
        const double share = 1 - std::exp(-passed / kRateSeconds);
        const auto weigh = [&](double& rate, std::uint64_t& before, std::uint64_t now) {
            rate += share * (static_cast<double>(now - before) / passed - rate);
            before = now;
        };
        weigh(r.inRate, r.in, q->stats.in);
        weigh(r.outRate, r.out, q->stats.out);
        r.weight += share * (1 - r.weight);
        r.at = now_.steady;
    }
}

Picture Broker::Impl::picture(Now now) const {
    Picture out;
    for (const auto& [id, q] : queues_) {
        if (q->kind == QueueKind::schedules) continue;
        QueuePicture p;
        p.name = q->name;
        p.kind = kindName(q->kind);
        p.depth = q->messages.size() - q->prepared.sends;
        p.prepared = q->prepared.sends + q->prepared.accepts;
        p.held = q->messages.count(EntryState::held) + q->messages.count(EntryState::settling);
        p.delayed = q->messages.count(EntryState::delayed);
        p.bytes = q->bytes;
        p.options = q->options;
        p.consumers = q->consumers.size();
        p.in = q->stats.in;
        p.out = q->stats.out;
        p.expired = q->stats.expired;
        p.dead = q->stats.dead;
        p.purged = q->stats.purged;
        p.moved = q->stats.moved;
        p.evicted = q->stats.evicted;
        p.parked = q->messages.count(EntryState::parked);
        p.inMemory = q->memory;
        p.groups = q->groups.size();
        p.blockedSends = q->blocked.size();
        if (q->exclusive) {
            p.activeConsumer = std::to_string(q->exclusive->session.value) + "." +
                               std::to_string(q->exclusive->id.value);
            p.fencingToken = q->exclusive->fencingToken;
        }
        p.redelivered = q->stats.redelivered;
        p.dropped = q->stats.dropped;
        p.waiting = q->messages.count(EntryState::ready) + q->messages.count(EntryState::parked);
        p.waitingBytes =
            q->messages.bytes(EntryState::ready) + q->messages.bytes(EntryState::parked);
        if (const auto oldest = oldestWaiting(*q)) {
            const QueueEntry& entry = q->messages.at(*oldest);
            const WallTime sent = entry.message           ? entry.message->timestamp
                                  : entry.id == q->oldest ? q->oldestSent
                                                          : WallTime{};
            if (sent != WallTime{})
                p.oldestAgeMs = std::max<std::int64_t>(0, (now.wall - sent).count());
        }
        const Rates& rates = q->rates;
        if (rates.weight > 0) {
            p.inRate = rates.inRate / rates.weight;
            p.outRate = rates.outRate / rates.weight;
        }
        if (p.waiting == 0)
            p.drainSeconds = 0;
        else if (p.outRate > p.inRate)
            p.drainSeconds = static_cast<double>(p.waiting) / (p.outRate - p.inRate);
        out.queues.push_back(std::move(p));
    }
    std::sort(out.queues.begin(), out.queues.end(),
              [](const QueuePicture& a, const QueuePicture& b) { return a.name < b.name; });
    for (const auto& [id, s] : sessions_) {
        out.sessions.push_back({id.value, s->user, s->clientId, s->protocol, s->remote,
                                s->consumers.size(), s->held.count, s->sent, s->blocked});
    }
    std::sort(out.sessions.begin(), out.sessions.end(),
              [](const SessionPicture& a, const SessionPicture& b) { return a.id < b.id; });
    for (const auto& [name, stats] : calls_.services()) {
        out.services.push_back({name, calls_.open(name), stats.calls, stats.replies, stats.timeouts,
                                stats.lateReplies, stats.duplicateReplies});
    }
    out.branches = branchPictures(nullptr);
    out.scheduleCount = schedules_.size();
    out.messagesIn = messagesIn_;
    out.deliveries = deliveries_;
    out.duplicates = duplicates_;
    out.unroutable = unroutable_;
    out.unauthorized = unauthorized_;
    out.unitsPending = inFlight_.size();
    out.memory = memory_;
    out.memoryMax = options_.memoryMax;
    out.notices.assign(notices_.begin(), notices_.end());
    return out;
}

void Broker::Impl::checkInvariants() const {
    std::uint64_t memory = 0;
    std::uint64_t held = 0;
    for (const auto& [id, q] : queues_) {
        q->messages.checkInvariants();
        std::uint64_t bytes = 0;
        std::uint64_t share = 0;
        q->messages.forEach([&](EntryPlace, const QueueEntry& entry) {
            bytes += entry.bytes;
            share += entry.share;
            BUSBAR_CHECK(!entry.message == (entry.share == 0), "a message that is not counted");
            BUSBAR_CHECK(entry.message || entry.stored, "a message that is nowhere");
        });
        BUSBAR_CHECK(bytes == q->bytes, "queue " + q->name + " miscounts its bytes");
        BUSBAR_CHECK(share == q->memory, "queue " + q->name + " miscounts its memory");
        memory += share;
        const QueueStats& s = q->stats;
        BUSBAR_CHECK(s.in + q->prepared.sends == s.gone() + q->messages.size(),
                     "queue " + q->name + " does not reconcile");
        BUSBAR_CHECK(s.idsIn + q->prepared.idsOfSends == s.idsGone + q->messages.idSum(),
                     "the ids of queue " + q->name + " do not reconcile");
        held += q->messages.count(EntryState::held);
        checkConsumers(*q);
    }
    BUSBAR_CHECK(memory == memory_, "the broker miscounts its memory");
    std::uint64_t inHands = 0;
    ledger_.forEach([&](const HeldDelivery& delivery) {
        const auto q = queues_.find(delivery.queue);
        if (q == queues_.end()) return;
        const EntryState state = q->second->messages.at(delivery.place).state;
        BUSBAR_CHECK(state == EntryState::held || state == EntryState::settling,
                     "a delivery of a message that is not out");
        if (state == EntryState::held) {
            ++inHands;
            BUSBAR_CHECK(sessions_.contains(delivery.session), "a message held by nobody");
        }
    });
    BUSBAR_CHECK(inHands == held, "held messages and deliveries do not agree");
    checkBranches();
    checkSchedules();
}

void Broker::Impl::checkConsumers(Queue& q) const {
    std::uint64_t parked = 0;
    const auto count = [&](const std::set<EntryPlace>& places) {
        for (const EntryPlace place : places) {
            const QueueEntry* entry = q.messages.find(place);
            if (entry && entry->state == EntryState::parked) ++parked;
        }
    };
    for (const Consumer* consumer : q.consumers) {
        BUSBAR_CHECK(consumer->queue == &q && sessions_.contains(consumer->session),
                     "a stray consumer");
        BUSBAR_CHECK(consumer->listed == (consumer->credit > 0 && !consumer->standby),
                     "a consumer with credit out of line, or without in it");
        BUSBAR_CHECK(consumer->standby == (q.exclusive && q.exclusive != consumer),
                     "the wrong consumer stands by");
        count(consumer->parked);
    }
    q.groups.forEach([&](Group& group) { count(group.parked); });
    BUSBAR_CHECK(parked == q.messages.count(EntryState::parked),
                 "a message is parked where nobody finds it");
    for (const auto& view : q.views) {
        const bool stands = q.views.size() > 1 && !view->dry && !view->distributor.empty();
        BUSBAR_CHECK(view->standing.has_value() == stands, "a view out of its standing");
    }
}

}  // namespace busbar
