#include "adapters/stomp/mapping.h"

#include "bus/message/body.h"
#include "bus/message/json.h"

#include <cppunit/extensions/HelperMacros.h>

#include <fstream>
#include <iterator>

using namespace busbar;
using namespace busbar::stomp;
using namespace std::string_literals;

namespace {

struct NoNames final : TemporaryNames {
    Result<std::string> toBus(DestinationKind, std::string_view local) override {
        return "bus." + std::string(local);
    }
    std::string toLocal(const Destination& temporary) const override { return temporary.name; }
};

std::string file(const std::string& name) {
    std::ifstream in(std::string(BUSBAR_GOLDEN_DIR) + "/" + name, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

Result<std::shared_ptr<Message>> read(const std::string& frameBytes) {
    Parser parser({16'384, 128, 1u << 20});
    std::string_view input = frameBytes;
    auto frame = parser.next(input);
    if (!frame) return frame.error();
    NoNames names;
    return toMessage(**frame, names, WallTime(Milliseconds(1'000'000)));
}

}  // namespace

class MappingTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(MappingTest);
    CPPUNIT_TEST(readsEveryHeaderOfTheGoldenSend);
    CPPUNIT_TEST(writesTheGoldenMessage);
    CPPUNIT_TEST(propertiesComeBackAsTheyWere);
    CPPUNIT_TEST(tellsTextFromBytesAsActiveMqDoes);
    CPPUNIT_TEST(clientCannotSetWhatTheBusSets);
    CPPUNIT_TEST(foreignPropertyCannotChangeTheFraming);
    CPPUNIT_TEST(mapsAndStreamsAreShownAsJson);
    CPPUNIT_TEST(mapsStreamsAndTypesAreTaken);
    CPPUNIT_TEST(wrongBodiesAndTypesAreRefused);
    CPPUNIT_TEST(readsDelaysAndTimesOfDelivery);
    CPPUNIT_TEST(readsSchedules);
    CPPUNIT_TEST(groupsCanBeClosed);
    CPPUNIT_TEST(readsListsOfStoredIds);
    CPPUNIT_TEST_SUITE_END();

  public:
    void mapsAndStreamsAreShownAsJson() {
        Message m;
        std::string body;
        encodeMapBody({{"n", {Value(std::int32_t{-3})}}}, body);
        m.bodyKind = BodyKind::map;
        m.body = Buffer::of(body);
        const auto shown = inJson(m);
        CPPUNIT_ASSERT(shown.has_value());
        CPPUNIT_ASSERT_EQUAL(R"({"n":{"type":"int","value":-3}})"s,
                             std::string(shown->body.view()));
        NoNames names;
        std::string headers;
        appendMessageHeaders(headers, *shown, Version::v12, names);
        CPPUNIT_ASSERT(headers.find("content-type:application/json\n") != headers.npos);
        CPPUNIT_ASSERT(headers.find("busbar-body:map\n") != headers.npos);
        CPPUNIT_ASSERT(headers.find("content-length:31\n") != headers.npos);
        m.bodyKind = BodyKind::stream;
        m.body = Buffer::of("\1\1\1"s);
        CPPUNIT_ASSERT_EQUAL(R"([{"type":"boolean","value":true}])"s,
                             std::string(inJson(m)->body.view()));
        m.bodyKind = BodyKind::bytes;
        CPPUNIT_ASSERT(!inJson(m));
        m.bodyKind = BodyKind::map;
        m.body = Buffer::of("\5"s);
        CPPUNIT_ASSERT(!inJson(m));
    }

    /// What is shown to a client it can send as it is.
    void mapsStreamsAndTypesAreTaken() {
        Message m;
        m.destination = Destination::queue("a");
        std::string body;
        encodeMapBody({{"n", {Value(std::int32_t{-3})}}, {"f", {Value(0.1f)}}}, body);
        m.bodyKind = BodyKind::map;
        m.body = Buffer::of(body);
        m.properties.append("count", std::int64_t{1} << 40);
        m.properties.append("text", "3"s);
        m.properties.append("a=b,c:d", true);
        const auto again = [](const Message& message) {
            const auto json = inJson(message);
            const Message& shown = json ? *json : message;
            std::string frame = "SEND\n";
            appendMessageHeaders(frame, shown, Version::v12, NoNames());
            const auto got = read(frame + "\n" + std::string(shown.body.view()) + "\0"s);
            CPPUNIT_ASSERT_MESSAGE(got.ok() ? "" : got.error().text, got.ok());
            CPPUNIT_ASSERT((*got)->bodyKind == message.bodyKind);
            CPPUNIT_ASSERT((*got)->body.view() == message.body.view());
            CPPUNIT_ASSERT((*got)->properties == message.properties);
            CPPUNIT_ASSERT_EQUAL(""s, (*got)->contentType);
        };
        again(m);
        body.clear();
        encodeStreamBody({{Value(-0.0)}, {Value(Bytes{"\0"s})}}, body);
        m.bodyKind = BodyKind::stream;
        m.body = Buffer::of(body);
        again(m);
        m.bodyKind = BodyKind::object;
        m.body = Buffer::of("\xac\xed\0"s);
        again(m);
        const auto map = [](const std::string& headers, const std::string& text) {
            const auto got = read("SEND\ndestination:/queue/a\n" + headers + "\n" + text + "\0"s);
            CPPUNIT_ASSERT_MESSAGE(got.ok() ? "" : got.error().text, got.ok());
            CPPUNIT_ASSERT((*got)->bodyKind == BodyKind::map && (*got)->properties.empty());
            return *jsonBody(**got);
        };
        const auto ann = R"({"name":{"type":"string","value":"Ann"}})"s;
        CPPUNIT_ASSERT_EQUAL(ann, map("transformation:jms-map-json\n",
                                      R"({"map":{"entry":[{"string":["name","Ann"]}]}})"));
        CPPUNIT_ASSERT_EQUAL(ann, map("transformation:jms-map-json\n", R"({"name":"Ann"})"));
        CPPUNIT_ASSERT_EQUAL(
            ann, map("transformation:jms-map-xml\n",
                     "<map><entry><string>name</string><string>Ann</string></entry></map>"));
        const auto other =
            read("SEND\ndestination:/queue/a\ntransformation:jms-object-xml\n\nx\0"s);
        CPPUNIT_ASSERT((*other)->properties.find("transformation"));
        // A relay shows what came from AMQP; bytes from anybody.
        CPPUNIT_ASSERT(
            (*read("SEND\ndestination:/queue/a\nbusbar-body:amqp\ncontent-length:1\n\nx\0"s))
                ->bodyKind == BodyKind::bytes);
    }

    void wrongBodiesAndTypesAreRefused() {
        const std::pair<std::string, std::string> rows[] = {
            {"busbar-body:map\n\n[]", "a map as the body: an object is expected"},
            {"busbar-body:map\n\n", "a map as the body: JSON, byte 1"},
            {"busbar-body:stream\n\n{}", "a stream as the body: an array is expected"},
            {"busbar-body:text\n\nx", "header 'busbar-body' is 'text': map, stream or object"},
            {"transformation:jms-map-json\n\nx", "a map as the body: JSON, byte 1"},
            {"transformation:jms-map-xml\n\nx", "a map as the body: XML"},
            {"n:x\nbusbar-types:n=int\n\nx", "header 'busbar-types': property 'n': 'x' is not"},
            {"busbar-types:n=int\n\nx",
             "header 'busbar-types': property 'n' has a type, but is not"},
            {"priority:5\nbusbar-types:priority=int\n\nx", "property 'priority' has a type, but"}};
        for (const auto& [rest, expected] : rows) {
            const auto result = read("SEND\ndestination:/queue/a\n" + rest + "\0"s);
            CPPUNIT_ASSERT_MESSAGE(rest, !result);
            CPPUNIT_ASSERT_MESSAGE(result.error().text,
                                   result.error().text.find(expected) != std::string::npos);
        }
    }

    void readsEveryHeaderOfTheGoldenSend() {
        const auto result = read(file("send.frame"));
        CPPUNIT_ASSERT_MESSAGE(result.ok() ? "" : result.error().text, result.ok());
        const Message& m = **result;
        CPPUNIT_ASSERT(m.destination == Destination::queue("orders.eu/new ones"));
        CPPUNIT_ASSERT(m.persistent);
        CPPUNIT_ASSERT_EQUAL(9, static_cast<int>(m.priority));
        CPPUNIT_ASSERT_EQUAL(std::int64_t(1'800'000'000'000),
                             m.expiration.time_since_epoch().count());
        CPPUNIT_ASSERT_EQUAL("c:1"s, m.correlationId);
        CPPUNIT_ASSERT((*m.replyTo == Destination{DestinationKind::temporaryQueue, "bus.answers"}));
        CPPUNIT_ASSERT_EQUAL("order"s, m.type);
        CPPUNIT_ASSERT_EQUAL("g1"s, m.groupId);
        CPPUNIT_ASSERT_EQUAL(3, m.groupSequence);
        CPPUNIT_ASSERT_EQUAL("d-1"s, m.dedupId);
        CPPUNIT_ASSERT_EQUAL("application/json"s, m.contentType);
        CPPUNIT_ASSERT(m.bodyKind == BodyKind::text);
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), m.properties.size());
        CPPUNIT_ASSERT_EQUAL("line one\nline two"s, toText(*m.properties.find("note")));
        CPPUNIT_ASSERT_EQUAL("{\"a\":1}"s, std::string(m.body.view()));
    }

    void writesTheGoldenMessage() {
        auto message = *read(file("send.frame"));
        message->id = "ID:busbar-1";
        message->userId = "alice";
        message->timestamp = WallTime(Milliseconds(1'700'000'000'000));
        std::string out = "MESSAGE\n";
        appendMessageHeaders(out, *message, Version::v12, NoNames());
        out += "\n" + std::string(message->body.view()) + "\0"s;
        CPPUNIT_ASSERT_EQUAL(file("message.frame"), out);
    }

    void propertiesComeBackAsTheyWere() {
        auto message = *read("SEND\ndestination:/topic/t\nb\\ck:v\\n\\\\\nempty:\n\nx\0"s);
        std::string out = "SEND\n";
        appendMessageHeaders(out, *message, Version::v12, NoNames());
        const auto again = read(out + "\nx\0"s);
        CPPUNIT_ASSERT(again.ok());
        CPPUNIT_ASSERT((*again)->properties == message->properties);
        CPPUNIT_ASSERT((*again)->destination == message->destination);
        CPPUNIT_ASSERT_EQUAL(message->persistent, (*again)->persistent);
    }

    void tellsTextFromBytesAsActiveMqDoes() {
        const auto kind = [](const std::string& headers, const std::string& body = "x") {
            return (*read("SEND\ndestination:/queue/a\n" + headers + "\n" + body + "\0"s))
                ->bodyKind;
        };
        CPPUNIT_ASSERT(kind("") == BodyKind::text);
        CPPUNIT_ASSERT(kind("content-length:1\n") == BodyKind::bytes);
        CPPUNIT_ASSERT(kind("content-length:1\ncontent-type:text/plain\n") == BodyKind::text);
        CPPUNIT_ASSERT(kind("content-type:application/octet-stream\n") == BodyKind::bytes);
        CPPUNIT_ASSERT(kind("", "\xff\xfe") == BodyKind::bytes);
        CPPUNIT_ASSERT(kind("", "\xe2\x82\xac") == BodyKind::text);
        CPPUNIT_ASSERT(kind("", "\xed\xa0\x80") == BodyKind::bytes);
    }

    void clientCannotSetWhatTheBusSets() {
        const auto message = *read(
            "SEND\ndestination:/queue/a\nmessage-id:mine\ntimestamp:5\nJMSXUserID:root\nredelivered:true\n\nx\0"s);
        CPPUNIT_ASSERT(message->id.empty() && message->userId.empty() &&
                       message->properties.empty());
        CPPUNIT_ASSERT_EQUAL(std::int64_t(0), message->timestamp.time_since_epoch().count());
    }

    void foreignPropertyCannotChangeTheFraming() {
        Message message;
        message.body = Buffer::copyOf("abc");
        message.properties.set("content-length", std::string("1"));
        message.properties.set("n", std::int32_t(42));
        std::string out;
        appendMessageHeaders(out, message, Version::v12, NoNames());
        CPPUNIT_ASSERT(out.find("content-length:3\n") < out.find("content-length:1\n"));
        CPPUNIT_ASSERT(out.find("n:42\n") != out.npos);
    }

    void readsDelaysAndTimesOfDelivery() {
        const auto at = [](const std::string& header) {
            const auto message = read("SEND\ndestination:/queue/a\n" + header + "\n\nx\0"s);
            return message ? (*message)->deliverAt.time_since_epoch().count() : -1;
        };
        CPPUNIT_ASSERT_EQUAL(std::int64_t(1'005'000), at("AMQ_SCHEDULED_DELAY:5000"));
        CPPUNIT_ASSERT_EQUAL(std::int64_t(1'000'250), at("x-delay:250"));
        CPPUNIT_ASSERT_EQUAL(std::int64_t(0), at("AMQ_SCHEDULED_DELAY:0"));
        CPPUNIT_ASSERT_EQUAL(std::int64_t(1'800'000'000'000), at("deliver-at:1800000000000"));
        CPPUNIT_ASSERT_EQUAL(std::int64_t(77), at("AMQ_SCHEDULED_TIME:77"));
        CPPUNIT_ASSERT_EQUAL(std::int64_t(-1), at("AMQ_SCHEDULED_DELAY:-1"));
        CPPUNIT_ASSERT_EQUAL(std::int64_t(-1), at("deliver-at:tomorrow"));
        auto message = *read("SEND\ndestination:/queue/a\ndeliver-at:1800000000000\n\nx\0"s);
        std::string out;
        appendMessageHeaders(out, *message, Version::v12, NoNames());
        CPPUNIT_ASSERT(out.find("deliver-at:1800000000000\n") != out.npos);
        CPPUNIT_ASSERT(message->properties.empty());
    }

    void readsSchedules() {
        const auto of = [](const std::string& headers) {
            return *read("SEND\ndestination:/queue/a\n" + headers + "\n\nx\0"s);
        };
        const auto repeated =
            of("AMQ_SCHEDULED_PERIOD:500\nAMQ_SCHEDULED_REPEAT:9\nAMQ_SCHEDULED_DELAY:3000");
        CPPUNIT_ASSERT(repeated->recurrence && repeated->properties.empty());
        CPPUNIT_ASSERT(repeated->deliverAt == WallTime{});
        CPPUNIT_ASSERT((*repeated->recurrence ==
                        Recurrence{"", "UTC", Milliseconds(3000), Milliseconds(500), 9}));
        const auto cron = of("AMQ_SCHEDULED_CRON:*/5 * * * *\nbusbar-cron-zone:Europe/Berlin");
        CPPUNIT_ASSERT((*cron->recurrence == Recurrence{"*/5 * * * *", "Europe/Berlin",
                                                        Milliseconds(0), Milliseconds(0), 0}));
        CPPUNIT_ASSERT_EQUAL(
            kRepeatForever,
            of("AMQ_SCHEDULED_PERIOD:500\nAMQ_SCHEDULED_REPEAT:-1")->recurrence->repeats);
        // As with ActiveMQ: a period alone is one delivery.
        CPPUNIT_ASSERT(!of("AMQ_SCHEDULED_PERIOD:500")->recurrence);
        CPPUNIT_ASSERT(of("AMQ_SCHEDULED_PERIOD:500")->deliverAt ==
                       WallTime(Milliseconds(1'000'500)));
        CPPUNIT_ASSERT(of("AMQ_SCHEDULED_PERIOD:500\nAMQ_SCHEDULED_DELAY:70")->deliverAt ==
                       WallTime(Milliseconds(1'000'070)));
        for (const std::string header : {"AMQ_SCHEDULED_PERIOD:-1", "AMQ_SCHEDULED_PERIOD:often",
                                         "AMQ_SCHEDULED_REPEAT:-2", "AMQ_SCHEDULED_REPEAT:1.5"}) {
            const auto result = read("SEND\ndestination:/queue/a\n" + header + "\n\nx\0"s);
            CPPUNIT_ASSERT_MESSAGE(header, !result);
            CPPUNIT_ASSERT(result.error().code == ErrorCode::invalidArgument);
        }
    }

    void groupsCanBeClosed() {
        const auto message =
            *read("SEND\ndestination:/queue/a\nJMSXGroupID:g\nJMSXGroupSeq:-1\n\nx\0"s);
        CPPUNIT_ASSERT_EQUAL(-1, message->groupSequence);
        std::string out;
        appendMessageHeaders(out, *message, Version::v12, NoNames());
        CPPUNIT_ASSERT(out.find("JMSXGroupID:g\nJMSXGroupSeq:-1\n") != out.npos);
    }

    void readsListsOfStoredIds() {
        const auto ids = toStoredIds("processed", "4,7-9,2", 5);
        CPPUNIT_ASSERT(ids.ok());
        CPPUNIT_ASSERT(
            (*ids == std::vector{StoredId(4), StoredId(7), StoredId(8), StoredId(9), StoredId(2)}));
        CPPUNIT_ASSERT(toStoredIds("processed", "", 5)->empty());
        for (const std::string bad :
             {"0", "x", "3-", "-3", "5-4", "1,,2", "1-6", "1,2-6", "1-18446744073709551615"}) {
            CPPUNIT_ASSERT_MESSAGE(bad, !toStoredIds("processed", bad, 5));
        }
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(MappingTest);
