// Deliveries with an end over OpenWire.
#include "tests/adapters/openwire/client.h"

#include <cppunit/extensions/HelperMacros.h>

using namespace busbar;
using namespace busbar::openwire;
using namespace busbar::openwire::test;
using namespace std::string_literals;

class OpenWireLeasesTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(OpenWireLeasesTest);
    CPPUNIT_TEST(leasesAreProperties);
    CPPUNIT_TEST(eachDeliveryHasAnIdOfItsOwn);
    CPPUNIT_TEST(staleAcknowledgementsAreRefused);
    CPPUNIT_TEST(whatAnOrderSettledMayBeAcknowledged);
    CPPUNIT_TEST(acknowledgementsNameTheirDelivery);
    CPPUNIT_TEST(whatIsNeverSpokenOfIsForgotten);
    CPPUNIT_TEST(ordersGiveCreditBack);
    CPPUNIT_TEST(whatRanOutUnwrittenIsNeverWritten);
    CPPUNIT_TEST_SUITE_END();

    Client client_;
    busbar::ConsumerId consumer_;

    void give(std::uint64_t id, std::uint64_t fencingToken = 42) {
        Delivered effect;
        effect.consumer = consumer_;
        effect.delivery = {DeliveryId(1000 + id), Client::message(id), 1, StoredId(id),
                           fencingToken};
        effect.delivery.lease = std::make_shared<LeaseGrant>(LeaseGrant{
            "TOKEN" + std::to_string(id), Milliseconds(2000), WallTime(Milliseconds(1'700'000))});
        client_.bus.tell(std::move(effect));
    }
    void end(std::uint64_t id, bool lapsed) {
        client_.bus.tell(LeaseEnded{{}, consumer_, DeliveryId(1000 + id), lapsed});
    }

    /// Of one delivery, as the client names it.
    MessageAck ackOf(std::int64_t message, std::int64_t fencingToken) {
        auto ack = client_.ack(MessageAck::kIndividual, 0, message);
        MessageId id = *ack.lastMessageId;
        id.producerSequenceId = fencingToken;
        ack.lastMessageId = makeRef(std::move(id));
        return ack;
    }

  public:
    void setUp() override {
        client_.login();
        client_.read();
        consumer_ = client_.subscribe();
        client_.bus.commands.clear();
    }

    void leasesAreProperties() {
        give(1);
        const auto all = client_.read();
        const auto* dispatch = Client::find<MessageDispatch>(all);
        CPPUNIT_ASSERT(dispatch && dispatch->message);
        const std::string properties(dispatch->message->marshalledProperties->view());
        for (const std::string name :
             {"BusbarLease", "TOKEN1", "BusbarLeaseUntil", "BusbarFencingToken"})
            CPPUNIT_ASSERT_MESSAGE(name, properties.find(name) != std::string::npos);
    }

    /// ActiveMQ's client answers what it takes for a duplicate itself; its application would never
    /// see a message again that came back to it.
    void eachDeliveryHasAnIdOfItsOwn() {
        const auto idOf = [&](std::uint64_t fencingToken) {
            give(1, fencingToken);
            const auto all = client_.read();
            return *Client::find<MessageDispatch>(all)->message->messageId;
        };
        const MessageId first = idOf(42);
        end(1, true);
        const MessageId second = idOf(43);
        CPPUNIT_ASSERT(first.producerSequenceId != second.producerSequenceId);
        CPPUNIT_ASSERT_EQUAL("ID:other-1"s, toText(first));
        CPPUNIT_ASSERT_EQUAL("ID:other-1"s, toText(second));
        CPPUNIT_ASSERT_EQUAL(first.brokerSequenceId, second.brokerSequenceId);
    }

    void staleAcknowledgementsAreRefused() {
        give(1);
        end(1, true);
        client_.read();
        const auto id = client_.send(ackOf(1, 42));
        const auto settle = client_.bus.take<Settle>();
        CPPUNIT_ASSERT(settle.deliveries == std::vector{DeliveryId(1001)});
        CPPUNIT_ASSERT_EQUAL_MESSAGE("it has spoken: there is room for another one", 1,
                                     client_.bus.take<AddCredit>().credit);
        client_.bus.refuse(settle.request, ErrorCode::lockLost, "the lease ran out");
        CPPUNIT_ASSERT(client_.refused(id).find("lock-lost") != std::string::npos);
    }

    void acknowledgementsNameTheirDelivery() {
        give(1, 42);
        end(1, true);
        give(1, 43);
        client_.read();
        auto id = client_.send(ackOf(1, 42));
        auto settle = client_.bus.take<Settle>();
        client_.bus.refuse(settle.request, ErrorCode::lockLost, "the lease ran out");
        CPPUNIT_ASSERT(client_.refused(id).find("lock-lost") != std::string::npos);
        id = client_.send(ackOf(1, 43));
        settle = client_.bus.take<Settle>();
        client_.bus.complete(settle.request);
        CPPUNIT_ASSERT(client_.answered(id));
    }

    /// Who goes on behind it has room for another one; who never speaks of anything is not followed
    /// for ever.
    void whatIsNeverSpokenOfIsForgotten() {
        give(1, 42);
        give(2, 43);
        end(1, true);
        client_.bus.commands.clear();
        client_.send(ackOf(2, 43));
        CPPUNIT_ASSERT_EQUAL(2, client_.bus.take<AddCredit>().credit);
        for (std::uint64_t n = 3; n < 5000; ++n) {
            give(n, 100 + n);
            end(n, false);
        }
        client_.read();
        CPPUNIT_ASSERT(client_.refused(client_.send(ackOf(3, 103))).find("lock-lost") !=
                       std::string::npos);
    }

    /// JMS clients acknowledge what their application has seen, whatever it has said of it.
    void whatAnOrderSettledMayBeAcknowledged() {
        for (const std::uint64_t id : {1, 2, 3}) give(id);
        end(3, false);
        client_.read();
        auto all = ackOf(3, 42);
        all.ackKind = MessageAck::kStandard;
        all.messageCount = 3;
        const auto id = client_.send(all);
        const auto settle = client_.bus.take<Settle>();
        CPPUNIT_ASSERT((settle.deliveries == std::vector{DeliveryId(1001), DeliveryId(1002)}));
        client_.bus.complete(settle.request);
        CPPUNIT_ASSERT(client_.answered(id));
    }

    void ordersGiveCreditBack() {
        give(1);
        end(1, false);
        CPPUNIT_ASSERT_EQUAL(1, client_.bus.take<AddCredit>().credit);
        client_.read();
        client_.send(ackOf(1, 42));
        CPPUNIT_ASSERT_EQUAL_MESSAGE("once", std::size_t(0), client_.bus.count<AddCredit>());
    }

    /// It is somebody else's by now; the client has room for another one.
    void whatRanOutUnwrittenIsNeverWritten() {
        client_.host.highMark = 10;
        client_.host.stuck = true;
        give(1);
        give(2);
        give(3);
        end(2, true);
        client_.host.stuck = false;
        client_.host.flush();
        client_.engine->onOutputDrained();
        const auto all = client_.read();
        std::string seen;
        for (const auto& one : all) {
            if (const auto* dispatch = one.as<MessageDispatch>())
                seen += std::to_string(dispatch->message->messageId->brokerSequenceId) + " ";
        }
        CPPUNIT_ASSERT_EQUAL("1 3 "s, seen);
        CPPUNIT_ASSERT_EQUAL(1, client_.bus.take<AddCredit>().credit);
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(OpenWireLeasesTest);
