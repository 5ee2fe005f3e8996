// WireFormatInfo, ConnectionInfo, KeepAliveInfo, ShutdownInfo, SessionInfo.
#include "adapters/openwire/connection.h"
#include "adapters/openwire/errors.h"
#include "adapters/transport/pace.h"

#include <memory>

namespace busbar::openwire {
namespace {

constexpr std::string_view kBrokerName = "busbar";

}  // namespace

/// Ours goes out when the client's came: who only knocks learns nothing.
void Connection::on(WireFormatInfo& info) {
    if (state_ != State::waiting) {
        return fail({ErrorCode::malformed, "the wire format was negotiated already"});
    }
    const auto theirs = readInfo(info);
    if (!theirs) return fail(theirs.error());
    FormatOffer ours;
    ours.inactivity = options_.inactivity;
    ours.frameBytesMax = static_cast<std::int64_t>(options_.frameBytesMax);
    ours.providerName = "Busbar";
    Structure structure;
    structure.value = makeInfo(ours);
    writeStructure(structure);
    auto agreed = agree(ours, *theirs);
    if (!agreed) {
        state_ = State::greeted;  // it can read why
        return fail(agreed.error());
    }
    agreement_ = *agreed;
    decoder_.setFormat(agreement_.format);
    encoder_.setFormat(agreement_.format);
    state_ = State::greeted;
}

void Connection::on(ConnectionInfo& info) {
    login_ = answerTo(info);
    if (state_ != State::greeted) {
        return fail({ErrorCode::malformed, state_ == State::waiting
                                               ? "a WireFormatInfo is expected first"
                                               : "this connection is connected already"});
    }
    if (!info.connectionId || !info.connectionId->value || info.connectionId->value->empty()) {
        return fail({ErrorCode::invalidArgument, "ConnectionInfo needs a connection id"});
    }
    const bool nameless = info.userName.value_or("").empty() && info.password.value_or("").empty();
    const auto* certificate = nameless ? host_.peerCertificate() : nullptr;
    if (!certificate && (!info.userName || !info.password)) {
        refuse(login_, {ErrorCode::unauthenticated,
                        "a user name and a password are expected: give them to createConnection"});
        return end("no user name or password");
    }
    connectionId_ = info.connectionId;
    clientId_ = info.clientId.value_or("");
    faultTolerant_ = faultTolerant_ || info.faultTolerant;
    reconnected_ = replaying_ = info.failoverReconnect;
    state_ = State::connecting;
    if (certificate) return onAuthenticated(authenticator_.identify(*certificate));
    user_ = *info.userName;
    authenticateOn(authenticator_, host_.bus().executor(), alive_, user_, *info.password,
                   [this](const Result<Identity>& identity) {
                       onAuthenticated(identity);
                       host_.flush();
                   });
}

void Connection::onAuthenticated(Result<Identity> identity) {
    if (state_ != State::connecting) return;
    if (!identity) {
        refuse(login_, identity.error());
        return end(identity.error().text);
    }
    user_ = identity->user;
    auto seat = authenticator_.admit(user_);
    if (!seat) {
        refuse(login_, seat.error());
        return end(seat.error().text);
    }
    seat_ = std::move(*seat);
    keepPace(host_, seat_, 0);
    session_ = host_.bus().newSession(*this);
    OpenSession command;
    command.session = session_;
    command.user = user_;
    command.roles = std::move(identity->roles);
    command.clientId = clientId_;
    command.protocol = "openwire";
    command.remote = host_.remote();
    command.takeOver = reconnected_;
    command.request = expect([this](Completed& done) { onSessionOpen(done.error); });
    host_.bus().submit(std::move(command));
}

void Connection::onSessionOpen(const std::optional<Error>& error) {
    if (error) {
        refuse(login_, *error);
        return end(error->text);
    }
    state_ = State::connected;
    DecoderLimits limits;
    limits.frameBytesMax = options_.frameBytesMax;
    decoder_.setLimits(limits);
    writeWelcome();
    lastInput_ = host_.now().steady;
    inputSeen_ = true;
    silenceCheck_ = lastInput_ + agreement_.inactivity / 3;
    arm();
    const std::string held = std::exchange(held_, {});
    process(held);
}

/// As ActiveMQ: who we are, the answer, and that there is nowhere else to go.
void Connection::writeWelcome() {
    BrokerInfo broker;
    broker.brokerId = makeRef(BrokerId{options_.brokerId});
    broker.brokerName = std::string(kBrokerName);
    broker.connectionId = static_cast<std::int64_t>(session_.value);
    write(std::move(broker));
    reply(login_);
    write(ConnectionControl{});
}

/// Not answered by a Response, but by one of its kind.
void Connection::on(KeepAliveInfo& info) {
    if (!info.responseRequired || state_ == State::waiting) return;
    write(KeepAliveInfo{});
}

void Connection::on(ShutdownInfo&) {
    if (state_ != State::connected) return end({});
    leave([this] { end({}); });
}

/// The bus's session is the connection's: JMS sessions only order what is in them.
void Connection::on(SessionInfo& info) {
    reply(answerTo(info));
}

/// What a client or a bridge says of itself.
void Connection::on(BrokerInfo& info) {
    refuse(answerTo(info), {ErrorCode::unsupported, "networks of brokers are not offered"});
}

void Connection::on(ControlCommand& command) {
    refuse(answerTo(command), {ErrorCode::unsupported, "ControlCommand is not offered"});
}

/// The first word of a client that fails over, before its ConnectionInfo.
void Connection::on(ConnectionControl& control) {
    faultTolerant_ = faultTolerant_ || control.faultTolerant;
    reply(answerTo(control));
}

}  // namespace busbar::openwire
