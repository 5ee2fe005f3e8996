// Recurring schedules: who may make, see, change and end them, and how many there may be.
#include "bus/core/rows.h"
#include "tests/bus/core/recurring_fixture.h"

#include <cppunit/extensions/HelperMacros.h>

#include <algorithm>
#include <set>

namespace busbar::test {

class RecurringChangesTest : public RecurringFixture {
    CPPUNIT_TEST_SUITE(RecurringChangesTest);
    CPPUNIT_TEST(isPausedAndResumed);
    CPPUNIT_TEST(itsRuleIsChanged);
    CPPUNIT_TEST(isCancelledAlsoWhileItFires);
    CPPUNIT_TEST(cancelsAllOfAUser);
    CPPUNIT_TEST(itsOwnerAndManagersMayChangeIt);
    CPPUNIT_TEST(aRightThatWasLostPausesIt);
    CPPUNIT_TEST(itsOwnersRolesAreThoseOfToday);
    CPPUNIT_TEST(keepsToItsLimits);
    CPPUNIT_TEST(refusesWhatMakesNoSense);
    CPPUNIT_TEST(isMadeByTheCommit);
    CPPUNIT_TEST(aRepeatedSendMakesNoSecondOne);
    CPPUNIT_TEST(nobodyReachesTheTemplates);
    CPPUNIT_TEST_SUITE_END();

  public:
    void isPausedAndResumed() {
        auto s = h.open();
        const auto id = made(s, "q", every(10s, 3));
        h.wait(10s);
        CPPUNIT_ASSERT(!ask(ChangeSchedule{s, RequestId(1), id, true, {}}).error);
        h.wait(1000s);
        h.restart();
        s = h.open();
        h.wait(1000s);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), in("q"));
        CPPUNIT_ASSERT_EQUAL(string("paused"), list(s)[0].state);
        CPPUNIT_ASSERT(!ask(ChangeSchedule{s, RequestId(1), id, false, {}}).error);
        CPPUNIT_ASSERT(list(s)[0].next == h.now.wall + 10s);
        waitStepwise(100s, 1s);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(4), in("q"));
        CPPUNIT_ASSERT(list(s).empty());
    }

    void itsRuleIsChanged() {
        auto s = h.open();
        const auto id = made(s, "q", every(1h));
        CPPUNIT_ASSERT(!ask(ChangeSchedule{s, RequestId(1), id, {}, *every(1s)}).error);
        h.restart();
        s = h.open();
        h.wait(1s);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), in("q"));
        CPPUNIT_ASSERT(ask(ChangeSchedule{s, RequestId(1), id, {}, *cron("x")}).error->code ==
                       ErrorCode::invalidArgument);
        CPPUNIT_ASSERT(ask(ChangeSchedule{s, RequestId(1), StoredId(99), {}, {}}).error->code ==
                       ErrorCode::notFound);
        h.wait(1s);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(2), in("q"));
    }

    void isCancelledAlsoWhileItFires() {
        auto s = h.open();
        const auto id = made(s, "q", every(1s));
        h.now.wall += 1s;
        h.now.steady += 1s;
        h.broker->tick(h.now, h.step());
        h.carryOut();  // the firing is on its way to the disk
        CPPUNIT_ASSERT(!h.store.idle());
        h.apply(ChangeSchedule{s, RequestId(1), id, true, {}});
        h.apply(CancelSchedules{s, RequestId(2), {id}});
        h.apply(CancelSchedules{s, RequestId(3), {id}});
        h.sync();
        CPPUNIT_ASSERT(!h.take<Completed>()->error);
        CPPUNIT_ASSERT(!h.take<Completed>()->error);
        CPPUNIT_ASSERT(h.take<Completed>()->error->code == ErrorCode::notFound);
        h.wait(1h);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), in("q"));
        CPPUNIT_ASSERT(list(s).empty());
        h.restart();
        CPPUNIT_ASSERT(list(h.open()).empty());
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), h.store.content().messages.size());
    }

    void cancelsAllOfAUser() {
        const auto ann = h.open("ann"), bob = h.open("bob");
        for (int i = 1; i <= 5; ++i) made(ann, "q", every(Milliseconds(i * 1000)));
        made(bob, "q", every(1s));
        CancelSchedules some{ann, RequestId(1)};
        some.from = h.now.wall + 2s;
        some.to = h.now.wall + 3s;
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(2), ask(some).count);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(3), ask(CancelSchedules{ann, RequestId(1)}).count);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(0), ask(CancelSchedules{ann, RequestId(1)}).count);
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), list(bob).size());
    }

    void itsOwnerAndManagersMayChangeIt() {
        BrokerOptions o = options();
        o.permissions = {{"worker", "", false, "jobs.>", {Right::send, Right::create}},
                         {"keeper", "", false, "jobs.>", {Right::manage}}};
        BrokerHarness b(o);
        const auto ann = b.open("ann", {}, {"worker"}), bob = b.open("bob", {}, {"worker"}),
                   keeper = b.open("kim", {}, {"keeper"}), root = b.open("root");
        const auto send = [&](SessionId s, const string& queue) {
            auto message = b.text(queue, "x");
            message->recurrence = every(1s);
            b.run(Send{s, RequestId(1), message});
            return *b.take<Completed>();
        };
        const auto count = [&](SessionId s) {
            b.run(ListSchedules{s, RequestId(8)});
            return b.take<Pictured>()->picture->schedules.size();
        };
        const auto change = [&](SessionId s, StoredId id) {
            b.run(ChangeSchedule{s, RequestId(1), id, true, {}});
            return b.take<Completed>()->error;
        };
        const auto cancel = [&](SessionId s, StoredId id) {
            b.run(CancelSchedules{s, RequestId(1), {id}});
            return b.take<Completed>()->error;
        };
        CPPUNIT_ASSERT(send(ann, "other").error->code == ErrorCode::notAuthorized);
        const auto id = *scheduleNumber(send(ann, "jobs.a").value);
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), count(ann));
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), count(bob));
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), count(keeper));
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), count(root));
        CPPUNIT_ASSERT(change(bob, id)->code == ErrorCode::notAuthorized);
        CPPUNIT_ASSERT(cancel(bob, id)->code == ErrorCode::notAuthorized);
        CPPUNIT_ASSERT(!change(ann, id));
        CPPUNIT_ASSERT(!change(keeper, id));
        CPPUNIT_ASSERT(!cancel(keeper, id));
    }

    void aRightThatWasLostPausesIt() {
        BrokerOptions o = options();
        const auto s = h.open("ann", {}, {"user"});
        const auto id = made(s, "q", every(1s));
        h.wait(1s);
        // The same store, and other rules.
        o.permissions = {{"other", "", false, ">", {Right::send}}};
        BrokerHarness strict(o);
        strict.store = h.store;
        strict.now = h.now;
        strict.now.wall += 1s;
        strict.restart();
        const auto said =
            std::find_if(strict.notices.begin(), strict.notices.end(), [&](const auto& n) {
                return n.subject == scheduleName("busbar", id) && n.level == Notice::Level::alarm;
            });
        CPPUNIT_ASSERT(said != strict.notices.end());
        CPPUNIT_ASSERT(said->text.find("'ann', has no right") != string::npos);
        h.store = strict.store;
        h.restart();  // as it was configured before: it stays paused until somebody resumes it
        const auto root = h.open("root");
        CPPUNIT_ASSERT_EQUAL(string("paused"), list(root)[0].state);
        CPPUNIT_ASSERT(list(root)[0].trouble.find("no right") != string::npos);
        h.wait(1h);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), in("q"));
        CPPUNIT_ASSERT(!ask(ChangeSchedule{root, RequestId(1), id, false, {}}).error);
        h.wait(1s);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(2), in("q"));
    }

    void itsOwnersRolesAreThoseOfToday() {
        const auto s = h.open("ann", {}, {"user"});
        made(s, "q", every(1s));
        const auto root = h.open("root");
        const auto state = [&] { return list(root)[0].state; };
        h.setAccess({defaultPermissions(), {{"ann", {"guest"}}}});
        h.wait(1s);
        CPPUNIT_ASSERT_EQUAL(string("paused"), state());
        CPPUNIT_ASSERT(list(root)[0].trouble.find("no right") != string::npos);
        const auto goesOn = [&] {
            const StoredId id = list(root)[0].id;
            CPPUNIT_ASSERT(!ask(ChangeSchedule{root, RequestId(1), id, false, {}}).error);
            h.wait(1s);
        };
        h.setAccess({defaultPermissions(), {{"ann", {"user"}}}});
        goesOn();
        CPPUNIT_ASSERT_EQUAL(string("active"), state());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), in("q"));
        h.setAccess({defaultPermissions(), {}, {"ann"}});
        h.wait(1s);
        CPPUNIT_ASSERT_EQUAL(string("paused"), state());
        h.restart();  // the daemon says at each start who there is
        h.setAccess({defaultPermissions(), {{"bob", {"user"}}}});
        const auto again = h.open("root");
        const StoredId id = list(again)[0].id;
        CPPUNIT_ASSERT(!ask(ChangeSchedule{again, RequestId(1), id, false, {}}).error);
        h.wait(1s);
        CPPUNIT_ASSERT_EQUAL(string("paused"), list(again)[0].state);
        CPPUNIT_ASSERT(list(again)[0].trouble.find("not known") != string::npos);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), in("q"));
        // Whoever logs in is known.
        h.open("ann", {}, {"user"});
        CPPUNIT_ASSERT(!ask(ChangeSchedule{again, RequestId(1), id, false, {}}).error);
        h.wait(1s);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(2), in("q"));
    }

    void keepsToItsLimits() {
        BrokerOptions o = options();
        o.schedulesMax = 5;
        o.userSchedulesMax = 3;
        o.schedulePeriodMin = 1s;
        BrokerHarness b(o);
        const auto ann = b.open("ann"), bob = b.open("bob");
        const auto send = [&](SessionId s, RecurrencePtr rule) {
            auto message = b.text("q", "x");
            message->recurrence = std::move(rule);
            b.run(Send{s, RequestId(1), message});
            return b.take<Completed>()->error;
        };
        CPPUNIT_ASSERT(send(ann, every(999ms))->code == ErrorCode::invalidArgument);
        for (int i = 0; i < 3; ++i) CPPUNIT_ASSERT(!send(ann, every(1h, 1)));
        CPPUNIT_ASSERT(send(ann, every(1h, 1))->code == ErrorCode::limitReached);
        // One of a transaction is one too many: nothing of it happens.
        CommitTransaction tx{bob, RequestId(2), {}, {}};
        for (int i = 0; i < 3; ++i) {
            tx.sends.push_back(b.text("q", "x"));
            tx.sends.back()->recurrence = every(1h, 1);
        }
        b.run(tx);
        CPPUNIT_ASSERT(b.take<Completed>()->error->code == ErrorCode::transactionAborted);
        for (int i = 0; i < 2; ++i) CPPUNIT_ASSERT(!send(bob, every(1h, 1)));
        CPPUNIT_ASSERT(send(bob, every(1h, 1))->code == ErrorCode::limitReached);
        b.wait(1h);
        b.wait(1h);
        CPPUNIT_ASSERT(!send(bob, every(1h, 1)));  // those before are over
    }

    void refusesWhatMakesNoSense() {
        const auto s = h.open();
        const auto code = [&](std::shared_ptr<Message> message) {
            return make(s, std::move(message)).error->code;
        };
        CPPUNIT_ASSERT(code(recurring("q", "x", cron("61 * * * *"))) == ErrorCode::invalidArgument);
        CPPUNIT_ASSERT(code(recurring("q", "x", cron("* * * * *", "Mars/Phobos"))) ==
                       ErrorCode::invalidArgument);
        CPPUNIT_ASSERT(code(recurring("q", "x", every(1ms))) == ErrorCode::invalidArgument);
        CPPUNIT_ASSERT(code(recurring("q\n", "x", every(1s))) == ErrorCode::invalidArgument);
        h.run(MakeTemporary{s, {}, {DestinationKind::temporaryQueue, "tmp"}});
        auto message = recurring("tmp", "x", every(1s));
        message->destination.kind = DestinationKind::temporaryQueue;
        CPPUNIT_ASSERT(code(message) == ErrorCode::invalidArgument);
        PrepareTransaction prepare{s, RequestId(3), {1, "g", "b"}, {}, {}};
        prepare.sends.push_back(recurring("q", "x", every(1s)));
        CPPUNIT_ASSERT(ask(prepare).error->code == ErrorCode::unsupported);
        h.run(DefineService{s, {}, "svc"});
        Call call{s, RequestId(4), "svc", recurring("q", "x", every(1s))};
        h.run(call);
        CPPUNIT_ASSERT(h.take<Replied>()->error->code == ErrorCode::unsupported);
        CPPUNIT_ASSERT(list(s).empty());
        CPPUNIT_ASSERT(h.store.content().messages.empty());
    }

    void isMadeByTheCommit() {
        const auto s = h.open();
        CommitTransaction tx{s, RequestId(2), {}, {}};
        tx.sends.push_back(recurring("q", "x", every(1s)));
        tx.sends.push_back(h.text("q", "plain"));
        tx.accepts = {DeliveryId(77)};  // not held: all is aborted
        CPPUNIT_ASSERT(ask(tx).error->code == ErrorCode::transactionAborted);
        CPPUNIT_ASSERT(list(s).empty());
        tx.sends = {recurring("q", "x", every(1s)), h.text("q", "plain")};
        tx.accepts.clear();
        CPPUNIT_ASSERT(!ask(tx).error);
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), list(s).size());
        h.wait(1s);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(2), in("q"));
        // Refused by the disk: not there.
        h.store.setFull(true);
        tx.sends = {recurring("q", "x", every(1s))};
        CPPUNIT_ASSERT(ask(tx).error);
        h.store.setFull(false);
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), list(s).size());
    }

    void aRepeatedSendMakesNoSecondOne() {
        auto s = h.open();
        const auto send = [&] {
            auto message = recurring("q", "x", every(1s));
            message->dedupId = "deploy-1";
            return make(s, message);
        };
        const auto first = send();
        CPPUNIT_ASSERT(!first.repeated);
        h.restart();
        s = h.open();
        const auto again = send();
        CPPUNIT_ASSERT(again.repeated && again.value == first.value);
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), list(s).size());
        h.wait(3s);
        waitStepwise(2s, 1s);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(3), in("q"));  // as one, and two
    }

    void nobodyReachesTheTemplates() {
        const auto s = h.open();
        made(s, "q", every(1h));
        for (const auto& q : h.broker->picture(h.now).queues)
            CPPUNIT_ASSERT(q.kind == "queue" && q.name == "q");
        const string name(rows::kTemplates);
        h.run(Browse{s, RequestId(1), name, {}});
        CPPUNIT_ASSERT(h.take<Browsed>()->error);
        CPPUNIT_ASSERT(ask(Purge{s, RequestId(1), name}).error);
        CPPUNIT_ASSERT(ask(DeleteQueue{s, RequestId(1), name}).error);
        CPPUNIT_ASSERT(ask(Send{s, RequestId(1), h.text(name, "x")}).error);
        auto subscribe = h.subscription(s, 1, Destination::queue(name));
        CPPUNIT_ASSERT(ask(subscribe).error);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(RecurringChangesTest);

}  // namespace busbar::test
