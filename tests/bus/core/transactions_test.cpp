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
};

CPPUNIT_TEST_SUITE_REGISTRATION(TransactionsTest);

}  // namespace busbar::test
