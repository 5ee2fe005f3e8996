// Private to adapters/transport: HTTP/1.1 server connections, carried by a Stream like any other
// engine.
#pragma once

#include "adapters/transport/body_transfer.h"
#include "adapters/transport/engine.h"
#include "adapters/transport/http_codec.h"
#include "adapters/transport/transport.h"

namespace busbar::transport {

/// What the connections of one HTTP listener share. Immutable.
struct HttpShared {
    HttpShared(HttpOptions given, const http::Router& routes, Authenticator& who)
        : options(std::move(given)), router(routes), authenticator(who) {}

    HttpOptions options;
    const http::Router& router;
    Authenticator& authenticator;
};

class HttpExchange;
class WebSocketTunnel;

/// One connection: reads a request, decides about it before its body is read, hands it to its
/// handler, writes the answer, goes on with the next. Pipelined requests wait in buffer_, so
/// answers keep their order.
///
/// Life of a request: head -> (login) -> body -> (storing) -> answering -> head. The body of a
/// route that takes large ones goes to the store while it arrives, once it is too large for memory.
class HttpConnection final : public Engine {
  public:
    HttpConnection(EngineHost& host, std::shared_ptr<HttpShared> shared);
    ~HttpConnection() override;

    void receive(std::string_view bytes) override;
    bool wantsInput() const override;
    void onTick() override;
    void onOutputDrained() override;
    bool onInputEnd() override;
    void onDisconnect() override;
    void onDrain(std::string_view why) override;

    // For the exchange; loop only.
    void answer(http::Response response);
    void startStream(const http::Response& head);
    std::size_t writeStream(std::string_view bytes);
    void endStream();
    void countSends(std::uint64_t more) { seat_.spend(more, host_.now().steady); }
    EngineHost& host() { return host_; }
    bool inputEnded() const { return inputEnded_; }

  private:
    enum class Phase { head, login, body, storing, answering, streaming, tunnel, ended };

    void advance();
    bool readHead();
    void decide();
    bool upgrade();
    void checkLogin();
    void loginByCertificate();
    bool admit(const std::string& user);
    void tellHeld();
    void onLogin(const Result<Identity>& who);
    void startBody();
    bool readBody();
    void uploadPart();
    void onUploadProgress();
    void storeBody();
    void dispatch();
    void refuse(unsigned status, std::string_view text, http::Headers headers = {});
    void appendHead(const http::Response& response, bool streamed);
    void answered();
    void end(std::string_view why);
    void deadline(Milliseconds in);
    bool hasBody() const { return head_.chunked || head_.length > 0; }

    EngineHost& host_;
    std::shared_ptr<HttpShared> shared_;
    Phase phase_ = Phase::head;
    std::string buffer_;                           ///< input that is not used yet
    std::unique_ptr<http::MessageParser> parser_;  ///< from a request's first byte to its answer
    http::Head head_;
    http::Request request_;
    const http::Router::Route* route_ = nullptr;
    std::uint64_t bodyMax_ = 0;
    std::string body_;
    std::size_t asked_ = 0;  ///< bytes of the body of the request that is being answered
    std::unique_ptr<BodyUpload> upload_;  ///< the body goes to the store
    std::uint64_t streamLeft_ = 0;        ///< of an answer in parts whose length was said
    bool streamLength_ = false;
    HttpExchange* exchange_ = nullptr;
    SteadyTime deadline_ = SteadyTime::max();
    bool closeAfter_ = false;
    bool inputEnded_ = false;
    bool advancing_ = false;
    std::unique_ptr<WebSocketTunnel> tunnel_;  ///< after an upgrade everything is its
    UserSeat seat_;
    std::string seatUser_;  ///< whose seat it is; empty: nobody's yet
    std::shared_ptr<void> alive_ = std::make_shared<char>();
};

/// The Responder of one request. Outlives its connection where a handler keeps it.
class HttpExchange final : public http::Responder,
                           public std::enable_shared_from_this<HttpExchange> {
  public:
    explicit HttpExchange(HttpConnection& connection)
        : connection_(&connection), bus_(connection.host().bus()) {}
    ~HttpExchange() override;

    void send(http::Response response) override;
    void startStream(http::Response head) override;
    std::size_t write(std::string_view bytes) override;
    void endStream() override;
    void onGone(std::function<void()> handler) override { gone_ = std::move(handler); }
    void onDrained(std::function<void()> handler) override { drained_ = std::move(handler); }
    bool gone() const override { return connection_ == nullptr && !complete_; }
    bool inputEnded() const override { return connection_ && connection_->inputEnded(); }
    void countSends(std::uint64_t more) override {
        if (connection_) connection_->countSends(more);
    }
    BusPort& bus() override { return bus_; }
    Executor& executor() override { return bus_.executor(); }

    /// The connection ended first.
    void lose();
    /// Everything written was taken.
    void tellDrained();

  private:
    void flushLater();

    HttpConnection* connection_;  ///< nullptr once answered or gone
    BusPort& bus_;
    std::function<void()> gone_;
    std::function<void()> drained_;
    bool streaming_ = false;
    bool complete_ = false;
    bool flushPosted_ = false;
};

}  // namespace busbar::transport
