// One run of the load generator: what its clients share, and its loop.
#pragma once

#include "bench/frames.h"
#include "bench/histogram.h"
#include "bench/ledger.h"
#include "bench/load_options.h"
#include "bench/process_usage.h"
#include "bench/stream.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace busbar::bench {

/// What the clients of a run count together and look at to decide whether to go on. One thread.
struct RunState {
    explicit RunState(const LoadOptions& chosen);

    const LoadOptions& options;
    std::uint32_t id;  ///< In every stamp: foreign messages are told from ours.
    Ledger ledger;
    Histogram confirmNs;
    Histogram endToEndNs;
    std::uint64_t early = 0;  ///< Came over a millisecond before their delay was over.
    std::uint64_t now = 0;    ///< Time of the present turn of the loop.
    std::uint64_t start = 0;  ///< 0: not started.
    std::uint64_t stop = 0;   ///< Producers send nothing that is due later.
    std::uint64_t first = 0;  ///< When something first arrived.
    std::uint64_t last = 0;   ///< ... and last.
    std::uint64_t sent = 0;
    std::uint64_t confirmed = 0;
    std::uint64_t foreign = 0;
    std::uint64_t copies = 1;  ///< Receptions of each message.
    bool refilling = true;     ///< Hysteresis of room().
    std::string failure;       ///< The first; ends the run.

    /// How many more may be sent before the consumers have caught up.
    std::uint64_t room();
    /// Books a message that arrived at `consumer`; false: it is not of this run.
    bool arrived(unsigned consumer, std::string_view body);
    std::string destination(unsigned number, const char* what = "") const;
    /// The headers that SEND and SUBSCRIBE share, complete lines.
    std::string sharedHeaders() const;
    void fail(std::string text) {
        if (failure.empty()) failure = std::move(text);
    }
};

/// A connection with a part to play. Life: CONNECT, set up, ready, pump until done, DISCONNECT,
/// closed.
class Client {
  public:
    Client(RunState& run, std::unique_ptr<Stream> stream) : run_(run), stream_(std::move(stream)) {}
    virtual ~Client() = default;
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    void open(Poller& poller);
    /// The socket is ready for something.
    void onEvents(std::uint32_t events);
    /// Called every turn: sends what may be sent now.
    void pump();
    void disconnect();

    bool ready() const { return ready_; }
    bool closed() const { return closed_; }
    /// Nothing more to send by itself, and all that it sent is confirmed.
    virtual bool done() const { return true; }
    virtual std::uint64_t sent() const { return 0; }
    /// When it wants to be pumped again without an event; UINT64_MAX: never.
    virtual std::uint64_t due() const { return UINT64_MAX; }

  protected:
    virtual void onConnected() { setReady(); }
    virtual void onMessage(const Frame&) {}
    virtual void onReceipt(std::string_view) {}
    virtual void send() {}
    /// Something to write that is not in stream().out(); true: all of it went.
    virtual bool writeOwn() { return true; }

    void setReady() { ready_ = true; }
    /// `headers`: further lines.
    void subscribe(const std::string& destination, const std::string& ack, unsigned prefetch,
                   const std::string& headers = {});
    Stream& stream() { return *stream_; }
    RunState& run() { return run_; }
    const RunState& run() const { return run_; }
    const LoadOptions& options() const { return run_.options; }
    void broken(const std::string& why);

  private:
    void onFrame(const Frame& frame);
    void write();

    RunState& run_;
    std::unique_ptr<Stream> stream_;
    Poller* poller_ = nullptr;
    bool ready_ = false;
    bool leaving_ = false;
    bool closed_ = false;
    bool waitsToWrite_ = false;
};

/// What a run came to.
struct RunReport {
    std::string json;  ///< One line.
    int exitCode = 0;
};

/// Connects, sends, waits for the drain, disconnects. Blocks until the end, which is bounded.
RunReport runLoad(const LoadOptions& options);

}  // namespace busbar::bench
