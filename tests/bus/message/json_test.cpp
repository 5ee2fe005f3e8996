#include "bus/message/json.h"

#include "bus/message/body.h"

#include <cppunit/extensions/HelperMacros.h>

#include <limits>

using namespace busbar;
using namespace std::string_literals;

namespace {

std::string json(const Value& value) {
    std::string out;
    appendJson(out, value);
    return out;
}

Message message(BodyKind kind, std::string body) {
    Message out;
    out.bodyKind = kind;
    out.body = Buffer::of(std::move(body));
    return out;
}

}  // namespace

class JsonTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(JsonTest);
    CPPUNIT_TEST(valuesSayTheirTypes);
    CPPUNIT_TEST(realsLoseNothing);
    CPPUNIT_TEST(textIsAlwaysJson);
    CPPUNIT_TEST(mapsAreObjectsAndStreamsArrays);
    CPPUNIT_TEST(spoiltBodiesAreAnError);
    CPPUNIT_TEST_SUITE_END();

  public:
    void valuesSayTheirTypes() {
        CPPUNIT_ASSERT_EQUAL(R"({"type":"null","value":null})"s, json({}));
        CPPUNIT_ASSERT_EQUAL(R"({"type":"boolean","value":true})"s, json(true));
        CPPUNIT_ASSERT_EQUAL(R"({"type":"byte","value":-128})"s, json(std::int8_t{-128}));
        CPPUNIT_ASSERT_EQUAL(R"({"type":"short","value":7})"s, json(std::int16_t{7}));
        CPPUNIT_ASSERT_EQUAL(R"({"type":"int","value":-3})"s, json(std::int32_t{-3}));
        CPPUNIT_ASSERT_EQUAL(R"({"type":"long","value":-9223372036854775808})"s,
                             json(std::numeric_limits<std::int64_t>::min()));
        CPPUNIT_ASSERT_EQUAL(R"({"type":"string","value":"a"})"s, json("a"s));
        CPPUNIT_ASSERT_EQUAL(R"({"type":"bytes","value":"/wA="})"s, json(Bytes{"\xff\0"s}));
        CPPUNIT_ASSERT_EQUAL(R"({"type":"char","value":"\u00e4"})"s, json(u'\u00e4'));
        CPPUNIT_ASSERT_EQUAL(R"({"type":"char","value":"\ud83d"})"s, json(char16_t{0xd83d}));
    }

    void realsLoseNothing() {
        CPPUNIT_ASSERT_EQUAL(R"({"type":"float","value":0.1})"s, json(0.1f));
        CPPUNIT_ASSERT_EQUAL(R"({"type":"double","value":0.1})"s, json(0.1));
        CPPUNIT_ASSERT_EQUAL(R"({"type":"double","value":-0.0})"s, json(-0.0));
        CPPUNIT_ASSERT_EQUAL(R"({"type":"float","value":-0.0})"s, json(-0.0f));
        CPPUNIT_ASSERT_EQUAL(R"({"type":"double","value":5e-324})"s,
                             json(std::numeric_limits<double>::denorm_min()));
        CPPUNIT_ASSERT_EQUAL(R"({"type":"double","value":"-Infinity"})"s,
                             json(-std::numeric_limits<double>::infinity()));
        CPPUNIT_ASSERT_EQUAL(R"({"type":"float","value":"NaN"})"s,
                             json(std::numeric_limits<float>::quiet_NaN()));
    }

    void textIsAlwaysJson() {
        CPPUNIT_ASSERT_EQUAL(R"({"type":"string","value":"\"\\\u0000\u000a\u007f"})"s,
                             json("\"\\\0\n\x7f"s));
        CPPUNIT_ASSERT_EQUAL(R"({"type":"bytes","value":"/w=="})"s, json("\xff"s));
    }

    void mapsAreObjectsAndStreamsArrays() {
        std::string map;
        encodeMapBody({{"a\"", {Value(std::int32_t{1})}},
                       {"l", {BodyList{{Value("x"s)}, {BodyMap{}}, {BodyList{}}}}}},
                      map);
        CPPUNIT_ASSERT_EQUAL(
            R"({"a\"":{"type":"int","value":1},"l":{"type":"list","value":[)"
            R"({"type":"string","value":"x"},{"type":"map","value":{}},{"type":"list","value":[]}]}})"s,
            *jsonBody(message(BodyKind::map, map)));
        std::string stream;
        encodeStreamBody({{Value(true)}, {Value(1.5)}}, stream);
        CPPUNIT_ASSERT_EQUAL(R"([{"type":"boolean","value":true},{"type":"double","value":1.5}])"s,
                             *jsonBody(message(BodyKind::stream, stream)));
        CPPUNIT_ASSERT_EQUAL("{}"s, *jsonBody(message(BodyKind::map, "")));
    }

    void spoiltBodiesAreAnError() {
        CPPUNIT_ASSERT(jsonBody(message(BodyKind::map, "\5")).error().code == ErrorCode::malformed);
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(JsonTest);
