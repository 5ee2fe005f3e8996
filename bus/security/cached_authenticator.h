// Checking a password is meant to be slow. HTTP brings it with each request, and after a restart a
// thousand connections bring the same one: so who was right is remembered for a minute.
#pragma once

#include "bus/base/clock.h"
#include "bus/security/authenticator.h"

#include <array>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace busbar {

/// Puts a memory before another authenticator. Keyed by HMAC-SHA256 of name and password under a
/// key that only this process has, so that neither a memory dump nor chosen passwords say anything.
/// Checks of the same credentials at a time share one. Wrong ones are not remembered; a changed
/// password, or a removed user, is known here after a minute at the latest.
class CachedAuthenticator final : public Authenticator {
  public:
    /// Both outlive it; so does whoever may still get an answer.
    CachedAuthenticator(Authenticator& authenticator, const Clock& clock);
    ~CachedAuthenticator() override;

    void authenticate(std::string user, std::string password, Answer answer) override;
    /// Users or passwords have changed: remembers nothing of before, checks under way included. Any
    /// thread.
    void forget();

    bool offersScram() const override { return authenticator_.offersScram(); }
    ScramLogin scramLogin(const std::string& user) override {
        return authenticator_.scramLogin(user);
    }

  private:
    class Memory;
    Authenticator& authenticator_;
    const Clock& clock_;
    std::shared_ptr<Memory> memory_;
};

}  // namespace busbar
