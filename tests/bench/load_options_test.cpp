#include "bench/load_options.h"

#include <cppunit/extensions/HelperMacros.h>

using busbar::bench::LoadOptions;
using busbar::bench::parseLoadOptions;

class LoadOptionsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(LoadOptionsTest);
    CPPUNIT_TEST(receiptsFollowPersistence);
    CPPUNIT_TEST(topicMeansOneDestination);
    CPPUNIT_TEST(refusesWhatCannotBe);
    CPPUNIT_TEST_SUITE_END();

    void receiptsFollowPersistence() {
        CPPUNIT_ASSERT(parseLoadOptions({})->receipts);
        CPPUNIT_ASSERT(!parseLoadOptions({"--persistent", "0"})->receipts);
        CPPUNIT_ASSERT(parseLoadOptions({"--persistent", "0", "--receipts", "1"})->receipts);
        CPPUNIT_ASSERT(!parseLoadOptions({"--request-reply", "64"})->receipts);
        CPPUNIT_ASSERT_EQUAL(64U, parseLoadOptions({"--request-reply", "64"})->window);
    }

    void topicMeansOneDestination() {
        const auto options = parseLoadOptions({"--topic", "--consumers", "10"});
        CPPUNIT_ASSERT_EQUAL(1U, options->queues);
        CPPUNIT_ASSERT_EQUAL(std::string("/topic/"), options->prefix);
    }

    void refusesWhatCannotBe() {
        CPPUNIT_ASSERT(!parseLoadOptions({"--what"}));
        CPPUNIT_ASSERT(!parseLoadOptions({"--port"}));
        CPPUNIT_ASSERT(!parseLoadOptions({"--port", "70000"}));
        CPPUNIT_ASSERT(!parseLoadOptions({"--ack", "never"}));
        CPPUNIT_ASSERT(!parseLoadOptions({"--queues", "4"}));
        CPPUNIT_ASSERT(!parseLoadOptions({"--consumers", "0", "--persistent", "0"}));
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(LoadOptionsTest);
