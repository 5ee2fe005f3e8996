// Reads the records of one segment file, from the first to where the log ends in it.
#pragma once

#include "bus/base/file_system.h"
#include "bus/store/journal/format.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace busbar::journal {

/// Walks over a segment with a window of memory that grows only for records larger than it. A
/// record's payload is valid until the next call.
class SegmentReader {
  public:
    struct Record {
        RecordHeader header;
        std::uint64_t offset = 0;
        std::string_view payload;
    };

    /// Why there is no further record.
    enum class Stop {
        none,
        end,   ///< an end record: the segment is whole
        tail,  ///< nothing, or what an interrupted write left: nothing behind it was ever confirmed
        damaged,  ///< something unreadable of which later records say that it had been synced
        failed,   ///< the file could not be read; error() says why
    };

    /// `firstIndex`: what the index of the first record must be. `file` must outlive the reader.
    /// `from`: where it begins.
    SegmentReader(const File& file, std::uint64_t epoch, std::uint64_t firstIndex,
                  std::uint64_t from = kFirstRecord);

    std::optional<Record> next();

    Stop stop() const { return stop_; }
    /// Where the next record would begin; with stop `damaged`, where the damage is.
    std::uint64_t position() const { return position_; }
    std::uint64_t nextIndex() const { return index_; }
    /// With stop `tail`: how far remains of an interrupted write reach behind position().
    std::uint64_t tornBytes() const { return tornBytes_; }
    const Error& error() const { return error_; }

  private:
    std::string_view window(std::uint64_t offset, std::uint64_t size);
    bool follows(const RecordHeader& header) const;
    void examineTail();

    const File& file_;
    std::uint64_t epoch_;
    std::uint64_t index_;
    std::uint64_t fileSize_ = 0;
    std::uint64_t position_;
    std::uint64_t advance_ = 0;  ///< size of the record given out last
    std::uint64_t tornBytes_ = 0;
    std::string buffer_;
    std::uint64_t bufferAt_ = 0;
    Stop stop_ = Stop::none;
    Error error_;
};

}  // namespace busbar::journal
