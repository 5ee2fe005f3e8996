// Deliveries with an end over AMQP 1.0.
#include "tests/adapters/amqp/amqp_client.h"

#include <cppunit/extensions/HelperMacros.h>

namespace busbar::test {

class AmqpLeasesTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(AmqpLeasesTest);
    CPPUNIT_TEST(leasesAreAskedFor);
    CPPUNIT_TEST(leasesAreShown);
    CPPUNIT_TEST(receivedProlongsTheLease);
    CPPUNIT_TEST(modifiedMayWait);
    CPPUNIT_TEST(aLeaseThatRanOutIsSettled);
    CPPUNIT_TEST(whatWasSettledByTokenIsSettled);
    CPPUNIT_TEST(whatRanOutUnwrittenIsNeverWritten);
    CPPUNIT_TEST_SUITE_END();

    AmqpClient c_;
    pn_link_t* link_ = nullptr;

    Delivered leased(std::uint64_t id) {
        auto message = std::make_shared<Message>();
        message->destination = Destination::queue("q");
        message->bodyKind = BodyKind::text;
        message->body = Buffer::copyOf("body " + std::to_string(id));
        Delivered effect;
        effect.consumer = ConsumerId(1);
        effect.delivery = {DeliveryId(id), message, 1, StoredId(id), 42};
        effect.delivery.lease = std::make_shared<LeaseGrant>(LeaseGrant{
            "TOKEN" + std::to_string(id), Milliseconds(2000), WallTime(Milliseconds(1'700'000))});
        return effect;
    }
    void give(std::uint64_t id) {
        c_.bus.tell(leased(id));
        c_.run();
    }
    /// With what the bus settles a delivery whose lease ends.
    std::uint64_t settledAtItsEnd(bool lapsed) {
        give(7);
        c_.next(link_, 0);
        c_.bus.tell(LeaseEnded{{}, ConsumerId(1), DeliveryId(7), lapsed});
        c_.run();
        CPPUNIT_ASSERT_MESSAGE("not settled", pn_delivery_settled(c_.current));
        return pn_delivery_remote_state(c_.current);
    }

  public:
    void setUp() override {
        c_.open();
        link_ = c_.receiver("q", 10);
        c_.bus.commands.clear();
    }

    void leasesAreAskedFor() {
        pn_link_t* link = c_.receiverOf("q", "other");
        pn_data_t* properties = pn_link_properties(link);
        pn_data_put_map(properties);
        pn_data_enter(properties);
        pn_data_put_symbol(properties, pn_bytes(12, "busbar-lease"));
        pn_data_put_int(properties, 30'000);
        CPPUNIT_ASSERT(c_.attach(link).lease == Milliseconds(30'000));
    }

    void leasesAreShown() {
        give(7);
        const auto bytes = c_.next(link_, 0);
        for (const std::string part :
             {"x-opt-busbar-lease", "TOKEN7", "x-opt-locked-until", "x-opt-busbar-fencing-token"})
            CPPUNIT_ASSERT_MESSAGE(part, bytes.find(part) != std::string::npos);
    }

    void receivedProlongsTheLease() {
        give(7);
        c_.next(link_, 0);
        pn_disposition_set_section_number(pn_delivery_local(c_.current), 0);
        pn_delivery_update(c_.current, PN_RECEIVED);
        c_.run();
        const auto extend = c_.bus.take<ExtendLease>();
        CPPUNIT_ASSERT(extend.deliveries == std::vector{DeliveryId(7)});
        CPPUNIT_ASSERT(extend.lease == Milliseconds(2000));
        c_.deliver(ConsumerId(1), "without", 8);
        c_.next(link_, 0);
        pn_delivery_update(c_.current, PN_RECEIVED);
        c_.run();
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), c_.bus.count<ExtendLease>());
    }

    void modifiedMayWait() {
        std::uint64_t id = 0;
        const auto delayed = [&](std::int64_t delay, bool failed) {
            give(++id);
            c_.next(link_, 0);
            pn_disposition_t* local = pn_delivery_local(c_.current);
            pn_disposition_set_failed(local, failed);
            pn_data_t* annotations = pn_disposition_annotations(local);
            pn_data_put_map(annotations);
            pn_data_enter(annotations);
            pn_data_put_symbol(annotations, pn_bytes(20, "x-opt-delivery-delay"));
            pn_data_put_long(annotations, delay);
            pn_delivery_update(c_.current, PN_MODIFIED);
            pn_delivery_settle(c_.current);
            c_.run();
            return c_.bus.take<Settle>();
        };
        auto settle = delayed(5000, true);
        CPPUNIT_ASSERT(settle.delay == Milliseconds(5000) && settle.outcome == Outcome::failed);
        settle = delayed(7000, false);
        CPPUNIT_ASSERT(settle.delay == Milliseconds(7000) && settle.outcome == Outcome::released);
        CPPUNIT_ASSERT(delayed(-1, true).delay == Milliseconds(0));
        CPPUNIT_ASSERT(delayed(1ll << 60, true).delay == std::chrono::days(30));
    }

    void aLeaseThatRanOutIsSettled() {
        CPPUNIT_ASSERT(settledAtItsEnd(true) == PN_MODIFIED);
        CPPUNIT_ASSERT(pn_disposition_is_failed(pn_delivery_remote(c_.current)));
        pn_delivery_update(c_.current, PN_ACCEPTED);
        pn_delivery_settle(c_.current);
        c_.run();
        CPPUNIT_ASSERT_EQUAL_MESSAGE("stale", std::size_t(0), c_.bus.count<Settle>());
    }

    void whatWasSettledByTokenIsSettled() { CPPUNIT_ASSERT(settledAtItsEnd(false) == PN_RELEASED); }

    /// It is somebody else's by now; the client's credit is used for another one.
    void whatRanOutUnwrittenIsNeverWritten() {
        c_.host.highMark = 10;
        c_.host.stuck = true;
        c_.host.output() += std::string(20, ' ');
        c_.bus.tell(leased(7));
        c_.bus.tell(leased(8));
        c_.bus.tell(LeaseEnded{{}, ConsumerId(1), DeliveryId(7), true});
        c_.bus.commands.clear();
        c_.host.output().clear();
        c_.host.stuck = false;
        c_.engine->onOutputDrained();
        c_.run();
        CPPUNIT_ASSERT_EQUAL(1, c_.bus.take<AddCredit>().credit);
        CPPUNIT_ASSERT(c_.next(link_).find("body 8") != std::string::npos);
        CPPUNIT_ASSERT(c_.next(link_).empty());
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(AmqpLeasesTest);

}  // namespace busbar::test
