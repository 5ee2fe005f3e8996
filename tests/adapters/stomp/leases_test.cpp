// Deliveries with an end over STOMP.
#include "tests/adapters/stomp/stomp_fixture.h"

namespace busbar::stomp {

class StompLeasesTest : public StompFixture {
    CPPUNIT_TEST_SUITE(StompLeasesTest);
    CPPUNIT_TEST(leasesAreAskedFor);
    CPPUNIT_TEST(leasesAreShown);
    CPPUNIT_TEST(staleAcknowledgementsAreRefused);
    CPPUNIT_TEST(whatWasSettledByTokenIsNotOutstanding);
    CPPUNIT_TEST(whatRanOutUnwrittenIsNeverWritten);
    CPPUNIT_TEST(automaticOnesGetOthersInstead);
    CPPUNIT_TEST_SUITE_END();

    Delivered leased(ConsumerId consumer, std::uint64_t id) {
        auto message = std::make_shared<Message>();
        message->id = "ID:" + std::to_string(id);
        message->destination = Destination::queue("a");
        Delivered effect;
        effect.consumer = consumer;
        effect.delivery = {DeliveryId(id), message, 1, StoredId(5), 42};
        effect.delivery.lease = std::make_shared<LeaseGrant>(LeaseGrant{
            "TOKEN" + std::to_string(id), Milliseconds(2000), WallTime(Milliseconds(1'700'000))});
        return effect;
    }
    ConsumerId subscribed(const std::string& ack = "client-individual") {
        login();
        return subscribe("id:1\ndestination:/queue/a\nlease:2000\nack:" + ack + "\n");
    }
    void acknowledge(ConsumerId consumer, std::uint64_t id) {
        receive("ACK\nid:" + std::to_string(consumer.value) + "-" + std::to_string(id) +
                "\nreceipt:r\n\n\0"s);
        connection_->onEffectsEnd();
    }

    /// The peer takes nothing until letGo(), which gives what it gets then.
    void hold(ConsumerId consumer) {
        host_.highMark = 10;
        bus_.tell(leased(consumer, 6));
        host_.read();
        host_.stuck = true;
        host_.output() += "something to get rid of first";
    }
    std::string letGo() {
        host_.stuck = false;
        host_.read();
        bus_.commands.clear();
        connection_->onOutputDrained();
        return host_.read();
    }

  public:
    void leasesAreAskedFor() {
        login();
        receive("SUBSCRIBE\nid:1\ndestination:/queue/a\nlease:30000\n\n\0"s);
        CPPUNIT_ASSERT(bus_.take<Subscribe>().lease == Milliseconds(30'000));
        for (const std::string bad : {"x", "-1", "43200001", "1.5"}) {
            tearDown();
            login();
            receive("SUBSCRIBE\nid:1\ndestination:/queue/a\nlease:" + bad + "\n\n\0"s);
            const auto answer = host_.read();
            CPPUNIT_ASSERT_MESSAGE(answer, has(answer, "ERROR") && has(answer, "lease"));
            CPPUNIT_ASSERT_EQUAL(std::size_t(0), bus_.count<Subscribe>());
        }
    }

    void leasesAreShown() {
        const auto consumer = subscribed();
        bus_.tell(leased(consumer, 7));
        const auto frame = host_.read();
        CPPUNIT_ASSERT_MESSAGE(frame,
                               has(frame, "busbar-lease:TOKEN7\nbusbar-lease-until:1700000\n") &&
                                   has(frame, "busbar-fencing-token:42\n"));
    }

    /// The bus is asked: it knows, and gives the consumer room for another one.
    void staleAcknowledgementsAreRefused() {
        const auto consumer = subscribed();
        bus_.tell(leased(consumer, 7));
        bus_.tell(LeaseEnded{{}, consumer, DeliveryId(7), true});
        host_.read();
        acknowledge(consumer, 7);
        const auto settle = bus_.take<Settle>();
        CPPUNIT_ASSERT(settle.deliveries == std::vector{DeliveryId(7)});
        bus_.refuse(settle.request, ErrorCode::lockLost, "the lease ran out");
        const auto answer = host_.read();
        CPPUNIT_ASSERT_MESSAGE(answer, has(answer, "ERROR") && has(answer, "lock-lost"));
    }

    void whatWasSettledByTokenIsNotOutstanding() {
        const auto consumer = subscribed("client");
        for (const std::uint64_t id : {7, 8}) bus_.tell(leased(consumer, id));
        bus_.tell(LeaseEnded{{}, consumer, DeliveryId(7), false});
        acknowledge(consumer, 8);
        CPPUNIT_ASSERT(bus_.take<Settle>().upTo == DeliveryId(8));
        host_.read();
        acknowledge(consumer, 7);
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), bus_.count<Settle>());
        CPPUNIT_ASSERT(has(host_.read(), "not outstanding"));
    }

    /// It is somebody else's by now; the client, which has not seen it, has room for another one.
    void whatRanOutUnwrittenIsNeverWritten() {
        const auto consumer = subscribed();
        hold(consumer);
        bus_.tell(leased(consumer, 7));
        bus_.tell(leased(consumer, 8));
        bus_.tell(LeaseEnded{{}, consumer, DeliveryId(7), true});
        const auto frames = letGo();
        CPPUNIT_ASSERT_MESSAGE(frames, !has(frames, "TOKEN7") && has(frames, "TOKEN8"));
        CPPUNIT_ASSERT(bus_.take<Settle>().deliveries == std::vector{DeliveryId(7)});
    }

    void automaticOnesGetOthersInstead() {
        const auto consumer = subscribed("auto");
        hold(consumer);
        bus_.tell(leased(consumer, 7));
        bus_.tell(LeaseEnded{{}, consumer, DeliveryId(7), true});
        CPPUNIT_ASSERT_EQUAL(""s, letGo());
        CPPUNIT_ASSERT_EQUAL(1, bus_.take<AddCredit>().credit);
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), bus_.count<Settle>());
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(StompLeasesTest);

}  // namespace busbar::stomp
