// Shorthands of this folder's tests.
#pragma once

#include "adapters/http/message_endpoints.h"
#include "adapters/http/send_endpoints.h"
#include "tests/support/fake_responder.h"

#include <cppunit/extensions/HelperMacros.h>

namespace busbar::http {

inline void assertContains(const std::string& text, const std::string& part) {
    CPPUNIT_ASSERT_MESSAGE("'" + part + "' is not in: " + text,
                           text.find(part) != std::string::npos);
}

inline std::string headerOf(const Response& response, std::string_view name) {
    return std::string(find(response.headers, name));
}

/// The value of a string field, found by text: enough for what tests write.
inline std::string field(const std::string& json, const std::string& key) {
    const auto at = json.find("\"" + key + "\":\"");
    if (at == json.npos) return {};
    const auto start = at + key.size() + 4;
    return json.substr(start, json.find('"', start) - start);
}

inline MessagePtr textMessage(const std::string& body) {
    auto message = std::make_shared<Message>();
    message->id = "ID:busbar-1";
    message->destination = Destination::queue("orders");
    message->bodyKind = BodyKind::text;
    message->body = Buffer::of(body);
    return message;
}

/// Of endpoints whose leases a test can forge.
inline MessageEndpointOptions optionsWith(std::shared_ptr<const LeaseTokens> tokens) {
    MessageEndpointOptions options;
    options.leaseTokens = std::move(tokens);
    return options;
}

}  // namespace busbar::http
