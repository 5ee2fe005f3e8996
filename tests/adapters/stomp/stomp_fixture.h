// A STOMP connection over a bus that the test plays.
#pragma once

#include "adapters/stomp/connection.h"
#include "tests/support/fake_bus.h"

#include <cppunit/extensions/HelperMacros.h>

namespace busbar::stomp {

using namespace std::string_literals;

class StompFixture : public CppUnit::TestFixture {
  public:
    void tearDown() override {
        connection_.reset();
        bus_.commands.clear();
        host_.closed = false;
    }

  protected:
    test::FakeBus bus_;
    test::FakeHost host_{bus_};
    test::FakeAuthenticator authenticator_;
    Options options_;
    std::unique_ptr<Connection> connection_;

    void make() { connection_ = std::make_unique<Connection>(host_, options_, authenticator_); }
    void receive(const std::string& bytes) { connection_->receive(bytes); }
    /// Up to CONNECTED; returns that frame.
    std::string login(const std::string& headers = "accept-version:1.2\n") {
        make();
        receive("CONNECT\nlogin:alice\npasscode:secret\n" + headers + "\n\0"s);
        bus_.loop.run();
        bus_.complete(bus_.take<OpenSession>().request);
        return host_.read();
    }
    ConsumerId subscribe(const std::string& headers) {
        receive("SUBSCRIBE\n" + headers + "\n\0"s);
        auto command = bus_.take<Subscribe>();
        bus_.complete(command.request);
        return command.consumer;
    }
    void deliver(ConsumerId consumer, std::uint64_t id, const std::string& body,
                 std::uint32_t count = 1) {
        auto message = std::make_shared<Message>();
        message->id = "ID:" + std::to_string(id);
        message->destination = Destination::queue("a");
        message->body = Buffer::copyOf(body);
        message->bodyKind = BodyKind::text;
        Delivered effect;
        effect.consumer = consumer;
        effect.delivery = {DeliveryId(id), message, count};
        bus_.tell(std::move(effect));
    }
    static bool has(const std::string& text, const std::string& part) {
        return text.find(part) != text.npos;
    }
};

}  // namespace busbar::stomp
