// Messages out of the bus over plain HTTP, and what becomes of them: docs/http-messages.md.
// Sending: send_endpoints.h.
#pragma once

#include "adapters/http/large_bodies.h"
#include "adapters/http/user_sessions.h"
#include "adapters/transport/http.h"
#include "bus/core/lease_tokens.h"

#include <memory>

namespace busbar::http {

struct MessageEndpointOptions {
    std::uint64_t bodyBytesMax = 16u << 20;
    Milliseconds waitMax{60'000};
    std::uint64_t maxMax = 1000;  ///< messages of one GET
    Milliseconds leaseDefault{30'000};
    Milliseconds keepAlive{15'000};                    ///< comment lines of event streams
    std::shared_ptr<const LeaseTokens> leaseTokens{};  ///< the broker's
};

/// Puts the routes below into a router:
///   GET    /queues/N/messages     receive under leases, or look (browse=true)
///   POST   /queues/N/settle       many leases, each with its own outcome
///   DELETE /queues/N/leases/T     acknowledge; POST .../nack, POST .../extend
///   GET    /queues/N/leases/T/body   the bytes of a large body
///   GET, PUT, DELETE /queues/N/groups/G/state   what an application keeps with a group
///   GET    /topics/N/events       Server-Sent Events
/// Handlers run on any loop; what they share is in `sessions`. Outlives the router's use.
class MessageEndpoints {
  public:
    MessageEndpoints(UserSessions& sessions, MessageEndpointOptions options);
    void install(Router& router);

  private:
    void receiveOrBrowse(const Request& request, const ResponderPtr& responder);
    void receive(const Request& request, const ResponderPtr& responder);
    void browse(const Request& request, const ResponderPtr& responder);
    void settle(const Request& request, const ResponderPtr& responder, Outcome outcome);
    void extend(const Request& request, const ResponderPtr& responder);
    void body(const Request& request, const ResponderPtr& responder);
    void settleMany(const Request& request, const ResponderPtr& responder);
    void groupState(const Request& request, const ResponderPtr& responder);
    void events(const Request& request, const ResponderPtr& responder);

    std::string receivedJson(const std::string& queue, SessionId session, const Received& received);

    UserSessions& sessions_;
    const MessageEndpointOptions options_;
    LeasedBodies bodies_;
};

}  // namespace busbar::http
