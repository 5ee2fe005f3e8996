// HTTP/1.1 as handlers see it. How its bytes are read and written: http_codec.h, http_server.cpp.
#pragma once

#include "bus/base/buffer.h"
#include "bus/loop/bus_port.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace busbar::http {

using Headers = std::vector<std::pair<std::string, std::string>>;

/// Case-insensitive look-up of the first value; empty where there is none.
std::string_view find(const Headers& headers, std::string_view name);

/// Decodes "%41" (and "+" as a space where asked: query strings). Nothing where an escape is cut or
/// not hex.
std::optional<std::string> percentDecode(std::string_view text, bool plusIsSpace = false);

struct Request {
    std::string method;  ///< upper case, as sent
    std::string target;  ///< as sent: "/queues/a%20b/messages?max=10"
    std::string path;    ///< decoded path as sent up to '?', still percent-encoded
    std::vector<std::string>
        segments;  ///< path split at '/', each percent-decoded: {"queues","a b","messages"}
    std::vector<std::pair<std::string, std::string>> query;  ///< decoded
    Headers headers;
    Buffer body;          ///< empty where `large` is set
    LargeBodyPtr large;   ///< the body, stored already, of routes that take large ones
    std::string remote;   ///< "127.0.0.1:52110"
    bool secure = false;  ///< came over TLS
    unsigned minor = 1;   ///< HTTP/1.minor

    /// Fills target, path, segments and query from a request target: origin form ("/a?b"), absolute
    /// form
    /// ("http://host/a?b") or "*". malformed where an escape or a byte is wrong; the text says
    /// which.
    Result<void> setTarget(std::string_view sent);

    std::string_view header(std::string_view name) const { return find(headers, name); }
    /// The decoded value of a query parameter, or `fallback`.
    std::string_view parameter(std::string_view name, std::string_view fallback = {}) const;
};

struct Response {
    unsigned status = 200;
    Headers headers;  ///< Content-Length, Date, Connection and Server are the server's to write
    std::string body;
    std::optional<std::uint64_t> length = {};  ///< startStream: of the body, where it is known

    static Response text(unsigned status, std::string body);
    static Response json(unsigned status, std::string body);
    /// {"error":{"code":"not-found","message":"..."}}
    static Response error(unsigned status, std::string_view code, std::string_view message);
};

/// The answer's way back. Loop-only, like everything of a connection. Dropping the last reference
/// without an answer answers 500. After the client has gone all calls are ignored.
class Responder {
  public:
    virtual ~Responder() = default;
    /// Answers. Once; later calls are ignored.
    virtual void send(Response response) = 0;
    /// Starts an answer in parts: of the length that `head` says, or of unknown length (chunked;
    /// close-delimited to 1.0 clients). One that ends before its length ends the connection.
    virtual void startStream(Response head) = 0;
    /// Adds to the stream. Returns the bytes that the client is behind: stop giving credit when it
    /// grows.
    virtual std::size_t write(std::string_view bytes) = 0;
    virtual void endStream() = 0;
    /// Called at most once, when the client goes away before the answer is complete.
    virtual void onGone(std::function<void()> handler) = 0;
    /// Stream only: called whenever everything written so far was taken by the operating system.
    virtual void onDrained(std::function<void()> handler) = 0;
    virtual bool gone() const = 0;
    /// The client sends no more: it may still read (half-close), or it may be gone, which looks the
    /// same until something is written to it.
    virtual bool inputEnded() const { return false; }
    /// The request sent so many messages more than the one that its route counts (Route::sends):
    /// where its user sends faster than it may, the next ones have to wait.
    virtual void countSends(std::uint64_t) {}

    virtual BusPort& bus() = 0;
    virtual Executor& executor() = 0;
};
using ResponderPtr = std::shared_ptr<Responder>;

/// Handles a request on its connection's I/O loop. Must not block and must not throw; answers now
/// or later.
using Handler = std::function<void(Request request, ResponderPtr responder)>;

/// Finds the handler: by method and path pattern. Patterns are segments; "*" matches one segment:
///   add("POST", "/queues/*/messages", h)
/// Unknown path: 404; known path with another method: 405 with Allow; OPTIONS and HEAD are answered
/// from GET. A route says whether it needs a login; where it does, the server's Authorizer runs
/// first.
class Router {
  public:
    enum class Access { open, login, admin };
    struct Route {
        std::string method, pattern;
        Access access = Access::login;
        std::uint64_t bodyBytesMax = 0;   ///< 0: the server's default
        std::uint64_t largeBytesMax = 0;  ///< not 0: larger bodies, up to this, go to the BodyStore
        Handler handler;
        bool sends = false;  ///< counts as a message that its user sends
    };

    void add(std::string method, std::string pattern, Access access, Handler handler,
             std::uint64_t bodyBytesMax = 0, std::uint64_t largeBytesMax = 0, bool sends = false);

    struct Match {
        const Route* route = nullptr;
        std::string allow;  ///< filled where the path is known but not the method
    };
    Match match(std::string_view method, const std::vector<std::string>& segments) const;

  private:
    struct Entry {
        Route route;
        std::vector<std::string> segments;
    };
    std::vector<std::unique_ptr<Entry>> entries_;
};

/// Who is asking? Set by the server before the handler of a route with Access::login or admin runs:
/// header "x-busbar-user" (and "x-busbar-roles", comma-separated) are removed from what the client
/// sent and set from the login.
inline constexpr std::string_view kUserHeader = "x-busbar-user";
inline constexpr std::string_view kRolesHeader = "x-busbar-roles";

}  // namespace busbar::http
