// STOMP headers and the bus's messages: one table, both directions. No state but the session's
// temporary queues.
#pragma once

#include "adapters/stomp/codec.h"
#include "bus/base/ids.h"
#include "bus/message/message.h"

#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace busbar::stomp {

/// Destination names of one connection. "/temp-queue/X" and "/temp-topic/X" are private to a
/// connection: X stands for a name that is unique in the bus. Other connections see that one (in
/// reply-to) and may send to it.
class TemporaryNames {
  public:
    virtual ~TemporaryNames() = default;
    /// The bus's name of the temporary destination `local`, made where it is new. `local` may be a
    /// bus name itself. `kind`: temporaryQueue or temporaryTopic.
    virtual Result<std::string> toBus(DestinationKind kind, std::string_view local) = 0;
    /// The connection's name for one of the bus's. For one that is not its own: a name that toBus
    /// takes for that bus name and for nothing else.
    virtual std::string toLocal(const Destination& temporary) const = 0;
};

/// "/queue/N", "/topic/N", "/temp-queue/N", "/temp-topic/N". invalidArgument for anything else.
Result<Destination> toDestination(std::string_view wire, TemporaryNames& names);
void appendDestination(std::string& out, const Destination& destination,
                       const TemporaryNames& names);

/// The message of a SEND frame; takes the body from it. `now` is what delays are counted from.
/// Properties get the types that `busbar-types` names; `busbar-body` and `transformation` make maps
/// and streams (docs/protocols/crossing.md).
Result<std::shared_ptr<Message>> toMessage(Frame& frame, TemporaryNames& names, WallTime now);

/// The headers of a MESSAGE frame that come from the message, content-length included.
void appendMessageHeaders(std::string& out, const Message& message, Version version,
                          const TemporaryNames& names);

/// STOMP has no maps and streams: such a message with its body as JSON (`bus/message/json.h`) and
/// its content type saying so; toMessage takes it back. Nothing for other messages, which are shown
/// as they are.
std::optional<Message> inJson(const Message& message);

/// Decimal, in full, at most `max`.
Result<std::uint64_t> toNumber(std::string_view header, std::string_view text, std::uint64_t max);
/// The same with a sign: from `min` to `max`.
Result<std::int64_t> toSigned(std::string_view header, std::string_view text, std::int64_t min,
                              std::int64_t max);
/// "true" or "false".
Result<bool> toBoolean(std::string_view header, std::string_view text);
/// Numbers of stored messages, and ranges of them, ascending or not: "4,7,9-12". `countMax` bounds
/// how many there are in all.
Result<std::vector<StoredId>> toStoredIds(std::string_view header, std::string_view text,
                                          std::size_t countMax);
/// `names` are spellings of one header: the value of the first that the frame has; else nullptr.
const std::string_view* findSpelling(const Frame& frame,
                                     std::initializer_list<std::string_view> names);

}  // namespace busbar::stomp
