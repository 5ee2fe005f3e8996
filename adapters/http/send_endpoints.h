// Sending over plain HTTP, one message or a batch: docs/http-messages.md.
#pragma once

#include "adapters/http/user_sessions.h"
#include "adapters/transport/http.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace busbar::http {

struct SendEndpointOptions {
    std::uint64_t bodyBytesMax = 16u << 20;    ///< of a message in memory, and of a whole batch
    std::uint64_t largeBytesMax = 2ull << 30;  ///< of one message; beyond memory it is streamed
    std::size_t batchMax = 1000;               ///< messages of one batch
};

/// Puts the routes below into a router:
///   POST /queues/N/messages, /topics/N/messages   send one; 201 once it is as durable as it asks,
///                                                 200 for a repeat
///   POST /queues/N/messages/batch, /topics/N/messages/batch    send many, each on its own, or with
///                                                 atomic=true all of them or none
/// All of a batch are checked before any is sent, go to the bus together (and so share what syncs
/// they need), and are answered when the last one is durable. Handlers run on any loop; what they
/// share is in `sessions`. Outlives the router's use.
class SendEndpoints {
  public:
    SendEndpoints(UserSessions& sessions, SendEndpointOptions options)
        : sessions_(sessions), options_(options) {}
    void install(Router& router);

  private:
    using Messages = std::vector<std::shared_ptr<Message>>;

    void send(const Request& request, const ResponderPtr& responder, Destination destination);
    void sendBatch(const Request& request, const ResponderPtr& responder,
                   const Destination& destination);
    void sendEach(const Request& request, const ResponderPtr& responder, Messages messages);
    void sendAllOrNone(const Request& request, const ResponderPtr& responder, Messages messages);

    UserSessions& sessions_;
    const SendEndpointOptions options_;
};

}  // namespace busbar::http
