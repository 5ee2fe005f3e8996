// A message that is too large for memory, section by section as its bytes come.
#pragma once

#include "adapters/amqp/body_mapping.h"
#include "bus/base/utf8.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace busbar::amqp {

/// Splits the bytes of one message (AMQP 1.0 section 3.2) into its body, which goes elsewhere piece
/// by piece, and the sections around it, which are few and are kept.
///
/// Bodies that can be split off are those of plain bytes: data sections (all of them are one body),
/// an amqp-value that is a binary or a string. No I/O; bytes in, views of them out.
class LargeMessage {
  public:
    enum class Look : unsigned char {
        unknown,  ///< more bytes are needed to say
        never,    ///< a body of another kind, or no message at all: it has to be gathered
        large,    ///< its body has more than `over` bytes
    };
    struct Limits {
        std::uint64_t bodyBytesMax = 2ull << 30;
        std::size_t tailBytesMax = 1u << 20;  ///< what follows the body: its footer
    };

    /// What can be said of a message that begins with `bytes`. Reads the heads of sections only.
    static Look look(std::string_view bytes, std::uint64_t over);

    explicit LargeMessage(Limits limits) : limits_(limits) {}

    /// Takes the next `bytes` of the message, its first ones first, and takes a part of them off
    /// the front: returns what of it belongs to the body (often nothing). Call it until `bytes` is
    /// empty. tooLarge: over a limit; malformed: sections that do not go together.
    Result<std::string_view> take(std::string_view& bytes);

    /// All bytes have been taken (malformed: not so). What is left without the body: the sections
    /// before it, a section of its kind that is empty, or, where a text was expected and it is
    /// none, one that is no text either; then the sections behind it.
    Result<Buffer> withoutBody() const;
    /// The same of what has come so far, as if the body were good: to see what the message is.
    Buffer soFar() const;

    /// The body has begun: soFar() can be asked.
    bool atBody() const { return at_ != At::head; }
    std::uint64_t bodyBytes() const { return bodyBytes_; }

  private:
    enum class At : unsigned char { head, body, between, tail };
    enum class Kind : unsigned char { data, string, binary };

    Result<void> section();
    std::string standIn(bool good) const;

    Limits limits_;
    At at_ = At::head;
    Kind kind_ = Kind::data;
    std::string head_;        ///< the sections before the body
    std::string tail_;        ///< and behind it
    std::string next_;        ///< of a section whose head is not whole yet
    std::uint64_t left_ = 0;  ///< of the section that is being taken
    std::uint64_t bodyBytes_ = 0;
    Utf8Check text_;
};

}  // namespace busbar::amqp
