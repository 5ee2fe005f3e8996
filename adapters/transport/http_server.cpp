#include "adapters/transport/http_server.h"

#include "adapters/transport/pace.h"
#include "adapters/transport/websocket.h"
#include "bus/base/log.h"
#include "bus/base/utf8.h"

#include <algorithm>

namespace busbar::transport {
namespace {

constexpr std::size_t kPipelinedBytesMax = 64 * 1024;
constexpr std::size_t kReserveMax = 1u << 20;  // a claimed length is believed only so far
constexpr std::size_t kSharedBodyMin = 16 * 1024;
constexpr std::string_view kMethods[] = {"GET",    "HEAD",  "POST",    "PUT",
                                         "DELETE", "PATCH", "OPTIONS", "TRACE"};
constexpr std::string_view kReservedPrefix = "x-busbar-";

std::string_view codeOf(unsigned status) {
    switch (status) {
        case 401:
            return "unauthenticated";
        case 403:
            return "not-authorized";
        case 404:
            return "not-found";
        case 405:
            return "method-not-allowed";
        case 408:
            return "timeout";
        case 413:
        case 414:
        case 431:
            return "too-large";
        case 429:
            return "limit-reached";
        case 415:
        case 426:
        case 501:
        case 505:
        case 417:
            return "unsupported";
        case 503:
            return "unavailable";
        case 507:
            return "storage-full";
        default:
            return "malformed";
    }
}

bool reserved(std::string_view header) {
    return header.size() >= kReservedPrefix.size() &&
           http::sameText(header.substr(0, kReservedPrefix.size()), kReservedPrefix);
}

/// A coding that we would have to undo (RFC 9110, 8.4). None is undone here: a small body could
/// become a large one, and one that is kept as it came would be something else to its receivers.
std::string_view codingOf(const http::Headers& headers) {
    for (const auto& [name, value] : headers) {
        const bool coded = http::sameText(name, "content-encoding") && !value.empty() &&
                           !http::sameText(value, "identity");
        if (coded) return value;
    }
    return {};
}

/// The server writes these; a handler's are left out.
bool serversOwn(std::string_view header) {
    for (const auto* own :
         {"content-length", "transfer-encoding", "connection", "date", "server"}) {
        if (http::sameText(header, own)) return true;
    }
    return false;
}

std::string roleList(const Identity& identity) {
    std::string out;
    for (const auto& role : identity.roles) out += (out.empty() ? "" : ",") + role;
    return out;
}

}  // namespace

HttpConnection::HttpConnection(EngineHost& host, std::shared_ptr<HttpShared> shared)
    : host_(host), shared_(std::move(shared)) {
    deadline(shared_->options.idleTimeout);
}

HttpConnection::~HttpConnection() {
    // Where the loop itself ends: handlers may still hold the exchange.
    if (exchange_) std::exchange(exchange_, nullptr)->lose();
}

void HttpConnection::deadline(Milliseconds in) {
    deadline_ = host_.now().steady + in;
    host_.wakeAt(deadline_);
}

void HttpConnection::receive(std::string_view bytes) {
    if (tunnel_) return tunnel_->receive(bytes);
    if (phase_ == Phase::ended) return;
    buffer_ += bytes;
    // What is large may take its time, but must go on.
    if (upload_ && phase_ == Phase::body) deadline(shared_->options.bodyTimeout);
    advance();
    tellHeld();
}

/// What is in memory for the user of the last request.
void HttpConnection::tellHeld() {
    if (!seat_.limited()) return;
    keepRoom(host_, seat_, buffer_.size() + body_.size() + asked_ + host_.outputPending());
}

bool HttpConnection::wantsInput() const {
    if (tunnel_) return tunnel_->wantsInput();
    // While an answer is due the socket is still read, to see the peer go; pipelined requests are
    // bounded.
    if (phase_ == Phase::body && upload_) return upload_->wantsMore();
    return phase_ != Phase::ended &&
           (phase_ == Phase::head || phase_ == Phase::body || buffer_.size() < kPipelinedBytesMax);
}

void HttpConnection::advance() {
    if (std::exchange(advancing_, true)) return;
    bool more = true;
    while (more) {
        if (phase_ == Phase::head)
            more = readHead();
        else if (phase_ == Phase::body)
            more = readBody();
        else
            more = false;
    }
    advancing_ = false;
    if (tunnel_) return tunnel_->receive(std::exchange(buffer_, {}));
    // Half-closed, and the rest is no whole request.
    if (inputEnded_ && (phase_ == Phase::head || phase_ == Phase::body)) end({});
}

/// Returns true where the phase changed.
bool HttpConnection::readHead() {
    if (!parser_) {  // empty lines before a request: RFC 9112, 2.2
        const std::size_t first = buffer_.find_first_not_of("\r\n");
        buffer_.erase(0, std::min(first, buffer_.size()));
        if (buffer_.empty()) return false;
        parser_ = http::requestParser(shared_->options.headerBytesMax);
        deadline(shared_->options.headerTimeout);
    }
    std::string_view input = buffer_;
    const auto state = parser_->readHead(input);
    buffer_.erase(0, buffer_.size() - input.size());
    if (state == http::MessageParser::State::more) return false;
    head_ = std::move(parser_->head());
    if (state == http::MessageParser::State::refused) {
        refuse(parser_->refusal().status, parser_->refusal().text);
        return false;
    }
    decide();
    return true;
}

/// All that can be said before the body is read.
void HttpConnection::decide() {
    request_ = {};
    deadline_ = SteadyTime::max();
    closeAfter_ = closeAfter_ || !head_.keepAlive;
    phase_ = Phase::answering;
    if (std::find(std::begin(kMethods), std::end(kMethods), head_.method) == std::end(kMethods)) {
        return refuse(501, "method " + head_.method.substr(0, 20) + " is not known");
    }
    if (auto read = request_.setTarget(head_.target); !read) return refuse(400, read.error().text);
    if (asksForUpgrade(head_) && upgrade()) return;
    auto match = shared_->router.match(head_.method, request_.segments);
    if (!match.route) {
        if (head_.method == "OPTIONS" && (!match.allow.empty() || request_.path == "*")) {
            if (match.allow.empty()) match.allow = "GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS";
            closeAfter_ = closeAfter_ || hasBody();
            return answer({204, {{"Allow", match.allow}}, {}});
        }
        if (!match.allow.empty()) {
            return refuse(405, head_.method + " is not allowed here, but " + match.allow,
                          {{"Allow", match.allow}});
        }
        return refuse(404, "nothing is at '" + request_.path.substr(0, 200) + "'");
    }
    route_ = match.route;
    request_.method = head_.method;
    request_.remote = host_.remote();
    request_.secure = host_.secure();
    request_.minor = head_.minor;
    request_.headers = std::move(head_.headers);
    std::erase_if(request_.headers, [](const auto& header) { return reserved(header.first); });
    if (route_->access == http::Router::Access::open) return startBody();
    checkLogin();
}

/// True where a WebSocket is at this path.
bool HttpConnection::upgrade() {
    const auto& routes = shared_->options.webSockets;
    const auto route = std::find_if(routes.begin(), routes.end(),
                                    [&](const auto& r) { return r.path == request_.path; });
    if (route == routes.end()) return false;
    auto answer = answerUpgrade(head_, *route);
    if (answer.status == 101 && hasBody())
        answer = {400, "a request for an upgrade has no body here", {}};
    if (answer.status != 101) {
        refuse(answer.status, answer.text, std::move(answer.headers));
        return true;
    }
    host_.output() += "HTTP/1.1 101 Switching Protocols\r\n";
    for (const auto& [name, value] : answer.headers)
        http::appendHeader(host_.output(), name, value);
    host_.output() += "\r\n";
    phase_ = Phase::tunnel;
    parser_ = nullptr;
    tunnel_ = std::make_unique<WebSocketTunnel>(host_, *route);
    return true;
}

void HttpConnection::checkLogin() {
    const auto given = request_.header("authorization");
    const http::Headers challenge{
        {"WWW-Authenticate", "Basic realm=\"" + shared_->options.realm + "\", charset=\"UTF-8\""}};
    if (given.empty() && host_.peerCertificate()) return loginByCertificate();
    if (given.size() < 6 || !http::sameText(given.substr(0, 6), "Basic ")) {
        return refuse(401, "a login is needed (HTTP Basic)", challenge);
    }
    auto text = given.substr(6);
    while (text.starts_with(' ')) text.remove_prefix(1);
    const auto decoded = http::base64Decode(text);
    const std::size_t colon = decoded ? decoded->find(':') : std::string::npos;
    if (colon == std::string::npos)
        return refuse(401, "the Authorization header is not Basic base64(user:password)",
                      challenge);
    phase_ = Phase::login;
    std::weak_ptr<void> alive = alive_;
    Executor& loop = host_.bus().executor();
    shared_->authenticator.authenticate(decoded->substr(0, colon), decoded->substr(colon + 1),
                                        [this, alive, &loop](Result<Identity> who) {
                                            auto look = [this, alive, who = std::move(who)] {
                                                if (alive.expired() || phase_ != Phase::login)
                                                    return;
                                                onLogin(who);
                                                if (advancing_) return;
                                                advance();
                                                host_.flush();
                                            };
                                            if (loop.here()) return look();
                                            loop.post(std::move(look));
                                        });
}

/// A request without Authorization, of a client with a verified certificate.
void HttpConnection::loginByCertificate() {
    const auto who = shared_->authenticator.identify(*host_.peerCertificate());
    if (!who) {
        return refuse(401, who.error().text,
                      {{"WWW-Authenticate",
                        "Basic realm=\"" + shared_->options.realm + "\", charset=\"UTF-8\""}});
    }
    onLogin(who);
}

void HttpConnection::onLogin(const Result<Identity>& who) {
    phase_ = Phase::answering;
    if (!who) {
        if (who.error().code == ErrorCode::limitReached)
            return refuse(503, "too many logins wait to be checked");
        return refuse(401, "wrong user or password",
                      {{"WWW-Authenticate",
                        "Basic realm=\"" + shared_->options.realm + "\", charset=\"UTF-8\""}});
    }
    if (route_->access == http::Router::Access::admin && !who->hasRole("admin")) {
        return refuse(403, "user '" + who->user + "' has not the role 'admin'");
    }
    if (!admit(who->user)) return;
    request_.headers.emplace_back(http::kUserHeader, who->user);
    request_.headers.emplace_back(http::kRolesHeader, roleList(*who));
    startBody();
}

/// False where the user has too many connections, or sends faster than it may: the request is
/// refused then. (A request that waits would keep its connection, and its client's patience.)
bool HttpConnection::admit(const std::string& user) {
    if (seatUser_ != user) {
        seatUser_.clear();
        seat_ = {};
        auto seat = shared_->authenticator.admit(user);
        if (!seat) {
            refuse(429, seat.error().text, {{"Retry-After", "1"}});
            return false;
        }
        seat_ = std::move(*seat);
        seatUser_ = user;
    }
    if (!route_->sends) return true;
    const SteadyTime now = host_.now().steady;
    const SteadyTime until = seat_.spend(0, now);
    if (until <= now) {
        seat_.spend(1, now);
        return true;
    }
    const auto wait = std::chrono::ceil<std::chrono::seconds>(until - now);
    refuse(429, "user '" + user + "' sends faster than it may",
           {{"Retry-After", std::to_string(wait.count())}});
    return false;
}

void HttpConnection::startBody() {
    if (const auto coding = codingOf(request_.headers); hasBody() && !coding.empty()) {
        return refuse(415,
                      "Content-Encoding '" + showable(coding.substr(0, 40)) +
                          "' is not taken: send the body as it is",
                      {{"Accept-Encoding", "identity"}});
    }
    bodyMax_ = route_->bodyBytesMax != 0 ? route_->bodyBytesMax : shared_->options.bodyBytesMax;
    const bool large = route_->largeBytesMax != 0 && host_.bus().bodies() != nullptr;
    if (large) bodyMax_ = std::max(bodyMax_, route_->largeBytesMax);
    if (head_.length > bodyMax_) {
        return refuse(413, "the body has " + std::to_string(head_.length) + " bytes: at most " +
                               std::to_string(bodyMax_) + " are taken here");
    }
    phase_ = Phase::body;
    body_.clear();
    if (large && head_.length > shared_->options.largeBodyBytes)
        uploadPart();
    else
        body_.reserve(std::min<std::uint64_t>(head_.length, kReserveMax));
    if (!hasBody()) return;
    parser_->limitBody(bodyMax_);
    if (head_.expectsContinue && buffer_.empty()) {
        host_.output() += "HTTP/1.1 100 Continue\r\n\r\n";
        host_.flush();
    }
    deadline(shared_->options.bodyTimeout);
}

/// Returns true where the phase changed.
bool HttpConnection::readBody() {
    using State = http::MessageParser::State;
    if (hasBody()) {
        std::string_view input = buffer_;
        const State state = parser_->readBody(input, body_);
        buffer_.erase(0, buffer_.size() - input.size());
        const bool large = route_->largeBytesMax != 0 && host_.bus().bodies() != nullptr;
        if (upload_ || (large && body_.size() > shared_->options.largeBodyBytes)) uploadPart();
        if (phase_ != Phase::body) return true;  // the store refused it
        if (state == State::more) return false;
        if (state == State::refused) {
            refuse(parser_->refusal().status, parser_->refusal().text);
            return true;
        }
    }
    upload_ ? storeBody() : dispatch();
    return true;
}

// ---- large bodies

/// What has come of the body goes to the store.
void HttpConnection::uploadPart() {
    if (!upload_) {
        upload_ = std::make_unique<BodyUpload>(*host_.bus().bodies(), host_.bus().executor(),
                                               [this] { onUploadProgress(); });
    }
    upload_->append(body_);
    body_.clear();
    if (upload_->failure()) onUploadProgress();
}

void HttpConnection::onUploadProgress() {
    if (phase_ != Phase::body) return;
    if (const auto failure = upload_->failure()) {
        upload_.reset();
        refuse(failure->code == ErrorCode::storageFull ? 507 : 503, failure->text);
    }
    if (!advancing_) host_.flush();
}

void HttpConnection::storeBody() {
    phase_ = Phase::storing;
    deadline_ = SteadyTime::max();
    upload_->finish([this](Result<LargeBodyPtr> stored) {
        upload_.reset();
        if (phase_ != Phase::storing) return;
        head_.length = 0;
        head_.chunked = false;
        if (stored) {
            request_.large = std::move(*stored);
            dispatch();
        } else {
            refuse(stored.error().code == ErrorCode::storageFull ? 507 : 503, stored.error().text);
        }
        advance();
        host_.flush();
    });
}

void HttpConnection::dispatch() {
    phase_ = Phase::answering;
    deadline_ = SteadyTime::max();
    head_.length = 0;  // is read: an error answer need not close
    head_.chunked = false;
    asked_ = body_.size();
    request_.body = Buffer::of(std::exchange(body_, {}));
    auto exchange = std::make_shared<HttpExchange>(*this);
    exchange_ = exchange.get();
    try {
        route_->handler(std::move(request_), std::move(exchange));
    } catch (const std::exception& e) {
        log::error("http", route_->method + " " + route_->pattern + " failed: " + e.what());
    }
}

// ---- answers

void HttpConnection::refuse(unsigned status, std::string_view text, http::Headers headers) {
    // What follows a request that is not understood, or a body that nobody reads, cannot be told
    // apart.
    const bool lost = status == 400 || status == 408 || status == 413 || status == 414 ||
                      status == 417 || status == 431 || status == 501 || status == 505;
    closeAfter_ = closeAfter_ || lost || hasBody();
    upload_.reset();
    auto response = http::Response::error(status, codeOf(status), text);
    for (auto& header : headers) response.headers.push_back(std::move(header));
    answer(std::move(response));
}

void HttpConnection::appendHead(const http::Response& response, bool streamed) {
    std::string& out = host_.output();
    out += "HTTP/1.1 " + std::to_string(response.status) + " ";
    out += http::reason(response.status);
    out += "\r\nDate: " + http::httpDate(host_.now().wall);
    out += "\r\nServer: Busbar\r\nX-Content-Type-Options: nosniff\r\n";
    for (const auto& [name, value] : response.headers) {
        if (!serversOwn(name)) http::appendHeader(out, name, value);
    }
    if ((streamed && head_.minor == 0 && !response.length) || (inputEnded_ && buffer_.empty()))
        closeAfter_ = true;
    if (streamed && response.length)
        out += "Content-Length: " + std::to_string(*response.length) + "\r\n";
    else if (streamed && head_.minor >= 1)
        out += "Transfer-Encoding: chunked\r\n";
    const bool bodiless = response.status == 204 || response.status == 304;
    if (!streamed && !bodiless)
        out += "Content-Length: " + std::to_string(response.body.size()) + "\r\n";
    if (closeAfter_)
        out += "Connection: close\r\n";
    else if (head_.minor == 0)
        out += "Connection: keep-alive\r\n";
    out += "\r\n";
}

void HttpConnection::answer(http::Response response) {
    exchange_ = nullptr;
    if (phase_ == Phase::ended) return;
    appendHead(response, false);
    const bool bodiless =
        head_.method == "HEAD" || response.status == 204 || response.status == 304;
    if (!bodiless && response.body.size() >= kSharedBodyMin) {
        host_.outputShared(Buffer::of(std::move(response.body)));
    } else if (!bodiless) {
        host_.output() += response.body;
    }
    answered();
}

void HttpConnection::startStream(const http::Response& head) {
    if (phase_ == Phase::ended) return;
    phase_ = Phase::streaming;
    streamLength_ = head.length.has_value();
    streamLeft_ = head.length.value_or(0);
    appendHead(head, true);
}

std::size_t HttpConnection::writeStream(std::string_view bytes) {
    if (phase_ != Phase::streaming || bytes.empty() || head_.method == "HEAD")
        return host_.outputPending();
    std::string& out = host_.output();
    if (streamLength_) {
        const auto part = bytes.substr(0, streamLeft_);
        streamLeft_ -= part.size();
        out += part;
    } else if (head_.minor >= 1)
        http::appendChunk(out, bytes);
    else
        out += bytes;
    return host_.outputPending();
}

void HttpConnection::endStream() {
    exchange_ = nullptr;
    if (phase_ != Phase::streaming) return;
    // The client must not take a part for the whole.
    if (streamLeft_ > 0 && head_.method != "HEAD") return end("an answer broke off");
    if (!streamLength_ && head_.minor >= 1 && head_.method != "HEAD")
        http::appendLastChunk(host_.output());
    answered();
}

/// The answer is written: the next request, or the end.
void HttpConnection::answered() {
    parser_ = nullptr;
    asked_ = 0;
    tellHeld();
    if (closeAfter_) return end({});
    phase_ = Phase::head;
    head_ = {};
    deadline(shared_->options.idleTimeout);
    if (advancing_) return;
    advance();
    host_.flush();
}

// ---- the end

void HttpConnection::end(std::string_view why) {
    if (std::exchange(phase_, Phase::ended) == Phase::ended) return;
    std::string().swap(buffer_);  // with its memory: the connection may linger
    std::string().swap(body_);
    upload_.reset();
    if (exchange_) std::exchange(exchange_, nullptr)->lose();
    seat_ = {};  // free at once, not when the peer has read the rest
    host_.close(why);
}

void HttpConnection::onTick() {
    if (tunnel_) return tunnel_->onTick();
    if (phase_ == Phase::ended || deadline_ == SteadyTime::max()) return;
    if (host_.now().steady < deadline_) return host_.wakeAt(deadline_);
    // While we do not read we cannot blame the client for being slow.
    if (phase_ == Phase::body && host_.inputHeld()) return deadline(shared_->options.bodyTimeout);
    if (phase_ == Phase::head && !parser_) return end("idle");
    refuse(408, phase_ == Phase::body ? "the body did not come in time"
                                      : "the headers did not come in time");
}

void HttpConnection::onOutputDrained() {
    if (tunnel_) return tunnel_->onOutputDrained();
    if (exchange_ && phase_ == Phase::streaming) exchange_->tellDrained();
}

/// RFC 9112, 9.6: a client may close its sending side behind its requests and wait for the answers.
/// A stream has no end to wait for: there it means that the client goes.
bool HttpConnection::onInputEnd() {
    if (tunnel_) return tunnel_->onInputEnd();
    inputEnded_ = true;
    return phase_ == Phase::login || phase_ == Phase::storing || phase_ == Phase::answering;
}

void HttpConnection::onDisconnect() {
    if (tunnel_) tunnel_->onDisconnect();
    end({});
}

void HttpConnection::onDrain(std::string_view why) {
    if (tunnel_) return tunnel_->onDrain(why);
    const bool working = phase_ == Phase::login || phase_ == Phase::body ||
                         phase_ == Phase::storing || phase_ == Phase::answering;
    if (working || (phase_ == Phase::head && parser_))
        closeAfter_ = true;
    else
        end(why);
}

}  // namespace busbar::transport

namespace busbar {

Result<std::unique_ptr<Listener>> listenHttp(std::vector<LoopPort> loops, ListenerOptions options,
                                             HttpOptions http, const http::Router& router,
                                             Authenticator& authenticator) {
    // Zero: onOutputDrained comes whenever a client that was behind has caught up
    // (Responder::onDrained).
    options.outputHighMark = 0;
    return listenStream(std::move(loops), std::move(options),
                        makeHttpFactory(std::move(http), router, authenticator));
}

EngineFactory makeHttpFactory(HttpOptions http, const http::Router& router,
                              Authenticator& authenticator) {
    using namespace transport;
    auto shared = std::make_shared<HttpShared>(std::move(http), router, authenticator);
    return [shared](EngineHost& host) { return std::make_unique<HttpConnection>(host, shared); };
}

}  // namespace busbar
