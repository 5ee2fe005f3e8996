// When is a message delivered, whatever the clocks say?
#include "tests/bus/core/core_fixture.h"

#include <cppunit/extensions/HelperMacros.h>

#include <algorithm>

namespace busbar::test {

using namespace std::chrono_literals;
using std::string;

class ScheduleTest : public CoreFixture {
    CPPUNIT_TEST_SUITE(ScheduleTest);
    CPPUNIT_TEST(delaysDelivery);
    CPPUNIT_TEST(retriesAfterADelay);
    CPPUNIT_TEST(takesAnyTime);
    CPPUNIT_TEST(takesAnyWait);
    CPPUNIT_TEST(theTimeOfDayMayJump);
    CPPUNIT_TEST(aClockJumpEndsNoSubscription);
    CPPUNIT_TEST(changesADeliveryTime);
    CPPUNIT_TEST(triesAgainByItsSchedule);
    CPPUNIT_TEST(rememberFailuresOverARestart);
    CPPUNIT_TEST_SUITE_END();

  public:
    void delaysDelivery() {
        const auto s = h.open();
        h.subscribe(s, 1, Destination::queue("q"));
        auto message = h.text("q", "later");
        message->deliverAt = h.now.wall + 1s;
        h.run(Send{s, {}, message});
        h.wait(900ms);
        CPPUNIT_ASSERT(!h.take<Delivered>());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), h.queue("q").delayed);
        h.wait(100ms);
        CPPUNIT_ASSERT(h.take<Delivered>());
    }

    void retriesAfterADelay() {
        const auto s = h.open();
        h.subscribe(s, 1, Destination::queue("q"));
        send(s, "q", "a");
        auto nack = h.settle(s, h.take<Delivered>()->delivery.id, Outcome::failed);
        nack.delay = 2s;
        h.run(nack);
        h.wait(1999ms);
        CPPUNIT_ASSERT(!h.take<Delivered>());
        h.wait(1ms);
        CPPUNIT_ASSERT_EQUAL(2u, h.take<Delivered>()->delivery.count);
    }

    void delayed(SessionId s, const string& text, WallTime at, WallTime expiration = {}) {
        auto message = h.text("q", text);
        message->deliverAt = at;
        message->expiration = expiration;
        h.run(Send{s, {}, message});
    }
    string got() {
        string out;
        while (const auto d = h.take<Delivered>()) out += body(*d);
        return out;
    }
    StoredId idOf(SessionId s, std::size_t index) {
        h.run(Browse{s, RequestId(8), "q", {}});
        return h.take<Browsed>()->entries.at(index).id;
    }

    void takesAnyTime() {
        const auto s = h.open();
        h.subscribe(s, 1, Destination::queue("q"));
        delayed(s, "a", WallTime::max());
        delayed(s, "b", WallTime::min());
        delayed(s, "c", WallTime(-5ms));
        delayed(s, "d", {}, WallTime::max());
        CPPUNIT_ASSERT_EQUAL(string("bcd"), got());
        h.run(Unsubscribe{s, {}, ConsumerId(1)});
        delayed(s, "e", {}, WallTime::min());
        delayed(s, "f", {}, WallTime(-1ms));
        h.wait(1ms);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(2), h.queue("q").expired);
        h.restart();
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(4), h.queue("q").depth);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), h.queue("q").delayed);
    }

    void takesAnyWait() {
        const auto s = h.open();
        h.subscribe(s, 1, Destination::queue("q"));
        send(s, "q", "a", 0);
        auto fail = h.settle(s, h.take<Delivered>()->delivery.id, Outcome::failed);
        fail.delay = Milliseconds::max();
        h.run(fail);
        h.wait(24h * 365);
        CPPUNIT_ASSERT_EQUAL_MESSAGE("not at once, not soon", string(), got());
        send(s, "q", "b", 0);
        fail = h.settle(s, h.take<Delivered>()->delivery.id, Outcome::failed);
        fail.delay = Milliseconds::min();
        h.run(fail);
        CPPUNIT_ASSERT_EQUAL(string("b"), got());
        h.run(Receive{s, RequestId(1), "r", 1, Milliseconds::max(), Milliseconds::max()});
        h.wait(24h * 365);
        CPPUNIT_ASSERT(!h.take<Received>());
        send(s, "r", "c", 0);
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), h.take<Received>()->deliveries.size());
        h.wait(24h * 365);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), h.queue("r").held);
    }

    void theTimeOfDayMayJump() {
        const auto s = h.open();
        h.subscribe(s, 1, Destination::queue("q"));
        delayed(s, "a", h.now.wall + 1h);
        h.now.wall -= 24h * 365 * 20;
        h.wait(2h);
        CPPUNIT_ASSERT_EQUAL(string(), got());
        send(s, "q", "b", 0);
        CPPUNIT_ASSERT_EQUAL(string("b"), got());
        auto milk = h.text("r", "milk");
        milk->expiration = h.now.wall + 1h;
        h.run(Send{s, {}, milk});
        h.now.wall += 24h * 365 * 40;
        h.wait(1s);
        CPPUNIT_ASSERT_EQUAL(string("a"), got());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), h.queue("EXPIRED.r").depth);
    }

    void aClockJumpEndsNoSubscription() {
        BrokerOptions options;
        options.abandoned.unusedMax = 24h;
        BrokerHarness bus(options);
        const auto s = bus.open("user", "me");
        auto c = bus.subscription(s, 1, Destination::topic("t"));
        c.durableName = "d";
        bus.run(c);
        bus.run(Unsubscribe{s, {}, ConsumerId(1)});
        bus.now.wall += 24h * 365 * 40;
        bus.wait(1min);
        CPPUNIT_ASSERT_EQUAL(string("me.d"), bus.queue("me.d").name);
        bus.wait(20h);
        CPPUNIT_ASSERT_EQUAL_MESSAGE("warned at 80 %", std::size_t(1), bus.notices.size());
        bus.wait(4h);
        CPPUNIT_ASSERT_EQUAL_MESSAGE("ended", string(), bus.queue("me.d").name);
        CPPUNIT_ASSERT(bus.store.content().messages.empty());
    }

    void changesADeliveryTime() {
        auto s = h.open();
        delayed(s, "a", h.now.wall + 1h);
        delayed(s, "b", h.now.wall + 1h);
        const auto a = idOf(s, 0), b = idOf(s, 1);
        h.run(Reschedule{s, RequestId(1), "q", a, h.now.wall + 2h});
        h.run(Reschedule{s, RequestId(2), "q", b, WallTime{}});
        h.restart();
        s = h.open();
        h.subscribe(s, 1, Destination::queue("q"));
        CPPUNIT_ASSERT_EQUAL(string("b"), got());
        h.wait(90min);
        CPPUNIT_ASSERT_EQUAL(string(), got());
        h.wait(30min);
        CPPUNIT_ASSERT_EQUAL(string("a"), got());
        h.effects.clear();
        h.run(Reschedule{s, RequestId(3), "q", a, h.now.wall});
        CPPUNIT_ASSERT(h.take<Completed>()->error->code == ErrorCode::notFound);
    }

    void triesAgainByItsSchedule() {
        const auto s = h.open();
        QueueOptions options;
        options.redeliveryDelays = {1s, 10s};
        options.deliveriesMax = 4;
        h.run(DefineQueue{s, {}, "q", options});
        h.subscribe(s, 1, Destination::queue("q"));
        send(s, "q", "a", 0);
        for (const Milliseconds delay : {1000ms, 10'000ms, 10'000ms}) {
            h.run(h.settle(s, h.take<Delivered>()->delivery.id, Outcome::failed));
            h.wait(delay - 1ms);
            CPPUNIT_ASSERT(!h.take<Delivered>());
            h.wait(1ms);
        }
        h.run(h.settle(s, h.take<Delivered>()->delivery.id, Outcome::failed));
        h.run(Browse{s, RequestId(5), "DLQ.q", {}});
        const auto dead = h.take<Browsed>()->entries.at(0).message;
        const string history = toText(*dead->properties.find("BusbarHistory"));
        CPPUNIT_ASSERT_EQUAL_MESSAGE("each failure on a line", std::ptrdiff_t(3),
                                     std::count(history.begin(), history.end(), '\n'));
    }

    void rememberFailuresOverARestart() {
        for (int i = 0; i < 2; ++i) {
            const auto s = h.open();
            h.subscribe(s, 1, Destination::queue("q"));
            if (i == 0) send(s, "q", "a", 0);
            const auto d = *h.take<Delivered>();
            auto settle = h.settle(s, d.delivery.id, i == 0 ? Outcome::failed : Outcome::rejected);
            settle.reason = "failure " + std::to_string(i);
            h.run(settle);
            if (i == 0) h.restart();
        }
        const auto s = h.open();
        h.run(Browse{s, RequestId(5), "DLQ.q", {}});
        const auto dead = h.take<Browsed>()->entries.at(0).message;
        const string history = toText(*dead->properties.find("BusbarHistory"));
        CPPUNIT_ASSERT(history.find("failure 0") < history.find("failure 1"));
        for (const auto& [key, value] : h.store.content().rows)
            CPPUNIT_ASSERT_MESSAGE("forgotten with the message", key.first != Table::failures);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(ScheduleTest);

}  // namespace busbar::test
