// CONNECT, STOMP and DISCONNECT.
#include "adapters/stomp/connection.h"
#include "adapters/transport/pace.h"

#include <algorithm>
#include <memory>

namespace busbar::stomp {
namespace {

constexpr std::uint64_t kHeartBeatMax = 24ull * 3600 * 1000;

bool lists(std::string_view list, std::string_view wanted) {
    while (!list.empty()) {
        const std::size_t comma = std::min(list.find(','), list.size());
        std::string_view item = list.substr(0, comma);
        while (!item.empty() && item.front() == ' ') item.remove_prefix(1);
        while (!item.empty() && item.back() == ' ') item.remove_suffix(1);
        if (item == wanted) return true;
        list.remove_prefix(std::min(comma + 1, list.size()));
    }
    return false;
}

}  // namespace

/// STOMP 1.2, "Protocol Negotiation".
Result<Version> Connection::negotiate(const Frame& frame) const {
    const auto* accepted = frame.find("accept-version");
    if (!accepted) return Version::v10;
    for (const Version version : {Version::v12, Version::v11, Version::v10}) {
        if (lists(*accepted, name(version))) return version;
    }
    return {ErrorCode::unsupported, "accept-version is '" + std::string(accepted->substr(0, 60)) +
                                        "': 1.0, 1.1 or 1.2 is expected"};
}

void Connection::negotiateHeartBeat(const Frame& frame) {
    const auto* wanted = frame.find("heart-beat");
    if (!wanted) return;
    const std::size_t comma = std::min(wanted->find(','), wanted->size());
    const auto sends = toNumber("heart-beat", wanted->substr(0, comma), kHeartBeatMax);
    const auto wants =
        toNumber("heart-beat", wanted->substr(std::min(comma + 1, wanted->size())), kHeartBeatMax);
    if (!sends || !wants) {
        return refuse(frame, {ErrorCode::malformed,
                              "heart-beat is '" + std::string(wanted->substr(0, 60)) +
                                  "': two numbers of milliseconds as in 10000,10000 are "
                                  "expected"});
    }
    const auto agreed = [&](std::uint64_t theirs) {
        if (theirs == 0) return Milliseconds(0);
        return std::max(options_.heartBeatMin, Milliseconds(static_cast<std::int64_t>(theirs)));
    };
    receiveEvery_ = agreed(*sends);
    sendEvery_ = agreed(*wants);
}

void Connection::connect(Frame& frame) {
    const auto version = negotiate(frame);
    if (!version) return refuse(frame, version.error());
    negotiateHeartBeat(frame);
    if (state_ == State::ended) return;
    const auto* login = frame.find("login");
    const auto* passcode = frame.find("passcode");
    const auto* certificate = login || passcode ? nullptr : host_.peerCertificate();
    if (!certificate && (!login || !passcode)) {
        return refuse(frame, {ErrorCode::unauthenticated,
                              "CONNECT needs the headers 'login' and 'passcode'"});
    }
    version_ = *version;
    clientId_ = std::string(frame.get("client-id"));
    state_ = State::connecting;
    if (certificate) return onAuthenticated(authenticator_.identify(*certificate));
    user_ = std::string(*login);
    authenticateOn(authenticator_, host_.bus().executor(), alive_, user_, std::string(*passcode),
                   [this](const Result<Identity>& identity) {
                       onAuthenticated(identity);
                       host_.flush();
                   });
}

void Connection::onAuthenticated(Result<Identity> identity) {
    if (state_ != State::connecting) return;
    if (!identity) {
        state_ = State::waiting;  // the ERROR names the versions; nothing else is taken any more
        return fail(identity.error(), {}, "CONNECT login:" + user_.substr(0, 100));
    }
    user_ = identity->user;
    auto seat = authenticator_.admit(user_);
    if (!seat) {
        state_ = State::waiting;
        return fail(seat.error(), {}, "CONNECT login:" + user_.substr(0, 100));
    }
    seat_ = std::move(*seat);
    keepPace(host_, seat_, 0);
    session_ = host_.bus().newSession(*this);
    OpenSession command;
    command.session = session_;
    command.user = user_;
    command.roles = std::move(identity->roles);
    command.clientId = clientId_;
    command.protocol = "stomp";
    command.remote = host_.remote();
    expect(Pending::Kind::open, {}, command.request).what = "CONNECT client-id:" + clientId_;
    host_.bus().submit(std::move(command));
}

void Connection::onSessionOpen() {
    state_ = State::connected;
    parser_.setVersion(version_);
    Parser::Limits limits{options_.headerBytesMax, options_.headersMax, options_.bodyBytesMax};
    if (host_.bus().bodies()) {
        limits.largeBodyBytes = options_.largeBodyBytes;
        limits.largeBytesMax = options_.largeBytesMax;
    }
    parser_.setLimits(limits);
    std::string& out = host_.output();
    out += "CONNECTED\nversion:";
    out += name(version_);
    const std::string least = std::to_string(options_.heartBeatMin.count());
    out += "\nheart-beat:" + least + "," + least +
           "\nserver:Busbar\nsession:" + std::to_string(session_.value);
    out += "\n\n";
    out += '\0';
    lastInput_ = host_.now().steady;
    inputSeen_ = outputSeen_ = true;
    checkHeartBeats(lastInput_);
    const std::string held = std::exchange(held_, {});
    process(held);
}

/// Answered when everything before it was, so that a client that waits for the receipt knows that
/// all arrived.
void Connection::disconnect(const Frame& frame) {
    state_ = State::leaving;
    leaveReceipt_ = std::string(frame.get("receipt"));
    // Automatic acknowledgements of what the client was sent belong to it; the rest goes back.
    settleAutomatic();
    leaveWhenDone();
}

}  // namespace busbar::stomp
