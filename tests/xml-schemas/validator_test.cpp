#include "tests/xml-schemas/xml_test_support.h"

#include <thread>

namespace busbar::xml {

class ValidatorTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ValidatorTest);
    CPPUNIT_TEST(saysWhereAndWhatWasExpected);
    CPPUNIT_TEST(checksThePayloadInsideAnEnvelope);
    CPPUNIT_TEST(refusesUndeclaredRoot);
    CPPUNIT_TEST(readsATreeWithDefaultsAndPlaces);
    CPPUNIT_TEST(servesManyThreads);
    CPPUNIT_TEST_SUITE_END();

    static std::shared_ptr<const SchemaSet> envelopeAndOrder() {
        return mustBuild(
            {{"soap11.xsd", std::string(*schemaText("soap11-envelope.xsd"))},
             {"soap12.xsd", std::string(*schemaText("soap12-envelope.xsd"))},
             {"order.xsd", schema("urn:o",
                                  "<xs:element name='order'><xs:complexType><xs:sequence>"
                                  "<xs:element name='item' type='xs:string'/>"
                                  "<xs:element name='count' type='xs:int'/>"
                                  "</xs:sequence></xs:complexType></xs:element>")}});
    }

    void saysWhereAndWhatWasExpected() {
        const Validator validator(envelopeAndOrder(), {});
        const auto done = validator.validate(
            "<order xmlns='urn:o'>\n  <item>a</item>\n  <amount>1</amount>\n</order>");
        CPPUNIT_ASSERT(!done);
        CPPUNIT_ASSERT(done.error().code == ErrorCode::malformed);
        assertContains(done.error().text, "line 3, column ");
        assertContains(done.error().text, "count");
    }
    void checksThePayloadInsideAnEnvelope() {
        const Validator validator(envelopeAndOrder(), {});
        for (const std::string ns : {"http://schemas.xmlsoap.org/soap/envelope/",
                                     "http://www.w3.org/2003/05/soap-envelope"}) {
            const auto envelope = [&](const std::string& count) {
                return "<s:Envelope xmlns:s='" + ns +
                       "'>\n<s:Body>\n<order xmlns='urn:o'><item>a</item>\n<count>" + count +
                       "</count></order></s:Body></s:Envelope>";
            };
            const auto good = validator.validate(envelope("1"));
            CPPUNIT_ASSERT_MESSAGE(good ? "" : good.error().text, good.ok());
            const auto bad = validator.validate(envelope("one"));
            CPPUNIT_ASSERT(!bad);
            assertContains(bad.error().text, "line 4, column ");
        }
    }
    void refusesUndeclaredRoot() {
        const Validator validator(envelopeAndOrder(), {});
        CPPUNIT_ASSERT(!validator.validate("<x/>"));
        CPPUNIT_ASSERT(!validator.validate("<order/>"));
        CPPUNIT_ASSERT(!validator.validate(""));
    }
    void readsATreeWithDefaultsAndPlaces() {
        const auto set = mustBuild(
            {{"a.xsd",
              schema("urn:a",
                     "<xs:element name='x'><xs:complexType><xs:sequence><xs:element name='y' "
                     "type='xs:string' maxOccurs='9'/></xs:sequence>"
                     "<xs:attribute name='n' type='xs:int' default='7'/></xs:complexType>"
                     "</xs:element>")}});
        const auto tree =
            Validator(set, {}).read("<x xmlns='urn:a'>\n<y>&lt;1</y>\n<y><![CDATA[2]]></y></x>");
        CPPUNIT_ASSERT_MESSAGE(tree ? "" : tree.error().text, tree.ok());
        CPPUNIT_ASSERT_EQUAL(std::string("7"), *tree->find("n"));
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), tree->children.size());
        CPPUNIT_ASSERT_EQUAL(std::string("<1"), tree->children[0].text);
        CPPUNIT_ASSERT_EQUAL(std::string("2"), tree->children[1].text);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(3), tree->children[1].line);
        CPPUNIT_ASSERT_EQUAL(std::string("urn:a"), tree->ns);
    }
    void servesManyThreads() {
        const Validator validator(envelopeAndOrder(), {});
        std::atomic<int> wrong{0};
        const auto work = [&] {
            for (int i = 0; i < 200; ++i) {
                if (!validator.validate(
                        "<order xmlns='urn:o'><item>a</item><count>1</count></order>"))
                    ++wrong;
                if (validator.validate("<order xmlns='urn:o'><item>a</item></order>")) ++wrong;
            }
        };
        { std::jthread a(work), b(work), c(work); }
        CPPUNIT_ASSERT_EQUAL(0, wrong.load());
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(ValidatorTest);

}  // namespace busbar::xml
