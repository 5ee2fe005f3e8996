#include "adapters/transport/open_requests.h"

#include <cppunit/extensions/HelperMacros.h>

#include <map>
#include <random>
#include <string>

using namespace busbar;

class OpenRequestsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(OpenRequestsTest);
    CPPUNIT_TEST(answersOnceAndForgets);
    CPPUNIT_TEST(doesWhatAMapDoes);
    CPPUNIT_TEST_SUITE_END();

  public:
    void answersOnceAndForgets() {
        OpenRequests<std::string> open;
        CPPUNIT_ASSERT(!open.anyOpen() && !open.take(RequestId(1)) && !open.find(RequestId(0)));
        const RequestId a = open.add("a"), b = open.add("b");
        CPPUNIT_ASSERT(a == RequestId(1) && b == RequestId(2));
        CPPUNIT_ASSERT_EQUAL(std::string("b"), *open.take(b));
        CPPUNIT_ASSERT(!open.take(b) && !open.find(b) && !open.find(RequestId(3)));
        CPPUNIT_ASSERT(open.anyOpen() && open.span() == 2);
        CPPUNIT_ASSERT_EQUAL(std::string("a"), *open.take(a));
        CPPUNIT_ASSERT(!open.anyOpen() && open.span() == 0);
        CPPUNIT_ASSERT(open.add("c") == RequestId(3));
    }

    void doesWhatAMapDoes() {
        std::mt19937 random(7);
        OpenRequests<int> open;
        std::map<RequestId, int> model;
        for (int i = 0; i < 20'000; ++i) {
            if (random() % 2 == 0 || model.empty()) {
                RequestId request;
                open.add(request) = i;
                CPPUNIT_ASSERT(model.emplace(request, i).second);
                continue;
            }
            auto at = model.begin();
            std::advance(at, static_cast<long>(random() % std::min<std::size_t>(model.size(), 8)));
            CPPUNIT_ASSERT_EQUAL(at->second, *open.find(at->first));
            CPPUNIT_ASSERT_EQUAL(at->second, open.take(at->first).value());
            model.erase(at);
            CPPUNIT_ASSERT_EQUAL(!model.empty(), open.anyOpen());
        }
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(OpenRequestsTest);
