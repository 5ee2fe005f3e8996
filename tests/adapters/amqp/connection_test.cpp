#include "tests/adapters/amqp/amqp_client.h"
#include "tests/support/scram_client.h"

#include <cppunit/extensions/HelperMacros.h>

using namespace busbar;
using namespace busbar::test;

class AmqpConnectionTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(AmqpConnectionTest);
    CPPUNIT_TEST(opensWithItsCapabilities);
    CPPUNIT_TEST(refusesAWrongPassword);
    CPPUNIT_TEST(offersAnonymousOnlyWhereConfigured);
    CPPUNIT_TEST(offersExternalOnlyToWhomACertificateStandsFor);
    CPPUNIT_TEST(externalLogsInWithoutAPassword);
    CPPUNIT_TEST(aUserWithTooManyConnectionsIsRefused);
    CPPUNIT_TEST(aUserThatSendsTooFastIsReadLater);
    CPPUNIT_TEST(scramLogsInAndShowsTheServerToo);
    CPPUNIT_TEST(scramRefusesWrongAndUnknownAlike);
    CPPUNIT_TEST(scramIsOfferedWhereConfigured);
    CPPUNIT_TEST(scramTakesNoStepOutOfPlace);
    CPPUNIT_TEST(refusesWhoComesWithoutSasl);
    CPPUNIT_TEST(takesLittleBeforeLogin);
    CPPUNIT_TEST(closesWithoutLoginInTime);
    CPPUNIT_TEST(containerIdIsAClientIdOnlyWhereTheClientWantsToBeAlone);
    CPPUNIT_TEST(aTakenClientIdIsAnInvalidContainerId);
    CPPUNIT_TEST(whatComesBeforeTheSessionIsOpenWaits);
    CPPUNIT_TEST(pipelinedLoginAndOpenAreFine);
    CPPUNIT_TEST(sendsHeartbeatsAndCutsOffSilence);
    CPPUNIT_TEST(drainClosesWithAReason);
    CPPUNIT_TEST(endedSessionClosesTheConnection);
    CPPUNIT_TEST(closesItsSessionWhenThePeerGoes);
    CPPUNIT_TEST(orderlyCloseEndsBoth);
    CPPUNIT_TEST(garbageEndsTheConnection);
    CPPUNIT_TEST(linksAreBounded);
    CPPUNIT_TEST_SUITE_END();

  public:
    void opensWithItsCapabilities() {
        AmqpClient c;
        c.open();
        const auto offered = amqp::read(pn_connection_remote_offered_capabilities(c.connection()));
        for (const auto* name : {"ANONYMOUS-RELAY", "DELAYED_DELIVERY", "SHARED-SUBS"})
            CPPUNIT_ASSERT(amqp::names(offered.item, name));
        const auto properties = amqp::read(pn_connection_remote_properties(c.connection()));
        CPPUNIT_ASSERT_EQUAL(std::string("topic://"),
                             std::string(properties.item.find("topic-prefix").bytes));
        CPPUNIT_ASSERT_EQUAL(std::uint32_t(64u << 10),
                             pn_transport_get_remote_max_frame(c.driver.transport()));
        CPPUNIT_ASSERT((pn_session_state(c.session) & PN_REMOTE_ACTIVE) != 0);
    }

    void refusesAWrongPassword() {
        AmqpClient c;
        c.start("alice", "wrong");
        CPPUNIT_ASSERT_EQUAL(PN_SASL_AUTH, pn_sasl_outcome(pn_sasl(c.driver.transport())));
        CPPUNIT_ASSERT(c.host.closed);
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), c.bus.count<OpenSession>());
    }

    void offersAnonymousOnlyWhereConfigured() {
        AmqpClient refused;
        refused.start("");
        CPPUNIT_ASSERT(refused.failed());
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), refused.bus.count<OpenSession>());
        amqp::Options options;
        options.anonymous = true;
        AmqpClient allowed(options);
        allowed.start("");
        CPPUNIT_ASSERT_EQUAL(std::string("anonymous"), allowed.bus.take<OpenSession>().user);
        CPPUNIT_ASSERT_EQUAL(0, allowed.authenticator.checks);
    }

    void offersExternalOnlyToWhomACertificateStandsFor() {
        const auto offers = [](const std::string& name) {
            AmqpClient c({}, name);
            c.engine->receive(std::string("AMQP\3\1\0\0", 8));
            return c.host.read().find("EXTERNAL") != std::string::npos;
        };
        CPPUNIT_ASSERT(offers("alice"));
        CPPUNIT_ASSERT(!offers("mallory"));
        CPPUNIT_ASSERT(!offers({}));
        AmqpClient without;  // not offered: refused
        CPPUNIT_ASSERT_EQUAL(1, AmqpClient::outcomeIn(without.saslInit("EXTERNAL", "")));
        AmqpClient stranger({}, "mallory");
        CPPUNIT_ASSERT_EQUAL(1, AmqpClient::outcomeIn(stranger.saslInit("EXTERNAL", "mallory")));
    }

    void externalLogsInWithoutAPassword() {
        for (const std::string response : {"", "bob"}) {
            AmqpClient c({}, "bob");
            CPPUNIT_ASSERT_EQUAL(0, AmqpClient::outcomeIn(c.saslInit("EXTERNAL", response)));
            CPPUNIT_ASSERT_EQUAL(0, c.authenticator.checks);
            // Header and open: container-id "c".
            c.engine->receive(std::string("AMQP\0\1\0\0", 8) +
                              std::string("\0\0\0\x11\2\0\0\0\0\x53\x10\xc0\4\1\xa1\1c", 17));
            CPPUNIT_ASSERT_EQUAL(std::string("bob"), c.bus.take<OpenSession>().user);
        }
        AmqpClient other({}, "bob");  // acting for somebody else is not offered
        CPPUNIT_ASSERT_EQUAL(1, AmqpClient::outcomeIn(other.saslInit("EXTERNAL", "alice")));
        AmqpClient plain({}, "bob");  // a password is as good as ever
        plain.start();
        CPPUNIT_ASSERT_EQUAL(std::string("alice"), plain.bus.take<OpenSession>().user);
    }

    void aUserWithTooManyConnectionsIsRefused() {
        AmqpClient c;
        c.authenticator.accounts.emplace(UserLimits{1, 0});
        auto other = c.authenticator.admit("alice");
        c.start();
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), c.bus.count<OpenSession>());
        pn_condition_t* condition = pn_connection_remote_condition(c.connection());
        CPPUNIT_ASSERT_EQUAL(std::string("amqp:resource-limit-exceeded"),
                             std::string(pn_condition_get_name(condition)));
        CPPUNIT_ASSERT(c.host.closed);
    }

    void aUserThatSendsTooFastIsReadLater() {
        AmqpClient c;
        c.authenticator.accounts.emplace(UserLimits{0, 1});
        c.open();
        pn_link_t* link = c.sender("a");
        const std::string message("\0\x53\x75\xa0\1x", 6);
        c.send(link, message);
        CPPUNIT_ASSERT(!c.host.inputHeld());
        c.send(link, message);
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), c.bus.count<Send>());
        CPPUNIT_ASSERT(c.host.heldUntil == c.host.now().steady + Milliseconds(1000));
    }

    static constexpr const char* kScram = "SCRAM-SHA-256";

    void scramLogsInAndShowsTheServerToo() {
        AmqpClient c({}, {}, true);
        ScramClient scram("alice", "secret");
        const auto challenge = AmqpClient::textFrom(c.saslInit(kScram, scram.first()), "r=client");
        CPPUNIT_ASSERT(challenge.ends_with(",i=4096"));
        CPPUNIT_ASSERT(challenge.find(',') > std::string("r=client").size() + 20);
        const auto outcome = c.saslResponse(scram.last(challenge));
        CPPUNIT_ASSERT_EQUAL(0, AmqpClient::outcomeIn(outcome));
        CPPUNIT_ASSERT_EQUAL(scram.verdict(), AmqpClient::textFrom(outcome, "v="));
        CPPUNIT_ASSERT_EQUAL(0, c.authenticator.checks);
        c.engine->receive(std::string("AMQP\0\1\0\0", 8) +
                          std::string("\0\0\0\x11\2\0\0\0\0\x53\x10\xc0\4\1\xa1\1c", 17));
        CPPUNIT_ASSERT_EQUAL(std::string("alice"), c.bus.take<OpenSession>().user);
    }

    void scramRefusesWrongAndUnknownAlike() {
        std::string before;
        for (const std::string user : {"alice", "nobody"}) {
            AmqpClient c({}, {}, true);
            ScramClient scram(user, "wrong");
            const auto challenge =
                AmqpClient::textFrom(c.saslInit(kScram, scram.first()), "r=client");
            CPPUNIT_ASSERT(challenge.find(",s=") != std::string::npos);
            const auto outcome = c.saslResponse(scram.last(challenge));
            CPPUNIT_ASSERT_EQUAL(1, AmqpClient::outcomeIn(outcome));
            CPPUNIT_ASSERT(c.host.closed);
            CPPUNIT_ASSERT(before.empty() || before == outcome);
            before = outcome;
            CPPUNIT_ASSERT_EQUAL(std::size_t(0), c.bus.count<OpenSession>());
        }
    }

    void scramIsOfferedWhereConfigured() {
        const auto offers = [](amqp::Options::Scram option, bool everyUserHasKeys) {
            amqp::Options options;
            options.scram = option;
            AmqpClient c(options, {}, everyUserHasKeys);
            // Mechanisms are listed when the connection is made: for the fake's answer to count,
            // it is made anew.
            c.engine = amqp::makeFactory(c.options, c.authenticator)(c.host);
            c.engine->receive(std::string("AMQP\3\1\0\0", 8));
            return c.host.read().find(kScram) != std::string::npos;
        };
        using Scram = amqp::Options::Scram;
        CPPUNIT_ASSERT(offers(Scram::automatic, true));
        CPPUNIT_ASSERT(!offers(Scram::automatic, false));
        CPPUNIT_ASSERT(offers(Scram::always, false));
        CPPUNIT_ASSERT(!offers(Scram::never, true));
        AmqpClient none;
        CPPUNIT_ASSERT_EQUAL(1, AmqpClient::outcomeIn(none.saslInit(kScram, "n,,n=alice,r=x")));
    }

    void scramTakesNoStepOutOfPlace() {
        for (const std::string first : {"p=tls-unique,,n=alice,r=x", "n,a=bob,n=alice,r=x", "x"}) {
            AmqpClient c({}, {}, true);
            CPPUNIT_ASSERT_EQUAL(1, AmqpClient::outcomeIn(c.saslInit(kScram, first)));
        }
        AmqpClient empty({}, {}, true);
        CPPUNIT_ASSERT(
            !AmqpClient::textFrom(empty.saslInit(kScram, "n,,n=alice,r=x"), "r=").empty());
        CPPUNIT_ASSERT_EQUAL(1, AmqpClient::outcomeIn(empty.saslResponse({})));
        AmqpClient plain({}, {}, true);  // a response that nobody asked for
        plain.engine->receive(std::string("AMQP\3\1\0\0", 8));
        plain.host.read();
        CPPUNIT_ASSERT(AmqpClient::outcomeIn(plain.saslResponse("x")) != 0);
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), plain.bus.count<OpenSession>());
        AmqpClient another({}, {}, true);  // another init while the proof is waited for
        another.saslInit(kScram, "n,,n=alice,r=x");
        another.engine->receive(AmqpClient::saslFrame('\x41', "\xa3\5PLAIN",
                                                      std::string("\xa0\x0d\0alice\0secret", 15)));
        another.bus.loop.run();
        CPPUNIT_ASSERT(AmqpClient::outcomeIn(another.host.read()) != 0);
    }

    void refusesWhoComesWithoutSasl() {
        AmqpClient c;
        c.engine->receive(std::string("AMQP\0\1\0\0", 8));
        c.engine->receive(std::string("\0\0\0\x11\2\0\0\0\0\x53\x10\xc0\4\1\xa1\1x", 17));
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), c.bus.count<OpenSession>());
        CPPUNIT_ASSERT(c.host.closed);
    }

    void takesLittleBeforeLogin() {
        AmqpClient c;
        std::string frame("AMQP\3\1\0\0", 8);
        frame += std::string("\0\0\x1f\0\2\1\0\0", 8);
        c.engine->receive(frame);
        CPPUNIT_ASSERT(!c.host.closed);
        c.engine->receive(std::string(9000, 'x'));
        CPPUNIT_ASSERT(c.host.closed);
    }

    void closesWithoutLoginInTime() {
        AmqpClient c;
        CPPUNIT_ASSERT(c.host.wake == c.host.now().steady + c.options.loginTimeout);
        c.bus.time.advance(c.options.loginTimeout);
        c.engine->onTick();
        CPPUNIT_ASSERT(c.host.closed);
    }

    void containerIdIsAClientIdOnlyWhereTheClientWantsToBeAlone() {
        AmqpClient plain;
        plain.start();
        CPPUNIT_ASSERT_EQUAL(std::string(), plain.bus.take<OpenSession>().clientId);
        AmqpClient alone;
        pn_connection_set_container(alone.connection(), "me");
        std::string symbols;
        amqp::putSymbols(symbols, {"sole-connection-for-container"});
        amqp::assign(pn_connection_desired_capabilities(alone.connection()), symbols);
        alone.start();
        const auto command = alone.bus.take<OpenSession>();
        CPPUNIT_ASSERT_EQUAL(std::string("me"), command.clientId);
        CPPUNIT_ASSERT_EQUAL(std::string("alice"), command.user);
        CPPUNIT_ASSERT_EQUAL(std::string("amqp"), command.protocol);
    }

    void aTakenClientIdIsAnInvalidContainerId() {
        AmqpClient c;
        c.start();
        c.bus.refuse(c.bus.take<OpenSession>().request, ErrorCode::conflict, "in use");
        c.run();
        CPPUNIT_ASSERT_EQUAL(std::string("amqp:invalid-field"), c.connectionCondition());
        const auto properties = amqp::read(pn_connection_remote_properties(c.connection()));
        CPPUNIT_ASSERT(properties.item.find("amqp:connection-establishment-failed").isTrue());
        CPPUNIT_ASSERT(c.host.closed);
    }

    void whatComesBeforeTheSessionIsOpenWaits() {
        AmqpClient c;
        c.start();
        pn_link_t* link = c.sender("q");
        CPPUNIT_ASSERT(!c.remotelyOpen(link));
        CPPUNIT_ASSERT(!c.engine->wantsInput());
        c.bus.complete(c.bus.take<OpenSession>().request);
        c.run();
        CPPUNIT_ASSERT(c.remotelyOpen(link));
        CPPUNIT_ASSERT(c.engine->wantsInput());
    }

    /// Everything at once, and byte by byte.
    void pipelinedLoginAndOpenAreFine() {
        const std::string bytes(
            "AMQP\3\1\0\0"
            "\0\0\0\x24\2\1\0\0\0\x53\x41\xc0\x17\2\xa3\5PLAIN\xa0\x0d\0alice\0secret"
            "AMQP\0\1\0\0"
            "\0\0\0\x11\2\0\0\0\0\x53\x10\xc0\4\1\xa1\1x",
            69);
        for (const std::size_t piece : {bytes.size(), std::size_t(1)}) {
            AmqpClient c;
            for (std::size_t at = 0; at < bytes.size(); at += piece)
                c.engine->receive(bytes.substr(at, piece));
            c.bus.loop.run();
            CPPUNIT_ASSERT_EQUAL(std::size_t(1), c.bus.count<OpenSession>());
        }
    }

    void sendsHeartbeatsAndCutsOffSilence() {
        AmqpClient c;
        pn_transport_set_idle_timeout(c.driver.transport(), 2000);
        c.open();
        CPPUNIT_ASSERT_EQUAL(pn_millis_t(30'000),
                             pn_transport_get_remote_idle_timeout(c.driver.transport()));
        c.host.read();
        const SteadyTime until = c.host.now().steady + c.options.idleTimeout;
        bool beat = false;
        while (!c.host.closed && c.host.now().steady <= until) {
            c.bus.time.advance(Milliseconds(500));
            c.engine->onTick();
            beat = beat || !c.host.read().empty();
        }
        CPPUNIT_ASSERT(beat);
        CPPUNIT_ASSERT(c.host.closed);
    }

    void drainClosesWithAReason() {
        AmqpClient c;
        c.open();
        c.engine->onDrain("the bus is stopping");
        c.run();
        CPPUNIT_ASSERT_EQUAL(std::string("amqp:connection:forced"), c.connectionCondition());
        CPPUNIT_ASSERT(c.host.closed);
    }

    void endedSessionClosesTheConnection() {
        AmqpClient c;
        c.open();
        SessionEnded over;
        over.error = {ErrorCode::conflict, "taken over"};
        c.bus.tell(std::move(over));
        c.run();
        CPPUNIT_ASSERT_EQUAL(std::string("amqp:resource-locked"), c.connectionCondition());
        CPPUNIT_ASSERT(c.host.closed);
    }

    void closesItsSessionWhenThePeerGoes() {
        AmqpClient c;
        c.open();
        c.engine->onDisconnect();
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), c.bus.closed.size());
    }

    void orderlyCloseEndsBoth() {
        AmqpClient c;
        c.open();
        pn_connection_close(c.connection());
        c.run();
        CPPUNIT_ASSERT((pn_connection_state(c.connection()) & PN_REMOTE_CLOSED) != 0);
        CPPUNIT_ASSERT(c.host.closed);
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), c.bus.closed.size());
    }

    void garbageEndsTheConnection() {
        AmqpClient c;
        c.open();
        c.engine->receive(std::string("\0\0\0\4\2\0\0\0", 8));
        c.run();
        CPPUNIT_ASSERT(c.host.closed);
    }

    void linksAreBounded() {
        amqp::Options options;
        options.linksMax = 1;
        AmqpClient c(options);
        c.open();
        CPPUNIT_ASSERT(c.remotelyOpen(c.sender("a", "1")));
        pn_link_t* second = c.sender("b", "2");
        CPPUNIT_ASSERT(c.remotelyClosed(second));
        CPPUNIT_ASSERT_EQUAL(std::string("amqp:resource-limit-exceeded"), c.condition(second));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(AmqpConnectionTest);
