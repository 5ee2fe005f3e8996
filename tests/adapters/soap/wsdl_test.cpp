#include "tests/adapters/soap/soap_test_support.h"

#include <filesystem>

namespace busbar::soap {

class WsdlTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(WsdlTest);
    CPPUNIT_TEST(readsOperations);
    CPPUNIT_TEST(servesItselfWithTheBusAddress);
    CPPUNIT_TEST(whatItServesLoadsAgain);
    CPPUNIT_TEST(namesWhatIsWrong);
    CPPUNIT_TEST_SUITE_END();

    void readsOperations() {
        const auto wsdl = orders();
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), wsdl->operations().size());
        const auto* operation = wsdl->find({"urn:busbar:sample:orders", "PlaceOrder"}, "");
        CPPUNIT_ASSERT(operation != nullptr);
        CPPUNIT_ASSERT_EQUAL(std::string("urn:busbar:sample:orders:PlaceOrder"), operation->action);
        CPPUNIT_ASSERT(
            (operation->output == QName{"urn:busbar:sample:orders", "PlaceOrderResponse"}));
        CPPUNIT_ASSERT(!operation->oneWay);
        CPPUNIT_ASSERT(wsdl->find({"urn:other", "PlaceOrder"},
                                  "urn:busbar:sample:orders:PlaceOrder") == nullptr);
    }
    void servesItselfWithTheBusAddress() {
        const auto wsdl = orders();
        const auto text = *wsdl->wsdlText(0, "http://bus:1/services/orders");
        assertContains(text, "schemaLocation=\"http://bus:1/services/orders?xsd=0\"");
        assertContains(text, "<soap:address location=\"http://bus:1/services/orders\"");
        assertContains(text, "<busbarsoap12:address location=\"http://bus:1/services/orders\"");
        CPPUNIT_ASSERT(text.find("8090") == std::string::npos);
        assertContains(*wsdl->xsdText(0, "http://bus:1/services/orders"), "PlaceOrderResponse");
        CPPUNIT_ASSERT(!wsdl->xsdText(1, "x"));
    }
    void whatItServesLoadsAgain() {
        const auto directory =
            std::filesystem::temp_directory_path() / ("busbar-wsdl-" + std::to_string(::getpid()));
        std::filesystem::create_directories(directory);
        auto text = *orders()->wsdlText(0, "a.xsd");
        std::ofstream(directory / "a.wsdl") << text;
        auto again = Wsdl::load(directory / "a.wsdl");
        std::filesystem::remove_all(directory);
        CPPUNIT_ASSERT(!again);  // "a.xsd?xsd=0" is not there: the error names it
        assertContains(again.error().text, "a.xsd?xsd=0");
    }
    void namesWhatIsWrong() {
        const auto directory =
            std::filesystem::temp_directory_path() / ("busbar-wsdl2-" + std::to_string(::getpid()));
        std::filesystem::create_directories(directory);
        const auto load = [&](const std::string& text) {
            std::ofstream(directory / "a.wsdl") << text;
            auto loaded = Wsdl::load(directory / "a.wsdl");
            CPPUNIT_ASSERT(!loaded);
            return loaded.error().text;
        };
        assertContains(load("<x/>"), "expected WSDL 1.1 definitions");
        assertContains(load("<definitions xmlns='http://schemas.xmlsoap.org/wsdl/'/>"),
                       "no service");
        assertContains(load("<oops"), "a.wsdl: byte");
        std::filesystem::remove_all(directory);
        assertContains(Wsdl::load(directory / "a.wsdl").error().text, "cannot be read");
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(WsdlTest);

}  // namespace busbar::soap
