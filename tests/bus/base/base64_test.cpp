#include "bus/base/base64.h"

#include <cppunit/extensions/HelperMacros.h>

using namespace busbar;
using namespace std::string_literals;

class Base64Test : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(Base64Test);
    CPPUNIT_TEST(everyLengthComesBack);
    CPPUNIT_TEST(refusesWhatIsNotExact);
    CPPUNIT_TEST_SUITE_END();

  public:
    void everyLengthComesBack() {
        std::string bytes;
        for (int i = 0; i < 300; ++i) {
            CPPUNIT_ASSERT(fromBase64(base64(bytes)) == bytes);
            CPPUNIT_ASSERT(fromBase64Url(base64Url(bytes)) == bytes);
            bytes += static_cast<char>(i * 7);
        }
    }

    void refusesWhatIsNotExact() {
        CPPUNIT_ASSERT(fromBase64("YQ==") == "a"s && fromBase64("YWI=") == "ab"s);
        for (const char* wrong : {"Y", "YQ", "YQ=", "YWI", "Y===", "====", "=",
                                  "YQ==YQ==", "YR==", "YWJ=", "Y Q=", "YQ==\n", "_-==", "YW=I"})
            CPPUNIT_ASSERT_MESSAGE(wrong, !fromBase64(wrong));
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(Base64Test);
