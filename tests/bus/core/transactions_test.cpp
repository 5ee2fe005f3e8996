// All or nothing?
#include "tests/bus/core/core_fixture.h"

#include <cppunit/extensions/HelperMacros.h>

namespace busbar::test {

using namespace std::chrono_literals;
using std::string;

class TransactionsTest : public CoreFixture {
    CPPUNIT_TEST_SUITE(TransactionsTest);
    CPPUNIT_TEST(commitsWhollyOrNotAtAll);
    CPPUNIT_TEST(abortsWhereADeliveryIsLost);
    CPPUNIT_TEST(aRepeatedSendIsStoredOnce);
    CPPUNIT_TEST(whatWasAbortedMayBeSentAgain);
    CPPUNIT_TEST(namesTheSendThatIsTheCause);
    CPPUNIT_TEST_SUITE_END();

  public:
    void commitsWhollyOrNotAtAll() {
        const auto s = h.open();
        h.subscribe(s, 1, Destination::queue("in"));
        send(s, "in", "order");
        h.take<Completed>();
        const auto id = h.take<Delivered>()->delivery.id;
        h.apply(CommitTransaction{s, RequestId(4), {h.text("out", "invoice")}, {id}});
        CPPUNIT_ASSERT(!h.take<Completed>());
        CPPUNIT_ASSERT_EQUAL_MESSAGE("still locked", std::uint64_t(1), h.queue("in").depth);
        h.sync();
        CPPUNIT_ASSERT(!h.take<Completed>()->error);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(0), h.queue("in").depth);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), h.queue("out").depth);
    }

    void abortsWhereADeliveryIsLost() {
        const auto s = h.open();
        h.subscribe(s, 1, Destination::queue("in"));
        send(s, "in", "order");
        h.take<Completed>();
        const auto id = h.take<Delivered>()->delivery.id;
        h.run(
            CommitTransaction{s, RequestId(4), {h.text("out", "invoice")}, {id, DeliveryId(999)}});
        CPPUNIT_ASSERT(h.take<Completed>()->error->code == ErrorCode::transactionAborted);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(0), h.queue("out").depth);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), h.queue("in").held);
    }

    using Sends = std::vector<std::shared_ptr<Message>>;

    std::shared_ptr<Message> named(const string& id, const string& body = "once") {
        auto message = h.text("out", body);
        message->dedupId = id;
        return message;
    }
    Completed commit(SessionId s, const Sends& sends) {
        h.run(CommitTransaction{s, RequestId(4), sends, {}});
        return *h.take<Completed>();
    }

    /// As outside of transactions: by its dedup id, also over a restart.
    void aRepeatedSendIsStoredOnce() {
        auto s = h.open();
        h.run(Send{s, RequestId(1), named("a")});
        const string first = h.take<Completed>()->value;
        const Sends sends{named("b"), named("a"), h.text("out", "plain"), named("b")};
        const auto done = commit(s, sends);
        CPPUNIT_ASSERT(!done.error);
        CPPUNIT_ASSERT_EQUAL(string("2,4"), done.value);
        CPPUNIT_ASSERT_EQUAL(first, sends[1]->id);
        CPPUNIT_ASSERT(!sends[0]->id.empty() && sends[0]->id != first);
        CPPUNIT_ASSERT_EQUAL(sends[0]->id, sends[3]->id);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(3), h.queue("out").depth);
        h.restart();
        s = h.open();
        CPPUNIT_ASSERT_EQUAL(string("1,2"), commit(s, {named("b"), named("a")}).value);
        h.run(Send{s, RequestId(1), named("b")});
        CPPUNIT_ASSERT(h.take<Completed>()->repeated);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(3), h.queue("out").depth);
    }

    void whatWasAbortedMayBeSentAgain() {
        const auto s = h.open();
        const auto aborted = commit(s, {named("a"), named("b"), named("b", "another")});
        CPPUNIT_ASSERT(aborted.error->code == ErrorCode::transactionAborted);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(3), aborted.count);
        CPPUNIT_ASSERT(aborted.error->text.find("'b' was used for another") != string::npos);
        // A first one that the disk may still refuse: nobody knows what becomes of the second.
        h.apply(Send{s, RequestId(1), named("c")});
        h.apply(CommitTransaction{s, RequestId(2), {named("a"), named("c")}, {}});
        const auto early = h.take<Completed>();
        CPPUNIT_ASSERT(early && early->error->text.find("'c' is on its way") != string::npos);
        h.sync();
        CPPUNIT_ASSERT(!h.take<Completed>()->error);
        CPPUNIT_ASSERT_EQUAL(string("2"), commit(s, {named("a"), named("c")}).value);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(2), h.queue("out").depth);
    }

    void namesTheSendThatIsTheCause() {
        const auto s = h.open();
        QueueOptions options;
        options.messagesMax = 2;
        h.run(DefineQueue{s, RequestId(3), "out", options});
        h.take<Completed>();
        h.run(Send{s, RequestId(1), named("a")});
        h.take<Completed>();
        const auto full =
            commit(s, {named("a"), h.text("out", "x"), h.text("other", "y"), h.text("out", "z")});
        CPPUNIT_ASSERT(full.error->text.find("queue 'out' is full") != string::npos);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(4), full.count);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), h.queue("out").depth);
        CPPUNIT_ASSERT_EQUAL(string("1"), commit(s, {named("a"), h.text("out", "x")}).value);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(TransactionsTest);

}  // namespace busbar::test
