// Does an operator see in time what goes wrong: lag, limits, services that wait for each other?
#include "tests/bus/core/core_fixture.h"

#include <cppunit/extensions/HelperMacros.h>

#include <algorithm>
#include <cmath>

namespace busbar::test {

using namespace std::chrono_literals;
using std::string;

class WatchTest : public CoreFixture {
    CPPUNIT_TEST_SUITE(WatchTest);
    CPPUNIT_TEST(countsWhatWaits);
    CPPUNIT_TEST(knowsTheAgeOfWhatWaitsOnDisk);
    CPPUNIT_TEST(measuresRatesAndEstimatesTheEnd);
    CPPUNIT_TEST(warnsOnceNearALimitAndOnceAtIt);
    CPPUNIT_TEST(tellsWhatHappensAtALimit);
    CPPUNIT_TEST(seesServicesThatWaitForEachOther);
    CPPUNIT_TEST(seesRequestsThatServicesSendThemselves);
    CPPUNIT_TEST(aFreeConsumerIsNoDeadlock);
    CPPUNIT_TEST_SUITE_END();

    std::size_t noticesOf(const string& part) const {
        return static_cast<std::size_t>(
            std::count_if(h.notices.begin(), h.notices.end(),
                          [&](const Notice& n) { return n.text.find(part) != string::npos; }));
    }
    SessionId worker(const string& service) {
        const auto s = h.open();
        h.run(DefineService{s, {}, service});
        h.subscribe(s, 1, Destination::queue(service + ".request"), 1);
        return s;
    }
    void call(SessionId s, const string& service) {
        h.run(Call{s, RequestId(++calls_), service, h.text("", "question"), 60s});
    }
    void look() {
        h.wait(1s);
        h.wait(1s);
    }
    std::uint64_t calls_ = 0;

  public:
    void countsWhatWaits() {
        const auto s = h.open();
        for (int i = 0; i < 4; ++i) send(s, "q", "text", 0);
        auto later = h.text("q", "text");
        later->deliverAt = h.now.wall + 1h;
        h.run(Send{s, {}, later});
        h.wait(3s);
        send(s, "q", "text", 0);
        h.subscribe(s, 1, Destination::queue("q"), 1);
        const auto q = h.queue("q");
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(4), q.waiting);
        CPPUNIT_ASSERT_EQUAL_MESSAGE("all are alike", q.bytes / 6 * 4, q.waitingBytes);
        CPPUNIT_ASSERT_EQUAL(std::int64_t(3'000), q.oldestAgeMs);
        for (int i = 0; i < 3; ++i)
            h.run(h.settle(s, h.take<Delivered>()->delivery.id, Outcome::accepted));
        CPPUNIT_ASSERT_EQUAL_MESSAGE("of those that wait", std::int64_t(0),
                                     h.queue("q").oldestAgeMs);
    }

    void knowsTheAgeOfWhatWaitsOnDisk() {
        BrokerOptions options;
        options.memoryMax = 10'000;
        h = BrokerHarness(options);
        const auto s = h.open();
        for (int i = 0; i < 20; ++i) send(s, "q", string(2'000, 'x'), 0);
        h.restart();
        h.wait(10s);
        CPPUNIT_ASSERT_EQUAL(std::int64_t(10'000), h.queue("q").oldestAgeMs);
        const std::uint64_t asked = h.store.asked();
        h.wait(10s);
        CPPUNIT_ASSERT_EQUAL(std::int64_t(20'000), h.queue("q").oldestAgeMs);
        CPPUNIT_ASSERT_EQUAL_MESSAGE("read once", asked, h.store.asked());
    }

    void measuresRatesAndEstimatesTheEnd() {
        const auto s = h.open();
        for (int i = 0; i < 200; ++i) send(s, "q", "x", 0);
        h.checkAlways = false;
        for (int second = 0; second < 600; ++second) {
            for (int i = 0; i < 2; ++i) send(s, "q", "x", 0);
            h.wait(1s);
        }
        CPPUNIT_ASSERT(std::abs(h.queue("q").inRate - 2) < 0.1);
        CPPUNIT_ASSERT(h.queue("q").outRate < 0.001);
        CPPUNIT_ASSERT_MESSAGE("it gets no shorter", h.queue("q").drainSeconds < 0);
        h.subscribe(s, 1, Destination::queue("q"), 5);
        for (int second = 0; second < 120; ++second) {
            for (int i = 0; i < 5; ++i)
                h.apply(h.settle(s, h.take<Delivered>()->delivery.id, Outcome::accepted));
            h.wait(1s);
        }
        const auto q = h.queue("q");
        CPPUNIT_ASSERT(q.outRate > 4 && q.outRate <= 5 && q.inRate < 0.4);
        const double rest = static_cast<double>(q.waiting) / (q.outRate - q.inRate);
        CPPUNIT_ASSERT(std::abs(q.drainSeconds - rest) < 0.01);
        h.run(Purge{s, {}, "q"});
        CPPUNIT_ASSERT_EQUAL(0.0, h.queue("q").drainSeconds);
    }

    void warnsOnceNearALimitAndOnceAtIt() {
        const auto s = h.open();
        QueueOptions options;
        options.messagesMax = 10;
        h.run(DefineQueue{s, {}, "q", options});
        for (int i = 0; i < 7; ++i) send(s, "q", "x", 0);
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), h.notices.size());
        for (int i = 0; i < 2; ++i) send(s, "q", "x", 0);
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), noticesOf("is at 80 % of its limit of 10 messages"));
        for (int i = 0; i < 5; ++i) send(s, "q", "x", 0);
        CPPUNIT_ASSERT_EQUAL(std::size_t(1),
                             noticesOf("is at its limit of 10 messages: sends are"));
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), h.notices.size());
        h.run(Purge{s, {}, "q"});
        for (int i = 0; i < 8; ++i) send(s, "q", "x", 0);
        CPPUNIT_ASSERT_EQUAL_MESSAGE("again after it was well below", std::size_t(3),
                                     h.notices.size());
    }

    void tellsWhatHappensAtALimit() {
        const auto s = h.open();
        QueueOptions options;
        options.bytesMax = 5'000;
        options.whenFull = WhenFull::dropOldest;
        h.run(DefineQueue{s, {}, "q", options});
        for (int i = 0; i < 10; ++i) send(s, "q", string(1'500, 'x'), 0);
        CPPUNIT_ASSERT(h.queue("q").evicted > 0);
        CPPUNIT_ASSERT_EQUAL_MESSAGE("also where the next one alone is too much", std::size_t(1),
                                     noticesOf("5000 bytes: the first in line are dropped"));
        options.whenFull = WhenFull::reject;
        options.bytesMax = 1ull << 30;
        h.run(DefineQueue{s, {}, "q", options});
        h.run(Send{s, RequestId(2), h.large("q", 1, 1)});
        std::optional<Completed> answer;
        while (auto c = h.take<Completed>()) answer = std::move(c);
        CPPUNIT_ASSERT_MESSAGE(
            "a large body counts",
            answer && answer->error && answer->error->code == ErrorCode::limitReached);
    }

    void seesServicesThatWaitForEachOther() {
        const auto a = worker("a"), b = worker("b"), c = worker("c"), caller = h.open();
        call(caller, "a");
        call(a, "b");
        call(b, "c");
        look();
        CPPUNIT_ASSERT_EQUAL_MESSAGE("the last one can answer", std::size_t(0), h.notices.size());
        call(c, "a");
        look();
        CPPUNIT_ASSERT_EQUAL(std::size_t(1),
                             noticesOf("a waits for a reply from b, b waits for a reply from c, "
                                       "c waits for a reply from a"));
        CPPUNIT_ASSERT_EQUAL(string("a.request"), h.notices.back().subject);
        look();
        CPPUNIT_ASSERT_EQUAL_MESSAGE("once", std::size_t(1), h.notices.size());
        h.wait(60s);  // the calls end
        look();
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), h.notices.size());
    }

    void seesRequestsThatServicesSendThemselves() {
        const auto a = worker("a"), b = worker("b");
        const auto ask = [&](SessionId s, const string& from, const string& to) {
            auto message = h.text(to + ".request", "question");
            message->replyTo = Destination::queue(from + ".answers");
            h.run(Send{s, {}, message});
        };
        const auto caller = h.open();
        ask(caller, "caller", "a");
        const auto first = *h.take<Delivered>();
        ask(a, "a", "b");
        ask(b, "b", "a");
        look();
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), noticesOf("a waits for a reply from b, b waits"));
        h.run(h.settle(a, first.delivery.id, Outcome::accepted));
        while (const auto d = h.take<Delivered>())
            h.run(h.settle(d->session, d->delivery.id, Outcome::accepted));
        look();
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), h.notices.size());
        ask(caller, "caller", "a");
        ask(a, "a", "b");
        ask(b, "b", "a");
        look();
        CPPUNIT_ASSERT_EQUAL_MESSAGE("another one", std::size_t(2), h.notices.size());
    }

    void aFreeConsumerIsNoDeadlock() {
        const auto a = worker("a"), b = worker("b"), caller = h.open();
        const auto another = worker("b");
        call(caller, "a");
        call(a, "b");
        const bool first = h.queue("b.request").held == 1;
        CPPUNIT_ASSERT(first);
        call(b, "a");
        call(another, "a");
        look();
        // Only one of the two has a request of b in its hands.
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), h.notices.size());
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(WatchTest);

}  // namespace busbar::test
