// Logging in, time, administration and the end of a connection.
#include "tests/adapters/openwire/client.h"

#include <cppunit/extensions/HelperMacros.h>

using namespace busbar;
using namespace busbar::openwire;
using namespace busbar::openwire::test;
using namespace std::string_literals;

class OpenWireConnectionTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(OpenWireConnectionTest);
    CPPUNIT_TEST(speaksWhenTheClientHasSpoken);
    CPPUNIT_TEST(refusesVersionsThatItDoesNotSpeak);
    CPPUNIT_TEST(answersTheLoginAsActiveMqDoes);
    CPPUNIT_TEST(wrongPasswordsAreRefused);
    CPPUNIT_TEST(aCertificateLogsInWhereNoNameIsGiven);
    CPPUNIT_TEST(aUserWithTooManyConnectionsIsRefused);
    CPPUNIT_TEST(aUserThatSendsTooFastIsReadLater);
    CPPUNIT_TEST(nothingIsTakenBeforeLogin);
    CPPUNIT_TEST(aStrangerMakesUsKeepLittle);
    CPPUNIT_TEST(closesWithoutLoginInTime);
    CPPUNIT_TEST(whatComesWithTheLoginWaits);
    CPPUNIT_TEST(aClientThatFailedOverTakesItsSessionOver);
    CPPUNIT_TEST(clientIdInUseIsAnException);
    CPPUNIT_TEST(keepAliveBothWays);
    CPPUNIT_TEST(silentClientsAreCutOff);
    CPPUNIT_TEST(temporaryDestinationsAreMadeAndAdvised);
    CPPUNIT_TEST(temporaryNamesBelongToTheirConnection);
    CPPUNIT_TEST(replyToIsAdvisedOnceBeforeItsMessage);
    CPPUNIT_TEST(subscriptionsAreRemovedUnderOnesOwnClientId);
    CPPUNIT_TEST(queuesAreNotDeletedHere);
    CPPUNIT_TEST(removingTheConnectionIsAnsweredLast);
    CPPUNIT_TEST(drainWaitsForWhatRuns);
    CPPUNIT_TEST(theEndOfTheSessionIsTold);
    CPPUNIT_TEST(commandsOfBrokersAreRefused);
    CPPUNIT_TEST(badFramesEndTheConnection);
    CPPUNIT_TEST_SUITE_END();

  public:
    void speaksWhenTheClientHasSpoken() {
        Client client;
        CPPUNIT_ASSERT_EQUAL(""s, client.host.read());
        client.engine->receive(client.bytes(makeInfo({})));
        const auto all = client.read();
        CPPUNIT_ASSERT(Client::find<WireFormatInfo>(all));
    }

    void refusesVersionsThatItDoesNotSpeak() {
        Client client;
        FormatOffer old;
        old.version = 3;
        client.engine->receive(client.bytes(makeInfo(old)));
        CPPUNIT_ASSERT(client.host.closed);
        CPPUNIT_ASSERT(client.host.closeReason.find("version 3") != std::string::npos);
    }

    void answersTheLoginAsActiveMqDoes() {
        Client client;
        client.greet();
        const auto id = client.send(client.connectionInfo());
        client.bus.loop.run();
        const auto open = client.bus.take<OpenSession>();
        CPPUNIT_ASSERT_EQUAL("alice"s, open.user);
        CPPUNIT_ASSERT_EQUAL("client-1"s, open.clientId);
        CPPUNIT_ASSERT(!open.takeOver);
        client.bus.complete(open.request);
        const auto all = client.read();
        CPPUNIT_ASSERT_EQUAL(std::size_t(3), all.size());
        CPPUNIT_ASSERT(all[0].as<BrokerInfo>() && all[2].as<ConnectionControl>());
        CPPUNIT_ASSERT_EQUAL(id, all[1].as<Response>()->correlationId);
        CPPUNIT_ASSERT(client.engine->wantsInput());
    }

    void wrongPasswordsAreRefused() {
        for (const bool given : {true, false}) {
            Client client;
            client.greet();
            auto info = client.connectionInfo();
            info.password = given ? Text("wrong") : Text();
            const auto id = client.send(info);
            client.bus.loop.run();
            CPPUNIT_ASSERT(client.refused(id).starts_with("javax.jms.JMSSecurityException"));
            CPPUNIT_ASSERT(client.host.closed);
            CPPUNIT_ASSERT_EQUAL(std::size_t(0), client.bus.commands.size());
        }
    }

    void aCertificateLogsInWhereNoNameIsGiven() {
        for (const bool empty : {false, true}) {
            Client client;
            client.host.certificate = PeerCertificate{"CN=bob", "bob", {}};
            client.greet();
            auto info = client.connectionInfo();
            info.userName = info.password = empty ? Text("") : Text();
            const auto id = client.send(info);
            const auto open = client.bus.take<OpenSession>();
            CPPUNIT_ASSERT_EQUAL("bob"s, open.user);
            client.bus.complete(open.request);
            CPPUNIT_ASSERT_EQUAL(id, client.read().at(1).as<Response>()->correlationId);
        }
        Client named;  // a name counts more
        named.host.certificate = PeerCertificate{"CN=bob", "bob", {}};
        CPPUNIT_ASSERT_EQUAL("alice"s, named.login().user);
        Client stranger;
        stranger.host.certificate = PeerCertificate{"CN=mallory", "mallory", {}};
        stranger.greet();
        auto info = stranger.connectionInfo();
        info.userName = info.password = Text();
        const auto id = stranger.send(info);
        CPPUNIT_ASSERT(stranger.refused(id).starts_with("javax.jms.JMSSecurityException"));
        CPPUNIT_ASSERT(stranger.host.closed);
    }

    void aUserWithTooManyConnectionsIsRefused() {
        Client client;
        client.authenticator.accounts.emplace(UserLimits{1, 0});
        const auto other = client.authenticator.admit("alice");
        client.greet();
        const auto id = client.send(client.connectionInfo());
        client.bus.loop.run();
        CPPUNIT_ASSERT(client.refused(id).find("connections") != std::string::npos);
        CPPUNIT_ASSERT(client.host.closed);
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), client.bus.count<OpenSession>());
    }

    void aUserThatSendsTooFastIsReadLater() {
        Client client;
        client.authenticator.accounts.emplace(UserLimits{0, 1});
        client.login();
        client.send(client.textMessage("a"));
        CPPUNIT_ASSERT(!client.host.inputHeld());
        client.send(client.textMessage("a"));
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), client.bus.count<Send>());
        CPPUNIT_ASSERT(client.host.heldUntil == client.host.now().steady + Milliseconds(1000));
    }

    void nothingIsTakenBeforeLogin() {
        Client first;
        first.engine->receive(first.bytes(SessionInfo{}));
        CPPUNIT_ASSERT(first.host.closed);
        Client second;
        second.greet();
        second.send(second.textMessage("a"));
        CPPUNIT_ASSERT(second.host.closed);
        CPPUNIT_ASSERT(Client::find<ConnectionError>(second.read()));
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), second.bus.commands.size());
        Client third;  // a second greeting
        third.greet();
        third.engine->receive(third.bytes(makeInfo({})));
        CPPUNIT_ASSERT(third.host.closed);
    }

    void aStrangerMakesUsKeepLittle() {
        Client client;
        client.engine->receive("\x00\x10\x00\x00"s);  // one MiB to come
        CPPUNIT_ASSERT(client.host.closed);
        Client other;
        other.greet();
        auto info = other.connectionInfo();
        info.password = std::string(20'000, 'x');
        other.send(info);
        CPPUNIT_ASSERT(other.host.closed);
    }

    void closesWithoutLoginInTime() {
        Client client;
        client.greet();
        client.bus.time.advance(Milliseconds(9'999));
        client.engine->onTick();
        CPPUNIT_ASSERT(!client.host.closed);
        client.bus.time.advance(Milliseconds(1));
        client.engine->onTick();
        CPPUNIT_ASSERT(client.host.closed);
    }

    void whatComesWithTheLoginWaits() {
        Client client;
        client.greet();
        client.send(client.connectionInfo());
        CPPUNIT_ASSERT(!client.engine->wantsInput());
        client.send(client.textMessage("a"));
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), client.bus.count<Send>());
        client.bus.loop.run();
        client.bus.complete(client.bus.take<OpenSession>().request);
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), client.bus.count<Send>());
    }

    void aClientThatFailedOverTakesItsSessionOver() {
        Client client;
        client.greet();
        ConnectionControl control;  // its first word
        control.faultTolerant = true;
        client.send(control, false);
        CPPUNIT_ASSERT(!client.host.closed);
        client.send(client.connectionInfo(true));
        client.bus.loop.run();
        CPPUNIT_ASSERT(client.bus.take<OpenSession>().takeOver);
    }

    void clientIdInUseIsAnException() {
        Client client;
        client.greet();
        const auto id = client.send(client.connectionInfo());
        client.bus.loop.run();
        client.bus.refuse(client.bus.take<OpenSession>().request, ErrorCode::conflict, "in use");
        CPPUNIT_ASSERT(client.refused(id).starts_with("javax.jms.InvalidClientIDException"));
        CPPUNIT_ASSERT(client.host.closed);
    }

    void keepAliveBothWays() {
        Client client;
        client.login();
        client.read();
        client.send(KeepAliveInfo{}, true);
        auto all = client.read();
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), all.size());
        CPPUNIT_ASSERT(!all[0].as<KeepAliveInfo>()->responseRequired);
        for (int i = 0; i < 2; ++i) {  // what was just written is a sign of life as well
            client.bus.time.advance(Milliseconds(10'000));
            client.engine->onTick();
        }
        all = client.read();
        CPPUNIT_ASSERT(Client::find<KeepAliveInfo>(all));
        CPPUNIT_ASSERT(!client.host.closed);
    }

    void silentClientsAreCutOff() {
        Client client;
        client.login();
        for (int i = 0; i < 4; ++i) {
            CPPUNIT_ASSERT(!client.host.closed);
            client.bus.time.advance(Milliseconds(15'001));
            client.engine->onTick();
        }
        CPPUNIT_ASSERT(client.host.closed);
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), client.bus.closed.size());
    }

    static DestinationInfo destinationInfo(const std::string& name, std::int8_t operation,
                                           std::uint8_t type = 102) {
        DestinationInfo info;
        info.destination = makeRef(WireDestination{type, name});
        info.operationType = operation;
        return info;
    }
    static const DestinationInfo* advised(const Structure& structure) {
        const auto* dispatch = structure.as<MessageDispatch>();
        if (!dispatch || !dispatch->message || !dispatch->message->dataStructure) return nullptr;
        return dispatch->message->dataStructure->as<DestinationInfo>();
    }
    static void listen(Client& client) {
        auto info =
            client.consumerInfo("ActiveMQ.Advisory.TempQueue,ActiveMQ.Advisory.TempTopic", 99, 101);
        const auto id = client.send(info);
        CPPUNIT_ASSERT(client.answered(id));
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), client.bus.count<Subscribe>());
    }

    void temporaryDestinationsAreMadeAndAdvised() {
        Client client;
        client.login();
        client.read();
        listen(client);
        const auto id = client.send(destinationInfo("c1:1", DestinationInfo::kAdd));
        const auto made = client.bus.take<MakeTemporary>();
        CPPUNIT_ASSERT(made.destination.kind == DestinationKind::temporaryQueue);
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), client.read().size());
        client.bus.complete(made.request);
        auto all = client.read();
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), all.size());
        CPPUNIT_ASSERT_EQUAL("c1:1"s, *advised(all[0])->destination->physicalName);
        CPPUNIT_ASSERT_EQUAL(id, all[1].as<Response>()->correlationId);
        client.send(destinationInfo("c1:1", DestinationInfo::kRemove));
        client.bus.complete(client.bus.take<DeleteTemporary>().request);
        all = client.read();
        CPPUNIT_ASSERT(advised(all[0])->operationType == DestinationInfo::kRemove);
    }

    /// CVE-2026-54475: another's temporary destination is neither read, taken nor removed.
    void temporaryNamesBelongToTheirConnection() {
        Client client;
        client.login();
        client.read();
        auto id = client.send(destinationInfo("c2:1", DestinationInfo::kAdd));
        CPPUNIT_ASSERT(client.refused(id).starts_with("javax.jms.JMSSecurityException"));
        id = client.send(destinationInfo("c2:1", DestinationInfo::kRemove));
        CPPUNIT_ASSERT(client.refused(id).starts_with("javax.jms.InvalidDestinationException"));
        id = client.send(client.consumerInfo("c2:1", 1, 102));
        CPPUNIT_ASSERT(client.refused(id).starts_with("javax.jms.JMSSecurityException"));
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), client.bus.commands.size());
    }

    void replyToIsAdvisedOnceBeforeItsMessage() {
        Client client(Options{.temporariesKnownMax = 2});
        client.login();
        client.read();
        listen(client);
        const auto consumer = client.subscribe();
        const auto ask = [&](std::uint64_t id, const std::string& replyTo) {
            auto message = Client::message(id);
            message->replyTo = Destination{DestinationKind::temporaryQueue, replyTo};
            client.deliver(consumer, id, 1, message);
            return client.read();
        };
        auto all = ask(1, "c2:1");
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), all.size());
        CPPUNIT_ASSERT_EQUAL("c2:1"s, *advised(all[0])->destination->physicalName);
        CPPUNIT_ASSERT_EQUAL("c2:1"s,
                             *all[1].as<MessageDispatch>()->message->replyTo->physicalName);
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), ask(2, "c2:1").size());
        ask(3, "c2:2");
        all = ask(4, "c2:3");  // one too many to remember: the oldest is taken back
        CPPUNIT_ASSERT_EQUAL(std::size_t(3), all.size());
        CPPUNIT_ASSERT(advised(all[0])->operationType == DestinationInfo::kRemove);
        CPPUNIT_ASSERT_EQUAL("c2:1"s, *advised(all[0])->destination->physicalName);
    }

    /// GHSA-59p6-j354-3gpj
    void subscriptionsAreRemovedUnderOnesOwnClientId() {
        Client client;
        client.login();
        client.read();
        RemoveSubscriptionInfo info;
        info.subscriptionName = "s";
        info.clientId = "other";
        auto id = client.send(info);
        CPPUNIT_ASSERT(client.refused(id).starts_with("javax.jms.JMSSecurityException"));
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), client.bus.commands.size());
        info.clientId = "client-1";
        id = client.send(info);
        const auto command = client.bus.take<DeleteSubscription>();
        CPPUNIT_ASSERT_EQUAL("s"s, command.name);
        client.bus.complete(command.request);
        CPPUNIT_ASSERT(client.answered(id));
    }

    void queuesAreNotDeletedHere() {
        Client client;
        client.login();
        client.read();
        CPPUNIT_ASSERT(client.answered(client.send(destinationInfo("q", 0, 100))));
        const auto id = client.send(destinationInfo("q", DestinationInfo::kRemove, 100));
        CPPUNIT_ASSERT(client.refused(id).find("unsupported") != std::string::npos);
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), client.bus.commands.size());
    }

    void removingTheConnectionIsAnsweredLast() {
        Client client;
        client.login();
        client.read();
        client.send(client.textMessage("a"));
        RemoveInfo remove;
        remove.objectId = client.connection;
        const auto id = client.send(remove);
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), client.bus.closed.size());
        client.bus.complete(client.bus.take<Send>().request);
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), client.bus.closed.size());
        CPPUNIT_ASSERT(!client.answered(id));  // the send was
        client.bus.loop.run();
        CPPUNIT_ASSERT(client.answered(id));
        CPPUNIT_ASSERT(!client.host.closed && client.engine->wantsInput());
        client.send(client.textMessage("a"));  // not any more
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), client.bus.count<Send>());
        client.send(ShutdownInfo{}, false);
        CPPUNIT_ASSERT(client.host.closed);
    }

    void drainWaitsForWhatRuns() {
        Client client;
        client.login();
        client.read();
        const auto id = client.send(client.textMessage("a"));
        client.engine->onDrain("stopping");
        CPPUNIT_ASSERT(!client.host.closed && !client.engine->wantsInput());
        client.bus.complete(client.bus.take<Send>().request);
        CPPUNIT_ASSERT(client.answered(id));
        CPPUNIT_ASSERT(client.host.closed);
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), client.bus.closed.size());
    }

    void theEndOfTheSessionIsTold() {
        Client client;
        client.login();
        client.read();
        client.bus.tell(SessionEnded{{}, {ErrorCode::conflict, "connected again"}});
        CPPUNIT_ASSERT(Client::find<ConnectionError>(client.read()));
        CPPUNIT_ASSERT(client.host.closed);
    }

    void commandsOfBrokersAreRefused() {
        Client client;
        client.login();
        client.read();
        CPPUNIT_ASSERT(client.refused(client.send(BrokerInfo{})).find("unsupported") !=
                       std::string::npos);
        CPPUNIT_ASSERT(client.refused(client.send(MessageDispatchNotification{})) != "not refused");
        CPPUNIT_ASSERT(!client.host.closed);
    }

    void badFramesEndTheConnection() {
        Client client;
        client.login();
        client.engine->receive("\0\0\0\x02\xff\xff"s);
        CPPUNIT_ASSERT(client.host.closed);
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), client.bus.closed.size());
        client.engine->receive("more");
        client.engine->onTick();
        client.engine->onDisconnect();
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(OpenWireConnectionTest);
