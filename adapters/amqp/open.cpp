// Login, open and begin.
#include "adapters/amqp/connection.h"
#include "adapters/transport/pace.h"

#include <proton/connection.h>
#include <proton/transport.h>

#include <algorithm>
#include <utility>

namespace busbar::amqp {
namespace {

constexpr std::string_view kAlone = "sole-connection-for-container";
constexpr std::size_t kContainerMax = 255;

void putCapabilities(pn_data_t* data) {
    std::string symbols;
    putSymbols(symbols, {"ANONYMOUS-RELAY", "DELAYED_DELIVERY", "SHARED-SUBS", kAlone});
    assign(data, symbols);
}

void putProperties(pn_data_t* data, bool failed) {
    std::string encoded;
    Compound map(encoded, Compound::Kind::map);
    putSymbol(encoded, "product");
    putString(encoded, "Busbar");
    putSymbol(encoded, "topic-prefix");
    putString(encoded, "topic://");
    if (failed) {
        putSymbol(encoded, "amqp:connection-establishment-failed");
        putBoolean(encoded, true);
    }
    map.end(failed ? 6 : 4);
    assign(data, encoded);
}

/// JMS clients take this as "the client id is in use".
void putInvalidContainer(pn_condition_t* condition) {
    std::string encoded;
    Compound map(encoded, Compound::Kind::map);
    putSymbol(encoded, "invalid-field");
    putSymbol(encoded, "container-id");
    map.end(2);
    pn_condition_set_name(condition, "amqp:invalid-field");
    assign(pn_condition_info(condition), encoded);
}

}  // namespace

/// EXTERNAL is for whose certificate stands for a user: others would only fail with it.
Login::Offers Connection::offersFor(EngineHost& host, const Options& options,
                                    Authenticator& authenticator) {
    Login::Offers offers;
    offers.anonymous = options.anonymous;
    offers.scram = options.scram == Options::Scram::always ||
                   (options.scram == Options::Scram::automatic && authenticator.offersScram());
    if (const auto* certificate = host.peerCertificate()) {
        if (const auto who = authenticator.identify(*certificate))
            offers.certificateUser = who->user;
    }
    return offers;
}

/// Asked again: the user may have gone since the mechanisms were listed.
Result<Identity> Connection::identifyByCertificate() {
    auto who = authenticator_.identify(*host_.peerCertificate());
    if (who && who->user != login_.user())
        return Error{ErrorCode::unauthenticated, "the certificate stands for somebody else"};
    return who;
}

/// Asked twice: for the keys, and when the proof has fitted.
void Connection::authenticateByScram() {
    if (login_.proved()) return onAuthenticated(std::move(scramIdentity_));
    auto asked = authenticator_.scramLogin(login_.user());
    scramIdentity_ = std::move(asked.identity);
    login_.challenge(std::move(asked.keys));
}

void Connection::authenticate() {
    if (login_.isAnonymous()) return onAuthenticated(Identity{"anonymous", {"anonymous"}});
    if (login_.mechanism() == Login::Mechanism::external)
        return onAuthenticated(identifyByCertificate());
    if (login_.mechanism() == Login::Mechanism::scram) return authenticateByScram();
    authenticating_ = true;
    authenticateOn(authenticator_, host_.bus().executor(), alive_, login_.user(),
                   login_.takePassword(), [this](const Result<Identity>& identity) {
                       onAuthenticated(identity);
                       pump();
                   });
}

void Connection::onAuthenticated(const Result<Identity>& identity) {
    authenticating_ = false;
    if (state_ != State::login) return;
    if (!identity) return login_.refuse();
    roles_ = identity->roles;
    login_.accept();
}

void Connection::openConnection() {
    pn_connection_t* connection = driver_.connection();
    if (!login_.accepted()) return;  // proton ends it
    container_ = view(pn_connection_remote_container(connection)).substr(0, kContainerMax);
    const Held desired = read(pn_connection_remote_desired_capabilities(connection));
    if (names(desired.item, kAlone)) clientId_ = container_;
    state_ = State::opening;
    const std::string user = login_.isAnonymous() ? "anonymous" : login_.user();
    auto seat = authenticator_.admit(user);
    if (!seat) {
        Completed refused;
        refused.error = seat.error();
        return onSessionOpen(refused);
    }
    seat_ = std::move(*seat);
    keepPace(host_, seat_, 0);
    session_ = host_.bus().newSession(*this);
    OpenSession command;
    command.session = session_;
    command.user = user;
    command.roles = std::move(roles_);
    command.clientId = clientId_;
    command.protocol = "amqp";
    command.remote = host_.remote();
    command.request = expect([this](Completed& answer) { onSessionOpen(answer); });
    host_.bus().submit(std::move(command));
}

void Connection::onSessionOpen(const Completed& answer) {
    pn_connection_t* connection = driver_.connection();
    pn_connection_set_container(connection, "busbar");
    putCapabilities(pn_connection_offered_capabilities(connection));
    putProperties(pn_connection_properties(connection), answer.error.has_value());
    if (answer.error) {
        pn_connection_open(connection);
        write();
        pn_condition_t* condition = pn_connection_condition(connection);
        set(condition, *answer.error);
        if (answer.error->code == ErrorCode::conflict || answer.error->code == ErrorCode::inUse)
            putInvalidContainer(condition);
        pn_connection_close(connection);
        write();
        return end(answer.error->text);
    }
    state_ = State::open;
    pn_connection_open(connection);
    tick();
}

/// Its incoming window is left as wide as it goes: what comes is taken at once, so links' credit
/// and the socket bound it. (With a narrow one Proton 0.37 names a link that was just detached in
/// the flow that opens it again, which ends the connection.)
void Connection::openSession(pn_session_t* session) {
    pn_session_open(session);
}

/// Its links end with it, without detach frames.
void Connection::closeSession(pn_session_t* session) {
    std::vector<LinkId> over;
    for (const auto& [id, link] : links_) {
        if (pn_link_session(link->pn) == session) over.push_back(id);
    }
    for (const LinkId id : over) {
        endLink(*links_.at(id), false);
        removeLink(id);
    }
    pn_session_close(session);
    pn_session_free(session);
}

}  // namespace busbar::amqp
