// Consumers: what they get, what they acknowledge, what becomes of the rest.
#include "tests/adapters/openwire/client.h"

#include <cppunit/extensions/HelperMacros.h>

using namespace busbar;
using namespace busbar::openwire;
using namespace busbar::openwire::test;
using namespace std::string_literals;

class OpenWireConsumeTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(OpenWireConsumeTest);
    CPPUNIT_TEST(consumersSayWhatTheyWant);
    CPPUNIT_TEST(optionsInTheNameCount);
    CPPUNIT_TEST(refusedConsumersAreExceptions);
    CPPUNIT_TEST(whatCannotBeConsumedIsRefused);
    CPPUNIT_TEST(dispatchesSayHowOften);
    CPPUNIT_TEST(standardSettlesTheRangeAndOpensTheWindow);
    CPPUNIT_TEST(deliveredOpensTheWindowOnce);
    CPPUNIT_TEST(eachKindHasItsOutcome);
    CPPUNIT_TEST(suppressedDuplicatesAreDoneWhereTheyCanBe);
    CPPUNIT_TEST(acknowledgementsOfOneReadGoTogether);
    CPPUNIT_TEST(acknowledgementsOfNothing);
    CPPUNIT_TEST(severalSourcesAreOneConsumer);
    CPPUNIT_TEST(oneSourceRefusedRefusesAll);
    CPPUNIT_TEST(pullGivesOneOrSaysThereIsNone);
    CPPUNIT_TEST(pullEndsInTime);
    CPPUNIT_TEST(prefetchComesBackAfterFailover);
    CPPUNIT_TEST(browsesPageByPageWithinItsWindow);
    CPPUNIT_TEST(aConsumerThatGoesReleasesWhatItDidNotSee);
    CPPUNIT_TEST(aLostConnectionDoesToo);
    CPPUNIT_TEST(closedSessionsTakeTheirConsumersAlong);
    CPPUNIT_TEST(deletedQueuesCloseTheirConsumers);
    CPPUNIT_TEST(slowPeersHoldDeliveriesBack);
    CPPUNIT_TEST(whatDoesNotFitIsADeadLetter);
    CPPUNIT_TEST(largeBodiesComeWholeAndInOrder);
    CPPUNIT_TEST_SUITE_END();

    std::unique_ptr<Client> client_;

    Client& login(const Options& options = {}, bool failover = false) {
        client_ = std::make_unique<Client>(options);
        client_->login(failover);
        client_->read();
        return *client_;
    }
    busbar::ConsumerId holding(Client& client, std::uint64_t count) {
        const auto consumer = client.subscribe();
        for (std::uint64_t id = 1; id <= count; ++id) client.deliver(consumer, id);
        client.read();
        return consumer;
    }
    static std::string ids(const std::vector<DeliveryId>& deliveries) {
        std::string all;
        for (const auto id : deliveries) all += std::to_string(id.value - 1000) + " ";
        return all;
    }
    RemoveInfo removal(std::int64_t last) {
        RemoveInfo remove;
        remove.objectId = makeRef(Client::consumerId(1));
        remove.lastDeliveredSequenceId = last;
        return remove;
    }

  public:
    void consumersSayWhatTheyWant() {
        Client& client = login();
        auto info = client.consumerInfo("t", 1, 101);
        info.selector = "a = 1";
        info.subscriptionName = "s";
        info.noLocal = info.exclusive = true;
        info.priority = 7;
        const auto id = client.send(info);
        const auto command = client.bus.take<Subscribe>();
        CPPUNIT_ASSERT(command.source == Destination::topic("t"));
        CPPUNIT_ASSERT_EQUAL(std::uint32_t(10), command.credit);
        CPPUNIT_ASSERT(!command.windowed && command.noLocal && command.exclusive);
        CPPUNIT_ASSERT_EQUAL("a = 1"s, command.selector);
        CPPUNIT_ASSERT_EQUAL("s"s, command.durableName);
        CPPUNIT_ASSERT_EQUAL(std::int32_t(7), command.priority);
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), client.read().size());
        client.bus.complete(command.request);
        CPPUNIT_ASSERT(client.answered(id));
    }

    void optionsInTheNameCount() {
        Client& client = login();
        client.send(client.consumerInfo("a?consumer.exclusive=true&consumer.prefetchSize=3"));
        const auto command = client.bus.take<Subscribe>();
        CPPUNIT_ASSERT(command.exclusive && command.source == Destination::queue("a"));
        CPPUNIT_ASSERT_EQUAL(std::uint32_t(3), command.credit);
    }

    void refusedConsumersAreExceptions() {
        Client& client = login();
        auto info = client.consumerInfo("a");
        info.selector = "a = =";
        auto id = client.send(info);
        client.bus.refuse(client.bus.take<Subscribe>().request, ErrorCode::invalidArgument, "bad");
        CPPUNIT_ASSERT(client.refused(id).starts_with("javax.jms.InvalidSelectorException"));
        client.subscribe("a");  // its id is free again
        id = client.send(client.consumerInfo("a"));
        CPPUNIT_ASSERT(client.refused(id).find("already-exists") != std::string::npos);
    }

    void whatCannotBeConsumedIsRefused() {
        Client& client = login(Options{.consumersMax = 1});
        for (const auto* name : {"a.>", "", "temp-queue://c2:1"})
            CPPUNIT_ASSERT(client.refused(client.send(client.consumerInfo(name))) != "not refused");
        auto info = client.consumerInfo("t", 1, 101);
        info.browser = true;
        CPPUNIT_ASSERT(client.refused(client.send(info)) != "not refused");
        info = client.consumerInfo("t,u", 1, 101);
        info.subscriptionName = "s";
        CPPUNIT_ASSERT(client.refused(client.send(info)) != "not refused");
        client.subscribe();
        CPPUNIT_ASSERT(client.refused(client.send(client.consumerInfo("b", 2)))
                           .starts_with("javax.jms.ResourceAllocationException"));
    }

    void dispatchesSayHowOften() {
        Client& client = login();
        const auto consumer = client.subscribe();
        client.deliver(consumer, 5, 3);
        const auto all = client.read();
        const auto* dispatch = Client::find<MessageDispatch>(all);
        CPPUNIT_ASSERT(*dispatch->consumerId == Client::consumerId(1));
        CPPUNIT_ASSERT_EQUAL(std::int32_t(2), dispatch->redeliveryCounter);
        CPPUNIT_ASSERT_EQUAL(std::int32_t(2), dispatch->message->redeliveryCounter);
        CPPUNIT_ASSERT_EQUAL(std::int64_t(5), dispatch->message->messageId->brokerSequenceId);
        CPPUNIT_ASSERT_EQUAL("ID:other-5"s, toText(*dispatch->message->messageId));
        CPPUNIT_ASSERT_EQUAL("a"s, *dispatch->destination->physicalName);
    }

    void standardSettlesTheRangeAndOpensTheWindow() {
        Client& client = login();
        const auto consumer = holding(client, 5);
        client.send(client.ack(MessageAck::kStandard, 2, 4, 3), false);
        const auto settle = client.bus.take<Settle>();
        CPPUNIT_ASSERT_EQUAL("2 3 4 "s, ids(settle.deliveries));
        CPPUNIT_ASSERT(settle.outcome == Outcome::accepted && !settle.request);
        const auto credit = client.bus.take<AddCredit>();
        CPPUNIT_ASSERT(credit.consumer == consumer);
        CPPUNIT_ASSERT_EQUAL(std::int32_t(3), credit.credit);
        const auto id = client.send(client.ack(MessageAck::kStandard, 0, 5, 2), true);
        const auto rest = client.bus.take<Settle>();
        CPPUNIT_ASSERT_EQUAL("1 5 "s, ids(rest.deliveries));
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), client.read().size());
        client.bus.complete(rest.request);
        CPPUNIT_ASSERT(client.answered(id));
    }

    void deliveredOpensTheWindowOnce() {
        Client& client = login();
        holding(client, 4);
        client.send(client.ack(MessageAck::kDelivered, 1, 3, 3), false);
        CPPUNIT_ASSERT_EQUAL(std::int32_t(3), client.bus.take<AddCredit>().credit);
        client.send(client.ack(MessageAck::kDelivered, 1, 3, 3), false);
        client.send(client.ack(MessageAck::kRedelivered, 1, 4, 4), false);
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), client.bus.commands.size());
        client.send(client.ack(MessageAck::kStandard, 1, 4, 4), false);
        CPPUNIT_ASSERT_EQUAL("1 2 3 4 "s, ids(client.bus.take<Settle>().deliveries));
        CPPUNIT_ASSERT_EQUAL(std::int32_t(1), client.bus.take<AddCredit>().credit);
    }

    void eachKindHasItsOutcome() {
        Client& client = login();
        holding(client, 6);
        client.send(client.ack(MessageAck::kIndividual, 1, 2), false);
        CPPUNIT_ASSERT_EQUAL("2 "s, ids(client.bus.take<Settle>().deliveries));
        client.send(client.ack(MessageAck::kExpired, 3, 3), false);
        auto settle = client.bus.take<Settle>();
        CPPUNIT_ASSERT(settle.outcome == Outcome::expired);
        CPPUNIT_ASSERT_EQUAL("3 "s, ids(settle.deliveries));
        auto poison = client.ack(MessageAck::kPoison, 4, 5, 2);
        Throwable cause;
        cause.message = "seven times";
        poison.poisonCause = makeRef(std::move(cause));
        client.send(poison, false);
        settle = client.bus.take<Settle>();
        CPPUNIT_ASSERT(settle.outcome == Outcome::rejected);
        CPPUNIT_ASSERT_EQUAL("4 5 "s, ids(settle.deliveries));
        CPPUNIT_ASSERT_EQUAL("seven times"s, settle.reason);
        client.send(client.ack(MessageAck::kUnmatched, 6, 6), false);
        CPPUNIT_ASSERT(client.bus.take<Settle>().outcome == Outcome::accepted);
    }

    void suppressedDuplicatesAreDoneWhereTheyCanBe() {
        Throwable cause;
        cause.message = "Suppressing duplicate delivery on connection, consumer c1:1:1";
        for (const bool before : {true, false}) {
            Client& client = login();
            const auto consumer = client.subscribe();
            client.deliver(consumer, 1, before ? 2 : 1);
            auto poison = client.ack(MessageAck::kPoison, 1, 1);
            poison.poisonCause = makeRef(cause);
            client.send(poison, false);
            const auto outcome = before ? Outcome::accepted : Outcome::rejected;
            CPPUNIT_ASSERT(client.bus.take<Settle>().outcome == outcome);
        }
        Client& client = login({}, true);  // it may have had it from the bus before a restart
        client.deliver(client.subscribe(), 1);
        auto poison = client.ack(MessageAck::kPoison, 1, 1);
        poison.poisonCause = makeRef(cause);
        client.send(poison, false);
        CPPUNIT_ASSERT(client.bus.take<Settle>().outcome == Outcome::accepted);
    }

    void acknowledgementsOfOneReadGoTogether() {
        Client& client = login();
        holding(client, 9);
        std::string bytes;
        for (std::int64_t id = 1; id <= 9; ++id)
            bytes += client.bytes(client.ack(MessageAck::kStandard, id, id));
        client.engine->receive(bytes);
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), client.bus.count<Settle>());
        CPPUNIT_ASSERT_EQUAL(std::size_t(9), client.bus.take<Settle>().deliveries.size());
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), client.bus.count<AddCredit>());
    }

    void acknowledgementsOfNothing() {
        Client& client = login();
        holding(client, 1);
        client.send(client.ack(MessageAck::kStandard, 7, 7), false);
        client.send(client.ack(MessageAck::kStandard, 1, 1, 1, 55), false);
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), client.read().size());
        const auto id = client.send(client.ack(MessageAck::kStandard, 7, 7), true);
        CPPUNIT_ASSERT(client.refused(id).starts_with("javax.jms.IllegalStateException"));
        auto nameless = client.ack(MessageAck::kStandard, 1, 1);
        nameless.lastMessageId = nullptr;
        client.send(nameless, false);
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), client.bus.commands.size());
    }

    void severalSourcesAreOneConsumer() {
        Client& client = login();
        const auto id = client.send(client.consumerInfo("a,topic://b"));
        const auto first = client.bus.take<Subscribe>(), second = client.bus.take<Subscribe>();
        client.bus.complete(first.request);
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), client.read().size());
        client.bus.complete(second.request);
        CPPUNIT_ASSERT(client.answered(id));
        client.deliver(first.consumer, 1);
        client.deliver(second.consumer, 2);
        client.send(client.ack(MessageAck::kStandard, 1, 2, 2), false);
        CPPUNIT_ASSERT_EQUAL("1 2 "s, ids(client.bus.take<Settle>().deliveries));
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), client.bus.count<AddCredit>());
        client.send(removal(-1), false);
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), client.bus.count<Unsubscribe>());
    }

    void oneSourceRefusedRefusesAll() {
        Client& client = login();
        const auto id = client.send(client.consumerInfo("a,b"));
        const auto first = client.bus.take<Subscribe>(), second = client.bus.take<Subscribe>();
        client.bus.refuse(first.request, ErrorCode::limitReached, "too many");
        client.bus.complete(second.request);
        CPPUNIT_ASSERT(client.refused(id).find("too many") != std::string::npos);
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), client.bus.count<Unsubscribe>());
    }

    static MessagePull pullFor(std::int64_t timeout) {
        MessagePull pull;
        pull.consumerId = makeRef(Client::consumerId(1));
        pull.timeout = timeout;
        return pull;
    }
    static bool saysNothing(const std::vector<Structure>& all) {
        const auto* dispatch = Client::find<MessageDispatch>(all);
        return dispatch && !dispatch->message;
    }

    void pullGivesOneOrSaysThereIsNone() {
        Client& client = login();
        auto info = client.consumerInfo("a");
        info.prefetchSize = 0;
        const auto consumer = client.subscribe(info);
        client.send(pullFor(0), false);
        CPPUNIT_ASSERT_EQUAL(std::int32_t(1), client.bus.take<AddCredit>().credit);
        client.send(pullFor(0), false);  // again, after a failover: the same one
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), client.bus.commands.size());
        client.deliver(consumer, 1);
        CPPUNIT_ASSERT(!saysNothing(client.read()));
        client.send(client.ack(MessageAck::kStandard, 1, 1), false);
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), client.bus.count<AddCredit>());
        client.send(pullFor(-1), false);
        CPPUNIT_ASSERT_EQUAL(std::int32_t(1), client.bus.take<AddCredit>().credit);
        const auto drain = client.bus.take<AddCredit>();
        CPPUNIT_ASSERT(drain.drain && drain.credit == 0);
        client.bus.complete(drain.request);
        CPPUNIT_ASSERT(saysNothing(client.read()));
    }

    void pullEndsInTime() {
        Client& client = login();
        auto info = client.consumerInfo("a");
        info.prefetchSize = 0;
        const auto consumer = client.subscribe(info);
        client.send(pullFor(500), false);
        client.bus.take<AddCredit>();
        CPPUNIT_ASSERT(client.host.wake - client.host.now().steady == Milliseconds(500));
        client.bus.time.advance(Milliseconds(500));
        client.engine->onTick();
        auto drain = client.bus.take<AddCredit>();
        client.deliver(consumer, 1);  // at the last moment
        client.bus.complete(drain.request);
        CPPUNIT_ASSERT(!saysNothing(client.read()));
        client.send(pullFor(500), false);
        client.bus.take<AddCredit>();
        client.bus.time.advance(Milliseconds(500));
        client.engine->onTick();
        client.bus.complete(client.bus.take<AddCredit>().request);
        CPPUNIT_ASSERT(saysNothing(client.read()));
    }

    void prefetchComesBackAfterFailover() {
        Client& client = login({}, true);
        auto info = client.consumerInfo("a");
        info.prefetchSize = 0;
        client.subscribe(info);
        ConsumerControl control;
        control.consumerId = makeRef(Client::consumerId(1));
        control.prefetch = 1000;
        client.send(control, false);
        CPPUNIT_ASSERT_EQUAL(std::int32_t(1000), client.bus.take<AddCredit>().credit);
        control.prefetch = 10;
        client.send(control, false);
        CPPUNIT_ASSERT_EQUAL(std::int32_t(-990), client.bus.take<AddCredit>().credit);
    }

    void browsesPageByPageWithinItsWindow() {
        Client& client = login();
        auto info = client.consumerInfo("a");
        info.browser = true;
        info.prefetchSize = 2;
        info.selector = "n > 1";
        client.send(info);
        auto page = client.bus.take<Browse>();
        CPPUNIT_ASSERT_EQUAL(std::uint32_t(2), page.max);
        CPPUNIT_ASSERT_EQUAL("n > 1"s, page.selector);
        Browsed effect;
        effect.request = page.request;
        for (std::uint64_t id = 1; id <= 2; ++id)
            effect.entries.push_back({StoredId(id), Client::message(id), 0, false, {}});
        effect.more = true;
        client.bus.tell(effect);
        CPPUNIT_ASSERT_EQUAL(std::size_t(3), client.read().size());        // the answer first
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), client.bus.commands.size());  // no room
        client.send(client.ack(MessageAck::kStandard, 1, 1), false);
        page = client.bus.take<Browse>();
        CPPUNIT_ASSERT(page.after == StoredId(2));
        CPPUNIT_ASSERT_EQUAL(std::uint32_t(1), page.max);
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), client.bus.count<Settle>());
        Browsed last;
        last.request = page.request;
        client.bus.tell(last);
        CPPUNIT_ASSERT(saysNothing(client.read()));
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), client.bus.commands.size());
    }

    void aConsumerThatGoesReleasesWhatItDidNotSee() {
        Client& client = login();
        const auto consumer = holding(client, 5);
        const auto id = client.send(removal(2));  // saw two of them
        CPPUNIT_ASSERT(client.bus.take<AddCredit>().credit < -1000);
        const auto settle = client.bus.take<Settle>();
        CPPUNIT_ASSERT_EQUAL("3 4 5 "s, ids(settle.deliveries));
        CPPUNIT_ASSERT(settle.outcome == Outcome::released);
        const auto ends = client.bus.take<Unsubscribe>();
        CPPUNIT_ASSERT(ends.consumer == consumer);
        client.bus.complete(ends.request);
        CPPUNIT_ASSERT(client.answered(id));
        client.deliver(consumer, 6);  // on its way when the consumer went
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), client.read().size());
    }

    void aLostConnectionDoesToo() {
        Client& client = login();
        holding(client, 5);
        client.send(client.ack(MessageAck::kDelivered, 1, 2, 2), false);
        client.bus.commands.clear();
        client.engine->onDisconnect();  // in the middle of the third
        CPPUNIT_ASSERT_EQUAL("4 5 "s, ids(client.bus.take<Settle>().deliveries));
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), client.bus.closed.size());
    }

    void closedSessionsTakeTheirConsumersAlong() {
        Client& client = login();
        client.subscribe("a", 1);
        client.subscribe("b", 2);
        auto other = client.consumerInfo("c");
        other.consumerId = makeRef(openwire::ConsumerId{"c1", 2, 1});
        client.subscribe(other);
        RemoveInfo remove;
        remove.objectId = makeRef(openwire::SessionId{"c1", 1});
        client.send(remove, false);
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), client.bus.count<Unsubscribe>());
    }

    void deletedQueuesCloseTheirConsumers() {
        Client& client = login();
        const auto consumer = client.subscribe();
        client.bus.tell(ConsumerEnded{{}, consumer, {ErrorCode::notFound, "deleted"}});
        const auto all = client.read();
        CPPUNIT_ASSERT(Client::find<ConsumerControl>(all)->close);
        CPPUNIT_ASSERT(!client.host.closed);
    }

    void slowPeersHoldDeliveriesBack() {
        Client& client = login();
        const auto consumer = client.subscribe();
        client.host.highMark = 10;
        client.host.stuck = true;
        for (std::uint64_t id = 1; id <= 3; ++id) client.deliver(consumer, id);
        CPPUNIT_ASSERT(!client.engine->wantsInput());
        const std::size_t one = client.host.outputPending();
        client.deliver(consumer, 4);
        CPPUNIT_ASSERT_EQUAL(one, client.host.outputPending());
        client.host.stuck = false;
        client.host.flush();
        client.engine->onOutputDrained();
        CPPUNIT_ASSERT_EQUAL(std::size_t(4), client.read().size());
    }

    void whatDoesNotFitIsADeadLetter() {
        client_ = std::make_unique<Client>(Options{.frameBytesMax = 20'000});
        Client& client = *client_;
        client.login();
        client.read();
        const auto consumer = client.subscribe();
        auto huge = Client::message(1);
        huge->body = Buffer::of(std::string(20'000, 'x'));
        client.deliver(consumer, 1, 1, huge);
        client.deliver(consumer, 2);
        const auto settle = client.bus.take<Settle>();
        CPPUNIT_ASSERT(settle.outcome == Outcome::rejected);
        CPPUNIT_ASSERT_EQUAL("1 "s, ids(settle.deliveries));
        CPPUNIT_ASSERT_EQUAL(std::int32_t(1), client.bus.take<AddCredit>().credit);
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), client.read().size());
    }

    void largeBodiesComeWholeAndInOrder() {
        Client& client = login();
        busbar::test::FakeBodies bodies(client.bus.loop);
        client.bus.largeBodies = &bodies;
        const auto consumer = client.subscribe();
        auto large = Client::message(1);
        large->bodyKind = BodyKind::bytes;
        large->body = Buffer();
        large->large = bodies.add(std::string(600'000, 'x'));
        client.deliver(consumer, 1, 1, large);
        client.deliver(consumer, 2);
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), client.read().size());
        client.bus.loop.run();
        const auto all = client.read();
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), all.size());
        CPPUNIT_ASSERT_EQUAL(std::size_t(600'000),
                             all[0].as<MessageDispatch>()->message->content->size());
        bodies.failure = Error{ErrorCode::storageCorrupt, "damaged"};
        client.deliver(consumer, 3, 1, large);
        client.bus.loop.run();
        CPPUNIT_ASSERT(client.bus.take<Settle>().outcome == Outcome::rejected);
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(OpenWireConsumeTest);
