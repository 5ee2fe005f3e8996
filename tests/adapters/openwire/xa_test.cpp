// Transactions in two phases.
#include "tests/adapters/openwire/client.h"

#include <cppunit/extensions/HelperMacros.h>

using namespace busbar;
using namespace busbar::openwire;
using namespace busbar::openwire::test;
using namespace std::string_literals;

class OpenWireXaTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(OpenWireXaTest);
    CPPUNIT_TEST(commitsInOnePhase);
    CPPUNIT_TEST(anAbortedCommitInOnePhaseIsARollback);
    CPPUNIT_TEST(aBranchThatDidNothingIsReadOnly);
    CPPUNIT_TEST(prepareIsAnsweredWhenItIsDurable);
    CPPUNIT_TEST(workGoesOnAfterSuspendAndJoin);
    CPPUNIT_TEST(whatCannotBePreparedIsRolledBack);
    CPPUNIT_TEST(committedDeliveriesAreSettled);
    CPPUNIT_TEST(rolledBackDeliveriesStayWithTheClient);
    CPPUNIT_TEST(anyConnectionDecides);
    CPPUNIT_TEST(recoverListsTheBranches);
    CPPUNIT_TEST(heuristicOutcomesAreTold);
    CPPUNIT_TEST(forgets);
    CPPUNIT_TEST(playedBackPreparedBranchesAreHereAlready);
    CPPUNIT_TEST(playedBackBranchesAreRolledBack);
    CPPUNIT_TEST(whatBeginsBehindThePlaybackIsNotPlayedBack);
    CPPUNIT_TEST(localTransactionsHaveOnePhase);
    CPPUNIT_TEST_SUITE_END();

    std::unique_ptr<Client> client_;
    Ref<TransactionId> id_;

    Client& login(bool failover = false) {
        client_ = std::make_unique<Client>();
        client_->login(failover);
        client_->read();
        XaTransactionId xid;
        xid.formatId = 4711;
        xid.globalTransactionId = Buffer::copyOf("g");
        xid.branchQualifier = Buffer::copyOf("b");
        id_ = makeRef(TransactionId{xid});
        return *client_;
    }
    static BranchId branch() { return {4711, "g", "b"}; }

    std::int32_t say(std::int8_t operation) {
        return client_->send(client_->transact(operation, id_));
    }
    void work() {
        CPPUNIT_ASSERT(client_->answered(say(TransactionInfo::kBegin)));
        auto message = client_->textMessage("a");
        message.transactionId = id_;
        client_->send(message, false);
        CPPUNIT_ASSERT(client_->answered(say(TransactionInfo::kEnd)));
    }
    /// Answers the last command, for an error with its code and value.
    template <class C>
    void answer(std::optional<Error> error = {}, std::string value = {}) {
        Completed completed;
        completed.request = client_->bus.take<C>().request;
        completed.error = std::move(error);
        completed.value = std::move(value);
        client_->bus.tell(std::move(completed));
    }
    void isXa(int code, const std::string& refused) {
        CPPUNIT_ASSERT_MESSAGE(refused, refused.starts_with("javax.transaction.xa.XAException "));
        CPPUNIT_ASSERT_MESSAGE(refused, refused.ends_with(" xaErrorCode:" + std::to_string(code)));
    }
    std::int32_t integer(std::int32_t command) {
        const auto all = client_->read();
        const auto* response = Client::find<IntegerResponse>(all);
        CPPUNIT_ASSERT(response && response->correlationId == command);
        return response->result;
    }
    void list(std::vector<BranchPicture> branches) {
        Pictured pictured;
        pictured.request = client_->bus.take<ListPrepared>().request;
        auto picture = std::make_shared<Picture>();
        picture->branches = std::move(branches);
        pictured.picture = std::move(picture);
        client_->bus.tell(std::move(pictured));
    }
    /// Delivers message 1 to a consumer and acknowledges it in the transaction.
    busbar::ConsumerId take() {
        const auto consumer = client_->subscribe();
        client_->deliver(consumer, 1);
        client_->read();
        say(TransactionInfo::kBegin);
        auto ack = client_->ack(MessageAck::kStandard, 1, 1);
        ack.transactionId = id_;
        client_->send(ack, false);
        say(TransactionInfo::kEnd);
        client_->read();
        const auto prepared = say(TransactionInfo::kPrepare);
        answer<PrepareTransaction>();
        CPPUNIT_ASSERT_EQUAL(0, integer(prepared));
        return consumer;
    }

  public:
    void commitsInOnePhase() {
        Client& client = login();
        work();
        const auto command = say(TransactionInfo::kCommitOnePhase);
        client.bus.complete(client.bus.take<CommitTransaction>().request);
        CPPUNIT_ASSERT(client.answered(command));
    }

    void anAbortedCommitInOnePhaseIsARollback() {
        login();
        work();
        const auto command = say(TransactionInfo::kCommitOnePhase);
        answer<CommitTransaction>(Error{ErrorCode::transactionAborted, "full"});
        isXa(100, client_->refused(command));
    }

    void aBranchThatDidNothingIsReadOnly() {
        Client& client = login();
        CPPUNIT_ASSERT(client.answered(say(TransactionInfo::kBegin)));
        CPPUNIT_ASSERT_EQUAL(3, integer(say(TransactionInfo::kPrepare)));
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), client.bus.count<PrepareTransaction>());
    }

    void prepareIsAnsweredWhenItIsDurable() {
        Client& client = login();
        work();
        isXa(-6, client.refused(say(TransactionInfo::kCommitTwoPhase)));
        const auto command = say(TransactionInfo::kPrepare);
        CPPUNIT_ASSERT(client.read().empty());
        const auto prepare = client.bus.take<PrepareTransaction>();
        CPPUNIT_ASSERT(prepare.branch == branch());
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), prepare.sends.size());
        client.bus.complete(prepare.request);
        CPPUNIT_ASSERT_EQUAL(0, integer(command));
        isXa(-4, client.refused(say(TransactionInfo::kPrepare)));
    }

    void workGoesOnAfterSuspendAndJoin() {
        Client& client = login();
        work();
        work();
        say(TransactionInfo::kPrepare);
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), client.bus.take<PrepareTransaction>().sends.size());
    }

    void whatCannotBePreparedIsRolledBack() {
        login();
        work();
        auto command = say(TransactionInfo::kPrepare);
        answer<PrepareTransaction>(Error{ErrorCode::limitReached, "too many"});
        isXa(100, client_->refused(command));
        work();
        command = say(TransactionInfo::kPrepare);
        answer<PrepareTransaction>(Error{ErrorCode::alreadyExists, "there"});
        isXa(-8, client_->refused(command));
        work();
        command = say(TransactionInfo::kPrepare);
        answer<PrepareTransaction>(Error{ErrorCode::storageFailed, "broken"});
        isXa(-7, client_->refused(command));
    }

    void committedDeliveriesAreSettled() {
        Client& client = login();
        take();
        const auto command = say(TransactionInfo::kCommitTwoPhase);
        const auto decide = client.bus.take<DecidePrepared>();
        CPPUNIT_ASSERT(decide.commit && !decide.force && decide.branch == branch());
        client.bus.complete(decide.request);
        CPPUNIT_ASSERT(client.answered(command));
        client.send(client.ack(MessageAck::kStandard, 1, 1), false);
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), client.bus.count<Settle>());
    }

    void rolledBackDeliveriesStayWithTheClient() {
        Client& client = login();
        take();
        const auto command = say(TransactionInfo::kRollback);
        const auto decide = client.bus.take<DecidePrepared>();
        CPPUNIT_ASSERT(!decide.commit);
        client.bus.complete(decide.request);
        CPPUNIT_ASSERT(client.answered(command));
        client.send(client.ack(MessageAck::kStandard, 1, 1), false);
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), client.bus.take<Settle>().deliveries.size());
    }

    void anyConnectionDecides() {
        Client& client = login();
        auto command = say(TransactionInfo::kCommitTwoPhase);
        answer<DecidePrepared>();
        CPPUNIT_ASSERT(client.answered(command));
        command = say(TransactionInfo::kRollback);
        answer<DecidePrepared>(Error{ErrorCode::notFound, "unknown"});
        isXa(-4, client.refused(command));
        isXa(-4, client.refused(say(TransactionInfo::kCommitOnePhase)));
    }

    void recoverListsTheBranches() {
        Client& client = login();
        const auto command = say(TransactionInfo::kRecover);
        BranchPicture one, two;
        one.branch = branch();
        two.branch = {-1, "\0\xff"s, ""};
        list({one, two});
        const auto all = client.read();
        const auto* response = Client::find<DataArrayResponse>(all);
        CPPUNIT_ASSERT(response && response->correlationId == command);
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), response->data->size());
        const auto* first = response->data->at(0)->as<TransactionId>();
        CPPUNIT_ASSERT(first &&
                       std::get<XaTransactionId>(first->id) == std::get<XaTransactionId>(id_->id));
        const auto& second =
            std::get<XaTransactionId>(response->data->at(1)->as<TransactionId>()->id);
        CPPUNIT_ASSERT_EQUAL(-1, second.formatId);
        CPPUNIT_ASSERT_EQUAL("\0\xff"s, std::string(second.globalTransactionId->view()));
    }

    void heuristicOutcomesAreTold() {
        login();
        auto command = say(TransactionInfo::kRollback);
        answer<DecidePrepared>(Error{ErrorCode::conflict, "was committed"}, "committed");
        isXa(7, client_->refused(command));
        command = say(TransactionInfo::kCommitTwoPhase);
        answer<DecidePrepared>(Error{ErrorCode::conflict, "was rolled back"}, "rolled-back");
        isXa(6, client_->refused(command));
    }

    void forgets() {
        Client& client = login();
        auto command = say(TransactionInfo::kForget);
        answer<ForgetPrepared>();
        CPPUNIT_ASSERT(client.answered(command));
        command = say(TransactionInfo::kForget);
        answer<ForgetPrepared>(Error{ErrorCode::inUse, "prepared"});
        isXa(-6, client.refused(command));
    }

    /// Its acknowledged messages do not come again, so the replay cannot be complete.
    void playedBackPreparedBranchesAreHereAlready() {
        Client& client = login(true);
        client.subscribe();
        const auto replay = [&] {
            say(TransactionInfo::kBegin);
            auto ack = client.ack(MessageAck::kStandard, 1, 1);
            ack.transactionId = id_;
            client.send(ack, false);
            say(TransactionInfo::kEnd);
            client.read();
            return say(TransactionInfo::kPrepare);
        };
        auto command = replay();
        BranchPicture known;
        known.branch = branch();
        known.state = "prepared";
        list({known});
        CPPUNIT_ASSERT_EQUAL(0, integer(command));
        command = replay();
        list({});
        isXa(100, client.refused(command));
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), client.bus.count<PrepareTransaction>());
    }

    /// The client leaves out what they acknowledged: committed, they would be half of themselves.
    void playedBackBranchesAreRolledBack() {
        Client& client = login(true);
        const auto consumer = client.subscribe();
        work();
        const auto command = say(TransactionInfo::kPrepare);
        list({});
        isXa(100, client.refused(command));
        work();
        isXa(100, client.refused(say(TransactionInfo::kCommitOnePhase)));
        CPPUNIT_ASSERT(client.answered(say(TransactionInfo::kBegin)));
        auto ack = client.ack(MessageAck::kStandard, 1, 1);
        ack.transactionId = id_;
        client.deliver(consumer, 1);
        client.send(ack, false);  // it goes on: this is not played back
        say(TransactionInfo::kEnd);
        client.read();
        say(TransactionInfo::kPrepare);
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), client.bus.take<PrepareTransaction>().accepts.size());
    }

    void whatBeginsBehindThePlaybackIsNotPlayedBack() {
        Client& client = login(true);
        client.subscribe();
        ConsumerControl control;  // the playback is over
        control.consumerId = makeRef(Client::consumerId(1));
        control.prefetch = 10;
        client.send(control, false);
        client.read();
        work();
        const auto command = say(TransactionInfo::kPrepare);
        say(TransactionInfo::kPrepare);
        answer<PrepareTransaction>();
        CPPUNIT_ASSERT_EQUAL(0, integer(command));
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), client.bus.count<PrepareTransaction>());
    }

    void localTransactionsHaveOnePhase() {
        Client& client = login();
        id_ = client.transaction(1);
        say(TransactionInfo::kBegin);
        client.read();
        CPPUNIT_ASSERT(client.refused(say(TransactionInfo::kPrepare))
                           .starts_with("javax.jms.JMSException unsupported"));
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(OpenWireXaTest);
