// Two phases: nobody sees it, nothing loses it, and it is decided once.
#include "tests/bus/core/core_fixture.h"

#include <cppunit/extensions/HelperMacros.h>

#include <algorithm>

namespace busbar::test {

using namespace std::chrono_literals;
using std::string;

class PreparedTest : public CoreFixture {
    CPPUNIT_TEST_SUITE(PreparedTest);
    CPPUNIT_TEST(preparedIsDurableAndInvisible);
    CPPUNIT_TEST(commitMakesItVisibleOnce);
    CPPUNIT_TEST(rollbackDropsTheSendsAndLeavesDeliveriesWithTheirSession);
    CPPUNIT_TEST(rollbackByAnotherSessionReturnsWithTheCountRaised);
    CPPUNIT_TEST(survivesItsSessionAndARestart);
    CPPUNIT_TEST(aRestartBeforeTheDecisionIsDurableAsksAgain);
    CPPUNIT_TEST(rolledBackAfterARestartItComesBackAsTried);
    CPPUNIT_TEST(rollbackForTheLastTimeIsADeadLetter);
    CPPUNIT_TEST(unknownBranchesAreNotFoundAndOthersAreNotOnes);
    CPPUNIT_TEST(preparingTwiceIsRefused);
    CPPUNIT_TEST(whatCannotBeDoneIsRefusedAtPrepareAndUndone);
    CPPUNIT_TEST(aFullDiskRefusesThePrepare);
    CPPUNIT_TEST(decisionsWaitForThePrepare);
    CPPUNIT_TEST(limitsOfBranchesAndBytes);
    CPPUNIT_TEST(queuesWithPreparedEntriesAreNotDeletedNorPurged);
    CPPUNIT_TEST(preparedMessagesCountForTheLimits);
    CPPUNIT_TEST(topicsAndSubscriptions);
    CPPUNIT_TEST(dedupIdsAreTakenAtPrepareAndGivenBackByARollback);
    CPPUNIT_TEST(groupsStayLocked);
    CPPUNIT_TEST(expiryWaitsForTheCommit);
    CPPUNIT_TEST(aForcedOutcomeIsRememberedUntilItIsForgotten);
    CPPUNIT_TEST(aForcedOutcomeThatFitsIsOverWithTheCoordinatorsWord);
    CPPUNIT_TEST(saysOnceThatACoordinatorIsLongInComing);
    CPPUNIT_TEST(idsAreReadAndShown);
    CPPUNIT_TEST_SUITE_END();

    static BranchId xid(const string& global = "tx1") { return {4711, global, "b"}; }

    std::optional<Completed> prepare(SessionId s, std::vector<std::shared_ptr<Message>> sends,
                                     std::vector<DeliveryId> accepts = {},
                                     const string& global = "tx1") {
        h.run(PrepareTransaction{s, RequestId(50), xid(global), std::move(sends),
                                 std::move(accepts)});
        return h.take<Completed>();
    }
    std::optional<Completed> decide(SessionId s, bool commit, const string& global = "tx1",
                                    bool force = false) {
        h.run(DecidePrepared{s, RequestId(51), xid(global), commit, force});
        return h.take<Completed>();
    }
    void isOk(const std::optional<Completed>& c) {
        CPPUNIT_ASSERT(c);
        CPPUNIT_ASSERT_MESSAGE(c->error ? c->error->text : "", !c->error);
    }
    void isError(ErrorCode code, const std::optional<Completed>& c) {
        CPPUNIT_ASSERT(c && c->error);
        CPPUNIT_ASSERT_EQUAL_MESSAGE(c->error->text, string(name(code)),
                                     string(name(c->error->code)));
    }
    /// A message on `queue`, in the hands of consumer 1 of the session.
    DeliveryId taken(SessionId s, const string& queue, const string& text = "order") {
        h.subscribe(s, 1, Destination::queue(queue));
        send(s, queue, text);
        h.take<Completed>();
        return h.take<Delivered>()->delivery.id;
    }
    std::vector<BranchPicture> branches() { return h.broker->picture(h.now).branches; }

  public:
    void preparedIsDurableAndInvisible() {
        const auto s = h.open();
        const auto id = taken(s, "in");
        h.subscribe(s, 2, Destination::queue("out"));
        h.apply(PrepareTransaction{s, RequestId(4), xid(), {h.text("out", "invoice")}, {id}});
        CPPUNIT_ASSERT_MESSAGE("before it is durable", !h.take<Completed>());
        h.sync();
        isOk(h.take<Completed>());
        CPPUNIT_ASSERT(!h.take<Delivered>());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(0), h.queue("out").depth);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(0), h.queue("out").in);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), h.queue("out").prepared);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), h.queue("in").held);
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), branches().size());
        const auto branch = branches()[0];
        CPPUNIT_ASSERT(branch.branch == xid() && branch.state == "prepared");
        CPPUNIT_ASSERT_EQUAL(string("user"), branch.user);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), branch.messages);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), branch.accepts);
        h.run(h.settle(s, id, Outcome::failed, 9));
        isError(ErrorCode::lockLost, h.take<Completed>());
    }

    void commitMakesItVisibleOnce() {
        const auto s = h.open();
        const auto id = taken(s, "in");
        h.subscribe(s, 2, Destination::queue("out"));
        isOk(prepare(s, {h.text("out", "invoice")}, {id}));
        h.apply(DecidePrepared{s, RequestId(5), xid()});
        CPPUNIT_ASSERT_MESSAGE("before it is durable", !h.take<Delivered>());
        h.sync();
        isOk(h.take<Completed>());
        CPPUNIT_ASSERT_EQUAL(string("invoice"), body(*h.take<Delivered>()));
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), h.queue("in").out);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), h.queue("out").in);
        CPPUNIT_ASSERT(branches().empty());
        isError(ErrorCode::notFound, decide(s, true));
        CPPUNIT_ASSERT(!h.take<Delivered>());
    }

    void rollbackDropsTheSendsAndLeavesDeliveriesWithTheirSession() {
        const auto s = h.open();
        const auto id = taken(s, "in");
        isOk(prepare(s, {h.text("out", "invoice")}, {id}));
        isOk(decide(s, false));
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(0), h.queue("out").depth);
        CPPUNIT_ASSERT(!h.take<Delivered>());
        h.run(h.settle(s, id, Outcome::accepted, 9));
        isOk(h.take<Completed>());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(0), h.queue("in").depth);
        CPPUNIT_ASSERT(h.store.content().messages.empty());
    }

    void rollbackByAnotherSessionReturnsWithTheCountRaised() {
        const auto s = h.open();
        const auto other = h.open();
        const auto id = taken(s, "in");
        isOk(prepare(s, {}, {id}));
        isOk(decide(other, false));
        const auto again = h.take<Delivered>();
        CPPUNIT_ASSERT(again && again->delivery.count == 2);
        h.run(h.settle(s, id, Outcome::accepted, 9));
        isError(ErrorCode::lockLost, h.take<Completed>());
    }

    void survivesItsSessionAndARestart() {
        auto s = h.open();
        const auto id = taken(s, "in");
        isOk(prepare(s, {h.text("out", "invoice")}, {id}));
        h.run(CloseSession{s});
        for (int i = 0; i < 2; ++i) {
            s = h.open();
            h.subscribe(s, 1, Destination::queue("in"));
            h.subscribe(s, 2, Destination::queue("out"));
            CPPUNIT_ASSERT(!h.take<Delivered>());
            h.run(ListPrepared{s, RequestId(7)});
            const auto listed = h.take<Pictured>()->picture->branches;
            CPPUNIT_ASSERT_EQUAL(std::size_t(1), listed.size());
            CPPUNIT_ASSERT(listed[0].branch == xid() && listed[0].accepts == 1);
            if (i == 0) h.restart();
        }
        isOk(decide(s, true));
        CPPUNIT_ASSERT_EQUAL(string("invoice"), body(*h.take<Delivered>()));
        CPPUNIT_ASSERT(!h.take<Delivered>());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(0), h.queue("in").depth);
        h.restart();
        CPPUNIT_ASSERT(branches().empty());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(0), h.queue("in").depth);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), h.queue("out").depth);
    }

    void aRestartBeforeTheDecisionIsDurableAsksAgain() {
        auto s = h.open();
        isOk(prepare(s, {h.text("out", "invoice")}));
        h.apply(DecidePrepared{s, RequestId(5), xid()});
        h.restart();  // the last unit may or may not have been kept: the rest of the world asks
        s = h.open();
        if (!branches().empty()) isOk(decide(s, true));
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), h.queue("out").depth);
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), h.store.content().messages.size());
    }

    void rolledBackAfterARestartItComesBackAsTried() {
        auto s = h.open();
        const auto id = taken(s, "in");
        isOk(prepare(s, {h.text("out", "invoice")}, {id}));
        h.restart();
        s = h.open();
        h.subscribe(s, 1, Destination::queue("in"));
        isOk(decide(s, false));
        const auto again = h.take<Delivered>();
        CPPUNIT_ASSERT(again && again->delivery.count == 2);
        CPPUNIT_ASSERT_EQUAL(string("order"), body(*again));
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(0), h.queue("out").depth);
        h.restart();
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), h.queue("in").depth);
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), h.store.content().messages.size());
    }

    void rollbackForTheLastTimeIsADeadLetter() {
        auto s = h.open();
        QueueOptions options;
        options.deliveriesMax = 1;
        h.run(DefineQueue{s, {}, "in", options});
        const auto id = taken(s, "in");
        isOk(prepare(s, {}, {id}));
        h.restart();
        s = h.open();
        isOk(decide(s, false));
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(0), h.queue("in").depth);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), h.queue("DLQ.in").depth);
    }

    void unknownBranchesAreNotFoundAndOthersAreNotOnes() {
        const auto s = h.open();
        const auto other = h.open("other");
        isError(ErrorCode::notFound, decide(s, true));
        isOk(prepare(s, {h.text("out", "invoice")}));
        isError(ErrorCode::notFound, decide(other, true));
        h.run(ListPrepared{other, RequestId(7)});
        CPPUNIT_ASSERT(h.take<Pictured>()->picture->branches.empty());
        h.run(ForgetPrepared{s, RequestId(8), xid()});
        isError(ErrorCode::inUse, h.take<Completed>());
        h.run(ForgetPrepared{s, RequestId(8), xid("no")});
        isError(ErrorCode::notFound, h.take<Completed>());
        isOk(decide(s, true));
    }

    void preparingTwiceIsRefused() {
        const auto s = h.open();
        isOk(prepare(s, {h.text("out", "1")}));
        isError(ErrorCode::alreadyExists, prepare(s, {h.text("out", "2")}));
        isOk(decide(s, true));
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), h.queue("out").depth);
        isError(ErrorCode::invalidArgument, prepare(s, {}, {}, ""));
        isError(ErrorCode::invalidArgument, prepare(s, {}, {}, string(65, 'x')));
    }

    void whatCannotBeDoneIsRefusedAtPrepareAndUndone() {
        const auto s = h.open();
        const auto id = taken(s, "in");
        isError(ErrorCode::transactionAborted,
                prepare(s, {h.text("out", "invoice")}, {id, DeliveryId(999)}));
        CPPUNIT_ASSERT(branches().empty());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), h.queue("in").held);
        QueueOptions full;
        full.messagesMax = 1;
        h.run(DefineQueue{s, {}, "small", full});
        isError(ErrorCode::transactionAborted,
                prepare(s, {h.text("small", "1"), h.text("small", "2")}, {id}));
        h.run(h.settle(s, id, Outcome::accepted, 9));
        isOk(h.take<Completed>());
    }

    void aFullDiskRefusesThePrepare() {
        const auto s = h.open();
        const auto id = taken(s, "in");
        h.store.setFull(true);
        isError(ErrorCode::storageFull, prepare(s, {h.text("out", "invoice")}, {id}));
        h.store.setFull(false);
        CPPUNIT_ASSERT(branches().empty());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), h.queue("in").held);
        isOk(prepare(s, {h.text("out", "invoice")}, {id}));
        isOk(decide(s, true));
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), h.queue("out").depth);
    }

    void decisionsWaitForThePrepare() {
        const auto s = h.open();
        h.apply(PrepareTransaction{s, RequestId(1), xid(), {h.text("out", "invoice")}, {}});
        h.apply(DecidePrepared{s, RequestId(2), xid(), true});
        h.apply(DecidePrepared{s, RequestId(3), xid(), false});
        h.sync();
        isOk(h.take<Completed>());
        isOk(h.take<Completed>());
        isError(ErrorCode::notFound, h.take<Completed>());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), h.queue("out").depth);
    }

    void limitsOfBranchesAndBytes() {
        BrokerOptions options;
        options.preparedMax = 2;
        options.preparedBytesMax = 10'000;
        BrokerHarness small(options);
        const auto s = small.open();
        const auto ask = [&](const string& global, std::size_t size) {
            small.run(PrepareTransaction{
                s, RequestId(1), xid(global), {small.text("out", string(size, 'x'))}, {}});
            return small.take<Completed>();
        };
        isError(ErrorCode::limitReached, ask("1", 20'000));
        isOk(ask("1", 5'000));
        isError(ErrorCode::limitReached, ask("2", 5'000));
        isOk(ask("2", 10));
        isError(ErrorCode::limitReached, ask("3", 10));
        small.run(DecidePrepared{s, RequestId(1), xid("1"), false});
        isOk(small.take<Completed>());
        isOk(ask("3", 5'000));
    }

    void queuesWithPreparedEntriesAreNotDeletedNorPurged() {
        const auto s = h.open();
        isOk(prepare(s, {h.text("out", "invoice")}));
        h.run(Purge{s, RequestId(1), "out"});
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(0), h.take<Completed>()->count);
        h.run(DeleteQueue{s, RequestId(1), "out"});
        isError(ErrorCode::inUse, h.take<Completed>());
        h.run(Browse{s, RequestId(1), "out", {}, 100});
        CPPUNIT_ASSERT(h.take<Browsed>()->entries.empty());
        isOk(decide(s, false));
        h.run(DeleteQueue{s, RequestId(1), "out"});
        isOk(h.take<Completed>());
    }

    void preparedMessagesCountForTheLimits() {
        const auto s = h.open();
        QueueOptions one;
        one.messagesMax = 1;
        h.run(DefineQueue{s, {}, "out", one});
        isOk(prepare(s, {h.text("out", "1")}));
        send(s, "out", "2");
        isError(ErrorCode::limitReached, h.take<Completed>());
        one.whenFull = WhenFull::block;
        h.run(DefineQueue{s, {}, "out", one});
        h.run(PrepareTransaction{s, RequestId(2), xid("tx2"), {h.text("out", "3")}, {}});
        CPPUNIT_ASSERT_MESSAGE("waits for room", !h.take<Completed>());
        isOk(decide(s, false));
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), branches().size());
        CPPUNIT_ASSERT(branches()[0].branch == xid("tx2"));
    }

    void topicsAndSubscriptions() {
        auto s = h.open("user", "me");
        auto durable = h.subscription(s, 1, Destination::topic("t"));
        durable.durableName = "d";
        h.run(durable);
        h.subscribe(s, 2, Destination::topic("t"));
        while (h.take<Completed>()) {
        }
        isOk(prepare(s, {h.text(Destination::topic("t"), "news")}));
        h.run(Unsubscribe{s, {}, ConsumerId(1)});
        h.run(Unsubscribe{s, {}, ConsumerId(2)});
        h.run(DeleteSubscription{s, RequestId(1), "d"});
        isError(ErrorCode::inUse, h.take<Completed>());
        auto changed = durable;
        changed.source = Destination::topic("other");
        h.run(changed);
        isError(ErrorCode::inUse, h.take<Completed>());
        h.restart();
        s = h.open("user", "me");
        isOk(decide(s, true));
        durable.session = s;
        h.run(durable);
        CPPUNIT_ASSERT_EQUAL(string("news"), body(*h.take<Delivered>()));
    }

    void dedupIdsAreTakenAtPrepareAndGivenBackByARollback() {
        auto s = h.open();
        const auto named = [&](const string& text) {
            auto message = h.text("out", text);
            message->dedupId = "once";
            return message;
        };
        isOk(prepare(s, {named("a"), named("a")}));
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), h.queue("out").prepared);
        h.run(Send{s, RequestId(1), named("a")});
        CPPUNIT_ASSERT(h.take<Completed>()->repeated);
        isError(ErrorCode::conflict, prepare(s, {named("b")}, {}, "tx2"));
        h.restart();
        s = h.open();
        isOk(decide(s, false));
        h.run(Send{s, RequestId(1), named("b")});
        const auto sent = h.take<Completed>();
        CPPUNIT_ASSERT(sent && !sent->error && !sent->repeated);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), h.queue("out").depth);
    }

    void groupsStayLocked() {
        const auto s = h.open();
        const auto other = h.open();
        auto first = h.text("in", "1");
        auto second = h.text("in", "2");
        first->groupId = second->groupId = "g";
        h.run(Send{s, {}, first});
        h.run(Send{s, {}, second});
        h.subscribe(s, 1, Destination::queue("in"), 1);
        const auto id = h.take<Delivered>()->delivery.id;
        isOk(prepare(s, {}, {id}));
        h.run(CloseSession{s});
        h.subscribe(other, 1, Destination::queue("in"));
        CPPUNIT_ASSERT_MESSAGE("the first one may come back", !h.take<Delivered>());
        isOk(decide(other, false));
        CPPUNIT_ASSERT_EQUAL(string("1"), body(*h.take<Delivered>()));
        CPPUNIT_ASSERT_EQUAL(string("2"), body(*h.take<Delivered>()));
    }

    void expiryWaitsForTheCommit() {
        auto s = h.open();
        auto message = h.text("out", "late");
        message->expiration = h.now.wall + 1s;
        isOk(prepare(s, {message}));
        h.wait(5000ms);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), h.queue("out").prepared);
        isOk(decide(s, true));
        h.wait(10ms);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), h.queue("out").expired);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), h.queue("EXPIRED.out").depth);
    }

    void aForcedOutcomeIsRememberedUntilItIsForgotten() {
        auto s = h.open();
        const auto admin = h.open("admin");
        isOk(prepare(s, {h.text("out", "invoice")}));
        isOk(decide(admin, true, "tx1", true));
        isOk(decide(admin, true, "tx1", true));
        isError(ErrorCode::conflict, decide(admin, false, "tx1", true));
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), h.queue("out").depth);
        h.restart();
        s = h.open();
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), branches().size());
        CPPUNIT_ASSERT_EQUAL(string("committed"), branches()[0].state);
        CPPUNIT_ASSERT_EQUAL(string("admin"), branches()[0].decidedBy);
        isError(ErrorCode::alreadyExists, prepare(s, {h.text("out", "again")}));
        const auto contrary = decide(s, false);
        isError(ErrorCode::conflict, contrary);
        CPPUNIT_ASSERT_EQUAL(string("committed"), contrary->value);
        CPPUNIT_ASSERT(std::any_of(h.notices.begin(), h.notices.end(), [](const Notice& n) {
            return n.level == Notice::Level::alarm;
        }));
        h.run(ForgetPrepared{s, RequestId(1), xid()});
        isOk(h.take<Completed>());
        h.restart();
        CPPUNIT_ASSERT(branches().empty());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), h.queue("out").depth);
    }

    void aForcedOutcomeThatFitsIsOverWithTheCoordinatorsWord() {
        const auto s = h.open();
        const auto admin = h.open("admin");
        const auto id = taken(s, "in");
        isOk(prepare(s, {h.text("out", "invoice")}, {id}));
        isOk(decide(admin, false, "tx1", true));
        CPPUNIT_ASSERT_EQUAL(std::uint32_t(2), h.take<Delivered>()->delivery.count);
        isOk(decide(s, false));
        CPPUNIT_ASSERT(branches().empty());
        isError(ErrorCode::notFound, decide(s, false));
    }

    void saysOnceThatACoordinatorIsLongInComing() {
        const auto s = h.open();
        isOk(prepare(s, {h.text("out", "invoice")}));
        h.wait(9min);
        CPPUNIT_ASSERT(h.notices.empty());
        for (int i = 0; i < 3; ++i) h.wait(1min);
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), h.notices.size());
        CPPUNIT_ASSERT_EQUAL(toText(xid()), h.notices[0].subject);
    }

    void idsAreReadAndShown() {
        const BranchId id{-7, string("\x01\xff", 2), ""};
        CPPUNIT_ASSERT_EQUAL(string("-7:01ff:"), toText(id));
        CPPUNIT_ASSERT(*parseBranchId("-7:01FF:") == id);
        for (const auto* bad : {"", "1", "1:01", "x:01:", "1:0:", "1:0g:", "1::", "1:01:zz",
                                "99999999999:01:", "1:01:02:03"}) {
            CPPUNIT_ASSERT_MESSAGE(bad, !parseBranchId(bad));
        }
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(PreparedTest);

}  // namespace busbar::test
