#include "adapters/transport/stream.h"

#include "bus/base/log.h"

#include <boost/asio/post.hpp>

namespace busbar::transport {
namespace {

constexpr Milliseconds kFlushTimeMax{10'000};  // for a closing connection's last bytes
constexpr Milliseconds kLingerTimeMax{2'000};  // for its peer to read them
constexpr Milliseconds kHoldMax{5'000};
constexpr std::size_t kLingerBytesMax = 4u << 20;

}  // namespace

Stream::Stream(AsioLoop& loop, BusPort& bus, std::shared_ptr<StreamShared> shared,
               std::string remote)
    : loop_(loop), bus_(bus), shared_(std::move(shared)), remote_(std::move(remote)) {
    ++shared_->connections;
}

Stream::~Stream() {
    engine_.reset();
    --shared_->connections;
}

template <class Call>
void Stream::callEngine(Call&& call) {
    if (over_ || !engine_) return;
    const bool outer = std::exchange(inEngine_, true);
    try {
        call(*engine_);
    } catch (const std::exception& e) {
        log::error("transport",
                   remote_ + ": connection cut off after an internal error: " + e.what());
        abandon();
    }
    inEngine_ = outer;
    if (!outer) afterEngine();
}

void Stream::afterEngine() {
    flush();
    readOn();
}

void Stream::open() {
    phase_ = Phase::open;
    limitAt_ = {};
    engine_ = shared_->factory(*this);
    afterEngine();
}

void Stream::drain(std::string_view why) {
    if (phase_ == Phase::opening) return abandon();
    if (phase_ == Phase::open) callEngine([&](Engine& engine) { engine.onDrain(why); });
}

void Stream::postToEngine(std::function<void()> task) {
    // The shared_ptr is only made where the task runs: other threads hold no reference to the
    // connection.
    asio::post(loop_.context(), [weak = weak_from_this(), task = std::move(task)] {
        if (const auto self = weak.lock()) self->callEngine([&](Engine&) { task(); });
    });
}

// ---- input

void Stream::readOn() {
    if (reading_ || over_ || phase_ == Phase::opening) return;
    if (phase_ == Phase::open && inputHeld()) return;
    const bool wanted =
        phase_ == Phase::open ? !inputEnded_ && engine_->wantsInput() : phase_ == Phase::lingering;
    if (!wanted) return;
    reading_ = true;
    armRead();
}

bool Stream::onBytes(std::string_view bytes) {
    if (phase_ == Phase::open) {
        sipping_ = false;
        callEngine([&](Engine& engine) { engine.receive(bytes); });
        return !over_ && phase_ == Phase::open && !inputHeld() && engine_->wantsInput();
    }
    discarded_ += bytes.size();
    if (discarded_ > kLingerBytesMax) abandon();
    return !over_;
}

/// At most for a while: a peer that is only slow must not look dead to itself, or to us. The sips
/// are so small that it still gets no more through than it may.
void Stream::holdInput(SteadyTime until) {
    if (until == SteadyTime{}) return;
    const SteadyTime at = now().steady;
    if (until <= at) return;
    sipping_ = true;
    holdUntil_ = std::min(until, at + kHoldMax);
    armTimer(holdUntil_);
}

void Stream::onEnd(bool orderly) {
    inputEnded_ = true;
    if (!orderly || phase_ == Phase::lingering) return abandon();
    bool goesOn = phase_ == Phase::closing;  // its last bytes are on their way
    if (phase_ == Phase::open) callEngine([&](Engine& engine) { goesOn = engine.onInputEnd(); });
    if (!goesOn && phase_ == Phase::open) abandon();
}

// ---- output

/// While the peer is behind, what is for it is kept in pieces: one string would be copied each time
/// that it has to grow.
std::string& Stream::output() {
    if (out_.size() >= AsioLoop::kPieceBytes) queueOutput();
    if (out_.empty() && out_.capacity() < 64) out_ = loop_.takeSpare();
    return out_;
}

void Stream::queueOutput() {
    if (out_.empty()) return;
    queuedBytes_ += out_.size();
    queue_.push_back({std::move(out_), {}});
    out_ = {};
}

void Stream::outputShared(const Buffer& bytes) {
    if (bytes.empty() || phase_ != Phase::open) return;
    queueOutput();
    queuedBytes_ += bytes.size();
    queue_.push_back({{}, bytes});
}

void Stream::flush() {
    if (over_ || phase_ == Phase::opening) return;
    if (phase_ == Phase::lingering) return out_.clear();
    if (!writing_ && outputPending() > 0) {
        writing_ = true;
        startWrite();
    }
    const std::size_t pending = outputPending();
    if (pending > shared_->options.outputMax && !finishPosted_) {
        log::warning("transport", remote_ + ": cut off, " + std::to_string(pending) +
                                      " bytes behind in reading what it asked for");
        return abandon();
    }
    if (pending > outputHighMark()) wasHigh_ = true;
    if (phase_ == Phase::closing && pending == 0 && !writing_) endOutput();
    if (!inEngine_) readOn();
}

void Stream::consume(std::size_t bytes) {
    while (bytes > 0 && !queue_.empty()) {
        Segment& front = queue_.front();
        const std::size_t left = front.view().size() - frontWritten_;
        if (bytes < left) {
            frontWritten_ += bytes;
            queuedBytes_ -= bytes;
            return;
        }
        bytes -= left;
        queuedBytes_ -= left;
        frontWritten_ = 0;
        if (front.shared.empty()) loop_.giveSpare(std::move(front.own));
        queue_.pop_front();
    }
    if (bytes == 0) return;
    if (bytes == out_.size()) {
        loop_.giveSpare(std::move(out_));
        out_ = {};
    } else {
        queueOutput();
        frontWritten_ = bytes;
        queuedBytes_ -= bytes;
    }
}

void Stream::onAllWritten() {
    writing_ = false;
    if (phase_ == Phase::closing && !inEngine_) endOutput();
}

void Stream::onWriteFailed() {
    writing_ = false;
    abandon();
}

void Stream::onOutputProgress() {
    if (!wasHigh_ || outputPending() > outputHighMark() / 2) return;
    wasHigh_ = false;
    if (phase_ == Phase::open) callEngine([](Engine& engine) { engine.onOutputDrained(); });
}

// ---- the end

void Stream::close(std::string_view why) {
    if (phase_ != Phase::open) return;
    if (!why.empty()) log::debug("transport", remote_ + ": closing: " + std::string(why));
    phase_ = Phase::closing;
    limitTo(kFlushTimeMax);
    if (!inEngine_) flush();
}

void Stream::endOutput() {
    phase_ = Phase::lingering;
    limitTo(kLingerTimeMax);
    sendEnd();
    readOn();
}

void Stream::abandon() {
    if (std::exchange(finishPosted_, true)) return;
    asio::post(loop_.context(), [self = shared_from_this()] { self->finish(); });
}

void Stream::finish() {
    if (over_) return;
    callEngine([](Engine& engine) { engine.onDisconnect(); });
    over_ = true;
    if (timer_) timer_->cancel();
    closeSocket();
    loop_.release(this);
}

// ---- time

void Stream::wakeAt(SteadyTime when) {
    wishAt_ = when;
    armTimer(when);
}

void Stream::limitTo(Milliseconds time) {
    limitAt_ = now().steady + time;
    armTimer(limitAt_);
}

void Stream::armTimer(SteadyTime when) {
    // A timer that goes off early is cheaper than one that is moved with each frame.
    if (timerAt_ != SteadyTime{} && timerAt_ <= when) return;
    if (!timer_) timer_.emplace(loop_.context());
    timerAt_ = when;
    const auto wait = when - now().steady;
    timer_->expires_after(std::max(wait, SteadyTime::duration::zero()));
    timer_->async_wait([weak = weak_from_this()](error_code failed) {
        if (failed) return;
        if (const auto self = weak.lock()) self->onTimer();
    });
}

void Stream::onTimer() {
    timerAt_ = {};
    if (over_) return;
    const SteadyTime at = now().steady;
    if (limitAt_ != SteadyTime{} && at >= limitAt_) return abandon();
    if (holdUntil_ != SteadyTime{} && at >= holdUntil_) {
        holdUntil_ = {};
        readOn();
    }
    if (wishAt_ != SteadyTime{} && at >= wishAt_) {
        wishAt_ = {};
        if (phase_ == Phase::open) callEngine([](Engine& engine) { engine.onTick(); });
    }
    if (over_) return;
    if (holdUntil_ != SteadyTime{}) armTimer(holdUntil_);
    if (wishAt_ != SteadyTime{}) armTimer(wishAt_);
    if (limitAt_ != SteadyTime{}) armTimer(limitAt_);
}

}  // namespace busbar::transport
