// Event loops, listeners and connections: the only code that knows sockets and TLS.
#pragma once

#include "adapters/transport/engine.h"
#include "adapters/transport/http.h"
#include "bus/base/executor.h"
#include "bus/base/result.h"
#include "bus/security/authenticator.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace busbar {

/// One thread's event loop (a Boost.Asio io_context with one thread).
class EventLoop : public Executor {
  public:
    /// Runs on the calling thread until stop().
    virtual void run() = 0;
    /// Makes run() return soon. Any thread.
    virtual void stop() = 0;
    static std::unique_ptr<EventLoop> make();
};

/// TLS of a listener: PEM files, TLS 1.2 and up.
struct TlsOptions {
    std::string certificateFile;  ///< chain
    std::string keyFile;
    std::string clientCaFile;   ///< set: clients are asked for a certificate of one of these CAs
    std::string clientCrlFile;  ///< certificates that were taken back; of each CA in a chain
    bool clientsMayDoWithout =
        false;  ///< a client without a certificate is let in; a bad one never
};

struct ListenerOptions {
    std::string address = "127.0.0.1";
    std::uint16_t port = 0;  ///< 0: any free one
    std::unique_ptr<TlsOptions> tls;
    bool tlsOptional = false;  ///< with `tls`: a client may begin with TLS or without it
    std::uint32_t connectionsMax = 20'000;
    std::size_t outputHighMark = 1u << 20;  ///< bytes behind before the engine is told to hold
    std::size_t outputMax = 64u << 20;      ///< bytes behind before a peer is cut off
    Milliseconds loginTimeout{
        10'000};  ///< engines ask for it by wakeAt; here for HTTP's header timeout
};

/// A path of an HTTP listener where a WebSocket (RFC 6455) carries an engine. Clients log in as the
/// engine asks them to: the request for the upgrade needs no login.
struct WebSocketRoute {
    std::string path;  ///< "/ws/stomp"
    std::vector<std::string>
        protocols;      ///< subprotocols that a client may ask for; or it asks none
    bool text = false;  ///< messages that are UTF-8 go out as text, not as binary
    EngineFactory factory;
};

/// HTTP's own limits.
struct HttpOptions {
    std::size_t headerBytesMax = 16u << 10;
    std::uint64_t bodyBytesMax = 16u << 20;
    std::uint64_t largeBodyBytes = 4u
                                   << 20;  ///< larger ones go to the BodyStore where a route says
    Milliseconds headerTimeout{
        10'000};  ///< slow-loris: from the first byte to the end of the headers
    Milliseconds bodyTimeout{60'000};
    Milliseconds idleTimeout{75'000};  ///< kept-alive and silent
    std::string realm = "Busbar";
    std::vector<WebSocketRoute> webSockets;
};

/// What a listener's certificate has been through.
struct TlsState {
    std::uint64_t reloads = 0;   ///< since the start, the first load not counted
    std::uint64_t failures = 0;  ///< tries that left the old one in force
    std::int64_t expiresAt = 0;  ///< of the certificate in force, in seconds since 1970
};

/// An open listening socket. Destroying it closes the socket; connections go on until closeAll.
class Listener {
  public:
    virtual ~Listener() = default;
    virtual std::uint16_t port() const = 0;
    /// Accepts no more; asks connections to end (engines by close(), HTTP after the running
    /// answer).
    virtual void drain(std::string_view why) = 0;
    /// Open connections.
    virtual std::size_t connections() const = 0;
    /// Loads the TLS files again, for handshakes from now on; connections go on as they are. Where
    /// they cannot be loaded or do not belong together, those in force stay, and the error says
    /// why. Without `always` only where a file has changed since it was last tried. True: loaded;
    /// false: no TLS, or no change. Blocks on the disk. Any thread.
    virtual Result<bool> reloadTls(bool always) = 0;
    /// Nothing without TLS. Any thread.
    virtual std::optional<TlsState> tlsState() const = 0;
};

/// One I/O loop with the bus port that belongs to it.
struct LoopPort {
    EventLoop* loop = nullptr;
    BusPort* bus = nullptr;
};

/// Listens and carries engines. Accepted connections are spread over `loops` and stay on theirs.
/// inUse where the port is taken, with address and port in the text.
Result<std::unique_ptr<Listener>> listenStream(std::vector<LoopPort> loops, ListenerOptions options,
                                               EngineFactory factory);

/// Listens and serves HTTP/1.1 with `router`, which must outlive the listener. `authenticator`
/// checks the Basic credentials of each request to a route that needs a login: give one that
/// remembers (bus/security/cached_authenticator.h).
Result<std::unique_ptr<Listener>> listenHttp(std::vector<LoopPort> loops, ListenerOptions options,
                                             HttpOptions http, const http::Router& router,
                                             Authenticator& authenticator);

/// The same connections for a listener of another kind (adapters/transport/detect.h), whose
/// outputHighMark must be 0.
EngineFactory makeHttpFactory(HttpOptions http, const http::Router& router,
                              Authenticator& authenticator);

/// One outbound HTTP/1.1 exchange.
struct HttpClientRequest {
    std::string url;  ///< http:// or https://
    std::string method = "POST";
    http::Headers headers;
    Buffer body;
    Milliseconds timeout{30'000};
    std::uint64_t responseBytesMax = 16u << 20;
};

/// Outbound HTTP with kept-alive connections per host; one per I/O loop, loop-only. Does not follow
/// redirects. `done` is called once on the loop: the response, or an error with the url (without
/// credentials) in the text: unavailable (the host was not reached: it has seen nothing), closed
/// (it ended the connection without an answer), timeout, malformed, tooLarge.
class HttpClient {
  public:
    using Done = std::function<void(Result<http::Response>)>;
    virtual ~HttpClient() = default;
    virtual void send(HttpClientRequest request, Done done) = 0;
    static std::unique_ptr<HttpClient> make(EventLoop& loop);
};

}  // namespace busbar
