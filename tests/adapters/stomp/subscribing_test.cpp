// SUBSCRIBE: what a consumer asks for, and browsing.
#include "tests/adapters/stomp/stomp_fixture.h"

using namespace busbar;
using namespace busbar::stomp;

class SubscribingTest : public StompFixture {
    CPPUNIT_TEST_SUITE(SubscribingTest);
    CPPUNIT_TEST(subscribeReadsTheDeFactoHeaders);
    CPPUNIT_TEST(durableSubscriptionNeedsAClientId);
    CPPUNIT_TEST(sharedDurableSubscriptionsKeepTheirSelector);
    CPPUNIT_TEST(selectorsReadStringsAsNumbers);
    CPPUNIT_TEST(refusedSelectorIsAnError);
    CPPUNIT_TEST(readsConsumerPriorityInEverySpelling);
    CPPUNIT_TEST(exclusiveConsumersShowTheirFencingToken);
    CPPUNIT_TEST(tellsChangesToThoseWhoAsked);
    CPPUNIT_TEST(tellsRevokedGroupsToThoseWhoAsked);
    CPPUNIT_TEST(exactlyOnceNamesWhatWasProcessed);
    CPPUNIT_TEST(browsesPageByPage);
    CPPUNIT_TEST(browsesWithASelector);
    CPPUNIT_TEST_SUITE_END();

  public:
    void subscribeReadsTheDeFactoHeaders() {
        login("accept-version:1.2\nclient-id:c\n");
        receive(
            "SUBSCRIBE\nid:1\ndestination:/topic/"
            "t.>\nactivemq.subscriptionName:d\nactivemq.prefetchSize:7\n"
            "activemq.noLocal:true\n\n\0"s);
        const auto command = bus_.take<Subscribe>();
        CPPUNIT_ASSERT_EQUAL("d"s, command.durableName);
        CPPUNIT_ASSERT_EQUAL(7u, command.credit);
        CPPUNIT_ASSERT(command.noLocal && !command.windowed && !command.exclusive);
        CPPUNIT_ASSERT(command.ackMode == AckMode::explicitly);
        receive("UNSUBSCRIBE\nid:1\nactivemq.subscriptionName:d\n\n\0"s);
        CPPUNIT_ASSERT_EQUAL("d"s, bus_.take<DeleteSubscription>().name);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), bus_.take<Unsubscribe>().consumer.value);
    }

    void durableSubscriptionNeedsAClientId() {
        login();
        receive("SUBSCRIBE\nid:1\ndestination:/topic/t\nactivemq.subscriptionName:d\n\n\0"s);
        CPPUNIT_ASSERT(has(host_.read(), "client-id"));
        CPPUNIT_ASSERT(host_.closed);
    }

    void sharedDurableSubscriptionsKeepTheirSelector() {
        login();  // no client id: a shared one needs none
        receive(
            "SUBSCRIBE\nid:1\ndestination:/topic/t\ndurable-subscription-name:d\nshared:true\n"
            "selector:a = 'b'\n\n\0"s);
        const auto command = bus_.take<Subscribe>();
        CPPUNIT_ASSERT(command.shared && command.durableName == "d");
        CPPUNIT_ASSERT_EQUAL("convert_string_expressions:a = 'b'"s, command.selector);
        receive("UNSUBSCRIBE\nid:1\ndurable-subscription-name:d\nshared:true\n\n\0"s);
        CPPUNIT_ASSERT(bus_.take<DeleteSubscription>().shared);
    }

    void selectorsReadStringsAsNumbers() {
        login();
        receive("SUBSCRIBE\nid:1\ndestination:/queue/a\nselector:price > 10\n\n\0"s);
        CPPUNIT_ASSERT_EQUAL("convert_string_expressions:price > 10"s,
                             bus_.take<Subscribe>().selector);
        receive("SUBSCRIBE\nid:2\ndestination:/queue/a\nselector:\n\n\0"s);
        CPPUNIT_ASSERT_EQUAL(""s, bus_.take<Subscribe>().selector);
    }

    void refusedSelectorIsAnError() {
        login();
        receive("SUBSCRIBE\nid:1\ndestination:/queue/a\nselector:price >\nreceipt:r\n\n\0"s);
        bus_.refuse(bus_.take<Subscribe>().request, ErrorCode::invalidArgument,
                    "selector, column 9");
        const auto error = host_.read();
        CPPUNIT_ASSERT(has(error, "message:selector, column 9\n") && has(error, "receipt-id:r\n"));
        CPPUNIT_ASSERT(host_.closed);
    }

    void readsConsumerPriorityInEverySpelling() {
        for (const std::string header : {"priority:-5", "activemq.priority:-5", "x-priority:-5"}) {
            login();
            receive("SUBSCRIBE\nid:1\ndestination:/queue/a\n" + header + "\n\n\0"s);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(header, -5, bus_.take<Subscribe>().priority);
            tearDown();
        }
        login();
        receive("SUBSCRIBE\nid:1\ndestination:/queue/a\npriority:high\n\n\0"s);
        CPPUNIT_ASSERT(host_.closed);
    }

    void exclusiveConsumersShowTheirFencingToken() {
        for (const std::string header :
             {"exclusive:true", "activemq.exclusive:true", "x-single-active-consumer:true"}) {
            login();
            receive("SUBSCRIBE\nid:1\ndestination:/queue/a\nack:client\n" + header + "\n\n\0"s);
            const auto command = bus_.take<Subscribe>();
            CPPUNIT_ASSERT_MESSAGE(header, command.exclusive);
            Delivered effect;
            effect.consumer = command.consumer;
            effect.delivery = {DeliveryId(1), std::make_shared<Message>(), 1, StoredId(5), 42};
            bus_.tell(std::move(effect));
            CPPUNIT_ASSERT(has(host_.read(), "busbar-fencing-token:42\n"));
            tearDown();
        }
    }

    void tellsChangesToThoseWhoAsked() {
        login();
        const auto asks =
            subscribe("id:1\ndestination:/queue/a\nexclusive:true\nbusbar-consumer-changes:true\n");
        const auto silent = subscribe("id:2\ndestination:/queue/a\nexclusive:true\n");
        host_.read();
        bus_.tell(ConsumerChanged{{}, silent, false, 0});
        CPPUNIT_ASSERT_EQUAL(""s, host_.read());
        bus_.tell(ConsumerChanged{{}, asks, true, 7});
        const auto told = host_.read();
        CPPUNIT_ASSERT(has(told, "MESSAGE\nsubscription:1\n") &&
                       has(told, "busbar-active:true\nbusbar-fencing-token:7\n"));
        bus_.tell(ConsumerChanged{{}, asks, false, 0});
        CPPUNIT_ASSERT(has(host_.read(), "busbar-active:false\n"));
    }

    void tellsRevokedGroupsToThoseWhoAsked() {
        login();
        const auto asks = subscribe("id:1\ndestination:/queue/a\nbusbar-group-changes:true\n");
        const auto silent = subscribe("id:2\ndestination:/queue/a\nbusbar-group-changes:false\n");
        host_.read();
        bus_.tell(GroupRevoked{{}, silent, "g"});
        CPPUNIT_ASSERT_EQUAL(""s, host_.read());
        bus_.tell(GroupRevoked{{}, asks, "a:b\nc"});
        const auto told = host_.read();
        CPPUNIT_ASSERT(has(told, "MESSAGE\nsubscription:1\n"));
        CPPUNIT_ASSERT(has(told, "busbar-group-revoked:a\\cb\\nc\ncontent-length:0\n\n\0"s));
        receive("SUBSCRIBE\nid:3\ndestination:/queue/a\nbusbar-group-changes:yes\n\n\0"s);
        CPPUNIT_ASSERT(has(host_.read(), "code:invalid-argument\n"));
    }

    void exactlyOnceNamesWhatWasProcessed() {
        login();
        receive(
            "SUBSCRIBE\nid:1\ndestination:/queue/a\nack:client\nexclusive:true\n"
            "exactly-once:true\nprocessed:3,5-6\n\n\0"s);
        const auto command = bus_.take<Subscribe>();
        CPPUNIT_ASSERT(command.exactlyOnce);
        CPPUNIT_ASSERT((command.processed == std::vector{StoredId(3), StoredId(5), StoredId(6)}));
        Delivered effect;
        effect.consumer = command.consumer;
        effect.delivery = {DeliveryId(1), std::make_shared<Message>(), 1, StoredId(7)};
        bus_.tell(std::move(effect));
        CPPUNIT_ASSERT(has(host_.read(), "busbar-stored:7\n"));
        receive("SUBSCRIBE\nid:2\ndestination:/queue/a\nprocessed:3\n\n\0"s);
        CPPUNIT_ASSERT(has(host_.read(), "exactly-once"));
        CPPUNIT_ASSERT(host_.closed);
    }

    void browsesPageByPage() {
        login();
        receive("SUBSCRIBE\nid:b\ndestination:/queue/a\nbrowser:true\nreceipt:r\n\n\0"s);
        auto answer = [&](std::uint64_t id, bool more) {
            auto command = bus_.take<Browse>();
            Browsed effect;
            effect.request = command.request;
            auto message = std::make_shared<Message>();
            message->destination = Destination::queue("a");
            effect.entries.push_back({StoredId(id), message, 0, false});
            effect.more = more;
            bus_.tell(std::move(effect));
            return command.after.value;
        };
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(0), answer(5, true));
        CPPUNIT_ASSERT(has(host_.read(), "RECEIPT\n"));
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(5), answer(6, false));
        const auto last = host_.read();
        CPPUNIT_ASSERT(has(last, "browser:true\n") && has(last, "browser:end\n"));
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), bus_.commands.size());
        receive("UNSUBSCRIBE\nid:b\nreceipt:u\n\n\0"s);
        CPPUNIT_ASSERT_EQUAL("RECEIPT\nreceipt-id:u\n\n\0"s, host_.read());
    }

    void browsesWithASelector() {
        login();
        receive("SUBSCRIBE\nid:b\ndestination:/queue/a\nbrowser:true\nselector:n = 1\n\n\0"s);
        CPPUNIT_ASSERT_EQUAL("convert_string_expressions:n = 1"s, bus_.take<Browse>().selector);
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), bus_.count<Subscribe>());
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(SubscribingTest);
