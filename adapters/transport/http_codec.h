// HTTP/1.1 message syntax (RFC 9112), both ways, without I/O. Bytes are parsed by Boost.Beast,
// which only beast_codec.cpp includes; on top of it the codec is strict where leniency lets a
// request be read in two ways (smuggling): one Content-Length, never with Transfer-Encoding, CRLF
// line ends only, no folded lines.
#pragma once

#include "adapters/transport/http.h"
#include "bus/base/result.h"

#include <cstdint>

namespace busbar::http {

/// Why a message is refused. `status` is what a server answers.
struct Refusal {
    unsigned status = 400;
    std::string text;
};

/// The head of a request or response, and how its body is delimited.
struct Head {
    std::string method, target;  ///< request
    unsigned status = 0;         ///< response
    unsigned minor = 1;
    Headers headers;
    bool chunked = false;
    std::uint64_t length = 0;  ///< Content-Length
    bool keepAlive = true;
    bool expectsContinue = false;
};

/// Reads one message in two steps, so that a server can decide between them: the head, then the
/// body. Used up when `complete()` or refused; the next message needs another one. One thread.
///
/// Both steps take what they can use off the front of `input`. What they leave is to be offered
/// again with more bytes behind it, for as long as the answer is `more`.
class MessageParser {
  public:
    enum class State { more, done, refused };

    virtual ~MessageParser() = default;
    virtual State readHead(std::string_view& input) = 0;
    /// Filled once readHead is done; the caller may move it away.
    virtual Head& head() = 0;
    /// For a chunked body, whose length the head does not tell; refused with 413 above it.
    virtual void limitBody(std::uint64_t bytesMax) = 0;
    /// Appends to `body`. Chunk extensions are read over, trailers left out (RFC 9110, 6.5.1).
    virtual State readBody(std::string_view& input, std::string& body) = 0;
    /// No more comes: done where that ends the body (RFC 9112, 6.3 item 8), else refused.
    virtual State endOfInput() = 0;
    virtual bool complete() const = 0;
    /// Why the answer was `refused`.
    virtual const Refusal& refusal() const = 0;
};

std::unique_ptr<MessageParser> requestParser(std::size_t headBytesMax);
/// `bodiless`: the answer to a HEAD request. A body of more than `bodyBytesMax` is refused with
/// 413.
std::unique_ptr<MessageParser> responseParser(std::size_t headBytesMax, std::uint64_t bodyBytesMax,
                                              bool bodiless);

/// "Not Found"
std::string_view reason(unsigned status);
/// Appends one chunk; not for empty bytes, which would end the body.
void appendChunk(std::string& out, std::string_view bytes);
/// Ends a chunked body.
void appendLastChunk(std::string& out);
/// Appends "name: value\r\n"; control characters, which could end the line, become spaces.
void appendHeader(std::string& out, std::string_view name, std::string_view value);
/// Compares header names, and the words in header values.
bool sameText(std::string_view a, std::string_view b);
/// "Sun, 06 Nov 1994 08:49:37 GMT"
std::string httpDate(WallTime time);
/// Decodes base64 with padding; nothing where it is wrong.
std::optional<std::string> base64Decode(std::string_view text);

}  // namespace busbar::http
