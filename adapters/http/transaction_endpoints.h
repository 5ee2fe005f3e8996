// What operators see of distributed transactions over HTTP, and decide where a coordinator never
// will.
#pragma once

#include "adapters/http/user_sessions.h"
#include "adapters/transport/http.h"

namespace busbar::http {

/// Routes, all for admins (docs/transactions.md, "When the coordinator does not come back"):
///   GET    /api/v1/transactions              what is prepared, and what operators have decided
///   POST   /api/v1/transactions/ID/commit, /rollback, /forget
/// ID as busbar::toText(BranchId) writes it.
class TransactionEndpoints {
  public:
    explicit TransactionEndpoints(UserSessions& sessions) : sessions_(sessions) {}
    void install(Router& router);

  private:
    void list(const Request& request, const ResponderPtr& responder);
    void decide(const Request& request, const ResponderPtr& responder);

    UserSessions& sessions_;
};

}  // namespace busbar::http
