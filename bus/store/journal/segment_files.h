// The files under the log: made ahead of need, written over again, given up. Knows sizes and names,
// not what records mean.
#pragma once

#include "bus/base/file_system.h"
#include "bus/store/journal/journal.h"

#include <cstdint>
#include <deque>
#include <future>
#include <memory>
#include <string>
#include <vector>

namespace busbar::journal {

/// "00000007.seg"
std::string segmentName(std::uint64_t number);

/// A segment that is part of the log, oldest first; the last one may be open for writing.
struct Segment {
    std::uint64_t file = 0;   ///< number in the name; says nothing about the order
    std::uint64_t epoch = 0;  ///< the order
    std::uint64_t firstIndex = 0;
    std::uint64_t capacity = 0;  ///< the file may grow to this
    std::uint64_t allocated =
        0;  ///< size of the file: what lies behind the last record is zeros or stale
    std::uint64_t used = 0;  ///< where the next record goes
};

/// Problem: a write that grows a file costs a second, hidden write at each sync, and may fail for
/// want of room when it is too late to say no. So room is made by writing zeros ahead, in steps,
/// and units are admitted against room that is there: "full" is found out before anything was
/// promised.
///
/// Reserve: units that only take away are admitted as long as there is any room; others must leave
/// `reserveBytes` behind. Belongs to the writer thread, but for diskBytes().
class SegmentFiles {
  public:
    SegmentFiles(FileSystem& files, std::string directory, const JournalOptions& options);

    /// What recovery found. Spares are files without live content; their old content is harmless.
    void adopt(std::deque<Segment> log, const std::vector<Segment>& spares, std::uint64_t lastEpoch,
               std::uint64_t lastFile);

    /// True where the open segment has room for one more record of this size by its capacity.
    bool fits(std::uint64_t recordBytes) const;
    /// Makes sure that a record of this size can be written without growing a file: into the open
    /// segment where it fits, else into the next one. `keepReserve`: and that the reserve stays.
    /// storageFull, with a text for people, where there is no room; storageFailed where a write
    /// failed.
    Result<void> secure(std::uint64_t recordBytes, bool keepReserve);
    /// Makes a step more room where less than the reserve and four steps ahead is there; the made
    /// room is synced on another thread. Nobody should wait for that: unless `idle` it only does so
    /// where less than the reserve and two steps is left. True where there is more to do when idle.
    Result<bool> prepareAhead(bool idle);

    /// Ends the open segment and begins the next one, which secure() has prepared: its header is on
    /// disk and synced on return. All that was written to the previous one must be synced.
    Result<void> advance(std::uint64_t firstIndex);

    /// The log says that segments before `epoch` are not needed; the next segment's header repeats
    /// it.
    void noteTrim(std::uint64_t epoch) { oldestEpoch_ = epoch; }

    bool isOpen() const { return current_ != nullptr; }
    Segment& current() { return log_.back(); }
    File& currentFile() { return *current_; }
    const std::deque<Segment>& log() const { return log_; }
    const std::deque<Segment>& spares() const { return spares_; }
    Result<std::unique_ptr<File>> openForReading(const Segment& segment);

    /// Frees the segments before `epoch`; the log must say durably that they are not needed.
    void retireBefore(std::uint64_t epoch);
    /// Deletes spares that the reserve does not need while more than `limit` bytes are on disk.
    void shrinkTo(std::uint64_t limit);

    std::uint64_t diskBytes() const { return diskBytes_; }
    const JournalOptions& options() const { return options_; }
    /// Room that is allocated and not written to.
    std::uint64_t room() const;

  private:
    Result<void> extend(Segment& segment, File& file, std::uint64_t to);
    Result<Segment*> nextSpare(std::uint64_t recordBytes);
    Result<void> makeSpare(std::uint64_t capacity);
    Result<void> growReserve(std::uint64_t wanted);
    Result<bool> growOneStep(bool durably);
    void syncBehind(const Segment& spare);
    Result<void> settleZeroSync();
    Error fullError(const std::string& why);
    void discard(const Segment& segment);
    std::string path(const Segment& segment) const;

    FileSystem& files_;
    std::string directory_;
    JournalOptions options_;
    std::uint64_t step_;
    std::deque<Segment> log_;
    std::deque<Segment> spares_;  ///< the first is used next
    std::unique_ptr<File> current_;
    std::unique_ptr<File> nextFile_;  ///< the first spare's, once it was written to
    std::uint64_t lastEpoch_ = 0;
    std::uint64_t oldestEpoch_ = 0;
    std::uint64_t lastFile_ = 0;
    std::uint64_t diskBytes_ = 0;
    std::future<Result<void>> zeroSync_;  ///< of a spare
};

}  // namespace busbar::journal
