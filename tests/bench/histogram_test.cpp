#include "bench/histogram.h"

#include <cppunit/extensions/HelperMacros.h>

#include <cstdint>

using busbar::bench::Histogram;

class HistogramTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(HistogramTest);
    CPPUNIT_TEST(emptyOneSaysZero);
    CPPUNIT_TEST(smallValuesAreExact);
    CPPUNIT_TEST(quantilesAreAtMostOnePart64Above);
    CPPUNIT_TEST(takesTheLargestValue);
    CPPUNIT_TEST(tailIsSeenByItsQuantileOnly);
    CPPUNIT_TEST_SUITE_END();

    void emptyOneSaysZero() {
        const Histogram h;
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, h.quantile(0.99));
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, h.count());
    }

    void smallValuesAreExact() {
        Histogram h;
        for (std::uint64_t v = 1; v <= 60; ++v) h.record(v);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{30}, h.quantile(0.5));
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{60}, h.quantile(1));
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{1}, h.quantile(0));
    }

    void quantilesAreAtMostOnePart64Above() {
        for (std::uint64_t v = 1; v < (std::uint64_t{1} << 62); v = v * 3 + 1) {
            Histogram h;
            h.record(v);
            h.record(UINT64_MAX);  // so that max() does not hide the bucket's width
            const std::uint64_t q = h.quantile(0.5);
            CPPUNIT_ASSERT(q >= v);
            CPPUNIT_ASSERT(q - v <= v / 64);
        }
    }

    void takesTheLargestValue() {
        Histogram h;
        h.record(UINT64_MAX);
        CPPUNIT_ASSERT_EQUAL(UINT64_MAX, h.quantile(0.5));
        CPPUNIT_ASSERT_EQUAL(UINT64_MAX, h.max());
    }

    void tailIsSeenByItsQuantileOnly() {
        Histogram h;
        for (int i = 0; i < 995; ++i) h.record(10);
        for (int i = 0; i < 5; ++i) h.record(50'000);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{10}, h.quantile(0.99));
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{50'000}, h.quantile(0.999));
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(HistogramTest);
