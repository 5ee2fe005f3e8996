#include "adapters/openwire/connection.h"

#include "adapters/openwire/errors.h"
#include "adapters/transport/pace.h"

#include <algorithm>
#include <utility>

namespace busbar::openwire {
namespace {

DecoderLimits limitsBeforeLogin(const Options& options) {
    DecoderLimits limits;
    limits.frameBytesMax = options.frameBytesBeforeLoginMax;
    limits.cacheBytesMax = options.frameBytesBeforeLoginMax;
    return limits;
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
      decoder_(limitsBeforeLogin(options)),
      loginUntil_(host.now().steady + options.loginTimeout) {
    host_.wakeAt(loginUntil_);
}

// ---- input

void Connection::receive(std::string_view bytes) {
    inputSeen_ = true;
    if (state_ == State::connecting || upload_) {
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
        decoder_.gathered() + held_.size() + bytesInFlight_ + host_.outputPending();
    for (const auto& [id, transaction] : transactions_) bytes += transaction->work.bytes();
    keepRoom(host_, seat_, bytes);
}

bool Connection::takesInput() const {
    return state_ == State::waiting || state_ == State::greeted || state_ == State::connected ||
           state_ == State::left;
}

void Connection::process(std::string_view input) {
    while (takesInput() && !upload_) {
        auto next = decoder_.next(input);
        if (!next) {
            fail(next.error());
            break;
        }
        if (!*next) break;
        handle(**next);
    }
    if (state_ == State::connecting || upload_) held_ += input;
    flush();
}

void Connection::handle(Structure& structure) {
    const bool introduces = structure.as<WireFormatInfo>() || structure.as<ConnectionInfo>() ||
                            structure.as<ConnectionControl>() || structure.as<KeepAliveInfo>() ||
                            structure.as<ShutdownInfo>();
    if (state_ == State::left) return structure.as<ShutdownInfo>() ? end({}) : void();
    if (state_ != State::connected && !introduces) {
        return fail({ErrorCode::unauthenticated,
                     "a ConnectionInfo is expected before " + typeName(structure.type())});
    }
    if (structure.value.index() == 0) return;  // null
    std::visit(
        [this](auto& command) {
            if constexpr (!std::is_same_v<std::decay_t<decltype(command)>, std::monostate>)
                on(command);
        },
        structure.value);
}

bool Connection::wantsInput() const {
    if (!takesInput() || upload_) return false;
    return !blocked_ && sendsInFlight_ < options_.sendsInFlightMax &&
           bytesInFlight_ < options_.bytesInFlightMax &&
           pending_.span() < 16 * options_.sendsInFlightMax && !outputHigh();
}

// ---- requests and answers

Connection::Pending& Connection::expectPending(RequestId& request) {
    return pending_.add(request);
}

RequestId Connection::expect(std::function<void(Completed&)> then) {
    RequestId request;
    expectPending(request).then = std::move(then);
    return request;
}

void Connection::onCompleted(Completed& effect) {
    const auto pending = pending_.take(effect.request);
    if (!pending) return;
    if (pending->kind == Pending::Kind::send)
        onSendCompleted(*pending, effect.error);
    else if (pending->then)
        pending->then(effect);
    leaveWhenDone();
}

void Connection::onSendCompleted(const Pending& pending, const std::optional<Error>& error) {
    --sendsInFlight_;
    bytesInFlight_ -= pending.bytes;
    if (Together* together = pending.together.get()) {
        if (error && !together->error) together->error = *error;
        if (--together->open > 0) return;
    }
    if (pending.windowBytes > 0) {
        ProducerAck ack;
        ack.producerId = pending.producer;
        ack.size = pending.windowBytes;
        write(std::move(ack));
    }
    const auto& failure = pending.together ? pending.together->error : error;
    if (failure) return refuse(pending.answer, *failure);
    reply(pending.answer);
}

// ---- output

bool Connection::writeStructure(const Structure& structure) {
    auto frame = encoder_.encode(structure);
    if (!frame) return false;
    std::string& out = host_.output();
    out += frame->prefix;
    out += frame->head;
    if (!frame->content.empty()) host_.outputShared(frame->content);
    host_.output() += frame->tail;
    outputSeen_ = true;
    return true;
}

void Connection::reply(const Answer& answer) {
    if (!answer.wanted || state_ == State::ended) return;
    Response response;
    response.correlationId = answer.commandId;
    write(response);
}

void Connection::refuse(const Answer& answer, const Error& error) {
    refuse(answer, toThrowable(error));
}

/// A client that waits is told as the answer; one that does not is told by its exception listener.
void Connection::refuse(const Answer& answer, Ref<Throwable> why) {
    if (state_ == State::ended) return;
    if (answer.wanted) {
        ExceptionResponse response;
        response.correlationId = answer.commandId;
        response.exception = std::move(why);
        return write(std::move(response));
    }
    ConnectionError error;
    error.exception = std::move(why);
    error.connectionId = connectionId_;
    write(std::move(error));
}

// ---- errors and the end

void Connection::fail(const Error& error) {
    if (state_ == State::ended) return;
    if (state_ != State::waiting) refuse(Answer{}, error);
    end(error.text);
}

void Connection::end(std::string_view why) {
    if (std::exchange(state_, State::ended) == State::ended) return;
    if (session_) {
        flushAccepts();
        giveBackUnseen();
        host_.bus().close(std::exchange(session_, busbar::SessionId()));
    }
    waiting_.clear();
    transactions_.clear();
    sources_.clear();
    consumers_.clear();
    pulls_.clear();
    std::string().swap(held_);  // with its memory: the connection may linger
    upload_.reset();
    download_.reset();
    seat_ = {};  // free at once, not when the peer has read the rest
    host_.close(why);
}

/// `lastWord` is said when everything that was asked for is answered.
void Connection::leave(std::function<void()> lastWord) {
    state_ = State::leaving;
    lastWord_ = std::move(lastWord);
    flushAccepts();
    leaveWhenDone();
}

void Connection::leaveWhenDone() {
    if (state_ != State::leaving || upload_ || pending_.anyOpen()) return;
    if (auto lastWord = std::exchange(lastWord_, nullptr)) lastWord();
}

void Connection::onDisconnect() {
    end({});
}

/// What runs is answered; a client that fails over comes back without a word of ours.
void Connection::onDrain(std::string_view why) {
    if (state_ == State::ended || state_ == State::leaving) return;
    if (state_ != State::connected) return end(why);
    leave([this, text = std::string(why)] { end(text); });
}

// ---- time

void Connection::arm() {
    if (state_ != State::connected && state_ != State::leaving) return host_.wakeAt(loginUntil_);
    std::optional<SteadyTime> next;
    if (agreement_.inactivity.count() > 0) next = silenceCheck_;
    if (!pulls_.empty() && (!next || pulls_.begin()->first < *next)) next = pulls_.begin()->first;
    if (next) host_.wakeAt(*next);
}

void Connection::onTick() {
    const SteadyTime now = host_.now().steady;
    if (state_ == State::ended) return;
    if (state_ == State::left) return now >= loginUntil_ ? end({}) : arm();
    if (state_ != State::connected && state_ != State::leaving) {
        if (now >= loginUntil_) {
            return fail(
                {ErrorCode::timeout,
                 "no login within " + std::to_string(options_.loginTimeout.count()) + " ms"});
        }
        return arm();
    }
    while (!pulls_.empty() && pulls_.begin()->first <= now) {
        const auto [key, number] = pulls_.begin()->second;
        pulls_.erase(pulls_.begin());
        const auto found = consumers_.find(key);
        if (found == consumers_.end() || !found->second->pulling) continue;
        if (found->second->pull == number) endPull(*found->second);
    }
    if (agreement_.inactivity.count() > 0 && now >= silenceCheck_) checkSilence(now);
    if (state_ != State::ended) arm();
}

/// Checks come three times an interval, so that ours is never late; the client may be late by half.
void Connection::checkSilence(SteadyTime now) {
    if (!std::exchange(outputSeen_, false) && host_.outputPending() == 0) {
        write(KeepAliveInfo{});
        host_.flush();
        outputSeen_ = false;
    }
    // While we do not read we cannot blame the client for silence.
    if (std::exchange(inputSeen_, false) || !wantsInput() || host_.inputHeld()) lastInput_ = now;
    const Milliseconds most = agreement_.inactivity + agreement_.inactivity / 2;
    if (now - lastInput_ > most) {
        return fail({ErrorCode::timeout,
                     "nothing came for more than " + std::to_string(most.count()) + " ms"});
    }
    silenceCheck_ = now + std::max(agreement_.inactivity / 3, Milliseconds(1));
}

// ---- effects

void Connection::onEffect(Effect& effect) {
    if (state_ == State::ended) return;
    if (auto* delivered = std::get_if<Delivered>(&effect)) return deliver(*delivered);
    if (auto* completed = std::get_if<Completed>(&effect)) return onCompleted(*completed);
    if (auto* browsed = std::get_if<Browsed>(&effect)) return onBrowsed(*browsed);
    if (auto* pictured = std::get_if<Pictured>(&effect)) {
        const auto pending = pending_.take(pictured->request);
        if (pending && pending->pictured) pending->pictured(*pictured->picture);
        return leaveWhenDone();
    }
    if (auto* blocked = std::get_if<ProducerBlocked>(&effect)) {
        blocked_ = blocked->blocked;
        return;
    }
    if (auto* lease = std::get_if<LeaseEnded>(&effect)) return endLease(*lease);
    if (auto* over = std::get_if<SessionEnded>(&effect)) return fail(over->error);
    if (auto* ended = std::get_if<ConsumerEnded>(&effect)) {
        const auto found = sources_.find(ended->consumer);
        if (found == sources_.end()) return;
        Consumer& consumer = *found->second;
        // Who had the right no more is told so; a closed consumer alone would only fall silent.
        if (ended->error.code == ErrorCode::notAuthorized) refuse(Answer{}, ended->error);
        ConsumerControl control;
        control.consumerId = consumer.wireId;
        control.destination = consumer.destination;
        control.close = true;
        write(std::move(control));
        removeConsumer(consumer, -1, Answer{});
    }
}

void Connection::onEffectsEnd() {
    flush();
    pump();
    tellHeld();
}

void Connection::onOutputDrained() {
    fetchDownload();
    pump();
    flush();
    tellHeld();
}

}  // namespace busbar::openwire
