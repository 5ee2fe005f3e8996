// Shorthands of this folder's tests.
#pragma once

#include "adapters/soap/services.h"
#include "tests/support/fake_responder.h"

#include <cppunit/extensions/HelperMacros.h>

#include <fstream>
#include <iterator>

namespace busbar::soap {

inline void assertContains(const std::string& text, const std::string& part) {
    CPPUNIT_ASSERT_MESSAGE("'" + part + "' is not in: " + text,
                           text.find(part) != std::string::npos);
}

inline std::string readFile(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    CPPUNIT_ASSERT_MESSAGE(path, in.good());
    return {std::istreambuf_iterator<char>(in), {}};
}

inline std::string golden(const std::string& name) {
    return readFile(std::string(BUSBAR_SOURCE_DIR) + "/tests/golden/soap/" + name);
}

inline std::shared_ptr<const Wsdl> orders() {
    auto loaded = Wsdl::load(std::string(BUSBAR_SOURCE_DIR) + "/samples/order-service/orders.wsdl");
    CPPUNIT_ASSERT_MESSAGE(loaded ? "" : loaded.error().text, loaded.ok());
    return *loaded;
}

inline std::string envelope(Version version, const std::string& body,
                            const std::string& header = {}) {
    return "<s:Envelope xmlns:s=\"" + std::string(envelopeNamespace(version)) + "\">" +
           (header.empty() ? "" : "<s:Header>" + header + "</s:Header>") + "<s:Body>" + body +
           "</s:Body></s:Envelope>";
}

inline const std::string kStateRequest =
    "<GetOrderState xmlns='urn:busbar:sample:orders'><orderId>7</orderId></GetOrderState>";
inline const std::string kStateReply =
    "<GetOrderStateResponse "
    "xmlns='urn:busbar:sample:orders'><state>placed</state></GetOrderStateResponse>";

}  // namespace busbar::soap
