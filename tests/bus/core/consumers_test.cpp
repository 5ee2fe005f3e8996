// Priorities, exclusive consumers, at most once, exactly once.
#include "tests/bus/core/core_fixture.h"

#include <cppunit/extensions/HelperMacros.h>

#include <limits>

namespace busbar::test {

using namespace std::chrono_literals;
using std::string;

class ConsumersTest : public CoreFixture {
    CPPUNIT_TEST_SUITE(ConsumersTest);
    CPPUNIT_TEST(exclusiveConsumersAreAlone);
    CPPUNIT_TEST(servesTheHighestPriorityWithCreditFirst);
    CPPUNIT_TEST(fencingTokensRiseOverARestart);
    CPPUNIT_TEST(theNextExclusiveConsumerGetsWhatTheFirstHeld);
    CPPUNIT_TEST(atMostOnceIsGoneBeforeItIsGiven);
    CPPUNIT_TEST(atMostOnceIsNotGivenBeforeTheRemovalIsDurable);
    CPPUNIT_TEST(whatWasProcessedIsNotGivenAgain);
    CPPUNIT_TEST(exactlyOnceNeedsAConsumerThatIsAlone);
    CPPUNIT_TEST(oneThatNeverAcknowledgesHoldsNoMoreThanItsCredit);
    CPPUNIT_TEST(aTemporaryQueueThatHasGoneIsNotMadeAnew);
    CPPUNIT_TEST(creditIsTakenBackAtMostAllOfIt);
    CPPUNIT_TEST(aDrainGivesWhatIsThereAndIsAnsweredOnce);
    CPPUNIT_TEST(aDrainGivesWhatIsOnDisk);
    CPPUNIT_TEST(aDrainEndsWithItsConsumer);
    CPPUNIT_TEST(whatExpiredAtTheClientIsRecordedAsIfItHadHere);
    CPPUNIT_TEST(atMostOnceKeepsItsOrderWhereSomeWasSpilled);
    CPPUNIT_TEST_SUITE_END();

  public:
    void exclusiveConsumersAreAlone() {
        const auto s = h.open();
        auto c = h.subscription(s, 1, Destination::queue("q"));
        c.exclusive = true;
        h.run(c);
        CPPUNIT_ASSERT(!h.take<Completed>()->error);
        const auto first = h.take<ConsumerChanged>();
        CPPUNIT_ASSERT(first && first->active && first->fencingToken > 0);
        auto second = h.subscription(s, 2, Destination::queue("q"));
        second.exclusive = true;
        h.run(second);
        const auto standby = h.take<ConsumerChanged>();
        CPPUNIT_ASSERT(standby && !standby->active && standby->consumer == ConsumerId(2));
        h.subscribe(s, 3, Destination::queue("q"));
        h.take<ConsumerChanged>();
        for (int i = 0; i < 4; ++i) h.run(Send{s, {}, h.text("q", "m")});
        while (const auto d = h.take<Delivered>()) {
            CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), d->consumer.value);
            CPPUNIT_ASSERT_EQUAL(first->fencingToken, d->delivery.fencingToken);
        }
        h.run(Unsubscribe{s, {}, ConsumerId(1)});
        const auto next = h.take<ConsumerChanged>();
        CPPUNIT_ASSERT(next && next->active && next->consumer == ConsumerId(2));
        CPPUNIT_ASSERT(next->fencingToken > first->fencingToken);
        int taken = 0;
        for (; const auto d = h.take<Delivered>(); ++taken)
            CPPUNIT_ASSERT_EQUAL(std::uint64_t(2), d->consumer.value);
        CPPUNIT_ASSERT_EQUAL(4, taken);
    }

    Subscribe unwindowed(SessionId s, std::uint64_t id, std::uint32_t credit) {
        auto c = h.subscription(s, id, Destination::queue("q"), credit);
        c.windowed = false;
        return c;
    }
    AddCredit drain(SessionId s, std::uint64_t id, std::int32_t credit, std::uint64_t request) {
        return {s, ConsumerId(id), credit, true, RequestId(request)};
    }
    int delivered() {
        int count = 0;
        while (h.take<Delivered>()) ++count;
        return count;
    }

    void creditIsTakenBackAtMostAllOfIt() {
        const auto s = h.open();
        h.run(unwindowed(s, 1, 5));
        h.run(AddCredit{s, ConsumerId(1), -2});
        for (int i = 0; i < 10; ++i) send(s, "q", "x", 0);
        CPPUNIT_ASSERT_EQUAL(3, delivered());
        h.run(AddCredit{s, ConsumerId(1), std::numeric_limits<std::int32_t>::min()});
        CPPUNIT_ASSERT_EQUAL(0, delivered());
        h.run(AddCredit{s, ConsumerId(1), 4});
        CPPUNIT_ASSERT_EQUAL_MESSAGE("no debt", 4, delivered());
    }

    void aDrainGivesWhatIsThereAndIsAnsweredOnce() {
        const auto s = h.open();
        for (int i = 0; i < 3; ++i) send(s, "q", "x", 0);
        h.run(unwindowed(s, 1, 0));
        h.effects.clear();
        h.run(drain(s, 1, 10, 7));
        CPPUNIT_ASSERT_EQUAL(std::size_t(4), h.effects.size());
        CPPUNIT_ASSERT_MESSAGE("behind the last delivery",
                               std::holds_alternative<Completed>(h.effects.back()));
        CPPUNIT_ASSERT_EQUAL(3, delivered());
        const auto answer = *h.take<Completed>();
        CPPUNIT_ASSERT(answer.request == RequestId(7));
        CPPUNIT_ASSERT_EQUAL_MESSAGE("what lapsed", std::uint64_t(7), answer.count);
        send(s, "q", "x", 0);
        CPPUNIT_ASSERT_MESSAGE("nothing more without new credit", h.effects.empty());
        h.run(AddCredit{s, ConsumerId(1), 1});
        CPPUNIT_ASSERT_EQUAL(1, delivered());
        h.run(drain(s, 1, 0, 8));
        CPPUNIT_ASSERT_EQUAL_MESSAGE("also with none", std::uint64_t(0),
                                     h.take<Completed>()->count);
    }

    void aDrainGivesWhatIsOnDisk() {
        BrokerOptions options;
        options.memoryMax = 20'000;
        options.readAheadBytes = 5'000;
        h = BrokerHarness(options);
        const auto s = h.open();
        for (int i = 0; i < 50; ++i) send(s, "q", string(1'000, 'x'), 0);
        h.run(unwindowed(s, 1, 0));
        h.effects.clear();
        h.run(drain(s, 1, 100, 7));
        CPPUNIT_ASSERT(std::holds_alternative<Completed>(h.effects.back()));
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(50), h.take<Completed>()->count);
        CPPUNIT_ASSERT_EQUAL(50, delivered());
    }

    void aDrainEndsWithItsConsumer() {
        BrokerOptions options;
        options.memoryMax = 2'000;
        h = BrokerHarness(options);
        const auto s = h.open();
        for (int i = 0; i < 5; ++i) send(s, "q", string(1'000, 'x'), 0);
        h.run(unwindowed(s, 1, 0));
        h.effects.clear();
        h.apply(drain(s, 1, 100, 7));  // waits for the disk
        CPPUNIT_ASSERT(!h.take<Completed>());
        h.apply(drain(s, 1, 1, 8));
        CPPUNIT_ASSERT_MESSAGE("the next one ends it",
                               h.take<Completed>()->request == RequestId(7));
        h.apply(Unsubscribe{s, {}, ConsumerId(1)});
        CPPUNIT_ASSERT(h.take<Completed>()->request == RequestId(8));
        h.sync();
        CPPUNIT_ASSERT(!h.take<Completed>());
    }

    void whatExpiredAtTheClientIsRecordedAsIfItHadHere() {
        const auto s = h.open();
        h.subscribe(s, 1, Destination::queue("q"));
        send(s, "q", "x", 0);
        h.run(h.settle(s, h.take<Delivered>()->delivery.id, Outcome::expired));
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), h.queue("q").expired);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(0), h.queue("q").depth);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), h.queue("EXPIRED.q").depth);
        h.run(Send{s, {}, h.text("q", "x", false)});
        h.run(h.settle(s, h.take<Delivered>()->delivery.id, Outcome::expired));
        CPPUNIT_ASSERT_EQUAL_MESSAGE("only of what is persistent", std::uint64_t(1),
                                     h.queue("EXPIRED.q").depth);
    }

    void atMostOnceKeepsItsOrderWhereSomeWasSpilled() {
        BrokerOptions options;
        options.memoryMax = 3'000;
        h = BrokerHarness(options);
        const auto s = h.open();
        for (char c = 'a'; c < 'g'; ++c) {
            h.apply(Send{s, {}, h.text("q", string(600, c), false)});
            h.sync();
        }
        CPPUNIT_ASSERT_MESSAGE("some are on the disk", !h.store.content().messages.empty());
        auto once = h.subscription(s, 1, Destination::queue("q"), 100);
        once.ackMode = AckMode::none;
        h.apply(once);
        while (!h.store.idle() || h.store.reading() > 0) {  // reads are faster than syncs
            if (h.store.reading() > 0) {
                h.broker->loaded(h.store.answer(1), h.now, h.step());
                h.carryOut();
                continue;
            }
            h.apply(Send{s, {}, h.text("q", string(1, 'z'), false)});
            h.broker->progress(h.store.sync(1), h.now, h.step());
            h.carryOut();
        }
        string order;
        while (const auto d = h.take<Delivered>()) order += body(*d)[0];
        CPPUNIT_ASSERT_EQUAL(string("abcdef"), order.substr(0, 6));
        CPPUNIT_ASSERT_EQUAL(string::npos, order.find_first_not_of('z', 6));
        CPPUNIT_ASSERT(order.size() > 6 && h.store.content().messages.empty());
    }

    void servesTheHighestPriorityWithCreditFirst() {
        const auto s = h.open();
        const std::int32_t priorities[] = {std::numeric_limits<std::int32_t>::min(), 5,
                                           std::numeric_limits<std::int32_t>::max()};
        for (std::uint64_t i = 0; i < 3; ++i) {
            auto c = h.subscription(s, i + 1, Destination::queue("q"), 2);
            c.priority = priorities[i];
            h.run(c);
        }
        for (int i = 0; i < 6; ++i) send(s, "q", "x", 0);
        string order;
        while (const auto d = h.take<Delivered>()) order += std::to_string(d->consumer.value);
        CPPUNIT_ASSERT_EQUAL(string("332211"), order);
    }

    void fencingTokensRiseOverARestart() {
        std::uint64_t last = 0;
        for (int life = 0; life < 4; ++life) {
            const auto s = h.open();
            auto c = h.subscription(s, 1, Destination::queue("q"));
            c.exclusive = true;
            h.run(c);
            const auto token = h.take<ConsumerChanged>()->fencingToken;
            CPPUNIT_ASSERT(token > last);
            last = token;
            h.restart();
        }
    }

    void theNextExclusiveConsumerGetsWhatTheFirstHeld() {
        const auto a = h.open(), b = h.open();
        for (const auto& [s, id] : {std::pair{a, 1}, {b, 2}}) {
            auto c = h.subscription(s, static_cast<std::uint64_t>(id), Destination::queue("q"));
            c.exclusive = true;
            h.run(c);
        }
        send(a, "q", "1", 0);
        const auto first = *h.take<Delivered>();
        CPPUNIT_ASSERT(first.session == a);
        h.run(CloseSession{a});
        const auto next = *h.take<Delivered>();
        CPPUNIT_ASSERT(next.session == b && next.delivery.count == 2);
        CPPUNIT_ASSERT(next.delivery.fencingToken > first.delivery.fencingToken);
    }

    void atMostOnceIsGoneBeforeItIsGiven() {
        auto s = h.open();
        auto c = h.subscription(s, 1, Destination::queue("q"));
        c.ackMode = AckMode::none;
        h.run(c);
        h.apply(Send{s, {}, h.text("q", "1")});
        h.broker->progress(h.store.sync(100), h.now, h.step());
        h.carryOut();
        h.broker->progress(h.store.sync(100), h.now, h.step());
        h.carryOut();
        CPPUNIT_ASSERT(h.take<Delivered>());
        CPPUNIT_ASSERT(h.store.content().messages.empty());
        h.restart();
        s = h.open();
        h.subscribe(s, 1, Destination::queue("q"));
        CPPUNIT_ASSERT(!h.take<Delivered>());
    }

    void atMostOnceIsNotGivenBeforeTheRemovalIsDurable() {
        const auto s = h.open();
        send(s, "q", "1", 0);
        auto c = h.subscription(s, 1, Destination::queue("q"));
        c.ackMode = AckMode::none;
        h.apply(c);
        CPPUNIT_ASSERT(!h.take<Delivered>());
        h.sync();
        const auto d = h.take<Delivered>();
        CPPUNIT_ASSERT(d && !d->delivery.id);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), h.queue("q").out);
    }

    void whatWasProcessedIsNotGivenAgain() {
        const auto a = h.open();
        auto c = h.subscription(a, 1, Destination::queue("q"), 2);
        c.exclusive = c.exactlyOnce = true;
        h.run(c);
        for (const char* text : {"1", "2", "3", "4"}) send(a, "q", text, 0);
        const auto held = h.take<Delivered>()->delivery.stored;
        h.take<Delivered>();
        // The connection is lost, the bus has not seen it yet; the consumer comes back.
        const auto b = h.open();
        c.session = b;
        c.processed = {held, StoredId(held.value + 2), StoredId(999'999)};
        c.credit = 10;
        h.run(c);
        h.run(CloseSession{a});
        string order;
        while (const auto d = h.take<Delivered>()) order += d->session == b ? body(*d) : "";
        CPPUNIT_ASSERT_EQUAL(string("24"), order);
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), h.store.content().messages.size());
    }

    void exactlyOnceNeedsAConsumerThatIsAlone() {
        const auto s = h.open();
        for (const auto& source : {Destination::queue("q"), Destination::topic("t")}) {
            auto c = h.subscription(s, 1, source);
            c.exactlyOnce = true;
            h.run(c);
            CPPUNIT_ASSERT(h.take<Completed>()->error->code == ErrorCode::invalidArgument);
        }
        CPPUNIT_ASSERT_MESSAGE("nothing is left of it", h.broker->picture(h.now).queues.empty());
    }

    void oneThatNeverAcknowledgesHoldsNoMoreThanItsCredit() {
        const auto s = h.open(), good = h.open();
        h.subscribe(s, 1, Destination::queue("q"), 3);
        h.subscribe(good, 2, Destination::queue("q"), 1);
        for (int i = 0; i < 50; ++i) send(s, "q", "x", 0);
        int stuck = 0, done = 0;
        while (const auto d = h.take<Delivered>()) {
            if (d->session == s) {
                ++stuck;
                continue;
            }
            ++done;
            h.run(h.settle(good, d->delivery.id, Outcome::accepted));
        }
        CPPUNIT_ASSERT_EQUAL(3, stuck);
        CPPUNIT_ASSERT_EQUAL(47, done);
        h.wait(24h * 365);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(3), h.queue("q").held);
        h.run(CloseSession{s});
        for (int i = 0; i < 3; ++i) {
            const auto d = h.take<Delivered>();
            CPPUNIT_ASSERT_EQUAL(2u, d->delivery.count);
            h.run(h.settle(good, d->delivery.id, Outcome::accepted));
        }
    }

    void aTemporaryQueueThatHasGoneIsNotMadeAnew() {
        const auto s = h.open();
        h.run(h.subscription(s, 1, Destination{DestinationKind::temporaryQueue, "gone"}));
        CPPUNIT_ASSERT(h.take<Completed>()->error->code == ErrorCode::notFound);
        CPPUNIT_ASSERT(h.broker->picture(h.now).queues.empty());
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(ConsumersTest);

}  // namespace busbar::test
