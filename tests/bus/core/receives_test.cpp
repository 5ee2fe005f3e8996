// Does a fetch get what it asks for, and no more than that read for it?
#include "tests/bus/core/core_fixture.h"

#include <cppunit/extensions/HelperMacros.h>

#include <map>

namespace busbar::test {

using namespace std::chrono_literals;
using std::string;

class ReceivesTest : public CoreFixture {
    CPPUNIT_TEST_SUITE(ReceivesTest);
    CPPUNIT_TEST(fetchesWhatItSelects);
    CPPUNIT_TEST(refusesASelectorThatMakesNoSense);
    CPPUNIT_TEST(waitsForWhatItSelectsAndHoldsUpNobody);
    CPPUNIT_TEST(aSelectorSearchesTheDiskOnce);
    CPPUNIT_TEST(manySelectorsOfOnePropertyShareTheSearch);
    CPPUNIT_TEST(answersAtOnceWhereNothingOnDiskMatches);
    CPPUNIT_TEST(aHigherPriorityOnDiskGoesFirst);
    CPPUNIT_TEST(whatComesBackFromDiskWaitsForItsTurn);
    CPPUNIT_TEST(fetchesGroupsFromDiskWithoutReadingThemAgainAndAgain);
    CPPUNIT_TEST(passesALockedGroupOnDisk);
    CPPUNIT_TEST_SUITE_END();

    static constexpr int kMany = 20'000;

    /// Little memory, and `count` messages that say their number and one of `groups` groups.
    SessionId fill(int count, int groups = 0) {
        BrokerOptions options;
        options.memoryMax = 256 << 10;
        options.readAheadBytes = 64 << 10;
        h = BrokerHarness(options);
        h.checkAlways = false;
        const auto s = h.open();
        for (int i = 0; i < count; ++i) {
            auto message = h.text("q", std::to_string(i));
            message->properties.set("number", i);
            if (groups > 0) message->groupId = "g" + std::to_string(i % groups);
            h.apply(Send{s, {}, std::move(message)});
            if (i % 100 == 99) h.sync();
        }
        h.sync();
        return s;
    }
    std::vector<Delivery> fetch(SessionId s, const string& selector, std::uint32_t max = 1) {
        Receive c{s, RequestId(9), "q", max, 0ms, 60s};
        c.selector = selector;
        h.run(c);
        auto received = h.take<Received>();
        CPPUNIT_ASSERT_MESSAGE("not answered", received && !received->error);
        return std::move(received->deliveries);
    }
    std::vector<Delivery> fetchGroup(SessionId s, std::uint32_t max) {
        Receive c{s, RequestId(9), "q", max, 0ms, 60s};
        c.oneGroup = true;
        h.run(c);
        auto received = h.take<Received>();
        CPPUNIT_ASSERT_MESSAGE("not answered", received && !received->error);
        return std::move(received->deliveries);
    }
    static string text(const Delivery& d) { return string(d.message->body.view()); }

  public:
    void fetchesWhatItSelects() {
        const auto s = fill(10);
        auto got = fetch(s, "number > 5", 2);
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), got.size());
        CPPUNIT_ASSERT_EQUAL(string("6"), text(got[0]));
        CPPUNIT_ASSERT_EQUAL(string("7"), text(got[1]));
        CPPUNIT_ASSERT_EQUAL(string("3"), text(fetch(s, "number = 3").at(0)));
        CPPUNIT_ASSERT_MESSAGE("somebody has it", fetch(s, "number = 3").empty());
        h.run(h.settle(s, got[0].id, Outcome::released));
        CPPUNIT_ASSERT_EQUAL_MESSAGE("what comes back", string("6"),
                                     text(fetch(s, "number > 5")[0]));
        CPPUNIT_ASSERT_EQUAL(std::size_t(7), fetch(s, "", 100).size());
        h.broker->checkInvariants();
    }

    void refusesASelectorThatMakesNoSense() {
        const auto s = fill(1);
        Receive c{s, RequestId(1), "q", 1, 0ms, 60s};
        c.selector = "number >";
        h.run(c);
        CPPUNIT_ASSERT(h.take<Received>()->error);
        c.selector = "number = 0";
        c.oneGroup = true;
        h.run(c);
        CPPUNIT_ASSERT(h.take<Received>()->error->code == ErrorCode::invalidArgument);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(0), h.queue("q").held);
    }

    void waitsForWhatItSelectsAndHoldsUpNobody() {
        const auto s = h.open(), other = h.open();
        Receive picky{s, RequestId(1), "q", 1, 10s, 60s};
        picky.selector = "JMSCorrelationID = 'mine'";
        h.run(picky);
        h.run(Receive{other, RequestId(2), "q", 1, 10s, 60s});
        send(s, "q", "anybody's", 0);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(2), h.take<Received>()->request.value);
        auto message = h.text("q", "mine");
        message->correlationId = "mine";
        h.run(Send{s, {}, message});
        const auto got = h.take<Received>();
        CPPUNIT_ASSERT(got && got->request == RequestId(1));
        CPPUNIT_ASSERT_EQUAL(string("mine"), text(got->deliveries.at(0)));
        h.run(picky);
        h.wait(10s);
        CPPUNIT_ASSERT(h.take<Received>()->deliveries.empty());
        h.run(picky);
        h.run(CloseSession{s});
        h.broker->checkInvariants();
    }

    void aSelectorSearchesTheDiskOnce() {
        const auto s = fill(kMany);
        CPPUNIT_ASSERT_EQUAL(string("19000"), text(fetch(s, "number >= 19000").at(0)));
        const std::uint64_t before = h.store.asked();
        for (int i = 1; i < 50; ++i)
            CPPUNIT_ASSERT_EQUAL(std::to_string(19'000 + i), text(fetch(s, "number >= 19000")[0]));
        const std::uint64_t asked = h.store.asked() - before;
        CPPUNIT_ASSERT_MESSAGE("read " + std::to_string(asked), asked < kMany / 10);
    }

    void manySelectorsOfOnePropertyShareTheSearch() {
        const auto s = fill(kMany);
        CPPUNIT_ASSERT(fetch(s, "number = -1").empty());
        const std::uint64_t before = h.store.asked();
        for (int i = 0; i < 50; ++i)
            CPPUNIT_ASSERT_EQUAL(std::to_string(i * 300),
                                 text(fetch(s, "number = " + std::to_string(i * 300)).at(0)));
        CPPUNIT_ASSERT(h.store.asked() - before <= 100);
    }

    void answersAtOnceWhereNothingOnDiskMatches() {
        const auto s = fill(kMany);
        const auto before = h.now.steady;
        CPPUNIT_ASSERT(fetch(s, "number < 0").empty());
        CPPUNIT_ASSERT_MESSAGE("no time has passed", before == h.now.steady);
    }

    /// Found by the model of a queue: what was in memory was given first.
    void aHigherPriorityOnDiskGoesFirst() {
        const auto s = fill(1'000);
        const auto first = fetch(s, "number >= 500");
        h.run(h.settle(s, first.at(0).id, Outcome::released));
        h.wait(11s);  // nobody is expected to fetch what comes
        auto urgent = h.text("q", "urgent" + string(200'000, ' '));
        urgent->priority = 9;
        urgent->properties.set("number", 1'000);
        h.effects.clear();
        h.run(Send{s, RequestId(1), urgent});
        CPPUNIT_ASSERT(!h.take<Completed>()->error);
        CPPUNIT_ASSERT_EQUAL(string("urgent"), text(fetch(s, "number >= 500").at(0)).substr(0, 6));
        CPPUNIT_ASSERT_EQUAL(string("500"), text(fetch(s, "number >= 500").at(0)));
    }

    /// Found by the model of a queue: it was shown to a selector that had not come so far yet.
    void whatComesBackFromDiskWaitsForItsTurn() {
        const auto s = fill(1'000);
        CPPUNIT_ASSERT_EQUAL(string("900"), text(fetch(s, "number >= 900").at(0)));
        CPPUNIT_ASSERT_EQUAL(string("3"), text(fetch(s, "number > 2").at(0)));
        const auto later = fetch(s, "number = 600");
        for (int i = 0; i < 1'000; ++i) send(s, "q", string(500, 'x'), 0);
        h.run(h.settle(s, later.at(0).id, Outcome::released));
        CPPUNIT_ASSERT_EQUAL(string("4"), text(fetch(s, "number > 2").at(0)));
    }

    void fetchesGroupsFromDiskWithoutReadingThemAgainAndAgain() {
        const auto s = fill(kMany / 4, 50);
        const std::uint64_t before = h.store.asked();
        std::map<string, int> last;
        int taken = 0;
        for (auto got = fetchGroup(s, 4); !got.empty(); got = fetchGroup(s, 4)) {
            for (const Delivery& d : got) {
                CPPUNIT_ASSERT_EQUAL(got[0].message->groupId, d.message->groupId);
                int& before_ = last.try_emplace(d.message->groupId, -1).first->second;
                CPPUNIT_ASSERT(std::stoi(text(d)) > before_);
                before_ = std::stoi(text(d));
                h.apply(h.settle(s, d.id, Outcome::accepted));
                ++taken;
            }
        }
        CPPUNIT_ASSERT_EQUAL(kMany / 4, taken);
        const std::uint64_t asked = h.store.asked() - before;
        CPPUNIT_ASSERT_MESSAGE("read " + std::to_string(asked), asked < 2 * kMany / 4);
    }

    void passesALockedGroupOnDisk() {
        const auto s = fill(kMany / 4, 2);
        const auto locked = fetchGroup(s, 1);
        CPPUNIT_ASSERT_EQUAL(string("0"), text(locked.at(0)));
        const std::uint64_t before = h.store.asked();
        for (int i = 0; i < 100; ++i) {
            const auto got = fetchGroup(s, 1);
            CPPUNIT_ASSERT_EQUAL(std::to_string(2 * i + 1), text(got.at(0)));
            h.run(h.settle(s, got[0].id, Outcome::accepted));
        }
        const std::uint64_t asked = h.store.asked() - before;
        CPPUNIT_ASSERT_MESSAGE("read " + std::to_string(asked), asked < 1'000);
        h.run(h.settle(s, locked[0].id, Outcome::accepted));
        CPPUNIT_ASSERT_EQUAL(string("2"), text(fetchGroup(s, 1).at(0)));
        h.broker->checkInvariants();
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(ReceivesTest);

}  // namespace busbar::test
