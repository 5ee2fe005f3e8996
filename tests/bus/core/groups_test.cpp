// Do messages of one group stay together and in order?
#include "tests/bus/core/core_fixture.h"

#include <cppunit/extensions/HelperMacros.h>

#include <map>
#include <set>

namespace busbar::test {

using namespace std::chrono_literals;
using std::string;

class GroupsTest : public CoreFixture {
    CPPUNIT_TEST_SUITE(GroupsTest);
    CPPUNIT_TEST(keepsAGroupTogetherAndInOrder);
    CPPUNIT_TEST(givesWhatFollowsAClosedGroupToAnybody);
    CPPUNIT_TEST(aClosedGroupLeavesAConsumerWithoutCredit);
    CPPUNIT_TEST(anAtMostOnceConsumerClosesItsGroupsToo);
    CPPUNIT_TEST(aRedeliveryDelayHoldsUpItsGroupAlone);
    CPPUNIT_TEST(whatComesBackGoesBeforeWhatWaitsForTheConsumer);
    CPPUNIT_TEST(whatWaitedForARedeliveryKeepsItsPlace);
    CPPUNIT_TEST(aGroupThatWaitsForItsConsumerIsNotForgotten);
    CPPUNIT_TEST(aConsumerIsToldThatItsGroupIsClosed);
    CPPUNIT_TEST(aConsumerThatStandsByLosesItsGroupsWhenItHoldsNothingOfThem);
    CPPUNIT_TEST(aForgottenGroupIsTakenFromItsConsumer);
    CPPUNIT_TEST(parksAGroupThatFails);
    CPPUNIT_TEST(aPausedGroupGoesOnInOrder);
    CPPUNIT_TEST(aLeaseLocksItsGroup);
    CPPUNIT_TEST(aFetchLeavesAConsumersGroupToIt);
    CPPUNIT_TEST(handsAGroupOnWhenItsConsumerGoes);
    CPPUNIT_TEST(aGroupKeyAMessageCostsNoMemory);
    CPPUNIT_TEST(keepsTheStateOfAGroup);
    CPPUNIT_TEST_SUITE_END();

  public:
    std::shared_ptr<Message> grouped(const string& group, const string& text, int sequence = 0) {
        auto message = h.text("q", text);
        message->groupId = group;
        message->groupSequence = sequence;
        return message;
    }
    void put(SessionId s, const string& group, const string& text, int sequence = 0) {
        h.run(Send{s, {}, grouped(group, text, sequence)});
    }
    void accept(const Delivered& d) {
        h.run(h.settle(d.session, d.delivery.id, Outcome::accepted));
    }

    void keepsAGroupTogetherAndInOrder() {
        const auto s = h.open();
        h.subscribe(s, 1, Destination::queue("q"), 100);
        h.subscribe(s, 2, Destination::queue("q"), 100);
        for (int i = 0; i < 40; ++i)
            put(s, string(1, static_cast<char>('a' + i % 4)), std::to_string(i));
        std::map<char, std::uint64_t> owners;
        std::map<char, int> last;
        int firsts = 0;
        while (const auto d = h.take<Delivered>()) {
            const char group = d->delivery.message->groupId[0];
            const int number = std::stoi(body(*d));
            CPPUNIT_ASSERT_EQUAL(d->consumer.value,
                                 owners.try_emplace(group, d->consumer.value).first->second);
            if (last.contains(group)) CPPUNIT_ASSERT(number > last[group]);
            firsts += d->delivery.firstOfGroup;
            last[group] = number;
        }
        CPPUNIT_ASSERT_EQUAL(std::size_t(4), owners.size());
        CPPUNIT_ASSERT_EQUAL_MESSAGE("said once a group", 4, firsts);
        CPPUNIT_ASSERT_EQUAL(39, last['d']);
    }

    void givesWhatFollowsAClosedGroupToAnybody() {
        const auto s = h.open();
        h.subscribe(s, 1, Destination::queue("q"), 1);
        put(s, "g", "0");
        put(s, "g", "1", -1);
        put(s, "g", "2");
        string order;
        while (const auto d = h.take<Delivered>()) {
            order += body(*d);
            accept(*d);
        }
        CPPUNIT_ASSERT_EQUAL_MESSAGE("nothing stays behind", string("012"), order);
        h.subscribe(s, 2, Destination::queue("q"), 10);
        put(s, "h", "a", -1);
        const auto first = *h.take<Delivered>();
        put(s, "h", "b");
        CPPUNIT_ASSERT_MESSAGE("not before the closing one is settled", !h.take<Delivered>());
        accept(first);
        const auto next = h.take<Delivered>();
        CPPUNIT_ASSERT(next && next->delivery.firstOfGroup);
    }

    void aClosedGroupLeavesAConsumerWithoutCredit() {
        const auto s = h.open();
        auto spent = h.subscription(s, 1, Destination::queue("q"), 1);
        spent.windowed = false;  // settling gives no credit back
        h.run(spent);
        h.take<Completed>();
        put(s, "g", "0");
        put(s, "g", "1", -1);
        put(s, "g", "2");
        const auto first = *h.take<Delivered>();
        h.subscribe(s, 2, Destination::queue("q"), 10);
        CPPUNIT_ASSERT_MESSAGE("waits for its consumer", !h.take<Delivered>());
        h.run(AddCredit{s, ConsumerId(1), 1});
        const auto last = *h.take<Delivered>();
        accept(first);
        accept(last);
        const auto next = h.take<Delivered>();
        CPPUNIT_ASSERT_MESSAGE("the group is anybody's", next && next->consumer == ConsumerId(2));
        CPPUNIT_ASSERT_EQUAL(string("2"), body(*next));
    }

    void anAtMostOnceConsumerClosesItsGroupsToo() {
        const auto s = h.open();
        for (const std::uint64_t id : {1, 2}) {
            auto c = h.subscription(s, id, Destination::queue("q"), 10);
            c.ackMode = AckMode::none;
            h.run(c);
        }
        std::set<std::uint64_t> got;
        for (int i = 0; i < 4; ++i) {
            put(s, "g", "x", -1);
            const auto d = h.take<Delivered>();
            CPPUNIT_ASSERT(d->delivery.firstOfGroup);
            got.insert(d->consumer.value);
        }
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), got.size());
    }

    void aRedeliveryDelayHoldsUpItsGroupAlone() {
        const auto s = h.open();
        h.subscribe(s, 1, Destination::queue("q"), 1);
        for (const char* text : {"1", "2"}) put(s, "g", text);
        put(s, "other", "3");
        auto fail = h.settle(s, h.take<Delivered>()->delivery.id, Outcome::failed);
        fail.delay = 5s;
        h.run(fail);
        const auto other = h.take<Delivered>();
        CPPUNIT_ASSERT(other);
        CPPUNIT_ASSERT_EQUAL(string("3"), body(*other));
        accept(*other);
        CPPUNIT_ASSERT(!h.take<Delivered>());
        h.wait(5s);
        string order;
        while (const auto d = h.take<Delivered>()) {
            order += body(*d);
            accept(*d);
        }
        CPPUNIT_ASSERT_EQUAL(string("12"), order);
    }

    void whatComesBackGoesBeforeWhatWaitsForTheConsumer() {
        const auto s = h.open();
        h.subscribe(s, 1, Destination::queue("q"), 1);
        put(s, "g", "1");
        h.subscribe(s, 2, Destination::queue("q"), 10);
        put(s, "g", "2");  // looked at for the second consumer, kept for the first
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), h.queue("q").parked);
        h.run(h.settle(s, h.take<Delivered>()->delivery.id, Outcome::failed));
        string order;
        while (const auto d = h.take<Delivered>()) {
            order += body(*d);
            accept(*d);
        }
        CPPUNIT_ASSERT_EQUAL(string("12"), order);
    }

    /// Found by the simulation, seed 2001120: one of a group's messages waited for the redelivery
    /// of the first, a later one for the consumer's credit.
    void whatWaitedForARedeliveryKeepsItsPlace() {
        const auto s = h.open(), other = h.open();
        auto first = h.subscription(s, 1, Destination::queue("q"), 2);
        first.windowed = false;  // settling gives no credit back
        h.run(first);
        put(s, "g", "1");
        put(s, "h", "a");
        auto fail = h.settle(s, h.take<Delivered>()->delivery.id, Outcome::failed);
        h.subscribe(other, 2, Destination::queue("q"), 10);
        put(s, "g", "2");
        put(s, "h", "b");
        put(s, "g", "3");
        CPPUNIT_ASSERT_EQUAL_MESSAGE("for their consumer", std::uint64_t(3), h.queue("q").parked);
        fail.delay = 5s;
        h.run(fail);
        h.run(AddCredit{s, ConsumerId(1), 1});  // 2 is looked at, b is given, 3 is not looked at
        h.run(CloseSession{other});
        h.wait(5s);
        h.run(AddCredit{s, ConsumerId(1), 10});
        string order;
        while (const auto d = h.take<Delivered>()) order += body(*d);
        CPPUNIT_ASSERT_EQUAL(string("ab123"), order);
    }

    void aGroupThatWaitsForItsConsumerIsNotForgotten() {
        BrokerOptions options;
        options.groupsMax = 1;
        h = BrokerHarness(options);
        const auto s = h.open();
        auto first = h.subscription(s, 1, Destination::queue("q"), 3);
        first.windowed = false;
        h.run(first);
        for (const char* group : {"g", "h", "i"}) put(s, group, "1");
        h.subscribe(s, 2, Destination::queue("q"), 10);
        put(s, "g", "2");
        while (const auto d = h.take<Delivered>()) accept(*d);
        h.wait(10s);  // idle groups are forgotten now
        put(s, "g", "3");
        CPPUNIT_ASSERT_MESSAGE("behind what waits", !h.take<Delivered>());
        h.run(AddCredit{s, ConsumerId(1), 10});
        string order;
        while (const auto d = h.take<Delivered>()) order += body(*d);
        CPPUNIT_ASSERT_EQUAL(string("23"), order);
    }

    void aConsumerIsToldThatItsGroupIsClosed() {
        const auto s = h.open();
        h.subscribe(s, 1, Destination::queue("q"), 10);
        put(s, "g", "1", -1);
        const auto last = *h.take<Delivered>();
        CPPUNIT_ASSERT_MESSAGE("not before it is settled", !h.take<GroupRevoked>());
        accept(last);
        const auto revoked = h.take<GroupRevoked>();
        CPPUNIT_ASSERT(revoked && revoked->session == s && revoked->consumer == ConsumerId(1));
        CPPUNIT_ASSERT_EQUAL(string("g"), revoked->group);
        auto unheld = h.subscription(s, 2, Destination::queue("once"), 10);
        unheld.ackMode = AckMode::none;
        h.run(unheld);
        h.effects.clear();
        auto message = grouped("g", "1", -1);
        message->destination = Destination::queue("once");
        h.run(Send{s, {}, message});
        CPPUNIT_ASSERT(std::holds_alternative<Delivered>(h.effects.front()));
        CPPUNIT_ASSERT_MESSAGE("after its last message", h.take<GroupRevoked>());
        put(s, "h", "1", -1);
        h.run(Unsubscribe{s, {}, ConsumerId(1)});
        CPPUNIT_ASSERT_MESSAGE("who has gone is told nothing", !h.take<GroupRevoked>());
    }

    void aConsumerThatStandsByLosesItsGroupsWhenItHoldsNothingOfThem() {
        const auto s = h.open();
        h.subscribe(s, 1, Destination::queue("q"), 10);
        put(s, "g", "1");
        put(s, "h", "1");
        const auto g = *h.take<Delivered>(), held = *h.take<Delivered>();
        accept(g);
        auto exclusive = h.subscription(s, 2, Destination::queue("q"), 10);
        exclusive.exclusive = true;
        h.run(exclusive);
        auto revoked = h.take<GroupRevoked>();
        CPPUNIT_ASSERT(revoked && revoked->consumer == ConsumerId(1));
        CPPUNIT_ASSERT_EQUAL(string("g"), revoked->group);
        CPPUNIT_ASSERT_MESSAGE("it still holds of the other", !h.take<GroupRevoked>());
        put(s, "h", "2");
        CPPUNIT_ASSERT(!h.take<Delivered>());
        h.apply(h.settle(s, held.delivery.id, Outcome::accepted));
        CPPUNIT_ASSERT(std::holds_alternative<GroupRevoked>(h.effects.at(h.effects.size() - 2)));
        const auto next = h.take<Delivered>();
        CPPUNIT_ASSERT(next && next->consumer == ConsumerId(2));
    }

    void aForgottenGroupIsTakenFromItsConsumer() {
        BrokerOptions options;
        options.groupsMax = 1;
        h = BrokerHarness(options);
        const auto s = h.open();
        h.subscribe(s, 1, Destination::queue("q"), 10);
        put(s, "g", "1");
        put(s, "h", "1");
        accept(*h.take<Delivered>());
        h.wait(10s);
        const auto revoked = h.take<GroupRevoked>();
        CPPUNIT_ASSERT(revoked);
        CPPUNIT_ASSERT_EQUAL_MESSAGE("the idle one", string("g"), revoked->group);
        CPPUNIT_ASSERT(!h.take<GroupRevoked>());
    }

    void parksAGroupThatFails() {
        const auto s = h.open();
        QueueOptions options;
        options.deliveriesMax = 2;
        options.parkFailedGroups = true;
        h.run(DefineQueue{s, {}, "q", options});
        h.subscribe(s, 1, Destination::queue("q"), 1);
        put(s, "g", "1");
        put(s, "g", "2");
        put(s, "other", "3");
        for (int i = 0; i < 2; ++i) {
            const auto d = h.take<Delivered>();
            CPPUNIT_ASSERT_EQUAL(string("1"), body(*d));
            h.run(h.settle(s, d->delivery.id, Outcome::failed));
        }
        const auto other = h.take<Delivered>();
        CPPUNIT_ASSERT_EQUAL(string("3"), body(*other));
        accept(*other);
        CPPUNIT_ASSERT(!h.take<Delivered>());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(2), h.queue("q").parked);
        CPPUNIT_ASSERT_MESSAGE("an operator is told", !h.notices.empty());
        h.run(PauseGroup{s, RequestId(3), "q", "g", false});
        string order;
        while (const auto d = h.take<Delivered>()) {
            order += body(*d);
            accept(*d);
        }
        CPPUNIT_ASSERT_EQUAL(string("12"), order);
    }

    void aPausedGroupGoesOnInOrder() {
        const auto s = h.open();
        h.subscribe(s, 1, Destination::queue("q"), 10);
        put(s, "g", "1");
        h.run(PauseGroup{s, {}, "q", "g", true});
        put(s, "g", "2");
        h.run(PauseGroup{s, {}, "q", "g", false});
        put(s, "g", "3");
        string order;
        while (const auto d = h.take<Delivered>()) order += body(*d);
        CPPUNIT_ASSERT_EQUAL_MESSAGE("also while one is out", string("123"), order);
    }

    void aLeaseLocksItsGroup() {
        const auto s = h.open();
        put(s, "a", "1");
        put(s, "a", "2");
        put(s, "b", "3");
        Receive receive{s, RequestId(1), "q", 10, 0ms, 60s};
        receive.oneGroup = true;
        h.run(receive);
        const auto a = *h.take<Received>();
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), a.deliveries.size());
        put(s, "a", "4");
        h.run(receive);
        const auto b = *h.take<Received>();
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), b.deliveries.size());
        CPPUNIT_ASSERT_EQUAL(string("b"), b.deliveries[0].message->groupId);
        h.run(receive);
        CPPUNIT_ASSERT(h.take<Received>()->deliveries.empty());
        h.run(h.settle(s, a.deliveries[0].id, Outcome::accepted));
        h.run(receive);
        CPPUNIT_ASSERT_MESSAGE("until all of it is settled",
                               h.take<Received>()->deliveries.empty());
        h.run(h.settle(s, a.deliveries[1].id, Outcome::accepted));
        h.run(receive);
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), h.take<Received>()->deliveries.size());
    }

    void aFetchLeavesAConsumersGroupToIt() {
        const auto s = h.open(), other = h.open();
        h.subscribe(s, 1, Destination::queue("q"), 10);
        put(s, "g", "1");
        CPPUNIT_ASSERT(h.take<Delivered>());
        h.run(Receive{other, RequestId(5), "q", 10, 10s, 60s});
        put(s, "g", "2");
        const auto d = h.take<Delivered>();
        CPPUNIT_ASSERT(d);
        CPPUNIT_ASSERT_EQUAL(string("2"), body(*d));
        CPPUNIT_ASSERT(!h.take<Received>());
    }

    void handsAGroupOnWhenItsConsumerGoes() {
        const auto a = h.open(), b = h.open();
        h.subscribe(a, 1, Destination::queue("q"), 1);
        for (const char* text : {"1", "2", "3"}) put(a, "g", text);
        h.subscribe(b, 2, Destination::queue("q"), 10);
        CPPUNIT_ASSERT_EQUAL(string("1"), body(*h.take<Delivered>()));
        CPPUNIT_ASSERT(!h.take<Delivered>());
        h.run(CloseSession{a});
        string order;
        while (const auto d = h.take<Delivered>()) order += body(*d);
        CPPUNIT_ASSERT_EQUAL(string("123"), order);
    }

    void aGroupKeyAMessageCostsNoMemory() {
        BrokerOptions options;
        options.groupsMax = 1000;
        BrokerHarness bus(options);
        bus.checkAlways = false;
        const auto s = bus.open();
        bus.subscribe(s, 1, Destination::queue("q"), 10);
        for (int i = 0; i < 100'000; ++i) {
            auto message = bus.text("q", "x", false);
            message->groupId = "g" + std::to_string(i);
            bus.apply(Send{s, {}, message});
            bus.apply(bus.settle(s, bus.take<Delivered>()->delivery.id, Outcome::accepted));
            bus.effects.clear();  // it is told of each group that is forgotten
            if (i % 10'000 == 0) bus.wait(10s);
        }
        bus.wait(10s);
        CPPUNIT_ASSERT(bus.queue("q").groups <= 1000);
    }

    void keepsTheStateOfAGroup() {
        auto s = h.open();
        send(s, "q", "x");
        h.run(GroupState{s, RequestId(2), "q", "g", "half done"});
        h.restart();
        s = h.open();
        h.run(GroupState{s, RequestId(3), "q", "g", std::nullopt});
        CPPUNIT_ASSERT_EQUAL(string("half done"), h.take<Completed>()->value);
        h.run(GroupState{s, RequestId(4), "q", "g", string(65'537, 'x')});
        CPPUNIT_ASSERT(h.take<Completed>()->error->code == ErrorCode::tooLarge);
        h.run(DeleteQueue{s, RequestId(5), "q"});
        h.restart();
        s = h.open();
        h.run(DefineQueue{s, RequestId(6), "another", {}});
        h.effects.clear();
        h.run(GroupState{s, RequestId(7), "another", "g", std::nullopt});
        CPPUNIT_ASSERT_EQUAL_MESSAGE("no heir", string(), h.take<Completed>()->value);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(GroupsTest);

}  // namespace busbar::test
