// What the tests of the core share: a bus, and the verbs that most of them use.
#pragma once

#include "tests/bus/core/broker_harness.h"

#include <cppunit/TestFixture.h>

#include <string>

namespace busbar::test {

class CoreFixture : public CppUnit::TestFixture {
  protected:
    BrokerHarness h;

    /// Sends a persistent text to a queue and makes it durable.
    void send(SessionId s, const std::string& queue, const std::string& body,
              std::uint64_t request = 1) {
        h.run(Send{s, RequestId(request), h.text(queue, body)});
    }
    static std::string body(const Delivered& d) {
        return std::string(d.delivery.message->body.view());
    }
};

}  // namespace busbar::test
