// Arbitrary bytes as a message, and, behind a login, as frames of an AMQP connection over a bus
// that says yes to everything.
#include "adapters/amqp/amqp.h"
#include "adapters/amqp/mapping.h"
#include "bus/base/check.h"
#include "bus/message/codec.h"
#include "tests/support/fake_bus.h"

#include <cstdint>
#include <string_view>

using namespace busbar;
using namespace std::string_view_literals;

namespace {

/// SASL PLAIN as alice, then the header of AMQP.
constexpr auto kLogin =
    "AMQP\3\1\0\0"
    "\0\0\0\x24\2\1\0\0\0\x53\x41\xc0\x17\2\xa3\5PLAIN\xa0\x0d\0alice\0secret"
    "AMQP\0\1\0\0"sv;

/// Answers what was submitted so far; a subscription gets two messages.
void answer(test::FakeBus& bus) {
    std::uint64_t delivery = 0;
    for (int turns = 0; !bus.commands.empty() && turns < 1000; ++turns) {
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
        } else if (auto* browse = std::get_if<Browse>(&command)) {
            Browsed effect;
            effect.request = browse->request;
            bus.tell(std::move(effect));
        } else {
            bus.agree(command);
        }
    }
}

/// What is read can be stored, and is written so that it can be read.
void mapMessage(std::string_view bytes) {
    const auto read = amqp::toBus(Buffer::copyOf(bytes), Destination::queue("q"), {}, WallTime{});
    if (!read) return;
    std::string stored;
    encodeMessage(*read->message, stored);
    const auto again = decodeMessage(Buffer::of(std::move(stored)));
    BUSBAR_CHECK(again.ok(), "a message that was taken cannot be stored");
    const auto wire = amqp::toWire(**again, {});
    const auto back = amqp::toBus(Buffer::of(wire.head + std::string(wire.body.view()) + wire.tail),
                                  std::nullopt, {{18, 200'000}}, WallTime{});
    BUSBAR_CHECK(back.ok(), "a message that was written cannot be read");
    BUSBAR_CHECK(back->message->bodyKind == read->message->bodyKind,
                 "the body has changed its kind");
}

void connection(std::string_view bytes) {
    test::FakeBus bus;
    test::FakeHost host(bus);
    test::FakeAuthenticator authenticator;
    amqp::Options options;
    options.messageBytesMax = 1u << 20;
    const auto engine = amqp::makeFactory(options, authenticator)(host);
    if (!bytes.empty() && bytes[0] == 'L') {
        engine->receive(kLogin);
        bus.loop.run();
        bytes.remove_prefix(1);
    }
    // The first byte says in how large pieces the rest comes.
    const std::size_t piece = bytes.empty() ? 1 : 1u + static_cast<unsigned char>(bytes[0]);
    while (!bytes.empty() && !host.closed) {
        const auto part = bytes.substr(0, piece);
        bytes.remove_prefix(part.size());
        engine->receive(part);
        answer(bus);
        bus.loop.run();
        host.read();
    }
    bus.time.advance(Milliseconds(40'000));
    engine->onTick();
    if (!host.closed) engine->onDisconnect();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    mapMessage(bytes);
    connection(bytes);
    return 0;
}
