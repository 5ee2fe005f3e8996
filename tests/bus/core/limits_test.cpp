// What happens where there is no room?
#include "tests/bus/core/core_fixture.h"

#include <cppunit/extensions/HelperMacros.h>

namespace busbar::test {

using namespace std::chrono_literals;
using std::string;

class LimitsTest : public CoreFixture {
    CPPUNIT_TEST_SUITE(LimitsTest);
    CPPUNIT_TEST(refusesOverALimitAndTakesAgain);
    CPPUNIT_TEST(blocksProducersAndLetsThemInInOrder);
    CPPUNIT_TEST(forgetsWhatAClosedSessionWantedToSend);
    CPPUNIT_TEST(refusesWhatWaitsForADeletedQueue);
    CPPUNIT_TEST(aRefusedSendMakesRoom);
    CPPUNIT_TEST(dropsTheOldest);
    CPPUNIT_TEST(dropsNothingForWhatNeverFits);
    CPPUNIT_TEST(dropsWhatIsDelayedWhereNothingIsReady);
    CPPUNIT_TEST(spillsBeyondItsLimits);
    CPPUNIT_TEST(asksProducersToWaitForTheDisk);
    CPPUNIT_TEST(aMillionTemporaryQueuesMeetALimit);
    CPPUNIT_TEST(aDurableSubscriptionIsUsableAtTheLimitOfQueues);
    CPPUNIT_TEST_SUITE_END();

  public:
    void refusesOverALimitAndTakesAgain() {
        const auto s = h.open();
        QueueOptions options;
        options.messagesMax = 2;
        h.run(DefineQueue{s, {}, "q", options});
        for (std::uint64_t i = 1; i <= 3; ++i) send(s, "q", "x", i);
        CPPUNIT_ASSERT(!h.take<Completed>()->error && !h.take<Completed>()->error);
        CPPUNIT_ASSERT(h.take<Completed>()->error->code == ErrorCode::limitReached);
        send(s, "other", "x", 4);
        CPPUNIT_ASSERT_MESSAGE("only that queue is closed", !h.take<Completed>()->error);
        h.run(Purge{s, {}, "q"});
        send(s, "q", "x", 5);
        CPPUNIT_ASSERT(!h.take<Completed>()->error);
    }

    void define(SessionId s, WhenFull whenFull, std::uint64_t messages, std::uint64_t bytes = 0) {
        QueueOptions options;
        options.messagesMax = messages;
        options.bytesMax = bytes;
        options.whenFull = whenFull;
        h.run(DefineQueue{s, {}, "q", options});
    }
    string drained(SessionId s) {
        string out;
        h.subscribe(s, 77, Destination::queue("q"), 1);
        while (const auto d = h.take<Delivered>()) {
            out += body(*d);
            h.run(h.settle(s, d->delivery.id, Outcome::accepted));
        }
        h.run(Unsubscribe{s, {}, ConsumerId(77)});
        return out;
    }

    void blocksProducersAndLetsThemInInOrder() {
        const auto a = h.open(), b = h.open();
        define(a, WhenFull::block, 2);
        for (const char* text : {"1", "2"}) send(a, "q", text, 0);
        h.run(Send{a, RequestId(3), h.text("q", "3")});
        h.run(Send{b, RequestId(4), h.text("q", "4", false)});
        CPPUNIT_ASSERT(!h.take<Completed>());
        const auto first = h.take<ProducerBlocked>(), second = h.take<ProducerBlocked>();
        CPPUNIT_ASSERT(first && first->blocked && first->session == a && !first->text.empty());
        CPPUNIT_ASSERT(second && second->blocked && second->session == b);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(2), h.queue("q").blockedSends);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(2), h.queue("q").depth);
        CPPUNIT_ASSERT_EQUAL(string("1234"), drained(h.open()));
        CPPUNIT_ASSERT(!h.take<ProducerBlocked>()->blocked && !h.take<ProducerBlocked>()->blocked);
    }

    void forgetsWhatAClosedSessionWantedToSend() {
        const auto a = h.open(), b = h.open();
        define(a, WhenFull::block, 1);
        send(a, "q", "1", 0);
        send(b, "q", "2", 7);
        h.run(CloseSession{b});
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(0), h.queue("q").blockedSends);
        CPPUNIT_ASSERT_EQUAL(string("1"), drained(a));
    }

    void refusesWhatWaitsForADeletedQueue() {
        const auto s = h.open();
        define(s, WhenFull::block, 1);
        send(s, "q", "1", 0);
        send(s, "q", "2", 7);
        h.run(DeleteQueue{s, {}, "q"});
        CPPUNIT_ASSERT(h.take<Completed>()->error->code == ErrorCode::notFound);
        CPPUNIT_ASSERT(h.take<ProducerBlocked>()->blocked && !h.take<ProducerBlocked>()->blocked);
    }

    void aRefusedSendMakesRoom() {
        const auto s = h.open();
        define(s, WhenFull::block, 1);
        h.store.setFull(true);
        h.apply(Send{s, RequestId(1), h.text("q", "1")});
        h.apply(Send{s, RequestId(2), h.text("q", "2", false)});
        h.sync();
        CPPUNIT_ASSERT(h.take<Completed>()->error);
        CPPUNIT_ASSERT(!h.take<Completed>()->error);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), h.queue("q").depth);
    }

    void dropsTheOldest() {
        const auto s = h.open();
        define(s, WhenFull::dropOldest, 3);
        for (const char* text : {"1", "2", "3", "4", "5"}) send(s, "q", text, 0);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(2), h.queue("q").evicted);
        CPPUNIT_ASSERT_EQUAL(std::size_t(3), h.store.content().messages.size());
        CPPUNIT_ASSERT_EQUAL(string("345"), drained(s));
    }

    void dropsNothingForWhatNeverFits() {
        const auto s = h.open();
        define(s, WhenFull::dropOldest, 0, 10'000);
        send(s, "q", "1", 0);
        send(s, "q", string(20'000, 'x'), 2);
        CPPUNIT_ASSERT(h.take<Completed>()->error->code == ErrorCode::limitReached);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), h.queue("q").depth);
    }

    void dropsWhatIsDelayedWhereNothingIsReady() {
        const auto s = h.open();
        define(s, WhenFull::dropOldest, 1);
        auto later = h.text("q", "later");
        later->deliverAt = h.now.wall + 1h;
        h.run(Send{s, {}, later});
        send(s, "q", "now", 2);
        CPPUNIT_ASSERT(!h.take<Completed>()->error);
        CPPUNIT_ASSERT_EQUAL(string("now"), drained(s));
    }

    void spillsBeyondItsLimits() {
        const auto s = h.open();
        define(s, WhenFull::spill, 2);
        for (std::uint64_t i = 1; i <= 9; ++i) {
            send(s, "q", std::to_string(i), i);
            CPPUNIT_ASSERT(!h.take<Completed>()->error);
        }
        CPPUNIT_ASSERT_EQUAL(string("123456789"), drained(s));
    }

    void asksProducersToWaitForTheDisk() {
        BrokerOptions options;
        options.unconfirmedMax = 10'000;
        BrokerHarness bus(options);
        const auto s = bus.open();
        for (int i = 0; i < 20; ++i) bus.apply(Send{s, {}, bus.text("q", string(1000, 'x'))});
        CPPUNIT_ASSERT(bus.take<ProducerBlocked>()->blocked);
        CPPUNIT_ASSERT(!bus.broker->picture(bus.now).sessions.at(0).blocked.empty());
        bus.sync();
        CPPUNIT_ASSERT(!bus.take<ProducerBlocked>()->blocked);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(20), bus.queue("q").depth);
    }

    void aMillionTemporaryQueuesMeetALimit() {
        h.checkAlways = false;
        const auto s = h.open();
        int made = 0, refused = 0;
        for (int i = 0; i < 1'000'000; ++i) {
            h.apply(MakeTemporary{
                s, RequestId(1), {DestinationKind::temporaryQueue, "t" + std::to_string(i)}});
            const auto answer = h.take<Completed>();
            ++(answer->error ? refused : made);
            if (answer->error) CPPUNIT_ASSERT(answer->error->code == ErrorCode::limitReached);
        }
        CPPUNIT_ASSERT_EQUAL(1000, made);
        h.run(DeleteQueue{s, {}, "t0"});
        h.run(MakeTemporary{s, RequestId(2), {DestinationKind::temporaryQueue, "again"}});
        CPPUNIT_ASSERT_MESSAGE("a slot comes back", !h.take<Completed>()->error);
        h.run(CloseSession{s});
        CPPUNIT_ASSERT(h.broker->picture(h.now).queues.empty());
    }

    void aDurableSubscriptionIsUsableAtTheLimitOfQueues() {
        BrokerOptions options;
        options.queuesMax = 2;
        BrokerHarness bus(options);
        const auto s = bus.open("user", "me");
        auto c = bus.subscription(s, 1, Destination::topic("t"));
        c.durableName = "d";
        bus.run(c);
        bus.run(Unsubscribe{s, {}, ConsumerId(1)});
        bus.run(DefineQueue{s, {}, "q", {}});
        bus.effects.clear();
        bus.run(c);
        CPPUNIT_ASSERT(!bus.take<Completed>()->error);
        c.consumer = ConsumerId(2);
        c.durableName = "e";
        bus.run(c);
        CPPUNIT_ASSERT(bus.take<Completed>()->error->code == ErrorCode::limitReached);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(LimitsTest);

}  // namespace busbar::test
