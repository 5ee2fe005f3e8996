// Does each consumer get what it selects?
#include "tests/bus/core/core_fixture.h"

#include <cppunit/extensions/HelperMacros.h>

#include <deque>

namespace busbar::test {

using namespace std::chrono_literals;
using std::string;

class SelectorsTest : public CoreFixture {
    CPPUNIT_TEST_SUITE(SelectorsTest);
    CPPUNIT_TEST(givesAConsumerWhatItSelects);
    CPPUNIT_TEST(refusesAWrongSelectorAndSaysWhere);
    CPPUNIT_TEST(servesAThousandSelectors);
    CPPUNIT_TEST(ordersWhatIsSelectedByPriority);
    CPPUNIT_TEST(selectsWhatComesBack);
    CPPUNIT_TEST(aSelectorThatLeavesChangesNothingForOthers);
    CPPUNIT_TEST(aDurableSubscriptionKeepsItsSelector);
    CPPUNIT_TEST_SUITE_END();

  public:
    void put(SessionId s, const string& text, const string& color, int priority = 4) {
        auto message = h.text("q", text);
        message->properties.set("color", color);
        message->priority = static_cast<unsigned char>(priority);
        h.run(Send{s, {}, message});
    }
    void select(SessionId s, std::uint64_t id, const string& selector, std::uint32_t credit = 100) {
        auto c = h.subscription(s, id, Destination::queue("q"), credit);
        c.selector = selector;
        h.run(c);
        CPPUNIT_ASSERT(!h.take<Completed>()->error);
    }
    string taken(std::uint64_t consumer) {
        string out;
        std::deque<Effect> others;
        for (auto& effect : h.effects) {
            auto* d = std::get_if<Delivered>(&effect);
            if (d && d->consumer == ConsumerId(consumer))
                out += body(*d);
            else
                others.push_back(std::move(effect));
        }
        h.effects = std::move(others);
        return out;
    }

    void givesAConsumerWhatItSelects() {
        const auto s = h.open();
        put(s, "1", "red");
        put(s, "2", "blue");
        select(s, 1, "color = 'red'");
        select(s, 2, "color LIKE 'b%'");
        put(s, "3", "red");
        put(s, "4", "blue");
        put(s, "5", "green");
        CPPUNIT_ASSERT_EQUAL(string("13"), taken(1));
        CPPUNIT_ASSERT_EQUAL(string("24"), taken(2));
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(5), h.queue("q").depth);
        h.subscribe(s, 3, Destination::queue("q"));
        CPPUNIT_ASSERT_EQUAL(string("5"), taken(3));
    }

    void refusesAWrongSelectorAndSaysWhere() {
        const auto s = h.open();
        send(s, "q", "x", 0);
        for (const char* text : {"color =", "AND", "color = 'red", "a b", "(a = 1"}) {
            auto c = h.subscription(s, 1, Destination::queue("q"));
            c.selector = text;
            h.run(c);
            Selection selection;
            selection.selector = text;
            h.run(Purge{s, RequestId(2), "q", selection});
            h.run(MoveMessages{s, RequestId(3), "q", "r", selection});
            Browse browse{s, RequestId(4), "q", {}};
            browse.selector = text;
            h.run(browse);
            for (int i = 0; i < 3; ++i) {
                const auto refused = h.take<Completed>();
                CPPUNIT_ASSERT(refused->error->code == ErrorCode::invalidArgument);
                CPPUNIT_ASSERT_MESSAGE(refused->error->text,
                                       refused->error->text.find("column") != string::npos);
            }
            CPPUNIT_ASSERT(h.take<Browsed>()->error);
        }
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), h.queue("q").depth);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(0), h.queue("q").consumers);
    }

    void servesAThousandSelectors() {
        h.checkAlways = false;
        const auto s = h.open();
        for (std::uint64_t i = 0; i < 1000; ++i)
            select(s, i + 1, "color = 'c" + std::to_string(i) + "'");
        for (int i = 0; i < 10'000; ++i) {
            auto message = h.text("q", std::to_string(i), false);
            message->properties.set("color", "c" + std::to_string(i * 7 % 1000));
            h.apply(Send{s, {}, message});
        }
        h.broker->checkInvariants();
        int seen = 0;
        while (const auto d = h.take<Delivered>()) {
            CPPUNIT_ASSERT_EQUAL("c" + std::to_string(d->consumer.value - 1),
                                 toText(*d->delivery.message->properties.find("color")));
            ++seen;
        }
        CPPUNIT_ASSERT_EQUAL(10'000, seen);
    }

    void ordersWhatIsSelectedByPriority() {
        const auto s = h.open();
        select(s, 1, "color = 'red'", 0);
        put(s, "1", "red");
        put(s, "2", "red", 9);
        put(s, "3", "blue", 9);
        put(s, "4", "red", 9);
        h.run(AddCredit{s, ConsumerId(1), 10});
        CPPUNIT_ASSERT_EQUAL(string("241"), taken(1));
    }

    void selectsWhatComesBack() {
        const auto s = h.open(), other = h.open();
        h.subscribe(other, 9, Destination::queue("q"), 2);
        put(s, "1", "red");
        put(s, "2", "blue");
        select(s, 1, "color IN ('red', 'blue', 'red')");
        select(s, 2, "color = 'blue'");
        CPPUNIT_ASSERT_EQUAL(string("12"), taken(9));
        h.run(CloseSession{other});
        const string one = taken(1), two = taken(2);
        CPPUNIT_ASSERT(one == "12" ? two.empty() : one == "1" && two == "2");
    }

    void aSelectorThatLeavesChangesNothingForOthers() {
        const auto s = h.open();
        h.subscribe(s, 1, Destination::queue("q"), 5);
        for (int round = 0; round < 3; ++round) {
            select(s, 2, "color = 'red'");
            select(s, 3, "color <> 'red'");
            h.run(Unsubscribe{s, {}, ConsumerId(2)});
            h.run(Unsubscribe{s, {}, ConsumerId(3)});
            put(s, "x", "red");
            CPPUNIT_ASSERT_EQUAL(string("x"), taken(1));
        }
    }

    void aDurableSubscriptionKeepsItsSelector() {
        auto s = h.open("user", "me");
        auto c = h.subscription(s, 1, Destination::topic("t"));
        c.durableName = "d";
        c.selector = "color = 'red'";
        h.run(c);
        h.run(CloseSession{s});
        h.restart();
        s = h.open("user", "me");
        for (const char* color : {"red", "blue", "red"}) {
            auto message = h.text(Destination::topic("t"), color);
            message->properties.set("color", string(color));
            h.run(Send{s, {}, message});
        }
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(2), h.queue("me.d").depth);
        c.session = s;
        h.run(c);
        CPPUNIT_ASSERT_EQUAL(string("redred"), taken(1));
        h.run(Unsubscribe{s, {}, ConsumerId(1)});
        c.selector = "color = 'blue'";
        h.run(c);
        CPPUNIT_ASSERT_EQUAL_MESSAGE("another selector is another subscription", string(),
                                     taken(1));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(SelectorsTest);

}  // namespace busbar::test
