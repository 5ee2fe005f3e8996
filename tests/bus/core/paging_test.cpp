// A queue that is a hundred times larger than memory.
#include "tests/bus/core/core_fixture.h"

#include <cppunit/extensions/HelperMacros.h>

namespace busbar::test {

using namespace std::chrono_literals;
using std::string;

class PagingTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(PagingTest);
    CPPUNIT_TEST(givesEverythingOnceAndInOrder);
    CPPUNIT_TEST(spillsWhatIsNotPersistent);
    CPPUNIT_TEST(whatAQueueKeepsInMemoryEndsWithTheProcess);
    CPPUNIT_TEST(selectsFromDisk);
    CPPUNIT_TEST(whoHasEnoughToDoWaitsAMomentForTheDisk);
    CPPUNIT_TEST(looksAndPurgesWithoutFillingMemory);
    CPPUNIT_TEST(deadLettersAndExpiresFromDisk);
    CPPUNIT_TEST(takesAQueueOverARestart);
    CPPUNIT_TEST(goesOnWhereWhatItWaitedForHasGone);
    CPPUNIT_TEST(aCommitOfWhatIsBeingSpilledLeavesNothing);
    CPPUNIT_TEST_SUITE_END();

    static constexpr std::uint64_t kMemory = 1 << 20;
    static constexpr int kMany = 100'000;

    static BrokerOptions options() {
        BrokerOptions out;
        out.memoryMax = kMemory;
        out.readAheadBytes = 64 << 10;
        return out;
    }

    BrokerHarness h{options()};
    SessionId s;

    void fill(int count, bool persistent = true, Milliseconds life = 0ms) {
        h.checkAlways = false;
        s = h.open();
        for (int i = 0; i < count; ++i) {
            auto message = h.text("q", std::to_string(i), persistent);
            message->properties.set("number", i);
            if (life > 0ms) message->expiration = h.now.wall + life;
            h.apply(Send{s, {}, std::move(message)});
            if (i % 100 == 99) sync();
        }
        sync();
    }
    void sync() {
        h.sync();
        const std::uint64_t memory = h.broker->picture(h.now).memory;
        CPPUNIT_ASSERT_MESSAGE("memory: " + std::to_string(memory), memory <= kMemory * 5 / 4);
    }
    /// Takes all that comes; the numbers must ascend by `step`.
    int consume(int first, int step) {
        int count = 0;
        for (int number = first; const auto d = h.take<Delivered>(); number += step, ++count) {
            CPPUNIT_ASSERT_EQUAL(std::to_string(number), string(d->delivery.message->body.view()));
            h.apply(h.settle(s, d->delivery.id, Outcome::accepted));
            if (h.effects.empty()) sync();
        }
        return count;
    }

  public:
    void givesEverythingOnceAndInOrder() {
        fill(kMany);
        h.subscribe(s, 1, Destination::queue("q"), 100);
        CPPUNIT_ASSERT_EQUAL(kMany, consume(0, 1));
        h.sync();
        CPPUNIT_ASSERT(h.store.content().messages.empty());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(0), h.broker->picture(h.now).memory);
        h.broker->checkInvariants();
    }

    void spillsWhatIsNotPersistent() {
        fill(kMany / 4, false);
        CPPUNIT_ASSERT(!h.store.content().messages.empty());
        h.subscribe(s, 1, Destination::queue("q"), 100);
        CPPUNIT_ASSERT_EQUAL(kMany / 4, consume(0, 1));
        h.sync();
        CPPUNIT_ASSERT_MESSAGE("and leaves nothing on the disk",
                               h.store.content().messages.empty());
        fill(kMany / 4, false);
        h.restart();
        CPPUNIT_ASSERT_MESSAGE("it ends with the process", h.store.content().messages.empty());
    }

    void aCommitOfWhatIsBeingSpilledLeavesNothing() {
        s = h.open();
        for (int i = 0; i < 3; ++i) {
            auto message = h.text("q", string(kMemory / 2, 'x'), false);
            h.apply(Send{s, {}, std::move(message)});
        }
        CPPUNIT_ASSERT_MESSAGE("on its way to the disk", !h.store.idle());
        h.apply(h.subscription(s, 1, Destination::queue("q")));
        CommitTransaction commit;
        commit.session = s;
        while (const auto d = h.take<Delivered>()) commit.accepts.push_back(d->delivery.id);
        CPPUNIT_ASSERT_EQUAL(std::size_t(3), commit.accepts.size());
        commit.sends = {h.text("other", "kept")};
        h.apply(std::move(commit));
        h.sync();
        CPPUNIT_ASSERT_EQUAL_MESSAGE("only what was sent is stored", std::size_t(1),
                                     h.store.content().messages.size());
    }

    void whatAQueueKeepsInMemoryEndsWithTheProcess() {
        s = h.open();
        QueueOptions keep;
        keep.keep = Keep::memory;
        h.run(DefineQueue{s, {}, "q", keep});
        fill(kMany / 4);
        CPPUNIT_ASSERT_MESSAGE("spilled", !h.store.content().messages.empty());
        h.subscribe(s, 1, Destination::queue("q"), 100);
        CPPUNIT_ASSERT_EQUAL(kMany / 4, consume(0, 1));
        fill(kMany / 4);
        h.restart();
        CPPUNIT_ASSERT(h.store.content().messages.empty());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(0), h.queue("q").depth);
    }

    void selectsFromDisk() {
        fill(kMany);
        auto c = h.subscription(s, 1, Destination::queue("q"), 50);
        c.selector = "number >= 90000 AND number < 90100";
        h.run(c);
        h.take<Completed>();
        CPPUNIT_ASSERT_EQUAL(100, consume(90'000, 1));
        c.consumer = ConsumerId(2);
        c.selector = "number = 99999";
        h.run(c);
        h.take<Completed>();
        CPPUNIT_ASSERT_EQUAL(1, consume(99'999, 1));
        sync();
    }

    void whoHasEnoughToDoWaitsAMomentForTheDisk() {
        fill(kMany);
        auto c = h.subscription(s, 1, Destination::queue("q"), 40);
        c.selector = "number >= 90000";
        h.run(c);
        h.take<Completed>();
        std::vector<DeliveryId> held;
        int next = 90'000;
        const auto takeAll = [&] {
            while (const auto d = h.take<Delivered>()) {
                CPPUNIT_ASSERT_EQUAL(std::to_string(next++),
                                     string(d->delivery.message->body.view()));
                held.push_back(d->delivery.id);
            }
        };
        const auto settle = [&](int count) {
            for (int i = 0; i < count; ++i) {
                h.apply(h.settle(s, held.front(), Outcome::accepted));
                held.erase(held.begin());
            }
            sync();
            takeAll();
        };
        takeAll();
        CPPUNIT_ASSERT_EQUAL(std::size_t(40), held.size());
        settle(9);  // less than a quarter of its window
        CPPUNIT_ASSERT_EQUAL(std::size_t(31), held.size());
        h.wait(100ms);  // it may settle nothing before it has more
        sync();
        takeAll();
        CPPUNIT_ASSERT_EQUAL(std::size_t(40), held.size());
        settle(10);
        CPPUNIT_ASSERT_EQUAL(std::size_t(40), held.size());
    }

    void looksAndPurgesWithoutFillingMemory() {
        fill(kMany);
        h.effects.clear();
        Browse browse{s, RequestId(1), "q", {}, 10};
        browse.selector = "number > 99000";
        h.run(browse);
        const auto page = *h.take<Browsed>();
        CPPUNIT_ASSERT_EQUAL(std::size_t(10), page.entries.size());
        CPPUNIT_ASSERT_EQUAL(string("99001"), string(page.entries[0].message->body.view()));
        sync();
        Purge purge{s, RequestId(2), "q"};
        purge.selection.selector = "number BETWEEN 1 AND 99998";
        h.run(purge);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(kMany - 2), h.take<Completed>()->count);
        sync();
        h.run(MoveMessages{s, RequestId(3), "q", "r"});
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(2), h.take<Completed>()->count);
        h.broker->checkInvariants();
    }

    void deadLettersAndExpiresFromDisk() {
        fill(20'000, true, 1h);
        h.subscribe(s, 1, Destination::queue("q"), 10);
        for (int i = 0; i < 100; ++i) {
            const auto d = h.take<Delivered>();
            CPPUNIT_ASSERT_EQUAL(std::to_string(i), string(d->delivery.message->body.view()));
            h.run(h.settle(s, d->delivery.id, Outcome::rejected));
        }
        h.run(Unsubscribe{s, {}, ConsumerId(1)});
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(100), h.queue("DLQ.q").depth);
        h.wait(2h);
        sync();
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(19'900), h.queue("EXPIRED.q").depth);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(0), h.queue("q").depth);
        h.broker->checkInvariants();
        h.effects.clear();
        h.run(MoveMessages{s, RequestId(3), "EXPIRED.q", ""});
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(19'900), h.take<Completed>()->count);
        sync();
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(19'900), h.queue("q").depth);
    }

    void takesAQueueOverARestart() {
        fill(kMany);
        h.restart();
        CPPUNIT_ASSERT(h.broker->picture(h.now).memory < 10'000);
        s = h.open();
        h.subscribe(s, 1, Destination::queue("q"), 1000);
        CPPUNIT_ASSERT_EQUAL(kMany, consume(0, 1));
        h.sync();
        CPPUNIT_ASSERT(h.store.content().messages.empty());
    }

    void goesOnWhereWhatItWaitedForHasGone() {
        auto small = options();
        small.readAheadBytes = 1;
        BrokerHarness bus(small);
        auto session = bus.open();
        for (const char* text : {"1", "2", "3"}) bus.run(Send{session, {}, bus.text("q", text)});
        bus.restart();
        session = bus.open();
        auto c = bus.subscription(session, 1, Destination::queue("q"));
        bus.apply(c);
        Purge purge{session, {}, "q"};
        purge.selection.ids = {std::next(bus.store.content().messages.begin())->first};
        bus.apply(purge);  // before its bytes are there
        bus.sync();
        string order;
        while (const auto d = bus.take<Delivered>()) order += d->delivery.message->body.view();
        CPPUNIT_ASSERT_EQUAL(string("13"), order);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(PagingTest);

}  // namespace busbar::test
