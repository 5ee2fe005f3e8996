#include "bench/ledger.h"

#include <cppunit/extensions/HelperMacros.h>

#include <cstdint>

using busbar::bench::Ledger;

class LedgerTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(LedgerTest);
    CPPUNIT_TEST(countsWhatNeverCame);
    CPPUNIT_TEST(seesADuplicateAtAnotherConsumerOfTheQueue);
    CPPUNIT_TEST(duplicateDoesNotHideALoss);
    CPPUNIT_TEST(everyReaderOfATopicNeedsEveryMessage);
    CPPUNIT_TEST(orderCountsPerConsumerAndProducer);
    CPPUNIT_TEST_SUITE_END();

    void countsWhatNeverCame() {
        Ledger ledger(2, 1, false);
        for (std::uint64_t i = 0; i < 1000; ++i) {
            if (i != 64 && i != 999) CPPUNIT_ASSERT(ledger.received(0, 1, i));
        }
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{2}, ledger.missing(1, 1000));
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, ledger.missing(0, 0));
    }

    void seesADuplicateAtAnotherConsumerOfTheQueue() {
        Ledger ledger(1, 2, false);
        CPPUNIT_ASSERT(ledger.received(0, 0, 7));
        CPPUNIT_ASSERT(!ledger.received(1, 0, 7));
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{1}, ledger.duplicates());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{1}, ledger.fresh());
    }

    void duplicateDoesNotHideALoss() {
        Ledger ledger(1, 1, false);
        ledger.received(0, 0, 0);
        ledger.received(0, 0, 0);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{1}, ledger.missing(0, 2));
    }

    void everyReaderOfATopicNeedsEveryMessage() {
        Ledger ledger(1, 3, true);
        CPPUNIT_ASSERT(ledger.received(0, 0, 0));
        CPPUNIT_ASSERT(ledger.received(1, 0, 0));
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, ledger.duplicates());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{1}, ledger.missing(0, 1));
    }

    void orderCountsPerConsumerAndProducer() {
        Ledger ledger(2, 2, false);
        ledger.received(0, 0, 5);
        ledger.received(1, 0, 4);  // another consumer: no order between them
        ledger.received(0, 1, 4);  // another producer
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, ledger.outOfOrder());
        ledger.received(0, 0, 3);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{1}, ledger.outOfOrder());
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(LedgerTest);
