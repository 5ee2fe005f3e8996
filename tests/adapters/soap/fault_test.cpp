#include "tests/adapters/soap/soap_test_support.h"

namespace busbar::soap {

class FaultTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(FaultTest);
    CPPUNIT_TEST(writesFaultsThatTheSchemasAccept);
    CPPUNIT_TEST(namesHeadersThatWereNotUnderstood);
    CPPUNIT_TEST(offersVersionsOnMismatch);
    CPPUNIT_TEST(mapsErrorsAndStatusByTable);
    CPPUNIT_TEST(readsContentTypes);
    CPPUNIT_TEST_SUITE_END();

    static void accept(const std::string& text) {
        auto set = xml::SchemaSet::build(
            {{"11.xsd", std::string(*xml::schemaText("soap11-envelope.xsd"))},
             {"12.xsd", std::string(*xml::schemaText("soap12-envelope.xsd"))}});
        CPPUNIT_ASSERT_MESSAGE(set ? "" : set.error().text, set.ok());
        const auto done = xml::Validator(*set, {}).validate(text);
        CPPUNIT_ASSERT_MESSAGE(done ? "" : done.error().text + " in " + text, done.ok());
    }

    void writesFaultsThatTheSchemasAccept() {
        for (const auto version : {Version::v11, Version::v12}) {
            for (const auto code : {FaultCode::sender, FaultCode::receiver,
                                    FaultCode::mustUnderstand, FaultCode::versionMismatch}) {
                Fault fault;
                fault.code = code;
                fault.reason = "a < b & \"c\" \x01";
                fault.detail = "d>";
                fault.notUnderstood = {{"urn:x", "h"}, {"", "plain"}};
                accept(faultText(fault, version));
            }
        }
    }
    void namesHeadersThatWereNotUnderstood() {
        Fault fault;
        fault.code = FaultCode::mustUnderstand;
        fault.notUnderstood = {{"urn:x", "h"}};
        assertContains(faultText(fault, Version::v12),
                       "<soap:NotUnderstood qname=\"ns:h\" xmlns:ns=\"urn:x\"/>");
        CPPUNIT_ASSERT(faultText(fault, Version::v11).find("NotUnderstood") == std::string::npos);
    }
    void offersVersionsOnMismatch() {
        Fault fault;
        fault.code = FaultCode::versionMismatch;
        assertContains(faultText(fault, Version::v11), "SupportedEnvelope");
    }
    void mapsErrorsAndStatusByTable() {
        CPPUNIT_ASSERT(faultCodeOf(ErrorCode::malformed) == FaultCode::sender);
        CPPUNIT_ASSERT(faultCodeOf(ErrorCode::timeout) == FaultCode::receiver);
        CPPUNIT_ASSERT(faultCodeOf(ErrorCode::storageFull) == FaultCode::receiver);
        CPPUNIT_ASSERT(faultCodeOf(ErrorCode::notAuthorized) == FaultCode::sender);
        CPPUNIT_ASSERT_EQUAL(400u, httpStatusOf(FaultCode::sender, Version::v12));
        CPPUNIT_ASSERT_EQUAL(500u, httpStatusOf(FaultCode::sender, Version::v11));
        CPPUNIT_ASSERT_EQUAL(500u, httpStatusOf(FaultCode::receiver, Version::v12));
        CPPUNIT_ASSERT_EQUAL(500u, httpStatusOf(FaultCode::mustUnderstand, Version::v12));
    }
    void readsContentTypes() {
        const auto media =
            parseMediaType("Application/SOAP+xml; charset=\"UTF-8\" ;action=\"urn:a;b\"");
        CPPUNIT_ASSERT_EQUAL(std::string("application/soap+xml"), media.type);
        CPPUNIT_ASSERT_EQUAL(std::string("utf-8"), media.charset);
        CPPUNIT_ASSERT_EQUAL(std::string("urn:a;b"), media.action);
        CPPUNIT_ASSERT_EQUAL(std::string(), parseMediaType("").type);
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(FaultTest);

}  // namespace busbar::soap
