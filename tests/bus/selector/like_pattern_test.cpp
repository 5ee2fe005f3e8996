// LIKE against the definition of its wildcards, spelled out without any cleverness.
#include "bus/selector/like_pattern.h"

#include <cppunit/extensions/HelperMacros.h>

#include <random>
#include <vector>

using namespace busbar;
using busbar::selector::LikePattern;
using std::string;

namespace {

bool matches(const string& pattern, const string& text, const string& escape = {}) {
    const auto parsed = LikePattern::parse(pattern, escape, 256);
    if (!parsed) CPPUNIT_FAIL(pattern + ": " + parsed.error().text);
    return parsed->matches(text);
}

using Characters = std::vector<string>;

Characters characters(const string& text) {
    Characters out;
    for (const char c : text) {
        if (out.empty() || (static_cast<unsigned char>(c) & 0xc0) != 0x80) out.emplace_back();
        out.back() += c;
    }
    return out;
}

bool reference(const Characters& pattern, std::size_t p, const Characters& text, std::size_t t) {
    if (p == pattern.size()) return t == text.size();
    if (pattern[p] == "%") {
        for (std::size_t to = t; to <= text.size(); ++to) {
            if (reference(pattern, p + 1, text, to)) return true;
        }
        return false;
    }
    return t < text.size() && (pattern[p] == "_" || pattern[p] == text[t]) &&
           reference(pattern, p + 1, text, t + 1);
}

}  // namespace

class LikePatternTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(LikePatternTest);
    CPPUNIT_TEST(matchesByCharacters);
    CPPUNIT_TEST(escapesWildcards);
    CPPUNIT_TEST(equalsTheReferenceOnRandomInput);
    CPPUNIT_TEST(hostilePatternsEnd);
    CPPUNIT_TEST(takesBytesThatAreNoText);
    CPPUNIT_TEST_SUITE_END();

  public:
    void matchesByCharacters() {
        CPPUNIT_ASSERT(matches("", ""));
        CPPUNIT_ASSERT(!matches("", "a"));
        CPPUNIT_ASSERT(matches("%", ""));
        CPPUNIT_ASSERT(matches("%%", "abc"));
        CPPUNIT_ASSERT(!matches("_", ""));
        CPPUNIT_ASSERT(matches("_", "ü"));
        CPPUNIT_ASSERT(matches("a_c", "a日c"));
        CPPUNIT_ASSERT(!matches("__", "ü"));
        CPPUNIT_ASSERT(matches("%_ü_%", "xxüxx"));
        CPPUNIT_ASSERT(matches("12%3", "123"));
        CPPUNIT_ASSERT(matches("12%3", "12993"));
        CPPUNIT_ASSERT(!matches("12%3", "1234"));
        CPPUNIT_ASSERT(!matches("ab%ba", "aba"));
        CPPUNIT_ASSERT(!matches("_%_", "a"));
        CPPUNIT_ASSERT(matches("a\nb", "a\nb"));
        CPPUNIT_ASSERT(matches("a%c", "a\nc"));
        CPPUNIT_ASSERT(matches("a.*[b]", "a.*[b]"));
        CPPUNIT_ASSERT(matches("\\_", "\\x"));  // without ESCAPE a backslash is a backslash
    }

    void escapesWildcards() {
        CPPUNIT_ASSERT(matches("\\_%", "_foo", "\\"));
        CPPUNIT_ASSERT(!matches("\\_%", "bar", "\\"));
        CPPUNIT_ASSERT(matches("a!%b", "a%b", "!"));
        CPPUNIT_ASSERT(!matches("a!%b", "axb", "!"));
        CPPUNIT_ASSERT(matches("a!!b", "a!b", "!"));
        CPPUNIT_ASSERT(matches("a!b", "ab", "!"));
        CPPUNIT_ASSERT(matches("aü_", "a_", "ü"));
        CPPUNIT_ASSERT(matches("a%%b", "a%b", "%"));
        CPPUNIT_ASSERT(!LikePattern::parse("a!", "!", 256).ok());
        CPPUNIT_ASSERT(LikePattern::parse("a!!", "!", 256).ok());
    }

    void equalsTheReferenceOnRandomInput() {
        std::mt19937_64 random(20260101);
        const string alphabet[] = {"a", "b", "ü", "_", "%", "%"};
        for (int round = 0; round < 50'000; ++round) {
            string pattern, text;
            for (auto n = random() % 8; n > 0; --n) pattern += alphabet[random() % 6];
            for (auto n = random() % 10; n > 0; --n) text += alphabet[random() % 3];
            CPPUNIT_ASSERT_EQUAL_MESSAGE(pattern + " ~ " + text,
                                         reference(characters(pattern), 0, characters(text), 0),
                                         matches(pattern, text));
        }
    }

    void hostilePatternsEnd() {
        string pattern;
        for (int i = 0; i < 5000; ++i) pattern += "a%";
        CPPUNIT_ASSERT(!matches(pattern + "b", string(65'000, 'a')));
        pattern.clear();
        for (int i = 0; i < 2000; ++i) pattern += "%_a";
        CPPUNIT_ASSERT(!matches(pattern + "b", string(65'000, 'a')));
        const string most = "%_" + string(254, 'a') + "b%";
        CPPUNIT_ASSERT(!matches(most, string(65'000, 'a')));
        CPPUNIT_ASSERT(LikePattern::parse("%_" + string(256, 'a') + "%", "", 256).error().code ==
                       ErrorCode::tooLarge);
    }

    void takesBytesThatAreNoText() {
        const string bad = "\x80\xff\xc3";
        CPPUNIT_ASSERT(matches("%", bad));
        CPPUNIT_ASSERT(matches("%_", bad));
        CPPUNIT_ASSERT(!matches("%a_%", bad));
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(LikePatternTest);
