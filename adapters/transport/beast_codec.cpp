// The one file that includes Boost.Beast: its parsers without its streams (docs/adr/0002).
#include "adapters/transport/http_codec.h"

#include <boost/beast/core/buffers_range.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/chunk_encode.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/rfc7230.hpp>
#include <boost/beast/http/status.hpp>

#include <algorithm>
#include <charconv>

namespace busbar::http {
namespace {

namespace beast = boost::beast;
namespace syntax = boost::beast::http;
using boost::system::error_code;

constexpr std::size_t kHeadersMax = 100;
constexpr std::size_t kTargetMax = 8000;
constexpr std::size_t kChunkLineMax = 256;
constexpr std::size_t kTrailerBytesMax = 8192;
constexpr std::size_t kLastChunkMin = 5;  // "0\r\n\r\n"

std::string_view viewOf(beast::string_view text) {
    return {text.data(), text.size()};
}

bool allDigits(std::string_view text) {
    return !text.empty() &&
           std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

/// RFC 9112, 5.2: a server may refuse folded lines; Beast unfolds them, other readers do not.
bool hasFoldedLine(std::string_view head) {
    return head.find("\r\n ") != std::string_view::npos ||
           head.find("\r\n\t") != std::string_view::npos;
}

/// Whether the line that Beast calls a bad version only names another one (RFC 9110, 15.6.6).
bool namesOtherVersion(std::string_view line) {
    line = line.substr(0, line.find_first_of("\r\n"));
    const auto version = line.substr(std::min(line.rfind(' ') + 1, line.size()));
    return version.size() == 8 && version.starts_with("HTTP/") && allDigits(version.substr(5, 1)) &&
           version[6] == '.' && allDigits(version.substr(7)) && version[5] != '1' &&
           std::count(line.begin(), line.end(), ' ') == 2;
}

/// Whether the field that Beast calls a bad Content-Length is a number, only beyond 64 bits.
bool isHugeLength(std::string_view line) {
    line = line.substr(0, line.find_first_of("\r\n"));
    const std::size_t colon = std::min(line.find(':'), line.size());
    const std::size_t first = line.find_first_not_of(" \t:", colon);
    const auto value = line.substr(std::min(first, line.size()));
    std::uint64_t number = 0;
    return allDigits(value) &&
           std::from_chars(value.data(), value.data() + value.size(), number).ec ==
               std::errc::result_out_of_range;
}

/// Beast waits without bound for the end of a chunk's line, and of the trailers behind the last
/// chunk. RFC 9112, 7.1 and 2.2: lines end with CR LF, and not far away.
bool mayBecomeChunkLine(std::string_view rest) {
    if (rest.starts_with("\r\n")) rest.remove_prefix(2);  // ends the data before it
    for (auto at = rest.find('\n'); at != std::string_view::npos; at = rest.find('\n', at + 1)) {
        if (at == 0 || rest[at - 1] != '\r') return false;
    }
    const std::size_t end = rest.find("\r\n");
    if (end == std::string_view::npos) return rest.size() <= kChunkLineMax;
    const auto size = rest.substr(0, std::min(rest.find_first_of(" \t;"), end));
    const bool last = !size.empty() && size.find_first_not_of('0') == std::string_view::npos;
    return last && end <= kChunkLineMax && rest.size() - end <= kTrailerBytesMax;
}

template <bool isRequest>
class BeastParser final : public MessageParser, private syntax::basic_parser<isRequest> {
    using Syntax = syntax::basic_parser<isRequest>;

  public:
    explicit BeastParser(std::size_t headBytesMax) : headBytesMax_(headBytesMax) {
        this->header_limit(static_cast<std::uint32_t>(headBytesMax));
        this->body_limit(boost::none);
    }
    BeastParser(std::size_t headBytesMax, std::uint64_t bodyBytesMax, bool bodiless)
        : BeastParser(headBytesMax) {
        this->body_limit(bodyBytesMax);
        this->skip(bodiless);
    }

    State readHead(std::string_view& input) override {
        if (input.empty()) return State::more;
        error_code failed;
        const auto taken = put(input, failed);
        headBytes_ += taken.size();
        if (hasFoldedLine(taken)) return refuse({400, "folded header lines are not accepted"});
        const bool more = failed == syntax::error::need_more;
        // Beast's own limit starts anew with each call.
        const std::size_t size = headBytes_ + (more ? input.size() : 0);
        if (size > headBytesMax_ || failed == syntax::error::header_limit) return refuseLongHead();
        if (more) return State::more;
        if (failed) return refuse(explain(failed, input));
        return finishHead();
    }

    Head& head() override { return head_; }
    void limitBody(std::uint64_t bytesMax) override { this->body_limit(bytesMax); }

    State readBody(std::string_view& input, std::string& body) override {
        if (input.empty() || mayBeLastChunk(input)) return State::more;
        error_code failed;
        body_ = &body;
        this->eager(true);
        put(input, failed);
        body_ = nullptr;
        if (failed == syntax::error::need_more) {
            if (mayBecomeChunkLine(input)) return State::more;
            return refuse({400, "the chunked body is malformed"});
        }
        if (failed) return refuse(explain(failed, input));
        return complete() ? State::done : State::more;
    }

    State endOfInput() override {
        error_code failed;
        this->put_eof(failed);
        return failed ? refuse(explain(failed, {})) : State::done;
    }

    bool complete() const override { return this->is_done(); }
    const Refusal& refusal() const override { return refusal_; }

  private:
    /// Beast 1.81 asserts, wrongly, that an empty chunked body does not come byte by byte: its four
    /// bytes "0\r\n\r" would stop the daemon. Waiting is right for chunk data, too: as much
    /// follows.
    bool mayBeLastChunk(std::string_view input) const {
        return this->chunked() && input.front() == '0' && input.size() < kLastChunkMin;
    }
    /// Returns what was taken off the front of `input`.
    std::string_view put(std::string_view& input, error_code& failed) {
        const std::size_t used =
            Syntax::put(boost::asio::const_buffer(input.data(), input.size()), failed);
        const auto taken = input.substr(0, used);
        input.remove_prefix(used);
        return taken;
    }

    State refuse(Refusal why) {
        if (refusal_.text.empty()) refusal_ = std::move(why);  // the first reason counts
        return State::refused;
    }
    State refuseLongHead() {
        const bool inTarget = isRequest && head_.method.empty();
        return refuse({inTarget ? 414u : 431u,
                       "the head may have at most " + std::to_string(headBytesMax_) + " bytes"});
    }
    /// From inside Beast's calls: any error stops it.
    void refuse(unsigned status, std::string text, error_code& failed) {
        refuse({status, std::move(text)});
        failed = syntax::error::bad_field;
    }

    /// `rest` begins with what Beast did not take.
    Refusal explain(error_code failed, std::string_view rest) const {
        if (failed == syntax::error::bad_version && isRequest && namesOtherVersion(rest))
            return {505, "HTTP/1.1 or HTTP/1.0 is expected"};
        if (failed == syntax::error::bad_content_length && isHugeLength(rest))
            return {413, "Content-Length is beyond any limit"};
        if (failed == syntax::error::body_limit) return {413, "the body is too long"};
        return {400, "malformed HTTP: " + failed.message()};
    }

    State finishHead() {
        head_.chunked = this->chunked();
        head_.length = this->content_length().value_or(0);
        head_.keepAlive = this->keep_alive() && !closes_;
        if (head_.chunked && head_.minor == 0)  // RFC 9112, 6.1: its framing is not to be trusted
            return refuse({400, "Transfer-Encoding in HTTP/1.0"});
        if (isRequest && (hosts_ > 1 || (hosts_ == 0 && head_.minor >= 1)))  // RFC 9112, 3.2
            return refuse({400, "exactly one Host header is expected"});
        return State::done;
    }

    // ---- what Beast found

    void on_request_impl(syntax::verb, beast::string_view method, beast::string_view target,
                         int version, error_code& failed) override {
        if (target.size() > kTargetMax) {
            return refuse(
                414, "the request target is longer than " + std::to_string(kTargetMax) + " bytes",
                failed);
        }
        head_.method = viewOf(method);
        head_.target = viewOf(target);
        head_.minor = version % 10;
    }

    void on_response_impl(int code, beast::string_view, int version, error_code& failed) override {
        if (code < 100) return refuse(502, "a status code has three digits", failed);
        head_.status = static_cast<unsigned>(code);
        head_.minor = version % 10;
    }

    void on_field_impl(syntax::field field, beast::string_view name, beast::string_view value,
                       error_code& failed) override {
        if (headDone_) return onTrailer(name.size() + value.size(), failed);
        if (head_.headers.size() >= kHeadersMax) {
            return refuse(431, "more than " + std::to_string(kHeadersMax) + " header lines",
                          failed);
        }
        head_.headers.emplace_back(viewOf(name), viewOf(value));
        switch (field) {
            case syntax::field::content_length:
                return onLength(viewOf(value), failed);
            case syntax::field::transfer_encoding:
                // RFC 9112, 6.1 and 6.3 item 4: Beast reads over codings that it does not know.
                if (!sameText(viewOf(value), "chunked"))
                    refuse(501, "only the transfer encoding 'chunked' is known", failed);
                return;
            case syntax::field::connection:
                // RFC 9112, 9.3: "close" counts before "keep-alive", for HTTP/1.0 too.
                closes_ = closes_ || syntax::token_list(value).exists("close");
                return;
            case syntax::field::host:
                return onHost(viewOf(value), failed);
            case syntax::field::expect:
                return onExpect(viewOf(value), failed);
            default:
                return;
        }
    }

    /// RFC 9112, 6.3 item 5: Beast takes "3, 3" and equal repetitions as one; another reader may
    /// not.
    void onLength(std::string_view value, error_code& failed) {
        if (++lengths_ > 1) return refuse(400, "more than one Content-Length", failed);
        if (!allDigits(value)) refuse(400, "Content-Length is not a number", failed);
    }
    /// RFC 9112, 3.2: no syntax that Beast would look at.
    void onHost(std::string_view value, error_code& failed) {
        ++hosts_;
        if (isRequest && value.find_first_of(" \t/,@") != std::string_view::npos)
            refuse(400, "Host is not a host name", failed);
    }
    /// RFC 9110, 10.1.1
    void onExpect(std::string_view value, error_code& failed) {
        if (!isRequest) return;
        if (!sameText(value, "100-continue"))
            return refuse(417, "only Expect: 100-continue is known", failed);
        head_.expectsContinue = head_.minor >= 1;
    }
    void onTrailer(std::size_t bytes, error_code& failed) {
        trailerBytes_ += bytes;
        if (trailerBytes_ > kTrailerBytesMax) refuse(400, "the trailers are too long", failed);
    }

    void on_header_impl(error_code&) override { headDone_ = true; }
    void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
    std::size_t on_body_impl(beast::string_view bytes, error_code&) override {
        body_->append(bytes.data(), bytes.size());
        return bytes.size();
    }
    void on_chunk_header_impl(std::uint64_t, beast::string_view extensions,
                              error_code& failed) override {
        if (extensions.size() > kChunkLineMax)
            refuse(400, "a chunk's extensions are too long", failed);
    }
    std::size_t on_chunk_body_impl(std::uint64_t, beast::string_view bytes, error_code&) override {
        body_->append(bytes.data(), bytes.size());
        return bytes.size();
    }
    void on_finish_impl(error_code&) override {}

    Head head_;
    Refusal refusal_;
    std::size_t headBytesMax_;
    std::size_t headBytes_ = 0;
    std::size_t trailerBytes_ = 0;
    unsigned hosts_ = 0;
    unsigned lengths_ = 0;
    bool closes_ = false;
    bool headDone_ = false;
    std::string* body_ = nullptr;  ///< while readBody runs
};

template <class Buffers>
void appendBuffers(std::string& out, const Buffers& buffers) {
    for (const boost::asio::const_buffer part : beast::buffers_range_ref(buffers))
        out.append(static_cast<const char*>(part.data()), part.size());
}

}  // namespace

std::unique_ptr<MessageParser> requestParser(std::size_t headBytesMax) {
    return std::make_unique<BeastParser<true>>(headBytesMax);
}

std::unique_ptr<MessageParser> responseParser(std::size_t headBytesMax, std::uint64_t bodyBytesMax,
                                              bool bodiless) {
    return std::make_unique<BeastParser<false>>(headBytesMax, bodyBytesMax, bodiless);
}

std::string_view reason(unsigned status) {
    return viewOf(syntax::obsolete_reason(syntax::int_to_status(status)));
}

void appendChunk(std::string& out, std::string_view bytes) {
    appendBuffers(out, syntax::make_chunk(boost::asio::const_buffer(bytes.data(), bytes.size())));
}

void appendLastChunk(std::string& out) {
    appendBuffers(out, syntax::make_chunk_last());
}

}  // namespace busbar::http
