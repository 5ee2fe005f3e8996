// The tree against a matcher that knows nothing of trees.
#include "bus/core/topic_tree.h"

#include <cppunit/extensions/HelperMacros.h>

#include <iterator>
#include <random>
#include <set>

using namespace busbar;
using std::string;

namespace {

using Ids = std::vector<QueueId>;
using Levels = std::vector<string>;

Levels levelsOf(const string& name) {
    Levels out(1);
    for (const char c : name) {
        if (c == '.')
            out.emplace_back();
        else
            out.back() += c;
    }
    return out;
}

bool matches(const Levels& pattern, const Levels& topic) {
    for (std::size_t i = 0;; ++i) {
        const bool last = i + 1 == pattern.size();
        if (last && (pattern[i] == ">" || pattern[i] == "#")) return true;
        if (i == pattern.size() || i == topic.size())
            return i == pattern.size() && i == topic.size();
        if (pattern[i] != "*" && pattern[i] != "+" && pattern[i] != topic[i]) return false;
    }
}

/// `>` and `#` are one pattern, and so are `*` and `+`: what remove must find again.
string canonical(const string& pattern) {
    const Levels levels = levelsOf(pattern);
    string out;
    for (std::size_t i = 0; i < levels.size(); ++i) {
        string level = levels[i];
        if (level == "+") level = "*";
        if (level == "#" && i + 1 == levels.size()) level = ">";
        out += (i ? "." : "") + level;
    }
    return out;
}

class Both {
  public:
    void add(const string& pattern, std::uint64_t id) {
        tree.add(pattern, QueueId(id));
        pairs_.emplace(canonical(pattern), id);
    }
    void remove(const string& pattern, std::uint64_t id) {
        tree.remove(pattern, QueueId(id));
        pairs_.erase({canonical(pattern), id});
    }
    void compare(const string& topic, const string& where) {
        std::set<QueueId> expected;
        const Levels levels = levelsOf(topic);
        for (const auto& [pattern, id] : pairs_) {
            if (matches(levelsOf(pattern), levels)) expected.insert(QueueId(id));
        }
        found += expected.size();
        for (int again = 0; again < 2; ++again) {
            const Ids& out = tree.match(topic);
            CPPUNIT_ASSERT_MESSAGE(where + ", topic " + topic,
                                   out == Ids(expected.begin(), expected.end()));
        }
    }
    std::pair<string, std::uint64_t> any(std::uint64_t choice) const {
        return *std::next(pairs_.begin(), static_cast<std::ptrdiff_t>(choice % pairs_.size()));
    }
    bool empty() const { return pairs_.empty(); }

    TopicTree tree;
    std::size_t found = 0;

  private:
    std::set<std::pair<string, std::uint64_t>> pairs_;
};

}  // namespace

class TopicTreeTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(TopicTreeTest);
    CPPUNIT_TEST(matchesLevelByLevel);
    CPPUNIT_TEST(reportsEachSubscriptionOnceAscending);
    CPPUNIT_TEST(takesEitherSpellingOfAWildcard);
    CPPUNIT_TEST(removesThatPatternOnly);
    CPPUNIT_TEST(removesFromCrowdedPatterns);
    CPPUNIT_TEST(resultsOutliveOtherMatches);
    CPPUNIT_TEST(equalsTheReferenceThroughChurn);
    CPPUNIT_TEST(equalsTheReferenceOnLongHostilePatterns);
    CPPUNIT_TEST(forgettingToForgetWouldShow);
    CPPUNIT_TEST_SUITE_END();

  public:
    void matchesLevelByLevel() {
        struct Case {
            const char* pattern;
            const char* topic;
            bool matches;
        };
        for (const Case& c : {
                 Case{"a.b", "a.b", true},      Case{"a.b", "a.c", false},
                 Case{"a.b", "a", false},       Case{"a", "a.b", false},
                 Case{"a.*", "a.b", true},      Case{"a.*", "a", false},
                 Case{"a.*", "a.b.c", false},   Case{"a.*", "a.", true},
                 Case{"*", "a", true},          Case{"*", "a.b", false},
                 Case{"*.b", "a.b", true},      Case{"+.b", "a.b", true},
                 Case{"*.b", "a.c", false},     Case{"a.>", "a", true},
                 Case{"a.>", "a.b.c", true},    Case{"a.>", "b", false},
                 Case{"a.>", "ab", false},      Case{"a.#", "a.b", true},
                 Case{">", "a.b.c", true},      Case{"#", "a", true},
                 Case{"a.>.b", "a.x.b", false}, Case{"a.>.b", "a.>.b", true},
                 Case{"a.*.c", "a.b.c", true},  Case{"a.*.c", "a.b.d", false},
                 Case{"a.*.c", "a..c", true},   Case{"a*", "ab", false},
                 Case{"a*", "a*", true},        Case{"a.b*", "a.bc", false},
                 Case{"*.*.>", "a", false},     Case{"*.*.>", "a.b", true},
                 Case{"*.a*", "x.ab", false},   Case{"*.ab", "x.a", false},
                 Case{"*.a", "x.ab", false},    Case{"*.>b", "x.>b", true},
                 Case{"..", "..", true},        Case{".*.", ".a.", true},
             }) {
            for (const bool crowded : {false, true}) {
                TopicTree tree;
                if (crowded) {
                    for (const auto* other : {"*.zz", "a.*.zz", "zz.>", "*.*.zz.>", ".*.zz"})
                        tree.add(other, QueueId(9));
                }
                tree.add(c.pattern, QueueId(1));
                CPPUNIT_ASSERT_EQUAL_MESSAGE(string(c.pattern) + " ~ " + c.topic, c.matches,
                                             !tree.match(c.topic).empty());
                tree.remove(c.pattern, QueueId(1));
                CPPUNIT_ASSERT(tree.match(c.topic).empty());
            }
        }
    }

    void reportsEachSubscriptionOnceAscending() {
        TopicTree tree;
        for (const auto* pattern : {"a.b", "a.*", "*.b", "a.>", ">", "a.b"}) {
            tree.add(pattern, QueueId(5));
            tree.add(pattern, QueueId(3));
        }
        tree.add("*.*", QueueId(4));
        CPPUNIT_ASSERT(tree.match("a.b") == (Ids{QueueId(3), QueueId(4), QueueId(5)}));
        tree.remove("a.b", QueueId(5));
        tree.remove("nowhere", QueueId(5));
        tree.remove("no.*.where", QueueId(5));
        CPPUNIT_ASSERT(tree.match("a.b") == (Ids{QueueId(3), QueueId(4), QueueId(5)}));
    }

    void takesEitherSpellingOfAWildcard() {
        TopicTree tree;
        tree.add("a.*.>", QueueId(1));
        tree.remove("a.+.#", QueueId(1));
        CPPUNIT_ASSERT(tree.match("a.b.c").empty());
        tree.add("#", QueueId(1));
        tree.remove(">", QueueId(1));
        CPPUNIT_ASSERT(tree.match("a").empty());
    }

    void removesThatPatternOnly() {
        TopicTree tree;
        CPPUNIT_ASSERT(tree.empty());
        tree.add("a.*.c", QueueId(1));
        for (const auto* other : {"a.*.d", "a.*", "a.*.c.d", "a.*.>", "a.b.c", "*.*.c", ">"})
            tree.remove(other, QueueId(1));
        CPPUNIT_ASSERT(tree.match("a.b.c") == Ids{QueueId(1)});
        tree.remove("a.*.c", QueueId(2));
        CPPUNIT_ASSERT(!tree.empty());
        tree.remove("a.*.c", QueueId(1));
        CPPUNIT_ASSERT(tree.empty());
    }

    void removesFromCrowdedPatterns() {
        for (const auto* pattern : {"a.b", "a.*"}) {
            TopicTree tree;
            for (std::uint64_t id = 10'000; id > 0; --id) tree.add(pattern, QueueId(id));
            for (std::uint64_t id = 1; id <= 10'000; ++id) {
                if (id % 100) tree.remove(pattern, QueueId(id));
            }
            const Ids& left = tree.match("a.b");
            CPPUNIT_ASSERT_EQUAL(std::size_t(100), left.size());
            CPPUNIT_ASSERT(left.front() == QueueId(100) && left.back() == QueueId(10'000));
        }
    }

    void resultsOutliveOtherMatches() {
        TopicTree tree;
        tree.add("a.*", QueueId(1));
        tree.add("*.*", QueueId(2));
        tree.add("a.b", QueueId(3));
        const Ids& first = tree.match("a.b");
        for (int i = 0; i < 1000; ++i)
            CPPUNIT_ASSERT_EQUAL(std::size_t(2), tree.match("a.x" + std::to_string(i)).size());
        // More than is remembered at all: the older half is given up, but not at once.
        for (int i = 0; i < 250'000; ++i) tree.match("a.y" + std::to_string(i));
        CPPUNIT_ASSERT(first == (Ids{QueueId(1), QueueId(2), QueueId(3)}));
        CPPUNIT_ASSERT_EQUAL(std::size_t(3), tree.match("a.b").size());
    }

    void equalsTheReferenceThroughChurn() {
        for (std::uint64_t seed = 1; seed <= 20; ++seed) {
            std::mt19937_64 random(seed);
            const string levels[] = {"a", "b", "ab", "", "*", "+", ">", "#", "a*"};
            const auto name = [&](std::size_t kinds) {
                string out;
                for (auto n = 1 + random() % 5; n > 0; --n)
                    out += levels[random() % kinds] + (n > 1 ? "." : "");
                return out;
            };
            Both both;
            for (int step = 0; step < 600; ++step) {
                const string where =
                    "seed " + std::to_string(seed) + " step " + std::to_string(step);
                if (random() % 4 || both.empty()) {
                    both.add(name(9), random() % 40);
                } else {
                    const auto [pattern, id] = both.any(random());
                    both.remove(pattern, id);
                }
                both.compare(name(4), where);
                both.compare(name(9), where);
            }
            CPPUNIT_ASSERT(both.found > 500);
            while (!both.empty()) {
                const auto [pattern, id] = both.any(random());
                both.remove(pattern, id);
            }
            CPPUNIT_ASSERT_MESSAGE("nothing is left behind", both.tree.empty());
        }
    }

    void equalsTheReferenceOnLongHostilePatterns() {
        std::mt19937_64 random(77);
        const auto longName = [&](const string& first, const string& second) {
            string out;
            for (int level = 0; level < 128; ++level)
                out += (level ? "." : "") + (random() % 2 ? first : second);
            return out;  // 255 bytes
        };
        Both both;
        for (std::uint64_t id = 1; id <= 1000; ++id) {
            string pattern = longName("a", "*");
            if (id % 7 == 0) pattern.back() = '>';
            if (id % 5 == 0) pattern.back() = 'z';
            both.add(pattern, id);
        }
        string same = "a";
        for (int level = 1; level < 128; ++level) same += ".a";
        both.compare(same, "all the same");
        CPPUNIT_ASSERT(both.found > 700);
        for (int i = 0; i < 20; ++i) both.compare(longName("a", "b"), "mixed");
        both.compare(string(254, '.'), "empty levels");
    }

    void forgettingToForgetWouldShow() {
        TopicTree tree;
        tree.add("a.*", QueueId(1));
        tree.add("*.b", QueueId(2));
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), tree.match("a.b").size());
        tree.add("a.b", QueueId(3));
        CPPUNIT_ASSERT_EQUAL(std::size_t(3), tree.match("a.b").size());
        tree.remove("a.*", QueueId(1));
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), tree.match("a.b").size());
        tree.remove("*.b", QueueId(2));
        CPPUNIT_ASSERT(tree.match("a.b") == Ids{QueueId(3)});
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(TopicTreeTest);
