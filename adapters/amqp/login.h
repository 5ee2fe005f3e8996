// SASL (AMQP 1.0 section 5.3) by Proton's plug-in interface: PLAIN and, where allowed, ANONYMOUS.
#pragma once

#include <string>
#include <string_view>

struct pn_transport_t;

namespace busbar::amqp {

/// One connection's login. Proton asks for mechanisms and hands over what the client answers; the
/// password is checked outside, later, and ends in accept() or refuse().
class Login {
  public:
    explicit Login(bool anonymous) : anonymous_(anonymous) {}
    Login(const Login&) = delete;
    Login& operator=(const Login&) = delete;

    /// Becomes the SASL implementation of `transport`, and outlives it.
    void install(pn_transport_t* transport);

    /// True once, when a client has named itself and waits.
    bool takeAttempt();
    bool isAnonymous() const { return anonymousAttempt_; }
    const std::string& user() const { return user_; }
    /// What it gave as its password; empty afterwards.
    std::string takePassword();

    void accept();
    void refuse();
    bool accepted() const { return accepted_; }

  private:
    struct Plugin;

    void onInit(std::string_view mechanism, std::string_view response);
    bool readPlain(std::string_view response);

    const bool anonymous_;
    pn_transport_t* transport_ = nullptr;
    std::string user_;
    std::string password_;
    bool attempt_ = false;
    bool anonymousAttempt_ = false;
    bool accepted_ = false;
};

}  // namespace busbar::amqp
