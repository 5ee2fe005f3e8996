// Purge, move, copy, put back and browse over many messages.
#include "tests/bus/core/core_fixture.h"

#include <cppunit/extensions/HelperMacros.h>

#include <set>

namespace busbar::test {

using namespace std::chrono_literals;
using std::string;

class JobsTest : public CoreFixture {
    CPPUNIT_TEST_SUITE(JobsTest);
    CPPUNIT_TEST(browsesWithoutTaking);
    CPPUNIT_TEST(purges);
    CPPUNIT_TEST(purgesWhatIsSelected);
    CPPUNIT_TEST(movesAndCopies);
    CPPUNIT_TEST(keepsTheRateOfAMove);
    CPPUNIT_TEST(keepsTheRateOfAPurge);
    CPPUNIT_TEST(keepsTheRateOfAMoveFromDisk);
    CPPUNIT_TEST(otherWorkGoesOnDuringAPurge);
    CPPUNIT_TEST(endsWithItsQueue);
    CPPUNIT_TEST(browsesWhatIsSelected);
    CPPUNIT_TEST(putsBackToASubscriptionAlone);
    CPPUNIT_TEST_SUITE_END();

  public:
    void browsesWithoutTaking() {
        const auto s = h.open();
        for (int i = 0; i < 250; ++i) send(s, "q", std::to_string(i), 0);
        StoredId after;
        int seen = 0;
        for (bool more = true; more;) {
            h.run(Browse{s, RequestId(1), "q", after, 100});
            const auto page = *h.take<Browsed>();
            for (const auto& entry : page.entries) {
                CPPUNIT_ASSERT_EQUAL(std::to_string(seen++), string(entry.message->body.view()));
                after = entry.id;
            }
            more = page.more;
        }
        CPPUNIT_ASSERT_EQUAL(250, seen);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(250), h.queue("q").depth);
    }

    void purges() {
        const auto s = h.open();
        for (int i = 0; i < 5; ++i) send(s, "q", "x", 0);
        h.run(Receive{s, RequestId(1), "q", 1, 0ms, 60000ms});
        h.run(Purge{s, RequestId(2), "q"});
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(4), h.take<Completed>()->count);
        CPPUNIT_ASSERT_EQUAL_MESSAGE("what is held stays", std::uint64_t(1), h.queue("q").depth);
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), h.store.content().messages.size());
    }

    void fill(SessionId s, const string& queue, int count, bool persistent = true) {
        for (int i = 0; i < count; ++i) {
            auto message = h.text(queue, std::to_string(i), persistent);
            message->properties.set("number", i);
            message->properties.set("odd", i % 2 == 1);
            h.apply(Send{s, {}, message});
        }
        h.sync();
    }
    static Selection of(const string& selector, std::uint32_t max = 0) {
        Selection out;
        out.selector = selector;
        out.max = max;
        return out;
    }
    std::uint64_t depth(const string& queue) { return h.queue(queue).depth; }

    void purgesWhatIsSelected() {
        const auto s = h.open();
        fill(s, "q", 100);
        h.run(Purge{s, RequestId(1), "q", of("odd = TRUE AND number < 50", 20)});
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(20), h.take<Completed>()->count);
        h.run(Purge{s, RequestId(2), "q", of("odd = TRUE")});
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(30), h.take<Completed>()->count);
        h.run(Browse{s, RequestId(3), "q", {}, 0});
        const auto page = *h.take<Browsed>();
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), page.entries.size());
        Selection ids;
        ids.ids = {StoredId(999'999), page.entries[0].id, page.entries[0].id};
        h.run(Purge{s, RequestId(4), "q", ids});
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), h.take<Completed>()->count);
        CPPUNIT_ASSERT_EQUAL(std::size_t(49), h.store.content().messages.size());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(51), h.queue("q").purged);
    }

    void movesAndCopies() {
        const auto s = h.open();
        fill(s, "q", 10);
        h.run(MoveMessages{s, RequestId(1), "q", "r", of("odd = TRUE")});
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(5), h.take<Completed>()->count);
        MoveMessages copy{s, RequestId(2), "q", "r", of("", 3)};
        copy.copy = true;
        h.run(copy);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(3), h.take<Completed>()->count);
        CPPUNIT_ASSERT(depth("q") == 5 && depth("r") == 8);
        copy.target = "q";
        h.run(copy);
        CPPUNIT_ASSERT_EQUAL_MESSAGE("not its own copies", std::uint64_t(8), depth("q"));
        h.effects.clear();
        h.run(MoveMessages{s, RequestId(3), "q", "q"});
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(0), h.take<Completed>()->count);
        h.run(MoveMessages{s, RequestId(4), "q", "bad\nname"});
        CPPUNIT_ASSERT(h.take<Completed>()->error->code == ErrorCode::invalidArgument);
        h.run(MoveMessages{s, RequestId(5), "none", "q"});
        CPPUNIT_ASSERT(h.take<Completed>()->error->code == ErrorCode::notFound);
        std::set<string> ids;
        h.run(Browse{s, RequestId(6), "r", {}, 100});
        const auto page = *h.take<Browsed>();
        for (const auto& entry : page.entries)
            CPPUNIT_ASSERT_MESSAGE("each its own id", ids.insert(entry.message->id).second);
    }

    void keepsTheRateOfAPurge() {
        const auto s = h.open();
        fill(s, "q", 30);
        Purge purge{s, RequestId(1), "q"};
        purge.perSecondMax = 5;
        h.run(purge);
        for (int tenth = 0; tenth < 20; ++tenth) h.wait(100ms);
        CPPUNIT_ASSERT(depth("q") >= 19 && depth("q") <= 20);
        for (int tenth = 0; tenth < 50; ++tenth) h.wait(100ms);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(30), h.take<Completed>()->count);
    }

    void keepsTheRateOfAMoveFromDisk() {
        BrokerOptions options;
        options.memoryMax = 20'000;
        options.readAheadBytes = 2'000;  // a page is less than a tenth of a second's share
        h = BrokerHarness(options);
        const auto s = h.open();
        for (int i = 0; i < 15; ++i) fill(s, "q", 20);
        MoveMessages move{s, RequestId(1), "q", "r"};
        move.perSecondMax = 100;
        h.run(move);
        for (int tenth = 0; tenth < 9; ++tenth) h.wait(100ms);
        CPPUNIT_ASSERT_MESSAGE(std::to_string(depth("r")), depth("r") >= 90 && depth("r") <= 110);
        for (int tenth = 0; tenth < 30; ++tenth) h.wait(100ms);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(300), depth("r"));
    }

    void keepsTheRateOfAMove() {
        const auto s = h.open();
        fill(s, "q", 100);
        MoveMessages move{s, RequestId(1), "q", "r"};
        move.perSecondMax = 20;
        h.run(move);
        for (int tenth = 0; tenth < 10; ++tenth) h.wait(100ms);
        CPPUNIT_ASSERT(depth("r") >= 20 && depth("r") <= 24);
        for (int tenth = 0; tenth < 50; ++tenth) h.wait(100ms);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(100), h.take<Completed>()->count);
    }

    void otherWorkGoesOnDuringAPurge() {
        h.checkAlways = false;
        const auto s = h.open();
        fill(s, "q", 20'000, false);
        h.apply(Purge{s, RequestId(1), "q"});
        CPPUNIT_ASSERT(!h.take<Completed>());
        h.apply(Send{s, RequestId(2), h.text("r", "x", false)});
        CPPUNIT_ASSERT(h.take<Completed>()->request == RequestId(2));
        h.apply(Send{s, {}, h.text("q", "new", false)});
        h.sync();
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(20'000), h.take<Completed>()->count);
        CPPUNIT_ASSERT_EQUAL_MESSAGE("what came later was not meant", std::uint64_t(1), depth("q"));
    }

    void endsWithItsQueue() {
        h.checkAlways = false;
        const auto s = h.open();
        fill(s, "q", 5'000, false);
        h.apply(Purge{s, RequestId(1), "q"});
        h.apply(DeleteQueue{s, RequestId(2), "q"});
        h.sync();
        CPPUNIT_ASSERT(!h.take<Completed>()->error);
        CPPUNIT_ASSERT(h.take<Completed>()->error->code == ErrorCode::notFound);
    }

    void browsesWhatIsSelected() {
        const auto s = h.open();
        fill(s, "q", 3'000);
        Browse browse{s, RequestId(1), "q", {}, 10};
        browse.selector = "number >= 2500";
        h.run(browse);
        const auto page = *h.take<Browsed>();
        CPPUNIT_ASSERT_EQUAL(std::size_t(10), page.entries.size());
        CPPUNIT_ASSERT(page.more);
        CPPUNIT_ASSERT_EQUAL(string("2500"), string(page.entries[0].message->body.view()));
        browse.delayedOnly = true;
        h.run(browse);
        CPPUNIT_ASSERT(h.take<Browsed>()->entries.empty());
    }

    void putsBackToASubscriptionAlone() {
        const auto s = h.open("user", "me");
        for (const char* name : {"a", "b"}) {
            auto c = h.subscription(s, name[0] == 'a' ? 1 : 2, Destination::topic("t"));
            c.durableName = name;
            h.run(c);
        }
        h.run(Send{s, {}, h.text(Destination::topic("t"), "x")});
        const auto d = *h.take<Delivered>();
        h.take<Delivered>();
        h.run(h.settle(s, d.delivery.id, Outcome::rejected));
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), depth("DLQ.t"));
        h.run(MoveMessages{s, RequestId(1), "DLQ.t", ""});
        const auto back = *h.take<Delivered>();
        CPPUNIT_ASSERT(back.consumer == d.consumer && !h.take<Delivered>());
        CPPUNIT_ASSERT_EQUAL(string("1"),
                             toText(*back.delivery.message->properties.find("BusbarReturns")));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(JobsTest);

}  // namespace busbar::test
