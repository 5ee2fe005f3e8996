#include "tests/adapters/amqp/amqp_client.h"

#include <cppunit/extensions/HelperMacros.h>

using namespace busbar;
using namespace busbar::test;

class AmqpProducerTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(AmqpProducerTest);
    CPPUNIT_TEST(acceptsWhenTheBusHasIt);
    CPPUNIT_TEST(rejectsWithTheReason);
    CPPUNIT_TEST(settledTransfersAreSentToo);
    CPPUNIT_TEST(creditFollowsTheAnswers);
    CPPUNIT_TEST(blockedProducersGetNoCredit);
    CPPUNIT_TEST(messagesOfManyFramesAreOne);
    CPPUNIT_TEST(tooLargeMessagesEndTheLink);
    CPPUNIT_TEST(abortedTransfersAreForgotten);
    CPPUNIT_TEST(addressesNameQueuesAndTopics);
    CPPUNIT_TEST(relayTakesTheAddressOfTheMessage);
    CPPUNIT_TEST(malformedMessagesAreRejected);
    CPPUNIT_TEST(dynamicTargetIsATemporaryQueue);
    CPPUNIT_TEST(dedupByMessageIdWhereTheLinkAsks);
    CPPUNIT_TEST(answersAfterTheLinkIsGoneAreHarmless);
    CPPUNIT_TEST(largeBodiesGoToTheStoreFirst);
    CPPUNIT_TEST(largeBodiesArriveInPieces);
    CPPUNIT_TEST(oneLargeBodyMayComeAsManySections);
    CPPUNIT_TEST(slowDiskHoldsALargeBody);
    CPPUNIT_TEST(halfALargeBodyIsNothing);
    CPPUNIT_TEST(largeBodiesAreBounded);
    CPPUNIT_TEST(largeTextThatIsNoneIsRejected);
    CPPUNIT_TEST(manyHalfMessagesAreBounded);
    CPPUNIT_TEST(failedStoreRejectsALargeBody);
    CPPUNIT_TEST(endOfTheSessionEndsItsLinks);
    CPPUNIT_TEST_SUITE_END();

  public:
    void acceptsWhenTheBusHasIt() {
        AmqpClient c;
        c.open();
        pn_link_t* link = c.sender("orders");
        pn_delivery_t* delivery = c.send(link, AmqpClient::text("hello"));
        const auto command = c.bus.take<Send>();
        CPPUNIT_ASSERT(command.message->destination == Destination::queue("orders"));
        CPPUNIT_ASSERT_EQUAL(std::string("hello"), std::string(command.message->body.view()));
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(0), pn_delivery_remote_state(delivery));
        c.bus.complete(command.request);
        c.run();
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(PN_ACCEPTED), pn_delivery_remote_state(delivery));
        CPPUNIT_ASSERT(pn_delivery_settled(delivery));
    }

    void rejectsWithTheReason() {
        const std::pair<ErrorCode, const char*> rows[] = {
            {ErrorCode::limitReached, "amqp:resource-limit-exceeded"},
            {ErrorCode::notAuthorized, "amqp:unauthorized-access"},
            {ErrorCode::notFound, "amqp:not-found"},
            {ErrorCode::storageFull, "amqp:resource-limit-exceeded"},
            {ErrorCode::internal, "amqp:internal-error"}};
        AmqpClient c;
        c.open();
        pn_link_t* link = c.sender("q");
        for (const auto& [code, condition] : rows) {
            pn_delivery_t* delivery = c.send(link, AmqpClient::text("x"));
            c.bus.refuse(c.bus.take<Send>().request, code, "why");
            c.run();
            CPPUNIT_ASSERT_EQUAL(std::uint64_t(PN_REJECTED), pn_delivery_remote_state(delivery));
            CPPUNIT_ASSERT_EQUAL(std::string(condition), c.condition(delivery));
        }
        CPPUNIT_ASSERT(!c.remotelyClosed(link));
    }

    void settledTransfersAreSentToo() {
        AmqpClient c;
        c.open();
        c.send(c.sender("q"), AmqpClient::text("x"), true);
        c.bus.complete(c.bus.take<Send>().request);
        c.run();
        CPPUNIT_ASSERT(!c.host.closed);
    }

    void creditFollowsTheAnswers() {
        amqp::Options options;
        options.producerCredit = 4;
        AmqpClient c(options);
        c.open();
        pn_link_t* link = c.sender("q");
        CPPUNIT_ASSERT_EQUAL(4, pn_link_credit(link));
        for (int i = 0; i < 4; ++i) c.send(link, AmqpClient::text("x"));
        CPPUNIT_ASSERT_EQUAL(0, pn_link_credit(link));
        c.bus.complete(c.bus.take<Send>().request);
        c.bus.complete(c.bus.take<Send>().request);
        c.run();
        CPPUNIT_ASSERT_EQUAL(2, pn_link_credit(link));
    }

    void blockedProducersGetNoCredit() {
        amqp::Options options;
        options.producerCredit = 2;
        AmqpClient c(options);
        c.open();
        pn_link_t* link = c.sender("q");
        ProducerBlocked blocked;
        blocked.blocked = true;
        c.bus.tell(blocked);
        c.send(link, AmqpClient::text("x"));
        c.bus.complete(c.bus.take<Send>().request);
        c.run();
        CPPUNIT_ASSERT_EQUAL(1, pn_link_credit(link));
        blocked.blocked = false;
        c.bus.tell(blocked);
        c.run();
        CPPUNIT_ASSERT_EQUAL(2, pn_link_credit(link));
    }

    void messagesOfManyFramesAreOne() {
        AmqpClient c;
        c.open();
        const std::string body(1'000'000, 'x');
        c.send(c.sender("q"), AmqpClient::text(body));
        CPPUNIT_ASSERT_EQUAL(body.size(), c.bus.take<Send>().message->body.size());
    }

    void tooLargeMessagesEndTheLink() {
        amqp::Options options;
        options.messageBytesMax = 100'000;
        AmqpClient c(options);
        c.open();
        pn_link_t* link = c.sender("q");
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(100'000), pn_link_remote_max_message_size(link));
        c.send(link, AmqpClient::text(std::string(8'000'000, 'x')));
        CPPUNIT_ASSERT(c.remotelyClosed(link));
        CPPUNIT_ASSERT_EQUAL(std::string("amqp:link:message-size-exceeded"), c.condition(link));
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), c.bus.count<Send>());
        pn_link_close(link);
        c.run();
        // What still came did no harm.
        c.send(c.sender("q", "next"), AmqpClient::text("small"));
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), c.bus.count<Send>());
    }

    void abortedTransfersAreForgotten() {
        AmqpClient c;
        c.open();
        pn_link_t* link = c.sender("q");
        pn_delivery_t* delivery = pn_delivery(link, pn_dtag("a", 1));
        const std::string half(200'000, 'x');
        pn_link_send(link, half.data(), half.size());
        c.run();
        pn_delivery_abort(delivery);
        c.run();
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), c.bus.count<Send>());
        c.send(link, AmqpClient::text("next"));
        CPPUNIT_ASSERT_EQUAL(std::size_t(4), c.bus.take<Send>().message->body.size());
    }

    void addressesNameQueuesAndTopics() {
        const std::pair<const char*, Destination> rows[] = {
            {"a.b", Destination::queue("a.b")},
            {"queue://a", Destination::queue("a")},
            {"/queue/a", Destination::queue("a")},
            {"topic://a", Destination::topic("a")},
            {"/topic/a b", Destination::topic("a b")},
            {"temp-queue://tq.1", {DestinationKind::temporaryQueue, "tq.1"}}};
        AmqpClient c;
        c.open();
        for (const auto& [address, expected] : rows) {
            c.send(c.sender(address, address), AmqpClient::text("x"));
            CPPUNIT_ASSERT(c.bus.take<Send>().message->destination == expected);
        }
        pn_link_t* link = pn_sender(c.session, "capable");
        pn_terminus_set_address(pn_link_target(link), "a");
        std::string symbols;
        amqp::putSymbols(symbols, {"topic"});
        amqp::assign(pn_terminus_capabilities(pn_link_target(link)), symbols);
        pn_link_open(link);
        c.run();
        c.send(link, AmqpClient::text("x"));
        CPPUNIT_ASSERT(c.bus.take<Send>().message->destination == Destination::topic("a"));
        CPPUNIT_ASSERT(c.remotelyClosed(c.sender("a\nb", "bad")));
    }

    void relayTakesTheAddressOfTheMessage() {
        AmqpClient c;
        c.open();
        pn_link_t* link = c.sender(nullptr);
        std::string message;
        amqp::putDescriptor(message, 0x73);
        amqp::Compound properties(message, amqp::Compound::Kind::list);
        amqp::putNull(message);
        amqp::putNull(message);
        amqp::putString(message, "topic://news");
        properties.end(3);
        c.send(link, message + AmqpClient::text("x"));
        CPPUNIT_ASSERT(c.bus.take<Send>().message->destination == Destination::topic("news"));
        pn_delivery_t* nowhere = c.send(link, AmqpClient::text("x"));
        CPPUNIT_ASSERT_EQUAL(std::string("amqp:invalid-field"), c.condition(nowhere));
    }

    void malformedMessagesAreRejected() {
        AmqpClient c;
        c.open();
        pn_delivery_t* delivery = c.send(c.sender("q"), "this is no message");
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(PN_REJECTED), pn_delivery_remote_state(delivery));
        CPPUNIT_ASSERT_EQUAL(std::string("amqp:decode-error"), c.condition(delivery));
    }

    void dynamicTargetIsATemporaryQueue() {
        AmqpClient c;
        c.open();
        pn_link_t* link = pn_sender(c.session, "temp");
        pn_terminus_set_dynamic(pn_link_target(link), true);
        pn_link_open(link);
        c.run();
        const auto made = c.bus.take<MakeTemporary>();
        CPPUNIT_ASSERT(made.destination.kind == DestinationKind::temporaryQueue);
        c.bus.complete(made.request);
        c.run();
        const std::string address(
            AmqpClient::view(pn_terminus_get_address(pn_link_remote_target(link))));
        CPPUNIT_ASSERT_EQUAL("temp-queue://" + made.destination.name, address);
        c.send(link, AmqpClient::text("x"));
        CPPUNIT_ASSERT(c.bus.take<Send>().message->destination == made.destination);
        pn_link_close(link);
        c.run();
        const auto gone = c.bus.take<DeleteTemporary>();
        CPPUNIT_ASSERT(gone.destination == made.destination);
        CPPUNIT_ASSERT(!c.remotelyClosed(link));
        c.bus.refuse(gone.request, ErrorCode::inUse, "has a consumer");
        c.run();
        CPPUNIT_ASSERT(c.remotelyClosed(link));
        CPPUNIT_ASSERT_EQUAL(std::string("amqp:resource-locked"), c.condition(link));
    }

    void dedupByMessageIdWhereTheLinkAsks() {
        AmqpClient c;
        c.open();
        std::string message;
        amqp::putDescriptor(message, 0x73);
        amqp::Compound properties(message, amqp::Compound::Kind::list);
        amqp::putString(message, "id-1");
        properties.end(1);
        message += AmqpClient::text("x");
        c.send(c.sender("q"), message);
        CPPUNIT_ASSERT_EQUAL(std::string(), c.bus.take<Send>().message->dedupId);
        pn_link_t* link = pn_sender(c.session, "dedup");
        pn_terminus_set_address(pn_link_target(link), "q");
        std::string asked;
        amqp::Compound map(asked, amqp::Compound::Kind::map);
        amqp::putSymbol(asked, "busbar-dedup");
        amqp::putString(asked, "message-id");
        map.end(2);
        amqp::assign(pn_link_properties(link), asked);
        pn_link_open(link);
        c.run();
        c.send(link, message);
        CPPUNIT_ASSERT_EQUAL(std::string("id-1"), c.bus.take<Send>().message->dedupId);
    }

    void answersAfterTheLinkIsGoneAreHarmless() {
        AmqpClient c;
        c.open();
        pn_link_t* link = c.sender("q");
        c.send(link, AmqpClient::text("x"));
        pn_link_close(link);
        c.run();
        CPPUNIT_ASSERT(c.remotelyClosed(link));
        c.bus.complete(c.bus.take<Send>().request);
        c.run();
        CPPUNIT_ASSERT(!c.host.closed);
    }

    void largeBodiesGoToTheStoreFirst() {
        AmqpClient c;
        FakeBodies bodies(c.bus.loop);
        c.bus.largeBodies = &bodies;
        c.open();
        pn_link_t* link = c.sender("q");
        const std::string body(5u << 20, 'x');
        pn_delivery_t* large = pn_delivery(link, pn_dtag("l", 1));
        const std::string bytes = AmqpClient::text(body);
        pn_link_send(link, bytes.data(), bytes.size());
        pn_link_advance(link);
        c.send(link, AmqpClient::text("behind"));
        const auto first = c.bus.take<Send>();
        CPPUNIT_ASSERT(first.message->large && first.message->body.empty());
        CPPUNIT_ASSERT(bodies.contents[first.message->large->id] == body);
        CPPUNIT_ASSERT(first.message->bodyKind == BodyKind::text);
        CPPUNIT_ASSERT_EQUAL(std::string("behind"),
                             std::string(c.bus.take<Send>().message->body.view()));
        c.bus.complete(first.request);
        c.run();
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(PN_ACCEPTED), pn_delivery_remote_state(large));
    }

    void largeBodiesArriveInPieces() {
        AmqpClient c;
        FakeBodies bodies(c.bus.loop);
        c.bus.largeBodies = &bodies;
        c.open();
        pn_link_t* link = c.sender("q");
        CPPUNIT_ASSERT_EQUAL((2ull << 30) + (1u << 20),
                             pn_link_remote_max_message_size(link) + 0ull);
        const std::string bytes = AmqpClient::text(std::string(80u << 20, 'x'));
        pn_delivery_t* large = pn_delivery(link, pn_dtag("l", 1));
        std::string_view rest = bytes;
        while (rest.size() > (1u << 20)) {
            pn_link_send(link, rest.data(), 1u << 20);
            rest.remove_prefix(1u << 20);
            c.run();
        }
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), c.bus.count<Send>());
        CPPUNIT_ASSERT(bodies.contents.at(1).size() > (78u << 20));
        pn_link_send(link, rest.data(), rest.size());
        pn_link_advance(link);
        c.run();
        const auto sent = c.bus.take<Send>();
        CPPUNIT_ASSERT(bodies.contents[sent.message->large->id] == std::string(80u << 20, 'x'));
        c.bus.complete(sent.request);
        c.run();
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(PN_ACCEPTED), pn_delivery_remote_state(large));
    }

    static std::string section(char code, std::string_view body) {
        std::string out;
        amqp::putDescriptor(out, static_cast<std::uint8_t>(code));
        amqp::putBinary(out, body);
        return out;
    }

    void oneLargeBodyMayComeAsManySections() {
        AmqpClient c;
        FakeBodies bodies(c.bus.loop);
        c.bus.largeBodies = &bodies;
        c.open();
        std::string bytes;
        for (int i = 0; i < 9; ++i)
            bytes += section('\x75', std::string(1'000'000, static_cast<char>('a' + i)));
        amqp::putDescriptor(bytes, 0x78);
        amqp::Compound footer(bytes, amqp::Compound::Kind::map);
        amqp::putSymbol(bytes, "end");
        amqp::putBoolean(bytes, true);
        footer.end(2);
        c.send(c.sender("q"), bytes);
        const auto sent = c.bus.take<Send>();
        const std::string& body = bodies.contents[sent.message->large->id];
        CPPUNIT_ASSERT_EQUAL(std::size_t(9'000'000), body.size());
        CPPUNIT_ASSERT_EQUAL('i', body.back());
        CPPUNIT_ASSERT(sent.message->properties.find("JMS_AMQP_FT_end"));
        CPPUNIT_ASSERT(sent.message->bodyKind == BodyKind::bytes);
    }

    /// Gives the engine what the client has to say, as long as it takes it and nobody works at the
    /// store.
    static std::size_t giveWhatIsTaken(AmqpClient& c) {
        std::size_t given = 0;
        while (c.engine->wantsInput()) {
            const pn_bytes_t bytes = pn_connection_driver_write_buffer(c.driver.get());
            if (bytes.size == 0) break;
            const std::string copy(bytes.start, bytes.size);
            pn_connection_driver_write_done(c.driver.get(), bytes.size);
            c.engine->receive(copy);
            given += copy.size();
        }
        return given;
    }

    void slowDiskHoldsALargeBody() {
        AmqpClient c;
        FakeBodies bodies(c.bus.loop);
        c.bus.largeBodies = &bodies;
        c.open();
        pn_link_t* link = c.sender("q");
        const std::string bytes = section('\x75', std::string(20u << 20, 'x'));
        pn_delivery(link, pn_dtag("l", 1));
        pn_link_send(link, bytes.data(), bytes.size());
        pn_link_advance(link);
        CPPUNIT_ASSERT(giveWhatIsTaken(c) < (2u << 20));
        CPPUNIT_ASSERT(!c.engine->wantsInput());
        c.bus.loop.run();
        CPPUNIT_ASSERT(c.engine->wantsInput());
        c.run();
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(20u << 20), c.bus.take<Send>().message->large->size);
    }

    void halfALargeBodyIsNothing() {
        for (const char* how : {"abort", "detach", "end", "disconnect"}) {
            AmqpClient c;
            FakeBodies bodies(c.bus.loop);
            c.bus.largeBodies = &bodies;
            c.open();
            pn_link_t* link = c.sender("q");
            pn_delivery_t* delivery = pn_delivery(link, pn_dtag("l", 1));
            const std::string bytes = section('\x75', std::string(9u << 20, 'x'));
            pn_link_send(link, bytes.data(), 6u << 20);
            c.run();
            CPPUNIT_ASSERT_EQUAL(std::size_t(1), bodies.contents.size());
            if (how[0] == 'a') pn_delivery_abort(delivery);
            if (how == std::string("detach")) pn_link_detach(link);
            if (how == std::string("end")) pn_session_close(c.session);
            if (how == std::string("disconnect"))
                c.engine->onDisconnect();
            else
                c.run();
            c.bus.loop.run();
            CPPUNIT_ASSERT_EQUAL_MESSAGE(how, std::size_t(0), bodies.contents.size());
            CPPUNIT_ASSERT_EQUAL(std::size_t(0), c.bus.count<Send>());
            if (how[0] != 'a') continue;
            c.send(link, AmqpClient::text("next"));
            CPPUNIT_ASSERT_EQUAL(std::size_t(1), c.bus.count<Send>());
        }
    }

    void largeBodiesAreBounded() {
        amqp::Options options;
        options.largeBytesMax = 6u << 20;
        AmqpClient c(options);
        FakeBodies bodies(c.bus.loop);
        c.bus.largeBodies = &bodies;
        c.open();
        // Announced at once, and section by section.
        pn_link_t* link = c.sender("q", "one");
        c.send(link, section('\x75', std::string(7u << 20, 'x')));
        CPPUNIT_ASSERT_EQUAL(std::string("amqp:link:message-size-exceeded"), c.condition(link));
        pn_link_close(link);
        c.run();
        link = c.sender("q", "two");
        std::string many;
        for (int i = 0; i < 7; ++i) many += section('\x75', std::string(1u << 20, 'x'));
        c.send(link, many);
        CPPUNIT_ASSERT_EQUAL(std::string("amqp:link:message-size-exceeded"), c.condition(link));
        c.bus.loop.run();
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), bodies.contents.size());
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), c.bus.count<Send>());
        CPPUNIT_ASSERT(!c.host.closed);
    }

    void largeTextThatIsNoneIsRejected() {
        AmqpClient c;
        FakeBodies bodies(c.bus.loop);
        c.bus.largeBodies = &bodies;
        c.open();
        pn_link_t* link = c.sender("q");
        std::string body(5u << 20, 'x');
        body += '\xff';
        pn_delivery_t* delivery = c.send(link, AmqpClient::text(body));
        CPPUNIT_ASSERT_EQUAL(std::string("amqp:decode-error"), c.condition(delivery));
        c.bus.loop.run();
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), bodies.contents.size());
        c.send(link, AmqpClient::text("next"));
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), c.bus.count<Send>());
    }

    void manyHalfMessagesAreBounded() {
        amqp::Options options;
        options.gatheredBytesMax = 1u << 20;
        AmqpClient c(options);
        c.open();
        const std::string half(400'000, 'x');
        pn_link_t* last = nullptr;
        for (const char* name : {"a", "b", "c"}) {
            last = c.sender("q", name);
            pn_delivery(last, pn_dtag("1", 1));
            pn_link_send(last, half.data(), half.size());
            c.run();
        }
        CPPUNIT_ASSERT_EQUAL(std::string("amqp:resource-limit-exceeded"), c.condition(last));
        CPPUNIT_ASSERT(!c.host.closed);
    }

    void failedStoreRejectsALargeBody() {
        AmqpClient c;
        FakeBodies bodies(c.bus.loop);
        c.bus.largeBodies = &bodies;
        c.open();
        pn_link_t* link = c.sender("q");
        bodies.failure = Error{ErrorCode::storageFull, "no room"};
        pn_delivery_t* large = c.send(link, AmqpClient::text(std::string(5u << 20, 'x')));
        CPPUNIT_ASSERT_EQUAL(std::string("amqp:resource-limit-exceeded"), c.condition(large));
        bodies.failure.reset();
        c.send(link, AmqpClient::text("next"));
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), c.bus.count<Send>());
    }

    void endOfTheSessionEndsItsLinks() {
        AmqpClient c;
        c.open();
        c.receiver("q", 5);
        pn_session_close(c.session);
        c.run();
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), c.bus.count<Unsubscribe>());
        CPPUNIT_ASSERT((pn_session_state(c.session) & PN_REMOTE_CLOSED) != 0);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(AmqpProducerTest);
