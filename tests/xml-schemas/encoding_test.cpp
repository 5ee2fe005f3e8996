#include "tests/xml-schemas/xml_test_support.h"

namespace busbar::xml {

class EncodingTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(EncodingTest);
    CPPUNIT_TEST(tellsEncodingFromMarkAndSpelling);
    CPPUNIT_TEST(refusesContradictions);
    CPPUNIT_TEST(refusesOtherEncodings);
    CPPUNIT_TEST(readsUtf16Documents);
    CPPUNIT_TEST_SUITE_END();

    static std::string utf16(const std::string& ascii, bool little, bool mark) {
        std::string out;
        if (mark) out += little ? "\xFF\xFE" : "\xFE\xFF";
        for (const char c : ascii) {
            if (little) out += c;
            out += '\0';
            if (!little) out += c;
        }
        return out;
    }

    void tellsEncodingFromMarkAndSpelling() {
        CPPUNIT_ASSERT(*detectEncoding("<a/>", "") == Encoding::utf8);
        CPPUNIT_ASSERT(*detectEncoding("\xEF\xBB\xBF<a/>", "UTF-8") == Encoding::utf8);
        CPPUNIT_ASSERT(*detectEncoding(utf16("<a/>", true, false), "utf-16") == Encoding::utf16le);
        CPPUNIT_ASSERT(*detectEncoding(utf16("<a/>", false, true), "") == Encoding::utf16be);
        CPPUNIT_ASSERT(*detectEncoding("", "") == Encoding::utf8);
    }
    void refusesContradictions() {
        CPPUNIT_ASSERT(!detectEncoding("<a/>", "utf-16"));
        CPPUNIT_ASSERT(!detectEncoding(utf16("<a/>", true, true), "utf-8"));
        const auto refused = detectEncoding("<?xml version='1.0' encoding='UTF-16'?><a/>", "utf-8");
        CPPUNIT_ASSERT(!refused);
        assertContains(refused.error().text, "UTF-16");
    }
    void refusesOtherEncodings() {
        CPPUNIT_ASSERT(!detectEncoding("<?xml version='1.0' encoding='UTF-7'?><a/>", ""));
        CPPUNIT_ASSERT(!detectEncoding("<a/>", "iso-8859-1"));
    }
    void readsUtf16Documents() {
        const Validator validator(anything(), {});
        const std::string text = "<?xml version='1.0' encoding='UTF-16'?><r xmlns='urn:r'>x</r>";
        for (const bool little : {true, false}) {
            for (const bool mark : {true, false}) {
                const auto read = validator.read(utf16(text, little, mark));
                CPPUNIT_ASSERT_MESSAGE(read ? "" : read.error().text, read.ok());
                CPPUNIT_ASSERT_EQUAL(std::string("x"), read->text);
            }
        }
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(EncodingTest);

}  // namespace busbar::xml
