// Who is it? One answer for every door.
#pragma once

#include "bus/base/executor.h"
#include "bus/base/result.h"
#include "bus/security/peer_certificate.h"
#include "bus/security/scram.h"
#include "bus/security/user_limits.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace busbar {

/// Someone who has shown who they are.
struct Identity {
    std::string user;
    std::vector<std::string> roles;  ///< "admin" may do everything; others come with permissions

    bool hasRole(std::string_view role) const {
        for (const auto& r : roles) {
            if (r == role) return true;
        }
        return false;
    }
};

/// What a login by SCRAM needs.
struct ScramLogin {
    ScramKeys keys;     ///< made up for whom there are none: then no proof fits
    Identity identity;  ///< who it is once the proof has fitted
};

/// Checks names and passwords, and whom a certificate stands for.
class Authenticator {
  public:
    using Answer = std::function<void(Result<Identity>)>;

    virtual ~Authenticator() = default;

    /// Checks `password` of `user`; calls `answer` exactly once: where it is known already, on the
    /// calling thread before this returns; else later, on a thread of the authenticator's own: post
    /// it to where it belongs. unauthenticated for an unknown user and
    /// for a wrong password alike, after the same work. limitReached where too many checks are
    /// waiting. Never blocks. Any thread.
    virtual void authenticate(std::string user, std::string password, Answer answer) = 0;

    /// The user that a verified certificate stands for; unauthenticated where it stands for nobody.
    /// Never blocks. Any thread.
    virtual Result<Identity> identify(const PeerCertificate& certificate) {
        static_cast<void>(certificate);
        return Error{ErrorCode::unauthenticated, "logins by certificate are not offered"};
    }

    /// True where every user has SCRAM keys: a client that takes it as the best that is offered
    /// must not fail for that. Never blocks. Any thread; so the next.
    virtual bool offersScram() const { return false; }
    /// For any name, and without telling whether there is such a user.
    virtual ScramLogin scramLogin(const std::string& user) {
        return {decoyScramKeys(user, {}), {}};
    }

    /// A place for one more connection of someone who has logged in; limitReached where there is
    /// none. Never blocks. Any thread.
    virtual Result<UserSeat> admit(const std::string& user) {
        static_cast<void>(user);
        return UserSeat();
    }
};

/// The same for someone who lives on `loop` and may be gone when the answer comes: `then` is called
/// there, in a turn of its own, unless `alive` has expired by then. Both outlive the check (a loop
/// outlives what is posted to it).
template <class Then>
void authenticateOn(Authenticator& authenticator, Executor& loop, std::weak_ptr<void> alive,
                    const std::string& user, const std::string& password, Then then) {
    authenticator.authenticate(
        user, password,
        [&loop, alive = std::move(alive), then = std::move(then)](Result<Identity> identity) {
            loop.post([alive, then, identity = std::move(identity)] {
                if (!alive.expired()) then(identity);
            });
        });
}

}  // namespace busbar
