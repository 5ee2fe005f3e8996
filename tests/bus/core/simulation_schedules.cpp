// The simulation: recurring schedules. Their copies go to queues that nobody consumes from, so that
// after each crash they can be counted and held against what the schedules say of themselves.
#include "bus/core/rows.h"
#include "bus/core/schedules.h"
#include "tests/bus/core/simulation.h"

#include <cppunit/TestAssert.h>

#include <algorithm>
#include <utility>

namespace busbar::test {
namespace {

constexpr std::size_t kSchedulesMax = 10;

}  // namespace

void Simulation::scheduling(Client& client) {
    switch (pick(12)) {
        case 0:
        case 1:
            if (knownSchedules_.size() < kSchedulesMax) makeSchedule(client);
            return;
        case 2:
            return changeSchedule(client);
        case 3:
            if (pick(4) == 0) cancelSchedule(client);
            return;
        case 4:
            if (pick(10) == 0) submit(Purge{client.session, {}, "ticks.full"});
            return;
        default:
            return;
    }
}

void Simulation::makeSchedule(Client& client) {
    const std::string tag = "k" + std::to_string(++made_);
    auto message = std::make_shared<Message>();
    message->correlationId = tag;
    message->destination = Destination::queue(pick(4) == 0 ? "ticks.full" : "ticks");
    message->persistent = pick(4) != 0;
    message->body = Buffer::of("body of " + tag);
    auto rule = std::make_shared<Recurrence>();
    if (pick(3) == 0) {
        rule->cron = "*/5 * * * * *";
    } else {
        rule->period = Milliseconds(1000 + pick(3000));
        rule->repeats = pick(2) == 0 ? kRepeatForever : static_cast<std::int64_t>(1 + pick(6));
    }
    rule->delay = Milliseconds(pick(500));
    KnownSchedule& known = knownSchedules_[tag];
    known.forEver = !rule->cron.empty() || rule->repeats == kRepeatForever;
    known.copiesMax = known.forEver ? 0 : static_cast<std::uint64_t>(rule->repeats) + 1;
    message->recurrence = std::move(rule);
    if (pick(3) == 0) message->dedupId = tag;
    const RequestId request = ask(client.session, [this, tag](const Completed& c) {
        if (c.error)
            knownSchedules_.erase(tag);
        else
            knownSchedules_[tag].confirmed = true;
        if (!c.error) knownSchedules_[tag].id = scheduleNumber(c.value).value_or(StoredId());
    });
    if (pick(3) != 0) return submit(Send{client.session, request, std::move(message)});
    CommitTransaction commit{client.session, request, {}, {}};
    commit.sends.push_back(std::move(message));
    submit(std::move(commit));
}

/// One whose number is known, at random.
Simulation::KnownSchedule* Simulation::someSchedule() {
    std::vector<KnownSchedule*> those;
    for (auto& [tag, known] : knownSchedules_) {
        if (known.id && !known.cancelAsked && !known.cancelled) those.push_back(&known);
    }
    return those.empty() ? nullptr : those[pick(those.size())];
}

void Simulation::changeSchedule(Client& client) {
    const KnownSchedule* known = someSchedule();
    if (!known) return;
    submit(ChangeSchedule{
        client.session, ask(client.session, [](const Completed&) {}), known->id, pick(3) == 0, {}});
}

void Simulation::cancelSchedule(Client& client) {
    KnownSchedule* chosen = someSchedule();
    if (!chosen) return;
    chosen->cancelAsked = true;
    const RequestId request = ask(client.session, [this, id = chosen->id](const Completed& c) {
        for (auto& [tag, known] : knownSchedules_) {
            if (known.id != id) continue;
            known.cancelAsked = false;
            CPPUNIT_ASSERT(!c.error || c.error->code == ErrorCode::notFound ||
                           c.error->code == ErrorCode::storageFull);
            // Not found: it was over before.
            CPPUNIT_ASSERT_MESSAGE(
                "over, though it has no end: " + tag,
                !c.error || c.error->code != ErrorCode::notFound || !known.forEver);
            known.cancelled = !c.error;
        }
    });
    submit(CancelSchedules{client.session, request, {chosen->id}});
}

/// Each schedule is there with its template, or wholly gone; each copy that it says it has sent is
/// there, once, and no other.
void Simulation::schedulesAfterCrash() {
    std::map<std::string, std::uint64_t> copies;
    std::map<std::string, StoredId> templates;
    for (const auto& [id, stored] : store_.content().messages) {
        const Message& m = *stored.message;
        if (!m.correlationId.starts_with("k")) continue;
        if (m.properties.find("scheduledJobId"))
            ++copies[m.correlationId];
        else
            CPPUNIT_ASSERT(templates.emplace(m.correlationId, id).second);
    }
    std::size_t rows = 0;
    for (const auto& [key, value] : store_.content().rows) rows += key.first == Table::schedules;
    CPPUNIT_ASSERT_EQUAL_MESSAGE("half a schedule", templates.size(), rows);
    for (const auto& [tag, id] : templates) {
        const auto row = store_.content().rows.find({Table::schedules, rows::idKey(id)});
        CPPUNIT_ASSERT_MESSAGE("half a schedule: " + tag, row != store_.content().rows.end());
        const auto record = decodeSchedule(row->second);
        CPPUNIT_ASSERT(record);
        if (record->destination.name == "ticks" && record->persistent)
            CPPUNIT_ASSERT_EQUAL_MESSAGE("copies of " + tag, record->sent, copies[tag]);
        copiesSent_ = std::max(copiesSent_, record->sent);
        const auto known = knownSchedules_.find(tag);
        CPPUNIT_ASSERT_MESSAGE("a schedule of nobody: " + tag, known != knownSchedules_.end());
        CPPUNIT_ASSERT_MESSAGE("cancelled and back: " + tag, !known->second.cancelled);
        CPPUNIT_ASSERT_MESSAGE("too many copies of " + tag,
                               known->second.forEver || record->sent < known->second.copiesMax);
        known->second.confirmed = true;
        known->second.cancelAsked = false;
        known->second.id = id;
    }
    for (auto at = knownSchedules_.begin(); at != knownSchedules_.end();) {
        const auto& [tag, known] = *at;
        if (templates.contains(tag)) {
            ++at;
            continue;
        }
        const bool mayBeGone =
            !known.confirmed || !known.forEver || known.cancelAsked || known.cancelled;
        CPPUNIT_ASSERT_MESSAGE("a schedule is lost: " + tag, mayBeGone);
        CPPUNIT_ASSERT_MESSAGE("too many copies of " + tag,
                               known.forEver || copies[tag] <= known.copiesMax);
        at = knownSchedules_.erase(at);
    }
}

/// Before the end, so that nothing is sent any more.
void Simulation::cancelAllSchedules() {
    submit(CancelSchedules{clients_[0].session, {}});
    settleDown();
    for (auto& [tag, known] : knownSchedules_) known.cancelled = true;
    CPPUNIT_ASSERT_EQUAL(std::uint64_t(0), broker_->picture(now_).scheduleCount);
}

}  // namespace busbar::test
