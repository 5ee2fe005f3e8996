// The socket and parsing work of the limit program.
#pragma once

#include "bench/frames.h"
#include "bench/limit_log.h"
#include "bench/stream.h"

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace busbar::bench {

class LimitConnection;

/// A destination is the list of who reads it.
struct LimitQueue {
    struct Reader {
        LimitConnection* connection = nullptr;
        std::string head;  ///< First lines of its MESSAGE frames.
    };
    std::string name;
    bool topic = false;
    std::vector<Reader> readers;
    std::size_t turn = 0;
    std::deque<std::string> parked;  ///< Bodies that came before the first reader.
};

/// One loop, no broker: bodies go to readers in turn, a persistent one after its sync;
/// acknowledgements are appended and forgotten; no credit, no redelivery, no limits, no checks. One
/// thread beside the log's writer.
class LimitServer {
  public:
    /// `log` outlives the server.
    explicit LimitServer(LimitLog& log);
    ~LimitServer();

    /// Listens on 127.0.0.1; returns the port. 0: any free one.
    Result<std::uint16_t> listen(std::uint16_t port);
    /// Serves until a byte can be read from `stopFd`.
    void serve(int stopFd);

  private:
    friend class LimitConnection;

    void accept();
    void drop(LimitConnection& connection);
    LimitQueue& queue(std::string_view name);
    void deliver(LimitQueue& queue, std::string_view body, std::string_view replyTo);
    void subscribe(LimitConnection& connection, const Frame& frame);
    void finishBatch();
    /// Hands the gathered records to the writer when it is idle and someone waits for them, or they
    /// waited long.
    void startBatch();
    void flush();
    void noteOutput(LimitConnection& connection);
    void holdProducers(bool hold);

    LimitLog& log_;
    Poller poller_;
    int listener_ = -1;
    std::uint32_t generation_ = 0;
    std::uint64_t number_ = 0;
    std::vector<std::unique_ptr<LimitConnection>> connections_;  ///< By slot.
    std::vector<std::uint32_t> freeSlots_;
    std::map<std::string, LimitQueue, std::less<>> queues_;
    std::unique_ptr<LimitBatch> gathering_ = std::make_unique<LimitBatch>();
    std::unique_ptr<LimitBatch> spare_ = std::make_unique<LimitBatch>();
    std::uint64_t gatheringSinceNs_ = 0;  ///< 0: empty.
    std::vector<LimitConnection*> dirty_;
    bool holding_ = false;
    std::string frameHead_;
};

}  // namespace busbar::bench
