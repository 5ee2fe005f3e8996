// Arbitrary bytes as a message (whole, and as one that is too large for memory), as frames through
// the filter of resumed links, and, behind a login, as frames of an AMQP connection over a bus that
// says yes to everything.
#include "adapters/amqp/amqp.h"
#include "adapters/amqp/frame_filter.h"
#include "adapters/amqp/large_message.h"
#include "adapters/amqp/mapping.h"
#include "bus/base/check.h"
#include "bus/message/codec.h"
#include "tests/support/fake_bus.h"

#include <algorithm>
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
            Completed answer;
            answer.request = subscribe->request;
            answer.value = subscribe->resumes ? "1" : "";
            bus.tell(std::move(answer));
            auto message = std::make_shared<Message>();
            message->id = "ID:1";
            for (int i = 0; i < 2; ++i) {
                Delivered effect;
                effect.consumer = subscribe->consumer;
                effect.delivery = {DeliveryId(++delivery), message, 1, StoredId(delivery), 7, true};
                bus.tell(std::move(effect));
            }
        } else if (auto* resume = std::get_if<ResumeLink>(&command)) {
            LinkResumed effect;
            effect.request = resume->request;
            for (const auto& tag : resume->tags) effect.known.push_back({tag, "ID:1"});
            bus.tell(std::move(effect));
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

/// In pieces of any size a message has the same body, and the same sections around it.
void splitMessage(std::string_view bytes) {
    constexpr amqp::LargeMessage::Limits kLimits{1u << 20, 1u << 16};
    static_cast<void>(amqp::LargeMessage::look(bytes, 16));
    const auto split = [&](std::size_t piece, std::string& body) {
        amqp::LargeMessage message(kLimits);
        for (std::string_view rest = bytes; !rest.empty();) {
            std::string_view part = rest.substr(0, piece);
            rest.remove_prefix(part.size());
            while (!part.empty()) {
                const auto taken = message.take(part);
                if (!taken) return std::string("refused");
                body += *taken;
            }
        }
        const auto around = message.withoutBody();
        return around ? std::string(around->view()) : std::string("not whole");
    };
    std::string whole;
    std::string pieces;
    const std::string one = split(bytes.size() + 1, whole);
    BUSBAR_CHECK(one == split(3, pieces), "sections depend on how a message is cut");
    BUSBAR_CHECK(one == "refused" || whole == pieces, "the body depends on how it is cut");
    if (one == "refused" || one == "not whole") return;
    const auto read = amqp::toBus(Buffer::copyOf(bytes), Destination::queue("q"), {}, WallTime{});
    if (!read || read->message->bodyKind == BodyKind::amqp) return;
    BUSBAR_CHECK(read->message->body.view() == whole, "another body than the whole message has");
}

/// All bytes pass, and the same ones in pieces of any size; the output's maps can be read.
void filterFrames(std::string_view bytes) {
    constexpr std::uint32_t kFrameMax = 4096;
    const auto pass = [&](std::size_t piece, amqp::FrameFilter& filter) {
        std::string held;
        std::string out;
        for (std::string_view rest = bytes; !rest.empty();) {
            held += rest.substr(0, piece);
            rest.remove_prefix(std::min(piece, rest.size()));
            const std::size_t may = filter.input(held);
            BUSBAR_CHECK(may <= held.size(), "more passes than has come");
            out += held.substr(0, may);
            held.erase(0, may);
            filter.passed(may);
        }
        BUSBAR_CHECK(held.size() <= kFrameMax, "more than a frame is held");
        BUSBAR_CHECK(out.size() + held.size() == bytes.size(), "bytes were lost");
        return out;
    };
    amqp::FrameFilter whole(kFrameMax);
    amqp::FrameFilter pieces(kFrameMax);
    BUSBAR_CHECK(pass(bytes.size() + 1, whole) == pass(5, pieces), "what passes depends on pieces");
    amqp::FrameFilter writer(kFrameMax);
    std::string out;
    for (const bool weSend : {true, false})
        writer.answer("l", weSend, {{{"a", 0}, {"b", 0x24}}, true});
    writer.output(bytes, out);
}

void connection(std::string_view bytes) {
    test::FakeBus bus;
    test::FakeHost host(bus);
    test::FakeAuthenticator authenticator;
    amqp::Options options;
    options.messageBytesMax = 1u << 20;
    options.largeBodyBytes = 64;
    test::FakeBodies bodies(bus.loop);
    bus.largeBodies = &bodies;
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
    splitMessage(bytes);
    filterFrames(bytes);
    connection(bytes);
    return 0;
}
