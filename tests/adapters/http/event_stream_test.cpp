#include "adapters/http/event_stream.h"

#include "tests/adapters/http/http_test_support.h"

namespace busbar::http {

class EventStreamTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(EventStreamTest);
    CPPUNIT_TEST(writesALineForEachLine);
    CPPUNIT_TEST(writesBinaryInBase64);
    CPPUNIT_TEST(writesMapsAndStreamsAsJson);
    CPPUNIT_TEST(streamsDeliveriesOfItsSubscription);
    CPPUNIT_TEST(givesNoCreditToASlowClient);
    CPPUNIT_TEST(closesItsSessionWhenTheClientGoes);
    CPPUNIT_TEST(answersRefusedSubscription);
    CPPUNIT_TEST_SUITE_END();

    test::FakeBus bus_;

    std::shared_ptr<test::FakeResponder> start() {
        auto client = std::make_shared<test::FakeResponder>(bus_);
        EventStream::start(client, {"alice", "user"}, "127.0.0.1:1", Destination::topic("t.*"),
                           Milliseconds(15'000));
        return client;
    }
    void deliver(const std::string& body) {
        Delivered delivered;
        delivered.consumer = ConsumerId(1);
        delivered.delivery.message = textMessage(body);
        bus_.tell(std::move(delivered));
    }

    void writesALineForEachLine() {
        CPPUNIT_ASSERT_EQUAL(
            std::string("id: ID:busbar-1\nevent: message\ndata: a\ndata: b\ndata: c\ndata: \n\n"),
            eventOf(*textMessage("a\nb\r\nc\r")));
    }
    void writesBinaryInBase64() {
        Message message;
        message.id = "x\ny";
        message.bodyKind = BodyKind::bytes;
        message.body = Buffer::of("\x01\xff");
        CPPUNIT_ASSERT_EQUAL(std::string("id: xy\nevent: binary\ndata: Af8=\n\n"),
                             eventOf(message));
    }
    void writesMapsAndStreamsAsJson() {
        Message message;
        message.id = "x";
        message.bodyKind = BodyKind::stream;
        message.body = Buffer::of("\1\1\1");  // one value: true
        CPPUNIT_ASSERT_EQUAL(std::string("id: x\nevent: message\n"
                                         "data: [{\"type\":\"boolean\",\"value\":true}]\n\n"),
                             eventOf(message));
        message.bodyKind = BodyKind::map;  // which it is not
        CPPUNIT_ASSERT_EQUAL(std::string("id: x\nevent: binary\ndata: AQEB\n\n"), eventOf(message));
    }
    void streamsDeliveriesOfItsSubscription() {
        const auto client = start();
        const auto subscribe = bus_.take<Subscribe>();
        CPPUNIT_ASSERT(subscribe.ackMode == AckMode::none);
        CPPUNIT_ASSERT(subscribe.source == Destination::topic("t.*"));
        CPPUNIT_ASSERT(!client->stream);
        bus_.complete(subscribe.request);
        CPPUNIT_ASSERT_EQUAL(std::string("text/event-stream; charset=utf-8"),
                             headerOf(*client->stream, "content-type"));
        deliver("hello");
        assertContains(client->written, "data: hello\n\n");
        CPPUNIT_ASSERT_EQUAL(1, bus_.take<AddCredit>().credit);
    }
    void givesNoCreditToASlowClient() {
        const auto client = start();
        bus_.complete(bus_.take<Subscribe>().request);
        client->behind = 2u << 20;
        deliver("a");
        deliver("b");
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), bus_.count<AddCredit>());
        client->drain();
        CPPUNIT_ASSERT_EQUAL(2, bus_.take<AddCredit>().credit);
    }
    void closesItsSessionWhenTheClientGoes() {
        const auto client = start();
        bus_.complete(bus_.take<Subscribe>().request);
        client->leave();
        deliver("late");
        CPPUNIT_ASSERT(client->written.find("late") == std::string::npos);
        bus_.loop.run();
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), bus_.closed.size());
    }
    void answersRefusedSubscription() {
        const auto client = start();
        bus_.refuse(bus_.take<Subscribe>().request, ErrorCode::notAuthorized, "no");
        CPPUNIT_ASSERT_EQUAL(403u, client->response->status);
        bus_.loop.run();
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), bus_.closed.size());
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(EventStreamTest);

}  // namespace busbar::http
