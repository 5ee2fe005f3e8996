// The index in a file of its own, so that a start need not read the whole log.
//
// Problem: reading a log of ten gigabytes takes longer than a restart may. So now and then the
// index is written to `checkpoint`, with the position in the log where reading goes on. The writer
// cannot stop for the second that ten million messages take, so the copy is made in steps between
// batches while messages come and go: no part of it shows the state of the position at its head,
// but each part shows the state of some later moment. Replaying the log from the position over it
// is right all the same. Per message (parts are whole messages; a row is the same with put for
// move, erase for remove):
//
// - Nothing that the log says before the position is missing: the copy was made later.
// - Added before the position, and in the copy as of a later moment M: records between the position
//   and M are applied a second time, in their order. Removing an entry twice is removing it once,
//   since an entry never comes back. Of settings and of moves the last one counts, and it is either
//   between the position and M (then it is applied again, last) or after M.
// - Added before the position, and gone at M: all records that could make it come back are moves.
//   A move after the position brings it back with the entries that it had then, and the removals of
//   these follow in the log, since at M they had happened.
// - Added after the position: the addition itself is replayed. Before the copy's end it replaces
//   what the copy has (replaceMessage), and all that happened to the message since follows. Chunks
//   above the highest one at the position are not copied at all.
// - A location may be in a segment that was given up later. Giving up follows a move or removal of
//   all in it, which is in the log behind M, so it is gone after the replay; recovery checks that.
// - Trim records only say which segments may be missing, and that is read before.
//
// The copy may show effects of records that were not yet durable. So it becomes the checkpoint only
// when the log is synced up to where its last part was copied (`endIndex`), and recovery takes it
// only where the log still reaches that far.
//
// Whatever does not fit (no file, a broken block, a position that the log does not have, damage in
// the replay) means that the log is read from its beginning. If the position's segment is given up,
// all that is left of the log is younger than the checkpoint, and reading it is less work than the
// replay would be: so no segment is kept for the checkpoint's sake.
#pragma once

#include "bus/base/file_system.h"
#include "bus/store/journal/live_index.h"
#include "bus/store/journal/log_writer.h"

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

namespace busbar::journal {

constexpr const char* kCheckpointName = "checkpoint";

struct CheckpointHead {
    std::uint64_t firstEpoch = 0;   ///< the index counts segments from here
    std::uint64_t oldestEpoch = 0;  ///< of the segments that it points to
    LogPosition replay;
    std::uint64_t endIndex = 0;  ///< records before it may be in the copy already
    std::uint64_t bytes = 0;     ///< of the file
};

/// Loads the file into an empty index. Nothing where there is none that is whole and makes sense by
/// itself: then the index must not be used. `why` says what is wrong with one that is there.
std::optional<CheckpointHead> loadCheckpoint(FileSystem& files, const std::string& directory,
                                             LiveIndex& index, std::string& why);

/// One checkpoint in the making. The writer's thread calls everything, copies the index in steps
/// and waits for nothing; a thread of its own writes the file. Destroying it before the end gives
/// it up.
class CheckpointWriter {
  public:
    CheckpointWriter(FileSystem& files, std::string directory, const LiveIndex& index,
                     CheckpointHead head);
    ~CheckpointWriter();

    /// Copies a part, unless the file's thread is behind; false once all is copied.
    bool step();
    /// As step, but waits for the thread; for the end of the daemon.
    bool stepPatiently();
    /// The log is synced up to `endIndex`, and nothing behind it was ever in the index.
    void seal(std::uint64_t endIndex);
    bool sealed() const { return sealed_; }

    /// The file's size once it is in place, or why there will be none.
    std::optional<Result<std::uint64_t>> ended();
    Result<std::uint64_t> waitForEnd();

  private:
    enum class Stage { chunks, rows, done };

    bool full();
    void push(std::uint32_t kind, const std::string& payload);
    void run();
    Result<std::uint64_t> write();
    Result<std::uint64_t> writeBlocks(File& file);

    FileSystem& files_;
    std::string directory_;
    const LiveIndex& index_;

    // the writer's thread
    Stage stage_ = Stage::chunks;
    std::uint64_t nextChunk_ = 0;
    std::uint64_t lastChunk_;
    std::string lastRow_;
    std::uint64_t blocks_ = 0;
    bool sealed_ = false;

    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::string> waiting_;              ///< guarded by mutex_; an empty one is the end
    bool givenUp_ = false;                         ///< guarded by mutex_
    std::optional<Result<std::uint64_t>> result_;  ///< guarded by mutex_
    std::thread thread_;
};

}  // namespace busbar::journal
