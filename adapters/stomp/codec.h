// Bytes to frames and headers to bytes. No sockets, no clock, no threads.
#pragma once

#include "adapters/stomp/frame.h"
#include "bus/base/result.h"

#include <cstdint>
#include <deque>
#include <string>

namespace busbar::stomp {

/// Problem: a read ends anywhere, yet most reads hold many whole frames. A frame that lies wholly
/// in the input is given out as views into it; only the one that is cut is gathered, its body once
/// and into the memory that the message will keep. What may be gathered is bounded before it is,
/// and smaller before login.
class Parser {
  public:
    struct Limits {
        std::size_t headerBytesMax = 0;  ///< command and header lines, with their ends
        std::size_t headersMax = 0;
        std::uint64_t bodyBytesMax = 0;
        /// A SEND whose content-length is over this is `streamed`, up to largeBytesMax; 0: none is.
        std::uint64_t largeBodyBytes = 0;
        std::uint64_t largeBytesMax = 0;
    };

    explicit Parser(Limits limits) : limits_(limits) {}

    void setLimits(Limits limits) { limits_ = limits; }
    /// Decides which escapes there are. 1.2 until told otherwise.
    void setVersion(Version version) { version_ = version; }

    /// Takes bytes off the front of `input`. Returns the next frame, or nullptr where all of
    /// `input` was taken and a frame is still incomplete (or none has begun). The frame is good
    /// until the next call and while the input's memory is. An error is final: malformed or
    /// tooLarge, the text says what and where.
    Result<Frame*> next(std::string_view& input);

    /// After a frame that is `streamed`, until it is done: takes the next bytes of its body off the
    /// front; `part` is a view of them. True: the body was whole, and the next frame follows.
    /// malformed where no NUL byte is behind it.
    Result<bool> nextPart(std::string_view& input, std::string_view& part);

    /// Bytes kept for the frame that is incomplete.
    std::size_t gathered() const { return head_.size() + body_.size(); }

  private:
    enum class State { between, head, body, streaming };

    Result<bool> takeHead(std::string_view& input);
    Result<bool> takeBody(std::string_view& input);
    Result<bool> gatherBody(std::string_view& input);
    Result<void> decodeHead(std::string_view head);
    Result<void> decodeHeader(std::string_view line, bool escapes);
    Result<std::string_view> unescape(std::string_view text);
    Result<void> readLength();
    void keepHead(std::string_view head);

    Limits limits_;
    Version version_ = Version::v12;
    State state_ = State::between;
    Frame frame_;
    std::string head_;  ///< the head where it did not lie in one piece
    std::size_t scanned_ = 0;
    std::string_view headView_;
    std::string body_;
    std::uint64_t length_ = 0;
    std::deque<std::string> unescaped_;
};

/// Appends "name:value\n" with the escapes of the version (none in 1.0, where line ends become
/// spaces).
void appendHeader(std::string& out, std::string_view name, std::string_view value, Version version);
/// The same with one half of it.
void appendValue(std::string& out, std::string_view text, Version version);

}  // namespace busbar::stomp
