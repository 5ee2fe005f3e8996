// Arbitrary bytes into an HTTP server connection over a bus that nobody asks, and as the answer to
// a client; the last byte chooses the cuts.
#include "adapters/transport/http_codec.h"
#include "adapters/transport/http_server.h"
#include "bus/base/check.h"
#include "tests/support/fake_bus.h"

#include <cstdint>
#include <string_view>

using namespace busbar;

namespace {

constexpr std::size_t kBodyMax = 1000;

/// What the handlers of one input saw and kept.
struct Seen {
    std::size_t requests = 0;
    http::ResponderPtr kept;
};

void addRoutes(http::Router& router, Seen& seen) {
    using Access = http::Router::Access;
    const auto echo = [&seen](const http::Request& request, const http::ResponderPtr& responder) {
        ++seen.requests;
        BUSBAR_CHECK(request.body.size() <= kBodyMax, "bodies are bounded");
        BUSBAR_CHECK(http::find(request.headers, "content-length").empty() ||
                         http::find(request.headers, "transfer-encoding").empty(),
                     "one way to delimit a body");
        responder->send(http::Response::text(200, std::string(request.body.view())));
    };
    router.add("GET", "/", Access::open, echo);
    router.add("POST", "/echo", Access::open, echo);
    router.add("POST", "/queues/*/messages", Access::login, echo);
    router.add("GET", "/admin", Access::admin, echo);
    router.add("GET", "/forget", Access::open,
               [](const http::Request&, const http::ResponderPtr&) {});
    router.add("GET", "/later", Access::open,
               [&seen](const http::Request&, http::ResponderPtr responder) {
                   seen.kept = std::move(responder);
               });
    router.add("GET", "/stream", Access::open,
               [&seen](const http::Request&, http::ResponderPtr responder) {
                   responder->startStream({200, {}, {}});
                   responder->write("data: 1\n\n");
                   seen.kept = std::move(responder);
               });
}

/// Behind a WebSocket.
class Echo final : public Engine {
  public:
    explicit Echo(EngineHost& host) : host_(host) {}
    void receive(std::string_view bytes) override {
        host_.output() += bytes;
        if (bytes.ends_with("end")) host_.close("end");
    }
    bool wantsInput() const override { return true; }
    void onTick() override {}
    void onOutputDrained() override {}
    void onDisconnect() override {}
    void onDrain(std::string_view why) override { host_.close(why); }

  private:
    EngineHost& host_;
};

template <class Take>
void inCuts(std::string_view input, Take&& take) {
    const std::size_t step = 1 + static_cast<unsigned char>(input.back());
    while (!input.empty() && take(input.substr(0, step)))
        input.remove_prefix(std::min(step, input.size()));
}

void serve(std::string_view input) {
    test::FakeBus bus;
    test::FakeHost host(bus);
    test::FakeAuthenticator authenticator;
    Seen seen;
    http::Router router;
    addRoutes(router, seen);
    HttpOptions options;
    options.bodyBytesMax = kBodyMax;
    options.webSockets.push_back(
        {"/ws", {"echo"}, true, [](EngineHost& inner) { return std::make_unique<Echo>(inner); }});
    auto shared = std::make_shared<transport::HttpShared>(options, router, authenticator);
    transport::HttpConnection connection(host, shared);
    inCuts(input, [&](std::string_view bytes) {
        connection.receive(bytes);
        bus.loop.run();
        if (const auto late = std::exchange(seen.kept, nullptr)) {
            late->send(http::Response::text(200, "late"));
            late->endStream();
        }
        return !host.closed;
    });
    if (!host.closed && !connection.onInputEnd()) connection.onDisconnect();
    connection.onTick();
    seen.kept.reset();
    connection.onDisconnect();
    BUSBAR_CHECK(host.closed, "a connection that is over stays open");
    BUSBAR_CHECK(seen.requests == 0 || host.taken.starts_with("HTTP/1.1 "), "answers are HTTP");
}

void readAsResponse(std::string_view input) {
    using State = http::MessageParser::State;
    const auto parser = http::responseParser(1 << 14, kBodyMax, false);
    std::string pending, body;
    State state = State::more;
    bool inBody = false;
    inCuts(input, [&](std::string_view bytes) {
        pending += bytes;
        std::string_view rest = pending;
        if (!inBody && (state = parser->readHead(rest)) == State::done) inBody = true;
        if (inBody && !parser->complete()) state = parser->readBody(rest, body);
        pending.erase(0, pending.size() - rest.size());
        return state != State::refused && !parser->complete();
    });
    if (inBody && state == State::more && !parser->complete()) (void)parser->endOfInput();
    BUSBAR_CHECK(body.size() <= kBodyMax, "bodies are bounded");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    serve(input);
    readAsResponse(input);
    http::Request request;
    (void)request.setTarget(input);
    (void)http::base64Decode(input);
    return 0;
}
