#include "bus/base/xml_text.h"

#include <cppunit/extensions/HelperMacros.h>

class XmlTextTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(XmlTextTest);
    CPPUNIT_TEST(nothingEndsAnAttribute);
    CPPUNIT_TEST_SUITE_END();

  public:
    void nothingEndsAnAttribute() {
        CPPUNIT_ASSERT_EQUAL(std::string("&lt;a b=&quot;c'&amp;amp;>&#10;&#9;&#13;\xc3\xa4"),
                             busbar::xmlAttribute("<a b=\"c'&amp;>\n\t\r\xc3\xa4"));
        CPPUNIT_ASSERT_EQUAL(std::string(), busbar::xmlAttribute(""));
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(XmlTextTest);
