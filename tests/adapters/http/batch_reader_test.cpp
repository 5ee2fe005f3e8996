#include "adapters/http/batch_reader.h"

#include "adapters/http/message_mapping.h"
#include "bus/message/body.h"
#include "tests/adapters/http/http_test_support.h"

namespace busbar::http {

class BatchReaderTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(BatchReaderTest);
    CPPUNIT_TEST(readsEveryField);
    CPPUNIT_TEST(tellsTheKindOfABodyFromWhatIsSaid);
    CPPUNIT_TEST(takesWhatAReceivedMessageShows);
    CPPUNIT_TEST(readsSchedules);
    CPPUNIT_TEST(namesTheElementAndItsField);
    CPPUNIT_TEST(boundsWhatItTakes);
    CPPUNIT_TEST_SUITE_END();

    static Result<std::vector<std::shared_ptr<Message>>> read(const std::string& json) {
        return messagesOf(json, Destination::queue("q"), WallTime(Milliseconds(1000)), 5);
    }
    static Message one(const std::string& element) {
        const auto batch = read("[" + element + "]");
        CPPUNIT_ASSERT_MESSAGE(batch.ok() ? "" : batch.error().text, batch.ok());
        return *batch->front();
    }
    static std::string shown(const Message& message) {
        JsonWriter json;
        writeMessage(json, message, [](JsonWriter& out) {
            out.key("lease").string("t").key("position").number(7);
            out.key("deliveryCount").number(2).key("held").boolean(false);
            out.key("dueAt").signedNumber(9);
        });
        return json.take();
    }
    static void refused(const std::string& json, ErrorCode code, const std::string& expected) {
        const auto batch = read(json);
        CPPUNIT_ASSERT_MESSAGE(json, !batch);
        assertContains(batch.error().text, expected);
        CPPUNIT_ASSERT_EQUAL_MESSAGE(json, int(code), int(batch.error().code));
    }

    void readsEveryField() {
        const Message m = one(R"({"body":"x","contentType":"application/json","priority":9,
            "persistent":false,"expiresMs":500,"delayMs":"250","correlationId":"c","type":"order",
            "replyTo":"topic://t","groupId":"g","groupSequence":-1,"idempotencyKey":"k",
            "properties":{"colour":"red","n":3,"big":3000000000,"r":0.5,"yes":true,"none":null,
                          "s":{"type":"short","value":3},"b":{"type":"bytes","value":"/w=="}}})");
        CPPUNIT_ASSERT(m.destination == Destination::queue("q"));
        CPPUNIT_ASSERT(m.bodyKind == BodyKind::text && m.body.view() == "x");
        CPPUNIT_ASSERT_EQUAL(std::string("application/json"), m.contentType);
        CPPUNIT_ASSERT(m.priority == 9 && !m.persistent);
        CPPUNIT_ASSERT(m.expiration == WallTime(Milliseconds(1500)));
        CPPUNIT_ASSERT(m.deliverAt == WallTime(Milliseconds(1250)));
        CPPUNIT_ASSERT(m.correlationId == "c" && m.type == "order" && m.dedupId == "k");
        CPPUNIT_ASSERT(m.replyTo == Destination::topic("t"));
        CPPUNIT_ASSERT(m.groupId == "g" && m.groupSequence == -1);
        Properties expected;
        expected.append("colour", std::string("red"));
        expected.append("n", std::int32_t{3});
        expected.append("big", std::int64_t{3'000'000'000});
        expected.append("r", 0.5);
        expected.append("yes", true);
        expected.append("none", std::monostate{});
        expected.append("s", std::int16_t{3});
        expected.append("b", Bytes{"\xff"});
        CPPUNIT_ASSERT(m.properties == expected);
        CPPUNIT_ASSERT(one(R"({"deliverAt":5000})").deliverAt == WallTime(Milliseconds(5000)));
        CPPUNIT_ASSERT(one(R"({"expiration":6000})").expiration == WallTime(Milliseconds(6000)));
        CPPUNIT_ASSERT(one(R"({"priority":null,"body":null})").priority == 4);
    }
    void tellsTheKindOfABodyFromWhatIsSaid() {
        const auto kind = [](const std::string& element) { return one(element).bodyKind; };
        CPPUNIT_ASSERT(kind(R"({})") == BodyKind::none);
        CPPUNIT_ASSERT(kind(R"({"body":"a"})") == BodyKind::text);
        CPPUNIT_ASSERT(kind(R"({"body":"","bodyKind":"none"})") == BodyKind::none);
        CPPUNIT_ASSERT(kind(R"({"body":"a","contentType":"image/png"})") == BodyKind::bytes);
        const Message bytes = one(R"({"body":"/w==","bodyEncoding":"base64"})");
        CPPUNIT_ASSERT(bytes.bodyKind == BodyKind::bytes && bytes.body.view() == "\xff");
        CPPUNIT_ASSERT(kind(R"({"body":"YQ==","bodyEncoding":"base64","bodyKind":"object"})") ==
                       BodyKind::object);
        const Message null = one(R"({"body":null,"bodyKind":"text"})");
        CPPUNIT_ASSERT(null.properties.find("busbar_nullText"));
    }
    void takesWhatAReceivedMessageShows() {
        std::string map, stream;
        encodeMapBody({{"n", {Value(std::int32_t{-3})}}, {"l", {BodyList{{Value(-0.0)}}}}}, map);
        encodeStreamBody({{Value(Bytes{"\1\xff"})}, {Value(std::string("\xc3\xa4\n"))}}, stream);
        const std::vector<std::pair<BodyKind, std::string>> bodies{
            {BodyKind::none, ""},       {BodyKind::text, "a\"\n\xe2\x82\xac"},
            {BodyKind::bytes, "\xff"},  {BodyKind::map, map},
            {BodyKind::stream, stream}, {BodyKind::object, "\xac\xed"}};
        for (const auto& [kind, body] : bodies) {
            Message message;
            message.destination = Destination::queue("q");
            message.priority = 7;
            message.expiration = WallTime(Milliseconds(999'999));
            message.deliverAt = WallTime(Milliseconds(5));
            message.correlationId = "c";
            message.replyTo = Destination::queue("back");
            message.type = "t";
            message.groupId = "g";
            message.groupSequence = 3;
            message.contentType = kind == BodyKind::map ? "" : "x/y";
            message.properties.append("i", std::int8_t{-3});
            message.properties.append("f", 0.1f);
            message.properties.append("c", char16_t{0xd83d});  // half a pair
            message.bodyKind = kind;
            message.body = Buffer::of(body);
            const auto json = shown(message);
            const Message sent = one(json);
            CPPUNIT_ASSERT_EQUAL(json, shown(sent));
            CPPUNIT_ASSERT(sent.body == message.body && sent.properties == message.properties);
        }
        // Told by the bus alone: not believed.
        const Message foreign =
            one(R"({"id":"ID:x-1","userId":"root","timestamp":1,"destination":"queue://other"})");
        CPPUNIT_ASSERT(foreign.id.empty() && foreign.userId.empty());
        CPPUNIT_ASSERT(foreign.timestamp == WallTime{});
        CPPUNIT_ASSERT(foreign.destination == Destination::queue("q"));
    }
    void readsSchedules() {
        const Message m = one(R"({"body":"x","cron":"0 3 * * *","cronZone":"Europe/Berlin"})");
        CPPUNIT_ASSERT(m.recurrence && m.recurrence->cron == "0 3 * * *");
        CPPUNIT_ASSERT_EQUAL(std::string("Europe/Berlin"), m.recurrence->zone);
        const Message p = one(R"({"periodMs":50,"repeat":2})");
        CPPUNIT_ASSERT(p.recurrence && p.recurrence->repeats == 2);
    }
    void namesTheElementAndItsField() {
        const auto bad = ErrorCode::invalidArgument;
        refused(R"([{},{"priority":10}])", bad, "[1].priority: '10' is not");
        refused(R"([{},{},7])", bad, "[2]: an object is expected");
        refused(R"([{"prioritty":1}])", bad, "[0].prioritty: there is no such field");
        refused(R"([{"correlationId":7}])", bad, "[0].correlationId: a string is expected");
        refused(R"([{"priority":[]}])", bad, "[0].priority: a number");
        refused(R"([{"replyTo":"queue://"}])", bad, "[0].replyTo: ");
        refused(R"([{"properties":[]}])", bad, "[0].properties: an object is expected");
        refused(R"([{"properties":{"1x":1}}])", bad, "[0].properties.1x: a property name");
        refused(R"([{"properties":{"x":{"type":"int","value":1.5}}}])", bad, "[0].properties.x: ");
        refused(R"([{"properties":{"x":[1]}}])", bad, "[0].properties.x: a single value");
        refused(R"([{"properties":{"x":{"type":"list","value":[]}}}])", bad,
                "[0].properties.x: a single value");
        refused(R"([{"body":{}}])", bad, "[0].body: a string is expected");
        refused(R"([{"body":{"n":1},"bodyKind":"map"}])", bad, "[0].body: 'n': a value such as");
        refused(R"([{"bodyKind":"amqp"}])", bad, "[0].bodyKind is 'amqp': none, text,");
        refused(R"([{"body":"?","bodyEncoding":"base64"}])", bad, "[0].body: base64 is expected");
        refused(R"([{"body":"a","bodyEncoding":"gzip"}])", bad, "[0].bodyEncoding: ");
        refused(R"([{"body":"/w==","bodyEncoding":"base64","bodyKind":"text"}])",
                ErrorCode::malformed, "[0].bodyKind: the body of a text is UTF-8");
        refused(R"([{"bodyPath":"/queues/q/leases/t/body"}])", bad, "[0].bodyPath: a large body");
        refused(R"([{"delayMs":1,"deliverAt":2}])", bad, "[0]: delayMs and deliverAt say the same");
        refused(R"([{"expiresMs":1,"expiration":2}])", bad, "[0]: expiresMs and expiration");
        refused(R"({"body":"x"})", ErrorCode::malformed, "must be an array of messages");
        refused(R"([{"body":"x"},])", ErrorCode::malformed, "JSON, byte 15: ");
        refused(R"([{"body":"x","body":"y"}])", ErrorCode::malformed, "'body' is there twice");
        const auto named = messagesOf("[]", Destination::queue(""), WallTime{}, 5);
        CPPUNIT_ASSERT(!named);
    }
    void boundsWhatItTakes() {
        CPPUNIT_ASSERT_EQUAL(std::size_t(5), read("[{},{},{},{},{}]")->size());
        CPPUNIT_ASSERT(read("[]")->empty());
        refused("[{},{},{},{},{},{}]", ErrorCode::tooLarge, "has 6 messages: at most 5");
        refused(R"([{"type":")" + std::string(65'536, 'x') + "\"}]", ErrorCode::invalidArgument,
                "[0].type: the value is too long");
        refused(R"([{"properties":{"p":")" + std::string(65'536, 'x') + "\"}}]",
                ErrorCode::invalidArgument, "[0].properties.p: the value is too long");
        refused(R"([{"body":)" + std::string(100, '[') + std::string(100, ']') + "}]",
                ErrorCode::tooLarge, "within each other");
        std::string many = "[";
        for (std::size_t i = 0; i < kBatchValuesMax; ++i) many += "1,";
        refused(many + "1]", ErrorCode::tooLarge, "more than 200000 values");
        // As deep as a body may be, and no deeper.
        std::string deep = R"({"type":"int","value":1})";
        for (int i = 1; i < kBodyDepthMax; ++i) deep = R"({"type":"list","value":[)" + deep + "]}";
        CPPUNIT_ASSERT(read(R"([{"bodyKind":"stream","body":[)" + deep + "]}]").ok());
        deep = R"({"type":"list","value":[)" + deep + "]}";
        refused(R"([{"bodyKind":"stream","body":[)" + deep + "]}]", ErrorCode::tooLarge,
                "more than 16 lists and maps");
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(BatchReaderTest);

}  // namespace busbar::http
