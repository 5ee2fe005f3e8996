// The end of the log: records are gathered in memory and written in whole pages.
#pragma once

#include "bus/store/journal/format.h"
#include "bus/store/journal/segment_files.h"

#include <cstdint>
#include <string>

namespace busbar::journal {

/// Where in the log a record begins.
struct LogPosition {
    std::uint64_t epoch = 0;
    std::uint64_t offset = 0;
    std::uint64_t index = 0;
};

/// How to write: start = begin(); append the payload to bytes(); place() finds it room (and may
/// change the segment); seal() makes it a record. write() and sync() when it is time. After any
/// storageFailed the writer must not be used. Belongs to the writer thread.
///
/// Writes begin and end on page boundaries (the page at the end is written again when it fills up),
/// so that the operating system never has to read a page of a recycled file first.
class LogWriter {
  public:
    LogWriter(SegmentFiles& files, std::uint64_t nextIndex);

    std::size_t begin();
    std::string& bytes() { return buffer_; }
    /// Takes back what was begun.
    void abandon(std::size_t start) { buffer_.resize(start); }

    /// Makes room for the record that began at `start`, in a new segment where the open one is at
    /// its end; then what came before is written and synced, and `start` changes. storageFull:
    /// nothing happened.
    Result<void> place(std::size_t& start, bool keepReserve);
    /// Completes the record; returns its offset in the current segment.
    std::uint64_t seal(std::size_t start, RecordType type);

    /// A record with this payload; both steps in one.
    Result<void> append(RecordType type, std::string_view payload);

    /// Gives all records to the operating system.
    Result<void> write();
    /// Makes all written records survive power loss.
    Result<void> sync();

    bool unwritten() const { return unwritten_; }
    bool unsynced() const { return unsynced_; }
    std::uint64_t waiting() const { return buffer_.size(); }
    std::uint64_t nextIndex() const { return nextIndex_; }
    /// The last record of the open segment; where there is none, where the first one goes.
    LogPosition lastRecord() const;
    /// Bytes of all records so far.
    std::uint64_t bytesSealed() const { return bytesSealed_; }
    std::uint64_t bytesWritten() const { return bytesWritten_; }
    std::uint64_t syncs() const { return syncs_; }
    std::uint64_t lastSyncMicros() const { return lastSyncMicros_; }

  private:
    Result<void> changeSegment(std::size_t& start);

    SegmentFiles& files_;
    std::string buffer_;          ///< from the last page boundary before the end of the log on
    std::uint64_t bufferAt_ = 0;  ///< where that is in the segment
    std::uint64_t syncedTo_ = 0;  ///< in this segment
    std::uint64_t nextIndex_;
    std::uint64_t lastRecordAt_ = 0;  ///< in this segment; 0: there is none
    std::uint64_t bytesSealed_ = 0;
    bool unwritten_ = false;
    bool unsynced_ = false;
    std::uint64_t bytesWritten_ = 0;
    std::uint64_t syncs_ = 0;
    std::uint64_t lastSyncMicros_ = 0;
};

}  // namespace busbar::journal
