// MESSAGE, ACK and NACK.
#include "tests/adapters/stomp/stomp_fixture.h"

using namespace busbar;
using namespace busbar::stomp;

class DeliveryTest : public StompFixture {
    CPPUNIT_TEST_SUITE(DeliveryTest);
    CPPUNIT_TEST(automaticAcknowledgementWaitsForASlowPeer);
    CPPUNIT_TEST(clientAcknowledgementIsCumulative);
    CPPUNIT_TEST(individualAcknowledgementSettlesOne);
    CPPUNIT_TEST(acknowledgesByMessageIdBefore12);
    CPPUNIT_TEST(acknowledgementsOfOneReadGoTogether);
    CPPUNIT_TEST(nackFailsTheDelivery);
    CPPUNIT_TEST(nackHasDelayReasonAndRequeue);
    CPPUNIT_TEST(secondAcknowledgementIsAnError);
    CPPUNIT_TEST(redeliveredMessagesSaySo);
    CPPUNIT_TEST(slowPeerHoldsBackDeliveries);
    CPPUNIT_TEST(automaticConsumersGetCreditBackAsTheSocketDrains);
    CPPUNIT_TEST(givesNoCreditAfterDisconnect);
    CPPUNIT_TEST(atMostOnceSettlesNothing);
    CPPUNIT_TEST(cumulativeAcknowledgementsGoTogether);
    CPPUNIT_TEST(cumulativeAcknowledgementSparesOpenTransactions);
    CPPUNIT_TEST(showsTheFirstOfAGroup);
    CPPUNIT_TEST_SUITE_END();

  public:
    void automaticAcknowledgementWaitsForASlowPeer() {
        login();
        const auto consumer = subscribe("id:1\ndestination:/queue/a\n");
        deliver(consumer, 1, "x");
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), bus_.take<Settle>().deliveries.at(0).value);
        host_.highMark = 100;
        host_.stuck = true;
        deliver(consumer, 2, std::string(200, 'x'));
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), bus_.count<Settle>());
        host_.stuck = false;
        host_.flush();
        connection_->onOutputDrained();
        const auto settle = bus_.take<Settle>();
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(2), settle.deliveries.at(0).value);
        CPPUNIT_ASSERT(settle.outcome == Outcome::accepted && !settle.request);
    }

    void clientAcknowledgementIsCumulative() {
        login();
        const auto consumer = subscribe("id:1\ndestination:/queue/a\nack:client\n");
        for (std::uint64_t id = 1; id <= 4; ++id) deliver(consumer, id, "x");
        CPPUNIT_ASSERT(has(host_.read(), "ack:1-3\n"));
        receive("ACK\nid:1-3\n\n\0"s);
        const auto first = bus_.take<Settle>();
        CPPUNIT_ASSERT(first.upTo == DeliveryId(3) && first.upToConsumer == consumer);
        CPPUNIT_ASSERT(first.deliveries.empty());
        receive("ACK\nid:1-4\nreceipt:z\n\n\0"s);
        auto settle = bus_.take<Settle>();
        CPPUNIT_ASSERT(settle.upTo == DeliveryId(4));
        host_.read();
        bus_.complete(settle.request);
        CPPUNIT_ASSERT_EQUAL("RECEIPT\nreceipt-id:z\n\n\0"s, host_.read());
    }

    void individualAcknowledgementSettlesOne() {
        login();
        const auto consumer = subscribe("id:1\ndestination:/queue/a\nack:client-individual\n");
        for (std::uint64_t id = 1; id <= 3; ++id) deliver(consumer, id, "x");
        receive("ACK\nid:1-2\n\n\0"s);
        const auto settle = bus_.take<Settle>();
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), settle.deliveries.size());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(2), settle.deliveries[0].value);
    }

    void acknowledgesByMessageIdBefore12() {
        login("accept-version:1.1\n");
        const auto consumer = subscribe("id:s\ndestination:/queue/a\nack:client-individual\n");
        deliver(consumer, 1, "x");
        deliver(consumer, 2, "x");
        CPPUNIT_ASSERT(!has(host_.read(), "ack:"));
        receive("ACK\nsubscription:s\nmessage-id:ID\\c2\n\n\0"s);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(2), bus_.take<Settle>().deliveries.at(0).value);
    }

    void acknowledgementsOfOneReadGoTogether() {
        login();
        const auto consumer = subscribe("id:1\ndestination:/queue/a\nack:client-individual\n");
        std::string acks;
        for (std::uint64_t id = 1; id <= 1000; ++id) {
            deliver(consumer, id, "x");
            acks +=
                "ACK\nid:1-" + std::to_string(id) + "\nreceipt:" + std::to_string(id) + "\n\n\0"s;
        }
        host_.read();
        receive(acks);
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), bus_.count<Settle>());
        auto settle = bus_.take<Settle>();
        CPPUNIT_ASSERT_EQUAL(std::size_t(1000), settle.deliveries.size());
        bus_.complete(settle.request);
        CPPUNIT_ASSERT(has(host_.read(), "RECEIPT\nreceipt-id:1000\n"));
    }

    void nackFailsTheDelivery() {
        login();
        const auto consumer = subscribe("id:1\ndestination:/queue/a\nack:client-individual\n");
        deliver(consumer, 1, "x");
        receive("NACK\nid:1-1\n\n\0"s);
        CPPUNIT_ASSERT(bus_.take<Settle>().outcome == Outcome::failed);
    }

    void nackHasDelayReasonAndRequeue() {
        login();
        const auto consumer = subscribe("id:1\ndestination:/queue/a\nack:client-individual\n");
        for (std::uint64_t id = 1; id <= 3; ++id) deliver(consumer, id, "x");
        receive(
            "NACK\nid:1-1\ndelay:1500\nreason:busy\n\n\0"
            "NACK\nid:1-2\nrequeue:false\nreason:bad\n\n\0"
            "NACK\nid:1-3\nrequeue:true\n\n\0"s);
        const auto first = bus_.take<Settle>(), second = bus_.take<Settle>(),
                   third = bus_.take<Settle>();
        CPPUNIT_ASSERT(first.outcome == Outcome::failed && first.delay == Milliseconds(1500) &&
                       first.reason == "busy");
        CPPUNIT_ASSERT(second.outcome == Outcome::rejected && second.reason == "bad" &&
                       second.delay == Milliseconds(0));
        CPPUNIT_ASSERT(third.outcome == Outcome::failed && third.reason == "NACK");
        deliver(consumer, 4, "x");
        receive("NACK\nid:1-4\ndelay:soon\n\n\0"s);
        CPPUNIT_ASSERT(host_.closed);
    }

    void secondAcknowledgementIsAnError() {
        login();
        const auto consumer = subscribe("id:1\ndestination:/queue/a\nack:client\n");
        deliver(consumer, 1, "x");
        receive("ACK\nid:1-1\n\n\0ACK\nid:1-1\n\n\0"s);
        CPPUNIT_ASSERT(has(host_.read(), "code:lock-lost\n"));
        CPPUNIT_ASSERT(host_.closed);
    }

    void redeliveredMessagesSaySo() {
        login();
        const auto consumer = subscribe("id:1\ndestination:/queue/a\nack:client\n");
        deliver(consumer, 1, "x", 3);
        CPPUNIT_ASSERT(has(host_.read(), "redelivered:true\nJMSXDeliveryCount:3\n"));
    }

    void slowPeerHoldsBackDeliveries() {
        login();
        const auto consumer = subscribe("id:1\ndestination:/queue/a\nack:client\n");
        host_.highMark = 1000;
        host_.stuck = true;
        for (std::uint64_t id = 1; id <= 100; ++id) deliver(consumer, id, std::string(500, 'x'));
        CPPUNIT_ASSERT(host_.outputPending() < 3000);
        CPPUNIT_ASSERT(!connection_->wantsInput());
        host_.stuck = false;
        host_.flush();
        connection_->onOutputDrained();
        const auto all = host_.read();
        CPPUNIT_ASSERT(has(all, "ack:1-1\n") && has(all, "ack:1-100\n"));
    }

    void automaticConsumersGetCreditBackAsTheSocketDrains() {
        login();
        receive("SUBSCRIBE\nid:1\ndestination:/queue/a\nactivemq.prefetchSize:3\n\n\0"s);
        const auto command = bus_.take<Subscribe>();
        CPPUNIT_ASSERT(!command.windowed);
        CPPUNIT_ASSERT_EQUAL(3u, command.credit);
        host_.highMark = 100;
        host_.stuck = true;
        for (std::uint64_t id = 1; id <= 3; ++id)
            deliver(command.consumer, id, std::string(200, 'x'));
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), bus_.count<AddCredit>());
        host_.stuck = false;
        host_.flush();
        connection_->onOutputDrained();
        std::int32_t credit = 0;
        while (bus_.count<AddCredit>() > 0) credit += bus_.take<AddCredit>().credit;
        CPPUNIT_ASSERT_EQUAL(3, credit);
        std::size_t settled = 0;
        while (bus_.count<Settle>() > 0) settled += bus_.take<Settle>().deliveries.size();
        CPPUNIT_ASSERT_EQUAL(std::size_t(3), settled);
    }

    void givesNoCreditAfterDisconnect() {
        login();
        const auto consumer = subscribe("id:1\ndestination:/queue/a\n");
        receive("SEND\ndestination:/queue/b\n\nx\0"s);
        host_.highMark = 10;
        host_.stuck = true;
        deliver(consumer, 1, std::string(200, 'x'));
        receive("DISCONNECT\nreceipt:bye\n\n\0"s);
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), bus_.count<Settle>());
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), bus_.count<AddCredit>());
    }

    void atMostOnceSettlesNothing() {
        login();
        receive("SUBSCRIBE\nid:1\ndestination:/queue/a\nat-most-once:true\n\n\0"s);
        const auto command = bus_.take<Subscribe>();
        CPPUNIT_ASSERT(command.ackMode == AckMode::none && !command.windowed);
        deliver(command.consumer, 0, "x");
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), bus_.count<Settle>());
        CPPUNIT_ASSERT_EQUAL(1, bus_.take<AddCredit>().credit);
        receive("SUBSCRIBE\nid:2\ndestination:/queue/a\nack:client\nat-most-once:true\n\n\0"s);
        CPPUNIT_ASSERT(host_.closed);
    }

    void cumulativeAcknowledgementsGoTogether() {
        login();
        const auto a = subscribe("id:1\ndestination:/queue/a\nack:client\n");
        const auto b = subscribe("id:2\ndestination:/queue/b\nack:client\n");
        for (std::uint64_t id = 1; id <= 3; ++id) deliver(a, id, "x");
        deliver(b, 4, "x");
        receive("ACK\nid:1-1\n\n\0ACK\nid:1-3\n\n\0ACK\nid:2-4\n\n\0"s);
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), bus_.count<Settle>());
        const auto first = bus_.take<Settle>(), second = bus_.take<Settle>();
        CPPUNIT_ASSERT(first.upTo == DeliveryId(3) && first.upToConsumer == a);
        CPPUNIT_ASSERT(second.upTo == DeliveryId(4) && second.upToConsumer == b);
    }

    void cumulativeAcknowledgementSparesOpenTransactions() {
        // Delivery 1 is the transaction's: "up to 2" must not settle it outside.
        login();
        const auto consumer = subscribe("id:1\ndestination:/queue/a\nack:client\n");
        deliver(consumer, 1, "x");
        deliver(consumer, 2, "x");
        receive("BEGIN\ntransaction:t\n\n\0ACK\nid:1-1\ntransaction:t\n\n\0ACK\nid:1-2\n\n\0"s);
        const auto settle = bus_.take<Settle>();
        CPPUNIT_ASSERT(!settle.upTo);
        CPPUNIT_ASSERT(settle.deliveries == std::vector{DeliveryId(2)});
    }

    void showsTheFirstOfAGroup() {
        login();
        const auto consumer = subscribe("id:1\ndestination:/queue/a\nack:client\n");
        auto message = std::make_shared<Message>();
        message->groupId = "g";
        message->groupSequence = 2;
        Delivered effect;
        effect.consumer = consumer;
        effect.delivery = {DeliveryId(1), message, 1, StoredId(1), 0, true};
        bus_.tell(effect);
        const auto first = host_.read();
        CPPUNIT_ASSERT(has(first, "JMSXGroupFirstForConsumer:true\n") &&
                       has(first, "JMSXGroupID:g\nJMSXGroupSeq:2\n"));
        effect.delivery.id = DeliveryId(2);
        effect.delivery.firstOfGroup = false;
        bus_.tell(effect);
        CPPUNIT_ASSERT(!has(host_.read(), "JMSXGroupFirstForConsumer"));
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(DeliveryTest);
