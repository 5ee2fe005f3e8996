// A connection's life: login, heart-beats, errors, the end.
#include "tests/adapters/stomp/stomp_fixture.h"

using namespace busbar;
using namespace busbar::stomp;

class ConnectionTest : public StompFixture {
    CPPUNIT_TEST_SUITE(ConnectionTest);
    CPPUNIT_TEST(connectsWithTheHighestCommonVersion);
    CPPUNIT_TEST(refusesUnknownVersionsAndWrongPasswords);
    CPPUNIT_TEST(aCertificateLogsInWhereNoNameIsGiven);
    CPPUNIT_TEST(aUserWithTooManyConnectionsIsRefused);
    CPPUNIT_TEST(aUserThatSendsTooFastIsReadLater);
    CPPUNIT_TEST(aUserThatHoldsTooMuchIsReadLater);
    CPPUNIT_TEST(framesThatComeWithConnectWait);
    CPPUNIT_TEST(refusesAnythingBeforeConnect);
    CPPUNIT_TEST(closesWithoutLoginInTime);
    CPPUNIT_TEST(disconnectReceiptComesAfterEverything);
    CPPUNIT_TEST(heartBeatsBothWays);
    CPPUNIT_TEST(silentClientIsCutOffAfterTwiceTheTime);
    CPPUNIT_TEST(badFramesEndInError);
    CPPUNIT_TEST(closesItsSessionWhenThePeerGoes);
    CPPUNIT_TEST(halfCloseIsADisconnect);
    CPPUNIT_TEST_SUITE_END();

  public:
    void connectsWithTheHighestCommonVersion() {
        CPPUNIT_ASSERT(has(login("accept-version:1.0,1.1,1.2,2.0\nhost:10.0.0.1\n"),
                           "CONNECTED\nversion:1.2\n"));
        tearDown();
        CPPUNIT_ASSERT(has(login("accept-version:1.0, 1.1\n"), "version:1.1\n"));
        tearDown();
        CPPUNIT_ASSERT(has(login(""), "version:1.0\n"));
    }

    void refusesUnknownVersionsAndWrongPasswords() {
        make();
        receive("CONNECT\naccept-version:3.0\nlogin:alice\npasscode:secret\n\n\0"s);
        CPPUNIT_ASSERT(host_.closed);
        const auto error = host_.read();
        CPPUNIT_ASSERT(has(error, "ERROR\n") && has(error, "version:1.0,1.1,1.2\n") &&
                       has(error, "3.0"));
        tearDown();
        make();
        receive("STOMP\naccept-version:1.2\nlogin:alice\npasscode:wrong\n\n\0"s);
        bus_.loop.run();
        CPPUNIT_ASSERT(host_.closed);
        CPPUNIT_ASSERT(has(host_.read(), "code:unauthenticated\n"));
        tearDown();
        make();
        receive("CONNECT\naccept-version:1.2\n\n\0"s);
        CPPUNIT_ASSERT(host_.closed);
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), bus_.commands.size());
    }

    void aCertificateLogsInWhereNoNameIsGiven() {
        host_.certificate = PeerCertificate{"CN=bob", "bob", {}};
        make();
        receive("CONNECT\naccept-version:1.2\n\n\0SEND\ndestination:/queue/a\n\nx\0"s);
        const auto open = bus_.take<OpenSession>();
        CPPUNIT_ASSERT_EQUAL("bob"s, open.user);
        bus_.complete(open.request);
        CPPUNIT_ASSERT(has(host_.read(), "CONNECTED\n"));
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), bus_.count<Send>());
        tearDown();
        make();  // a name counts more, and needs its password
        receive("CONNECT\naccept-version:1.2\nlogin:bob\n\n\0"s);
        CPPUNIT_ASSERT(has(host_.read(), "code:unauthenticated\n"));
        tearDown();
        CPPUNIT_ASSERT(has(login(), "CONNECTED\n"));
        tearDown();
        host_.certificate->commonName = "mallory";
        make();
        receive("CONNECT\naccept-version:1.2\n\n\0"s);
        CPPUNIT_ASSERT(host_.closed);
        CPPUNIT_ASSERT(has(host_.read(), "code:unauthenticated\n"));
    }

    void aUserWithTooManyConnectionsIsRefused() {
        authenticator_.accounts.emplace(UserLimits{1, 0});
        auto other = authenticator_.admit("alice");
        make();
        receive("CONNECT\nlogin:alice\npasscode:secret\n\n\0"s);
        bus_.loop.run();
        CPPUNIT_ASSERT(host_.closed);
        CPPUNIT_ASSERT(has(host_.read(), "code:limit-reached\n"));
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), bus_.count<OpenSession>());
        other = UserSeat();
        tearDown();
        CPPUNIT_ASSERT(has(login(), "CONNECTED\n"));
    }

    void aUserThatSendsTooFastIsReadLater() {
        authenticator_.accounts.emplace(UserLimits{0, 2});
        login("heart-beat:0,1000\naccept-version:1.2\n");
        const std::string send = "SEND\ndestination:/queue/a\n\nx\0"s;
        receive(send + send);
        CPPUNIT_ASSERT(!host_.inputHeld());
        receive(send + send);
        CPPUNIT_ASSERT_EQUAL(std::size_t(4), bus_.count<Send>());  // what came is sent
        CPPUNIT_ASSERT(host_.heldUntil == host_.now().steady + Milliseconds(1000));
    }

    void aUserThatHoldsTooMuchIsReadLater() {
        authenticator_.accounts.emplace(UserLimits{0, 0, 30'000});
        login();
        auto another = std::move(*authenticator_.accounts->admit("alice"));
        const SteadyTime now = host_.now().steady;
        CPPUNIT_ASSERT(another.hold(31'000, now));  // goes on beyond the limit
        receive("SEND\ndestination:/queue/a\ncontent-length:20000\n\n" + std::string(4000, 'x'));
        CPPUNIT_ASSERT(!host_.inputHeld());  // next to nothing
        receive(std::string(1000, 'x'));
        CPPUNIT_ASSERT(host_.heldUntil == now + Milliseconds(500));
        another = {};
        host_.heldUntil = {};
        receive(std::string(15'000, 'x'));
        CPPUNIT_ASSERT(!host_.inputHeld());
        receive("\0"s);
        another = std::move(*authenticator_.accounts->admit("alice"));
        CPPUNIT_ASSERT(another.hold(9'000, now));  // the unanswered send has the rest
        CPPUNIT_ASSERT(another.hold(10'000, now));
        receive("SEND\ndestination:/queue/a\n\nx\0"s);
        CPPUNIT_ASSERT(host_.inputHeld());
        host_.heldUntil = {};
        while (bus_.count<Send>() > 0) bus_.complete(bus_.take<Send>().request);
        receive("SEND\ndestination:/queue/a\n\nx\0"s);
        CPPUNIT_ASSERT(!host_.inputHeld());  // answered: nothing is held any more
    }

    void framesThatComeWithConnectWait() {
        make();
        receive(
            "CONNECT\naccept-version:1.2\nlogin:alice\npasscode:secret\n\n\0SEND\ndestination:/queue/a\n\nx\0"s);
        CPPUNIT_ASSERT(!connection_->wantsInput());
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), bus_.count<Send>());
        bus_.loop.run();
        bus_.complete(bus_.take<OpenSession>().request);
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), bus_.count<Send>());
        CPPUNIT_ASSERT(connection_->wantsInput());
    }

    void refusesAnythingBeforeConnect() {
        make();
        receive("SEND\ndestination:/queue/a\n\nx\0"s);
        CPPUNIT_ASSERT(host_.closed);
        tearDown();
        make();  // before login the headers are bounded closer
        receive("CONNECT\n" + std::string(5000, 'a'));
        CPPUNIT_ASSERT(host_.closed);
        CPPUNIT_ASSERT(has(host_.read(), "code:too-large\n"));
    }

    void closesWithoutLoginInTime() {
        make();
        bus_.time.advance(Milliseconds(9'999));
        connection_->onTick();
        CPPUNIT_ASSERT(!host_.closed);
        bus_.time.advance(Milliseconds(1));
        connection_->onTick();
        CPPUNIT_ASSERT(host_.closed);
    }

    void disconnectReceiptComesAfterEverything() {
        login();
        receive("SEND\ndestination:/queue/a\n\nx\0DISCONNECT\nreceipt:bye\n\n\0"s);
        CPPUNIT_ASSERT_EQUAL(""s, host_.read());
        CPPUNIT_ASSERT(!host_.closed);
        bus_.complete(bus_.take<Send>().request);
        CPPUNIT_ASSERT_EQUAL("RECEIPT\nreceipt-id:bye\n\n\0"s, host_.read());
        CPPUNIT_ASSERT(host_.closed);
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), bus_.closed.size());
    }

    void heartBeatsBothWays() {
        CPPUNIT_ASSERT(
            has(login("accept-version:1.2\nheart-beat:2000,4000\n"), "heart-beat:1000,1000\n"));
        std::string beats;
        for (int ms = 0; ms < 12'000; ms += 500) {
            bus_.time.advance(Milliseconds(500));
            if (ms % 2000 == 0) receive("\n");
            if (bus_.time.now().steady >= host_.wake) connection_->onTick();
            beats += host_.read();
        }
        CPPUNIT_ASSERT(!host_.closed);
        CPPUNIT_ASSERT(beats.size() >= 3 && beats.find_first_not_of('\n') == beats.npos);
    }

    void silentClientIsCutOffAfterTwiceTheTime() {
        login("accept-version:1.2\nheart-beat:1000,0\n");
        for (int ms = 0; ms < 2000; ms += 500) {
            bus_.time.advance(Milliseconds(500));
            connection_->onTick();
        }
        CPPUNIT_ASSERT(!host_.closed);
        for (int ms = 0; ms < 1500; ms += 500) {
            bus_.time.advance(Milliseconds(500));
            connection_->onTick();
        }
        CPPUNIT_ASSERT(host_.closed);
    }

    void badFramesEndInError() {
        const std::string frames[] = {
            "NONSENSE\n\n\0"s,
            "SEND\n\nx\0"s,
            "SEND\ndestination:nowhere\n\nx\0"s,
            "SEND\ndestination:/queue/\n\nx\0"s,
            "SEND\ndestination:/queue/a\npriority:10\n\nx\0"s,
            "SEND\ndestination:/queue/a\nexpires:soon\n\nx\0"s,
            "SEND\ndestination:/queue/a\ncontent-length:-5\n\nx\0"s,
            "SUBSCRIBE\ndestination:/queue/a\n\n\0"s,
            "SUBSCRIBE\nid:1\ndestination:/queue/a\nack:maybe\n\n\0"s,
            "SUBSCRIBE\nid:1\ndestination:/queue/a\nexclusive:perhaps\n\n\0"s,
            "UNSUBSCRIBE\nid:9\n\n\0"s,
            "ACK\nid:1\n\n\0"s,
            "ACK\nid:1-1\nreceipt:r\n\n\0"s,
            "BEGIN\n\n\0"s,
            "BEGIN\ntransaction:t\n\n\0BEGIN\ntransaction:t\n\n\0"s,
            "ABORT\ntransaction:t\n\n\0"s,
            "CONNECT\nlogin:alice\npasscode:secret\n\n\0"s,
        };
        for (const auto& frame : frames) {
            login();
            receive(frame);
            CPPUNIT_ASSERT_MESSAGE(frame, has(host_.read(), "ERROR\nmessage:"));
            CPPUNIT_ASSERT_MESSAGE(frame, host_.closed);
            CPPUNIT_ASSERT(!bus_.listener);
            tearDown();
        }
    }

    void closesItsSessionWhenThePeerGoes() {
        login();
        const auto consumer = subscribe("id:1\ndestination:/queue/a\nack:client\n");
        deliver(consumer, 1, "x");
        connection_->onDisconnect();
        connection_->onDisconnect();
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), bus_.closed.size());
    }

    void halfCloseIsADisconnect() {
        // Who sends no more can acknowledge no more: its messages go back at once.
        login();
        CPPUNIT_ASSERT(!static_cast<Engine&>(*connection_).onInputEnd());
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(ConnectionTest);
