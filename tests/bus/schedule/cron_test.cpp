// What does an expression mean?
#include "bus/schedule/cron.h"

#include "tests/bus/schedule/reference.h"

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

namespace busbar::test {

using namespace std::chrono;
using std::string;

class CronTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(CronTest);
    CPPUNIT_TEST(findsTheNextTime);
    CPPUNIT_TEST(takesSeconds);
    CPPUNIT_TEST(takesNamesAndNicknames);
    CPPUNIT_TEST(takesTheLastDayOfTheMonth);
    CPPUNIT_TEST(eitherFieldOfDaysWillDo);
    CPPUNIT_TEST(refusesWhatIsNone);
    CPPUNIT_TEST(agreesWithALookAtEachMinute);
    CPPUNIT_TEST(endsWithTheCalendar);
    CPPUNIT_TEST_SUITE_END();

    static string shown(local_seconds time) {
        const auto day = floor<days>(time);
        const year_month_day date(day);
        const hh_mm_ss clock(time - day);
        char out[80];
        std::snprintf(out, sizeof out, "%d-%02u-%02u %02ld:%02ld:%02ld",
                      static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                      static_cast<unsigned>(date.day()), static_cast<long>(clock.hours().count()),
                      static_cast<long>(clock.minutes().count()),
                      static_cast<long>(clock.seconds().count()));
        return out;
    }
    static string next(const string& cron, local_seconds after) {
        const auto parsed = Cron::parse(cron);
        CPPUNIT_ASSERT_MESSAGE(parsed ? "" : parsed.error().text, parsed.ok());
        const auto time = parsed->next(after);
        return time ? shown(*time) : "never";
    }
    static constexpr local_seconds kThursday = local_days(2026y / October / 15) + 10h + 7min + 30s;

  public:
    void findsTheNextTime() {
        CPPUNIT_ASSERT_EQUAL(string("2026-10-15 10:08:00"), next("* * * * *", kThursday));
        CPPUNIT_ASSERT_EQUAL(string("2026-10-15 10:10:00"), next("*/5 * * * *", kThursday));
        CPPUNIT_ASSERT_EQUAL(string("2026-10-15 10:37:00"),
                             next("7/15,37 * * * *", kThursday + 15min));
        CPPUNIT_ASSERT_EQUAL(string("2026-10-16 02:30:00"), next("30 2 * * *", kThursday));
        CPPUNIT_ASSERT_EQUAL(string("2027-01-01 00:00:00"), next("0 0 1 1 *", kThursday));
        CPPUNIT_ASSERT_EQUAL(string("2028-02-29 12:00:00"), next("0 12 29 2 *", kThursday));
        CPPUNIT_ASSERT_EQUAL(
            string("2026-10-15 10:08:00"),
            next("8 10 * * *", local_days(2026y / October / 15) + 10h + 7min + 59s));
        // What is now is not next.
        CPPUNIT_ASSERT_EQUAL(string("2026-10-16 10:08:00"),
                             next("8 10 * * *", local_days(2026y / October / 15) + 10h + 8min));
    }

    void takesSeconds() {
        CPPUNIT_ASSERT_EQUAL(string("2026-10-15 10:07:45"), next("*/15 * * * * *", kThursday));
        CPPUNIT_ASSERT_EQUAL(string("2026-10-15 10:08:05"), next("5 * * * * *", kThursday));
        CPPUNIT_ASSERT_EQUAL(string("2026-10-16 00:00:59"), next("59 0 0 * * *", kThursday));
    }

    void takesNamesAndNicknames() {
        CPPUNIT_ASSERT_EQUAL(string("2026-10-19 09:00:00"), next("0 9 * * MON", kThursday));
        CPPUNIT_ASSERT_EQUAL(string("2026-10-17 09:00:00"), next("0 9 * * sat,sun", kThursday));
        CPPUNIT_ASSERT_EQUAL(string("2026-10-18 09:00:00"), next("0 9 * * 7", kThursday));
        CPPUNIT_ASSERT_EQUAL(string("2026-10-18 09:00:00"), next("0 9 * * 0", kThursday));
        CPPUNIT_ASSERT_EQUAL(string("2026-11-01 00:00:00"), next("0 0 1 nov-dec *", kThursday));
        CPPUNIT_ASSERT_EQUAL(string("2026-10-15 11:00:00"), next("@hourly", kThursday));
        CPPUNIT_ASSERT_EQUAL(string("2026-10-16 00:00:00"), next("@daily", kThursday));
        CPPUNIT_ASSERT_EQUAL(string("2026-10-18 00:00:00"), next("@weekly", kThursday));
        CPPUNIT_ASSERT_EQUAL(string("2026-11-01 00:00:00"), next("@monthly", kThursday));
        CPPUNIT_ASSERT_EQUAL(string("2027-01-01 00:00:00"), next("@yearly", kThursday));
        CPPUNIT_ASSERT_EQUAL(string("2026-10-16 00:00:00"), next("  0\t0 ?  * ? ", kThursday));
    }

    void takesTheLastDayOfTheMonth() {
        CPPUNIT_ASSERT_EQUAL(string("2026-10-31 08:00:00"), next("0 8 L * *", kThursday));
        CPPUNIT_ASSERT_EQUAL(string("2027-02-28 08:00:00"), next("0 8 L 2 *", kThursday));
        CPPUNIT_ASSERT_EQUAL(string("2026-10-20 08:00:00"), next("0 8 20,L * *", kThursday));
    }

    void eitherFieldOfDaysWillDo() {
        // The 20th, or a Friday: as Vixie cron has it.
        CPPUNIT_ASSERT_EQUAL(string("2026-10-16 00:00:00"), next("0 0 20 * FRI", kThursday));
        CPPUNIT_ASSERT_EQUAL(string("2026-10-20 00:00:00"),
                             next("0 0 20 * FRI", local_days(2026y / October / 16)));
        // Odd days that are Fridays.
        CPPUNIT_ASSERT_EQUAL(string("2026-10-23 00:00:00"), next("0 0 */2 * FRI", kThursday));
    }

    void refusesWhatIsNone() {
        for (const char* text : {"",
                                 "*",
                                 "* * * *",
                                 "* * * * * * *",
                                 "60 * * * *",
                                 "* 24 * * *",
                                 "* * 0 * *",
                                 "* * 32 * *",
                                 "* * * 13 *",
                                 "* * * 0 *",
                                 "* * * * 8",
                                 "*/0 * * * *",
                                 "5-3 * * * *",
                                 "a * * * *",
                                 "1, * * * *",
                                 ",1 * * * *",
                                 "1-2-3 * * * *",
                                 "*/ * * * *",
                                 "/5 * * * *",
                                 "-1 * * * *",
                                 "* * * MO *",
                                 "* * * ANF *",
                                 "* * L L *",
                                 "@reboot",
                                 "@Daily",
                                 "0 0 30 2 *",
                                 "0 0 31 4,6 *",
                                 "1.5 * * * *",
                                 "? * * * *",
                                 "4294967297 * * * *"}) {
            const auto parsed = Cron::parse(text);
            CPPUNIT_ASSERT_MESSAGE(text, !parsed.ok());
            CPPUNIT_ASSERT(parsed.error().code == ErrorCode::invalidArgument);
        }
        CPPUNIT_ASSERT(Cron::parse("* 24 * * *").error().text.find("the hour '24'") !=
                       string::npos);
        CPPUNIT_ASSERT(!Cron::parse(string(501, '*')).ok());
    }

    void agreesWithALookAtEachMinute() {
        std::mt19937_64 random(20261128);
        CronMaker maker(random);
        const LibraryZone utc("UTC");
        int found = 0;
        for (int round = 0; round < 400; ++round) {
            const MadeCron made = maker.make();
            const auto cron = Cron::parse(made.text());
            if (!cron) {
                CPPUNIT_ASSERT(cron.error().text.find("never comes") != string::npos);
                continue;
            }
            const sys_seconds start{seconds(1'700'000'000 + random() % 200'000'000)};
            auto next = cron->next(local_seconds(start.time_since_epoch()));
            sys_seconds at = ceil<minutes>(start + seconds(1));
            for (const auto end = at + days(20); at < end; at += minutes(1)) {
                const bool should = made.matches(LibraryZone::at(at));
                const bool is = next && next->time_since_epoch() == at.time_since_epoch();
                CPPUNIT_ASSERT_EQUAL_MESSAGE(
                    made.text() + " at " + shown(local_seconds(at.time_since_epoch())), should, is);
                if (!is) continue;
                ++found;
                next = cron->next(*next);
            }
        }
        CPPUNIT_ASSERT(found > 10'000);
    }

    void endsWithTheCalendar() {
        const auto cron = Cron::parse("* * * * *");
        CPPUNIT_ASSERT(!cron->next(local_seconds(seconds(INT64_MAX / 2))));
        CPPUNIT_ASSERT(!cron->next(local_seconds(seconds(INT64_MIN / 2))));
        CPPUNIT_ASSERT(cron->next(local_days(9999y / December / 31)));
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(CronTest);

}  // namespace busbar::test
