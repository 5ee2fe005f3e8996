// Deliveries with an end: what consumers hold under leases, and what may be said of them by token.
#include "bus/core/lease_orders.h"
#include "tests/bus/core/core_fixture.h"

#include <cppunit/extensions/HelperMacros.h>

namespace busbar::test {

using namespace std::chrono_literals;
using std::string;

class LeasesTest : public CoreFixture {
    CPPUNIT_TEST_SUITE(LeasesTest);
    CPPUNIT_TEST(aConsumersLeaseRunsOut);
    CPPUNIT_TEST(theQueueSaysHowLong);
    CPPUNIT_TEST(whoIsStuckTakesNoMore);
    CPPUNIT_TEST(aStaleSettlementIsRefusedAndBringsTheCreditBack);
    CPPUNIT_TEST(aCumulativeOneMeansWhatRanOutToo);
    CPPUNIT_TEST(aStaleDeliveryAbortsItsTransaction);
    CPPUNIT_TEST(fencingTokensAscendOverARestart);
    CPPUNIT_TEST(ordersExtendAndShorten);
    CPPUNIT_TEST(ordersSettle);
    CPPUNIT_TEST(anOrderGivesBackLater);
    CPPUNIT_TEST(strangersAndForgersAreRefused);
    CPPUNIT_TEST(ordersSayWhatIsWrong);
    CPPUNIT_TEST(ordersAreNoMessages);
    CPPUNIT_TEST(aFailedCommitLeavesTheLeaseItsEnd);
    CPPUNIT_TEST(definitionsKeepTheLease);
    CPPUNIT_TEST_SUITE_END();

    SessionId subscribed(Milliseconds lease, std::uint32_t credit = 100, bool windowed = true) {
        const auto s = h.open();
        Subscribe c = h.subscription(s, 1, Destination::queue("q"), credit);
        c.lease = lease;
        c.windowed = windowed;
        h.run(c);
        CPPUNIT_ASSERT(!h.take<Completed>()->error);
        return s;
    }
    /// The next thing that a consumer was given.
    Delivery given() {
        auto delivered = h.take<Delivered>();
        CPPUNIT_ASSERT_MESSAGE("nothing was delivered", delivered.has_value());
        return std::move(delivered->delivery);
    }
    std::optional<Error> order(SessionId s, const string& token, const string& what,
                               std::vector<std::pair<string, Value>> more = {}) {
        auto message = h.text(string(kLeaseQueue), "");
        message->properties.set(kLeaseProperty, token);
        message->properties.set("BusbarOrder", what);
        for (auto& [name, value] : more) message->properties.set(name, value);
        return order(s, std::move(message));
    }
    std::optional<Error> order(SessionId s, std::shared_ptr<Message> message) {
        while (h.take<Completed>()) {
        }
        h.run(Send{s, RequestId(77), std::move(message)});
        const auto done = h.take<Completed>();
        CPPUNIT_ASSERT_MESSAGE("not answered", done && done->request == RequestId(77));
        return done->error;
    }
    ErrorCode settledLate(SessionId s, DeliveryId id) {
        while (h.take<Completed>()) {
        }
        h.run(h.settle(s, id, Outcome::accepted, 5));
        const auto done = h.take<Completed>();
        CPPUNIT_ASSERT_MESSAGE("was taken", done && done->error);
        return done->error->code;
    }

  public:
    void aConsumersLeaseRunsOut() {
        const auto s = subscribed(1000ms, 1);
        send(s, "q", "a");
        const auto first = given();
        CPPUNIT_ASSERT(first.lease && first.lease->length == 1000ms);
        CPPUNIT_ASSERT(first.lease->until == h.now.wall + 1000ms);
        h.wait(999ms);
        CPPUNIT_ASSERT(!h.take<LeaseEnded>());
        const auto other = h.open();
        h.subscribe(other, 2, Destination::queue("q"));
        h.wait(1ms);
        const auto ended = h.take<LeaseEnded>();
        CPPUNIT_ASSERT(ended && ended->session == s && ended->consumer == ConsumerId(1) &&
                       ended->delivery == first.id && ended->lapsed);
        const auto again = h.take<Delivered>();
        CPPUNIT_ASSERT(again && again->session == other && again->delivery.count == 2);
        CPPUNIT_ASSERT_MESSAGE("without a lease", !again->delivery.lease);
        h.wait(1h);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), h.queue("q").held);
        h.broker->checkInvariants();
    }

    void theQueueSaysHowLong() {
        const auto admin = h.open();
        DefineQueue define{admin, {}, "q", {}};
        define.options.lease = 500ms;
        h.run(define);
        subscribed(0ms);
        send(admin, "q", "a");
        CPPUNIT_ASSERT(given().lease->length == 500ms);
        define.options.lease = kLeaseMax + 1ms;
        define.request = RequestId(3);
        while (h.take<Completed>()) {
        }
        h.run(define);
        CPPUNIT_ASSERT(h.take<Completed>()->error->code == ErrorCode::invalidArgument);
        Subscribe c = h.subscription(admin, 9, Destination::queue("q"));
        c.lease = kLeaseMax + 1ms;
        h.run(c);
        CPPUNIT_ASSERT(h.take<Completed>()->error->code == ErrorCode::invalidArgument);
    }

    void whoIsStuckTakesNoMore() {
        QueueOptions options;
        options.deliveriesMax = 3;
        const auto s = subscribed(100ms, 2);
        h.run(DefineQueue{s, {}, "q", options});
        for (int i = 0; i < 4; ++i) send(s, "q", std::to_string(i));
        for (int i = 0; i < 2; ++i) given();
        h.wait(1h);
        CPPUNIT_ASSERT_MESSAGE("it got more", !h.take<Delivered>());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(4), h.queue("q").depth);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(0), h.queue("DLQ.q").depth);
        h.broker->checkInvariants();
    }

    void aStaleSettlementIsRefusedAndBringsTheCreditBack() {
        const auto s = subscribed(100ms, 1);
        send(s, "q", "a");
        const auto first = given();
        h.wait(100ms);
        CPPUNIT_ASSERT(!h.take<Delivered>());
        CPPUNIT_ASSERT(settledLate(s, first.id) == ErrorCode::lockLost);
        const auto second = given();
        CPPUNIT_ASSERT_EQUAL(2u, second.count);
        CPPUNIT_ASSERT(settledLate(s, first.id) == ErrorCode::lockLost);
        CPPUNIT_ASSERT_MESSAGE("only once", !h.take<Delivered>());
        h.run(h.settle(s, second.id, Outcome::accepted));
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(0), h.queue("q").depth);
    }

    void aCumulativeOneMeansWhatRanOutToo() {
        const auto s = subscribed(100ms, 3);
        send(s, "q", "a");
        const auto first = given();
        h.wait(50ms);
        send(s, "q", "b");
        const auto second = given();
        h.wait(50ms);  // the first one runs out
        Settle c = h.settle(s, {}, Outcome::accepted, 8);
        c.deliveries.clear();
        c.upTo = second.id;
        c.upToConsumer = ConsumerId(1);
        while (h.take<Completed>()) {
        }
        h.run(c);
        const auto done = h.take<Completed>();
        CPPUNIT_ASSERT(done->error && done->error->code == ErrorCode::lockLost);
        CPPUNIT_ASSERT_EQUAL_MESSAGE("the other one is settled", std::uint64_t(1), done->count);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), h.queue("q").depth);
    }

    void aStaleDeliveryAbortsItsTransaction() {
        const auto s = subscribed(100ms);
        send(s, "q", "a");
        const auto first = given();
        h.wait(100ms);
        while (h.take<Completed>()) {
        }
        h.run(CommitTransaction{s, RequestId(4), {h.text("out", "x")}, {first.id}});
        CPPUNIT_ASSERT(h.take<Completed>()->error->code == ErrorCode::transactionAborted);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(0), h.queue("out").depth);
    }

    void fencingTokensAscendOverARestart() {
        std::uint64_t before = 0;
        for (int round = 0; round < 3; ++round) {
            const auto s = subscribed(100ms, 1);
            if (round == 0) send(s, "q", "a");
            for (int i = 0; i < 2; ++i) {
                const auto d = given();
                CPPUNIT_ASSERT(d.fencingToken > before);
                before = d.fencingToken;
                h.wait(100ms);
                settledLate(s, d.id);
            }
            given();
            h.restart();
        }
    }

    void ordersExtendAndShorten() {
        const auto s = subscribed(1000ms), sameUser = h.open();
        send(s, "q", "a");
        const auto d = given();
        CPPUNIT_ASSERT(!order(sameUser, d.lease->token, "extend", {{"BusbarLeaseMs", 5000}}));
        h.wait(4999ms);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), h.queue("q").held);
        CPPUNIT_ASSERT(!order(s, d.lease->token, "extend", {{"BusbarLeaseMs", string("60000")}}));
        CPPUNIT_ASSERT(!order(s, d.lease->token, "extend", {{"BusbarLeaseMs", std::int8_t(10)}}));
        h.wait(9ms);
        CPPUNIT_ASSERT(!h.take<LeaseEnded>());
        h.wait(1ms);
        CPPUNIT_ASSERT(h.take<LeaseEnded>());
        CPPUNIT_ASSERT(order(s, d.lease->token, "extend", {{"BusbarLeaseMs", 10}})->code ==
                       ErrorCode::lockLost);
    }

    void ordersSettle() {
        const auto s = subscribed(1000ms, 1), sameUser = h.open();
        for (int i = 0; i < 4; ++i) send(s, "q", std::to_string(i));
        const auto accepted = given();
        CPPUNIT_ASSERT(!order(sameUser, accepted.lease->token, "accept"));
        const auto ended = h.take<LeaseEnded>();
        CPPUNIT_ASSERT(ended && ended->session == s && !ended->lapsed);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(3), h.queue("q").depth);
        CPPUNIT_ASSERT(order(s, accepted.lease->token, "accept")->code == ErrorCode::lockLost);
        const auto rejected = given();
        CPPUNIT_ASSERT(
            !order(s, rejected.lease->token, "reject", {{"BusbarReason", string("no")}}));
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), h.queue("DLQ.q").depth);
        const auto released = given();
        CPPUNIT_ASSERT(!order(s, released.lease->token, "release"));
        const auto again = given();
        CPPUNIT_ASSERT(again.stored == released.stored);
        CPPUNIT_ASSERT_EQUAL_MESSAGE("not tried", 1u, again.count);
        CPPUNIT_ASSERT(!order(s, again.lease->token, "fail"));
        CPPUNIT_ASSERT_EQUAL(2u, given().count);
        h.broker->checkInvariants();
    }

    void anOrderGivesBackLater() {
        const auto s = subscribed(1000ms, 1);
        send(s, "q", "a");
        const auto d = given();
        CPPUNIT_ASSERT(!order(s, d.lease->token, "fail", {{"BusbarDelayMs", 5000}}));
        h.wait(4999ms);
        CPPUNIT_ASSERT(!h.take<Delivered>());
        h.wait(1ms);
        CPPUNIT_ASSERT_EQUAL(2u, given().count);
    }

    void strangersAndForgersAreRefused() {
        const auto s = subscribed(1000ms), stranger = h.open("stranger");
        send(s, "q", "a");
        const auto d = given();
        CPPUNIT_ASSERT(order(stranger, d.lease->token, "accept")->code == ErrorCode::lockLost);
        auto forged = LeaseTokens().make("q", {s, d.id});
        CPPUNIT_ASSERT(order(s, forged, "accept")->code == ErrorCode::lockLost);
        CPPUNIT_ASSERT(order(s, "nonsense", "accept")->code == ErrorCode::malformed);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), h.queue("q").held);
        h.restart();
        const auto later = subscribed(1000ms);
        CPPUNIT_ASSERT(given().stored == d.stored);
        CPPUNIT_ASSERT_MESSAGE("of an earlier run",
                               order(later, d.lease->token, "accept")->code == ErrorCode::lockLost);
    }

    void ordersSayWhatIsWrong() {
        const auto s = subscribed(1000ms);
        send(s, "q", "a");
        const auto token = given().lease->token;
        const auto refused = [&](std::optional<Error> error, const string& names) {
            CPPUNIT_ASSERT_MESSAGE(names, error && error->code == ErrorCode::invalidArgument);
            CPPUNIT_ASSERT_MESSAGE(error->text, error->text.find(names) != string::npos);
        };
        refused(order(s, "", "extend"), "BusbarLease");
        refused(order(s, token, "keep"), "BusbarOrder is 'keep'");
        refused(order(s, token, "extend"), "BusbarLeaseMs");
        refused(order(s, token, "extend", {{"BusbarLeaseMs", 0}}), "from 1 to 43200000");
        refused(order(s, token, "extend", {{"BusbarLeaseMs", string("5s")}}), "'5s'");
        refused(order(s, token, "fail", {{"BusbarDelayMs", -1}}), "BusbarDelayMs");
        auto later = h.text(string(kLeaseQueue), "");
        later->properties.set(kLeaseProperty, token);
        later->properties.set("BusbarOrder", string("accept"));
        later->deliverAt = h.now.wall + 1000ms;
        refused(order(s, later), "at once");
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), h.queue("q").held);
    }

    void ordersAreNoMessages() {
        const auto s = subscribed(1000ms);
        const string name(kLeaseQueue);
        h.run(h.subscription(s, 5, Destination::queue(name)));
        CPPUNIT_ASSERT(h.take<Completed>()->error->code == ErrorCode::invalidArgument);
        h.run(Receive{s, RequestId(1), name, 1, 0ms, 1000ms});
        CPPUNIT_ASSERT(h.take<Received>()->error);
        h.run(DefineQueue{s, RequestId(2), name, {}});
        CPPUNIT_ASSERT(h.take<Completed>()->error);
        h.run(CommitTransaction{s, RequestId(3), {h.text(name, "")}, {}});
        const auto aborted = h.take<Completed>();
        CPPUNIT_ASSERT(aborted->error->text.find("not within a transaction") != string::npos);
        CPPUNIT_ASSERT_EQUAL(string(), h.queue(name).name);
    }

    /// While a commit is on its way the lease does not end; it does when the disk has refused it.
    void aFailedCommitLeavesTheLeaseItsEnd() {
        const auto s = subscribed(100ms, 1);
        send(s, "q", "a");
        const auto d = given();
        h.store.setFull(true);
        h.apply(CommitTransaction{s, RequestId(4), {h.text("out", "x")}, {d.id}});
        h.now.steady += 200ms;
        h.now.wall += 200ms;
        h.broker->tick(h.now, h.step());
        h.carryOut();
        CPPUNIT_ASSERT(!h.take<LeaseEnded>());
        h.sync();
        CPPUNIT_ASSERT(h.take<LeaseEnded>());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(0), h.queue("out").depth);
    }

    void definitionsKeepTheLease() {
        const auto s = h.open();
        DefineQueue define{s, {}, "q", {}};
        define.options.lease = 1234ms;
        h.run(define);
        h.restart();
        const auto later = subscribed(0ms);
        send(later, "q", "a");
        CPPUNIT_ASSERT(given().lease->length == 1234ms);
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(LeasesTest);

}  // namespace busbar::test
