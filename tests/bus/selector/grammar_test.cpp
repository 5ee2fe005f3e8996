// What is a selector and what is not; errors name the place.
#include "bus/selector/selector.h"

#include <cppunit/extensions/HelperMacros.h>

using namespace busbar;
using std::string;

namespace {

string repeated(const string& text, int times) {
    string out;
    for (int i = 0; i < times; ++i) out += text;
    return out;
}

ErrorCode codeOf(const string& text, const SelectorLimits& limits = {}) {
    const auto result = Selector::parse(text, limits);
    CPPUNIT_ASSERT_MESSAGE(text.substr(0, 100), !result.ok());
    return result.error().code;
}

}  // namespace

class GrammarTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(GrammarTest);
    CPPUNIT_TEST(acceptsWhatIsASelector);
    CPPUNIT_TEST(refusesWithColumnAndExpectation);
    CPPUNIT_TEST(countsColumnsInCharacters);
    CPPUNIT_TEST(showsAShortExcerpt);
    CPPUNIT_TEST(refusesEmptyText);
    CPPUNIT_TEST(refusesWhatIsNoUtf8);
    CPPUNIT_TEST(boundsTheText);
    CPPUNIT_TEST(boundsDepthWithoutOverflowingTheStack);
    CPPUNIT_TEST(boundsOperationsAndLists);
    CPPUNIT_TEST(longFlatSelectorsNeedNoDepth);
    CPPUNIT_TEST(keepsItsText);
    CPPUNIT_TEST(namesItsEqualityKey);
    CPPUNIT_TEST_SUITE_END();

  public:
    void acceptsWhatIsASelector() {
        for (const auto* text : {
                 "JMSType = 'car' AND color = 'blue' AND weight > 2500",
                 "Country IN ('UK', 'US', 'France')",
                 "Country NOT IN (' UK','US')",
                 "phone LIKE '12%3'",
                 "underscored LIKE '\\_%' ESCAPE '\\'",
                 "age BETWEEN 15 and 19",
                 "prop_name IS nOt NuLL",
                 "\t a\n=\r\f1 ",
                 "not not (not a)",
                 "a=1or(b=2and c=3)",
                 "a<>-5 and b=+5",
                 "$x_1 = '' OR _y = 'a\nb'",
                 "(a) IS NULL AND (b) LIKE 'x' AND (c) IN (1)",
                 "日本 = 1",
                 "price * (1 + tax/100) <= budget - 1.5e2D",
                 "JMSXState_ IS NULL OR JMS_Busbar_x = 1",
             }) {
            const auto result = Selector::parse(text);
            CPPUNIT_ASSERT_MESSAGE(string(text) + ": " + (result ? "" : result.error().text),
                                   result.ok());
        }
    }

    void refusesWithColumnAndExpectation() {
        struct Case {
            const char* text;
            int column;
            const char* words;
        };
        for (const Case& c : {
                 Case{"a >", 4, "found the end where a name, a literal or ( was expected"},
                 Case{"a > > 5", 5, "found > where a name, a literal or ("},
                 Case{"a = 1 b", 7, "found b where AND, OR or the end"},
                 Case{"a = b = c", 7, "found = where AND, OR or the end"},
                 Case{"(a = 1", 7, "found the end where AND, OR or ) was"},
                 Case{"a = 1)", 6, "found ) where AND, OR or the end"},
                 Case{"a = 'x", 5, "a string without its closing quote"},
                 Case{"\"a = 1", 1, "a name without its closing double quote"},
                 Case{"\"\" = 1", 1, "a name without a character"},
                 Case{"a IN ()", 7, "found ) where a literal"},
                 Case{"a IN ('x' 'y')", 11, "where , or ) was"},
                 Case{"a IN (b)", 7, "found b where a literal"},
                 Case{"a IN 'x'", 6, "where the ( of IN"},
                 Case{"a IN (NULL)", 7, "found NULL where a literal"},
                 Case{"a NOT 5", 7, "found 5 where BETWEEN, IN or LIKE"},
                 Case{"a IS 5", 6, "where NULL or NOT NULL"},
                 Case{"a IS NOT 5", 10, "where NULL was"},
                 Case{"a LIKE 5", 8, "the pattern of LIKE"},
                 Case{"a LIKE b", 8, "the pattern of LIKE"},
                 Case{"a LIKE 'x' ESCAPE 'xy'", 12, "exactly one character"},
                 Case{"a LIKE 'x' ESCAPE ''", 12, "exactly one character"},
                 Case{"a LIKE 'x!' ESCAPE '!'", 8, "ends with its escape character"},
                 Case{"'a' LIKE 'a'", 1, "LIKE wants a name"},
                 Case{"a + 1 IS NULL", 1, "IS NULL wants a name"},
                 Case{"5 IN (5)", 1, "IN wants a name"},
                 Case{"a BETWEEN 1", 12, "where AND of BETWEEN"},
                 Case{"a BETWEEN 'a' AND 'b'", 11, "BETWEEN is about numbers"},
                 Case{"a > 'b'", 5, "only numbers are less or greater"},
                 Case{"a >= TRUE", 6, "only numbers are less or greater"},
                 Case{"(a = 1) < 5", 1, "only numbers are less or greater"},
                 Case{"a + 'b' = 5", 5, "only numbers can be computed with"},
                 Case{"TRUE * 2 = 2", 1, "only numbers can be computed with"},
                 Case{"-'a' = 1", 2, "only a number has a sign"},
                 Case{"a = NULL", 5, "use IS NULL"},
                 Case{"5", 1, "a number where a condition"},
                 Case{"a AND 'x'", 7, "a string where a condition"},
                 Case{"NOT a + 1", 5, "a number where a condition"},
                 Case{"like = 5", 1, "a reserved word"},
                 Case{"a = 08", 5, "an octal number"},
                 Case{"a = 0x", 5, "a hexadecimal number without a digit"},
                 Case{"a = 0xfg", 8, "found g where AND, OR or the end"},
                 Case{"a = 5abc", 6, "found abc where AND, OR or the end"},
                 Case{"a = 5LL", 7, "found L where AND, OR or the end"},
                 Case{"a = 9223372036854775808", 5, "does not fit into 64 bits"},
                 Case{"a = 99999999999999999999", 5, "does not fit into 64 bits"},
                 Case{"a = -9223372036854775809", 6, "does not fit into 64 bits"},
                 Case{"a = 1e999", 5, "too large or too small"},
                 Case{"a = 1e50F", 5, "too large or too small"},
                 Case{"a ; b", 3, "';' has no meaning"},
                 Case{"a = 1 % 2", 7, "'%' has no meaning"},
                 Case{"a == 1", 4, "found = where"},
                 Case{"a = \x01", 5, "a control character"},
                 Case{"JMSRedelivered = TRUE", 1, "known only of a delivery"},
                 Case{"JMSXDeliveryCount > 1", 1, "known only of a delivery"},
                 Case{"JMSDestination = 'q'", 1, "a destination, which selectors cannot use"},
                 Case{"JMSPriorty = 1", 1, "no header that selectors know"},
             }) {
            const auto result = Selector::parse(c.text);
            CPPUNIT_ASSERT_MESSAGE(c.text, !result.ok());
            const string start = "selector, column " + std::to_string(c.column) + ": ";
            const string& text = result.error().text;
            CPPUNIT_ASSERT_MESSAGE(string(c.text) + " => " + text, text.starts_with(start));
            CPPUNIT_ASSERT_MESSAGE(string(c.text) + " => " + text,
                                   text.find(c.words) != string::npos);
            CPPUNIT_ASSERT(result.error().code == ErrorCode::invalidArgument);
        }
    }

    void countsColumnsInCharacters() {
        const auto result = Selector::parse("größe = 'äöü' ;");
        CPPUNIT_ASSERT(result.error().text.starts_with("selector, column 15: "));
        const auto behindOptions = Selector::parse("hyphenated_props:a-b ;");
        CPPUNIT_ASSERT(behindOptions.error().text.starts_with("selector, column 22: "));
    }

    void showsAShortExcerpt() {
        const string far = repeated("a = 1 AND ", 100);
        const auto result = Selector::parse(far + "; " + far);
        CPPUNIT_ASSERT_EQUAL(string("selector, column 1001: ';' has no meaning here, in: "
                                    "...a = 1 AND a = 1 AND ; a = 1 AND a = 1 AN..."),
                             result.error().text);
        // Long words are cut between characters.
        const auto word = Selector::parse("a = 1 'x" + repeated("ü", 200) + "'");
        CPPUNIT_ASSERT(word.error().text.size() < 200);
        CPPUNIT_ASSERT(word.error().text.find("found 'xü") != string::npos);
    }

    void refusesEmptyText() {
        for (const auto* text : {"", "   \n", "hyphenated_props:", "()"})
            CPPUNIT_ASSERT(codeOf(text) == ErrorCode::invalidArgument);
    }

    void refusesWhatIsNoUtf8() {
        for (const auto* text : {"a = '\xff'", "\xc3 = 1", "a = '\xed\xa0\x80'"}) {
            const auto result = Selector::parse(text);
            CPPUNIT_ASSERT(result.error().text.find("no UTF-8") != string::npos);
        }
        CPPUNIT_ASSERT(
            Selector::parse("a = '\xff'").error().text.starts_with("selector, column 6"));
    }

    void boundsTheText() {
        CPPUNIT_ASSERT(codeOf(string(10'000'000, '(')) == ErrorCode::tooLarge);
        const string most = "a = '" + string(64 * 1024 - 6, 'x') + "'";
        CPPUNIT_ASSERT(Selector::parse(most).ok());
        CPPUNIT_ASSERT(codeOf(most + " ") == ErrorCode::tooLarge);
    }

    void boundsDepthWithoutOverflowingTheStack() {
        SelectorLimits wide;
        wide.textBytesMax = 1 << 20;
        wide.depthMax = 1 << 20;
        wide.operationsMax = 1 << 20;
        for (const auto* opening : {"(", "NOT ", "-", "+ ", "NOT(", "-(", "a AND (", "1 + ("}) {
            CPPUNIT_ASSERT(codeOf(repeated(opening, 10'000) + "a", wide) == ErrorCode::tooLarge);
            CPPUNIT_ASSERT(codeOf(repeated(opening, 201) + "a") == ErrorCode::tooLarge);
        }
        CPPUNIT_ASSERT(Selector::parse(repeated("(", 200) + "a" + repeated(")", 200)).ok());
        CPPUNIT_ASSERT(Selector::parse(repeated("NOT ", 200) + "a").ok());
        CPPUNIT_ASSERT(Selector::parse(repeated("(a) AND ", 300) + "(a)").ok());
    }

    void boundsOperationsAndLists() {
        SelectorLimits limits;
        limits.operationsMax = 12;
        limits.listItemsMax = 3;
        CPPUNIT_ASSERT(Selector::parse("a = 1 AND b = 2 AND c", limits).ok());
        CPPUNIT_ASSERT(codeOf("a = 1 AND b = 2 AND c = 3", limits) == ErrorCode::tooLarge);
        CPPUNIT_ASSERT(Selector::parse("a IN (1, 2, 3)", limits).ok());
        CPPUNIT_ASSERT(codeOf("a IN (1, 2, 3, 4)", limits) == ErrorCode::tooLarge);
        CPPUNIT_ASSERT(codeOf("a IN (" + repeated("1,", 20'000) + "1)") == ErrorCode::tooLarge);
        limits.searchedPartMax = 4;
        CPPUNIT_ASSERT(Selector::parse("a LIKE '_____%ab_d%abcdef%_____'", limits).ok());
        CPPUNIT_ASSERT(codeOf("a LIKE '%ab_de%'", limits) == ErrorCode::tooLarge);
    }

    void longFlatSelectorsNeedNoDepth() {
        Message m;
        m.properties.set("a", std::int32_t{799});
        string any, sum;
        for (int i = 0; i < 800; ++i) {
            any += (i ? " OR a = " : "a = ") + std::to_string(i);
            sum += i ? " + 1" : "1";
        }
        CPPUNIT_ASSERT((*Selector::parse(any))->matches(m));
        CPPUNIT_ASSERT((*Selector::parse(sum + " = a + 1"))->matches(m));
    }

    void keepsItsText() {
        const string text = " hyphenated_props:a = 1 ";
        CPPUNIT_ASSERT(codeOf(text) == ErrorCode::invalidArgument);  // options come first
        CPPUNIT_ASSERT_EQUAL(text.substr(1), (*Selector::parse(text.substr(1)))->text());
    }

    void namesItsEqualityKey() {
        struct Case {
            const char* text;
            const char* key;
        };
        for (const Case& c : {
                 Case{"p = 'v'", "p: 'v'"},
                 Case{"'v' = p", "p: 'v'"},
                 Case{"p = 1", "p: 1"},
                 Case{"p = 1.0F", "p: 1"},
                 Case{"p = -0.0", "p: 0"},
                 Case{"p = TRUE", "p: true"},
                 Case{"p", "p: true"},
                 Case{"((p = 'v'))", "p: 'v'"},
                 Case{"p IN ('a', 'b', 'a')", "p: 'a' 'b'"},
                 Case{"p IN (1, 1.0, '1')", "p: 1 '1'"},
                 Case{"p = 'a' OR p = 'b' OR p IN ('c')", "p: 'a' 'b' 'c'"},
                 Case{"p = 'a' OR q = 'b'", ""},
                 Case{"p = 'a' OR p > 5", ""},
                 Case{"p = 'a' OR NOT p = 'b'", ""},
                 Case{"p > 5 AND p = 'v'", "p: 'v'"},
                 Case{"p IN ('a', 'b') AND q = 'v'", "q: 'v'"},
                 Case{"p = 1 AND q = 'v'", "q: 'v'"},
                 Case{"p = TRUE AND q IN ('a', 'b')", "q: 'a' 'b'"},
                 Case{"JMSPriority = 4 AND q = 1", "q: 1"},
                 Case{"JMSDeliveryMode = 'PERSISTENT' AND q IN (1, 2)", "q: 1 2"},
                 Case{"JMSCorrelationID = 'c'", "JMSCorrelationID: 'c'"},
                 Case{"(p = 'a' AND q > 1) OR (p = 'b' AND q < 1)", "p: 'a' 'b'"},
                 Case{"NOT p = 'v'", ""},
                 Case{"NOT p", ""},
                 Case{"p <> 'v'", ""},
                 Case{"p NOT IN ('v')", ""},
                 Case{"(p = 'v') = FALSE", ""},
                 Case{"(p = 'v') = q", ""},
                 Case{"p = q", ""},
                 Case{"p + 1 = 2", ""},
                 Case{"p > 5", ""},
                 Case{"'a' = 'a'", ""},
                 Case{"TRUE", ""},
                 Case{"convert_string_expressions:p = '5'", "p (converted): 5"},
                 Case{"convert_string_expressions:p = 'True'", "p (converted): true"},
                 Case{"convert_string_expressions:p = 'v'", "p (converted): 'v'"},
             }) {
            CPPUNIT_ASSERT_EQUAL_MESSAGE(c.text, string(c.key), shown(c.text));
        }
    }

  private:
    static string shown(const string& text) {
        const auto parsed = Selector::parse(text);
        CPPUNIT_ASSERT_MESSAGE(text, parsed.ok());
        const auto& key = (*parsed)->equalityKey();
        if (!key) return "";
        string out = key->property;
        if (key->strings == StringKeys::converted) out += " (converted)";
        out += ":";
        for (const IndexKey& value : key->values) {
            if (value.kind == IndexKeyView::Kind::text)
                out += " '" + value.text + "'";
            else if (value.kind == IndexKeyView::Kind::boolean)
                out += value.number == 1 ? " true" : " false";
            else
                out += " " + std::to_string(static_cast<int>(value.number));
        }
        return out;
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(GrammarTest);
