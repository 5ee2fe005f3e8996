// Who gets which message, and what becomes of it?
#include "tests/bus/core/core_fixture.h"

#include <cppunit/extensions/HelperMacros.h>

#include <set>

namespace busbar::test {

using namespace std::chrono_literals;
using std::string;

class QueuesTest : public CoreFixture {
    CPPUNIT_TEST_SUITE(QueuesTest);
    CPPUNIT_TEST(confirmsAPersistentSendOnlyWhenDurable);
    CPPUNIT_TEST(deliversAPersistentMessageOnlyWhenDurable);
    CPPUNIT_TEST(confirmsATransientSendAtOnce);
    CPPUNIT_TEST(givesEachMessageToOneConsumerInTurn);
    CPPUNIT_TEST(respectsCredit);
    CPPUNIT_TEST(ordersByPriorityThenArrival);
    CPPUNIT_TEST(returnsWhatAClosedSessionHeld);
    CPPUNIT_TEST(releaseDoesNotCount);
    CPPUNIT_TEST(refusesASecondSettlement);
    CPPUNIT_TEST(refusesBadNames);
    CPPUNIT_TEST(refusesASecondClientId);
    CPPUNIT_TEST(temporaryQueuesEndWithTheirSession);
    CPPUNIT_TEST(aTemporaryQueueIsDeletedByItsSessionAlone);
    CPPUNIT_TEST(aClientThatComesBackTakesOver);
    CPPUNIT_TEST(leasesRunOut);
    CPPUNIT_TEST(extendsALease);
    CPPUNIT_TEST(receiveWaits);
    CPPUNIT_TEST(neverGivesAnIdTwice);
    CPPUNIT_TEST_SUITE_END();

  public:
    void confirmsAPersistentSendOnlyWhenDurable() {
        const auto s = h.open();
        h.apply(Send{s, RequestId(7), h.text("q", "a")});
        CPPUNIT_ASSERT(!h.take<Completed>());
        h.sync();
        const auto done = h.take<Completed>();
        CPPUNIT_ASSERT(done && done->request == RequestId(7) && !done->error &&
                       done->value.starts_with("ID:"));
    }

    void deliversAPersistentMessageOnlyWhenDurable() {
        const auto s = h.open();
        h.subscribe(s, 1, Destination::queue("q"));
        h.apply(Send{s, {}, h.text("q", "a")});
        CPPUNIT_ASSERT(!h.take<Delivered>());
        h.sync();
        CPPUNIT_ASSERT_EQUAL(string("a"), body(*h.take<Delivered>()));
    }

    void confirmsATransientSendAtOnce() {
        const auto s = h.open();
        h.subscribe(s, 1, Destination::queue("q"));
        h.apply(Send{s, RequestId(1), h.text("q", "a", false)});
        CPPUNIT_ASSERT(h.take<Completed>());
        CPPUNIT_ASSERT(h.take<Delivered>());
    }

    void givesEachMessageToOneConsumerInTurn() {
        const auto s = h.open();
        h.subscribe(s, 1, Destination::queue("q"));
        h.subscribe(s, 2, Destination::queue("q"));
        for (int i = 0; i < 10; ++i) send(s, "q", "m");
        int first = 0, second = 0;
        while (const auto d = h.take<Delivered>())
            ++(d->consumer == ConsumerId(1) ? first : second);
        CPPUNIT_ASSERT_EQUAL(5, first);
        CPPUNIT_ASSERT_EQUAL(5, second);
    }

    void respectsCredit() {
        const auto s = h.open();
        h.subscribe(s, 1, Destination::queue("q"), 2);
        for (int i = 0; i < 5; ++i) send(s, "q", "m");
        const auto first = h.take<Delivered>();
        CPPUNIT_ASSERT(first && h.take<Delivered>() && !h.take<Delivered>());
        h.run(h.settle(s, first->delivery.id, Outcome::accepted));
        CPPUNIT_ASSERT(h.take<Delivered>() && !h.take<Delivered>());
        h.run(AddCredit{s, ConsumerId(1), 1});
        CPPUNIT_ASSERT(h.take<Delivered>() && !h.take<Delivered>());
    }

    void ordersByPriorityThenArrival() {
        const auto s = h.open();
        for (const auto& [text, priority] : std::vector<std::pair<string, int>>{
                 {"a", 4}, {"b", 9}, {"c", 4}, {"d", 0}, {"e", 9}}) {
            auto message = h.text("q", text);
            message->priority = static_cast<unsigned char>(priority);
            h.run(Send{s, {}, message});
        }
        h.subscribe(s, 1, Destination::queue("q"));
        string order;
        while (const auto d = h.take<Delivered>()) order += body(*d);
        CPPUNIT_ASSERT_EQUAL(string("beacd"), order);
    }

    void returnsWhatAClosedSessionHeld() {
        const auto a = h.open(), b = h.open();
        h.subscribe(a, 1, Destination::queue("q"));
        for (const char* text : {"1", "2", "3"}) send(a, "q", text);
        const auto first = *h.take<Delivered>();
        h.run(h.settle(a, first.delivery.id, Outcome::accepted));
        h.run(CloseSession{a});
        h.effects.clear();
        h.subscribe(b, 1, Destination::queue("q"));
        string order;
        while (const auto d = h.take<Delivered>()) {
            order += body(*d);
            CPPUNIT_ASSERT_EQUAL(2u, d->delivery.count);
        }
        CPPUNIT_ASSERT_EQUAL(string("23"), order);
    }

    void releaseDoesNotCount() {
        const auto s = h.open();
        h.subscribe(s, 1, Destination::queue("q"));
        send(s, "q", "a");
        for (int i = 0; i < 20; ++i) {
            const auto d = h.take<Delivered>();
            CPPUNIT_ASSERT_EQUAL(1u, d->delivery.count);
            h.run(h.settle(s, d->delivery.id, Outcome::released));
        }
    }

    void refusesASecondSettlement() {
        const auto s = h.open(), other = h.open();
        h.subscribe(s, 1, Destination::queue("q"));
        send(s, "q", "a");
        h.take<Completed>();
        const auto id = h.take<Delivered>()->delivery.id;
        h.run(h.settle(other, id, Outcome::accepted, 3));
        CPPUNIT_ASSERT(h.take<Completed>()->error->code == ErrorCode::lockLost);
        h.run(h.settle(s, id, Outcome::accepted, 4));
        CPPUNIT_ASSERT(!h.take<Completed>()->error);
        h.run(h.settle(s, id, Outcome::accepted, 5));
        CPPUNIT_ASSERT(h.take<Completed>()->error->code == ErrorCode::lockLost);
    }

    void refusesBadNames() {
        const auto s = h.open();
        for (const string& name : {string(), string(256, 'x'), string("a\nb"), string("a\0b", 3)}) {
            h.run(Send{s, RequestId(1), h.text(name, "x")});
            CPPUNIT_ASSERT(h.take<Completed>()->error->code == ErrorCode::invalidArgument);
        }
        for (const string& name : {string(255, 'x'), string("a b/c*>"), string("\xc3\xa4")}) {
            h.run(Send{s, RequestId(1), h.text(name, "x")});
            CPPUNIT_ASSERT(!h.take<Completed>()->error);
        }
        h.run(Send{s, RequestId(1), h.text(Destination::topic("a.*"), "x")});
        CPPUNIT_ASSERT(h.take<Completed>()->error->code == ErrorCode::invalidArgument);
    }

    void refusesASecondClientId() {
        const auto a = h.open("u", "id");
        h.run(OpenSession{SessionId(500), RequestId(1), "u", "id", "test", {}, false, {"admin"}});
        CPPUNIT_ASSERT(h.take<Completed>()->error->code == ErrorCode::conflict);
        h.run(CloseSession{a});
        h.run(OpenSession{SessionId(501), RequestId(2), "u", "id", "test", {}, false, {"admin"}});
        CPPUNIT_ASSERT(!h.take<Completed>()->error);
    }

    void aTemporaryQueueIsDeletedByItsSessionAlone() {
        const auto a = h.open(), b = h.open();
        const Destination tmp{DestinationKind::temporaryQueue, "tmp-1"};
        const auto deleteIt = [&](SessionId s, const Destination& what) {
            h.effects.clear();
            h.run(DeleteTemporary{s, RequestId(5), what});
            return h.take<Completed>()->error;
        };
        h.run(MakeTemporary{a, {}, tmp});
        h.run(Send{b, {}, h.text(tmp, "x")});
        h.subscribe(a, 1, tmp);
        CPPUNIT_ASSERT(deleteIt(a, tmp)->code == ErrorCode::inUse);
        h.run(Unsubscribe{a, {}, ConsumerId(1)});
        CPPUNIT_ASSERT(deleteIt(b, tmp)->code == ErrorCode::notAuthorized);
        CPPUNIT_ASSERT(!deleteIt(a, tmp));
        CPPUNIT_ASSERT(deleteIt(a, tmp)->code == ErrorCode::notFound);
        send(a, "q", "x");
        CPPUNIT_ASSERT(deleteIt(a, Destination::queue("q"))->code == ErrorCode::notFound);
        h.run(MakeTemporary{b, RequestId(6), tmp});
        CPPUNIT_ASSERT_MESSAGE("the name is free", !h.take<Completed>()->error);
    }

    void aClientThatComesBackTakesOver() {
        const auto old = h.open("user", "me");
        h.subscribe(old, 1, Destination::queue("q"));
        send(old, "q", "x", 0);
        send(old, "q", "y", 0);
        CPPUNIT_ASSERT(h.take<Delivered>() && h.take<Delivered>());
        h.run(OpenSession{SessionId(50), RequestId(1), "stranger", "me", "", "", true, {"admin"}});
        CPPUNIT_ASSERT_MESSAGE("not for another user",
                               h.take<Completed>()->error->code == ErrorCode::conflict);
        h.run(OpenSession{SessionId(51), RequestId(2), "user", "me", "", "", true, {"admin"}});
        CPPUNIT_ASSERT(!h.take<Completed>()->error);
        CPPUNIT_ASSERT(h.take<SessionEnded>()->session == old);
        CPPUNIT_ASSERT_EQUAL_MESSAGE("what it held is back", std::uint64_t(2),
                                     h.queue("q").waiting);
        h.subscribe(SessionId(51), 1, Destination::queue("q"));
        CPPUNIT_ASSERT_EQUAL(std::uint32_t(2), h.take<Delivered>()->delivery.count);
        CPPUNIT_ASSERT_EQUAL_MESSAGE("nobody can say that it was tried", std::uint32_t(1),
                                     h.take<Delivered>()->delivery.count);
        h.run(OpenSession{SessionId(52), RequestId(3), "user", "", "", "", true, {"admin"}});
        CPPUNIT_ASSERT_MESSAGE("no id, nothing to take over", !h.take<SessionEnded>());
    }

    void temporaryQueuesEndWithTheirSession() {
        const auto a = h.open(), b = h.open();
        h.run(MakeTemporary{a, RequestId(1), {DestinationKind::temporaryQueue, "tmp-1"}});
        CPPUNIT_ASSERT(!h.take<Completed>()->error);
        const Destination tmp{DestinationKind::temporaryQueue, "tmp-1"};
        h.run(h.subscription(b, 1, tmp));
        CPPUNIT_ASSERT(h.take<Completed>()->error->code == ErrorCode::notAuthorized);
        h.subscribe(a, 1, tmp);
        h.run(Send{b, RequestId(2), h.text(tmp, "reply")});
        CPPUNIT_ASSERT(h.take<Delivered>());
        h.run(CloseSession{a});
        h.effects.clear();
        h.run(Send{b, RequestId(3), h.text(tmp, "late")});
        CPPUNIT_ASSERT(h.take<Completed>()->error->code == ErrorCode::notFound);
    }

    void leasesRunOut() {
        const auto s = h.open();
        send(s, "q", "a");
        h.run(Receive{s, RequestId(2), "q", 10, 0ms, 1000ms});
        const auto id = h.take<Received>()->deliveries.at(0).id;
        h.wait(999ms);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), h.queue("q").held);
        h.wait(1ms);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(0), h.queue("q").held);
        h.effects.clear();
        h.run(h.settle(s, id, Outcome::accepted, 5));
        CPPUNIT_ASSERT_MESSAGE("a stale holder is refused",
                               h.take<Completed>()->error->code == ErrorCode::lockLost);
        h.run(Receive{s, RequestId(3), "q", 10, 0ms, 1000ms});
        CPPUNIT_ASSERT_EQUAL(2u, h.take<Received>()->deliveries.at(0).count);
    }

    void extendsALease() {
        const auto s = h.open(), sameUser = h.open(), stranger = h.open("stranger");
        send(s, "q", "a");
        h.run(Receive{s, RequestId(2), "q", 1, 0ms, 1000ms});
        const auto id = h.take<Received>()->deliveries.at(0).id;
        h.effects.clear();
        h.run(ExtendLease{stranger, RequestId(3), {id}, 5000ms, s});
        CPPUNIT_ASSERT(h.take<Completed>()->error);
        h.run(ExtendLease{sameUser, RequestId(4), {id}, 5000ms, s});
        CPPUNIT_ASSERT(!h.take<Completed>()->error);
        h.wait(4999ms);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), h.queue("q").held);
        h.wait(1ms);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(0), h.queue("q").held);
    }

    void receiveWaits() {
        const auto s = h.open();
        h.run(Receive{s, RequestId(1), "q", 5, 1000ms, 60000ms});
        CPPUNIT_ASSERT(!h.take<Received>());
        send(s, "q", "a");
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), h.take<Received>()->deliveries.size());
        h.run(Receive{s, RequestId(2), "q", 5, 1000ms, 60000ms});
        h.wait(999ms);
        CPPUNIT_ASSERT(!h.take<Received>());
        h.wait(1ms);
        const auto none = h.take<Received>();
        CPPUNIT_ASSERT(none && none->request == RequestId(2) && none->deliveries.empty());
    }

    void neverGivesAnIdTwice() {
        std::set<string> ids;
        for (int life = 0; life < 5; ++life) {
            const auto s = h.open();
            for (std::uint64_t i = 1; i <= 10; ++i)
                h.run(Send{s, RequestId(i), h.text("q", "x", i % 2 == 0)});
            while (const auto done = h.take<Completed>())
                CPPUNIT_ASSERT(ids.insert(done->value).second);
            h.restart();
        }
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(QueuesTest);

}  // namespace busbar::test
