#include "adapters/transport/asio_loop.h"
#include "adapters/transport/http_codec.h"

#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <openssl/evp.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <map>

namespace busbar::transport {
namespace {

using Tcp = asio::ip::tcp;
using boost::system::error_code;

constexpr std::size_t kIdlePerHostMax = 32;
constexpr std::chrono::seconds kIdleMax{30};
constexpr std::size_t kResponseHeadMax = 64 * 1024;

struct Url {
    bool secure = false;
    std::string host, port, target, credentials;
    std::string shown;  ///< without credentials

    std::string key() const { return (secure ? "s" : "p") + host + ":" + port; }
    std::string hostHeader() const {
        const std::string name = host.find(':') == std::string::npos ? host : "[" + host + "]";
        return port == (secure ? "443" : "80") ? name : name + ":" + port;
    }
};

Result<Url> parseUrl(std::string_view text) {
    const auto bad = [&](const char* why) {
        return Error{ErrorCode::invalidArgument, std::string("the address of an HTTP call ") + why +
                                                     ": http://HOST[:PORT]/PATH is expected"};
    };
    Url url;
    if (text.starts_with("https://"))
        url.secure = true;
    else if (!text.starts_with("http://"))
        return bad("begins with neither http:// nor https://");
    std::string_view rest = text.substr(url.secure ? 8 : 7);
    const std::size_t path = std::min(rest.find_first_of("/?#"), rest.size());
    std::string_view authority = rest.substr(0, path);
    url.target = std::string(rest.substr(path, rest.find('#') - path));
    if (!url.target.starts_with('/')) url.target.insert(0, "/");
    if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos) {
        auto decoded = http::percentDecode(authority.substr(0, at));
        if (!decoded) return bad("has a bad escape in its credentials");
        url.credentials = std::move(*decoded);
        authority.remove_prefix(at + 1);
    }
    const bool literal6 = authority.starts_with('[');
    const std::size_t end = literal6 ? authority.find(']') : authority.find(':');
    if (literal6 && end == std::string_view::npos) return bad("has an unfinished IPv6 address");
    url.host = std::string(literal6 ? authority.substr(1, end - 1) : authority.substr(0, end));
    const std::size_t colon = literal6 ? end + 1 : end;
    if (colon < authority.size()) {
        if (authority[colon] != ':') return bad("has no port where one is expected");
        url.port = std::string(authority.substr(colon + 1));
    }
    if (url.port.empty()) url.port = url.secure ? "443" : "80";
    unsigned port = 0;
    const auto read = std::from_chars(url.port.data(), url.port.data() + url.port.size(), port);
    const bool number = read.ec == std::errc() && read.ptr == url.port.data() + url.port.size();
    if (!number || port == 0 || port > 65'535) return bad("has no port number from 1 to 65535");
    const auto printable = [](char c) { return static_cast<unsigned char>(c) > 0x20 && c != 0x7f; };
    if (url.host.empty() || !std::all_of(url.host.begin(), url.host.end(), printable))
        return bad("has no host");
    if (!std::all_of(url.target.begin(), url.target.end(), printable))
        return bad("holds a space or control byte");
    url.shown = (url.secure ? "https://" : "http://") + url.hostHeader() + url.target;
    return url;
}

std::string base64(std::string_view text) {
    std::string out(4 * ((text.size() + 2) / 3), '\0');
    EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                    reinterpret_cast<const unsigned char*>(text.data()),
                    static_cast<int>(text.size()));
    return out;
}

/// One connection to one host; TLS over it where asked.
struct Connection {
    explicit Connection(asio::io_context& context) : socket(context) {}

    Tcp::socket socket;
    std::optional<asio::ssl::stream<Tcp::socket&>> tls;
    std::chrono::steady_clock::time_point idleSince;

    /// Silent and open: neither bytes nor an end wait to be read.
    bool fresh() {
        char byte;
        const auto got = ::recv(socket.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
        return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
    }
    template <class Buffers, class Handler>
    void write(const Buffers& buffers, Handler&& handler) {
        tls ? asio::async_write(*tls, buffers, std::forward<Handler>(handler))
            : asio::async_write(socket, buffers, std::forward<Handler>(handler));
    }
    template <class Handler>
    void read(asio::mutable_buffer into, Handler&& handler) {
        tls ? tls->async_read_some(into, std::forward<Handler>(handler))
            : socket.async_read_some(into, std::forward<Handler>(handler));
    }
};

/// Kept-alive connections by host, newest last.
struct Pool {
    explicit Pool(AsioLoop& eventLoop) : loop(eventLoop) {
        error_code ignored;
        tls.set_default_verify_paths(ignored);
        tls.set_verify_mode(asio::ssl::verify_peer, ignored);
        SSL_CTX_set_min_proto_version(tls.native_handle(), TLS1_2_VERSION);
    }

    std::shared_ptr<Connection> take(const std::string& key) {
        auto& idle = byHost[key];
        const auto oldest = std::chrono::steady_clock::now() - kIdleMax;
        while (!idle.empty()) {
            auto connection = std::move(idle.back());
            idle.pop_back();
            if (connection->idleSince > oldest && connection->fresh()) return connection;
        }
        byHost.erase(key);
        return nullptr;
    }
    void give(const std::string& key, std::shared_ptr<Connection> connection) {
        auto& idle = byHost[key];
        if (closed || idle.size() >= kIdlePerHostMax) return;
        connection->idleSince = std::chrono::steady_clock::now();
        idle.push_back(std::move(connection));
    }

    AsioLoop& loop;
    asio::ssl::context tls{asio::ssl::context::tls_client};
    std::map<std::string, std::vector<std::shared_ptr<Connection>>> byHost;
    bool closed = false;
};

/// One exchange: connect where needed, write, read, report once. Held by its handlers.
class Exchange : public std::enable_shared_from_this<Exchange> {
  public:
    Exchange(std::shared_ptr<Pool> pool, Url url, HttpClientRequest request, HttpClient::Done done)
        : pool_(std::move(pool)),
          url_(std::move(url)),
          request_(std::move(request)),
          done_(std::move(done)),
          timer_(pool_->loop.context()),
          resolver_(pool_->loop.context()) {}

    void start() {
        timer_.expires_after(request_.timeout);
        timer_.async_wait([self = shared_from_this()](error_code failed) {
            if (!failed) {
                self->fail(
                    ErrorCode::timeout,
                    "no answer within " + std::to_string(self->request_.timeout.count()) + " ms");
            }
        });
        connection_ = pool_->take(url_.key());
        reused_ = connection_ != nullptr;
        reused_ ? write() : resolve();
    }

  private:
    void resolve() {
        connection_ = std::make_shared<Connection>(pool_->loop.context());
        const auto port = static_cast<std::uint16_t>(std::stoul(url_.port));
        error_code notLiteral;
        const auto address = asio::ip::make_address(url_.host, notLiteral);
        if (!notLiteral) return connect(std::vector{Tcp::endpoint(address, port)});
        if (url_.host == "localhost") {
            return connect(std::vector<Tcp::endpoint>{{asio::ip::address_v4::loopback(), port},
                                                      {asio::ip::address_v6::loopback(), port}});
        }
        resolver_.async_resolve(url_.host, url_.port,
                                [self = shared_from_this()](error_code failed, const auto& found) {
                                    if (!self->done_) return;
                                    if (failed)
                                        return self->unavailable("cannot find the host", failed);
                                    std::vector<Tcp::endpoint> endpoints;
                                    for (const auto& entry : found)
                                        endpoints.push_back(entry.endpoint());
                                    self->connect(std::move(endpoints));
                                });
    }

    void connect(std::vector<Tcp::endpoint> endpoints) {
        endpoints_ = std::move(endpoints);
        asio::async_connect(connection_->socket, endpoints_,
                            [self = shared_from_this()](error_code failed, const Tcp::endpoint&) {
                                if (!self->done_) return;
                                if (failed) return self->unavailable("cannot connect", failed);
                                error_code ignored;
                                self->connection_->socket.set_option(Tcp::no_delay(true), ignored);
                                self->url_.secure ? self->handshake() : self->write();
                            });
    }

    void handshake() {
        auto& tls = connection_->tls.emplace(connection_->socket, pool_->tls);
        SSL_set_tlsext_host_name(tls.native_handle(), url_.host.c_str());
        tls.set_verify_callback(asio::ssl::host_name_verification(url_.host));
        tls.async_handshake(asio::ssl::stream_base::client,
                            [self = shared_from_this()](error_code failed) {
                                if (!self->done_) return;
                                if (failed)
                                    return self->unavailable("TLS handshake failed", failed);
                                self->write();
                            });
    }

    void write() {
        head_ = request_.method + " " + url_.target + " HTTP/1.1\r\n";
        http::appendHeader(head_, "Host", url_.hostHeader());
        for (const auto& [name, value] : request_.headers) {
            const bool ours =
                http::sameText(name, "host") || http::sameText(name, "content-length") ||
                http::sameText(name, "transfer-encoding") || http::sameText(name, "connection");
            if (!ours) http::appendHeader(head_, name, value);
        }
        if (!url_.credentials.empty() && http::find(request_.headers, "authorization").empty()) {
            http::appendHeader(head_, "Authorization", "Basic " + base64(url_.credentials));
        }
        const bool bodyExpected = request_.method != "GET" && request_.method != "HEAD";
        if (bodyExpected || !request_.body.empty()) {
            http::appendHeader(head_, "Content-Length", std::to_string(request_.body.size()));
        }
        head_ += "\r\n";
        const std::array<asio::const_buffer, 2> buffers{
            asio::buffer(head_), asio::buffer(request_.body.data(), request_.body.size())};
        input_.clear();
        parser_ = nullptr;
        connection_->write(buffers, [self = shared_from_this()](error_code failed, std::size_t) {
            if (!self->done_) return;
            // A server may answer and close before it has read all: the answer is still to be read.
            if (failed && self->reused_) return self->again(failed);
            self->read();
        });
    }

    void read() {
        connection_->read(asio::buffer(chunk_),
                          [self = shared_from_this()](error_code failed, std::size_t size) {
                              if (!self->done_) return;
                              self->input_.append(self->chunk_.data(), size);
                              self->anyInput_ = self->anyInput_ || size > 0;
                              failed ? self->onEnd(failed) : self->onInput();
                          });
    }

    using State = http::MessageParser::State;

    void onInput() {
        std::string_view rest = input_;
        const State state = parse(rest);
        input_.erase(0, input_.size() - rest.size());
        if (state == State::more) return read();
        if (state == State::done) return succeed(response_.keepAlive);
        const http::Refusal& why = parser_->refusal();
        if (why.status == 413) return tooLarge();
        fail(why.status == 431 ? ErrorCode::tooLarge : ErrorCode::malformed,
             "bad response: " + why.text);
    }

    State parse(std::string_view& rest) {
        while (!haveHead_) {
            if (!parser_) {
                parser_ = http::responseParser(kResponseHeadMax, request_.responseBytesMax,
                                               request_.method == "HEAD");
            }
            if (const State state = parser_->readHead(rest); state != State::done) return state;
            response_ = std::move(parser_->head());
            haveHead_ = response_.status >= 200;  // 1xx come before the answer
            if (!haveHead_) parser_ = nullptr;
        }
        return parser_->complete() ? State::done : parser_->readBody(rest, body_);
    }

    void onEnd(error_code why) {
        const bool closed = why == asio::error::eof || why == asio::ssl::error::stream_truncated;
        if (haveHead_ && closed && parser_->endOfInput() == State::done) return succeed(false);
        if (!anyInput_ && reused_) return again(why);
        if (anyInput_ && closed)
            return fail(ErrorCode::malformed, "the response ended before it was complete");
        noAnswer(why);
    }

    /// A kept-alive connection that the server had closed already: it has not seen the request.
    void again(error_code why) {
        if (!reused_ || anyInput_) return noAnswer(why);
        reused_ = false;
        resolve();
    }

    void succeed(bool keep) {
        http::Response response;
        response.status = response_.status;
        response.headers = std::move(response_.headers);
        response.body = std::move(body_);
        if (keep && input_.empty()) pool_->give(url_.key(), std::move(connection_));
        finish(std::move(response));
    }
    void tooLarge() {
        fail(ErrorCode::tooLarge,
             "the response is longer than " + std::to_string(request_.responseBytesMax) + " bytes");
    }
    void unavailable(const char* what, error_code why) {
        fail(ErrorCode::unavailable, std::string(what) + ": " + why.message());
    }
    /// It may have seen the request, and may have done it.
    void noAnswer(error_code why) {
        fail(ErrorCode::closed, "the connection ended without an answer: " + why.message());
    }
    void fail(ErrorCode code, const std::string& what) {
        finish(Error{code, url_.shown + ": " + what});
    }

    void finish(Result<http::Response> result) {
        if (!done_) return;
        timer_.cancel();
        resolver_.cancel();
        if (connection_) {
            error_code ignored;
            connection_->socket.close(ignored);
        }
        std::exchange(done_, nullptr)(std::move(result));
    }

    std::shared_ptr<Pool> pool_;
    Url url_;
    HttpClientRequest request_;
    HttpClient::Done done_;
    asio::steady_timer timer_;
    Tcp::resolver resolver_;
    std::vector<Tcp::endpoint> endpoints_;
    std::shared_ptr<Connection> connection_;
    std::string head_;
    std::array<char, 16 * 1024> chunk_;
    std::string input_;
    std::unique_ptr<http::MessageParser> parser_;
    http::Head response_;
    std::string body_;
    bool reused_ = false;
    bool anyInput_ = false;
    bool haveHead_ = false;
};

class PooledClient final : public HttpClient {
  public:
    explicit PooledClient(AsioLoop& loop) : pool_(std::make_shared<Pool>(loop)) {}
    ~PooledClient() override {
        pool_->closed = true;
        pool_->byHost.clear();
    }

    void send(HttpClientRequest request, Done done) override {
        auto url = parseUrl(request.url);
        if (!url) {
            pool_->loop.post([done = std::move(done), error = url.error()] { done(error); });
            return;
        }
        std::make_shared<Exchange>(pool_, std::move(*url), std::move(request), std::move(done))
            ->start();
    }

  private:
    std::shared_ptr<Pool> pool_;
};

}  // namespace
}  // namespace busbar::transport

namespace busbar {

std::unique_ptr<HttpClient> HttpClient::make(EventLoop& loop) {
    return std::make_unique<transport::PooledClient>(transport::asioLoop(loop));
}

}  // namespace busbar
