// Which subscriptions get a message?
#include "bus/core/topic_tree.h"
#include "tests/bus/core/core_fixture.h"

#include <cppunit/extensions/HelperMacros.h>

namespace busbar::test {

using namespace std::chrono_literals;
using std::string;

class TopicsTest : public CoreFixture {
    CPPUNIT_TEST_SUITE(TopicsTest);
    CPPUNIT_TEST(sendsToEverySubscriptionOnce);
    CPPUNIT_TEST(keepsForADurableSubscription);
    CPPUNIT_TEST(sharesASubscription);
    CPPUNIT_TEST(leavesOutOwnMessages);
    CPPUNIT_TEST(aSlowSubscriberHarmsNobody);
    CPPUNIT_TEST(matchesPatterns);
    CPPUNIT_TEST(aTemporaryTopicIsItsSessionsAlone);
    CPPUNIT_TEST(aSubscriptionEndsWithItsLastCommit);
    CPPUNIT_TEST(aSubscriptionIsReplacedWithoutHarmToACommit);
    CPPUNIT_TEST_SUITE_END();

  public:
    void sendsToEverySubscriptionOnce() {
        const auto s = h.open();
        h.subscribe(s, 1, Destination::topic("prices.*"));
        h.subscribe(s, 2, Destination::topic("prices.eur"));
        h.subscribe(s, 3, Destination::topic("weather.>"));
        h.run(Send{s, {}, h.text(Destination::topic("prices.eur"), "1.09")});
        CPPUNIT_ASSERT(h.take<Delivered>() && h.take<Delivered>() && !h.take<Delivered>());
        CPPUNIT_ASSERT_MESSAGE("nothing to store for subscriptions that end with their consumers",
                               h.store.content().messages.empty());
    }

    void keepsForADurableSubscription() {
        auto s = h.open("user", "client-1");
        auto c = h.subscription(s, 1, Destination::topic("news.>"));
        c.durableName = "mine";
        h.run(c);
        h.run(CloseSession{s});
        const auto other = h.open();
        h.run(Send{other, {}, h.text(Destination::topic("news.today"), "n1")});
        h.restart();
        s = h.open("user", "client-1");
        c.session = s;
        h.run(c);
        CPPUNIT_ASSERT_EQUAL(string("n1"), body(*h.take<Delivered>()));
        h.run(Unsubscribe{s, {}, ConsumerId(1)});
        h.run(DeleteSubscription{s, RequestId(9), "mine", false});
        CPPUNIT_ASSERT_MESSAGE("unsubscribing frees at once", h.store.content().messages.empty());
    }

    void sharesASubscription() {
        const auto s = h.open();
        for (std::uint64_t i = 1; i <= 3; ++i) {
            auto c = h.subscription(s, i, Destination::topic("t"));
            c.durableName = "team";
            c.shared = true;
            h.run(c);
        }
        for (int i = 0; i < 9; ++i) h.run(Send{s, {}, h.text(Destination::topic("t"), "x")});
        int got[4] = {};
        while (const auto d = h.take<Delivered>()) ++got[d->consumer.value];
        for (int i = 1; i <= 3; ++i) CPPUNIT_ASSERT_EQUAL(3, got[i]);
    }

    void leavesOutOwnMessages() {
        const auto s = h.open(), other = h.open();
        auto c = h.subscription(s, 1, Destination::topic("t"));
        c.noLocal = true;
        h.run(c);
        h.run(Send{s, {}, h.text(Destination::topic("t"), "own")});
        h.run(Send{other, {}, h.text(Destination::topic("t"), "other")});
        CPPUNIT_ASSERT_EQUAL(string("other"), body(*h.take<Delivered>()));
        CPPUNIT_ASSERT(!h.take<Delivered>());
    }

    void aSlowSubscriberHarmsNobody() {
        BrokerOptions options;
        options.transientSubscriptionBytesMax = 100'000;
        BrokerHarness bus(options);
        const auto s = bus.open();
        bus.subscribe(s, 1, Destination::topic("t"), 1);  // takes one and no more
        auto quick = bus.subscription(s, 2, Destination::topic("t"), 1000);
        quick.ackMode = AckMode::none;
        bus.run(quick);
        bus.take<Completed>();
        for (std::uint64_t i = 1; i <= 200; ++i) {
            bus.run(
                Send{s, RequestId(i), bus.text(Destination::topic("t"), string(1000, 'x'), false)});
            CPPUNIT_ASSERT(!bus.take<Completed>()->error);
        }
        int slow = 0, fast = 0;
        while (const auto d = bus.take<Delivered>()) ++(d->consumer == ConsumerId(1) ? slow : fast);
        CPPUNIT_ASSERT_EQUAL(1, slow);
        CPPUNIT_ASSERT_EQUAL_MESSAGE("dropped for the slow one alone", 200, fast);
        std::uint64_t dropped = 0, held = 0;
        for (const auto& q : bus.broker->picture(bus.now).queues) {
            dropped += q.dropped;
            held += q.depth;
        }
        CPPUNIT_ASSERT(dropped > 100 && held < 300);
    }

    void aTemporaryTopicIsItsSessionsAlone() {
        const auto a = h.open(), b = h.open();
        const Destination tmp{DestinationKind::temporaryTopic, "tmp-1"};
        h.run(MakeTemporary{a, {}, tmp});
        h.subscribe(a, 1, Destination::topic("#"));
        h.run(h.subscription(b, 1, tmp));
        CPPUNIT_ASSERT(h.take<Completed>()->error->code == ErrorCode::notAuthorized);
        for (const std::uint64_t id : {2, 3}) h.subscribe(a, id, tmp);
        h.run(Send{b, RequestId(2), h.text(tmp, "reply")});
        CPPUNIT_ASSERT(!h.take<Completed>()->error);
        CPPUNIT_ASSERT(h.take<Delivered>() && h.take<Delivered>());
        CPPUNIT_ASSERT_MESSAGE("not by a pattern", !h.take<Delivered>());
        h.run(DeleteTemporary{a, RequestId(3), tmp});
        CPPUNIT_ASSERT(h.take<Completed>()->error->code == ErrorCode::inUse);
        for (const std::uint64_t id : {2, 3}) h.run(Unsubscribe{a, {}, ConsumerId(id)});
        h.run(DeleteTemporary{b, RequestId(4), tmp});
        CPPUNIT_ASSERT(h.take<Completed>()->error->code == ErrorCode::notAuthorized);
        h.run(DeleteTemporary{a, RequestId(5), tmp});
        CPPUNIT_ASSERT(!h.take<Completed>()->error);
        h.run(Send{b, RequestId(6), h.text(tmp, "late")});
        CPPUNIT_ASSERT(h.take<Completed>()->error->code == ErrorCode::notFound);
    }

    void matchesPatterns() {
        struct Case {
            const char* pattern;
            const char* topic;
            bool matches;
        };
        for (const Case& c : {Case{"a.b", "a.b", true},
                              {"a.b", "a.b.c", false},
                              {"a.*", "a.b", true},
                              {"a.*", "a", false},
                              {"a.*", "a.b.c", false},
                              {"a.>", "a.b.c", true},
                              {"a.>", "a", true},
                              {"a.#", "a.b", true},
                              {"+.b", "a.b", true},
                              {">", "x.y", true},
                              {"*.*.c", "a.b.c", true},
                              {"a.*.c", "a.b.d", false},
                              {"a*", "ab", false},
                              {"a*", "a*", true},
                              {"a..b", "a..b", true},
                              {"a.*.b", "a..b", true}}) {
            TopicTree tree;
            tree.add(c.pattern, QueueId(1));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(string(c.pattern) + " ~ " + c.topic, c.matches,
                                         !tree.match(c.topic).empty());
            tree.remove(c.pattern, QueueId(1));
            CPPUNIT_ASSERT(tree.match(c.topic).empty());
        }
    }

    void aSubscriptionEndsWithItsLastCommit() {
        const auto s = h.open();
        h.subscribe(s, 1, Destination::topic("t"));
        h.run(Send{s, {}, h.text(Destination::topic("t"), "x")});
        const auto id = h.take<Delivered>()->delivery.id;
        h.apply(CommitTransaction{s, RequestId(1), {h.text("out", "y")}, {id}});
        h.apply(Unsubscribe{s, {}, ConsumerId(1)});
        h.sync();
        CPPUNIT_ASSERT_EQUAL_MESSAGE("only the queue is left", std::size_t(1),
                                     h.broker->picture(h.now).queues.size());
    }

    void aSubscriptionIsReplacedWithoutHarmToACommit() {
        const auto s = h.open("user", "me");
        auto c = h.subscription(s, 1, Destination::topic("t"));
        c.durableName = "d";
        h.run(c);
        h.run(Send{s, {}, h.text(Destination::topic("t"), "x")});
        const auto id = h.take<Delivered>()->delivery.id;
        h.apply(CommitTransaction{s, RequestId(1), {h.text("out", "y")}, {id}});
        h.apply(Unsubscribe{s, {}, ConsumerId(1)});
        c.source = Destination::topic("u");
        h.effects.clear();
        h.apply(c);
        CPPUNIT_ASSERT(h.take<Completed>()->error->code == ErrorCode::inUse);
        h.sync();
        h.effects.clear();
        h.run(c);
        CPPUNIT_ASSERT(!h.take<Completed>()->error);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(TopicsTest);

}  // namespace busbar::test
