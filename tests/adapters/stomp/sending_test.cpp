// SEND, transactions, temporary queues.
#include "tests/adapters/stomp/stomp_fixture.h"

using namespace busbar;
using namespace busbar::stomp;

class SendingTest : public StompFixture {
    CPPUNIT_TEST_SUITE(SendingTest);
    CPPUNIT_TEST(confirmsASendWhenItIsCompleted);
    CPPUNIT_TEST(refusedSendEndsInErrorWithReceiptId);
    CPPUNIT_TEST(stopsReadingWhileTooMuchIsInFlight);
    CPPUNIT_TEST(blockedProducerStopsReading);
    CPPUNIT_TEST(numberedSendsAreRepeatable);
    CPPUNIT_TEST(refusesBadProducerNumbers);
    CPPUNIT_TEST(commitsSendsAndAcknowledgementsTogether);
    CPPUNIT_TEST(abortGivesBack);
    CPPUNIT_TEST(unknownTransactionIsAnError);
    CPPUNIT_TEST(temporaryQueuesHaveNamesOfTheirOwn);
    CPPUNIT_TEST(temporaryTopicsHaveToo);
    CPPUNIT_TEST(othersTemporaryQueueCannotBeRead);
    CPPUNIT_TEST(answersTemporaryQueuesOfOtherProtocols);
    CPPUNIT_TEST_SUITE_END();

  public:
    void confirmsASendWhenItIsCompleted() {
        login();
        receive("SEND\ndestination:/queue/a\nreceipt:r-1\npersistent:true\n\nhello\0"s);
        CPPUNIT_ASSERT_EQUAL(""s, host_.read());
        auto send = bus_.take<Send>();
        CPPUNIT_ASSERT(send.message->persistent);
        CPPUNIT_ASSERT_EQUAL("hello"s, std::string(send.message->body.view()));
        bus_.complete(send.request);
        CPPUNIT_ASSERT_EQUAL("RECEIPT\nreceipt-id:r-1\n\n\0"s, host_.read());
    }

    void refusedSendEndsInErrorWithReceiptId() {
        login();
        receive("SEND\ndestination:/queue/a\nreceipt:7\n\nhello\0"s);
        bus_.refuse(bus_.take<Send>().request, ErrorCode::limitReached, "queue 'a' is full");
        const auto error = host_.read();
        CPPUNIT_ASSERT(
            has(error, "ERROR\nmessage:queue 'a' is full\ncode:limit-reached\nreceipt-id:7\n"));
        CPPUNIT_ASSERT(host_.closed);
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), bus_.closed.size());
    }

    void stopsReadingWhileTooMuchIsInFlight() {
        options_.sendsInFlightMax = 3;
        login();
        for (int i = 0; i < 3; ++i) {
            CPPUNIT_ASSERT(connection_->wantsInput());
            receive("SEND\ndestination:/queue/a\n\nx\0"s);
        }
        CPPUNIT_ASSERT(!connection_->wantsInput());
        const auto first = bus_.take<Send>().request;
        bus_.complete(bus_.take<Send>().request);  // out of order is fine
        CPPUNIT_ASSERT(connection_->wantsInput());
        bus_.complete(first);
    }

    void blockedProducerStopsReading() {
        login("accept-version:1.2\nheart-beat:1000,0\n");
        receive("SEND\ndestination:/queue/a\nreceipt:r\n\nx\0"s);
        const auto send = bus_.take<Send>();
        bus_.tell(ProducerBlocked{{}, true, "queue 'a' is full"});
        CPPUNIT_ASSERT(!connection_->wantsInput());
        CPPUNIT_ASSERT_EQUAL(""s, host_.read());  // who asked for a receipt waits for it
        for (int ms = 0; ms < 5000; ms += 500) {  // and is not cut off for its silence
            bus_.time.advance(Milliseconds(500));
            connection_->onTick();
        }
        CPPUNIT_ASSERT(!host_.closed);
        bus_.complete(send.request);
        bus_.tell(ProducerBlocked{{}, false, {}});
        CPPUNIT_ASSERT(connection_->wantsInput());
        CPPUNIT_ASSERT(has(host_.read(), "receipt-id:r\n"));
    }

    void numberedSendsAreRepeatable() {
        login();
        receive(
            "SEND\ndestination:/queue/a\nbusbar-producer:p\nbusbar-sequence:7\nreceipt:r\n\nx\0"s);
        const auto send = bus_.take<Send>();
        CPPUNIT_ASSERT_EQUAL("p"s, send.producer);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(7), send.sequence);
        CPPUNIT_ASSERT(send.message->properties.empty());
        Completed repeated;
        repeated.request = send.request;
        repeated.repeated = true;
        bus_.tell(std::move(repeated));
        CPPUNIT_ASSERT_EQUAL("RECEIPT\nreceipt-id:r\nbusbar-repeated:true\n\n\0"s, host_.read());
    }

    void refusesBadProducerNumbers() {
        for (const std::string headers :
             {"busbar-producer:p\n", "busbar-sequence:7\n",
              "busbar-producer:p\nbusbar-sequence:0\n", "busbar-producer:\nbusbar-sequence:7\n",
              "busbar-producer:p\nbusbar-sequence:-1\n"}) {
            login();
            receive("SEND\ndestination:/queue/a\n" + headers + "\nx\0"s);
            CPPUNIT_ASSERT_MESSAGE(headers, host_.closed);
            CPPUNIT_ASSERT_EQUAL(std::size_t(0), bus_.count<Send>());
            tearDown();
        }
    }

    void commitsSendsAndAcknowledgementsTogether() {
        login();
        const auto consumer = subscribe("id:1\ndestination:/queue/a\nack:client\n");
        deliver(consumer, 1, "x");
        host_.read();
        receive(
            "BEGIN\ntransaction:t\n\n\0SEND\ntransaction:t\ndestination:/queue/b\nreceipt:s\n\ny\0"
            "ACK\nid:1-1\ntransaction:t\n\n\0"s);
        CPPUNIT_ASSERT_EQUAL("RECEIPT\nreceipt-id:s\n\n\0"s, host_.read());
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), bus_.commands.size());
        receive("COMMIT\ntransaction:t\nreceipt:c\n\n\0"s);
        CPPUNIT_ASSERT_EQUAL(""s, host_.read());
        auto commit = bus_.take<CommitTransaction>();
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), commit.sends.size());
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), commit.accepts.size());
        bus_.complete(commit.request);
        CPPUNIT_ASSERT_EQUAL("RECEIPT\nreceipt-id:c\n\n\0"s, host_.read());
    }

    void abortGivesBack() {
        login();
        const auto consumer = subscribe("id:1\ndestination:/queue/a\nack:client\n");
        deliver(consumer, 1, "x");
        receive(
            "BEGIN\ntransaction:t\n\n\0ACK\nid:1-1\ntransaction:t\n\n\0ABORT\ntransaction:t\n\n\0"s);
        const auto settle = bus_.take<Settle>();
        CPPUNIT_ASSERT(settle.outcome == Outcome::failed);
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), settle.deliveries.size());
        receive("COMMIT\ntransaction:t\n\n\0"s);
        CPPUNIT_ASSERT(host_.closed);
    }

    void unknownTransactionIsAnError() {
        login();
        receive("SEND\ntransaction:none\ndestination:/queue/a\n\nx\0"s);
        CPPUNIT_ASSERT(has(host_.read(), "code:transaction-unknown\n"));
    }

    void temporaryQueuesHaveNamesOfTheirOwn() {
        login();
        receive("SEND\ndestination:/queue/a\nreply-to:/temp-queue/answers\n\nx\0"s);
        const auto made = bus_.take<MakeTemporary>();
        const auto send = bus_.take<Send>();
        CPPUNIT_ASSERT(send.message->replyTo->kind == DestinationKind::temporaryQueue);
        CPPUNIT_ASSERT_EQUAL(made.destination.name, send.message->replyTo->name);
        CPPUNIT_ASSERT(made.destination.name != "answers");
        const auto consumer =
            subscribe("id:/temp-queue/answers\ndestination:/temp-queue/answers\n");
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), bus_.count<MakeTemporary>());
        auto reply = std::make_shared<Message>();
        reply->destination = {DestinationKind::temporaryQueue, made.destination.name};
        Delivered effect;
        effect.consumer = consumer;
        effect.delivery = {DeliveryId(9), reply, 1};
        bus_.tell(std::move(effect));
        CPPUNIT_ASSERT(has(host_.read(), "destination:/temp-queue/answers\n"));
        // What another connection reads in reply-to it may send to.
        receive("SEND\ndestination:/temp-queue/tq.99.answers\n\nx\0"s);
        CPPUNIT_ASSERT_EQUAL("tq.99.answers"s, bus_.take<Send>().message->destination.name);
    }

    /// A queue and a topic of one name are two.
    void temporaryTopicsHaveToo() {
        login();
        receive("SEND\ndestination:/queue/a\nreply-to:/temp-topic/answers\n\nx\0"s);
        const auto topic = bus_.take<MakeTemporary>().destination;
        CPPUNIT_ASSERT(topic.kind == DestinationKind::temporaryTopic);
        CPPUNIT_ASSERT(bus_.take<Send>().message->replyTo == topic);
        receive("SEND\ndestination:/temp-queue/answers\n\nx\0"s);
        const auto queue = bus_.take<MakeTemporary>().destination;
        CPPUNIT_ASSERT(queue.kind == DestinationKind::temporaryQueue);
        CPPUNIT_ASSERT(bus_.take<Send>().message->destination == queue);
        receive("SUBSCRIBE\nid:1\ndestination:/temp-topic/answers\n\n\0"s);
        const auto subscribed = bus_.take<Subscribe>();
        CPPUNIT_ASSERT(subscribed.source == topic);
        bus_.complete(subscribed.request);
        auto reply = std::make_shared<Message>();
        reply->destination = topic;
        reply->replyTo = {DestinationKind::temporaryTopic, "ID:host-1:2:1"};
        Delivered effect;
        effect.consumer = subscribed.consumer;
        effect.delivery = {DeliveryId(9), reply, 1};
        bus_.tell(std::move(effect));
        const auto seen = host_.read();
        CPPUNIT_ASSERT(has(seen, "destination:/temp-topic/answers\n"));
        CPPUNIT_ASSERT(has(seen, "reply-to:/temp-topic/bus\\cID\\chost-1\\c2\\c1\n"));
        receive("SEND\ndestination:/temp-topic/tt.99.answers\n\nx\0"s);
        CPPUNIT_ASSERT(bus_.take<Send>().message->destination ==
                       Destination({DestinationKind::temporaryTopic, "tt.99.answers"}));
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), bus_.count<MakeTemporary>());
    }

    void othersTemporaryQueueCannotBeRead() {
        for (const auto* name :
             {"/temp-queue/tq.99.answers", "/temp-topic/tt.99.answers", "/temp-topic/bus\\cx"}) {
            login();
            receive("SUBSCRIBE\nid:1\ndestination:"s + name + "\n\n\0"s);
            CPPUNIT_ASSERT(has(host_.read(), "code:not-authorized\n"));
            CPPUNIT_ASSERT_EQUAL(std::size_t(0), bus_.count<Subscribe>());
        }
    }

    void answersTemporaryQueuesOfOtherProtocols() {
        login();
        const auto consumer = subscribe("id:1\ndestination:/queue/ask\nack:auto\n");
        auto question = std::make_shared<Message>();
        question->destination = Destination::queue("ask");
        question->replyTo = {DestinationKind::temporaryQueue, "ID:host-1:2:1"};
        Delivered delivered;
        delivered.consumer = consumer;
        delivered.delivery = {DeliveryId(1), question, 1};
        bus_.tell(std::move(delivered));
        CPPUNIT_ASSERT(has(host_.read(), "reply-to:/temp-queue/bus\\cID\\chost-1\\c2\\c1\n"));
        receive("SEND\ndestination:/temp-queue/bus\\cID\\chost-1\\c2\\c1\n\nbecause\0"s);
        const auto answer = bus_.take<Send>().message;
        CPPUNIT_ASSERT(answer->destination ==
                       Destination({DestinationKind::temporaryQueue, "ID:host-1:2:1"}));
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), bus_.count<MakeTemporary>());
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(SendingTest);
