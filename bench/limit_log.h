// The journal work of the limit program: append batches to one recycled file, sync, say so.
#pragma once

#include "bus/base/result.h"

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace busbar::bench {

struct LimitQueue;

/// What has to be told once the bytes of a batch are on disk. Offsets are into the batch's `bytes`
/// and `receipts`.
struct LimitEffect {
    std::uint32_t connection = 0;
    std::uint32_t generation = 0;  ///< Of the connection: it may have gone meanwhile.
    std::uint32_t receiptAt = 0;
    std::uint32_t receiptBytes = 0;  ///< 0: no receipt was asked.
    LimitQueue* queue = nullptr;     ///< Null: nothing to deliver.
    std::uint32_t bodyAt = 0;
    std::uint32_t bodyBytes = 0;
};

/// Records that one write and one sync cover.
struct LimitBatch {
    std::string bytes;
    std::string receipts;  ///< Encoded RECEIPT frames.
    std::vector<LimitEffect> effects;

    enum class Kind : std::uint32_t { send = 1, ack = 2, commit = 3 };
    /// Appends header and body with their CRC32C; returns where the body lies. An acknowledgement
    /// takes 24 bytes.
    std::uint32_t append(Kind kind, std::uint64_t number, std::string_view body);
    void clear();
};

/// One writer thread and at most one batch in flight; the next grows meanwhile (group commit). The
/// caller is one thread.
class LimitLog {
  public:
    ~LimitLog();

    /// Makes and zeroes `fileBytes` in `directory`; the file is written round and round.
    static Result<std::unique_ptr<LimitLog>> open(const std::string& directory,
                                                  std::size_t fileBytes);

    /// Becomes readable when a batch is done.
    int eventFd() const { return eventFd_; }
    bool idle() const { return !inFlight_; }
    /// Only when idle.
    void submit(std::unique_ptr<LimitBatch> batch);
    /// The batch that is on disk now; null: none. Ends the program when the disk failed: there is
    /// nothing to measure then.
    std::unique_ptr<LimitBatch> takeDone();

  private:
    LimitLog(int file, int eventFd, std::size_t fileBytes);
    void writeBatches();
    bool write(std::string_view bytes);

    int file_;
    int eventFd_;
    std::size_t fileBytes_;
    std::size_t position_ = 0;
    bool inFlight_ = false;

    std::mutex mutex_;  ///< Guards what follows.
    std::condition_variable changed_;
    std::unique_ptr<LimitBatch> todo_;
    std::unique_ptr<LimitBatch> done_;
    bool stopping_ = false;
    bool failed_ = false;

    std::thread writer_;
};

}  // namespace busbar::bench
