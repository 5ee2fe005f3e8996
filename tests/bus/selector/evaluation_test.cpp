// Truth tables and type rules, case by case (JMS 2.0 section 3.8.1).
#include "bus/selector/selector.h"

#include <cppunit/extensions/HelperMacros.h>

#include <limits>

using namespace busbar;
using std::string;

namespace {

enum Outcome { T, F, U };

std::shared_ptr<const Selector> parsed(const string& text) {
    auto result = Selector::parse(text);
    if (!result) CPPUNIT_FAIL(text + " => " + result.error().text);
    return *result;
}

/// FALSE and UNKNOWN select alike; NOT tells them apart.
Outcome evaluate(const string& text, const Message& message) {
    string options;
    string rest = text;
    if (const auto colon = text.find("s:");
        text.starts_with("convert_string") && colon != text.npos) {
        options = text.substr(0, colon + 2);
        rest = text.substr(colon + 2);
    }
    const bool yes = parsed(text)->matches(message);
    const bool no = parsed(options + "NOT (" + rest + ")")->matches(message);
    CPPUNIT_ASSERT_MESSAGE(text, !(yes && no));
    return yes ? T : no ? F : U;
}

struct Case {
    const char* text;
    Outcome outcome;
};

template <std::size_t N>
void check(const Case (&cases)[N], const Message& message) {
    static constexpr const char* kNames[] = {"TRUE", "FALSE", "UNKNOWN"};
    for (const Case& c : cases) {
        CPPUNIT_ASSERT_EQUAL_MESSAGE(c.text, string(kNames[c.outcome]),
                                     string(kNames[evaluate(c.text, message)]));
    }
}

Message sample() {
    Message m;
    m.properties.set("s", string("abc"));
    m.properties.set("quote", string("it's"));
    m.properties.set("empty", string());
    m.properties.set("five", string("5"));
    m.properties.set("half", string("0.5"));
    m.properties.set("yesText", string("True"));
    m.properties.set("t", true);
    m.properties.set("f", false);
    m.properties.set("byte", std::int8_t{-7});
    m.properties.set("short", std::int16_t{300});
    m.properties.set("int", std::int32_t{10});
    m.properties.set("long", std::int64_t{1} << 40);
    m.properties.set("most", std::numeric_limits<std::int64_t>::max());
    m.properties.set("least", std::numeric_limits<std::int64_t>::min());
    m.properties.set("float", 1.1f);
    m.properties.set("double", 2.5);
    m.properties.set("nan", std::numeric_limits<double>::quiet_NaN());
    m.properties.set("nil", Value{});
    m.properties.set("bytes", Bytes{"abc"});
    m.properties.set("char", u'a');
    m.properties.set("x-y", std::int32_t{1});
    m.properties.set("größe", std::int32_t{2});
    m.properties.set("a.b", std::int32_t{3});
    m.properties.set("in", std::int32_t{4});
    return m;
}

}  // namespace

class EvaluationTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(EvaluationTest);
    CPPUNIT_TEST(joinsThreeTruthValues);
    CPPUNIT_TEST(comparesNumbersOfAllTypes);
    CPPUNIT_TEST(comparesUnlikeTypesAsFalse);
    CPPUNIT_TEST(takesNullAsUnknown);
    CPPUNIT_TEST(computesLikeJava);
    CPPUNIT_TEST(readsLiterals);
    CPPUNIT_TEST(testsRangesListsAndPatterns);
    CPPUNIT_TEST(bindsByPrecedence);
    CPPUNIT_TEST(knowsHeaders);
    CPPUNIT_TEST(unsetHeadersAreNull);
    CPPUNIT_TEST(convertsStringsWhereAsked);
    CPPUNIT_TEST(takesNamesInAllSpellings);
    CPPUNIT_TEST(evaluatesDeepStacks);
    CPPUNIT_TEST_SUITE_END();

  public:
    void joinsThreeTruthValues() {
        // `none` has no value: UNKNOWN as a condition. The tables of section 3.8.1.2.
        check({{"t AND t", T},
               {"t AND f", F},
               {"t AND none", U},
               {"f AND t", F},
               {"f AND f", F},
               {"f AND none", F},
               {"none AND t", U},
               {"none AND f", F},
               {"none AND none", U},
               {"t OR t", T},
               {"t OR f", T},
               {"t OR none", T},
               {"f OR t", T},
               {"f OR f", F},
               {"f OR none", U},
               {"none OR t", T},
               {"none OR f", U},
               {"none OR none", U},
               {"NOT t", F},
               {"NOT f", T},
               {"NOT none", U},
               {"NOT NOT none", U},
               {"TRUE", T},
               {"FALSE", F},
               {"f OR none OR t", T},
               {"t AND none AND f", F},
               {"s", F},
               {"NOT s", T},
               {"int", F},
               {"bytes", F}},
              sample());
    }

    void comparesNumbersOfAllTypes() {
        check({{"int = 10", T},
               {"int = 10.0", T},
               {"int = 10F", T},
               {"int = 10L", T},
               {"10 = int", T},
               {"int <> 10", F},
               {"int != 11", T},
               {"int < 10", F},
               {"int <= 10", T},
               {"int > 9.5", T},
               {"int >= 10.5", F},
               {"9 < int", T},
               {"11 < int", F},
               {"10 <= int", T},
               {"10 >= int", T},
               {"9 > int", F},
               {"byte = -7", T},
               {"byte < short", T},
               {"long = 1099511627776", T},
               {"float = 1.1", F},  // the float nearest to 1.1 is not the double nearest to it
               {"float = 1.1F", T},
               {"double = 2.5", T},
               {"most > 9223372036854775806", T},
               {"least = -9223372036854775808", T},
               {"most = 9223372036854775808.0", T},  // as doubles, as in Java
               {"nan = nan", F},
               {"nan <> nan", T},
               {"nan < 1", F},
               {"nan >= 1", F}},
              sample());
    }

    void comparesUnlikeTypesAsFalse() {
        check({{"five = 5", F},
               {"five <> 5", F},
               {"s > 5", F},
               {"s < double", F},
               {"t = 1", F},
               {"t <> 1", F},
               {"t = 'true'", F},
               {"s = 'abc'", T},
               {"s <> 'abc'", F},
               {"s = 'ABC'", F},
               {"s <> 'x'", T},
               {"'abc' = s", T},
               {"t = TRUE", T},
               {"t <> f", T},
               {"t = f", F},
               {"t > f", F},
               {"s < s", F},
               {"s >= s", F},
               {"bytes = 'abc'", F},
               {"bytes <> 'abc'", F},
               {"bytes = bytes", F},
               {"char = 'a'", F},
               {"empty = ''", T},
               {"quote = 'it''s'", T},
               {"'a' = 1", F},
               {"'a' <> 1", F},
               {"(int > 5) = TRUE", T},
               {"(int > 5) = t", T},
               {"(int > 5) <> (double > 5)", T},
               {"(none > 5) = f", U},
               {"TRUE = (s = 'abc')", T}},
              sample());
    }

    void takesNullAsUnknown() {
        check({{"none = 1", U},
               {"none <> 1", U},
               {"none > 1", U},
               {"none = none", U},
               {"nil = 'x'", U},
               {"none IS NULL", T},
               {"none IS NOT NULL", F},
               {"nil IS NULL", T},
               {"s IS NULL", F},
               {"empty IS NULL", F},
               {"bytes IS NOT NULL", T},
               {"none + 1 = 2", U},
               {"-none = 1", U},
               {"+none = 1", U},
               {"none BETWEEN 1 AND 2", U},
               {"none NOT BETWEEN 1 AND 2", U},
               {"int BETWEEN none AND 5", F},
               {"int BETWEEN none AND 20", U},
               {"int NOT BETWEEN none AND 5", T},
               {"none IN ('a')", U},
               {"none NOT IN ('a')", U},
               {"none LIKE '%'", U},
               {"none NOT LIKE '%'", U}},
              sample());
    }

    void computesLikeJava() {
        check({{"int + 1 = 11", T},     {"int - 1 = 9", T},       {"int * 2 = 20", T},
               {"int / 4 = 2", T},      {"int / 4.0 = 2.5", T},   {"-7 / 2 = -3", T},
               {"byte / 2 = -3", T},    {"-int = -10", T},        {"- - int = 10", T},
               {"-(int + 1) = -11", T}, {"+int = 10", T},         {"int--1 = 11", T},
               {"2 + 3 * 4 = 14", T},   {"(2 + 3) * 4 = 20", T},  {"20 / 2 / 5 = 2", T},
               {"10 - 3 - 2 = 5", T},   {"most + 1 = least", T},  {"least - 1 = most", T},
               {"most * 2 = -2", T},    {"-least = least", T},    {"least / -1 = least", T},
               {"int / 0 = 1", U},      {"int / 0.0 > 1E308", T}, {"0.0 / 0.0 = 0", F},
               {"s + 1 = 2", U},        {"t * 2 = 2", U},         {"-s = 1", U},
               {"five + 1 = 6", U}},
              sample());
    }

    void readsLiterals() {
        check({{"16 = 0x10", T},
               {"255 = 0XfF", T},
               {"8 = 010", T},
               {"0 = 00", T},
               {"0x7fffffffffffffffL = most", T},
               {"-0x8000000000000000 = least", T},
               {"9223372036854775807 = most", T},
               {"1500 = 1.5E3", T},
               {"0.0015 = 1.5e-3", T},
               {"5. = 5", T},
               {".5 = 0.5", T},
               {"5d = 5", T},
               {"1e2f = 100", T},
               {"09.5 = 9.5", T},
               {"'a''b''' = 'a''b'''", T},
               {"true = TRUE", T},
               {"'ü' = 'ü'", T}},
              sample());
    }

    void testsRangesListsAndPatterns() {
        check({{"int BETWEEN 10 AND 11", T},
               {"int BETWEEN 9 AND 10", T},
               {"int BETWEEN 11 AND 9", F},
               {"int NOT BETWEEN 1 AND 9", T},
               {"int NOT BETWEEN 1 AND 10", F},
               {"int + 1 BETWEEN 5 * 2 AND 12.5", T},
               {"5 BETWEEN 1 AND int", T},
               {"s BETWEEN 1 AND 2", F},
               {"s NOT BETWEEN 1 AND 2", F},
               {"s IN ('x', 'abc')", T},
               {"s IN ('x')", F},
               {"s NOT IN ('x')", T},
               {"s NOT IN ('x', 'abc')", F},
               {"int IN ('10')", F},
               {"int NOT IN ('10')", F},
               {"int IN (1, 10.0)", T},
               {"int IN (-1, +10)", T},
               {"double IN (2, 2.5)", T},
               {"byte NOT IN (-7L)", F},
               {"byte NOT IN (7, 'x')", T},
               {"t IN (TRUE)", T},
               {"t NOT IN (FALSE)", T},
               {"bytes NOT IN ('abc')", F},
               {"s LIKE 'abc'", T},
               {"s LIKE 'a%'", T},
               {"s LIKE '_b_'", T},
               {"s LIKE '%c'", T},
               {"s LIKE 'a_'", F},
               {"s LIKE 'ABC'", F},
               {"s NOT LIKE 'x%'", T},
               {"s NOT LIKE '%'", F},
               {"int LIKE '10'", F},
               {"int NOT LIKE '10'", F},
               {"bytes NOT LIKE 'x'", F},
               {"half LIKE '0\\.5' ESCAPE '\\'", T}},
              sample());
    }

    void bindsByPrecedence() {
        check({{"t OR f AND f", T},
               {"(t OR f) AND f", F},
               {"NOT f AND f", F},
               {"NOT (f AND f)", T},
               {"NOT none IS NULL", F},  // NOT (none IS NULL)
               {"NOT int = 5", T},
               {"NOT s LIKE 'a%'", F},
               {"f AND f OR t", T},
               {"int BETWEEN 1 AND 20 AND f", F},
               {"f OR int BETWEEN 1 AND 20 AND t", T},
               {"((((t))))", T},
               {"-int + 20 = 10", T},
               {"2 * -3 = -6", T}},
              sample());
    }

    void knowsHeaders() {
        Message m;
        m.id = "ID:1";
        m.persistent = false;
        m.priority = 7;
        m.timestamp = WallTime(Milliseconds(1'700'000'000'000));
        m.expiration = WallTime(Milliseconds(1'800'000'000'000));
        m.correlationId = "c-1";
        m.type = "order";
        m.userId = "ann";
        m.groupId = "g";
        m.groupSequence = 3;
        check({{"JMSMessageID = 'ID:1'", T},
               {"JMSDeliveryMode = 'NON_PERSISTENT'", T},
               {"JMSDeliveryMode = 'PERSISTENT'", F},
               {"JMSPriority > 6", T},
               {"JMSTimestamp = 1700000000000", T},
               {"JMSExpiration = 1800000000000", T},
               {"JMSDeliveryTime = JMSTimestamp", T},
               {"JMSCorrelationID LIKE 'c-%'", T},
               {"JMSType IN ('order')", T},
               {"JMSXUserID = 'ann'", T},
               {"JMSXGroupID = 'g' AND JMSXGroupSeq = 3", T},
               {"JMSXAppID IS NULL", T},
               {"jmstype IS NULL", T}},
              m);
        m.deliverAt = WallTime(Milliseconds(1'700'000'000'500));
        m.properties.set("JMSType", string("a property does not hide a header"));
        check({{"JMSDeliveryTime - JMSTimestamp = 500", T}, {"JMSType = 'order'", T}}, m);
    }

    void unsetHeadersAreNull() {
        check({{"JMSMessageID IS NULL", T},
               {"JMSCorrelationID = ''", U},
               {"JMSType IS NULL", T},
               {"JMSXUserID IS NULL", T},
               {"JMSXGroupID IS NULL AND JMSXGroupSeq IS NULL", T},
               {"JMSPriority = 4", T},
               {"JMSDeliveryMode = 'PERSISTENT'", T},
               {"JMSExpiration = 0", T}},
              Message{});
    }

    void convertsStringsWhereAsked() {
#define C "convert_string_expressions:"
        check({{C "five = 5", T},
               {C "5 = five", T},
               {C "five = 5.0", T},
               {C "five <> 5", F},
               {C "five > 4.5", T},
               {C "half < 1", T},
               {C "half + 1 = 1.5", T},
               {C "-half = -0.5", T},
               {C "five BETWEEN 5 AND 6", T},
               {C "five IN (1, 5)", T},
               {C "five IN ('1', '5')", T},
               {C "five NOT IN (1, 2)", T},
               {C "int IN ('10')", T},
               {C "int NOT IN ('11')", T},
               {C "int NOT IN ('x')", F},
               {C "int = '10'", T},
               {C "yesText = TRUE", T},
               {C "yesText", T},
               {C "NOT yesText", F},
               {C "yesText IN (TRUE)", T},
               {C "five = '5'", T},
               {C "five = '5.0'", F},  // two strings stay strings
               {C "s = 5", F},
               {C "s <> 5", F},
               {C "s + 1 = 1", U},
               {C "empty = 0", F},
               {C "t = 'true'", T},
               {C "none = 5", U}},
              sample());
#undef C
        Message m;
        m.properties.set("p", string("inf"));
        m.properties.set("q", string("0x10"));
        m.properties.set("r", string("1e999"));
        for (const auto* text : {"p > 5", "q = 16", "r > 5"})
            CPPUNIT_ASSERT(!parsed(string("convert_string_expressions:") + text)->matches(m));
    }

    void takesNamesInAllSpellings() {
        check({{"\"x-y\" = 1", T},
               {"x - y = 1", U},
               {"x-y = 1", U},
               {"größe = 2", T},
               {"a.b = 3", T},
               {"\"in\" = 4", T},
               {"\"s\" = 'abc'", T},
               {"\"JMSPriority\" = 4", T},
               {"iNt = 10", U},
               {"$_ IS NULL", T},
               {"\"a\"\"b\" IS NULL", T}},
              sample());
        CPPUNIT_ASSERT(parsed("hyphenated_props:x-y = 1")->matches(sample()));
        CPPUNIT_ASSERT(parsed("hyphenated_props:convert_string_expressions:five = 5 AND x-y = 1")
                           ->matches(sample()));
        CPPUNIT_ASSERT(!parsed("convert_string_expressions:no_convert_string_expressions:five = 5")
                            ->matches(sample()));
    }

    void evaluatesDeepStacks() {
        string text;
        for (int i = 0; i < 150; ++i) text += "1 + (";
        text += "int";
        for (int i = 0; i < 150; ++i) text += ")";
        CPPUNIT_ASSERT(parsed(text + " = 160")->matches(sample()));
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(EvaluationTest);
