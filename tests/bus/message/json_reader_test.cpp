#include "bus/message/json_reader.h"

#include "bus/message/body.h"
#include "bus/message/json.h"

#include <cppunit/extensions/HelperMacros.h>

#include <limits>

using namespace busbar;
using namespace std::string_literals;

class MapJsonTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(MapJsonTest);
    CPPUNIT_TEST(whatIsShownComesBack);
    CPPUNIT_TEST(numbersMayComeAsStrings);
    CPPUNIT_TEST(refusesWhatIsNotJson);
    CPPUNIT_TEST(refusesWhatIsNotOurSpelling);
    CPPUNIT_TEST(boundsDepthAndNumber);
    CPPUNIT_TEST(readsActiveMqsEntries);
    CPPUNIT_TEST(readsPlainObjects);
    CPPUNIT_TEST_SUITE_END();

    static std::string shown(BodyKind kind, const std::string& body) {
        Message message;
        message.bodyKind = kind;
        message.body = Buffer::of(body);
        return *jsonBody(message);
    }
    static std::string value(const std::string& json) { return R"({"v":)" + json + "}"; }
    static void refused(const Result<std::string>& read, const std::string& what,
                        ErrorCode code = ErrorCode::invalidArgument) {
        CPPUNIT_ASSERT_MESSAGE(what, !read);
        CPPUNIT_ASSERT_MESSAGE(what + ": " + read.error().text, read.error().code == code);
    }
    static std::string asTyped(const Result<std::string>& body) {
        CPPUNIT_ASSERT_MESSAGE(body.ok() ? "" : body.error().text, body.ok());
        return shown(BodyKind::map, *body);
    }

  public:
    void whatIsShownComesBack() {
        using Int64 = std::numeric_limits<std::int64_t>;
        const BodyList scalars{{Value()},
                               {Value(true)},
                               {Value(std::int8_t{-128})},
                               {Value(std::int16_t{7})},
                               {Value(std::int32_t{-3})},
                               {Value(Int64::min())},
                               {Value(0.1f)},
                               {Value(1e-45f)},
                               {Value(-0.0)},
                               {Value(5e-324)},
                               {Value(std::numeric_limits<double>::infinity())},
                               {Value("a\"\\\n\t\x01/\xc3\xa4\xf0\x9f\x98\x80"s)},
                               {Value(Bytes{"\0\xff"s})},
                               {Value(u'\u00e4')},
                               {Value(char16_t{0xd83d})},
                               {Value(char16_t{0xde00})}};
        std::string stream;
        encodeStreamBody(scalars, stream);
        const auto again = bodyFromJson(BodyKind::stream, shown(BodyKind::stream, stream));
        CPPUNIT_ASSERT_MESSAGE(again.ok() ? "" : again.error().text, again.ok());
        CPPUNIT_ASSERT(*again == stream);
        const BodyMap named{
            {"l", {scalars}}, {"", {BodyMap{{"in\n", {BodyList{}}}}}}, {"e", {BodyMap{}}}};
        std::string map;
        encodeMapBody(named, map);
        const auto back = bodyFromJson(BodyKind::map, shown(BodyKind::map, map));
        CPPUNIT_ASSERT_MESSAGE(back.ok() ? "" : back.error().text, back.ok());
        CPPUNIT_ASSERT(*back == map);
        CPPUNIT_ASSERT(bodyFromJson(BodyKind::map, " {\r\n\t} ").ok());
        CPPUNIT_ASSERT(bodyFromJson(BodyKind::stream, "[]").ok());
    }

    void numbersMayComeAsStrings() {
        CPPUNIT_ASSERT_EQUAL(
            value(R"({"type":"long","value":9007199254740993})"),
            asTyped(bodyFromJson(BodyKind::map,
                                 value(R"({"value":"9007199254740993","type":"long"})"))));
        CPPUNIT_ASSERT_EQUAL(
            value(R"({"type":"double","value":"NaN"})"),
            asTyped(bodyFromJson(BodyKind::map, value(R"({"type":"double","value":"NaN"})"))));
    }

    void refusesWhatIsNotJson() {
        for (const char* text : {"",
                                 " ",
                                 "{",
                                 "}",
                                 "{]",
                                 "[}",
                                 "{\"a\"}",
                                 "{\"a\":}",
                                 "{\"a\":null,}",
                                 "[null,]",
                                 "{a:1}",
                                 "{'a':1}",
                                 "{} {}",
                                 "{}x",
                                 "[01]",
                                 "[-]",
                                 "[1.]",
                                 "[.5]",
                                 "[1e]",
                                 "[+1]",
                                 "[tru]",
                                 "[nul",
                                 "[\"a]",
                                 "[\"\\x\"]",
                                 "[\"\\u12\"]",
                                 "[\"\\u12g4\"]",
                                 "[\"a\nb\"]",
                                 "[NaN]",
                                 "[Infinity]",
                                 "\xef\xbb\xbf{}",
                                 "[\"\xff\"]",
                                 "/**/{}",
                                 "{\"a\":1,\"a\":1}"}) {
            refused(bodyFromJson(BodyKind::map, text), text, ErrorCode::malformed);
            refused(mapBodyFromMapJson(text), text, ErrorCode::malformed);
        }
        refused(bodyFromJson(BodyKind::stream, "[\0]"s), "NUL", ErrorCode::malformed);
        CPPUNIT_ASSERT_EQUAL("JSON, byte 7: a value is expected"s,
                             bodyFromJson(BodyKind::map, R"({"a": x})").error().text);
    }

    void refusesWhatIsNotOurSpelling() {
        refused(bodyFromJson(BodyKind::map, "[]"), "an array");
        refused(bodyFromJson(BodyKind::stream, "{}"), "an object");
        for (const char* wrong : {"3",
                                  "\"a\"",
                                  "null",
                                  "{}",
                                  R"({"type":"int"})",
                                  R"({"type":3,"value":3})",
                                  R"({"type":"int","value":3,"more":1})",
                                  R"({"type":"integer","value":3})",
                                  R"({"type":"int","value":3.5})",
                                  R"({"type":"int","value":true})",
                                  R"({"type":"int","value":"x"})",
                                  R"({"type":"byte","value":128})",
                                  R"({"type":"boolean","value":1})",
                                  R"({"type":"boolean","value":"true"})",
                                  R"({"type":"string","value":3})",
                                  R"({"type":"string","value":"\ud83d"})",
                                  R"({"type":"null","value":0})",
                                  R"({"type":"bytes","value":"a"})",
                                  R"({"type":"bytes","value":"YQ"})",
                                  R"({"type":"char","value":"ab"})",
                                  R"({"type":"char","value":""})",
                                  R"({"type":"float","value":1e39})",
                                  R"({"type":"list","value":{}})",
                                  R"({"type":"map","value":[]})",
                                  R"({"type":"list","value":[3]})"})
            refused(bodyFromJson(BodyKind::map, value(wrong)), wrong);
        refused(bodyFromJson(BodyKind::map, R"({"\ud83d":{"type":"int","value":3}})"),
                "half a name");
        CPPUNIT_ASSERT_EQUAL(
            "'a.b[1]': 'x' is not a value of the type int"s,
            bodyFromJson(BodyKind::map,
                         R"({"a":{"type":"map","value":{"b":{"type":"list","value":)"
                         R"([{"type":"int","value":1},{"type":"int","value":"x"}]}}}})")
                .error()
                .text);
    }

    void boundsDepthAndNumber() {
        const auto nested = [](int depth) {  // the outermost is one
            std::string out, end;
            for (int i = 1; i < depth; ++i) {
                out += R"([{"type":"list","value":)";
                end += "}]";
            }
            return out + "[]" + end;
        };
        CPPUNIT_ASSERT(bodyFromJson(BodyKind::stream, nested(16)).ok());
        refused(bodyFromJson(BodyKind::stream, nested(17)), "17 deep", ErrorCode::tooLarge);
        refused(bodyFromJson(BodyKind::stream, nested(100'000)), "deep", ErrorCode::tooLarge);
        refused(bodyFromJson(BodyKind::stream, std::string(1'000'000, '[')), "open",
                ErrorCode::tooLarge);
        refused(mapBodyFromMapJson(R"({"a":)" + std::string(16, '[') + std::string(16, ']') + "}"),
                "plain and deep", ErrorCode::tooLarge);
        const auto many = [](std::size_t count) {
            std::string out = "[";
            for (std::size_t i = 0; i < count; ++i)
                out += std::string(i == 0 ? "" : ",") + R"({"type":"int","value":1})";
            return out + "]";
        };
        CPPUNIT_ASSERT(bodyFromJson(BodyKind::stream, many(kJsonValuesMax)).ok());
        refused(bodyFromJson(BodyKind::stream, many(kJsonValuesMax + 1)), "many",
                ErrorCode::tooLarge);
        std::string plain = R"({"a":[1)";
        for (std::size_t i = 0; i < kJsonValuesMax; ++i) plain += ",1";
        refused(mapBodyFromMapJson(plain + "]}"), "many plain ones", ErrorCode::tooLarge);
    }

    void readsActiveMqsEntries() {
        CPPUNIT_ASSERT_EQUAL(
            R"({"name":{"type":"string","value":"Ann"},"age":{"type":"int","value":31},)"
            R"("b":{"type":"boolean","value":true},"n":{"type":"null","value":null},)"
            R"("raw":{"type":"bytes","value":"YQ=="}})"s,
            asTyped(mapBodyFromMapJson(
                R"({"map":{"entry":[{"string":["name","Ann"]},{"string":"age","int":31},)"
                R"({"string":"b","boolean":true},{"string":"n"},{"string":"raw","byte-array":"YQ=="}]}})")));
        CPPUNIT_ASSERT_EQUAL(
            R"({"a":{"type":"string","value":"b"}})"s,
            asTyped(mapBodyFromMapJson(R"({"map":{"entry":{"string":["a","b"]}}})")));
        for (const char* wrong :
             {R"({"string":["a"]})", R"({"string":["a","b","c"]})", R"({"int":3,"string":"a"})",
              R"({"string":3})", R"({"string":["a","b"],"int":3})", R"({"string":"a","date":3})",
              R"({"string":["a",3]})", "3", "{}", R"({"string":"a","int":3,"long":3})"})
            refused(mapBodyFromMapJson(R"({"map":{"entry":[)"s + wrong + "]}}"), wrong);
    }

    void readsPlainObjects() {
        CPPUNIT_ASSERT_EQUAL(
            R"({"city":{"type":"string","value":"Bonn"},"i":{"type":"int","value":-3},)"
            R"("l":{"type":"long","value":2147483648},"d":{"type":"double","value":0.5},)"
            R"("h":{"type":"double","value":1e+30},"b":{"type":"boolean","value":false},)"
            R"("n":{"type":"null","value":null},"a":{"type":"list","value":[{"type":"int","value":1}]},)"
            R"("map":{"type":"map","value":{"entry":{"type":"int","value":1}}}})"s,
            asTyped(mapBodyFromMapJson(
                R"({"city":"Bonn","i":-3,"l":2147483648,"d":0.5,"h":1e30,"b":false,"n":null,)"
                R"("a":[1],"map":{"entry":1}})")));
        refused(mapBodyFromMapJson("[]"), "an array");
        refused(mapBodyFromMapJson(R"({"a":"\udead"})"), "half a pair");
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(MapJsonTest);
