// When is the next one, whatever the clocks do?
#include "bus/schedule/plan.h"

#include "tests/bus/schedule/reference.h"

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include <vector>

namespace busbar::test {

using namespace std::chrono;
using std::string;

class PlanTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(PlanTest);
    CPPUNIT_TEST(countsPeriods);
    CPPUNIT_TEST(whatWasMissedCountsAsOne);
    CPPUNIT_TEST(repeatsAtEachTimeOfTheExpression);
    CPPUNIT_TEST(springFiresOnceAfterTheGap);
    CPPUNIT_TEST(autumnFiresOnce);
    CPPUNIT_TEST(everySoOftenGoesByTheClock);
    CPPUNIT_TEST(agreesWithALookAtEachMinute);
    CPPUNIT_TEST(theClockIsSetBack);
    CPPUNIT_TEST(theZoneHasNewRules);
    CPPUNIT_TEST(theClockIsSetForward);
    CPPUNIT_TEST(refusesWhatMakesNoSense);
    CPPUNIT_TEST_SUITE_END();

    static constexpr Milliseconds kMin{100};
    using Step = Plan::Step;

  public:
    PlanTest() : files(makePosixFileSystem()), zones(*files) {}
    std::unique_ptr<FileSystem> files;
    SystemZones zones;

    Plan plan(const Recurrence& rule) {
        auto made = Plan::make(rule, kMin, zones);
        CPPUNIT_ASSERT_MESSAGE(made ? "" : made.error().text, made.ok());
        return std::move(*made);
    }
    static Recurrence cron(const string& text, const string& zone = "UTC") {
        Recurrence rule;
        rule.cron = text;
        rule.zone = zone;
        return rule;
    }
    static Recurrence every(Milliseconds period, std::int64_t repeats, Milliseconds delay = 0ms) {
        Recurrence rule;
        rule.period = period;
        rule.repeats = repeats;
        rule.delay = delay;
        return rule;
    }
    static WallTime utc(year_month_day day, seconds time = 0s) { return sys_days(day) + time; }
    /// The next `count` times, each fired when it was due.
    std::vector<WallTime> times(const Plan& p, WallTime from, int count) {
        std::vector<WallTime> out;
        for (auto step = p.first(from); step && count > 0; --count) {
            out.push_back(step->due);
            step = p.following(*step, step->due);
        }
        return out;
    }
    static constexpr WallTime kNow{Milliseconds(1'700'000'000'123)};

    void countsPeriods() {
        const Plan p = plan(every(1s, 2));
        CPPUNIT_ASSERT((std::vector{kNow + 1s, kNow + 2s, kNow + 3s}) ==
                       times(p, kNow, 10));  // once and two
        const Plan q = plan(every(1s, 1, 5s));
        CPPUNIT_ASSERT((std::vector{kNow + 5s, kNow + 6s}) == times(q, kNow, 10));
        const Plan r = plan(every(100ms, kRepeatForever));
        CPPUNIT_ASSERT(kNow + 100s == times(r, kNow, 1000).back());
    }

    void whatWasMissedCountsAsOne() {
        const Plan p = plan(every(1s, 10));
        const auto first = p.first(kNow);
        // Fired 4.5 s late: 5 of the 11 have gone by.
        const auto second = p.following(*first, first->due + 4500ms);
        CPPUNIT_ASSERT((Step{kNow + 6s, 5}) == second);
        CPPUNIT_ASSERT(!p.following(*second, kNow + 1h));
        const Plan forEver = plan(every(1s, kRepeatForever));
        CPPUNIT_ASSERT(
            (Step{first->due + hours(24 * 3650) + 1s, kRepeatForever}) ==
            forEver.following(Step{first->due, kRepeatForever}, first->due + hours(24 * 3650)));
        const Plan daily = plan(cron("0 3 * * *"));
        const Step missed{utc(2026y / June / 1, 3h), 0};
        CPPUNIT_ASSERT(utc(2026y / June / 12, 3h) ==
                       daily.following(missed, utc(2026y / June / 11, 8h))->due);
    }

    void repeatsAtEachTimeOfTheExpression() {
        Recurrence rule = cron("0 * * * *");
        rule.delay = 1s;
        rule.period = 2s;
        rule.repeats = 2;
        const auto hour = utc(2026y / June / 1, 10h);
        CPPUNIT_ASSERT((std::vector{hour + 1s, hour + 3s, hour + 5s, hour + 1h + 1s}) ==
                       times(plan(rule), hour - 1min, 4));
        rule.delay = 0s;  // as with a period alone
        CPPUNIT_ASSERT((std::vector{hour + 2s, hour + 4s, hour + 6s, hour + 1h + 2s}) ==
                       times(plan(rule), hour - 1min, 4));
        // Copies that take longer than to the next time: that one is left out.
        rule = cron("* * * * *");
        rule.period = 50s;
        rule.repeats = 2;
        CPPUNIT_ASSERT((std::vector{hour + 50s, hour + 100s, hour + 150s, hour + 170s}) ==
                       times(plan(rule), hour - 1s, 4));
        // Down in the midst of it: the rest of it still comes.
        const Plan p = plan(rule);
        CPPUNIT_ASSERT((Step{hour + 150s, 0}) == p.following(Step{hour + 50s, 2}, hour + 120s));
        CPPUNIT_ASSERT(hour + 50s + 1h == p.following(Step{hour + 50s, 2}, hour + 1h + 9s)->due);
        // A delay alone: each one is that much later.
        rule = cron("0 * * * *");
        rule.delay = 90min;
        CPPUNIT_ASSERT((std::vector{hour + 90min, hour + 150min, hour + 210min}) ==
                       times(plan(rule), hour - 1min, 3));
    }

    void springFiresOnceAfterTheGap() {
        // Berlin, 28 March 2027: 2:00 becomes 3:00, at 1:00 UTC.
        const auto moment = utc(2027y / March / 28, 1h);
        CPPUNIT_ASSERT(
            (std::vector{utc(2027y / March / 27, 1h + 30min), moment,
                         utc(2027y / March / 29, 30min)}) ==
            times(plan(cron("30 2 * * *", "Europe/Berlin")), utc(2027y / March / 27), 3));
        // Three times within the gap: once.
        const auto few = times(plan(cron("0,20,40 2 * * *", "Europe/Berlin")), moment - 1s, 2);
        CPPUNIT_ASSERT(moment == few[0]);
        CPPUNIT_ASSERT(utc(2027y / March / 29) == few[1]);
    }

    void autumnFiresOnce() {
        // Berlin, 31 October 2027: 3:00 becomes 2:00, at 1:00 UTC.
        CPPUNIT_ASSERT(
            (std::vector{utc(2027y / October / 30, 30min), utc(2027y / October / 31, 30min),
                         utc(2027y / November / 1, 90min)}) ==
            times(plan(cron("30 2 * * *", "Europe/Berlin")), utc(2027y / October / 29, 12h), 3));
        // Asked in the midst of the second 2:xx: not again.
        CPPUNIT_ASSERT(utc(2027y / November / 1, 90min) ==
                       plan(cron("30 2 * * *", "Europe/Berlin"))
                           .first(utc(2027y / October / 31, 1h + 10min))
                           ->due);
    }

    void everySoOftenGoesByTheClock() {
        const Plan p = plan(cron("*/30 * * * *", "Europe/Berlin"));
        auto at = utc(2027y / October / 31, 0h);
        for (const WallTime time : times(p, at, 6)) CPPUNIT_ASSERT((at += 30min) == time);
        at = utc(2027y / March / 28, 0h);
        for (const WallTime time : times(p, at, 6)) CPPUNIT_ASSERT((at += 30min) == time);
        // 2:15 of each day comes twice where the clocks show it twice, and not where they do not.
        const Plan q = plan(cron("*/60 2 * * *", "Europe/Berlin"));
        CPPUNIT_ASSERT((std::vector{utc(2027y / October / 31, 0h), utc(2027y / October / 31, 1h),
                                    utc(2027y / November / 1, 1h)}) ==
                       times(q, utc(2027y / October / 30, 12h), 3));
        CPPUNIT_ASSERT(utc(2027y / March / 29, 0h) == times(q, utc(2027y / March / 27, 12h), 1)[0]);
    }

    /// As cron does it: each minute it looks at what the clocks show. Times of day that were passed
    /// over since the last look are due now; what was shown before is not due again.
    std::vector<WallTime> byLooking(const MadeCron& made, sys_seconds from, sys_seconds to) {
        std::vector<WallTime> out;
        auto shown = from.time_since_epoch() + LibraryZone::offset(from);
        for (sys_seconds at = floor<minutes>(from) + minutes(1); at <= to; at += minutes(1)) {
            const auto now = at.time_since_epoch() + LibraryZone::offset(at);
            bool due = false;
            if (made.everySoOften()) {
                due = made.matches(LibraryZone::at(at));
            } else {
                for (auto t = floor<minutes>(shown) + minutes(1); t <= now; t += minutes(1)) {
                    const std::time_t seconds = duration_cast<std::chrono::seconds>(t).count();
                    std::tm fields{};
                    ::gmtime_r(&seconds, &fields);
                    due = due || made.matches(fields);
                }
                shown = std::max(shown, now);
            }
            if (due) out.push_back(at);
        }
        return out;
    }

    void agreesWithALookAtEachMinute() {
        std::mt19937_64 random(20261128);
        CronMaker maker(random);
        const std::vector<std::pair<string, sys_seconds>> changes{
            {"Europe/Berlin", sys_days(2027y / March / 28)},
            {"Europe/Berlin", sys_days(2027y / October / 31)},
            {"America/New_York", sys_days(2026y / March / 8)},
            {"America/New_York", sys_days(2026y / November / 1)},
            {"Australia/Lord_Howe", sys_days(2026y / April / 4)},
            {"Australia/Lord_Howe", sys_days(2026y / October / 3)},
            {"Pacific/Apia", sys_days(2011y / December / 30)},
            {"America/Caracas", sys_days(2016y / May / 1)},
            {"Europe/Dublin", sys_days(2026y / October / 25)},
            {"Asia/Kolkata", sys_days(2026y / May / 1)}};
        std::size_t fired = 0;
        for (const auto& [zone, change] : changes) {
            const LibraryZone library(zone);
            for (int round = 0; round < 150; ++round) {
                const MadeCron made = maker.make();
                if (!Cron::parse(made.text())) continue;  // a day that never comes
                const sys_seconds from = change - days(2) + seconds(random() % 172'800),
                                  to = change + days(3);
                const auto expected = byLooking(made, from, to);
                std::vector<WallTime> is;
                const Plan p = plan(cron(made.text(), zone));
                for (auto step = p.first(from); step && step->due <= to;
                     step = p.following(*step, step->due))
                    is.push_back(step->due);
                fired += is.size();
                CPPUNIT_ASSERT_MESSAGE(made.text() + " in " + zone + " from " +
                                           std::to_string(from.time_since_epoch().count()),
                                       expected == is);
            }
        }
        CPPUNIT_ASSERT(fired > 10'000);
    }

    void theClockIsSetBack() {
        const Plan daily = plan(cron("0 3 * * *"));
        const Step next{utc(2026y / June / 2, 3h), 0};
        const WallTime fired = utc(2026y / June / 1, 3h);
        // An hour, just after it fired: not again.
        CPPUNIT_ASSERT(next == daily.adjusted(next, fired, fired - 1h));
        CPPUNIT_ASSERT(next == daily.adjusted(next, fired, fired + 1h));
        // More, or years: what the clock says counts.
        CPPUNIT_ASSERT(fired == daily.adjusted(next, fired, fired - 4h).due);
        CPPUNIT_ASSERT(utc(2020y / June / 1, 3h) ==
                       daily.adjusted(next, fired, utc(2020y / June / 1, 2h)).due);
        const Plan often = plan(cron("*/5 * * * *"));
        const Step soon{utc(2026y / June / 1, 10h), 0};
        CPPUNIT_ASSERT(utc(2026y / June / 1, 9h + 5min) ==
                       often.adjusted(soon, soon.due - 5min, utc(2026y / June / 1, 9h)).due);
        const Plan periods = plan(every(10s, kRepeatForever));
        CPPUNIT_ASSERT((Step{kNow + 10s, kRepeatForever}) ==
                       periods.adjusted(Step{kNow + 1h, kRepeatForever}, kNow + 59min, kNow));
        CPPUNIT_ASSERT((Step{kNow + 9s, 3}) ==
                       periods.adjusted(Step{kNow + 9s, 3}, kNow - 1s, kNow));
        // One that was delayed by its sender, not by the clock.
        const Plan delayed = plan(every(10s, 5, 1h));
        CPPUNIT_ASSERT((Step{kNow + 1h, 5}) == delayed.adjusted(Step{kNow + 1h, 5}, kNow, kNow));
        Recurrence late = cron("*/30 * * * *");
        late.delay = 2h;
        const auto first = plan(late).first(kNow);
        CPPUNIT_ASSERT(*first == plan(late).adjusted(*first, kNow, kNow + 10min));
    }

    /// New rules of a time zone count for what was reckoned by the old ones, where that is not yet.
    void theZoneHasNewRules() {
        const Plan daily = plan(cron("0 3 * * *", "Europe/Berlin"));
        const WallTime fired = utc(2026y / June / 1, 1h);
        CPPUNIT_ASSERT(fired + 24h ==
                       daily.adjusted(Step{fired + 23h, 0}, fired, fired + 23h - 1s).due);
    }

    void theClockIsSetForward() {
        for (const auto& rule : {cron("* * * * *"), cron("0 3 * * *", "Europe/Berlin"),
                                 every(100ms, kRepeatForever)}) {
            const Plan p = plan(rule);
            const auto first = p.first(kNow);
            const WallTime later = kNow + hours(24 * 365 * 20);
            const auto next = p.following(*first, later);
            CPPUNIT_ASSERT(next->due > later && next->due <= later + 25h);
        }
    }

    void refusesWhatMakesNoSense() {
        const auto refused = [&](const Recurrence& rule) {
            const auto made = Plan::make(rule, kMin, zones);
            return !made && made.error().code == ErrorCode::invalidArgument;
        };
        CPPUNIT_ASSERT(refused(Recurrence{}));
        CPPUNIT_ASSERT(refused(every(99ms, 1)));
        CPPUNIT_ASSERT(refused(every(0ms, kRepeatForever)));
        CPPUNIT_ASSERT(refused(every(-1ms, 5)));
        CPPUNIT_ASSERT(refused(every(1s, -2)));
        CPPUNIT_ASSERT(refused(every(1s, 0)));
        CPPUNIT_ASSERT(refused(every(1s, 1, -1s)));
        CPPUNIT_ASSERT(refused(every(Milliseconds::max(), 1)));
        CPPUNIT_ASSERT(refused(every(1s, 1, Milliseconds::max())));
        CPPUNIT_ASSERT(refused(cron("* * *")));
        CPPUNIT_ASSERT(refused(cron("* * * * *", "Mars/Phobos")));
        Recurrence endless = cron("* * * * *");
        endless.period = 1s;
        endless.repeats = kRepeatForever;
        CPPUNIT_ASSERT(refused(endless));
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(PlanTest);

}  // namespace busbar::test
