// What do the clocks show?
#include "bus/schedule/zones.h"
#include "tests/bus/schedule/reference.h"

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include <filesystem>
#include <fstream>
#include <iterator>

namespace busbar::test {

using namespace std::chrono;
using std::string;

namespace {

const string kDirectory = "/usr/share/zoneinfo";

string bytesOf(const string& name) {
    std::ifstream in(kDirectory + "/" + name, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

class ZoneTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ZoneTest);
    CPPUNIT_TEST(agreesWithTheCLibraryOnEachZone);
    CPPUNIT_TEST(findsWhenTheClocksShowATime);
    CPPUNIT_TEST(aDayThatWasLeftOut);
    CPPUNIT_TEST(refusesWhatIsNone);
    CPPUNIT_TEST(survivesDamage);
    CPPUNIT_TEST(namesTheMissing);
    CPPUNIT_TEST_SUITE_END();

  public:
    ZoneTest() : files(makePosixFileSystem()), zones(*files) {}
    std::unique_ptr<FileSystem> files;
    SystemZones zones;

    static std::vector<string> names() {
        std::vector<string> out;
        for (const auto& entry : std::filesystem::recursive_directory_iterator(kDirectory)) {
            const string name = std::filesystem::relative(entry.path(), kDirectory).string();
            if (!entry.is_regular_file() || name.starts_with("right/") || name.starts_with("posix"))
                continue;
            if (bytesOf(name).starts_with("TZif")) out.push_back(name);
        }
        return out;
    }

    void agreesWithTheCLibraryOnEachZone() {
        std::mt19937_64 random(20261128);
        int compared = 0;
        for (const string& name : names()) {
            const auto zone = zones.find(name);
            CPPUNIT_ASSERT_MESSAGE(name, zone.ok());
            const LibraryZone library(name);
            for (int i = 0; i < 300; ++i, ++compared) {
                // 1860 to 2470
                const sys_seconds time{
                    seconds(-3'471'292'800 + static_cast<std::int64_t>(random() % 19'250'000'000))};
                CPPUNIT_ASSERT_EQUAL_MESSAGE(
                    name + " at " + std::to_string(time.time_since_epoch().count()),
                    static_cast<long>(LibraryZone::offset(time).count()),
                    static_cast<long>((*zone)->at(time).offset.count()));
            }
            // At each change, and a second before it.
            for (sys_seconds at{seconds(0)}; at < sys_days(2040y / January / 1);) {
                at = (*zone)->at(at).end;
                if (at == sys_seconds::max()) break;
                for (const sys_seconds time : {at, at - seconds(1)}) {
                    CPPUNIT_ASSERT_EQUAL(static_cast<long>(LibraryZone::offset(time).count()),
                                         static_cast<long>((*zone)->at(time).offset.count()));
                }
            }
        }
        CPPUNIT_ASSERT(compared > 100'000);
    }

    void findsWhenTheClocksShowATime() {
        for (const char* name : {"Europe/Berlin", "America/New_York", "Australia/Lord_Howe",
                                 "Asia/Kolkata", "America/Sao_Paulo", "Europe/Dublin", "Etc/UTC"}) {
            const auto zone = zones.find(name);
            const LibraryZone library(name);
            // Each moment of three years, a quarter of an hour apart: where its time is shown for
            // the first time, first() finds it.
            std::set<std::int64_t> seen;
            std::int64_t last = INT64_MIN;
            for (sys_seconds at = sys_days(2015y / January / 1); at < sys_days(2018y / January / 1);
                 at += minutes(15)) {
                const auto shown = at.time_since_epoch() + LibraryZone::offset(at);
                if (seen.insert(shown.count()).second)
                    CPPUNIT_ASSERT(at == (*zone)->first(local_seconds(shown)));
                // What was passed over: the first moment after it.
                for (auto left = last + 900; last != INT64_MIN && left < shown.count(); left += 900)
                    CPPUNIT_ASSERT(at == (*zone)->first(local_seconds(seconds(left))));
                last = std::max<std::int64_t>(last, shown.count());
            }
        }
    }

    void aDayThatWasLeftOut() {
        const auto zone = zones.find("Pacific/Apia");  // there was no 30 December 2011
        const sys_seconds moment = sys_days(2011y / December / 30) + hours(10);
        CPPUNIT_ASSERT(moment == (*zone)->first(local_days(2011y / December / 30) + hours(9)));
        CPPUNIT_ASSERT(moment == (*zone)->first(local_days(2011y / December / 31)));
    }

    void refusesWhatIsNone() {
        const string good = bytesOf("Europe/Berlin");
        CPPUNIT_ASSERT(Zone::read(good).ok());
        for (const string& bytes :
             {string(), string("TZif"), string(100, 'x'), good.substr(0, 43), good.substr(0, 200),
              good.substr(0, good.size() - 1), good.substr(0, good.size() - 3)}) {
            const auto zone = Zone::read(bytes);
            CPPUNIT_ASSERT(!zone.ok());
            CPPUNIT_ASSERT(zone.error().code == ErrorCode::malformed);
        }
    }

    /// Whatever the bytes are: an answer, and nothing outside is read (under the sanitizer).
    void survivesDamage() {
        std::mt19937_64 random(1);
        for (const char* name : {"Europe/Berlin", "Africa/Casablanca", "Etc/UTC"}) {
            const string good = bytesOf(name);
            for (int i = 0; i < 3'000; ++i) {
                string bytes = good;
                for (auto n = random() % 4 + 1; n > 0; --n)
                    bytes[random() % bytes.size()] = static_cast<char>(random());
                if (random() % 4 == 0) bytes.resize(random() % bytes.size());
                const auto zone = Zone::read(bytes);
                if (zone) zone->first(local_seconds(seconds(random() % 4'000'000'000)));
            }
        }
    }

    void namesTheMissing() {
        for (const char* name : {"Europe/Nowhere", "../../../etc/passwd", "/etc/localtime", "",
                                 "Europe", "tzdata.zi", "Europe/Berlin ", "..", "a\nb"}) {
            const auto zone = zones.find(name);
            CPPUNIT_ASSERT_MESSAGE(name, !zone.ok());
            CPPUNIT_ASSERT(zone.error().code == ErrorCode::invalidArgument);
        }
        SystemZones none(*files, "/nonexistent");
        CPPUNIT_ASSERT(none.find("UTC").ok());
        CPPUNIT_ASSERT(none.find("Europe/Berlin").error().text.find("tzdata") != string::npos);
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(ZoneTest);

}  // namespace busbar::test
