#include "bus/base/worker_pool.h"

#include <cppunit/extensions/HelperMacros.h>

#include <atomic>
#include <future>

namespace busbar {

class WorkerPoolTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(WorkerPoolTest);
    CPPUNIT_TEST(runsWhatItTook);
    CPPUNIT_TEST(refusesBeyondItsBound);
    CPPUNIT_TEST_SUITE_END();

    void runsWhatItTook() {
        std::atomic<int> ran{0};
        {
            WorkerPool pool(2, 100);
            for (int i = 0; i < 50; ++i) CPPUNIT_ASSERT(pool.submit([&] { ++ran; }));
        }
        CPPUNIT_ASSERT_EQUAL(50, ran.load());
    }
    void refusesBeyondItsBound() {
        std::promise<void> started, release;
        WorkerPool pool(1, 1);
        CPPUNIT_ASSERT(pool.submit([&] {
            started.set_value();
            release.get_future().wait();
        }));
        started.get_future().wait();
        CPPUNIT_ASSERT(pool.submit([] {}));
        CPPUNIT_ASSERT(!pool.submit([] {}));
        release.set_value();
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(WorkerPoolTest);

}  // namespace busbar
