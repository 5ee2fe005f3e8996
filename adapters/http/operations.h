// What operators do with queues over HTTP: define, purge, move, reschedule, pause.
#pragma once

#include "adapters/http/user_sessions.h"
#include "adapters/transport/http.h"

#include <functional>

namespace busbar::http {

/// Routes, all for admins (docs/http-messages.md, "Operating"):
///   PUT, DELETE /api/v1/queues/N            define, delete
///   DELETE /queues/N/messages               purge; DELETE /queues/N/messages/ID one of them
///   POST   /queues/N/move, /copy            to another queue; move without `to`: dead letters back
///   POST   /queues/N/messages/ID/schedule   when a delayed message is delivered
///   POST   /queues/N/groups/G/pause, /resume
class OperationEndpoints {
  public:
    /// What a queue of a name is defined with where a PUT leaves something out. Any loop.
    using Defaults = std::function<QueueOptions(std::string_view queue)>;

    OperationEndpoints(UserSessions& sessions, Defaults defaults);
    void install(Router& router);

  private:
    void define(const Request& request, const ResponderPtr& responder);
    void remove(const Request& request, const ResponderPtr& responder);
    void purge(const Request& request, const ResponderPtr& responder);
    void cancel(const Request& request, const ResponderPtr& responder);
    void move(const Request& request, const ResponderPtr& responder);
    void reschedule(const Request& request, const ResponderPtr& responder);
    void pause(const Request& request, const ResponderPtr& responder);

    UserSessions& sessions_;
    const Defaults defaults_;
};

}  // namespace busbar::http
