#include "adapters/amqp/login.h"

#include "bus/security/scrypt.h"

#include <proton/sasl.h>
#include <proton/sasl_plugin.h>
#include <proton/transport.h>

#include <utility>

namespace busbar::amqp {
namespace {

constexpr std::size_t kNonceBytes = 20;

}  // namespace

/// Proton's table of functions. What only clients do, and security layers, are not there.
struct Login::Plugin {
    static Login& of(pn_transport_t* transport) {
        return *static_cast<Login*>(pnx_sasl_get_context(transport));
    }
    static void free(pn_transport_t*) {}
    static const char* listMechanisms(pn_transport_t* transport) {
        return of(transport).mechanisms_.c_str();
    }
    static bool initServer(pn_transport_t* transport) {
        pnx_sasl_set_desired_state(transport, SASL_POSTED_MECHANISMS);
        return true;
    }
    static bool initClient(pn_transport_t*) { return false; }
    static void prepareWrite(pn_transport_t*) {}
    static void processInit(pn_transport_t* transport, const char* mechanism,
                            const pn_bytes_t* response) {
        of(transport).onInit(
            mechanism ? mechanism : "",
            response ? std::string_view(response->start, response->size) : std::string_view());
    }
    static void processResponse(pn_transport_t* transport, const pn_bytes_t* response) {
        of(transport).onResponse(response ? std::string_view(response->start, response->size)
                                          : std::string_view());
    }
    static bool processMechanisms(pn_transport_t*, const char*) { return false; }
    static void processServer(pn_transport_t*, const pn_bytes_t*) {}
    static bool canEncrypt(pn_transport_t*) { return false; }
    static ssize_t maxEncryptSize(pn_transport_t*) { return 0; }
    static ssize_t code(pn_transport_t*, pn_bytes_t, pn_bytes_t*) { return 0; }

    static constexpr pnx_sasl_implementation kTable{free,
                                                    listMechanisms,
                                                    initServer,
                                                    initClient,
                                                    prepareWrite,
                                                    processInit,
                                                    processResponse,
                                                    processMechanisms,
                                                    processServer,
                                                    processServer,
                                                    canEncrypt,
                                                    maxEncryptSize,
                                                    code,
                                                    code};
};

Login::Login(Offers offers) : offers_(std::move(offers)) {
    if (!offers_.certificateUser.empty()) mechanisms_ += "EXTERNAL ";
    if (offers_.scram) mechanisms_ += "SCRAM-SHA-256 ";
    mechanisms_ += "PLAIN";
    if (offers_.anonymous) mechanisms_ += " ANONYMOUS";
}

void Login::install(pn_transport_t* transport) {
    transport_ = transport;
    pn_sasl_t* sasl = pn_sasl(transport);
    // TLS is the stream's, which Proton cannot see.
    pn_sasl_set_allow_insecure_mechs(sasl, true);
    pnx_sasl_set_implementation(transport, &Plugin::kTable, this);
    pn_transport_require_auth(transport, true);
}

void Login::onInit(std::string_view mechanism, std::string_view response) {
    if (attempt_ || accepted_) return;
    // One try a connection: a second init in the midst of a first one would mix two logins.
    if (std::exchange(begun_, true) || !read(mechanism, response)) return refuse();
    attempt_ = true;
}

/// False for a mechanism that is not offered too.
bool Login::read(std::string_view mechanism, std::string_view response) {
    if (mechanism == "PLAIN") {
        mechanism_ = Mechanism::plain;
        return readPlain(response);
    }
    if (mechanism == "SCRAM-SHA-256") {
        mechanism_ = Mechanism::scram;
        return offers_.scram && readScram(response);
    }
    if (mechanism == "EXTERNAL") {
        mechanism_ = Mechanism::external;
        return readExternal(response);
    }
    mechanism_ = Mechanism::anonymous;
    return mechanism == "ANONYMOUS" && offers_.anonymous;
}

bool Login::readScram(std::string_view response) {
    if (scram_) return false;
    scram_.emplace();
    auto user = scram_->first(response);
    if (user) user_ = std::move(*user);
    return user.ok();
}

void Login::challenge(ScramKeys keys) {
    say(scram_->challenge(std::move(keys), randomToken(kNonceBytes)));
    pnx_sasl_set_desired_state(transport_, SASL_POSTED_CHALLENGE);
}

/// Only SCRAM has a second step.
void Login::onResponse(std::string_view response) {
    if (!scram_ || proved_ || accepted_) return refuse();
    auto last = scram_->finish(response);
    if (!last) return refuse();
    say(std::move(*last));
    proved_ = attempt_ = true;
}

void Login::say(std::string text) {
    out_ = std::move(text);
    pnx_sasl_set_bytes_out(transport_, pn_bytes(out_.size(), out_.data()));
}

/// RFC 4422, appendix A: an authorization identity or nothing.
bool Login::readExternal(std::string_view response) {
    user_ = offers_.certificateUser;
    return !user_.empty() && (response.empty() || response == user_);
}

/// RFC 4616: authzid NUL authcid NUL passwd. Acting for somebody else is not offered.
bool Login::readPlain(std::string_view response) {
    const std::size_t first = response.find('\0');
    if (first == response.npos) return false;
    const std::size_t second = response.find('\0', first + 1);
    if (second == response.npos || response.find('\0', second + 1) != response.npos) return false;
    const auto authzid = response.substr(0, first);
    user_ = response.substr(first + 1, second - first - 1);
    password_ = response.substr(second + 1);
    return !user_.empty() && (authzid.empty() || authzid == user_);
}

bool Login::takeAttempt() {
    return std::exchange(attempt_, false);
}

std::string Login::takePassword() {
    return std::exchange(password_, {});
}

void Login::accept() {
    accepted_ = true;
    pnx_sasl_set_succeeded(transport_, user_.c_str(), nullptr);
    pnx_sasl_set_desired_state(transport_, SASL_POSTED_OUTCOME);
}

void Login::refuse() {
    say({});
    pnx_sasl_set_failed(transport_);
    pnx_sasl_set_desired_state(transport_, SASL_POSTED_OUTCOME);
}

}  // namespace busbar::amqp
