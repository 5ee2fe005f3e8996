#include "adapters/stomp/connection.h"

#include "adapters/transport/pace.h"
#include "bus/base/utf8.h"

#include <algorithm>
#include <utility>

namespace busbar::stomp {
namespace {

constexpr std::string_view kQueuePrefix = "tq.";
constexpr std::string_view kTopicPrefix = "tt.";
/// Other protocols' temporary destinations have names as their clients make them: unmarked, an
/// answer to one would go to a new one of the answering connection's own.
constexpr std::string_view kForeignPrefix = "bus:";
constexpr std::size_t kTemporaryNameMax = 200;

std::string_view temporaryPrefix(DestinationKind kind) {
    return kind == DestinationKind::temporaryTopic ? kTopicPrefix : kQueuePrefix;
}

Parser::Limits limitsBeforeLogin(const Options& options) {
    return {options.headerBytesBeforeLoginMax, options.headersMax, 0};
}

}  // namespace

EngineFactory makeFactory(const Options& options, Authenticator& authenticator) {
    return [&options, &authenticator](EngineHost& host) {
        return std::make_unique<Connection>(host, options, authenticator);
    };
}

Connection::Connection(EngineHost& host, const Options& options, Authenticator& authenticator)
    : host_(host),
      options_(options),
      authenticator_(authenticator),
      parser_(limitsBeforeLogin(options)),
      loginUntil_(host.now().steady + options.loginTimeout) {
    host_.wakeAt(loginUntil_);
}

// ---- input

void Connection::receive(std::string_view bytes) {
    inputSeen_ = true;
    if (state_ == State::connecting || (upload_ && upload_->whole)) {
        held_ += bytes;
    } else {
        process(bytes);
    }
    tellHeld();
}

/// What is in memory for this connection's user.
void Connection::tellHeld() {
    if (!seat_.limited()) return;
    std::uint64_t bytes =
        parser_.gathered() + held_.size() + bytesInFlight_ + host_.outputPending();
    for (const auto& [id, transaction] : transactions_) bytes += transaction.bytes();
    keepRoom(host_, seat_, bytes);
}

void Connection::process(std::string_view input) {
    while (state_ == State::waiting || state_ == State::connected) {
        if (upload_) {
            if (takePart(input)) held_ += input;
            break;
        }
        auto frame = parser_.next(input);
        if (!frame) {
            fail(frame.error(), {}, {});
            break;
        }
        if (!*frame) break;
        handle(**frame);
    }
    if (state_ == State::connecting) held_ += input;
    flushSettles();
}

void Connection::handle(Frame& frame) {
    const std::string_view command = frame.command;
    if (state_ == State::waiting) {
        if (command == "CONNECT" || command == "STOMP") return connect(frame);
        return refuse(
            frame, {ErrorCode::unauthenticated, "CONNECT or STOMP is expected as the first frame"});
    }
    if (command == "SEND") return send(frame);
    if (command == "ACK") return acknowledge(frame, true);
    if (command == "NACK" && version_ != Version::v10) return acknowledge(frame, false);
    flushSettles();  // what follows must find them done
    if (command == "SUBSCRIBE") return subscribe(frame);
    if (command == "UNSUBSCRIBE") return unsubscribe(frame);
    if (command == "BEGIN") return begin(frame);
    if (command == "COMMIT") return commit(frame);
    if (command == "ABORT") return abort(frame);
    if (command == "DISCONNECT") return disconnect(frame);
    if (command == "CONNECT" || command == "STOMP") {
        return refuse(frame, {ErrorCode::malformed, "this connection is connected already"});
    }
    refuse(frame, {ErrorCode::malformed,
                   "unknown command '" + std::string(command.substr(0, 40)) +
                       "': SEND, SUBSCRIBE, UNSUBSCRIBE, ACK, NACK, BEGIN, COMMIT, ABORT or "
                       "DISCONNECT is expected"});
}

bool Connection::wantsInput() const {
    if (state_ != State::waiting && state_ != State::connected) return false;
    if (upload_ && (upload_->whole || !upload_->body->wantsMore())) return false;
    return !blocked_ && sendsInFlight_ < options_.sendsInFlightMax &&
           bytesInFlight_ < options_.bytesInFlightMax &&
           pending_.span() < 16 * options_.sendsInFlightMax && !outputHigh();
}

// ---- requests and receipts

Connection::Pending& Connection::expect(Pending::Kind kind, std::string_view receipt,
                                        RequestId& request) {
    Pending& pending = pending_.add(request);
    pending.kind = kind;
    pending.receipt.assign(receipt);
    return pending;
}

void Connection::onCompleted(Completed& effect) {
    const auto answered = pending_.take(effect.request);
    if (!answered) return;
    const Pending& pending = *answered;
    if (pending.kind == Pending::Kind::send) {
        --sendsInFlight_;
        bytesInFlight_ -= pending.bytes;
    }
    if (effect.error) return onFailed(pending, *effect.error);
    if (pending.kind == Pending::Kind::open) return onSessionOpen();
    if (!pending.receipt.empty()) sendReceipt(pending.receipt, effect.repeated);
    for (const auto& receipt : pending.moreReceipts) sendReceipt(receipt);
    leaveWhenDone();
}

void Connection::onFailed(const Pending& pending, const Error& error) {
    const bool nobodyWaits = pending.receipt.empty() && pending.moreReceipts.empty();
    if (pending.kind == Pending::Kind::settle && nobodyWaits) return leaveWhenDone();
    fail(error, pending.receipt, pending.what);
}

void Connection::sendReceipt(std::string_view id, bool repeated) {
    std::string& out = this->out();
    out += "RECEIPT\n";
    appendHeader(out, "receipt-id", id, version_);
    if (repeated) out += "busbar-repeated:true\n";
    out += '\n';
    out += '\0';
    outputSeen_ = true;
}

void Connection::receiptNow(const Frame& frame) {
    if (const auto receipt = frame.get("receipt"); !receipt.empty()) sendReceipt(receipt);
}

// ---- errors and the end

void Connection::refuse(const Frame& frame, const Error& error) {
    std::string what(frame.command.substr(0, 40));
    for (const auto* header : {"destination", "id", "message-id", "transaction"}) {
        if (const auto* value = frame.find(header)) {
            what += std::string(" ") + header + ":" + std::string(value->substr(0, 100));
        }
    }
    fail(error, frame.get("receipt"), what);
}

/// STOMP 1.2, "ERROR": says what is wrong and closes.
void Connection::fail(const Error& error, std::string_view receipt, std::string_view what) {
    if (state_ == State::ended) return;
    if (outflow_ && outflow_->begun) return end(error.text);  // within a frame nothing can be said
    outflow_.reset();
    const std::string text = showable(error.text);  // it may quote what the client sent
    std::string body = text + "\n";
    if (!what.empty()) body += "The frame was: " + showable(what) + "\n";
    std::string& out = host_.output();
    out += "ERROR\n";
    appendHeader(out, "message", text.empty() ? name(error.code) : text, version_);
    appendHeader(out, "code", name(error.code), version_);
    if (!receipt.empty()) appendHeader(out, "receipt-id", receipt, version_);
    if (state_ == State::waiting) out += "version:1.0,1.1,1.2\n";
    out += "content-type:text/plain\ncontent-length:" + std::to_string(body.size()) + "\n\n";
    out += body;
    out += '\0';
    end(error.text);
}

void Connection::end(std::string_view why) {
    if (std::exchange(state_, State::ended) == State::ended) return;
    settles_.reset();  // not confirmed to anyone: they come again
    waiting_.clear();
    subscriptions_.clear();
    transactions_.clear();
    std::string().swap(held_);  // with its memory: the connection may linger
    upload_.reset();
    outflow_.reset();
    if (session_) host_.bus().close(std::exchange(session_, SessionId()));
    seat_ = {};  // free at once, not when the peer has read the rest
    host_.close(why);
}

void Connection::leaveWhenDone() {
    if (state_ != State::leaving || outflow_ || pending_.anyOpen()) return;
    if (!leaveReceipt_.empty()) sendReceipt(leaveReceipt_);
    end({});
}

void Connection::onDisconnect() {
    // What the socket had taken counts as handed out: its acknowledgement goes with the last
    // commands.
    if (state_ == State::connected || state_ == State::leaving) flushSettles();
    end({});
}

void Connection::onDrain(std::string_view why) {
    if (state_ == State::ended) return;
    if (state_ == State::connected) flushSettles();
    fail({ErrorCode::unavailable, std::string(why)}, {}, {});
}

// ---- time

void Connection::onTick() {
    const SteadyTime now = host_.now().steady;
    if (state_ == State::waiting || state_ == State::connecting) {
        if (now >= loginUntil_) {
            return fail(
                {ErrorCode::timeout,
                 "no login within " + std::to_string(options_.loginTimeout.count()) + " ms"},
                {}, {});
        }
        return host_.wakeAt(loginUntil_);
    }
    if (state_ != State::ended) checkHeartBeats(now);
}

/// STOMP 1.2, "Heart-beating". Ticks come twice an interval, so that ours are never late; the
/// client's may be late by as much again.
void Connection::checkHeartBeats(SteadyTime now) {
    if (sendEvery_.count() > 0 && !std::exchange(outputSeen_, false) &&
        host_.outputPending() == 0 && !(outflow_ && outflow_->begun)) {
        host_.output() += '\n';
        host_.flush();
    }
    // While we do not read we cannot blame the client for silence.
    if (std::exchange(inputSeen_, false) || !wantsInput() || host_.inputHeld()) lastInput_ = now;
    if (receiveEvery_.count() > 0 && now - lastInput_ > 2 * receiveEvery_) {
        return fail({ErrorCode::timeout, "no heart-beat for more than " +
                                             std::to_string(2 * receiveEvery_.count()) + " ms"},
                    {}, {});
    }
    Milliseconds next = sendEvery_.count() > 0 ? sendEvery_ / 2 : receiveEvery_ / 2;
    if (receiveEvery_.count() > 0) next = std::min(next, receiveEvery_ / 2);
    if (next.count() > 0) host_.wakeAt(now + next);
}

// ---- effects

void Connection::onEffect(Effect& effect) {
    if (state_ == State::ended) return;
    if (auto* delivered = std::get_if<Delivered>(&effect)) return deliver(*delivered);
    if (auto* completed = std::get_if<Completed>(&effect)) return onCompleted(*completed);
    if (auto* browsed = std::get_if<Browsed>(&effect)) return onBrowsed(*browsed);
    if (auto* blocked = std::get_if<ProducerBlocked>(&effect)) {
        blocked_ = blocked->blocked;
        return;
    }
    if (auto* lease = std::get_if<LeaseEnded>(&effect)) return endLease(*lease);
    if (auto* changed = std::get_if<ConsumerChanged>(&effect)) return writeChange(*changed);
    if (auto* revoked = std::get_if<GroupRevoked>(&effect)) return writeRevoked(*revoked);
    if (auto* ended = std::get_if<ConsumerEnded>(&effect))
        return fail(ended->error, {}, "SUBSCRIBE");
    if (auto* over = std::get_if<SessionEnded>(&effect)) return fail(over->error, {}, {});
}

void Connection::onEffectsEnd() {
    flushSettles();
    pump();
    tellHeld();
}

void Connection::onOutputDrained() {
    fetchOutflow();
    pump();
    tellHeld();
}

// ---- temporary destinations

Result<std::string> Connection::toBus(DestinationKind kind, std::string_view local) {
    const Destination own{kind, std::string(local)};
    if (const auto known = temporaryBusNames_.find(own); known != temporaryBusNames_.end())
        return known->second;
    if (local.starts_with(temporaryPrefix(kind))) return std::string(local);
    if (local.starts_with(kForeignPrefix)) return std::string(local.substr(kForeignPrefix.size()));
    if (local.size() > kTemporaryNameMax) {
        return {ErrorCode::tooLarge, "the name of a temporary destination may have at most " +
                                         std::to_string(kTemporaryNameMax) + " bytes"};
    }
    MakeTemporary command;
    command.session = session_;
    command.destination = {
        kind, std::string(temporaryPrefix(kind)) + std::to_string(session_.value) + "." + own.name};
    const Destination made = command.destination;
    expect(Pending::Kind::command, {}, command.request).what = toUri(own);
    host_.bus().submit(std::move(command));
    temporaryBusNames_.emplace(own, made.name);
    temporaryLocalNames_.emplace(made, own.name);
    return made.name;
}

std::string Connection::toLocal(const Destination& temporary) const {
    const auto known = temporaryLocalNames_.find(temporary);
    if (known != temporaryLocalNames_.end()) return known->second;
    if (temporary.name.starts_with(temporaryPrefix(temporary.kind))) return temporary.name;
    return std::string(kForeignPrefix).append(temporary.name);
}

}  // namespace busbar::stomp
