// An HTTP client without a socket: what handlers answer is kept here.
#pragma once

#include "adapters/transport/http.h"
#include "tests/support/fake_bus.h"

#include <optional>
#include <stdexcept>

namespace busbar::test {

class FakeResponder final : public http::Responder {
  public:
    explicit FakeResponder(FakeBus& bus) : bus_(bus) {}

    void send(http::Response given) override {
        if (!response) response = std::move(given);
    }
    void startStream(http::Response head) override { stream = std::move(head); }
    std::size_t write(std::string_view bytes) override {
        written += bytes;
        return behind;
    }
    void endStream() override { streamEnded = true; }
    void onGone(std::function<void()> handler) override { gone_ = std::move(handler); }
    void onDrained(std::function<void()> handler) override { drained_ = std::move(handler); }
    bool gone() const override { return isGone; }
    bool inputEnded() const override { return inputIsEnded; }
    void countSends(std::uint64_t more) override { sendsCounted += more; }
    BusPort& bus() override { return bus_; }
    Executor& executor() override { return bus_.executor(); }

    void leave() {
        isGone = true;
        if (gone_) gone_();
    }
    void drain() {
        behind = 0;
        if (drained_) drained_();
    }

    std::optional<http::Response> response;
    std::optional<http::Response> stream;
    std::string written;
    std::size_t behind = 0;
    bool streamEnded = false;
    bool isGone = false;
    bool inputIsEnded = false;
    std::uint64_t sendsCounted = 0;

  private:
    FakeBus& bus_;
    std::function<void()> gone_, drained_;
};

/// A request to `target`, split as the server splits it (no percent-decoding: tests use plain
/// names).
inline http::Request makeRequest(std::string method, const std::string& target,
                                 std::string body = {}, http::Headers headers = {}) {
    http::Request request;
    request.method = std::move(method);
    request.target = target;
    const auto mark = target.find('?');
    request.path = target.substr(0, mark);
    for (std::size_t at = 1; at <= request.path.size();) {
        const auto end = std::min(request.path.find('/', at), request.path.size());
        request.segments.push_back(request.path.substr(at, end - at));
        at = end + 1;
    }
    std::string query = mark == target.npos ? "" : target.substr(mark + 1);
    while (!query.empty()) {
        const auto end = query.find('&');
        const auto pair = query.substr(0, end);
        query = end == query.npos ? "" : query.substr(end + 1);
        const auto equals = pair.find('=');
        request.query.emplace_back(pair.substr(0, equals),
                                   equals == pair.npos ? "" : pair.substr(equals + 1));
    }
    request.headers = std::move(headers);
    request.headers.emplace_back(std::string(http::kUserHeader), "alice");
    request.headers.emplace_back("Host", "bus.example:8080");
    request.body = Buffer::of(std::move(body));
    request.remote = "127.0.0.1:50000";
    return request;
}

/// Runs the route that a router finds; throws where there is none.
inline std::shared_ptr<FakeResponder> serve(const http::Router& router, FakeBus& bus,
                                            http::Request request) {
    const auto match = router.match(request.method, request.segments);
    if (!match.route)
        throw std::runtime_error("no route for " + request.method + " " + request.target);
    auto responder = std::make_shared<FakeResponder>(bus);
    match.route->handler(std::move(request), responder);
    return responder;
}

}  // namespace busbar::test
