// Reads live data by location while the log rests.
#pragma once

#include "bus/base/file_system.h"
#include "bus/store/journal/live_index.h"
#include "bus/store/journal/log_scan.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace busbar::journal {

/// Neighbours come from one read. For recovery and repair: nothing may change the files meanwhile.
class LiveReader {
  public:
    /// Locations count segments from `firstEpoch`. `layout` must outlive the reader.
    LiveReader(FileSystem& files, std::string directory, const Layout& layout,
               std::uint64_t firstEpoch)
        : files_(files),
          directory_(std::move(directory)),
          layout_(layout),
          firstEpoch_(firstEpoch) {}

    /// Valid until the next call.
    Result<std::string_view> read(const Location& at);

    /// "00000007.seg"
    std::string nameOf(std::uint32_t segment) const;

  private:
    FileSystem& files_;
    std::string directory_;
    const Layout& layout_;
    std::uint64_t firstEpoch_;
    std::unique_ptr<File> file_;
    std::uint32_t segment_ = 0;
    std::string buffer_;
    std::uint64_t bufferAt_ = 0;
};

}  // namespace busbar::journal
