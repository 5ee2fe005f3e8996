// Arbitrary bytes into an OpenWire connection that is logged in, over a bus that says yes to
// everything. The first byte chooses the wire format as in openwire_fuzz, whose corpus this shares
// (and whether the bytes come before the login); the last one how the input is cut.
#include "bus/base/check.h"
#include "tests/adapters/openwire/client.h"

#include <algorithm>
#include <cstdint>
#include <string_view>

using namespace busbar;

namespace {

/// Answers what was submitted so far; a subscription and a browser get two messages.
void answer(test::FakeBus& bus, std::uint64_t& delivery) {
    while (!bus.commands.empty()) {
        Command command = std::move(bus.commands.front());
        bus.commands.pop_front();
        if (auto* subscribe = std::get_if<Subscribe>(&command)) {
            bus.complete(subscribe->request);
            for (int i = 0; i < 2; ++i) {
                auto message = openwire::test::Client::message(++delivery);
                message->replyTo = Destination{DestinationKind::temporaryQueue, "other"};
                Delivered effect;
                effect.consumer = subscribe->consumer;
                effect.delivery = {DeliveryId(delivery), message, 2, StoredId(delivery)};
                bus.tell(std::move(effect));
            }
        } else if (auto* browse = std::get_if<Browse>(&command)) {
            Browsed effect;
            effect.request = browse->request;
            effect.entries.push_back(
                {StoredId(++delivery), openwire::test::Client::message(delivery), 0, false, {}});
            effect.more = delivery < 100;
            bus.tell(std::move(effect));
        } else {
            bus.agree(command);
        }
    }
}

void login(openwire::test::Client& client, unsigned choice) {
    openwire::FormatOffer offer;
    offer.version = static_cast<std::int32_t>(10 + choice % 3);
    offer.tightEncoding = (choice & 4) != 0;
    offer.cache = (choice & 8) != 0;
    offer.cacheSize = 128;
    client.greet(offer);
    client.send(client.connectionInfo((choice & 32) != 0));
    client.bus.loop.run();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    openwire::Options options;
    options.frameBytesMax = 1u << 20;
    options.bodyBytesMax = 1u << 20;
    options.largeBodyBytes = 64;
    openwire::test::Client client(options);
    test::FakeBodies bodies(client.bus.loop);
    client.bus.largeBodies = &bodies;
    std::uint64_t delivery = 0;
    if ((data[0] & 64) == 0) login(client, data[0]);
    answer(client.bus, delivery);
    std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
    const std::size_t step = 1 + static_cast<unsigned char>(input.back());
    while (!input.empty() && !client.host.closed) {
        client.engine->receive(input.substr(0, step));
        input.remove_prefix(std::min(step, input.size()));
        client.bus.loop.run();
        answer(client.bus, delivery);
        client.host.flush();
        client.host.taken.clear();
        client.bus.time.advance(Milliseconds(100));
        client.engine->onTick();
    }
    client.engine->onDisconnect();
    BUSBAR_CHECK(!client.bus.listener, "a connection that is over left its session open");
    client.engine.reset();
    client.bus.commands.clear();
    client.bus.loop.run();
    return 0;
}
