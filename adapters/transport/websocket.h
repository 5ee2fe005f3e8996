// Private to adapters/transport: WebSocket (RFC 6455), the server's side, as an Engine around an
// Engine.
#pragma once

#include "adapters/transport/http_codec.h"
#include "adapters/transport/relay_host.h"
#include "adapters/transport/transport.h"

#include <deque>
#include <optional>

namespace busbar::transport {

/// What a request for an upgrade is answered with (RFC 6455, 4.2).
struct WebSocketAnswer {
    unsigned status = 101;  ///< else a refusal with `text`
    std::string text;
    http::Headers headers;
};
/// `route`: what is at the path of the request.
WebSocketAnswer answerUpgrade(const http::Head& head, const WebSocketRoute& route);
bool asksForUpgrade(const http::Head& head);

/// Takes the frames of a client apart (RFC 6455, 5). The payload of data frames is given on as it
/// comes: the engines inside read a stream of bytes, so messages are not put together, and need no
/// limit.
class WebSocketReader {
  public:
    enum class Event { more, data, ping, close, broken };

    /// Takes one event off the front of `input`; again until `more`. `data`: payload() is a part of
    /// a message, unmasked. `broken`: error() says why; nothing else may be asked.
    Event next(std::string_view& input);

    std::string_view payload() const { return payload_; }
    const std::string& error() const { return error_; }
    /// No more is asked until more has come: gives back the memory of what was handed on.
    void rest();

  private:
    Event readHead(std::string_view& input);
    Event readData(std::string_view& input);
    Event readControl(std::string_view& input);
    Event fail(std::string_view why);
    void unmask();

    std::string head_;  ///< of a frame, until it is whole
    std::string payload_;
    std::string error_;
    unsigned opcode_ = 0;
    std::uint64_t left_ = 0;  ///< of the frame's payload
    std::uint64_t maskAt_ = 0;
    unsigned char mask_[4] = {};
    bool inFrame_ = false;
    bool inMessage_ = false;  ///< the next data frame continues one
    bool last_ = false;       ///< the frame ends its message
};

/// Appends the head of a server's frame that is a whole message. `opcode`: 1 text, 2 binary, 8
/// close, 10 pong.
void appendFrameHead(std::string& out, unsigned opcode, std::uint64_t bytes);

/// The connection after its upgrade. What the inner engine writes until it returns or flushes goes
/// out as one message: as text where the subprotocol is a text protocol and the bytes are UTF-8,
/// else binary. Pings are answered; a close is answered, and the inner engine told.
class WebSocketTunnel final : public Engine, private RelayHost {
  public:
    WebSocketTunnel(EngineHost& host, const WebSocketRoute& route);

    void receive(std::string_view bytes) override;
    bool wantsInput() const override { return !closed_ && inner_->wantsInput(); }
    void onTick() override;
    void onOutputDrained() override;
    bool onInputEnd() override { return !closed_ && inner_->onInputEnd(); }
    void onDisconnect() override;
    void onDrain(std::string_view why) override;

  private:
    struct Part {
        std::string own;
        Buffer shared;
    };

    std::string& output() override { return out_; }
    void outputShared(const Buffer& bytes) override;
    void flush() override;
    std::size_t outputPending() const override;
    std::size_t outputHighMark() const override;
    void close(std::string_view why) override;
    void postToEngine(std::function<void()> task) override;

    void handle(std::string_view bytes);
    void sendMessage();
    void sendClose(std::uint16_t code, std::string_view why);

    bool text_;
    std::string out_;         ///< of the inner engine, behind parts_
    std::deque<Part> parts_;  ///< not framed yet
    std::size_t partBytes_ = 0;
    WebSocketReader reader_;
    bool closed_ = false;  ///< a close frame was sent
    std::unique_ptr<Engine> inner_;
};

}  // namespace busbar::transport
