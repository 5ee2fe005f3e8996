// Every way to show who one is, behind one door.
#pragma once

#include "bus/security/authenticator.h"
#include "bus/security/certificate_users.h"
#include "bus/security/user_store.h"

namespace busbar {

/// Passwords go to another authenticator (which may remember); certificates are looked up among the
/// users of the store; whoever has logged in is counted here. Thread-safe.
class Logins final : public Authenticator {
  public:
    /// Both outlive it.
    Logins(Authenticator& passwords, UserStore& users, CertificateUsers certificates,
           UserLimits limits = {})
        : passwords_(passwords),
          users_(users),
          certificates_(std::move(certificates)),
          accounts_(limits) {}

    void authenticate(std::string user, std::string password, Answer answer) override;
    Result<Identity> identify(const PeerCertificate& certificate) override;
    bool offersScram() const override { return passwords_.offersScram(); }
    Result<UserSeat> admit(const std::string& user) override { return accounts_.admit(user); }
    ScramLogin scramLogin(const std::string& user) override { return passwords_.scramLogin(user); }

  private:
    Authenticator& passwords_;
    UserStore& users_;
    const CertificateUsers certificates_;
    UserAccounts accounts_;
};

}  // namespace busbar
