// Arbitrary bytes into a STOMP connection over a bus that says yes to everything.
#include "adapters/stomp/connection.h"
#include "bus/base/check.h"
#include "tests/support/fake_bus.h"

#include <cstdint>
#include <string_view>

using namespace busbar;

namespace {

/// Answers what was submitted so far; a subscription gets two messages.
void answer(test::FakeBus& bus) {
    std::uint64_t delivery = 0;
    while (!bus.commands.empty()) {
        Command command = std::move(bus.commands.front());
        bus.commands.pop_front();
        if (auto* subscribe = std::get_if<Subscribe>(&command)) {
            bus.complete(subscribe->request);
            auto message = std::make_shared<Message>();
            message->id = "ID:1";
            for (int i = 0; i < 2; ++i) {
                Delivered effect;
                effect.consumer = subscribe->consumer;
                effect.delivery = {DeliveryId(++delivery), message, 1, StoredId(delivery), 7, true};
                bus.tell(std::move(effect));
            }
            bus.tell(ConsumerChanged{{}, subscribe->consumer, true, 7});
        } else if (auto* send = std::get_if<Send>(&command)) {
            bus.tell(ProducerBlocked{{}, true, "full"});
            if (send->request) bus.complete(send->request);
            bus.tell(ProducerBlocked{{}, false, {}});
        } else if (auto* browse = std::get_if<Browse>(&command)) {
            Browsed effect;
            effect.request = browse->request;
            bus.tell(std::move(effect));
        } else {
            bus.agree(command);
        }
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    test::FakeBus bus;
    test::FakeHost host(bus);
    test::FakeAuthenticator authenticator;
    authenticator.yesToAll = true;
    stomp::Options options;
    options.bodyBytesMax = 1u << 20;
    options.largeBodyBytes = 64;
    test::FakeBodies bodies(bus.loop);
    bus.largeBodies = &bodies;
    auto owned = std::make_unique<stomp::Connection>(host, options, authenticator);
    stomp::Connection& connection = *owned;
    std::string_view input(reinterpret_cast<const char*>(data), size);
    const std::size_t step =
        1 + static_cast<unsigned char>(input.back());  // the last byte chooses the cuts
    while (!input.empty() && !host.closed) {
        connection.receive(input.substr(0, step));
        input.remove_prefix(std::min(step, input.size()));
        bus.loop.run();
        answer(bus);
    }
    connection.onTick();
    connection.onDisconnect();
    BUSBAR_CHECK(!bus.listener, "a connection that is over left its session open");
    owned.reset();
    bus.commands.clear();
    bus.loop.run();
    return 0;
}
