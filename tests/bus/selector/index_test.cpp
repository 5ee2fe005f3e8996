// The index against asking each selector, and what its keys are.
#include "bus/selector/selector_index.h"
#include "tests/bus/selector/reference.h"

#include <cppunit/extensions/HelperMacros.h>

#include <map>
#include <random>

using namespace busbar;
using std::string;

namespace {

using Ids = std::vector<std::uint64_t>;

std::shared_ptr<const Selector> parsed(const string& text) {
    auto result = Selector::parse(text);
    if (!result) CPPUNIT_FAIL(text + " => " + result.error().text);
    return *result;
}

Message with(const string& name, Value value) {
    Message m;
    m.properties.set(name, std::move(value));
    return m;
}

Ids matchOf(const SelectorIndex& index, const Message& m) {
    Ids out{99};
    index.match(m, out);
    return out;
}

}  // namespace

class IndexTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(IndexTest);
    CPPUNIT_TEST(equalValuesHaveEqualKeys);
    CPPUNIT_TEST(findsByKeyAndWithout);
    CPPUNIT_TEST(replacesAndForgets);
    CPPUNIT_TEST(findsHeadersAndConvertedStrings);
    CPPUNIT_TEST(reportsEachIdOnceForDoubledProperties);
    CPPUNIT_TEST(equalsAskingEachSelector);
    CPPUNIT_TEST_SUITE_END();

  public:
    void equalValuesHaveEqualKeys() {
        const auto keyOf = [](Value v) { return indexKey(with("p", std::move(v)), "p"); };
        const auto one = keyOf(std::int32_t{1});
        for (const Value& v : {Value(std::int8_t{1}), Value(std::int16_t{1}),
                               Value(std::int64_t{1}), Value(1.0f), Value(1.0)}) {
            CPPUNIT_ASSERT(keyOf(v) == one);
            CPPUNIT_ASSERT_EQUAL(IndexKeyHash{}(*one), IndexKeyHash{}(*keyOf(v)));
        }
        CPPUNIT_ASSERT(keyOf(string("1")) != one);
        CPPUNIT_ASSERT(keyOf(true) != one);
        CPPUNIT_ASSERT(keyOf(0.0) == keyOf(-0.0));
        CPPUNIT_ASSERT_EQUAL(IndexKeyHash{}(*keyOf(0.0)), IndexKeyHash{}(*keyOf(-0.0)));
        for (const Value& v : {Value(std::numeric_limits<double>::quiet_NaN()), Value(Bytes{"a"}),
                               Value(u'a'), Value()})
            CPPUNIT_ASSERT(!keyOf(v));
        CPPUNIT_ASSERT(!indexKey(Message{}, "p"));
        CPPUNIT_ASSERT(!indexKey(Message{}, "JMSType"));
        CPPUNIT_ASSERT(indexKey(Message{}, "JMSPriority") == IndexKey(4.0));
        CPPUNIT_ASSERT(indexKey(Message{}, "JMSDeliveryMode") == IndexKey(string("PERSISTENT")));
        CPPUNIT_ASSERT(indexKey(with("p", string("1.0")), "p", StringKeys::converted) == one);
        CPPUNIT_ASSERT(indexKey(with("p", string("TRUE")), "p", StringKeys::converted) ==
                       IndexKey(true));
        CPPUNIT_ASSERT(indexKey(with("p", string("x")), "p", StringKeys::converted) ==
                       IndexKey(string("x")));
    }

    void findsByKeyAndWithout() {
        SelectorIndex index;
        CPPUNIT_ASSERT(matchOf(index, Message{}).empty());
        index.add(7, parsed("p = 'a'"));
        index.add(3, parsed("p = 'b'"));
        index.add(5, parsed("p IN ('a', 'b') AND JMSPriority = 4"));
        index.add(9, parsed("p LIKE 'a%'"));
        index.add(1, parsed("p = 'a'"));
        index.add(2, parsed("p = 'a' AND q > 5"));
        CPPUNIT_ASSERT(matchOf(index, with("p", string("a"))) == (Ids{1, 5, 7, 9}));
        CPPUNIT_ASSERT(matchOf(index, with("p", string("b"))) == (Ids{3, 5}));
        CPPUNIT_ASSERT(matchOf(index, with("p", string("c"))).empty());
        CPPUNIT_ASSERT(matchOf(index, with("q", string("a"))).empty());
        CPPUNIT_ASSERT_EQUAL(std::size_t(6), index.size());
    }

    void replacesAndForgets() {
        SelectorIndex index;
        index.add(1, parsed("p = 1"));
        index.add(2, parsed("p = 1"));
        index.add(1, parsed("p = 2"));
        CPPUNIT_ASSERT(matchOf(index, with("p", std::int32_t{1})) == Ids{2});
        CPPUNIT_ASSERT(matchOf(index, with("p", 2.0)) == Ids{1});
        index.remove(2);
        index.remove(2);
        index.remove(77);
        CPPUNIT_ASSERT(matchOf(index, with("p", std::int32_t{1})).empty());
        index.remove(1);
        CPPUNIT_ASSERT(index.empty());
        CPPUNIT_ASSERT(matchOf(index, with("p", 2.0)).empty());
    }

    void findsHeadersAndConvertedStrings() {
        SelectorIndex index;
        index.add(1, parsed("JMSCorrelationID = 'c'"));
        index.add(2, parsed("convert_string_expressions:p = 5"));
        index.add(3, parsed("p = 5"));
        index.add(4, parsed("p = '5'"));
        Message m = with("p", string("5"));
        m.correlationId = "c";
        CPPUNIT_ASSERT(matchOf(index, m) == (Ids{1, 2, 4}));
        CPPUNIT_ASSERT(matchOf(index, with("p", 5.0)) == (Ids{2, 3}));
    }

    void reportsEachIdOnceForDoubledProperties() {
        SelectorIndex index;
        index.add(1, parsed("p = 'a'"));
        for (std::uint64_t i = 2; i < 10; ++i)
            index.add(i, parsed("x" + std::to_string(i) + " = 1"));
        Message m;
        m.properties.append("p", string("a"));
        m.properties.append("p", string("b"));
        CPPUNIT_ASSERT(matchOf(index, m) == Ids{1});
    }

    void equalsAskingEachSelector() {
        std::mt19937_64 random(4711);
        test::SelectorGenerator generator(4711);
        SelectorIndex index;
        std::map<std::uint64_t, std::shared_ptr<const Selector>> all;
        std::size_t found = 0;
        for (int round = 0; round < 4000; ++round) {
            const std::uint64_t id = random() % 300;
            if (random() % 3 == 0) {
                index.remove(id);
                all.erase(id);
            } else {
                string text = test::write(generator.condition(static_cast<int>(random() % 3)));
                if (random() % 4 == 0) text = "convert_string_expressions:" + text;
                if (random() % 4 == 0) text = "p" + std::to_string(random() % 50) + " = 1";
                index.add(id, parsed(text));
                all[id] = parsed(text);
            }
            Message m = generator.message();
            m.properties.append("p" + std::to_string(random() % 50), 1.0);
            Ids expected;
            for (const auto& [key, selector] : all) {
                if (selector->matches(m)) expected.push_back(key);
            }
            CPPUNIT_ASSERT_EQUAL(all.size(), index.size());
            CPPUNIT_ASSERT_MESSAGE("round " + std::to_string(round), matchOf(index, m) == expected);
            found += expected.size();
        }
        CPPUNIT_ASSERT(found > 10'000);
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(IndexTest);
