#include "tests/adapters/amqp/amqp_client.h"

#include <cppunit/extensions/HelperMacros.h>

using namespace busbar;
using namespace busbar::test;

class AmqpConsumerTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(AmqpConsumerTest);
    CPPUNIT_TEST(creditGoesToTheBusAsItComes);
    CPPUNIT_TEST(takenBackCreditIsTakenBack);
    CPPUNIT_TEST(drainEndsWhenTheBusHasDrained);
    CPPUNIT_TEST(acceptancesOfOneTurnGoTogether);
    CPPUNIT_TEST(dispositionsOfARangeSettleEachOfIt);
    CPPUNIT_TEST(outcomesBecomeTheBuss);
    CPPUNIT_TEST(settledWithoutAnOutcomeIsReleased);
    CPPUNIT_TEST(secondSettleModeIsAnsweredWhenDurable);
    CPPUNIT_TEST(preSettledLinksAreAtMostOnce);
    CPPUNIT_TEST(redeliveredMessagesSaySo);
    CPPUNIT_TEST(tagIsTheStoredNumber);
    CPPUNIT_TEST(selectorAndNoLocalInEverySpelling);
    CPPUNIT_TEST(refusedSubscriptionEndsTheLink);
    CPPUNIT_TEST(durableSubscriptionsHaveTheLinksName);
    CPPUNIT_TEST(sharedSubscriptionsDropTheSuffix);
    CPPUNIT_TEST(detachKeepsAndCloseDeletesTheSubscription);
    CPPUNIT_TEST(volatileSubscriptionsEndWithTheirLink);
    CPPUNIT_TEST(linkWithoutASourceUnsubscribes);
    CPPUNIT_TEST(browsesByPages);
    CPPUNIT_TEST(dynamicSourceIsReadByItsLink);
    CPPUNIT_TEST(linkPropertiesSayMore);
    CPPUNIT_TEST(deletedQueueEndsItsLinks);
    CPPUNIT_TEST(slowPeerHoldsBackDeliveries);
    CPPUNIT_TEST(largeBodiesAreStreamed);
    CPPUNIT_TEST(creditOfALargeBodyIsUsedUpWhileItFlows);
    CPPUNIT_TEST(unreadableLargeBodyIsRejected);
    CPPUNIT_TEST_SUITE_END();

  public:
    void creditGoesToTheBusAsItComes() {
        AmqpClient c;
        c.open();
        pn_link_t* link = c.receiverOf("q");
        const auto command = c.attach(link);
        CPPUNIT_ASSERT(!command.windowed);
        CPPUNIT_ASSERT_EQUAL(std::uint32_t(0), command.credit);
        pn_link_flow(link, 10);
        c.run();
        CPPUNIT_ASSERT_EQUAL(10, c.bus.take<AddCredit>().credit);
        c.deliver(command.consumer, "a");
        pn_link_flow(link, 5);
        c.run();
        CPPUNIT_ASSERT_EQUAL(5, c.bus.take<AddCredit>().credit);
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), c.bus.count<AddCredit>());
    }

    void takenBackCreditIsTakenBack() {
        AmqpClient c;
        c.open();
        pn_link_t* link = c.receiver("q", 10);
        c.bus.take<AddCredit>();
        pn_link_flow(link, -4);
        c.run();
        CPPUNIT_ASSERT_EQUAL(-4, c.bus.take<AddCredit>().credit);
    }

    void drainEndsWhenTheBusHasDrained() {
        AmqpClient c;
        c.open();
        pn_link_t* link = c.receiverOf("q");
        const auto command = c.attach(link);
        pn_link_drain(link, 10);
        c.run();
        const auto asked = c.bus.take<AddCredit>();
        CPPUNIT_ASSERT(asked.drain);
        CPPUNIT_ASSERT_EQUAL(10, asked.credit);
        c.deliver(command.consumer, "a");
        CPPUNIT_ASSERT(pn_link_draining(link));
        Completed done;
        done.request = asked.request;
        done.count = 9;
        c.bus.tell(std::move(done));
        c.run();
        c.next(link);
        CPPUNIT_ASSERT(!pn_link_draining(link));
        CPPUNIT_ASSERT_EQUAL(0, pn_link_credit(link));
        pn_link_set_drain(link, false);
        pn_link_flow(link, 3);
        c.run();
        CPPUNIT_ASSERT_EQUAL(3, c.bus.take<AddCredit>().credit);
    }

    void acceptancesOfOneTurnGoTogether() {
        AmqpClient c;
        c.open();
        pn_link_t* link = c.receiver("q", 10);
        c.deliver(ConsumerId(1), "a", 1);
        c.deliver(ConsumerId(1), "b", 2);
        for (int i = 0; i < 2; ++i) {
            pn_delivery_t* delivery = pn_link_current(link);
            pn_link_advance(link);
            pn_delivery_update(delivery, PN_ACCEPTED);
            pn_delivery_settle(delivery);
        }
        c.run();
        const auto settle = c.bus.take<Settle>();
        CPPUNIT_ASSERT(settle.outcome == Outcome::accepted);
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), settle.deliveries.size());
    }

    /// AMQP 1.0 section 2.7.6: one disposition from `first` to `last`.
    void dispositionsOfARangeSettleEachOfIt() {
        AmqpClient c;
        c.open();
        pn_link_t* link = c.receiver("q", 10);
        for (std::uint64_t id = 1; id <= 5; ++id) c.deliver(ConsumerId(1), "a", id);
        for (int i = 0; i < 4; ++i) {
            pn_delivery_t* delivery = pn_link_current(link);
            pn_link_advance(link);
            pn_delivery_update(delivery, i < 3 ? PN_ACCEPTED : PN_RELEASED);
            pn_delivery_settle(delivery);
        }
        const pn_bytes_t bytes = pn_connection_driver_write_buffer(c.driver.get());
        const std::string wire(bytes.start, bytes.size), disposition("\0\x53\x15", 3);
        std::size_t frames = 0;
        for (auto at = wire.find(disposition); at != wire.npos; at = wire.find(disposition, at + 1))
            ++frames;
        CPPUNIT_ASSERT_EQUAL_MESSAGE("the client makes ranges", std::size_t(2), frames);
        c.run();
        const auto accepted = c.bus.take<Settle>(), released = c.bus.take<Settle>();
        const std::vector<DeliveryId> three{DeliveryId(1), DeliveryId(2), DeliveryId(3)};
        const bool inOrder = accepted.outcome == Outcome::accepted;
        const Settle& range = inOrder ? accepted : released;
        CPPUNIT_ASSERT(range.outcome == Outcome::accepted && range.deliveries == three);
        CPPUNIT_ASSERT((inOrder ? released : accepted).deliveries == std::vector{DeliveryId(4)});
    }

    void outcomesBecomeTheBuss() {
        AmqpClient c;
        c.open();
        pn_link_t* link = c.receiver("q", 10);
        std::uint64_t id = 0;
        const auto outcome = [&](std::uint64_t state, bool failed, bool undeliverable) {
            c.deliver(ConsumerId(1), "a", ++id);
            c.next(link, 0);
            pn_disposition_t* local = pn_delivery_local(c.current);
            pn_disposition_set_failed(local, failed);
            pn_disposition_set_undeliverable(local, undeliverable);
            if (state == PN_REJECTED) {
                pn_condition_set_name(pn_disposition_condition(local), "app:bad");
                pn_condition_set_description(pn_disposition_condition(local), "why");
            }
            pn_delivery_update(c.current, state);
            pn_delivery_settle(c.current);
            c.run();
            return c.bus.take<Settle>();
        };
        CPPUNIT_ASSERT(outcome(PN_RELEASED, false, false).outcome == Outcome::released);
        CPPUNIT_ASSERT(outcome(PN_MODIFIED, false, false).outcome == Outcome::released);
        CPPUNIT_ASSERT(outcome(PN_MODIFIED, true, false).outcome == Outcome::failed);
        CPPUNIT_ASSERT(outcome(PN_MODIFIED, true, true).outcome == Outcome::rejected);
        const auto rejected = outcome(PN_REJECTED, false, false);
        CPPUNIT_ASSERT(rejected.outcome == Outcome::rejected);
        CPPUNIT_ASSERT_EQUAL(std::string("app:bad: why"), rejected.reason);
    }

    void settledWithoutAnOutcomeIsReleased() {
        AmqpClient c;
        c.open();
        pn_link_t* link = c.receiver("q", 1);
        c.deliver(ConsumerId(1), "a");
        c.next(link, 0);
        pn_delivery_settle(c.current);
        c.run();
        CPPUNIT_ASSERT(c.bus.take<Settle>().outcome == Outcome::released);
    }

    void secondSettleModeIsAnsweredWhenDurable() {
        AmqpClient c;
        c.open();
        pn_link_t* link = c.receiverOf("q");
        pn_link_set_rcv_settle_mode(link, PN_RCV_SECOND);
        c.attach(link);
        pn_link_flow(link, 1);
        c.run();
        c.deliver(ConsumerId(1), "a");
        c.next(link, 0);
        pn_delivery_update(c.current, PN_ACCEPTED);
        c.run();
        const auto settle = c.bus.take<Settle>();
        CPPUNIT_ASSERT(settle.request);
        CPPUNIT_ASSERT(!pn_delivery_settled(c.current));
        c.bus.complete(settle.request);
        c.run();
        CPPUNIT_ASSERT(pn_delivery_settled(c.current));
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(PN_ACCEPTED), pn_delivery_remote_state(c.current));
    }

    void preSettledLinksAreAtMostOnce() {
        AmqpClient c;
        c.open();
        pn_link_t* link = c.receiverOf("q");
        pn_link_set_snd_settle_mode(link, PN_SND_SETTLED);
        CPPUNIT_ASSERT(c.attach(link).ackMode == AckMode::none);
        pn_link_flow(link, 1);
        c.run();
        c.deliver(ConsumerId(1), "a", 0);
        c.next(link, 0);
        CPPUNIT_ASSERT(pn_delivery_settled(c.current));
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), c.bus.count<Settle>());
    }

    void redeliveredMessagesSaySo() {
        AmqpClient c;
        c.open();
        pn_link_t* link = c.receiver("q", 1);
        c.deliver(ConsumerId(1), "a", 1, 3);
        const std::string bytes = c.next(link);
        const auto header = amqp::Reader(bytes).next();
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(2), header->plain().at(4).bits);
    }

    void tagIsTheStoredNumber() {
        AmqpClient c;
        c.open();
        pn_link_t* link = c.receiver("q", 1);
        c.deliver(ConsumerId(1), "a", 1);
        const pn_delivery_tag_t tag = pn_delivery_tag(pn_link_current(link));
        CPPUNIT_ASSERT(std::string("\0\0\0\0\0\0\0e", 8) == std::string(tag.start, tag.size));
    }

    void selectorAndNoLocalInEverySpelling() {
        const auto filter = [](auto put) {
            std::string out;
            amqp::Compound map(out, amqp::Compound::Kind::map);
            map.end(put(out));
            return out;
        };
        const std::string rows[] = {filter([](std::string& out) {
                                        amqp::putSymbol(out, "jms-selector");
                                        amqp::putDescriptor(out,
                                                            "apache.org:selector-filter:string");
                                        amqp::putString(out, "a = 1");
                                        amqp::putSymbol(out, "no-local");
                                        amqp::putDescriptor(out, "apache.org:no-local-filter:list");
                                        amqp::Compound(out, amqp::Compound::Kind::list).end(0);
                                        return std::size_t(4);
                                    }),
                                    filter([](std::string& out) {
                                        amqp::putSymbol(out, "x");
                                        out += '\0';
                                        amqp::putUlong(out, 0x0000468c00000004);
                                        amqp::putString(out, "a = 1");
                                        amqp::putSymbol(out, "y");
                                        out += '\0';
                                        amqp::putUlong(out, 0x0000468c00000003);
                                        amqp::putNull(out);
                                        return std::size_t(4);
                                    }),
                                    filter([](std::string& out) {
                                        amqp::putSymbol(out, "selector");
                                        amqp::putString(out, "a = 1");
                                        amqp::putSymbol(out, "no-local");
                                        amqp::putNull(out);
                                        amqp::putSymbol(out, "unknown");
                                        amqp::putString(out, "x");
                                        return std::size_t(6);
                                    })};
        for (const auto& row : rows) {
            AmqpClient c;
            c.open();
            pn_link_t* link = c.receiverOf("topic://t");
            amqp::assign(pn_terminus_filter(pn_link_source(link)), row);
            const auto command = c.attach(link);
            CPPUNIT_ASSERT_EQUAL(std::string("a = 1"), command.selector);
            CPPUNIT_ASSERT(command.noLocal);
            const auto echoed = amqp::read(pn_terminus_filter(pn_link_remote_source(link)));
            CPPUNIT_ASSERT_EQUAL(std::size_t(4), echoed.item.items.size());
            CPPUNIT_ASSERT_EQUAL(std::string("a = 1"),
                                 std::string(echoed.item.items[1].plain().bytes));
        }
    }

    void refusedSubscriptionEndsTheLink() {
        AmqpClient c;
        c.open();
        pn_link_t* link = c.receiverOf("q");
        pn_link_open(link);
        c.run();
        c.bus.refuse(c.bus.take<Subscribe>().request, ErrorCode::invalidArgument, "bad selector");
        c.run();
        CPPUNIT_ASSERT(c.remotelyClosed(link));
        CPPUNIT_ASSERT_EQUAL(std::string("amqp:invalid-field"), c.condition(link));
        CPPUNIT_ASSERT_EQUAL(PN_UNSPECIFIED, pn_terminus_get_type(pn_link_remote_source(link)));
    }

    void durableSubscriptionsHaveTheLinksName() {
        AmqpClient shared;
        shared.open();
        const auto other = shared.attach(durable(shared, "sub"));
        CPPUNIT_ASSERT_EQUAL(std::string("client:sub"), other.durableName);
        CPPUNIT_ASSERT(other.shared);  // without a client id of its own
        AmqpClient alone;
        std::string symbols;
        amqp::putSymbols(symbols, {"sole-connection-for-container"});
        amqp::assign(pn_connection_desired_capabilities(alone.connection()), symbols);
        alone.open();
        const auto own = alone.attach(durable(alone, "sub"));
        CPPUNIT_ASSERT_EQUAL(std::string("sub"), own.durableName);
        CPPUNIT_ASSERT(!own.shared);
    }

    void sharedSubscriptionsDropTheSuffix() {
        const std::pair<const char*, const char*> rows[] = {
            {"s", "s"}, {"s|global", "s"}, {"s|global2", "s"}, {"s|2", "s"}};
        for (const auto& [name, expected] : rows) {
            AmqpClient c;
            c.open();
            pn_link_t* link = durable(c, name);
            std::string symbols;
            amqp::putSymbols(symbols, {"topic", "shared", "global"});
            amqp::assign(pn_terminus_capabilities(pn_link_source(link)), symbols);
            const auto command = c.attach(link);
            CPPUNIT_ASSERT_EQUAL(std::string(expected), command.durableName);
            CPPUNIT_ASSERT(command.shared);
        }
    }

    void detachKeepsAndCloseDeletesTheSubscription() {
        AmqpClient c;
        c.open();
        pn_link_t* link = durable(c, "sub");
        c.attach(link);
        pn_link_detach(link);
        c.run();
        c.bus.take<Unsubscribe>();
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), c.bus.count<DeleteSubscription>());
        pn_link_free(link);
        link = durable(c, "sub");
        c.attach(link);
        pn_link_close(link);
        c.run();
        c.bus.take<Unsubscribe>();
        const auto command = c.bus.take<DeleteSubscription>();
        CPPUNIT_ASSERT_EQUAL(std::string("client:sub"), command.name);
        CPPUNIT_ASSERT(!c.remotelyClosed(link));
        c.bus.complete(command.request);
        c.run();
        CPPUNIT_ASSERT(c.remotelyClosed(link));
    }

    void volatileSubscriptionsEndWithTheirLink() {
        AmqpClient c;
        c.open();
        pn_link_t* link = c.receiverOf("topic://t", "v");
        std::string symbols;
        amqp::putSymbols(symbols, {"shared"});
        amqp::assign(pn_terminus_capabilities(pn_link_source(link)), symbols);
        CPPUNIT_ASSERT_EQUAL(std::string("v|volatile"), c.attach(link).durableName);
        pn_link_detach(link);
        c.run();
        c.bus.refuse(c.bus.take<DeleteSubscription>().request, ErrorCode::inUse, "another one");
        c.run();
        CPPUNIT_ASSERT(!c.host.closed);
    }

    void linkWithoutASourceUnsubscribes() {
        AmqpClient c;
        c.open();
        pn_link_t* link = unsubscriber(c, "sub|global");
        const auto look = c.bus.take<Browse>();
        CPPUNIT_ASSERT_EQUAL(std::string(".sub"), look.queue);
        Browsed found;
        found.request = look.request;
        c.bus.tell(std::move(found));
        c.run();
        CPPUNIT_ASSERT(c.remotelyOpen(link));
        pn_link_close(link);
        c.run();
        const auto command = c.bus.take<DeleteSubscription>();
        CPPUNIT_ASSERT(command.shared);
        c.bus.complete(command.request);
        c.run();
        CPPUNIT_ASSERT(c.remotelyClosed(link));

        link = unsubscriber(c, "other");
        Browsed missing;
        missing.request = c.bus.take<Browse>().request;
        missing.error = Error{ErrorCode::notFound, "no"};
        c.bus.tell(std::move(missing));
        c.run();
        CPPUNIT_ASSERT_EQUAL(std::string("amqp:not-found"), c.condition(link));
    }

    void browsesByPages() {
        AmqpClient c;
        c.open();
        pn_link_t* link = c.receiverOf("q");
        pn_terminus_set_distribution_mode(pn_link_source(link), PN_DIST_MODE_COPY);
        pn_link_open(link);
        pn_link_flow(link, 150);
        c.run();
        auto look = c.bus.take<Browse>();
        CPPUNIT_ASSERT_EQUAL(std::uint32_t(100), look.max);
        tellPage(c, look, 1, 100, true);
        CPPUNIT_ASSERT_EQUAL(100, pn_link_queued(link));
        look = c.bus.take<Browse>();
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(100), look.after.value);
        CPPUNIT_ASSERT_EQUAL(std::uint32_t(50), look.max);
        tellPage(c, look, 101, 10, false);
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), c.bus.count<Browse>());
        pn_link_drain(link, 0);
        c.run();
        tellPage(c, c.bus.take<Browse>(), 0, 0, false);
        for (int i = 0; i < 110; ++i) CPPUNIT_ASSERT(!c.next(link).empty());
        CPPUNIT_ASSERT(!pn_link_draining(link));
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), c.bus.count<Settle>());
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), c.bus.count<Subscribe>());
    }

    void dynamicSourceIsReadByItsLink() {
        AmqpClient c;
        c.open();
        pn_link_t* link = pn_receiver(c.session, "dynamic");
        pn_terminus_set_dynamic(pn_link_source(link), true);
        std::string symbols;
        amqp::putSymbols(symbols, {"temporary-topic"});
        amqp::assign(pn_terminus_capabilities(pn_link_source(link)), symbols);
        pn_link_open(link);
        c.run();
        const auto made = c.bus.take<MakeTemporary>();
        CPPUNIT_ASSERT(made.destination.kind == DestinationKind::temporaryTopic);
        c.bus.complete(made.request);
        const auto command = c.bus.take<Subscribe>();
        CPPUNIT_ASSERT(command.source == made.destination);
        c.bus.complete(command.request);
        c.run();
        CPPUNIT_ASSERT_EQUAL(
            toUri(made.destination),
            std::string(AmqpClient::view(pn_terminus_get_address(pn_link_remote_source(link)))));
        pn_link_close(link);
        c.run();
        c.bus.complete(c.bus.take<DeleteTemporary>().request);
        c.run();
        CPPUNIT_ASSERT(c.remotelyClosed(link));
        CPPUNIT_ASSERT(c.condition(link).empty());
    }

    void linkPropertiesSayMore() {
        AmqpClient c;
        c.open();
        pn_link_t* link = c.receiverOf("q");
        std::string properties;
        amqp::Compound map(properties, amqp::Compound::Kind::map);
        amqp::putSymbol(properties, "priority");
        amqp::putInt(properties, 7);
        amqp::putSymbol(properties, "exclusive");
        amqp::putBoolean(properties, true);
        amqp::putSymbol(properties, "busbar-exactly-once");
        amqp::putBoolean(properties, true);
        amqp::putSymbol(properties, "busbar-processed");
        amqp::putString(properties, "3,5-7");
        map.end(8);
        amqp::assign(pn_link_properties(link), properties);
        const auto command = c.attach(link);
        CPPUNIT_ASSERT_EQUAL(7, command.priority);
        CPPUNIT_ASSERT(command.exclusive && command.exactlyOnce);
        CPPUNIT_ASSERT_EQUAL(std::size_t(4), command.processed.size());
        pn_link_flow(link, 1);
        c.run();
        c.deliver(command.consumer, "a", 1);
        const std::string bytes = c.next(link);
        amqp::Reader reader(bytes);
        CPPUNIT_ASSERT(reader.next().ok());
        const auto annotations = reader.next();
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(101),
                             annotations->plain().find("x-opt-busbar-stored").bits);
    }

    void deletedQueueEndsItsLinks() {
        AmqpClient c;
        c.open();
        pn_link_t* link = c.receiver("q", 1);
        ConsumerEnded ended;
        ended.consumer = ConsumerId(1);
        ended.error = {ErrorCode::notFound, "queue 'q' was deleted"};
        c.bus.tell(std::move(ended));
        c.run();
        CPPUNIT_ASSERT(c.remotelyClosed(link));
        pn_link_close(link);
        c.run();
        CPPUNIT_ASSERT(!c.host.closed);
    }

    void slowPeerHoldsBackDeliveries() {
        AmqpClient c;
        c.open();
        pn_link_t* link = c.receiver("q", 100);
        c.host.stuck = true;
        c.host.highMark = 1000;
        for (std::uint64_t i = 1; i <= 50; ++i) c.deliver(ConsumerId(1), std::string(100, 'x'), i);
        CPPUNIT_ASSERT(c.host.outputPending() < 3000);
        CPPUNIT_ASSERT(!c.engine->wantsInput());
        c.host.stuck = false;
        c.engine->onOutputDrained();
        c.run();
        CPPUNIT_ASSERT_EQUAL(50, pn_link_queued(link));
    }

    void largeBodiesAreStreamed() {
        AmqpClient c;
        FakeBodies bodies(c.bus.loop);
        c.bus.largeBodies = &bodies;
        c.open();
        pn_link_t* link = c.receiver("q", 5);
        c.bus.take<AddCredit>();
        const std::string content(3'000'000, 'z');
        c.deliver(ConsumerId(1), large(bodies.add(content)), 1, 1);
        c.deliver(ConsumerId(1), "behind", 2);
        CPPUNIT_ASSERT(AmqpClient::view(c.next(link).c_str()).empty() == false ||
                       pn_link_queued(link) == 1);
        const std::string behind = c.next(link);
        CPPUNIT_ASSERT(behind.find("behind") != behind.npos);
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), c.bus.count<Settle>());
    }

    void creditOfALargeBodyIsUsedUpWhileItFlows() {
        AmqpClient c;
        FakeBodies bodies(c.bus.loop);
        c.bus.largeBodies = &bodies;
        c.open();
        pn_link_t* link = c.receiver("q", 1);
        c.bus.take<AddCredit>();
        c.host.stuck = true;
        c.host.highMark = 1000;
        c.deliver(ConsumerId(1), large(bodies.add(std::string(3'000'000, 'z'))), 1, 1);
        pn_link_flow(link, 2);
        c.run();
        CPPUNIT_ASSERT_EQUAL(2, c.bus.take<AddCredit>().credit);
    }

    void unreadableLargeBodyIsRejected() {
        AmqpClient c;
        FakeBodies bodies(c.bus.loop);
        c.bus.largeBodies = &bodies;
        c.open();
        pn_link_t* link = c.receiver("q", 5);
        auto message = large(bodies.add(std::string(3'000'000, 'z')));
        bodies.failure = Error{ErrorCode::storageFailed, "gone"};
        c.deliver(ConsumerId(1), std::move(message), 1, 1);
        CPPUNIT_ASSERT(c.bus.take<Settle>().outcome == Outcome::rejected);
        c.deliver(ConsumerId(1), "next", 2);
        const std::string next = c.next(link);
        CPPUNIT_ASSERT(next.find("next") != next.npos);
    }

  private:
    static pn_link_t* durable(AmqpClient& c, const char* name) {
        pn_link_t* link = c.receiverOf("topic://t", name);
        pn_terminus_set_durability(pn_link_source(link), PN_DELIVERIES);
        pn_terminus_set_expiry_policy(pn_link_source(link), PN_EXPIRE_NEVER);
        return link;
    }
    static pn_link_t* unsubscriber(AmqpClient& c, const char* name) {
        pn_link_t* link = c.receiverOf(nullptr, name);
        pn_terminus_set_type(pn_link_source(link), PN_UNSPECIFIED);
        pn_link_open(link);
        c.run();
        return link;
    }
    static void tellPage(AmqpClient& c, const Browse& look, std::uint64_t first, int count,
                         bool more) {
        Browsed page;
        page.request = look.request;
        page.more = more;
        for (int i = 0; i < count; ++i) {
            auto message = std::make_shared<Message>();
            page.entries.push_back({StoredId(first + static_cast<std::uint64_t>(i)), message});
        }
        c.bus.tell(std::move(page));
        c.run();
    }
    static std::shared_ptr<Message> large(LargeBodyPtr body) {
        auto message = std::make_shared<Message>();
        message->bodyKind = BodyKind::bytes;
        message->large = std::move(body);
        return message;
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(AmqpConsumerTest);
