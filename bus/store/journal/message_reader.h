// Fetches messages back from the segment files.
#pragma once

#include "bus/base/file_system.h"
#include "bus/store/journal/body_files.h"
#include "bus/store/store.h"

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace busbar::journal {

/// A message that is wanted, and where the index says that it lies.
struct ReadItem {
    StoredId id;
    std::uint64_t file = 0;  ///< number of the segment file; 0: the store does not have the message
    std::uint64_t epoch = 0;
    std::uint32_t offset = 0;
    std::uint32_t size = 0;
    std::uint32_t attempts = 0;
    std::optional<Error> error;  ///< the answer is known already
};

/// Problem: the writer must not wait for reads, and reads must not lock what the writer changes. So
/// the writer looks up locations, and this thread reads there with file handles of its own, without
/// any lock. The cleaner may have moved the message meanwhile and the file may have been written
/// over or deleted: the checksum in front of a message covers its id, and a message never changes,
/// so what fits is right wherever it was found. What does not fit goes back to be looked up again.
///
/// Neighbours are read with one call, and a drained backlog asks for neighbours. Bodies are copied
/// out of the read buffer, but for a large message alone in its own. add() on the writer's thread.
class MessageReader {
  public:
    /// Gets items to be looked up again; `attempts` says how often they were read. Called on the
    /// reader's thread.
    using Retry = std::function<void(std::vector<ReadItem>)>;

    /// Large bodies are pinned in `bodies`.
    MessageReader(FileSystem& files, std::string directory, BodyFiles& bodies,
                  Store::ReadHandler handler, Retry retry);
    ~MessageReader();

    void add(std::vector<ReadItem> items);
    /// Waits until all that was added is answered or given to `retry`.
    void drain();

  private:
    struct Run;

    void run();
    void serve(std::vector<ReadItem>& items);
    void read(const std::vector<ReadItem>& items, const Run& run);
    void readAlone(const ReadItem& item);
    void take(const ReadItem& item, std::string_view bytes);
    void takeMessage(const ReadItem& item, const Buffer& message);
    void failed(const ReadItem& item, const Error& error);
    void answer(StoredId id, MessagePtr message, std::optional<Error> error);
    void flush();
    Result<const File*> open(std::uint64_t file);

    FileSystem& files_;
    std::string directory_;
    BodyFiles& bodies_;
    Store::ReadHandler handler_;
    Retry retry_;

    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::vector<ReadItem>> waiting_;  ///< guarded by mutex_
    bool busy_ = false;                          ///< guarded by mutex_
    bool stopping_ = false;                      ///< guarded by mutex_

    // the thread's
    std::map<std::uint64_t, std::unique_ptr<File>> open_;
    std::unique_ptr<char[]> buffer_;
    std::vector<StoredMessage> answers_;
    std::size_t answerBytes_ = 0;
    std::vector<ReadItem> again_;

    std::thread thread_;
};

}  // namespace busbar::journal
