// Lease tokens: what a client shows to extend or settle a message that it holds under a lease.
//
// Problem: HTTP has no connection that a lease could belong to, and a JMS client has no verb for
// one; so whoever names a lease may settle it. A token therefore names session and delivery and
// carries an HMAC-SHA256 (cut to 16 bytes) with a key that only this process has: it cannot be
// guessed, and one of an earlier process is known for what it is.
#pragma once

#include "bus/base/ids.h"
#include "bus/base/result.h"

#include <string>
#include <string_view>

namespace busbar {

/// Who holds what.
struct Lease {
    SessionId session;
    DeliveryId delivery;
};

/// Makes and reads tokens. Immutable after construction: any thread.
class LeaseTokens {
  public:
    /// With a fresh random key of the operating system.
    LeaseTokens();

    /// 43 characters, safe in a URL path. The queue is bound into it.
    std::string make(std::string_view queue, const Lease& lease) const;

    /// malformed where the text cannot be a token; lockLost where it is well-formed but was not
    /// made here for this queue (another process, or forged). Comparison takes the same time
    /// whatever differs.
    Result<Lease> read(std::string_view queue, std::string_view token) const;

    /// What a token says, whoever made it: to find the queue that read() wants to know.
    static Result<Lease> claimed(std::string_view token);

  private:
    std::string mac(std::string_view queue, std::string_view ids) const;
    std::string key_;
};

}  // namespace busbar
