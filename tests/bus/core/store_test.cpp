// What if the disk refuses, fails or cannot read?
#include "tests/bus/core/core_fixture.h"

#include <cppunit/extensions/HelperMacros.h>

namespace busbar::test {

using namespace std::chrono_literals;
using std::string;

class StoreTest : public CoreFixture {
    CPPUNIT_TEST_SUITE(StoreTest);
    CPPUNIT_TEST(refusesWhenTheDiskIsFullAndGoesOn);
    CPPUNIT_TEST(refusesEverythingAfterTheStoreFailed);
    CPPUNIT_TEST(keepsDeliveryCountsOverARestart);
    CPPUNIT_TEST(aQueueIsKnownWithItsFirstStoredMessage);
    CPPUNIT_TEST(aRefusedSubscribeLeavesNoConsumer);
    CPPUNIT_TEST(putsAsideWhatItCannotRead);
    CPPUNIT_TEST_SUITE_END();

  public:
    void refusesWhenTheDiskIsFullAndGoesOn() {
        const auto s = h.open();
        h.subscribe(s, 1, Destination::queue("q"));
        send(s, "q", "before");
        h.take<Completed>();
        h.store.setFull(true);
        send(s, "q", "refused", 2);
        CPPUNIT_ASSERT(h.take<Completed>()->error->code == ErrorCode::storageFull);
        h.run(h.settle(s, h.take<Delivered>()->delivery.id, Outcome::accepted, 3));
        CPPUNIT_ASSERT_MESSAGE("acknowledging goes on", !h.take<Completed>()->error);
        CPPUNIT_ASSERT(!h.take<Delivered>());
        h.store.setFull(false);
        send(s, "q", "after", 4);
        CPPUNIT_ASSERT(!h.take<Completed>()->error);
        CPPUNIT_ASSERT_EQUAL(string("after"), body(*h.take<Delivered>()));
    }

    void refusesEverythingAfterTheStoreFailed() {
        const auto s = h.open();
        h.apply(Send{s, RequestId(1), h.text("q", "in flight")});
        Step step;
        h.broker->progress(
            StoreProgress{UnitSequence(), {}, Error{ErrorCode::storageFailed, "EIO"}}, h.now, step);
        CPPUNIT_ASSERT(std::get<Completed>(step.effects.at(0)).error->code ==
                       ErrorCode::storageFailed);
        h.apply(Send{s, RequestId(2), h.text("q", "after")});
        CPPUNIT_ASSERT(h.take<Completed>()->error->code == ErrorCode::storageFailed);
    }

    void keepsDeliveryCountsOverARestart() {
        auto s = h.open();
        h.subscribe(s, 1, Destination::queue("q"));
        send(s, "q", "a");
        h.run(h.settle(s, h.take<Delivered>()->delivery.id, Outcome::failed));
        h.sync();
        h.restart();
        s = h.open();
        h.subscribe(s, 1, Destination::queue("q"));
        CPPUNIT_ASSERT_EQUAL(2u, h.take<Delivered>()->delivery.count);
    }

    void aQueueIsKnownWithItsFirstStoredMessage() {
        const auto s = h.open();
        h.store.setFull(true);
        h.apply(Send{s, RequestId(1), h.text("q", "refused")});
        h.apply(Send{s, RequestId(2), h.text("q", "taken")});
        h.broker->progress(h.store.sync(1), h.now, h.step());  // the first message
        h.store.setFull(false);
        h.carryOut();
        h.sync();
        CPPUNIT_ASSERT(h.take<Completed>()->error);
        CPPUNIT_ASSERT(!h.take<Completed>()->error);
        h.restart();
        CPPUNIT_ASSERT_EQUAL_MESSAGE("confirmed, and there", std::uint64_t(1), h.queue("q").depth);
    }

    void aRefusedSubscribeLeavesNoConsumer() {
        const auto s = h.open();
        h.store.setFull(true);
        h.run(h.subscription(s, 1, Destination::queue("q")));
        CPPUNIT_ASSERT(h.take<Completed>()->error->code == ErrorCode::storageFull);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(0), h.queue("q").consumers);
        h.run(DefineService{s, RequestId(2), "svc"});
        h.run(DefineService{s, RequestId(3), "svc"});
        CPPUNIT_ASSERT(h.take<Completed>()->error && h.take<Completed>()->error);
    }

    void putsAsideWhatItCannotRead() {
        auto s = h.open();
        for (const char* text : {"1", "2", "3"}) send(s, "q", text, 0);
        h.restart();
        s = h.open();
        const auto bad = std::next(h.store.content().messages.begin())->first;
        h.store.setCorrupt(bad);
        h.run(Browse{s, RequestId(1), "q", {}});
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), h.take<Browsed>()->entries.size());
        h.subscribe(s, 1, Destination::queue("q"));
        string order;
        while (const auto d = h.take<Delivered>()) {
            order += body(*d);
            h.run(h.settle(s, d->delivery.id, Outcome::accepted));
        }
        CPPUNIT_ASSERT_EQUAL(string("13"), order);
        CPPUNIT_ASSERT(h.notices.at(0).level == Notice::Level::alarm);
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), h.notices.size());
        Selection selection;
        selection.selector = "JMSPriority = 4";
        h.run(Purge{s, RequestId(2), "q", selection});
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(0), h.take<Completed>()->count);
        h.run(MoveMessages{s, RequestId(3), "q", "r"});
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(0), h.take<Completed>()->count);
        selection = {};
        selection.ids = {bad};
        h.run(Purge{s, RequestId(4), "q", selection});
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), h.take<Completed>()->count);
        CPPUNIT_ASSERT(h.store.content().messages.empty());
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(StoreTest);

}  // namespace busbar::test
