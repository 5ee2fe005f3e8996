#include "tests/xml-schemas/xml_test_support.h"

namespace busbar::xml {

class SchemaSetTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(SchemaSetTest);
    CPPUNIT_TEST(joinsDocumentsOfOneNamespace);
    CPPUNIT_TEST(importsWithoutLocation);
    CPPUNIT_TEST(importsEachOther);
    CPPUNIT_TEST(includesByRelativeName);
    CPPUNIT_TEST(includesDocumentsWithoutNamespace);
    CPPUNIT_TEST(acceptsUnusedImportOfUnknownNamespace);
    CPPUNIT_TEST(namesDocumentAndLineOfAnError);
    CPPUNIT_TEST(namesMissingInclude);
    CPPUNIT_TEST(refusesWhatIsNoSchema);
    CPPUNIT_TEST(knowsTheXmlNamespace);
    CPPUNIT_TEST(embedsItsFiles);
    CPPUNIT_TEST(resolvesLocations);
    CPPUNIT_TEST_SUITE_END();

    static void accepts(const std::shared_ptr<const SchemaSet>& set, const std::string& document) {
        const auto done = Validator(set, {}).validate(document);
        CPPUNIT_ASSERT_MESSAGE(done ? "" : done.error().text, done.ok());
    }
    static void refuses(const std::shared_ptr<const SchemaSet>& set, const std::string& document) {
        CPPUNIT_ASSERT(!Validator(set, {}).validate(document));
    }

    void joinsDocumentsOfOneNamespace() {
        const auto set =
            mustBuild({{"1.xsd", schema("urn:a", "<xs:element name='x' type='xs:int'/>")},
                       {"2.xsd", schema("urn:a", "<xs:element name='y' type='xs:int'/>")}});
        accepts(set, "<x xmlns='urn:a'>1</x>");
        accepts(set, "<y xmlns='urn:a'>1</y>");
        refuses(set, "<y xmlns='urn:a'>one</y>");
    }
    void importsWithoutLocation() {
        const auto set = mustBuild(
            {{"1.xsd", schema("urn:a",
                              "<xs:import namespace='urn:b'/><xs:element name='x'><xs:complexType>"
                              "<xs:sequence><xs:element xmlns:b='urn:b' ref='b:y'/></xs:sequence>"
                              "</xs:complexType></xs:element>")},
             {"2.xsd", schema("urn:b", "<xs:element name='y' type='xs:int'/>")}});
        accepts(set, "<x xmlns='urn:a'><y xmlns='urn:b'>1</y></x>");
        refuses(set, "<x xmlns='urn:a'><y xmlns='urn:b'>?</y></x>");
    }
    void importsEachOther() {
        const auto set = mustBuild(
            {{"a.xsd",
              schema("urn:a",
                     "<xs:import namespace='urn:b' schemaLocation='b.xsd'/>"
                     "<xs:element name='x' xmlns:b='urn:b' type='b:T'/>"
                     "<xs:simpleType name='T'><xs:restriction base='xs:int'/></xs:simpleType>")},
             {"b.xsd",
              schema("urn:b",
                     "<xs:import namespace='urn:a' schemaLocation='a.xsd'/>"
                     "<xs:element name='y' xmlns:a='urn:a' type='a:T'/>"
                     "<xs:simpleType name='T'><xs:restriction base='xs:date'/></xs:simpleType>")}});
        accepts(set, "<x xmlns='urn:a'>2026-01-01</x>");
        accepts(set, "<y xmlns='urn:b'>7</y>");
        refuses(set, "<x xmlns='urn:a'>7</x>");
    }
    void includesByRelativeName() {
        const auto set = mustBuild(
            {{"dir/a.xsd",
              schema(
                  "urn:a",
                  "<xs:include schemaLocation='../types/t.xsd'/><xs:element name='x' type='T'/>")},
             {"types/t.xsd",
              schema("urn:a",
                     "<xs:simpleType name='T'><xs:restriction base='xs:int'/></xs:simpleType>")}});
        refuses(set, "<x xmlns='urn:a'>x</x>");
        accepts(set, "<x xmlns='urn:a'>1</x>");
    }
    void includesDocumentsWithoutNamespace() {
        const auto set = mustBuild(
            {{"a.xsd",
              schema("urn:a",
                     "<xs:include schemaLocation='c.xsd'/><xs:element name='x' type='T'/>")},
             {"c.xsd",
              "<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema'><xs:simpleType name='T'>"
              "<xs:restriction base='xs:int'/></xs:simpleType></xs:schema>"}});
        accepts(set, "<x xmlns='urn:a'>1</x>");
    }
    void acceptsUnusedImportOfUnknownNamespace() {
        const auto set = mustBuild(
            {{"a.xsd", schema("urn:a",
                              "<xs:import namespace='http://schemas.xmlsoap.org/soap/encoding/'/>"
                              "<xs:element name='x' type='xs:int'/>")}});
        accepts(set, "<x xmlns='urn:a'>1</x>");
    }
    void namesDocumentAndLineOfAnError() {
        const auto built = SchemaSet::build(
            {{"dir/bad.xsd", schema("urn:a", "\n\n<xs:element name='x' type='Nowhere'/>")}});
        CPPUNIT_ASSERT(!built);
        assertContains(built.error().text, "dir/bad.xsd: line 3");
        assertContains(built.error().text, "Nowhere");
    }
    void namesMissingInclude() {
        const auto built = SchemaSet::build(
            {{"a.xsd", schema("urn:a", "<xs:include schemaLocation='/etc/passwd'/>")}});
        CPPUNIT_ASSERT(!built);
        assertContains(built.error().text, "/etc/passwd");
    }
    void refusesWhatIsNoSchema() {
        CPPUNIT_ASSERT(!SchemaSet::build({{"a.xsd", "<html/>"}}));
        CPPUNIT_ASSERT(!SchemaSet::build({{"a.xsd", "not xml"}}));
        CPPUNIT_ASSERT(!SchemaSet::build(
            {{"a.xsd", "<!DOCTYPE xs:schema [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>" +
                           schema("urn:a", "")}}));
    }
    void knowsTheXmlNamespace() {
        const auto set = mustBuild(
            {{"a.xsd",
              schema("urn:a",
                     "<xs:import namespace='http://www.w3.org/XML/1998/namespace' "
                     "schemaLocation='http://www.w3.org/2001/xml.xsd'/><xs:element name='x'>"
                     "<xs:complexType><xs:attribute ref='xml:lang' use='required'/>"
                     "</xs:complexType></xs:element>")}});
        accepts(set, "<x xmlns='urn:a' xml:lang='en'/>");
        refuses(set, "<x xmlns='urn:a'/>");
    }
    void embedsItsFiles() {
        CPPUNIT_ASSERT(schemaText("busbar.xsd").has_value());
        CPPUNIT_ASSERT(schemaText("soap12-envelope.xsd")->find("NotUnderstood") !=
                       std::string_view::npos);
        CPPUNIT_ASSERT(!schemaText("nothing.xsd"));
    }
    void resolvesLocations() {
        CPPUNIT_ASSERT_EQUAL(std::string("b.xsd"), resolveLocation("a.wsdl", "b.xsd"));
        CPPUNIT_ASSERT_EQUAL(std::string("/x/types/b.xsd"),
                             resolveLocation("/x/dir/a.wsdl", "../types/b.xsd"));
        CPPUNIT_ASSERT_EQUAL(std::string("../b.xsd"), resolveLocation("a.wsdl", "../b.xsd"));
        CPPUNIT_ASSERT_EQUAL(std::string("http://h/b.xsd"),
                             resolveLocation("a.wsdl", "http://h/b.xsd"));
        CPPUNIT_ASSERT_EQUAL(std::string("d/b.xsd"), resolveLocation("d/a.wsdl", "./b.xsd"));
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(SchemaSetTest);

}  // namespace busbar::xml
