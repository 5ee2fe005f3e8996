// Keeps the log from growing without bound.
#pragma once

#include "bus/base/file_system.h"
#include "bus/store/journal/live_index.h"
#include "bus/store/journal/log_writer.h"
#include "bus/store/journal/segment_files.h"
#include "bus/store/journal/segment_reader.h"

#include <cstdint>
#include <memory>
#include <optional>

namespace busbar::journal {

/// Problem: segments are given up from the front, so one message that nobody fetches would keep all
/// that came after it. So, where the disk holds more than liveFactor x live bytes + slackBytes,
/// what is live in the oldest segment is copied to the end of the log, a step at a time between
/// batches. A segment is copied at most once each time the log wraps around, and only while most of
/// the log is garbage, so the copying costs at most as much as was written.
///
/// Belongs to the writer thread.
class Cleaner {
  public:
    /// Segments count from `firstEpoch`, as in the index.
    Cleaner(SegmentFiles& files, LogWriter& writer, LiveIndex& index, std::uint64_t firstEpoch)
        : files_(files), writer_(writer), index_(index), firstEpoch_(firstEpoch) {}

    /// `full`: units are being refused for want of room, so cleaning pays wherever it frees
    /// something.
    bool needed(bool full) const;

    /// Copies some of the oldest segment; the copies are in the writer, not yet written. When a
    /// segment is through, its live bytes in the index are 0. False where it can do nothing now.
    Result<bool> step();

    /// In the middle of a segment.
    bool active() const { return reader_.has_value(); }

    /// Bytes that may be on disk before cleaning begins.
    std::uint64_t limit() const;

  private:
    class Copier;

    Result<bool> moveRows();
    bool begin();
    bool finish();

    SegmentFiles& files_;
    LogWriter& writer_;
    LiveIndex& index_;
    std::uint64_t firstEpoch_;
    std::unique_ptr<File> file_;
    std::optional<SegmentReader> reader_;
    std::uint64_t epoch_ = 0;
    bool unreadable_ = false;
};

}  // namespace busbar::journal
