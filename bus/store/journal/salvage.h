// Reads what can be read of a damaged log, and says what was in the rest.
#pragma once

#include "bus/store/journal/checkpoint.h"
#include "bus/store/journal/journal.h"
#include "bus/store/journal/live_index.h"
#include "bus/store/journal/log_scan.h"

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace busbar::journal {

/// Goes through the log like recovery, but over damage: intact records behind it are found by their
/// epoch, index and checksum, and intact messages inside it by their own checksum. Which messages
/// were lost is told by the ids before and behind the place (ids ascend), less those that turn up
/// elsewhere or are seen to leave a queue later; and by the checkpoint, which knows of older
/// messages that the cleaner had moved to the place.
class Salvage {
  public:
    /// Takes also the segments whose header is destroyed into the layout's log.
    Salvage(FileSystem& files, std::string directory, Layout& layout, JournalRepair& report);

    /// `progress` gets the share done, 0 to 1.
    Result<void> run(const std::function<void(double)>& progress);

    bool damaged() const { return !places_.empty() || !report_.lost.empty(); }
    LiveIndex& index() { return index_; }
    std::uint64_t firstEpoch() const { return firstEpoch_; }

  private:
    /// Bytes that cannot be read, or a segment that is not there.
    struct Place {
        std::uint64_t epoch = 0;
        std::uint64_t from = 0;
        std::uint64_t to = 0;        ///< 0: whole segments, this one the last
        std::uint64_t bytes = 0;     ///< that may have been there
        std::uint64_t idBefore = 0;  ///< added last before it; 0: nothing was
        std::uint64_t idAfter = 0;   ///< added first behind it; 0: nothing was
    };
    struct Intact {
        std::uint64_t offset = 0;  ///< in what was searched
        std::uint64_t index = 0;
    };
    class Observer;

    Result<bool> readSegment(Segment& segment, bool last, std::uint64_t& nextIndex);
    Result<void> skipDamage(const File& file, const Segment& segment, std::uint64_t from,
                            std::uint64_t& index, std::uint64_t& goOnAt);
    std::optional<Intact> findIntact(std::string_view bytes, const Segment& segment,
                                     std::uint64_t index) const;
    void searchMessages(std::string_view bytes, const Segment& segment, std::uint64_t at,
                        bool certain);
    void apply(const Segment& segment, const SegmentReader::Record& record);
    void lose(const Segment& segment, std::uint64_t from, std::uint64_t to, std::string what);
    void loseSegments(const Segment& next, std::uint64_t missing);
    void loseTheEnd(std::uint64_t nextIndex);
    void nameTheLost();
    void nameByCheckpoint(std::set<std::uint64_t>& ids);

    FileSystem& files_;
    std::string directory_;
    Layout& layout_;
    JournalRepair& report_;
    std::uint64_t firstEpoch_;
    LiveIndex index_;
    IndexBuilder builder_;
    LiveIndex saved_;
    std::optional<CheckpointHead> savedHead_;  ///< of the checkpoint that saved_ is from
    std::optional<IndexBuilder> savedBuilder_;
    std::vector<Place> places_;
    /// Unknown messages that were seen to leave queues. Of one on several, of which nothing else is
    /// known, it counts as gone.
    std::set<std::uint64_t> left_;
    std::set<std::uint64_t> salvaged_;
    std::uint64_t lastAdded_ = 0;
};

}  // namespace busbar::journal
