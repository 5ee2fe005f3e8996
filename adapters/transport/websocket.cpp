#include "adapters/transport/websocket.h"

#include "bus/base/utf8.h"

#include <openssl/evp.h>

#include <algorithm>

namespace busbar::transport {
namespace {

constexpr std::string_view kAcceptKey = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";  // RFC 6455, 1.3
constexpr std::size_t kControlMax = 125;
constexpr std::size_t kPartMax = 256 * 1024;
constexpr std::size_t kRestMax = 1024;  // what a silent connection keeps
constexpr std::size_t kTunnelHighMark = 1u << 20;
enum Opcode : unsigned { kContinue = 0, kText = 1, kBinary = 2, kClose = 8, kPing = 9, kPong = 10 };
enum CloseCode : std::uint16_t { kNormal = 1000, kProtocolError = 1002 };

std::string_view find(const http::Headers& headers, std::string_view name) {
    for (const auto& [key, value] : headers) {
        if (http::sameText(key, name)) return value;
    }
    return {};
}

/// Calls `visit` with each element of a comma-separated list.
template <class Visit>
void eachOf(std::string_view list, Visit visit) {
    while (!list.empty()) {
        const std::size_t comma = std::min(list.find(','), list.size());
        auto word = list.substr(0, comma);
        list.remove_prefix(std::min(comma + 1, list.size()));
        while (!word.empty() && (word.front() == ' ' || word.front() == '\t'))
            word.remove_prefix(1);
        while (!word.empty() && (word.back() == ' ' || word.back() == '\t')) word.remove_suffix(1);
        if (!word.empty()) visit(word);
    }
}

bool lists(std::string_view list, std::string_view wanted) {
    bool found = false;
    eachOf(list, [&](std::string_view word) { found |= http::sameText(word, wanted); });
    return found;
}

std::string acceptOf(std::string_view key) {
    const std::string text = std::string(key) + std::string(kAcceptKey);
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    EVP_Digest(text.data(), text.size(), digest, &size, EVP_sha1(), nullptr);
    unsigned char base64[64];
    const int length = EVP_EncodeBlock(base64, digest, static_cast<int>(size));
    return {reinterpret_cast<const char*>(base64), static_cast<std::size_t>(length)};
}

std::string bigEndian(std::uint64_t number, int bytes) {
    std::string out;
    for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8)
        out += static_cast<char>(number >> shift);
    return out;
}

}  // namespace

bool asksForUpgrade(const http::Head& head) {
    return lists(find(head.headers, "upgrade"), "websocket") &&
           lists(find(head.headers, "connection"), "upgrade");
}

WebSocketAnswer answerUpgrade(const http::Head& head, const WebSocketRoute& route) {
    if (head.method != "GET" || head.minor == 0)
        return {400, "a WebSocket is opened with GET and HTTP/1.1 (RFC 6455, 4.1)", {}};
    if (find(head.headers, "sec-websocket-version") != "13")
        return {426, "WebSocket version 13 is spoken here", {{"Sec-WebSocket-Version", "13"}}};
    const auto key = find(head.headers, "sec-websocket-key");
    const auto decoded = http::base64Decode(key);
    if (!decoded || decoded->size() != 16)
        return {400, "Sec-WebSocket-Key is to be 16 bytes in base64 (RFC 6455, 4.1)", {}};
    WebSocketAnswer answer{101,
                           {},
                           {{"Upgrade", "websocket"},
                            {"Connection", "Upgrade"},
                            {"Sec-WebSocket-Accept", acceptOf(key)}}};
    const auto offered = find(head.headers, "sec-websocket-protocol");
    std::string chosen;
    eachOf(offered, [&](std::string_view word) {
        const auto& known = route.protocols;
        if (chosen.empty() && std::find(known.begin(), known.end(), word) != known.end())
            chosen = word;
    });
    if (!chosen.empty()) answer.headers.emplace_back("Sec-WebSocket-Protocol", chosen);
    if (!offered.empty() && chosen.empty()) {
        std::string known;
        for (const auto& protocol : route.protocols)
            known += (known.empty() ? "" : ", ") + protocol;
        return {400, "none of the subprotocols is spoken at " + route.path + ", but: " + known, {}};
    }
    return answer;
}

// ---- in

WebSocketReader::Event WebSocketReader::fail(std::string_view why) {
    error_ = why;
    return Event::broken;
}

WebSocketReader::Event WebSocketReader::next(std::string_view& input) {
    if (!inFrame_) {
        const Event read = readHead(input);
        if (read == Event::broken || !inFrame_) return read;
    }
    return opcode_ >= kClose ? readControl(input) : readData(input);
}

/// RFC 6455, 5.2. Two bytes, then as many more as these say.
WebSocketReader::Event WebSocketReader::readHead(std::string_view& input) {
    const auto byte = [this](std::size_t i) { return static_cast<unsigned char>(head_[i]); };
    const auto take = [&](std::size_t size) {
        while (head_.size() < size && !input.empty()) {
            head_ += input.front();
            input.remove_prefix(1);
        }
        return head_.size() >= size;
    };
    if (!take(2)) return Event::more;
    const unsigned length = byte(1) & 0x7f;
    if ((byte(0) & 0x70) != 0) return fail("a frame uses an extension that was not agreed on");
    if ((byte(1) & 0x80) == 0) return fail("a client's frame is not masked (RFC 6455, 5.1)");
    const unsigned opcode = byte(0) & 0x0f;
    const bool last = (byte(0) & 0x80) != 0;
    if (opcode >= kClose && (length > kControlMax || !last))
        return fail("a control frame is fragmented or longer than 125 bytes (RFC 6455, 5.5)");
    if (opcode > kPong || (opcode > kBinary && opcode < kClose))
        return fail("unknown opcode " + std::to_string(opcode));
    if (opcode < kClose && (opcode == kContinue) != inMessage_)
        return fail("a message begins within another one, or continues none (RFC 6455, 5.4)");
    const std::size_t extended = length == 126 ? 2 : length == 127 ? 8 : 0;
    if (!take(2 + extended + 4)) return Event::more;
    left_ = extended == 0 ? length : 0;
    for (std::size_t i = 0; i < extended; ++i) left_ = left_ << 8 | byte(2 + i);
    if (left_ >> 63 != 0) return fail("a frame's length is over 2^63 (RFC 6455, 5.2)");
    for (std::size_t i = 0; i < 4; ++i) mask_[i] = byte(2 + extended + i);
    head_.clear();
    opcode_ = opcode;
    last_ = last;
    maskAt_ = 0;
    inFrame_ = true;
    payload_.clear();
    return Event::data;
}

void WebSocketReader::rest() {
    const bool gathers = inFrame_ && opcode_ >= kClose;
    if (!gathers && payload_.capacity() > kRestMax) std::string().swap(payload_);
}

void WebSocketReader::unmask() {
    for (char& c : payload_) c = static_cast<char>(c ^ mask_[maskAt_++ % 4]);
}

WebSocketReader::Event WebSocketReader::readData(std::string_view& input) {
    const auto part = input.substr(0, std::min<std::uint64_t>(left_, kPartMax));
    if (part.empty() && left_ > 0) return Event::more;
    payload_.assign(part);
    unmask();
    input.remove_prefix(part.size());
    left_ -= part.size();
    if (left_ == 0) {
        inFrame_ = false;
        inMessage_ = !last_;
    }
    return Event::data;
}

WebSocketReader::Event WebSocketReader::readControl(std::string_view& input) {
    const auto part = input.substr(0, left_);
    payload_.append(part);
    input.remove_prefix(part.size());
    left_ -= part.size();
    if (left_ > 0) return Event::more;
    inFrame_ = false;
    unmask();
    if (opcode_ == kClose) return Event::close;
    if (opcode_ == kPing) return Event::ping;
    return next(input);  // a pong that nobody asked for
}

// ---- out

void appendFrameHead(std::string& out, unsigned opcode, std::uint64_t bytes) {
    out += static_cast<char>(0x80 | opcode);
    if (bytes < 126)
        out += static_cast<char>(bytes);
    else if (bytes < 1u << 16)
        out += static_cast<char>(126) + bigEndian(bytes, 2);
    else
        out += static_cast<char>(127) + bigEndian(bytes, 8);
}

WebSocketTunnel::WebSocketTunnel(EngineHost& host, const WebSocketRoute& route)
    : RelayHost(host), text_(route.text), inner_(route.factory(*this)) {
    sendMessage();
}

void WebSocketTunnel::outputShared(const Buffer& bytes) {
    if (bytes.empty()) return;
    partBytes_ += bytes.size() + out_.size();
    if (!out_.empty()) parts_.push_back({std::move(out_), {}});
    out_ = {};
    parts_.push_back({{}, bytes});
}

/// All that the inner engine has written since the last time, as one message.
void WebSocketTunnel::sendMessage() {
    const std::size_t bytes = partBytes_ + out_.size();
    if (bytes == 0 || closed_) return;
    bool text = text_ && isUtf8(out_);
    for (const Part& part : parts_) text = text && isUtf8(part.own) && isUtf8(part.shared.view());
    appendFrameHead(host_.output(), text ? kText : kBinary, bytes);
    for (Part& part : std::exchange(parts_, {})) {
        host_.output() += part.own;
        if (!part.shared.empty()) host_.outputShared(part.shared);
    }
    host_.output() += out_;
    out_.clear();
    partBytes_ = 0;
}

void WebSocketTunnel::sendClose(std::uint16_t code, std::string_view why) {
    if (std::exchange(closed_, true)) return;
    const auto text = why.substr(0, kControlMax - 2);
    std::string& out = host_.output();
    appendFrameHead(out, kClose, 2 + text.size());
    out += bigEndian(code, 2);
    out += text;
}

void WebSocketTunnel::flush() {
    sendMessage();
    host_.flush();
}

std::size_t WebSocketTunnel::outputPending() const {
    return host_.outputPending() + partBytes_ + out_.size();
}

/// Not the HTTP listener's, which holds back with the first byte that waits.
std::size_t WebSocketTunnel::outputHighMark() const {
    return std::max(kTunnelHighMark, host_.outputHighMark());
}

void WebSocketTunnel::close(std::string_view why) {
    sendMessage();
    const auto shown = isUtf8(why) ? why : std::string_view();
    sendClose(kNormal, shown.size() > kControlMax - 2 ? std::string_view() : shown);
    host_.close(why);
}

void WebSocketTunnel::postToEngine(std::function<void()> task) {
    host_.postToEngine([this, task = std::move(task)] {
        task();
        sendMessage();
    });
}

// ---- as an engine

void WebSocketTunnel::receive(std::string_view bytes) {
    handle(bytes);
    reader_.rest();
}

void WebSocketTunnel::handle(std::string_view bytes) {
    using Event = WebSocketReader::Event;
    while (!closed_) {
        switch (reader_.next(bytes)) {
            case Event::more:
                return;
            case Event::data:
                inner_->receive(reader_.payload());
                sendMessage();
                break;
            case Event::ping:
                appendFrameHead(host_.output(), kPong, reader_.payload().size());
                host_.output() += reader_.payload();
                break;
            case Event::close:
                sendClose(kNormal, {});
                return host_.close({});
            case Event::broken:
                sendClose(kProtocolError, reader_.error());
                return host_.close(reader_.error());
        }
    }
}

void WebSocketTunnel::onTick() {
    inner_->onTick();
    sendMessage();
}

void WebSocketTunnel::onOutputDrained() {
    inner_->onOutputDrained();
    sendMessage();
}

void WebSocketTunnel::onDisconnect() {
    closed_ = true;
    inner_->onDisconnect();
}

void WebSocketTunnel::onDrain(std::string_view why) {
    inner_->onDrain(why);
    sendMessage();
}

}  // namespace busbar::transport
