#include "tests/adapters/amqp/amqp_client.h"

#include <cppunit/extensions/HelperMacros.h>

using namespace busbar;
using namespace busbar::test;

namespace {

constexpr std::uint64_t kDeclared = 0x33;
constexpr std::uint64_t kTransactional = 0x34;

/// A transaction as a client drives it.
struct Coordinator {
    explicit Coordinator(AmqpClient& client) : c(client), link(pn_sender(c.session, "tx")) {
        pn_terminus_set_type(pn_link_target(link), PN_COORDINATOR);
        pn_link_open(link);
        c.run();
    }
    std::string declare(bool symbols = false) {
        std::string message;
        amqp::putDescriptor(message, 0x77);
        if (symbols)
            amqp::putDescriptor(message, "amqp:declare:list");
        else
            amqp::putDescriptor(message, 0x31);
        amqp::Compound(message, amqp::Compound::Kind::list).end(0);
        pn_delivery_t* delivery = c.send(link, message);
        CPPUNIT_ASSERT_EQUAL(kDeclared, pn_delivery_remote_state(delivery));
        const auto data = amqp::read(pn_disposition_data(pn_delivery_remote(delivery)));
        return std::string(data.item.at(0).bytes);
    }
    pn_delivery_t* discharge(std::string_view id, bool fail) {
        std::string message;
        amqp::putDescriptor(message, 0x77);
        amqp::putDescriptor(message, 0x32);
        amqp::Compound list(message, amqp::Compound::Kind::list);
        amqp::putBinary(message, id);
        amqp::putBoolean(message, fail);
        list.end(2);
        return c.send(link, message);
    }
    static std::string state(std::string_view id, std::uint8_t outcome = 0) {
        std::string data;
        amqp::Compound list(data, amqp::Compound::Kind::list);
        amqp::putBinary(data, id);
        if (outcome != 0) {
            amqp::putDescriptor(data, outcome);
            amqp::Compound(data, amqp::Compound::Kind::list).end(0);
        }
        list.end(outcome != 0 ? 2 : 1);
        return data;
    }
    pn_delivery_t* send(pn_link_t* to, std::string_view id, std::string_view body) {
        pn_delivery_t* delivery = pn_delivery(to, pn_dtag("t", 1));
        amqp::assign(pn_disposition_data(pn_delivery_local(delivery)), state(id));
        pn_delivery_update(delivery, kTransactional);
        const std::string bytes = AmqpClient::text(body);
        pn_link_send(to, bytes.data(), bytes.size());
        pn_link_advance(to);
        c.run();
        return delivery;
    }
    void accept(pn_link_t* from, std::string_view id, std::uint8_t outcome = PN_ACCEPTED) {
        c.next(from, 0);
        amqp::assign(pn_disposition_data(pn_delivery_local(c.current)), state(id, outcome));
        pn_delivery_update(c.current, kTransactional);
        pn_delivery_settle(c.current);
        c.run();
    }

    AmqpClient& c;
    pn_link_t* link;
};

}  // namespace

class AmqpTransactionTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(AmqpTransactionTest);
    CPPUNIT_TEST(commitsSendsAndAcknowledgementsTogether);
    CPPUNIT_TEST(largeBodiesWaitForTheCommit);
    CPPUNIT_TEST(failedCommitIsARollback);
    CPPUNIT_TEST(rollbackGivesBack);
    CPPUNIT_TEST(otherOutcomesHappenAfterTheCommit);
    CPPUNIT_TEST(severalTransactionsAreApart);
    CPPUNIT_TEST(unknownTransactionsAreRefused);
    CPPUNIT_TEST(endOfTheCoordinatorRollsBack);
    CPPUNIT_TEST(transactionsAreBounded);
    CPPUNIT_TEST(coordinatorTakesNothingElse);
    CPPUNIT_TEST_SUITE_END();

  public:
    void commitsSendsAndAcknowledgementsTogether() {
        AmqpClient c;
        c.open();
        pn_link_t* from = c.receiver("in", 1);
        pn_link_t* to = c.sender("out");
        Coordinator work(c);
        const std::string id = work.declare(true);
        c.deliver(ConsumerId(1), "a", 9);
        work.accept(from, id);
        pn_delivery_t* sent = work.send(to, id, "b");
        CPPUNIT_ASSERT_EQUAL(kTransactional, pn_delivery_remote_state(sent));
        const auto state = amqp::read(pn_disposition_data(pn_delivery_remote(sent)));
        CPPUNIT_ASSERT_EQUAL(id, std::string(state.item.at(0).bytes));
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(PN_ACCEPTED), state.item.at(1).at(0).bits);
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), c.bus.count<Send>() + c.bus.count<Settle>());
        pn_delivery_t* discharge = work.discharge(id, false);
        const auto command = c.bus.take<CommitTransaction>();
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), command.sends.size());
        CPPUNIT_ASSERT(command.accepts == std::vector<DeliveryId>{DeliveryId(9)});
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(0), pn_delivery_remote_state(discharge));
        c.bus.complete(command.request);
        c.run();
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(PN_ACCEPTED), pn_delivery_remote_state(discharge));
    }

    void largeBodiesWaitForTheCommit() {
        AmqpClient c;
        FakeBodies bodies(c.bus.loop);
        c.bus.largeBodies = &bodies;
        c.open();
        pn_link_t* to = c.sender("out");
        Coordinator work(c);
        const std::string id = work.declare();
        const std::string body(20u << 20, 'x');
        pn_delivery_t* sent = work.send(to, id, body);
        CPPUNIT_ASSERT_EQUAL(kTransactional, pn_delivery_remote_state(sent));
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), c.bus.count<Send>());
        work.discharge(id, false);
        const auto commit = c.bus.take<CommitTransaction>();
        CPPUNIT_ASSERT(bodies.contents[commit.sends.at(0)->large->id] == body);
    }

    void failedCommitIsARollback() {
        AmqpClient c;
        c.open();
        pn_link_t* from = c.receiver("in", 1);
        Coordinator work(c);
        const std::string id = work.declare();
        c.deliver(ConsumerId(1), "a", 9);
        work.accept(from, id);
        pn_delivery_t* discharge = work.discharge(id, false);
        c.bus.refuse(c.bus.take<CommitTransaction>().request, ErrorCode::transactionAborted,
                     "full");
        c.run();
        CPPUNIT_ASSERT_EQUAL(std::string("amqp:transaction:rollback"), c.condition(discharge));
        const auto back = c.bus.take<Settle>();
        CPPUNIT_ASSERT(back.outcome == Outcome::failed);
        CPPUNIT_ASSERT(back.deliveries == std::vector<DeliveryId>{DeliveryId(9)});
    }

    void rollbackGivesBack() {
        AmqpClient c;
        c.open();
        pn_link_t* from = c.receiver("in", 1);
        pn_link_t* to = c.sender("out");
        Coordinator work(c);
        const std::string id = work.declare();
        c.deliver(ConsumerId(1), "a", 9);
        work.accept(from, id);
        work.send(to, id, "b");
        pn_delivery_t* discharge = work.discharge(id, true);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(PN_ACCEPTED), pn_delivery_remote_state(discharge));
        CPPUNIT_ASSERT(c.bus.take<Settle>().outcome == Outcome::failed);
        CPPUNIT_ASSERT_EQUAL(std::size_t(0),
                             c.bus.count<CommitTransaction>() + c.bus.count<Send>());
    }

    void otherOutcomesHappenAfterTheCommit() {
        AmqpClient c;
        c.open();
        pn_link_t* from = c.receiver("in", 1);
        Coordinator work(c);
        const std::string id = work.declare();
        c.deliver(ConsumerId(1), "a", 9);
        work.accept(from, id, PN_REJECTED);
        work.discharge(id, false);
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), c.bus.count<Settle>());
        c.bus.complete(c.bus.take<CommitTransaction>().request);
        CPPUNIT_ASSERT(c.bus.take<Settle>().outcome == Outcome::rejected);
    }

    void severalTransactionsAreApart() {
        AmqpClient c;
        c.open();
        pn_link_t* to = c.sender("out");
        Coordinator work(c);
        const std::string first = work.declare();
        const std::string second = work.declare();
        CPPUNIT_ASSERT(first != second);
        work.send(to, first, "1");
        work.send(to, second, "2");
        work.discharge(second, false);
        const auto command = c.bus.take<CommitTransaction>();
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), command.sends.size());
        CPPUNIT_ASSERT_EQUAL(std::string("2"), std::string(command.sends[0]->body.view()));
    }

    void unknownTransactionsAreRefused() {
        AmqpClient c;
        c.open();
        Coordinator work(c);
        CPPUNIT_ASSERT_EQUAL(std::string("amqp:transaction:unknown-id"),
                             c.condition(work.discharge("nope", false)));
        pn_link_t* to = c.sender("out");
        CPPUNIT_ASSERT_EQUAL(std::string("amqp:transaction:unknown-id"),
                             c.condition(work.send(to, "nope", "x")));
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), c.bus.count<Send>());
    }

    void endOfTheCoordinatorRollsBack() {
        AmqpClient c;
        c.open();
        pn_link_t* from = c.receiver("in", 1);
        Coordinator work(c);
        const std::string id = work.declare();
        c.deliver(ConsumerId(1), "a", 9);
        work.accept(from, id);
        pn_link_close(work.link);
        c.run();
        CPPUNIT_ASSERT(c.bus.take<Settle>().outcome == Outcome::failed);
    }

    void transactionsAreBounded() {
        amqp::Options options;
        options.transactionsMax = 1;
        AmqpClient c(options);
        c.open();
        Coordinator work(c);
        work.declare();
        std::string message;
        amqp::putDescriptor(message, 0x77);
        amqp::putDescriptor(message, 0x31);
        amqp::Compound(message, amqp::Compound::Kind::list).end(0);
        CPPUNIT_ASSERT_EQUAL(std::string("amqp:resource-limit-exceeded"),
                             c.condition(c.send(work.link, message)));
    }

    void coordinatorTakesNothingElse() {
        AmqpClient c;
        c.open();
        Coordinator work(c);
        CPPUNIT_ASSERT_EQUAL(std::string("amqp:not-implemented"),
                             c.condition(c.send(work.link, AmqpClient::text("x"))));
        CPPUNIT_ASSERT_EQUAL(std::string("amqp:decode-error"),
                             c.condition(c.send(work.link, "\xff")));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(AmqpTransactionTest);
