// A message as bytes: what the journal keeps. docs/formats/journal.md, "Message", is the grammar.
#pragma once

#include "bus/message/message.h"

#include <string>
#include <string_view>

namespace busbar {

/// Appends the encoding of `message` to `out`. Everything but the body; the body's size is
/// included, so that the body's bytes are expected to follow directly.
void encodeMessageHead(const Message& message, std::string& out);

/// Head and body together.
void encodeMessage(const Message& message, std::string& out);

/// Reads what encodeMessage wrote; the body shares `bytes`' memory, and `large` does not keep its
/// file. `bytes` must hold exactly one
/// message. malformed where it does not; never reads outside, never allocates more than the input's
/// size implies.
Result<std::shared_ptr<Message>> decodeMessage(const Buffer& bytes);

/// What one must know of a message to keep it in its place on a queue.
struct MessageSummaryFields {
    WallTime expiration{};
    WallTime deliverAt{};
    unsigned char priority = 4;
    bool persistent = true;
    bool large = false;  ///< its body is in a file of its own

    bool operator==(const MessageSummaryFields&) const = default;
};

MessageSummaryFields summaryOf(const Message& message);

/// Reads only these fields of an encoded message, which are near its beginning. malformed where
/// they cannot be read; that they can does not mean that the rest is well-formed.
Result<MessageSummaryFields> readMessageSummary(std::string_view bytes);

}  // namespace busbar
