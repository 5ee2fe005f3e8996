// Generated selectors over generated messages, against the reference.
#include "bus/selector/selector.h"
#include "tests/bus/selector/reference.h"

#include <cppunit/extensions/HelperMacros.h>

#include <algorithm>
#include <set>

using namespace busbar;
using std::string;

class GeneratedTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(GeneratedTest);
    CPPUNIT_TEST(equalsTheReference);
    CPPUNIT_TEST(equalityKeysHoldForEachMatch);
    CPPUNIT_TEST(parsesOrRefusesAnyCutOfASelector);
    CPPUNIT_TEST_SUITE_END();

  public:
    void equalsTheReference() {
        std::set<int> seen;
        test::SelectorGenerator generator(kSeed);
        for (int round = 0; round < 20'000; ++round) {
            const auto expression = generator.condition(round % 5);
            const string text = test::write(expression);
            const bool convert = round % 3 == 0;
            const string options = convert ? "convert_string_expressions:" : "";
            const auto selector = parsed(options + text);
            const auto negated = parsed(options + "NOT (" + text + ")");
            for (int i = 0; i < 8; ++i) {
                const Message m = generator.message();
                const auto expected = test::evaluate(expression, m, convert);
                const string where = options + text + " of message " + std::to_string(i) +
                                     " in round " + std::to_string(round);
                CPPUNIT_ASSERT_EQUAL_MESSAGE(where, expected == true, selector->matches(m));
                CPPUNIT_ASSERT_EQUAL_MESSAGE("NOT " + where, expected == false,
                                             negated->matches(m));
                seen.insert(expected ? *expected : 2);
            }
        }
        CPPUNIT_ASSERT_EQUAL_MESSAGE("all three truth values", std::size_t(3), seen.size());
    }

    void equalityKeysHoldForEachMatch() {
        test::SelectorGenerator generator(kSeed + 1);
        std::size_t keyed = 0;
        for (int round = 0; round < 40'000; ++round) {
            string text = test::write(generator.condition(round % 4));
            if (round % 2) text = "convert_string_expressions:" + text;
            const auto selector = parsed(text);
            const auto& key = selector->equalityKey();
            if (!key) continue;
            for (int i = 0; i < 8; ++i) {
                const Message m = generator.message();
                if (!selector->matches(m)) continue;
                ++keyed;
                const auto value = indexKey(m, key->property, key->strings);
                CPPUNIT_ASSERT_MESSAGE(text + " matches without a key", value.has_value());
                CPPUNIT_ASSERT_MESSAGE(text + " matches outside of its key",
                                       std::count(key->values.begin(), key->values.end(), *value));
                CPPUNIT_ASSERT(key->of(m) == value->view());
            }
        }
        CPPUNIT_ASSERT(keyed > 1000);
    }

    void parsesOrRefusesAnyCutOfASelector() {
        test::SelectorGenerator generator(kSeed + 2);
        for (int round = 0; round < 200; ++round) {
            const string text = test::write(generator.condition(4));
            for (std::size_t size = 0; size < text.size(); ++size) {
                const auto result = Selector::parse(text.substr(0, size));
                if (!result) CPPUNIT_ASSERT(result.error().text.starts_with("selector, column "));
            }
        }
    }

  private:
    static constexpr std::uint64_t kSeed = 20261123;

    static std::shared_ptr<const Selector> parsed(const string& text) {
        auto result = Selector::parse(text);
        if (!result) CPPUNIT_FAIL(text + " => " + result.error().text);
        return *result;
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(GeneratedTest);
