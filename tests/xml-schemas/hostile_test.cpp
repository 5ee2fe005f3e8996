// Documents that try to exhaust or to read what is not theirs.
#include "tests/xml-schemas/xml_test_support.h"

#include <cstdlib>

namespace busbar::xml {

class HostileTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(HostileTest);
    CPPUNIT_TEST(refusesBillionLaughs);
    CPPUNIT_TEST(refusesExternalEntity);
    CPPUNIT_TEST(refusesAnyDoctype);
    CPPUNIT_TEST(refusesDoctypeInUtf16);
    CPPUNIT_TEST(refusesProcessingInstruction);
    CPPUNIT_TEST(refusesDeepNesting);
    CPPUNIT_TEST(refusesManyAttributes);
    CPPUNIT_TEST(refusesOversize);
    CPPUNIT_TEST(doesNotFollowSchemaLocation);
    CPPUNIT_TEST(goesOnAfterRefusals);
    CPPUNIT_TEST(refusesUnknownEntity);
    CPPUNIT_TEST_SUITE_END();

    const Validator validator_{anything(),
                               {.bytesMax = 4u << 20, .depthMax = 128, .attributesMax = 256}};

    std::string refusal(const std::string& document) const {
        const auto done = validator_.validate(document);
        CPPUNIT_ASSERT(!done);
        return done.error().text;
    }
    static std::string wrap(const std::string& content) {
        return "<r xmlns='urn:r'>" + content + "</r>";
    }

    void refusesBillionLaughs() {
        std::string document = "<!DOCTYPE r [<!ENTITY a0 'ha'>";
        for (int i = 1; i < 30; ++i) {
            const auto last = "&a" + std::to_string(i - 1) + ";";
            document += "<!ENTITY a" + std::to_string(i) + " '" + last + last + "'>";
        }
        assertContains(refusal(document + "]>" + wrap("&a29;")), "DOCTYPE");
    }
    void refusesExternalEntity() {
        assertContains(
            refusal(
                "<?xml version='1.0'?>\n <!DOCTYPE r [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>" +
                wrap("&x;")),
            "line 2, column 2: a DOCTYPE");
    }
    void refusesAnyDoctype() {
        assertContains(refusal("<!-- <a> --><!DOCTYPE r>" + wrap("")), "DOCTYPE");
        assertContains(refusal("<!DOCTYPE r SYSTEM 'http://127.0.0.1:1/x.dtd'>" + wrap("")),
                       "DOCTYPE");
    }
    void refusesDoctypeInUtf16() {
        std::string wide;
        for (const char c : "<!DOCTYPE r [<!ENTITY x 'y'>]>" + wrap("&x;")) {
            wide += c;
            wide += '\0';
        }
        refusal(wide);
    }
    void refusesProcessingInstruction() {
        assertContains(refusal("<?xml version='1.0'?><?php x?>" + wrap("")),
                       "processing instruction 'php'");
        assertContains(refusal(wrap("\n<?y z?>")), "line 2");
    }
    void refusesDeepNesting() {
        std::string deep;
        for (int i = 0; i < 100'000; ++i) deep += "<a>";
        const auto done = validator_.validate(wrap(deep));
        CPPUNIT_ASSERT(!done);
        CPPUNIT_ASSERT(done.error().code == ErrorCode::tooLarge);
        assertContains(done.error().text, "deeper than 128");
    }
    void refusesManyAttributes() {
        std::string many = "<r xmlns='urn:r'";
        for (int i = 0; i < 10'000; ++i) many += " a" + std::to_string(i) + "=''";
        const auto done = validator_.validate(many + "/>");
        CPPUNIT_ASSERT(!done);
        CPPUNIT_ASSERT(done.error().code == ErrorCode::tooLarge);
        assertContains(done.error().text,
                       "line 1, column 1: an element has more than 256 attributes");
        const auto with = [](int count, const std::string& before = {}) {
            std::string out = before + "<r xmlns='urn:r'";
            for (int i = 1; i < count; ++i) out += " xmlns:a" + std::to_string(i) + "=\"<'>\"";
            return out + "/>";
        };
        const auto tooMany = [&](const std::string& text) {
            const auto refused = validator_.validate(text);
            return !refused && refused.error().text.find("256 attributes") != std::string::npos;
        };
        CPPUNIT_ASSERT(tooMany(with(257)));
        CPPUNIT_ASSERT(!tooMany(with(256)));
        CPPUNIT_ASSERT(tooMany(with(257, "<!-- ' > \" <a -->\n")));
        // Quotes that are no attributes'.
        std::string quotes(1000, '"');
        CPPUNIT_ASSERT(!tooMany("<!-- <a " + quotes + " -->" + with(3)));
        CPPUNIT_ASSERT(
            !tooMany("<r xmlns='urn:r'>" + quotes + "<![CDATA[<a " + quotes + "]]></r>"));
        for (const bool big : {false, true}) {
            for (const int count : {256, 257}) {
                std::string wide = big ? "\xfe\xff" : "\xff\xfe";
                for (const char c : with(count)) {
                    wide += big ? '\0' : c;
                    wide += big ? c : '\0';
                }
                CPPUNIT_ASSERT_EQUAL(count == 257, tooMany(wide));
            }
        }
    }
    void refusesOversize() {
        const auto done = validator_.validate(wrap(std::string(5u << 20, 'x')));
        CPPUNIT_ASSERT(!done);
        CPPUNIT_ASSERT(done.error().code == ErrorCode::tooLarge);
    }
    void doesNotFollowSchemaLocation() {
        // Would fail, or hang, if anything were fetched; an unknown element below a lax wildcard is
        // fine.
        const auto done = validator_.validate(
            "<r xmlns='urn:r' xmlns:i='http://www.w3.org/2001/XMLSchema-instance' "
            "i:schemaLocation='urn:q file:///etc/passwd urn:r http://127.0.0.1:1/r.xsd'><q "
            "xmlns='urn:q'/></r>");
        CPPUNIT_ASSERT_MESSAGE(done ? "" : done.error().text, done.ok());
    }
    void goesOnAfterRefusals() {
        for (int i = 0; i < 3; ++i) {
            refusal(wrap("<a></b>"));
            CPPUNIT_ASSERT(validator_.validate(wrap("<a/>")).ok());
        }
    }
    void refusesUnknownEntity() { assertContains(refusal(wrap("&nbsp;")), "line 1"); }
};
CPPUNIT_TEST_SUITE_REGISTRATION(HostileTest);

}  // namespace busbar::xml
