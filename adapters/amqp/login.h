// SASL (AMQP 1.0 section 5.3) by Proton's plug-in interface: PLAIN; SCRAM-SHA-256 where the
// users have keys for it; EXTERNAL for whom TLS has shown to be somebody; ANONYMOUS where allowed.
#pragma once

#include "bus/security/scram.h"

#include <optional>
#include <string>
#include <string_view>

struct pn_transport_t;

namespace busbar::amqp {

/// One connection's login. Proton asks for mechanisms and hands over what the client answers; the
/// password is checked outside, later, and ends in accept() or refuse().
class Login {
  public:
    struct Offers {
        bool anonymous = false;
        bool scram = false;
        std::string certificateUser{};  ///< whom EXTERNAL logs in; empty: it is not offered
    };

    explicit Login(Offers offers);
    Login(const Login&) = delete;
    Login& operator=(const Login&) = delete;

    /// Becomes the SASL implementation of `transport`, and outlives it.
    void install(pn_transport_t* transport);

    /// True once, when a client has named itself and waits.
    bool takeAttempt();
    enum class Mechanism { plain, scram, external, anonymous };
    Mechanism mechanism() const { return mechanism_; }
    bool isAnonymous() const { return mechanism_ == Mechanism::anonymous; }
    const std::string& user() const { return user_; }
    /// What it gave as its password; empty afterwards.
    std::string takePassword();

    /// SCRAM: asks for a proof. When it fits, takeAttempt() is true once more, and proved().
    void challenge(ScramKeys keys);
    bool proved() const { return proved_; }

    void accept();
    void refuse();
    bool accepted() const { return accepted_; }

  private:
    struct Plugin;

    void onInit(std::string_view mechanism, std::string_view response);
    void onResponse(std::string_view response);
    bool read(std::string_view mechanism, std::string_view response);
    bool readPlain(std::string_view response);
    bool readScram(std::string_view response);
    bool readExternal(std::string_view response);
    void say(std::string text);

    const Offers offers_;
    std::string mechanisms_;  ///< names of those that are offered
    pn_transport_t* transport_ = nullptr;
    std::string user_;
    std::string password_;
    std::optional<ScramExchange> scram_;
    std::string out_;  ///< what goes with the next frame; Proton reads it later
    bool begun_ = false;
    bool proved_ = false;
    bool attempt_ = false;
    Mechanism mechanism_ = Mechanism::plain;
    bool accepted_ = false;
};

}  // namespace busbar::amqp
