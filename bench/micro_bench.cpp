// What the hot inner parts of the core cost by themselves: selectors, their index, the topic tree.
// One JSON line a measurement: {"what":..., "ns":..., ...}. Medians of several rounds; no test.
#include "bus/core/topic_tree.h"
#include "bus/selector/selector_index.h"

#include <malloc.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

using namespace busbar;

namespace {

template <class Body>
double nanoseconds(std::size_t count, const Body& body) {
    std::vector<double> rounds;
    for (int round = 0; round < 7; ++round) {
        const auto start = std::chrono::steady_clock::now();
        for (std::size_t i = 0; i < count; ++i) body(i);
        const std::chrono::duration<double, std::nano> took =
            std::chrono::steady_clock::now() - start;
        rounds.push_back(took.count() / static_cast<double>(count));
    }
    std::sort(rounds.begin(), rounds.end());
    return rounds[rounds.size() / 2];
}

void report(const std::string& what, double ns, const std::string& more = {}) {
    std::printf("{\"what\":\"%s\",\"ns\":%.1f%s}\n", what.c_str(), ns, more.c_str());
}

/// Keeps the compiler from dropping a result.
template <class T>
void use(const T& value) {
    asm volatile("" : : "r"(&value) : "memory");
}

std::shared_ptr<const Selector> parsed(const std::string& text) {
    auto selector = Selector::parse(text);
    if (!selector) {
        std::fprintf(stderr, "%s\n", selector.error().text.c_str());
        std::abort();
    }
    return *selector;
}

Message order() {
    Message m;
    m.properties.set("region", std::string("north"));
    m.properties.set("type", std::string("a"));
    m.properties.set("price", std::int32_t{12});
    m.properties.set("name", std::string("a fairly long name of something"));
    return m;
}

void selectors() {
    const Message m = order();
    for (const std::string text :
         {"type = 'a' AND price > 10", "type = 'b' AND price > 10", "price BETWEEN 10 AND 20",
          "type IN ('x', 'y', 'a')", "name LIKE '%long%thing'", "name LIKE '%_ong n_me%'",
          "NOT (price * 2 + 1 < 20 OR none IS NOT NULL)",
          "convert_string_expressions:type = 'a' AND price > 10"}) {
        const auto selector = parsed(text);
        const auto ns = nanoseconds(200'000, [&](std::size_t) { use(selector->matches(m)); });
        report("selector " + text, ns);
    }
    report("selector parse",
           nanoseconds(20'000, [&](std::size_t) { use(parsed("type = 'a' AND price > 10")); }));
}

void selectorIndex() {
    for (const std::size_t count : {1u, 1000u, 100'000u}) {
        SelectorIndex index;
        for (std::size_t i = 0; i < count; ++i)
            index.add(i, parsed("p = 'v" + std::to_string(i) + "'"));
        Message m = order();
        m.properties.set("p", std::string("v0"));
        std::vector<std::uint64_t> out;
        report("index of p = 'vN'",
               nanoseconds(100'000,
                           [&](std::size_t) {
                               index.match(m, out);
                               use(out);
                           }),
               ",\"selectors\":" + std::to_string(count));
    }
}

std::string topicOf(std::uint64_t n) {
    return "site" + std::to_string(n % 50) + ".line" + std::to_string(n / 50 % 40) + ".sensor" +
           std::to_string(n / 2000);
}

void topicTree() {
    constexpr std::size_t kSubscriptions = 100'000;
    const auto before = mallinfo2().uordblks;
    TopicTree tree;
    for (std::size_t i = 0; i < kSubscriptions; ++i) {
        std::string pattern = topicOf(i);
        if (i % 10'000 == 1) pattern = "site" + std::to_string(i % 50) + ".*.sensor7";
        if (i % 10'000 == 2) pattern = "site" + std::to_string(i % 50) + ".line7.>";
        tree.add(pattern, QueueId(i + 1));
    }
    const auto bytes = (mallinfo2().uordblks - before) / kSubscriptions;
    const std::string more = ",\"subscriptions\":100000";
    std::vector<std::string> topics;
    std::mt19937_64 random(1);
    topics.reserve(100'000);
    for (int i = 0; i < 100'000; ++i) topics.push_back(topicOf(random() % 200'000));
    report("tree, one hot topic",
           nanoseconds(100'000, [&](std::size_t) { use(tree.match(topics[0])); }),
           more + ",\"bytesPerSubscription\":" + std::to_string(bytes));
    report("tree, any of 200000 topics",
           nanoseconds(topics.size(), [&](std::size_t i) { use(tree.match(topics[i])); }), more);
    report("tree, add and remove",
           nanoseconds(20'000,
                       [&](std::size_t i) {
                           tree.add(topics[i], QueueId(1'000'000));
                           tree.remove(topics[i], QueueId(1'000'000));
                       }),
           more);
    report("tree, hot topic with churn beside it",
           nanoseconds(20'000,
                       [&](std::size_t i) {
                           tree.add(topics[i], QueueId(1'000'000));
                           tree.remove(topics[i], QueueId(1'000'000));
                           use(tree.match(topics[0]));
                       }),
           more);
    std::size_t fresh = 0;
    report("tree, a topic never seen before",
           nanoseconds(20'000,
                       [&](std::size_t) {
                           use(tree.match("site1.line2.other" + std::to_string(++fresh)));
                       }),
           more);
}

/// Every pattern has wildcards, in any place; few of them match a topic.
void wildcardsOnly() {
    constexpr std::size_t kSubscriptions = 100'000;
    std::mt19937_64 random(3);
    const auto name = [&](bool pattern) {
        std::string out;
        const auto levels = 3 + random() % 3;
        const auto wild = random() % levels;
        for (std::size_t level = 0; level < levels; ++level) {
            const bool any = pattern && (level == wild || random() % 50 == 0);
            out += level ? "." : "";
            out += any ? (level + 1 == levels ? ">" : "*") : "n" + std::to_string(random() % 1000);
        }
        return out;
    };
    const auto before = mallinfo2().uordblks;
    TopicTree tree;
    for (std::size_t i = 0; i < kSubscriptions; ++i) tree.add(name(true), QueueId(i + 1));
    const auto bytes = (mallinfo2().uordblks - before) / kSubscriptions;
    std::vector<std::string> topics, patterns;
    for (int i = 0; i < 50'000; ++i) topics.push_back(name(false));
    for (int i = 0; i < 20'000; ++i) patterns.push_back(name(true));
    std::size_t found = 0;
    for (const auto& topic : topics) found += tree.match(topic).size();
    const auto forget = [&] { tree.remove("*", QueueId(1)); };
    const std::string more =
        ",\"subscriptions\":100000,\"bytesPerSubscription\":" + std::to_string(bytes) +
        ",\"matchesPer1000\":" + std::to_string(found / 50);
    report("tree of wildcards, a topic not remembered",
           nanoseconds(topics.size(),
                       [&](std::size_t i) {
                           forget();
                           use(tree.match(topics[i]));
                       }),
           more);
    report("tree of wildcards, one hot topic",
           nanoseconds(100'000, [&](std::size_t) { use(tree.match(topics[0])); }), more);
    report("tree of wildcards, add and remove",
           nanoseconds(patterns.size(),
                       [&](std::size_t i) {
                           tree.add(patterns[i], QueueId(1'000'000));
                           tree.remove(patterns[i], QueueId(1'000'000));
                       }),
           more);
}

void crowdedPattern() {
    TopicTree tree;
    for (std::size_t i = 0; i < 10'000; ++i) tree.add("a.b", QueueId(i + 1));
    report("tree, one more of 10000 under one pattern", nanoseconds(1'000, [&](std::size_t i) {
               tree.remove("a.b", QueueId(i * 7 + 1));
               tree.add("a.b", QueueId(i * 7 + 1));
           }));
    report("tree, 10000 that match",
           nanoseconds(1'000, [&](std::size_t) { use(tree.match("a.b")); }));
}

void wildPatterns() {
    TopicTree tree;
    std::mt19937_64 random(2);
    for (std::size_t i = 0; i < 2'000; ++i) {
        std::string pattern;
        for (int level = 0; level < 128; ++level)
            pattern += std::string(level ? "." : "") + (random() % 2 ? "a" : "*");
        tree.add(pattern, QueueId(i + 1));
    }
    std::string topic;
    for (int level = 0; level < 128; ++level) topic += level ? ".a" : "a";
    report("tree, 2000 patterns of 128 levels, all match", nanoseconds(20, [&](std::size_t) {
               use(tree.match(topic));
               tree.remove(topic, QueueId(1));  // forgets what is remembered, changes nothing
           }));
}

}  // namespace

int main() {
    selectors();
    selectorIndex();
    topicTree();
    wildcardsOnly();
    crowdedPattern();
    wildPatterns();
}
