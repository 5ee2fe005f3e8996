// A topic as Server-Sent Events (HTML, "Server-sent events").
#pragma once

#include "adapters/http/user_sessions.h"
#include "adapters/transport/http.h"
#include "bus/message/message.h"

#include <string>

namespace busbar::http {

/// One event: id (the message id), event ("message", or "binary" with the data in base64), data (a
/// line for each line of the body), and an empty line.
std::string eventOf(const Message& message);

/// One client's stream: a non-durable subscription of a session of its own, until the client goes.
/// A client that does not read is sent nothing more once it is 1 MiB behind; at most kCredit
/// deliveries are under way to it then. Everything on the responder's loop.
class EventStream {
  public:
    static constexpr std::uint32_t kCredit = 100;
    static constexpr std::size_t kBehindMax = 1u << 20;

    /// Answers `responder` with the stream, or with an error where the subscription is refused.
    static void start(const ResponderPtr& responder, const Caller& caller,
                      const std::string& remote, Destination topic, Milliseconds keepAlive);
};

}  // namespace busbar::http
