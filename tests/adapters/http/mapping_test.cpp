#include "adapters/http/message_mapping.h"
#include "bus/message/body.h"
#include "tests/adapters/http/http_test_support.h"

namespace busbar::http {

class MappingTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(MappingTest);
    CPPUNIT_TEST(mapsEveryHeader);
    CPPUNIT_TEST(tellsTextFromBytes);
    CPPUNIT_TEST(refusesTextThatIsNotUtf8);
    CPPUNIT_TEST(refusesBadNames);
    CPPUNIT_TEST(writesTypedProperties);
    CPPUNIT_TEST(saysTheKindOfTheBody);
    CPPUNIT_TEST(mapsAndStreamsAreJson);
    CPPUNIT_TEST(takesWhatItShows);
    CPPUNIT_TEST(namesWrongKindsAndTypes);
    CPPUNIT_TEST(checksUtf8);
    CPPUNIT_TEST_SUITE_END();

    static Result<std::shared_ptr<Message>> map(Headers headers, std::string body = "x") {
        return messageOf(
            test::makeRequest("POST", "/queues/q/messages", std::move(body), std::move(headers)),
            Destination::queue("q"), WallTime(Milliseconds(1000)));
    }

    void mapsEveryHeader() {
        const auto mapped = map({{"X-Priority", "9"},
                                 {"X-Persistent", "false"},
                                 {"X-Expires-Ms", "500"},
                                 {"X-Correlation-Id", "c"},
                                 {"X-Reply-To", "topic://t"},
                                 {"X-Message-Type", "order"},
                                 {"X-Group-Id", "g"},
                                 {"X-Property-Colour", "red"},
                                 {"Idempotency-Key", "k"}});
        CPPUNIT_ASSERT(mapped.ok());
        const Message& message = **mapped;
        CPPUNIT_ASSERT_EQUAL(9, int(message.priority));
        CPPUNIT_ASSERT(!message.persistent);
        CPPUNIT_ASSERT(message.expiration == WallTime(Milliseconds(1500)));
        CPPUNIT_ASSERT_EQUAL(std::string("c"), message.correlationId);
        CPPUNIT_ASSERT(message.replyTo == Destination::topic("t"));
        CPPUNIT_ASSERT_EQUAL(std::string("order"), message.type);
        CPPUNIT_ASSERT_EQUAL(std::string("g"), message.groupId);
        CPPUNIT_ASSERT_EQUAL(std::string("k"), message.dedupId);
        CPPUNIT_ASSERT_EQUAL(std::string("red"), toText(*message.properties.find("Colour")));
    }
    void tellsTextFromBytes() {
        for (const std::string type :
             {"text/plain", "application/json", "application/xml",
              "application/soap+xml; action=\"a\"", "APPLICATION/JSON; charset=UTF-8"}) {
            CPPUNIT_ASSERT_MESSAGE(type,
                                   (*map({{"Content-Type", type}}))->bodyKind == BodyKind::text);
        }
        CPPUNIT_ASSERT((*map({}))->bodyKind == BodyKind::bytes);
        CPPUNIT_ASSERT((*map({{"Content-Type", "image/png"}}))->bodyKind == BodyKind::bytes);
        CPPUNIT_ASSERT(
            (*map({{"Content-Type", "text/plain; charset=iso-8859-1"}}, "\xe4"))->bodyKind ==
            BodyKind::bytes);
    }
    void refusesTextThatIsNotUtf8() {
        CPPUNIT_ASSERT(map({{"Content-Type", "text/plain"}}, "\xe4").error().code ==
                       ErrorCode::malformed);
    }
    void refusesBadNames() {
        CPPUNIT_ASSERT(!map({{"X-Property-1x", "v"}}));
        CPPUNIT_ASSERT(!map({{"X-Property-", "v"}}));
        CPPUNIT_ASSERT(!map({{"X-Reply-To", "queue://"}}));
    }
    void writesTypedProperties() {
        Message message;
        message.properties.append("i", std::int32_t(-3));
        message.properties.append("d", 1.5);
        message.properties.append("b", true);
        message.properties.append("n", std::monostate{});
        message.bodyKind = BodyKind::bytes;
        message.body = Buffer::of("\xff");
        JsonWriter json;
        writeMessage(json, message, [](JsonWriter&) {});
        const auto text = json.take();
        assertContains(text, "\"i\":{\"type\":\"int\",\"value\":-3}");
        assertContains(text, "\"d\":{\"type\":\"double\",\"value\":1.5}");
        assertContains(text, "\"n\":{\"type\":\"null\",\"value\":null}");
        assertContains(text, "\"body\":\"/w==\",\"bodyEncoding\":\"base64\"");
    }
    static std::string written(BodyKind kind, std::string body) {
        Message message;
        message.bodyKind = kind;
        message.body = Buffer::of(std::move(body));
        JsonWriter json;
        writeMessage(json, message, [](JsonWriter&) {});
        return json.take();
    }
    void saysTheKindOfTheBody() {
        assertContains(written(BodyKind::none, ""), R"("bodyKind":"none","body":"")");
        assertContains(written(BodyKind::text, "a"), R"("bodyKind":"text","body":"a"})");
        assertContains(written(BodyKind::object, "a"),
                       R"("bodyKind":"object","body":"YQ==","bodyEncoding":"base64"})");
        Message null;
        null.bodyKind = BodyKind::text;
        null.properties.set("busbar_nullText", true);
        JsonWriter json;
        writeMessage(json, null, [](JsonWriter&) {});
        assertContains(json.take(), R"("properties":{},"bodyKind":"text","body":null})");
    }
    void mapsAndStreamsAreJson() {
        std::string map;
        encodeMapBody({{"n", {Value(std::int32_t{-3})}}}, map);
        assertContains(written(BodyKind::map, map),
                       R"("bodyKind":"map","body":{"n":{"type":"int","value":-3}}})");
        std::string stream;
        encodeStreamBody({{Value(-0.0)}}, stream);
        assertContains(written(BodyKind::stream, stream),
                       R"("bodyKind":"stream","body":[{"type":"double","value":-0.0}]})");
        // Damaged: the bytes are all that there is to show.
        assertContains(written(BodyKind::map, "\5"),
                       R"("bodyKind":"map","body":"BQ==","bodyEncoding":"base64"})");
    }
    void takesWhatItShows() {
        const auto typed = map({{"X-Property-i", "-3"},
                                {"X-Property-d", "0.5"},
                                {"X-Property-s", "7"},
                                {"X-Types", "i=int, d=double"}});
        CPPUNIT_ASSERT_MESSAGE(typed.ok() ? "" : typed.error().text, typed.ok());
        CPPUNIT_ASSERT(*(*typed)->properties.find("i") == Value(std::int32_t{-3}));
        CPPUNIT_ASSERT(*(*typed)->properties.find("d") == Value(0.5));
        CPPUNIT_ASSERT(*(*typed)->properties.find("s") == Value(std::string("7")));
        for (const auto* kind : {"map", "stream"}) {
            const std::string json = kind == std::string("map")
                                         ? R"({"n":{"type":"float","value":0.1}})"
                                         : R"([{"type":"long","value":-9}])";
            const auto sent =
                map({{"X-Body-Kind", kind}, {"Content-Type", "application/json"}}, json);
            CPPUNIT_ASSERT_MESSAGE(sent.ok() ? "" : sent.error().text, sent.ok());
            CPPUNIT_ASSERT_EQUAL(std::string(), (*sent)->contentType);
            assertContains(written((*sent)->bodyKind, std::string((*sent)->body.view())),
                           R"("bodyKind":")" + std::string(kind) + R"(","body":)" + json);
        }
        const auto kindOf = [](const char* kind, std::string body) {
            return (*map({{"X-Body-Kind", kind}, {"Content-Type", "text/plain"}}, std::move(body)))
                ->bodyKind;
        };
        CPPUNIT_ASSERT(kindOf("none", "") == BodyKind::none);
        CPPUNIT_ASSERT(kindOf("text", "a") == BodyKind::text);
        CPPUNIT_ASSERT(kindOf("bytes", "a\xff") == BodyKind::bytes);
        CPPUNIT_ASSERT(kindOf("object", "\xac\xed") == BodyKind::object);
    }
    void namesWrongKindsAndTypes() {
        const auto refused = [](Headers headers, std::string body, const std::string& expected) {
            const auto mapped = map(std::move(headers), std::move(body));
            CPPUNIT_ASSERT_MESSAGE(expected, !mapped);
            assertContains(mapped.error().text, expected);
        };
        refused({{"X-Body-Kind", "amqp"}}, "x", "X-Body-Kind is 'amqp': none, text,");
        refused({{"X-Body-Kind", "map"}}, "x", "X-Body-Kind: map: JSON, byte 1");
        refused({{"X-Body-Kind", "stream"}}, "{}", "X-Body-Kind: stream: an array is expected");
        refused({{"X-Body-Kind", "none"}}, "x", "X-Body-Kind is none, but there is a body");
        refused({{"X-Body-Kind", "text"}}, "\xff", "X-Body-Kind: the body of a text is UTF-8");
        refused({{"X-Types", "n=int"}}, "x", "X-Types: property 'n' has a type, but is not there");
        refused({{"X-Property-n", "x"}, {"X-Types", "n=int"}}, "x",
                "X-Types: property 'n': 'x' is");
        auto request =
            test::makeRequest("POST", "/queues/q/messages", "", {{"X-Body-Kind", "map"}});
        request.large = std::make_shared<LargeBody>(LargeBody{1, 5u << 20, 0});
        const auto large = messageOf(request, Destination::queue("q"), WallTime());
        CPPUNIT_ASSERT(!large && large.error().code == ErrorCode::tooLarge);
    }
    void checksUtf8() {
        for (const char* good :
             {"", "a", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf"}) {
            CPPUNIT_ASSERT_MESSAGE(good, isUtf8(good));
        }
        for (const char* bad : {"\x80", "\xc0\x80", "\xc3", "\xe0\x80\x80", "\xed\xa0\x80",
                                "\xf5\x80\x80\x80", "\xf4\x90\x80\x80", "\xe2\x82", "a\xff"}) {
            CPPUNIT_ASSERT(!isUtf8(bad));
        }
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(MappingTest);

}  // namespace busbar::http
