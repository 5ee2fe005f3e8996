// Recurring schedules: sent again and again, each time once, whatever happens in between.
#include "bus/core/rows.h"
#include "tests/bus/core/recurring_fixture.h"

#include <cppunit/extensions/HelperMacros.h>

#include <algorithm>
#include <set>

namespace busbar::test {

class RecurringTest : public RecurringFixture {
    CPPUNIT_TEST_SUITE(RecurringTest);
    CPPUNIT_TEST(sendsCopiesByItsPeriod);
    CPPUNIT_TEST(endsWithItsLastCopy);
    CPPUNIT_TEST(goesByTheClocksOfItsZone);
    CPPUNIT_TEST(aCopyIsSentAfresh);
    CPPUNIT_TEST(newSubscribersGetTheNextCopy);
    CPPUNIT_TEST(survivesARestart);
    CPPUNIT_TEST(whatWasMissedIsSentOnce);
    CPPUNIT_TEST(firesOnceWhereverThePowerFails);
    CPPUNIT_TEST(aFullQueueMakesItWait);
    CPPUNIT_TEST(aFullDiskMakesItWait);
    CPPUNIT_TEST(theClockJumpsByYears);
    CPPUNIT_TEST(thousandsAreDueAtOnce);
    CPPUNIT_TEST(itsTemplateLeavesMemory);
    CPPUNIT_TEST(itsLargeBodyIsReferredTo);
    CPPUNIT_TEST(anUnreadableTemplateWaits);
    CPPUNIT_TEST(waitsForItsTimeZone);
    CPPUNIT_TEST(whatARepairHasLostIsTold);
    CPPUNIT_TEST_SUITE_END();

  public:
    void sendsCopiesByItsPeriod() {
        const auto s = h.open("ann");
        h.subscribe(s, 1, Destination::queue("q"));
        const auto id = made(s, "q", every(1s));
        CPPUNIT_ASSERT(!h.take<Delivered>());
        h.wait(999ms);
        CPPUNIT_ASSERT(!h.take<Delivered>());
        std::set<string> ids;
        for (int i = 0; i < 5; ++i) {
            h.wait(i == 0 ? 1ms : 1000ms);
            const auto delivered = h.take<Delivered>();
            CPPUNIT_ASSERT(delivered);
            const Message& m = *delivered->delivery.message;
            CPPUNIT_ASSERT_EQUAL(string("tick"), string(m.body.view()));
            CPPUNIT_ASSERT_EQUAL(string("ann"), m.userId);
            CPPUNIT_ASSERT(m.timestamp == h.now.wall);
            CPPUNIT_ASSERT_EQUAL(scheduleName("busbar", id),
                                 toText(*m.properties.find("scheduledJobId")));
            CPPUNIT_ASSERT(ids.insert(m.id).second);
            CPPUNIT_ASSERT(!h.take<Delivered>());
        }
        const auto known = list(s);
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), known.size());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(5), known[0].sent);
        CPPUNIT_ASSERT(known[0].next == h.now.wall + 1s && known[0].last == h.now.wall);
        CPPUNIT_ASSERT_EQUAL(string("active"), known[0].state);
        CPPUNIT_ASSERT_EQUAL(string("ann"), known[0].owner);
    }

    void endsWithItsLastCopy() {
        const auto s = h.open();
        made(s, "q", every(1s, 2, 5s));
        h.wait(4999ms);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(0), in("q"));
        waitStepwise(10s, 500ms);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(3), in("q"));
        CPPUNIT_ASSERT(list(s).empty());
        CPPUNIT_ASSERT_EQUAL(std::size_t(3), h.store.content().messages.size());
        for (const auto& [key, value] : h.store.content().rows)
            CPPUNIT_ASSERT(key.first != Table::schedules);
    }

    void goesByTheClocksOfItsZone() {
        // 29 October 2027, 12:00 UTC; on the 31st 3:00 becomes 2:00 in Berlin.
        using namespace std::chrono;
        h.now.wall = sys_days(2027y / October / 29) + 12h;
        const auto s = h.open();
        made(s, "berlin", cron("30 2 * * *", "Europe/Berlin"));
        made(s, "utc", cron("30 2 * * *"));
        std::vector<WallTime> times;
        for (std::uint64_t before = 0; h.now.wall < WallTime(sys_days(2027y / November / 2));) {
            h.wait(10min);
            if (in("berlin") != before) times.push_back(h.now.wall);
            before = in("berlin");
        }
        CPPUNIT_ASSERT((std::vector<WallTime>{sys_days(2027y / October / 30) + 30min,
                                              sys_days(2027y / October / 31) + 30min,
                                              sys_days(2027y / November / 1) + 90min}) == times);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(3), in("utc"));
    }

    void aCopyIsSentAfresh() {
        const auto s = h.open();
        auto message = recurring("q", "x", every(1h));
        message->persistent = false;
        message->expiration = h.now.wall + 10s;
        message->priority = 7;
        message->properties.set("colour", string("red"));
        message->dedupId = "once";
        CPPUNIT_ASSERT(!make(s, message).error);
        h.wait(1h);  // long after the template's own time to live
        h.subscribe(s, 1, Destination::queue("q"));
        const auto delivered = h.take<Delivered>();
        CPPUNIT_ASSERT(delivered);
        const Message& m = *delivered->delivery.message;
        CPPUNIT_ASSERT(!m.persistent && m.dedupId.empty() && !m.recurrence);
        CPPUNIT_ASSERT_EQUAL(7, int(m.priority));
        CPPUNIT_ASSERT(m.expiration == h.now.wall + 10s);
        CPPUNIT_ASSERT_EQUAL(string("red"), toText(*m.properties.find("colour")));
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), h.store.content().messages.size());  // the template
    }

    void newSubscribersGetTheNextCopy() {
        const auto s = h.open();
        auto message = h.text(Destination::topic("news"), "hourly");
        message->recurrence = every(1h);
        CPPUNIT_ASSERT(!make(s, message).error);
        h.wait(1h);  // nobody is there: it goes on
        h.subscribe(s, 1, Destination::topic("news"));
        h.subscribe(s, 2, Destination::topic(">"));
        h.wait(1h);
        CPPUNIT_ASSERT(h.take<Delivered>() && h.take<Delivered>() && !h.take<Delivered>());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(2), list(s)[0].sent);
    }

    void survivesARestart() {
        auto s = h.open("ann");
        const auto id = made(s, "q", every(10s, 5));
        h.wait(10s);
        h.wait(4s);
        h.restart();
        s = h.open("ann");
        const auto known = list(s);
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), known.size());
        CPPUNIT_ASSERT(known[0].id == id && known[0].next == h.now.wall + 6s);
        CPPUNIT_ASSERT_EQUAL(std::int64_t(4), known[0].left);
        h.wait(5999ms);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), in("q"));
        h.wait(1ms);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(2), in("q"));
    }

    void whatWasMissedIsSentOnce() {
        auto s = h.open();
        made(s, "every", every(1s));
        made(s, "daily", cron("0 3 * * *"));
        made(s, "few", every(1s, 3));
        h.now.wall += 1000h;
        h.restart();
        for (const char* queue : {"every", "daily", "few"})
            CPPUNIT_ASSERT_EQUAL_MESSAGE(queue, std::uint64_t(1), in(queue));
        s = h.open();
        const auto known = list(s);  // the few are all over
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), known.size());
        for (const auto& one : known)
            CPPUNIT_ASSERT(one.next > h.now.wall && one.next <= h.now.wall + 24h);
        h.wait(1s);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(2), in("every"));
    }

    /// Once for each number of units that reach the disk before the power fails, in the midst of a
    /// number of firings; then the bus comes back and goes on.
    void firesOnceWhereverThePowerFails() {
        for (std::size_t survive = 0; survive < 30; ++survive) {
            BrokerHarness b(options());
            const auto s = b.open();
            for (int i = 0; i < 3; ++i) {
                auto message = b.text("q" + std::to_string(i), "tick");
                message->recurrence = every(1s, 4);
                b.run(Send{s, RequestId(1), message});
            }
            std::size_t left = survive;
            for (int second = 0; second < 8; ++second) {
                b.now.wall += 1s;
                b.now.steady += 1s;
                b.broker->tick(b.now, b.step());
                b.carryOut();
                while (left > 0 && !b.store.idle()) {
                    b.broker->progress(b.store.sync(1), b.now, b.step());
                    b.carryOut();
                    --left;
                }
                if (left == 0) break;
            }
            b.store.forgetWaiting();
            b.restart();
            for (int second = 0; second < 10; ++second) b.wait(1s);
            for (int i = 0; i < 3; ++i) {
                // Nothing was missed by more than its period: each of the five comes, once.
                CPPUNIT_ASSERT_EQUAL_MESSAGE("with " + std::to_string(survive) + " units",
                                             std::uint64_t(5), b.queue("q" + std::to_string(i)).in);
            }
            CPPUNIT_ASSERT_EQUAL(std::size_t(15), b.store.content().messages.size());
        }
    }

    void aFullQueueMakesItWait() {
        const auto s = h.open();
        for (const auto whenFull : {WhenFull::reject, WhenFull::block}) {
            const string queue = whenFull == WhenFull::reject ? "reject" : "block";
            DefineQueue define{s, {}, queue, {}};
            define.options.messagesMax = 2;
            define.options.whenFull = whenFull;
            h.run(define);
            h.notices.clear();
            const auto id = made(s, queue, every(1s));
            waitStepwise(60s, 500ms);
            CPPUNIT_ASSERT_EQUAL(std::uint64_t(2), in(queue));
            CPPUNIT_ASSERT_EQUAL(string("waiting"), list(s)[0].state);
            CPPUNIT_ASSERT(list(s)[0].trouble.find("is full") != string::npos);
            const auto told = std::count_if(h.notices.begin(), h.notices.end(), [&](const auto& n) {
                return n.subject == scheduleName("busbar", id);
            });
            CPPUNIT_ASSERT_EQUAL(1l, static_cast<long>(told));
            h.run(Purge{s, {}, queue});
            waitStepwise(17s, 500ms);  // what was missed comes as one
            CPPUNIT_ASSERT(in(queue) >= 3 && in(queue) <= 4);
            CPPUNIT_ASSERT(!ask(CancelSchedules{s, RequestId(9), {id}}).error);
        }
        DefineQueue define{s, {}, "ring", {}};
        define.options.messagesMax = 2;
        define.options.whenFull = WhenFull::dropOldest;
        h.run(define);
        made(s, "ring", every(1s));
        waitStepwise(10s, 500ms);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(10), in("ring"));
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(8), h.queue("ring").evicted);
    }

    void aFullDiskMakesItWait() {
        const auto s = h.open();
        made(s, "q", every(1s));
        made(s, "last", every(1s, 1));
        h.wait(1s);
        h.store.setFull(true);
        waitStepwise(30s, 500ms);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), in("q"));
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), in("last"));
        CPPUNIT_ASSERT(make(s, recurring("q", "no", every(1s))).error->code ==
                       ErrorCode::storageFull);
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), list(s).size());
        h.store.setFull(false);
        waitStepwise(17s, 500ms);
        CPPUNIT_ASSERT(in("q") >= 2 && in("q") < 20);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(2), in("last"));
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), list(s).size());
        const auto before = in("q");
        waitStepwise(5s, 500ms);
        CPPUNIT_ASSERT_EQUAL(before + 5, in("q"));
    }

    void theClockJumpsByYears() {
        const auto s = h.open();
        made(s, "fast", every(100ms));
        made(s, "cron", cron("* * * * *"));
        made(s, "daily", cron("0 3 * * *", "Europe/Berlin"));
        h.wait(100ms);
        const WallTime before = h.now.wall;
        const auto was = in("fast");
        h.now.wall += 24h * 365 * 20;
        h.wait(1ms);
        CPPUNIT_ASSERT_EQUAL(was + 1, in("fast"));  // no storm
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), in("cron"));
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), in("daily"));
        h.now.wall = before;
        h.wait(1ms);
        for (const auto& one : list(s)) CPPUNIT_ASSERT(one.next <= before + 25h);
        h.wait(100ms);
        CPPUNIT_ASSERT_EQUAL(was + 2, in("fast"));
        h.wait(60s);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(2), in("cron"));
        // The same found at a start.
        h.now.wall += 24h * 365 * 20;
        h.wait(1ms);
        h.now.wall = before;
        h.restart();
        for (const auto& one : list(h.open())) CPPUNIT_ASSERT(one.next <= before + 25h);
    }

    void thousandsAreDueAtOnce() {
        h.checkAlways = false;
        const auto s = h.open();
        for (int i = 0; i < 5'000; ++i) made(s, "q" + std::to_string(i % 7), cron("0 * * * *"));
        h.restart();
        h.wait(1h);
        std::uint64_t sum = 0;
        for (int i = 0; i < 7; ++i) sum += in("q" + std::to_string(i));
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(5'000), sum);
        h.broker->checkInvariants();
    }

    void itsTemplateLeavesMemory() {
        const auto s = h.open();
        for (int i = 0; i < 50; ++i) {
            auto message = recurring("q", string(100'000, 'x'), every(1h));
            CPPUNIT_ASSERT(!make(s, message).error);
        }
        CPPUNIT_ASSERT(h.broker->picture(h.now).memory < 200'000);
        h.subscribe(s, 1, Destination::queue("q"), 1000);
        h.wait(1h);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(50), in("q"));
        while (auto delivered = h.take<Delivered>()) {
            CPPUNIT_ASSERT_EQUAL(std::size_t(100'000), delivered->delivery.message->body.size());
            h.run(h.settle(s, delivered->delivery.id, Outcome::accepted));
        }
        CPPUNIT_ASSERT(h.broker->picture(h.now).memory < 200'000);
    }

    void itsLargeBodyIsReferredTo() {
        const auto s = h.open();
        auto message = h.large("q", 5, 6);
        message->recurrence = every(1h, 1);
        CPPUNIT_ASSERT(!make(s, message).error);
        h.restart();
        h.wait(1h);
        h.wait(1h);
        const auto& stored = h.store.content().messages;
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), stored.size());
        for (const auto& [id, one] : stored)
            CPPUNIT_ASSERT(one.message->large && one.message->large->id == 5);
    }

    void anUnreadableTemplateWaits() {
        auto s = h.open();
        const auto id = made(s, "q", every(1h));
        h.store.setCorrupt(id);
        h.wait(1h);
        CPPUNIT_ASSERT_EQUAL(string("waiting"), list(s)[0].state);
        h.store.clearCorrupt();
        h.wait(1min);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), in("q"));
        CPPUNIT_ASSERT_EQUAL(string("active"), list(s)[0].state);
        h.store.setCorrupt(id);
        h.wait(1h);
        CPPUNIT_ASSERT(!ask(CancelSchedules{s, RequestId(1), {id}}).error);
        h.wait(1min);
        CPPUNIT_ASSERT(list(s).empty());
    }

    void waitsForItsTimeZone() {
        const auto s = h.open();
        made(s, "q", cron("0 3 * * *", "Europe/Berlin"));
        made(s, "u", cron("0 3 * * *"));
        Step step;
        BrokerOptions o;
        o.zones = std::make_shared<SystemZones>(*files(), "/nonexistent");
        Broker without(o);
        h.store.content().tell(without.recovery());
        without.start(h.now, step);
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), step.notices.size());
        CPPUNIT_ASSERT(step.notices[0].level == Notice::Level::alarm);
        CPPUNIT_ASSERT(step.notices[0].text.find("tzdata") != string::npos);
        Now later = h.now;
        later.wall += 24h;
        later.steady += 24h;
        without.tick(later, step);  // the other one fires, this one waits
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(2), without.picture(later).scheduleCount);
        h.restart();
        h.wait(24h);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), in("q"));
    }

    /// `busbar journal repair` keeps what is intact: of a schedule perhaps a half.
    void whatARepairHasLostIsTold() {
        const auto s = h.open("ann");
        const auto whole = made(s, "q", every(1h));
        const auto noRow = made(s, "q", every(1h));
        const auto noTemplate = made(s, "q", every(1h));
        UnitOfWork damage;
        damage.operations.push_back(EraseRow{Table::schedules, rows::idKey(noRow)});
        for (const auto& [id, stored] : h.store.content().messages) {
            if (id == noTemplate)
                damage.operations.push_back(RemoveEntry{stored.entries.begin()->first, id});
        }
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), damage.operations.size());
        StoreContent content = h.store.content();
        content.apply(damage);
        for (const std::size_t told : {2u, 0u}) {
            Broker after(options());
            Step step;
            content.tell(after.recovery());
            after.start(h.now, step);
            for (const auto& unit : step.units) content.apply(unit.unit);
            CPPUNIT_ASSERT_EQUAL(told, step.notices.size());
            for (const auto& notice : step.notices) {
                CPPUNIT_ASSERT(notice.level == Notice::Level::alarm);
                CPPUNIT_ASSERT(notice.text.find("the journal has lost") != string::npos);
            }
            after.checkInvariants();
            CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), after.picture(h.now).scheduleCount);
        }
        CPPUNIT_ASSERT(content.messages.size() == 1 && content.messages.contains(whole));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(RecurringTest);

}  // namespace busbar::test
