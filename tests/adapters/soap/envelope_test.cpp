#include "tests/adapters/soap/soap_test_support.h"

using namespace std::string_literals;

namespace busbar::soap {

class EnvelopeTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(EnvelopeTest);
    CPPUNIT_TEST(convertsEnvelopesBothWays);
    CPPUNIT_TEST(convertsFaultsLikeTheGoldenFiles);
    CPPUNIT_TEST(keepsBytesWhereNothingChanges);
    CPPUNIT_TEST(keepsEnvelopesInsideThePayload);
    CPPUNIT_TEST(convertsCustomFaultCodesToSubcodes);
    CPPUNIT_TEST(tellsUnknownVersionFromGarbage);
    CPPUNIT_TEST(peeksAtTheStartTagAlone);
    CPPUNIT_TEST(findsHeadersThatMustBeUnderstood);
    CPPUNIT_TEST(dropsHeadersAimedAtNext);
    CPPUNIT_TEST(readsAddressing);
    CPPUNIT_TEST(wrapsPayloads);
    CPPUNIT_TEST_SUITE_END();

    static Envelope mustParse(const std::string& text) {
        auto parsed = Envelope::parse(text);
        CPPUNIT_ASSERT_MESSAGE(parsed ? "" : parsed.error().text, parsed.ok());
        return std::move(*parsed);
    }

    void convertsEnvelopesBothWays() {
        CPPUNIT_ASSERT_EQUAL(golden("place-order-11-as-12.xml"),
                             mustParse(golden("place-order-11.xml")).text(Version::v12));
        const auto back = mustParse(golden("place-order-11-as-12.xml")).text(Version::v11);
        assertContains(
            back,
            "soap:actor=\"http://schemas.xmlsoap.org/soap/actor/next\" soap:mustUnderstand=\"0\"");
    }
    void convertsFaultsLikeTheGoldenFiles() {
        CPPUNIT_ASSERT_EQUAL(golden("fault-11-as-12.xml"),
                             mustParse(golden("fault-11.xml")).text(Version::v12));
        CPPUNIT_ASSERT_EQUAL(golden("fault-12-as-11.xml"),
                             mustParse(golden("fault-12.xml")).text(Version::v11));
        CPPUNIT_ASSERT(mustParse(golden("fault-11.xml")).isSenderFault());
        CPPUNIT_ASSERT(mustParse(golden("fault-11-as-12.xml")).isSenderFault());
        CPPUNIT_ASSERT(!mustParse(golden("fault-12.xml")).isSenderFault());
    }
    void keepsBytesWhereNothingChanges() {
        const auto text = golden("place-order-11.xml");
        CPPUNIT_ASSERT_EQUAL(text, mustParse(text).text(Version::v11));
    }
    void keepsEnvelopesInsideThePayload() {
        const auto inner =
            "<keep xmlns:q=\"" + std::string(kEnvelope11) + "\"><q:Envelope/></keep>";
        assertContains(mustParse(envelope(Version::v11, inner)).text(Version::v12), inner);
    }
    void convertsCustomFaultCodesToSubcodes() {
        const auto text =
            mustParse(envelope(Version::v11,
                               "<s:Fault><faultcode xmlns:a='urn:a'>a:NoStock</faultcode>"
                               "<faultstring>x</faultstring></s:Fault>"))
                .text(Version::v12);
        assertContains(text,
                       "env:Receiver</s:Value><s:Subcode><s:Value xmlns:app=\"urn:a\">app:NoStock");
    }
    void tellsUnknownVersionFromGarbage() {
        CPPUNIT_ASSERT(Envelope::parse("<Envelope xmlns='urn:future'/>").error().code ==
                       ErrorCode::unsupported);
        CPPUNIT_ASSERT(Envelope::parse("<x/>").error().code == ErrorCode::malformed);
        CPPUNIT_ASSERT(Envelope::parse("").error().code == ErrorCode::malformed);
        CPPUNIT_ASSERT(
            !Envelope::parse("<Envelope xmlns='http://schemas.xmlsoap.org/soap/envelope/'/>"));
    }
    void peeksAtTheStartTagAlone() {
        const std::string start =
            "<s:Envelope a='>' xmlns:s='http://www.w3.org/2003/05/soap-envelope'";
        for (const std::string& before :
             {""s, "\xef\xbb\xbf"s, "<?xml version='1.0'?>\n<!-- <a> -->"s, " \r\n"s}) {
            for (const std::string& behind : {">"s, " />"s, "><<<&"s, ">" + std::string(1000, '<')})
                CPPUNIT_ASSERT(*Envelope::peekVersion(before + start + behind) == Version::v12);
        }
        CPPUNIT_ASSERT(Envelope::peekVersion("<Envelope xmlns='urn:future'><").error().code ==
                       ErrorCode::unsupported);
        for (const std::string& garbage :
             {""s, "<"s, "<x>"s, "x"s, start, "<!-- "s, "<!DOCTYPE a>" + start + ">",
              "\xff\xfe<\0"s, "<!--" + std::string(20'000, 'x') + "-->" + start + ">"})
            CPPUNIT_ASSERT_MESSAGE(
                garbage.substr(0, 80),
                Envelope::peekVersion(garbage).error().code == ErrorCode::malformed);
    }
    void findsHeadersThatMustBeUnderstood() {
        const auto parsed =
            mustParse(envelope(Version::v12, kStateRequest,
                               "<a xmlns='urn:a' s:mustUnderstand='true'/><b xmlns='urn:b' "
                               "s:mustUnderstand='1'/><c xmlns='urn:c'/>"
                               "<d xmlns='urn:d' s:mustUnderstand='true' s:role='urn:someone'/>"
                               "<e xmlns='urn:e' s:mustUnderstand='true' "
                               "s:role='http://www.w3.org/2003/05/soap-envelope/role/next'/>"
                               "<w:To xmlns:w='http://www.w3.org/2005/08/addressing' "
                               "s:mustUnderstand='true'>x</w:To>"));
        const std::vector<std::string> understood{"urn:b"};
        CPPUNIT_ASSERT((parsed.notUnderstood(understood) ==
                        std::vector<QName>{{"urn:a", "a"}, {"urn:e", "e"}}));
    }
    void dropsHeadersAimedAtNext() {
        const std::string next = "s:role='http://www.w3.org/2003/05/soap-envelope/role/next'";
        auto parsed = mustParse(envelope(Version::v12, kStateRequest,
                                         "<a xmlns='urn:a' " + next + "/><b xmlns='urn:b' " + next +
                                             " s:relay='true'/><c xmlns='urn:c'/>"));
        parsed.dropNextHeaders();
        const auto text = parsed.text(Version::v12);
        CPPUNIT_ASSERT(text.find("urn:a") == std::string::npos);
        assertContains(text, "urn:b");
        assertContains(text, "urn:c");
    }
    void readsAddressing() {
        const auto parsed = mustParse(envelope(
            Version::v11, kStateRequest,
            "<w:MessageID xmlns:w='http://www.w3.org/2005/08/addressing'>urn:1</w:MessageID>"
            "<w:Action xmlns:w='http://www.w3.org/2005/08/addressing'>act</w:Action>"));
        CPPUNIT_ASSERT_EQUAL(std::string("urn:1"), parsed.messageId());
        CPPUNIT_ASSERT_EQUAL(std::string("act"), parsed.action());
        CPPUNIT_ASSERT_EQUAL(std::string(), mustParse(envelope(Version::v11, "")).messageId());
    }
    void wrapsPayloads() {
        auto wrapped = Envelope::wrap("<?xml version='1.0'?>" + kStateReply, Version::v12);
        CPPUNIT_ASSERT(wrapped.ok());
        CPPUNIT_ASSERT(
            (wrapped->payload() == QName{"urn:busbar:sample:orders", "GetOrderStateResponse"}));
        CPPUNIT_ASSERT(!Envelope::wrap("oops", Version::v11));
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(EnvelopeTest);

}  // namespace busbar::soap
