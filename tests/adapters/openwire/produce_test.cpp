// Sending and transactions.
#include "tests/adapters/openwire/client.h"

#include <cppunit/extensions/HelperMacros.h>

using namespace busbar;
using namespace busbar::openwire;
using namespace busbar::openwire::test;
using namespace std::string_literals;

class OpenWireProduceTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(OpenWireProduceTest);
    CPPUNIT_TEST(aSendIsAnsweredWhenItIsDurable);
    CPPUNIT_TEST(aRefusedSendIsAnException);
    CPPUNIT_TEST(aCompositeSendIsAnsweredOnce);
    CPPUNIT_TEST(producersOfFailoverClientsAreNumbered);
    CPPUNIT_TEST(otherProducersAreNotNumbered);
    CPPUNIT_TEST(windowsAreGivenBack);
    CPPUNIT_TEST(stopsReadingWhileTooMuchIsInFlight);
    CPPUNIT_TEST(largeBodiesGoToTheStoreInTheirOrder);
    CPPUNIT_TEST(aBodyThatCannotBeStoredIsRefused);
    CPPUNIT_TEST(commitsSendsAndAcknowledgementsTogether);
    CPPUNIT_TEST(rollbackLeavesDeliveriesWithTheClient);
    CPPUNIT_TEST(aFailedCommitLeavesThemToo);
    CPPUNIT_TEST(aRefusedSendAbortsItsTransaction);
    CPPUNIT_TEST(transactionsHaveLimits);
    CPPUNIT_TEST(unknownTransactionsWereRolledBack);
    CPPUNIT_TEST(playedBackAcknowledgementsWaitForTheirMessages);
    CPPUNIT_TEST(playedBackAcknowledgementsOfNothingAbort);
    CPPUNIT_TEST_SUITE_END();

    std::unique_ptr<Client> client_;

    Client& login(const Options& options = {}, bool failover = false) {
        client_ = std::make_unique<Client>(options);
        client_->login(failover);
        client_->read();
        return *client_;
    }
    void begin(Client& client, std::int64_t number = 1) {
        client.send(client.transact(TransactionInfo::kBegin, client.transaction(number)), false);
    }
    WireMessage inTransaction(Client& client, const std::string& to) {
        auto message = client.textMessage(to);
        message.transactionId = client.transaction(1);
        return message;
    }
    MessageAck ackInTransaction(Client& client, std::int64_t first, std::int64_t last) {
        auto ack = client.ack(MessageAck::kStandard, first, last);
        ack.transactionId = client.transaction(1);
        return ack;
    }
    std::int32_t commit(Client& client) {
        return client.send(
            client.transact(TransactionInfo::kCommitOnePhase, client.transaction(1)));
    }

  public:
    void aSendIsAnsweredWhenItIsDurable() {
        Client& client = login();
        const auto id = client.send(client.textMessage("a"));
        const auto send = client.bus.take<Send>();
        CPPUNIT_ASSERT_EQUAL("hi"s, std::string(send.message->body.view()));
        CPPUNIT_ASSERT_EQUAL("c1:1:1:1"s, send.message->id);
        CPPUNIT_ASSERT(send.producer.empty());
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), client.read().size());
        client.bus.complete(send.request);
        CPPUNIT_ASSERT(client.answered(id));
        client.send(client.textMessage("a"), false);
        client.bus.complete(client.bus.take<Send>().request);
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), client.read().size());
    }

    void aRefusedSendIsAnException() {
        Client& client = login();
        auto id = client.send(client.textMessage("a"));
        client.bus.refuse(client.bus.take<Send>().request, ErrorCode::limitReached, "full");
        CPPUNIT_ASSERT_EQUAL("javax.jms.ResourceAllocationException limit-reached: full"s,
                             client.refused(id));
        client.send(client.textMessage("a"), false);  // nobody waits: the exception listener
        client.bus.refuse(client.bus.take<Send>().request, ErrorCode::limitReached, "full");
        CPPUNIT_ASSERT(Client::find<ConnectionError>(client.read()));
        id = client.send(client.textMessage("ActiveMQ.Advisory.TempQueue", 1, 101));
        CPPUNIT_ASSERT(client.refused(id).starts_with("javax.jms.JMSSecurityException"));
        auto nowhere = client.textMessage("a");
        nowhere.destination = nullptr;
        CPPUNIT_ASSERT(client.refused(client.send(nowhere)).starts_with("javax.jms."));
        CPPUNIT_ASSERT(!client.host.closed);
    }

    void aCompositeSendIsAnsweredOnce() {
        Client& client = login();
        auto id = client.send(client.textMessage("a,topic://b"));
        auto first = client.bus.take<Send>(), second = client.bus.take<Send>();
        CPPUNIT_ASSERT(second.message->destination == Destination::topic("b"));
        client.bus.complete(first.request);
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), client.read().size());
        client.bus.complete(second.request);
        CPPUNIT_ASSERT(client.answered(id));
        id = client.send(client.textMessage("a,b"));
        first = client.bus.take<Send>();
        second = client.bus.take<Send>();
        client.bus.refuse(first.request, ErrorCode::limitReached, "full");
        client.bus.complete(second.request);
        CPPUNIT_ASSERT(client.refused(id).find("full") != std::string::npos);
    }

    void producersOfFailoverClientsAreNumbered() {
        Client& client = login({}, true);
        ProducerInfo producer;
        producer.producerId = makeRef(ProducerId{"c1", 1, 1});
        CPPUNIT_ASSERT(client.answered(client.send(producer)));
        client.send(client.textMessage("a", 7));
        auto send = client.bus.take<Send>();
        CPPUNIT_ASSERT_EQUAL("c1:1:1"s, send.producer);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(7), send.sequence);
        client.send(client.textMessage("a,b", 8));
        send = client.bus.take<Send>();
        CPPUNIT_ASSERT_EQUAL("c1:1:1|queue://a"s, send.producer);
        client.bus.take<Send>();
        RemoveInfo remove;
        remove.objectId = producer.producerId;
        client.send(remove, false);
        CPPUNIT_ASSERT_EQUAL(std::size_t(3), client.bus.count<ForgetProducer>());
        CPPUNIT_ASSERT_EQUAL("c1:1:1"s, client.bus.take<ForgetProducer>().producer);
    }

    void otherProducersAreNotNumbered() {
        Client& client = login({}, true);
        auto message = client.textMessage("a");
        message.persistent = false;  // would not be sent again
        client.send(message, false);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(0), client.bus.take<Send>().sequence);
        client.send(client.textMessage("a", 0), false);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(0), client.bus.take<Send>().sequence);
    }

    void windowsAreGivenBack() {
        Client& client = login();
        ProducerInfo producer;
        producer.producerId = makeRef(ProducerId{"c1", 1, 1});
        producer.windowSize = 10'000;
        client.send(producer);
        client.read();
        client.send(client.textMessage("a"), false);
        client.bus.complete(client.bus.take<Send>().request);
        const auto all = client.read();
        CPPUNIT_ASSERT_EQUAL(std::int32_t(1024 + 6), Client::find<ProducerAck>(all)->size);
        client.send(client.textMessage("a"), true);  // it waits for the answer instead
        client.bus.complete(client.bus.take<Send>().request);
        CPPUNIT_ASSERT(!Client::find<ProducerAck>(client.read()));
    }

    void stopsReadingWhileTooMuchIsInFlight() {
        Client& client = login(Options{.sendsInFlightMax = 2});
        client.send(client.textMessage("a"));
        CPPUNIT_ASSERT(client.engine->wantsInput());
        client.send(client.textMessage("a"));
        CPPUNIT_ASSERT(!client.engine->wantsInput());
        client.bus.complete(client.bus.take<Send>().request);
        CPPUNIT_ASSERT(client.engine->wantsInput());
        client.bus.tell(ProducerBlocked{{}, true, "full"});
        CPPUNIT_ASSERT(!client.engine->wantsInput());
        client.bus.tell(ProducerBlocked{{}, false, {}});
        CPPUNIT_ASSERT(client.engine->wantsInput());
    }

    void largeBodiesGoToTheStoreInTheirOrder() {
        Client& client = login(Options{.largeBodyBytes = 10});
        busbar::test::FakeBodies bodies(client.bus.loop);
        client.bus.largeBodies = &bodies;
        auto message = client.textMessage("a");
        message.kind = WireMessage::kBytes;
        message.content = Buffer::of(std::string(1000, 'x'));
        const auto id = client.send(message);
        CPPUNIT_ASSERT(!client.engine->wantsInput());
        client.send(client.textMessage("a", 2));
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), client.bus.count<Send>());
        client.bus.loop.run();
        const auto large = client.bus.take<Send>(), small = client.bus.take<Send>();
        CPPUNIT_ASSERT(large.message->large && large.message->body.empty());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1000), large.message->large->size);
        CPPUNIT_ASSERT(!small.message->large);
        client.bus.complete(large.request);
        CPPUNIT_ASSERT(client.answered(id));
    }

    void aBodyThatCannotBeStoredIsRefused() {
        Client& client = login(Options{.largeBodyBytes = 1});
        busbar::test::FakeBodies bodies(client.bus.loop);
        bodies.failure = Error{ErrorCode::storageFull, "no room"};
        client.bus.largeBodies = &bodies;
        const auto id = client.send(client.textMessage("a"));
        client.bus.loop.run();
        CPPUNIT_ASSERT(client.refused(id).find("no room") != std::string::npos);
        CPPUNIT_ASSERT(client.engine->wantsInput());
    }

    void commitsSendsAndAcknowledgementsTogether() {
        Client& client = login();
        const auto consumer = client.subscribe();
        for (std::uint64_t id = 1; id <= 3; ++id) client.deliver(consumer, id);
        client.read();
        begin(client);
        client.send(inTransaction(client, "b,c"), false);
        client.send(ackInTransaction(client, 1, 2), false);
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), client.bus.count<Settle>());
        const auto id = commit(client);
        const auto command = client.bus.take<CommitTransaction>();
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), command.sends.size());
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), command.accepts.size());
        CPPUNIT_ASSERT(command.accepts[1] == DeliveryId(1002));
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), client.read().size());
        client.bus.complete(command.request);
        CPPUNIT_ASSERT(client.answered(id));
        begin(client);  // the third, under the same id
        client.send(ackInTransaction(client, 3, 3), false);
        commit(client);
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), client.bus.take<CommitTransaction>().accepts.size());
    }

    void rollbackLeavesDeliveriesWithTheClient() {
        Client& client = login();
        const auto consumer = client.subscribe();
        client.deliver(consumer, 1);
        client.read();
        begin(client);
        client.send(inTransaction(client, "b"), false);
        client.send(ackInTransaction(client, 1, 1), false);
        auto id = client.send(client.transact(TransactionInfo::kRollback, client.transaction(1)));
        CPPUNIT_ASSERT(client.answered(id));
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), client.bus.count<Settle>());
        client.send(client.ack(MessageAck::kRedelivered, 1, 1), false);
        begin(client);
        client.send(ackInTransaction(client, 1, 1), false);
        id = commit(client);
        const auto command = client.bus.take<CommitTransaction>();
        CPPUNIT_ASSERT(command.sends.empty());
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), command.accepts.size());
    }

    void aFailedCommitLeavesThemToo() {
        failedCommit(ErrorCode::transactionAborted);
        failedCommit(ErrorCode::notAuthorized);
    }

    void failedCommit(ErrorCode refusedWith) {
        Client& client = login();
        const auto consumer = client.subscribe();
        client.deliver(consumer, 1);
        client.read();
        begin(client);
        client.send(ackInTransaction(client, 1, 1), false);
        const auto id = commit(client);
        client.bus.refuse(client.bus.take<CommitTransaction>().request, refusedWith, "no");
        CPPUNIT_ASSERT(client.refused(id).starts_with("javax.jms.TransactionRolledBackException"));
        client.send(client.ack(MessageAck::kPoison, 1, 1), false);
        CPPUNIT_ASSERT(client.bus.take<Settle>().outcome == Outcome::rejected);
    }

    void aRefusedSendAbortsItsTransaction() {
        Client& client = login();
        begin(client);
        client.send(inTransaction(client, "ActiveMQ.Advisory.x,b"), false);
        client.send(inTransaction(client, "b"), false);
        const auto toAdvisory = inTransaction(client, "topic://ActiveMQ.Advisory.x");
        client.send(toAdvisory, false);
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), client.read().size());
        const auto id = commit(client);
        CPPUNIT_ASSERT(client.refused(id).starts_with("javax.jms.TransactionRolledBackException"));
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), client.bus.count<CommitTransaction>());
    }

    void transactionsHaveLimits() {
        Options options;
        options.transactionsMax = 1;
        options.transaction.operationsMax = 1;
        Client& client = login(options);
        begin(client);
        begin(client, 2);
        CPPUNIT_ASSERT(Client::find<ConnectionError>(client.read()));
        client.send(inTransaction(client, "b"), false);
        client.send(inTransaction(client, "b"), false);
        CPPUNIT_ASSERT(client.refused(commit(client)).find("at most 1") != std::string::npos);
    }

    void unknownTransactionsWereRolledBack() {
        Client& client = login();
        CPPUNIT_ASSERT(
            client.refused(commit(client)).starts_with("javax.jms.TransactionRolledBackException"));
        const auto id =
            client.send(client.transact(TransactionInfo::kRollback, client.transaction(1)));
        CPPUNIT_ASSERT(client.answered(id));
        CPPUNIT_ASSERT(client.refused(client.send(inTransaction(client, "a"))) != "not refused");
    }

    void playedBackAcknowledgementsWaitForTheirMessages() {
        Client& client = login({}, true);
        const auto consumer = client.subscribe();
        begin(client);
        client.send(ackInTransaction(client, 1, 2), false);
        client.deliver(consumer, 1);
        client.deliver(consumer, 2);
        client.read();
        commit(client);
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), client.bus.take<CommitTransaction>().accepts.size());
    }

    void playedBackAcknowledgementsOfNothingAbort() {
        Client& client = login({}, true);
        const auto consumer = client.subscribe();
        begin(client);
        client.deliver(consumer, 1);
        client.read();
        client.send(ackInTransaction(client, 1, 1), false);
        client.send(ackInTransaction(client, 7, 7), false);
        CPPUNIT_ASSERT(
            client.refused(commit(client)).starts_with("javax.jms.TransactionRolledBackException"));
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), client.bus.count<CommitTransaction>());
        client.send(client.ack(MessageAck::kStandard, 1, 1), false);  // still the client's
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), client.bus.take<Settle>().deliveries.size());
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(OpenWireProduceTest);
