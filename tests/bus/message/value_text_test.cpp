#include "bus/message/value_text.h"

#include <cppunit/extensions/HelperMacros.h>

#include <cmath>
#include <limits>

using namespace busbar;
using namespace std::string_literals;

class ValueTextTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ValueTextTest);
    CPPUNIT_TEST(everyValueComesBackFromItsText);
    CPPUNIT_TEST(whatIsNotOfTheTypeIsRefused);
    CPPUNIT_TEST(propertiesComeBackWithTheirTypes);
    CPPUNIT_TEST(wrongTypesAreNamed);
    CPPUNIT_TEST_SUITE_END();

    static Properties strings(std::initializer_list<std::pair<std::string, std::string>> pairs) {
        Properties out;
        for (const auto& [name, text] : pairs) out.append(name, text);
        return out;
    }

  public:
    void everyValueComesBackFromItsText() {
        using Int64 = std::numeric_limits<std::int64_t>;
        for (const Value& value : {Value(),
                                   Value(true),
                                   Value(false),
                                   Value(std::int8_t{-128}),
                                   Value(std::int8_t{127}),
                                   Value(std::int16_t{-32768}),
                                   Value(std::int32_t{-2147483647 - 1}),
                                   Value(Int64::min()),
                                   Value(Int64::max()),
                                   Value(0.1f),
                                   Value(1e-45f),
                                   Value(-0.0f),
                                   Value(5e-324),
                                   Value(1.7976931348623157e308),
                                   Value(1e22),
                                   Value(-std::numeric_limits<double>::infinity()),
                                   Value(""s),
                                   Value("a,b=c"s),
                                   Value(Bytes{"\0\xff"s}),
                                   Value(Bytes{}),
                                   Value(u'\0'),
                                   Value(u'a'),
                                   Value(u'\u00e4'),
                                   Value(u'\uffff'),
                                   Value(char16_t{0xd83d})}) {
            const auto again = valueFromText(typeOf(value), toText(value));
            CPPUNIT_ASSERT_MESSAGE(std::string(typeOf(value)) + " " + toText(value),
                                   again.ok() && *again == value);
        }
        CPPUNIT_ASSERT(std::signbit(std::get<double>(*valueFromText("double", "-0"))));
        CPPUNIT_ASSERT(std::isnan(std::get<float>(*valueFromText("float", toText(Value(NAN))))));
        CPPUNIT_ASSERT(std::isinf(std::get<double>(*valueFromText("double", "Infinity"))));
    }

    void whatIsNotOfTheTypeIsRefused() {
        const std::pair<const char*, const char*> rows[] = {
            {"int", ""},          {"int", "1.5"},
            {"int", "+1"},        {"int", " 1"},
            {"int", "1 "},        {"int", "0x1"},
            {"int", "a"},         {"int", "2147483648"},
            {"byte", "128"},      {"byte", "-129"},
            {"byte", "a"},        {"short", "40000"},
            {"long", "1e3"},      {"float", "1e39"},
            {"double", "1e400"},  {"double", ""},
            {"double", "1,5"},    {"boolean", "TRUE"},
            {"boolean", "1"},     {"bytes", "0"},
            {"bytes", "0g"},      {"char", ""},
            {"char", "ab"},       {"char", "\xff"},
            {"char", "\xc0\x80"}, {"char", "\xf0\x9f\x98\x80"},
            {"null", "x"},        {"integer", "1"}};
        for (const auto& [type, text] : rows) {
            const auto read = valueFromText(type, text);
            CPPUNIT_ASSERT_MESSAGE(std::string(type) + " " + text,
                                   !read && read.error().code == ErrorCode::invalidArgument);
        }
    }

    void propertiesComeBackWithTheirTypes() {
        Properties sent;
        sent.append("s", "int"s);
        sent.append("i", std::int32_t(-3));
        sent.append("50%, a=b", 0.5f);
        sent.append("z", Value());
        const auto types = typesOf(sent);
        CPPUNIT_ASSERT_EQUAL("i=int,50%25%2C%20a%3Db=float,z=null"s, types);
        auto got = strings({{"s", "int"}, {"i", "-3"}, {"50%, a=b", "0.5"}, {"z", ""}});
        const auto applied = applyTypes(types, got);
        CPPUNIT_ASSERT_MESSAGE(applied.ok() ? "" : applied.error().text, applied.ok());
        CPPUNIT_ASSERT(got == sent);
        CPPUNIT_ASSERT_EQUAL(""s, typesOf(strings({{"a", "1"}})));
        auto spaced = strings({{"a", "1"}, {"b", "true"}});
        CPPUNIT_ASSERT(applyTypes(" a = long , b=boolean, ", spaced).ok());
        CPPUNIT_ASSERT(*spaced.find("a") == Value(std::int64_t{1}));
        CPPUNIT_ASSERT(*spaced.find("b") == Value(true));
    }

    void wrongTypesAreNamed() {
        const std::pair<const char*, const char*> rows[] = {
            {"a", "NAME=TYPE"},
            {"=int", "property ''"},
            {"a%4=int", "NAME=TYPE"},
            {"a%zz=int", "NAME="},
            {"b=int", "not there"},
            {"a=integer", "'integer' is not known"},
            {"a=double", "'x' is not a value of the type double"},
            {"n=int,n=int", "two types"}};
        for (const auto& [types, expected] : rows) {
            auto properties = strings({{"a", "x"}, {"n", "1"}});
            const auto applied = applyTypes(types, properties);
            CPPUNIT_ASSERT_MESSAGE(types, !applied);
            CPPUNIT_ASSERT_MESSAGE(applied.error().text,
                                   applied.error().text.find(expected) != std::string::npos);
        }
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(ValueTextTest);
