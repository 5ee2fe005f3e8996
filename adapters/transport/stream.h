// Private to adapters/transport: one connection that carries an engine, whatever the bytes go over.
#pragma once

#include "adapters/transport/asio_loop.h"
#include "adapters/transport/engine.h"
#include "adapters/transport/tls_context.h"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <deque>
#include <optional>

namespace busbar::transport {

using Tcp = asio::ip::tcp;
using boost::system::error_code;

/// What the connections of one listener share. Outlives them.
struct StreamShared {
    ListenerOptions options;
    EngineFactory factory;
    std::atomic<std::size_t> connections{0};

    virtual ~StreamShared() = default;
};

/// Problem: engines want "bytes in, bytes out"; sockets give partial writes, slow peers, resets and
/// half-closes. Life: start() -> open -> (closing: what is pending goes out, then the peer has a
/// moment to read it) -> over. The loop owns it (AsioLoop::adopt). Every way to the end goes
/// through a posted finish(), so an engine is never destroyed inside one of its own calls. All on
/// the loop.
class Stream : public EngineHost, public LoopObject, public std::enable_shared_from_this<Stream> {
  public:
    Stream(AsioLoop& loop, BusPort& bus, std::shared_ptr<StreamShared> shared, std::string remote);
    ~Stream() override;

    /// Begins: makes the engine and reads. TLS shakes hands first.
    virtual void start() = 0;
    /// The daemon is stopping.
    void drain(std::string_view why);

    std::string& output() override;
    void outputShared(const Buffer& bytes) override;
    void flush() override;
    std::size_t outputPending() const override { return queuedBytes_ + out_.size(); }
    std::size_t outputHighMark() const override { return shared_->options.outputHighMark; }
    void close(std::string_view why) override;
    void wakeAt(SteadyTime when) override;
    Now now() const override { return bus_.clock().now(); }
    BusPort& bus() override { return bus_; }
    const std::string& remote() const override { return remote_; }
    void postToEngine(std::function<void()> task) override;
    void holdInput(SteadyTime until) override;
    bool inputHeld() const override { return holdUntil_ != SteadyTime{}; }

  protected:
    /// Asks for input once; ends in onBytes(), onEnd() or nothing (cancelled). Not while one is
    /// outstanding.
    virtual void armRead() = 0;
    /// Writes what is pending, with consume() for each part; ends in onAllWritten() or
    /// onWriteFailed(), at once or later.
    virtual void startWrite() = 0;
    /// Tells the peer that no more comes; then input is read and thrown away until its end.
    virtual void sendEnd() = 0;
    virtual void closeSocket() = 0;

    void open();
    /// How much may be read at a time: little of a peer that was held lately, for what is read is
    /// handed to the engine whole.
    std::size_t readBytesMax(std::size_t most) const {
        return sipping_ ? std::min(most, kSipBytes) : most;
    }
    /// Input for the engine. Returns true where more should be read.
    bool onBytes(std::string_view bytes);
    /// Asks for more where the engine wants it.
    void readOn();
    /// The peer's end: `orderly` where it said that no more comes, else an error on the way in.
    void onEnd(bool orderly);
    /// The first `bytes` of what is pending were taken.
    void consume(std::size_t bytes);
    void onAllWritten();
    void onWriteFailed();
    /// After an asynchronous write: tells the engine where it may go on.
    void onOutputProgress();
    /// Ends soon, from the loop.
    void abandon();
    /// At most until `when`, then the connection is over whatever it does.
    void limitTo(Milliseconds time);

    struct Segment {
        std::string own;
        Buffer shared;
        std::string_view view() const {
            return shared.empty() ? std::string_view(own) : shared.view();
        }
    };
    /// Moves what is in out_ behind the queued segments, so that its address stays.
    void queueOutput();

    AsioLoop& loop_;
    BusPort& bus_;
    std::shared_ptr<StreamShared> shared_;
    std::string out_;               ///< collected since the last queueOutput()
    std::deque<Segment> queue_;     ///< before out_
    std::size_t frontWritten_ = 0;  ///< of the first segment (or of out_ where there is none)
    bool writing_ = false;          ///< startWrite() has not reported back
    bool reading_ = false;
    bool over_ = false;

  private:
    static constexpr std::size_t kSipBytes = 1024;

    enum class Phase { opening, open, closing, lingering };

    template <class Call>
    void callEngine(Call&& call);
    void afterEngine();
    void armTimer(SteadyTime when);
    void onTimer();
    void endOutput();
    void finish();

    std::string remote_;
    std::unique_ptr<Engine> engine_;
    std::optional<asio::steady_timer> timer_;
    SteadyTime timerAt_{};    ///< what the timer is set to; zero: not set
    SteadyTime wishAt_{};     ///< what the engine asked for; zero: nothing
    SteadyTime holdUntil_{};  ///< input is not read before; zero: it is
    SteadyTime limitAt_{};    ///< hard end; zero: none
    std::size_t queuedBytes_ = 0;
    std::size_t discarded_ = 0;
    Phase phase_ = Phase::opening;
    bool inputEnded_ = false;
    bool sipping_ = false;
    bool wasHigh_ = false;
    bool inEngine_ = false;
    bool finishPosted_ = false;
};

std::shared_ptr<Stream> makeTcpStream(Tcp::socket socket, AsioLoop& loop, BusPort& bus,
                                      std::shared_ptr<StreamShared> shared, std::string remote);

std::shared_ptr<Stream> makeTlsStream(std::shared_ptr<TlsContext> tls, Tcp::socket socket,
                                      AsioLoop& loop, BusPort& bus,
                                      std::shared_ptr<StreamShared> shared, std::string remote);

}  // namespace busbar::transport
