// Who may do what: rules, and every command held against every set of rights.
#include "bus/core/permissions.h"

#include "bus/core/topic_pattern.h"
#include "tests/bus/core/broker_harness.h"

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include <functional>

namespace busbar::test {

using std::string;

namespace {

/// The error that a command of this request was answered with, whatever the kind of the answer.
std::optional<Error> errorOf(BrokerHarness& h, RequestId request) {
    std::optional<Error> error;
    bool answered = false;
    for (const Effect& effect : h.effects) {
        std::visit(
            [&](const auto& e) {
                if constexpr (requires {
                                  e.request;
                                  e.error.has_value();
                              }) {
                    if (e.request != request) return;
                    answered = true;
                    error = e.error;
                } else if constexpr (requires {
                                         e.request;
                                         e.picture;
                                     }) {
                    answered |= e.request == request;
                }
            },
            effect);
    }
    CPPUNIT_ASSERT_MESSAGE("every command is answered", answered);
    h.effects.clear();
    return error;
}

/// A command and the rights on queue "q.1" or topic "t.1" without which it is refused.
struct Case {
    string name;
    bool topic;
    Rights needed;
    std::function<Command(SessionId)> make;
};

constexpr RequestId kRequest{77};

template <class C>
std::function<Command(SessionId)> on(C command) {
    return [command](SessionId session) {
        C c = command;
        c.session = session;
        c.request = kRequest;
        return Command(std::move(c));
    };
}

std::function<Command(SessionId)> sendTo(const Destination& to) {
    return [to](SessionId session) {
        return Command(Send{session, kRequest, BrokerHarness::text(to, "x")});
    };
}

std::function<Command(SessionId)> commitTo(const Destination& to) {
    return [to](SessionId session) {
        return Command(CommitTransaction{session, kRequest, {BrokerHarness::text(to, "x")}, {}});
    };
}

std::function<Command(SessionId)> prepareFor(const Destination& to) {
    return [to](SessionId session) {
        PrepareTransaction c;
        c.session = session;
        c.request = kRequest;
        c.branch = BranchId{1, "g", "b"};
        c.sends = {BrokerHarness::text(to, "x")};
        return Command(std::move(c));
    };
}

std::function<Command(SessionId)> subscribeTo(const Destination& to, const string& durable = {}) {
    return [=](SessionId session) {
        Subscribe c;
        c.session = session;
        c.request = kRequest;
        c.consumer = ConsumerId(1);
        c.source = to;
        c.durableName = durable;
        c.shared = !durable.empty();
        return Command(std::move(c));
    };
}

template <class C>
C named(const string& queue) {
    C c;
    c.queue = queue;
    return c;
}

std::vector<Case> cases() {
    const auto q = Destination::queue("q.1"), missing = Destination::queue("q.new");
    const auto t = Destination::topic("t.1");
    Receive receive = named<Receive>("q.1"), receiveMissing = named<Receive>("q.new");
    MoveMessages move = named<MoveMessages>("q.1"), moveToMissing = move;
    move.target = "q.2";
    moveToMissing.target = "q.new";
    Call call;
    call.service = "q";  // its channel is q.request
    return {
        {"send", false, {Right::send}, sendTo(q)},
        {"send to a new queue", false, {Right::send, Right::create}, sendTo(missing)},
        {"publish", true, {Right::send}, sendTo(t)},
        {"commit", false, {Right::send}, commitTo(q)},
        {"commit to a new queue", false, {Right::send, Right::create}, commitTo(missing)},
        {"commit to a topic", true, {Right::send}, commitTo(t)},
        {"prepare", false, {Right::send}, prepareFor(q)},
        {"consume", false, {Right::receive}, subscribeTo(q)},
        {"consume a new queue", false, {Right::receive, Right::create}, subscribeTo(missing)},
        {"subscribe", true, {Right::receive}, subscribeTo(t)},
        {"subscribe durably", true, {Right::receive, Right::create}, subscribeTo(t, "new")},
        {"join a durable subscription", true, {Right::receive}, subscribeTo(t, "known")},
        {"unsubscribe", true, {Right::create}, on(DeleteSubscription{{}, {}, "known", true})},
        {"fetch", false, {Right::receive}, on(receive)},
        {"fetch from a new queue", false, {Right::receive, Right::create}, on(receiveMissing)},
        {"browse", false, {Right::browse}, on(named<Browse>("q.1"))},
        {"browse a subscription", true, {Right::browse}, on(named<Browse>(".known"))},
        {"group state", false, {Right::receive}, on(named<GroupState>("q.1"))},
        {"define", false, {Right::manage}, on(named<DefineQueue>("q.1"))},
        {"delete", false, {Right::manage}, on(named<DeleteQueue>("q.1"))},
        {"purge", false, {Right::manage}, on(named<Purge>("q.1"))},
        {"purge a subscription", true, {Right::manage}, on(named<Purge>(".known"))},
        {"put back", false, {Right::manage}, on(named<MoveMessages>("q.1"))},
        {"move", false, {Right::manage, Right::send}, on(move)},
        {"move to a new queue",
         false,
         {Right::manage, Right::send, Right::create},
         on(moveToMissing)},
        {"reschedule", false, {Right::manage}, on(named<Reschedule>("q.1"))},
        {"pause", false, {Right::manage}, on(named<PauseGroup>("q.1"))},
        {"define a service", false, {Right::manage}, on(DefineService{{}, {}, "q"})},
    };
}

bool hasAll(Rights given, Rights needed) {
    for (const Right right : kEveryRight) {
        if (needed.has(right) && !given.has(right)) return false;
    }
    return true;
}

Rights fromBits(unsigned bits) {
    Rights rights;
    for (const Right right : kEveryRight) {
        if (bits & static_cast<unsigned>(right)) rights.add({right});
    }
    return rights;
}

}  // namespace

class PermissionsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(PermissionsTest);
    CPPUNIT_TEST(everyCommandNeedsItsRights);
    CPPUNIT_TEST(whoHasNoRoleMayDoNothing);
    CPPUNIT_TEST(theRoleUserMayDoAllButManage);
    CPPUNIT_TEST(rulesAreForRolesUsersAndEveryone);
    CPPUNIT_TEST(aPatternNeedsARuleThatCoversIt);
    CPPUNIT_TEST(coversWhatItsNamesAreCoveredBy);
    CPPUNIT_TEST(picturesAreForAdminsAndMonitors);
    CPPUNIT_TEST(temporariesAreForWhoeverMayDoAnything);
    CPPUNIT_TEST(aRefusedTransactionLeavesItsDeliveriesHeld);
    CPPUNIT_TEST(refusalsAreCountedAndToldOnceASecond);
    CPPUNIT_TEST(otherRulesHoldForOpenSessions);
    CPPUNIT_TEST(otherRolesHoldForOpenSessions);
    CPPUNIT_TEST(usersThatAreGoneHaveNoSessions);
    CPPUNIT_TEST_SUITE_END();

    std::unique_ptr<BrokerHarness> bus_;
    BrokerHarness& h() { return *bus_; }
    void send(SessionId s, const string& queue, const string& text) {
        h().run(Send{s, kRequest, h().text(queue, text)});
    }
    static string body(const Delivered& d) { return string(d.delivery.message->body.view()); }

    /// A bus with q.1, q.2 and the shared durable subscription ".known" on t.1; `rights` of the
    /// role "r" are on q.> and t.>.
    void with(std::vector<PermissionRule> rules) {
        BrokerOptions options;
        options.permissions = std::move(rules);
        bus_ = std::make_unique<BrokerHarness>(options);
        const auto admin = h().open();
        for (const char* queue : {"q.1", "q.2", "other"})
            h().run(DefineQueue{admin, {}, queue, {}});
        auto known = h().subscription(admin, 1, Destination::topic("t.1"));
        known.durableName = "known";
        known.shared = true;
        h().run(known);
        h().run(CloseSession{admin});
        h().effects.clear();
    }

    std::optional<Error> attempt(SessionId session, const Case& what) {
        h().run(what.make(session));
        return errorOf(h(), kRequest);
    }

  public:
    void everyCommandNeedsItsRights() {
        int refused = 0, allowed = 0;
        for (const Case& what : cases()) {
            for (unsigned bits = 0; bits < 32; ++bits) {
                const Rights rights = fromBits(bits);
                with({{"r", {}, what.topic, what.topic ? "t.>" : "q.>", rights},
                      // What is given elsewhere, and on the other kind, helps nothing.
                      {"r", {}, what.topic, "elsewhere.>", Rights::all()},
                      {"r", {}, !what.topic, what.topic ? "t.>" : "q.>", Rights::all()}});
                const auto error = attempt(h().open("someone", {}, {"r"}), what);
                // Who may take messages may look at them too.
                const bool looks = what.needed.has(Right::browse) && rights.has(Right::receive);
                const bool denied = error && (error->code == ErrorCode::notAuthorized ||
                                              error->code == ErrorCode::transactionAborted);
                CPPUNIT_ASSERT_EQUAL_MESSAGE(what.name + " with rights " + std::to_string(bits),
                                             !hasAll(rights, what.needed) && !looks, denied);
                ++(denied ? refused : allowed);
            }
        }
        CPPUNIT_ASSERT(refused > 100 && allowed > 100);
    }

    void whoHasNoRoleMayDoNothing() {
        with(defaultPermissions());
        for (const Case& what : cases()) {
            const auto error = attempt(h().open("someone", {}, {}), what);
            CPPUNIT_ASSERT_MESSAGE(what.name, error.has_value());
        }
    }

    void theRoleUserMayDoAllButManage() {
        with(defaultPermissions());
        const auto s = h().open("someone", {}, {"user"});
        for (const Case& what : cases()) {
            if (what.name == "unsubscribe") continue;  // the case before it has joined
            const auto error = attempt(h().open("someone", {}, {"user"}), what);
            const bool denied = error && error->code == ErrorCode::notAuthorized;
            CPPUNIT_ASSERT_EQUAL_MESSAGE(what.name, what.needed.has(Right::manage), denied);
        }
        h().run(CloseSession{s});
    }

    void rulesAreForRolesUsersAndEveryone() {
        const std::vector<PermissionRule> rules{{"r", {}, false, "q.1", {Right::send}},
                                                {{}, "anna", false, "q.2", {Right::send}},
                                                {"*", {}, false, "q.3", {Right::send}}};
        Access role(rules, "x", {"other", "r"}), anna(rules, "anna", {}),
            admin(rules, "a", {"admin"});
        CPPUNIT_ASSERT(role.may(Right::send, false, "q.1") && !anna.may(Right::send, false, "q.1"));
        CPPUNIT_ASSERT(anna.may(Right::send, false, "q.2") && !role.may(Right::send, false, "q.2"));
        CPPUNIT_ASSERT(anna.may(Right::send, false, "q.3") && role.may(Right::send, false, "q.3"));
        CPPUNIT_ASSERT(!role.may(Right::receive, false, "q.1"));
        CPPUNIT_ASSERT(admin.may(Right::manage, true, "anything"));
        CPPUNIT_ASSERT_MESSAGE("a user called like a role is not in it",
                               !Access(rules, "r", {}).may(Right::send, false, "q.1"));
    }

    void aPatternNeedsARuleThatCoversIt() {
        with({{"r", {}, true, "prices.*", {Right::receive}}});
        const auto s = h().open("someone", {}, {"r"});
        h().run(h().subscription(s, 1, Destination::topic("prices.*")));
        CPPUNIT_ASSERT(!h().take<Completed>()->error);
        for (const char* wider : {"prices.>", ">", "*.eur", "prices"}) {
            h().run(h().subscription(s, 2, Destination::topic(wider)));
            const auto answer = h().take<Completed>();
            CPPUNIT_ASSERT_MESSAGE(wider, answer->error.has_value());
            CPPUNIT_ASSERT(answer->error->code == ErrorCode::notAuthorized);
        }
    }

    /// Held against what it means: all names of up to three levels over a small alphabet.
    void coversWhatItsNamesAreCoveredBy() {
        std::vector<string> names, patterns;
        const auto grow = [](const std::vector<string>& levels, std::vector<string>& out) {
            for (const auto& a : levels) {
                out.push_back(a);
                for (const auto& b : levels) {
                    out.push_back(a + "." + b);
                    for (const auto& c : levels) out.push_back(a + "." + b + "." + c);
                }
            }
        };
        // A level more than patterns have, so that "the rest" is seen to be more than one level.
        grow({"a", "b", "c"}, names);
        for (std::size_t i = 0, n = names.size(); i < n; ++i) names.push_back(names[i] + ".a.b.c");
        grow({"a", "b", "*"}, patterns);
        for (std::size_t i = 0, n = patterns.size(); i < n; ++i) {
            if (patterns[i].size() < 5) patterns.push_back(patterns[i] + ".>");
        }
        patterns.emplace_back(">");
        for (const auto& wide : patterns) {
            for (const auto& part : patterns) {
                bool all = true;
                for (const auto& name : names)
                    all = all && (!matchesPattern(part, name) || matchesPattern(wide, name));
                CPPUNIT_ASSERT_EQUAL_MESSAGE(wide + " covers " + part, all,
                                             coversPattern(wide, part));
            }
        }
    }

    void picturesAreForAdminsAndMonitors() {
        with(defaultPermissions());
        h().run(TakePicture{h().open("u", {}, {"user"}), kRequest});
        CPPUNIT_ASSERT(h().take<Completed>()->error->code == ErrorCode::notAuthorized);
        h().run(TakePicture{h().open("m", {}, {"monitor"}), kRequest});
        CPPUNIT_ASSERT(h().take<Pictured>());
    }

    void temporariesAreForWhoeverMayDoAnything() {
        with({{"r", {}, false, "q.1", {Right::send}}});
        const Destination temporary{DestinationKind::temporaryQueue, "temp.1"};
        const auto none = h().open("none", {}, {});
        h().run(MakeTemporary{none, kRequest, temporary});
        CPPUNIT_ASSERT(h().take<Completed>()->error->code == ErrorCode::notAuthorized);
        const auto asks = h().open("asks", {}, {"r"}), answers = h().open("answers", {}, {"r"});
        h().run(MakeTemporary{asks, kRequest, temporary});
        CPPUNIT_ASSERT(!h().take<Completed>()->error);
        h().subscribe(asks, 1, temporary);
        h().run(Send{answers, kRequest, h().text(temporary, "42")});
        CPPUNIT_ASSERT_EQUAL(string("42"), body(*h().take<Delivered>()));
        h().effects.clear();
        h().run(Send{none, kRequest, h().text(temporary, "43")});
        CPPUNIT_ASSERT(h().take<Completed>()->error->code == ErrorCode::notAuthorized);
        Browse browse = named<Browse>("temp.1");
        browse.session = answers;
        browse.request = kRequest;
        h().run(browse);
        CPPUNIT_ASSERT(h().take<Browsed>()->error->code == ErrorCode::notAuthorized);
    }

    void aRefusedTransactionLeavesItsDeliveriesHeld() {
        with({{"r", {}, false, "q.1", {Right::send, Right::receive}}});
        const auto s = h().open("someone", {}, {"r"});
        send(s, "q.1", "in");
        h().subscribe(s, 1, Destination::queue("q.1"));
        const auto delivery = h().take<Delivered>()->delivery.id;
        h().effects.clear();
        h().run(CommitTransaction{s, kRequest, {h().text("q.2", "out")}, {delivery}});
        const auto aborted = h().take<Completed>();
        CPPUNIT_ASSERT(aborted->error->code == ErrorCode::notAuthorized);
        CPPUNIT_ASSERT(aborted->error->text.find("q.2") != string::npos);
        h().run(h().settle(s, delivery, Outcome::accepted, 78));
        CPPUNIT_ASSERT(!h().take<Completed>()->error);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(0), h().queue("q.2").in);
    }

    void refusalsAreCountedAndToldOnceASecond() {
        with({});
        const auto s = h().open("someone", {}, {"r"});
        for (int i = 0; i < 5; ++i) send(s, "q.1", "x");
        const auto picture = h().broker->picture(h().now);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(5), picture.unauthorized);
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), picture.notices.size());
        h().wait(Milliseconds(1'500));
        send(s, "q.1", "x");
        const auto later = h().broker->picture(h().now).notices;
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), later.size());
        CPPUNIT_ASSERT(later[1].find("4 more") != string::npos);
        CPPUNIT_ASSERT(later[1].find("someone") != string::npos);
    }

    void otherRulesHoldForOpenSessions() {
        with({{"r", {}, false, ">", {Right::send, Right::receive, Right::create}},
              {"r", {}, true, ">", {Right::receive}}});
        const auto s = h().open("someone", {}, {"r"}), other = h().open("other", {}, {"admin"});
        send(s, "q.1", "held");
        h().subscribe(s, 1, Destination::queue("q.1"));
        const auto held = h().take<Delivered>()->delivery.id;
        h().subscribe(s, 2, Destination::queue("q.2"));
        h().subscribe(s, 3, Destination::topic("t.1"));
        const Destination temporary{DestinationKind::temporaryQueue, "temp.1"};
        h().run(MakeTemporary{s, kRequest, temporary});
        h().subscribe(s, 4, temporary);
        Receive waits;
        waits.session = s;
        waits.request = RequestId(5);
        waits.queue = "q.3";
        waits.wait = Milliseconds(60'000);
        h().run(waits);
        h().effects.clear();
        h().setAccess({{{"r", {}, false, "q.2", {Right::send, Right::receive}}}});
        for (const int consumer : {1, 3}) {
            const auto ended = h().take<ConsumerEnded>();
            CPPUNIT_ASSERT(ended && ended->consumer == ConsumerId(consumer));
            CPPUNIT_ASSERT(ended->error.code == ErrorCode::notAuthorized);
        }
        CPPUNIT_ASSERT(!h().take<ConsumerEnded>());
        const auto received = h().take<Received>();
        CPPUNIT_ASSERT(received && received->request == RequestId(5));
        CPPUNIT_ASSERT(received->error->code == ErrorCode::notAuthorized);
        h().run(h().settle(s, held, Outcome::accepted, 78));
        CPPUNIT_ASSERT(h().take<Completed>()->error->code == ErrorCode::lockLost);
        h().effects.clear();
        h().subscribe(other, 1, Destination::queue("q.1"));  // what was held came back
        CPPUNIT_ASSERT_EQUAL(string("held"), body(*h().take<Delivered>()));
        send(s, "q.1", "no more");
        send(s, "q.2", "still");
        h().run(Send{s, kRequest, h().text(temporary, "its own")});
        CPPUNIT_ASSERT_EQUAL(string("still"), body(*h().take<Delivered>()));
        CPPUNIT_ASSERT_EQUAL(string("its own"), body(*h().take<Delivered>()));
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), h().queue("q.1").in);
        h().broker->checkInvariants();
    }

    void otherRolesHoldForOpenSessions() {
        with({{"r", {}, false, "q.1", {Right::send, Right::receive, Right::create}}});
        const auto s = h().open("someone", {}, {"r"}), unknown = h().open("cert", {}, {"r"});
        h().subscribe(s, 1, Destination::queue("q.1"));
        h().subscribe(unknown, 1, Destination::queue("q.1"));
        h().effects.clear();
        AccessChange change{
            {{"r", {}, false, "q.1", {Right::send, Right::receive, Right::create}}}};
        change.roles["someone"] = {"other"};
        h().setAccess(change);
        CPPUNIT_ASSERT(h().take<ConsumerEnded>()->session == s);
        CPPUNIT_ASSERT(!h().take<ConsumerEnded>());
        // A login that began with the old roles gets the new ones.
        const auto late = h().open("someone", {}, {"admin"});
        h().run(Send{late, kRequest, h().text("q.1", "x")});
        CPPUNIT_ASSERT(h().take<Completed>()->error->code == ErrorCode::notAuthorized);
        change.roles["someone"] = {"admin"};
        h().setAccess(change);
        h().run(Send{s, kRequest, h().text("q.new", "x")});
        CPPUNIT_ASSERT(!h().take<Completed>()->error);
    }

    void usersThatAreGoneHaveNoSessions() {
        with(defaultPermissions());
        const auto s = h().open("someone", {}, {"user"}), stays = h().open("stays", {}, {"user"});
        const auto own = SessionId(99);
        h().apply(OpenSession{own, {}, "someone", {}, "internal", {}, false, {"admin"}});
        send(s, "q.1", "x");
        h().subscribe(s, 1, Destination::queue("q.1"));
        h().effects.clear();
        AccessChange change{defaultPermissions()};
        change.gone = {"someone"};
        h().setAccess(change);
        const auto ended = h().take<SessionEnded>();
        CPPUNIT_ASSERT(ended && ended->session == s);
        CPPUNIT_ASSERT(ended->error.code == ErrorCode::notAuthorized);
        CPPUNIT_ASSERT(!h().take<SessionEnded>());
        h().subscribe(stays, 1, Destination::queue("q.1"));
        CPPUNIT_ASSERT(h().take<Delivered>());
        h().effects.clear();
        h().run(OpenSession{SessionId(98), kRequest, "someone", {}, "test", {}, false, {"user"}});
        CPPUNIT_ASSERT(h().take<Completed>()->error->code == ErrorCode::notAuthorized);
        h().setAccess({defaultPermissions(), {{"someone", {"user"}}}});
        h().run(OpenSession{SessionId(97), kRequest, "someone", {}, "test", {}, false, {"user"}});
        CPPUNIT_ASSERT(!h().take<Completed>()->error);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(PermissionsTest);

}  // namespace busbar::test
