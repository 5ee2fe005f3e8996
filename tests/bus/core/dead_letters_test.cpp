// Where do messages go that nobody could process?
#include "tests/bus/core/core_fixture.h"

#include <cppunit/extensions/HelperMacros.h>

namespace busbar::test {

using namespace std::chrono_literals;
using std::string;

class DeadLettersTest : public CoreFixture {
    CPPUNIT_TEST_SUITE(DeadLettersTest);
    CPPUNIT_TEST(deadLettersAfterTooManyDeliveries);
    CPPUNIT_TEST(deadLettersARejectedMessageWithItsReason);
    CPPUNIT_TEST(answersARejectionWhenTheDeadLetterIsDurable);
    CPPUNIT_TEST(passesLargeBodiesOnAndLetsGoOfThem);
    CPPUNIT_TEST(largeBodiesCountAfterARestartToo);
    CPPUNIT_TEST(putsDeadLettersBack);
    CPPUNIT_TEST(expiresToTheExpiryQueue);
    CPPUNIT_TEST_SUITE_END();

  public:
    void deadLettersAfterTooManyDeliveries() {
        const auto s = h.open();
        h.subscribe(s, 1, Destination::queue("q"));
        send(s, "q", "poison");
        for (unsigned i = 1; i <= 10; ++i) {
            const auto d = h.take<Delivered>();
            CPPUNIT_ASSERT(d);
            CPPUNIT_ASSERT_EQUAL(i, d->delivery.count);
            h.run(h.settle(s, d->delivery.id, Outcome::failed));
        }
        CPPUNIT_ASSERT(!h.take<Delivered>());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), h.queue("DLQ.q").depth);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), h.queue("q").dead);
    }

    void deadLettersARejectedMessageWithItsReason() {
        const auto s = h.open();
        h.subscribe(s, 1, Destination::queue("q"));
        send(s, "q", "bad");
        h.run(h.settle(s, h.take<Delivered>()->delivery.id, Outcome::rejected));
        h.run(Browse{s, RequestId(5), "DLQ.q", {}, 10});
        const auto dead = h.take<Browsed>();
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), dead->entries.size());
        const Properties& p = dead->entries[0].message->properties;
        CPPUNIT_ASSERT_EQUAL(string("q"), toText(*p.find("BusbarOrigin")));
        CPPUNIT_ASSERT_EQUAL(string("because"), toText(*p.find("BusbarText")));
        CPPUNIT_ASSERT_EQUAL(string("1"), toText(*p.find("BusbarDeliveryCount")));
    }

    void answersARejectionWhenTheDeadLetterIsDurable() {
        const auto s = h.open();
        h.subscribe(s, 1, Destination::queue("q"));
        send(s, "q", "bad");
        h.take<Completed>();
        h.apply(h.settle(s, h.take<Delivered>()->delivery.id, Outcome::rejected, 7));
        CPPUNIT_ASSERT_MESSAGE("not before", !h.take<Completed>());
        h.sync();
        const auto done = h.take<Completed>();
        CPPUNIT_ASSERT(done && done->request == RequestId(7) && !done->error);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(0), h.queue("q").depth);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), h.queue("DLQ.q").depth);
    }

    void largeBodiesCountAfterARestartToo() {
        const auto s = h.open();
        h.run(DefineQueue{s, {}, "q", {}});
        h.run(Send{s, {}, h.large("q", 7, 1)});
        h.restart();
        CPPUNIT_ASSERT(h.queue("q").bytes >= (1ull << 31));
    }

    void passesLargeBodiesOnAndLetsGoOfThem() {
        const auto s = h.open();
        h.subscribe(s, 1, Destination::queue("q"));
        auto message = h.large("q", 7, 1);
        message->persistent = false;
        const std::weak_ptr<const LargeBody> pin = message->large;
        h.run(Send{s, {}, std::move(message)});
        CPPUNIT_ASSERT_MESSAGE("the queue's size counts it", h.queue("q").bytes >= (1ull << 31));
        CPPUNIT_ASSERT_MESSAGE("memory does not", h.queue("q").inMemory < 10'000);
        auto delivered = h.take<Delivered>();
        CPPUNIT_ASSERT(delivered->delivery.message->large == pin.lock());
        h.run(h.settle(s, delivered->delivery.id, Outcome::rejected));
        h.run(Browse{s, RequestId(5), "DLQ.q", {}, 10});
        auto dead = h.take<Browsed>();
        CPPUNIT_ASSERT(dead->entries[0].message->large == pin.lock());
        dead.reset();
        delivered.reset();
        CPPUNIT_ASSERT(!pin.expired());
        h.run(Purge{s, RequestId(6), "DLQ.q"});
        CPPUNIT_ASSERT(pin.expired());
    }

    void putsDeadLettersBack() {
        deadLettersARejectedMessageWithItsReason();
        const auto s = h.open();
        h.run(MoveMessages{s, RequestId(6), "DLQ.q", ""});
        while (const auto done = h.take<Completed>()) {
            if (done->request == RequestId(6)) CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), done->count);
        }
        const auto back = h.take<Delivered>();
        CPPUNIT_ASSERT_EQUAL(string("bad"), body(*back));
        CPPUNIT_ASSERT(!back->delivery.message->properties.find("BusbarOrigin"));
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(0), h.queue("DLQ.q").depth);
    }

    void expiresToTheExpiryQueue() {
        const auto s = h.open();
        auto message = h.text("q", "milk");
        message->expiration = h.now.wall + 500ms;
        h.run(Send{s, {}, message});
        h.wait(400ms);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), h.queue("q").depth);
        h.wait(200ms);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(0), h.queue("q").depth);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), h.queue("q").expired);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), h.queue("EXPIRED.q").depth);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(DeadLettersTest);

}  // namespace busbar::test
