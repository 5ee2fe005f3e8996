// Reads a whole log: which files are its segments and in which order, and every record in them.
#pragma once

#include "bus/base/file_system.h"
#include "bus/store/journal/live_index.h"
#include "bus/store/journal/log_writer.h"
#include "bus/store/journal/segment_files.h"
#include "bus/store/journal/segment_reader.h"

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace busbar::journal {

struct Damage {
    std::string file;  ///< name, not path
    std::uint64_t offset = 0;
    std::string what;
};

/// "00000007.seg, offset 4096: ..."
std::string toText(const Damage& damage);

/// The lock of a journal that no daemon may have open; inUse says so, notFound that there is none.
Result<std::unique_ptr<FileLock>> lockJournal(FileSystem& files, const std::string& directory);

/// The files of a journal directory, told apart by their headers.
struct Layout {
    std::deque<Segment> log;  ///< oldest first, without gaps unless damages says so
    std::vector<Segment>
        headless;                 ///< of the log, as their records say, but the header is destroyed
    std::vector<Segment> spares;  ///< files that hold nothing of the log
    std::uint64_t oldestEpoch = 0;  ///< of the log as its end tells; 0: it is empty
    std::uint64_t lastEpoch = 0;
    std::uint64_t lastFile = 0;
    std::uint64_t nextIndex = 0;  ///< behind the last segment's records
    bool ended = false;           ///< the last segment has an end record
    std::vector<Damage> damages;  ///< missing segments, destroyed headers
};

/// Reads the headers, and the last segment to find where the log begins. An empty directory is an
/// empty log: lastEpoch is then random.
Result<Layout> readLayout(FileSystem& files, const std::string& directory);

/// Gets what a scan finds, in the order of the log.
class ScanListener {
  public:
    virtual ~ScanListener() = default;
    virtual void onRecord(const Segment& segment, const SegmentReader::Record& record) = 0;
    /// False ends the scan; true goes on with the next segment.
    virtual bool onDamage(Damage damage) = 0;
    virtual void onProgress(double share) { (void)share; }
};

struct ScanEnd {
    std::uint64_t nextIndex = 1;
    bool ended = true;  ///< the last segment has an end record
    std::uint64_t tornBytes = 0;
    std::uint64_t syncedTo = 0;  ///< in the last segment: what its records say of their past
};

/// Reads all records from `from` on (by default: all); sets `used` of each segment that it reads,
/// and of the ones before to their whole size. Reading errors of the file system are the result's
/// error.
Result<ScanEnd> scanLog(FileSystem& files, const std::string& directory, Layout& layout,
                        ScanListener& listener, LogPosition from = {});

/// Applies records to a LiveIndex.
class IndexBuilder : private OperationVisitor {
  public:
    /// Segments count from `firstEpoch`.
    IndexBuilder(LiveIndex& index, std::uint64_t firstEpoch)
        : index_(index), firstEpoch_(firstEpoch) {}

    /// The index is a checkpoint's: records before this one may be in it already, wholly or in
    /// part, and are applied again (checkpoint.h says why that is right).
    void replayBefore(std::uint64_t index) { replayedBefore_ = index; }

    /// malformed, or storageCorrupt where a message comes twice.
    Result<void> apply(const Segment& segment, const SegmentReader::Record& record);

    /// Removals and counts for entries that their message does not have.
    std::uint64_t contradictions() const { return contradictions_; }

  private:
    void onMessage(StoredId id, std::span<const Entry> entries, std::string_view message,
                   bool moved) override;
    void onRemove(QueueId queue, StoredId id) override;
    void onEntry(const SetEntry& entry) override;
    void onRow(Table table, std::string_view key, std::string_view value) override;
    void onErase(Table table, std::string_view key) override;
    Location locate(std::string_view part) const;
    void judge(LiveIndex::Found found);

    LiveIndex& index_;
    std::uint64_t firstEpoch_;
    std::uint64_t replayedBefore_ = 0;
    std::uint64_t contradictions_ = 0;
    std::uint64_t duplicate_ = 0;
    std::uint64_t unreadable_ = 0;
    bool replaying_ = false;
    std::uint32_t segment_ = 0;
    const SegmentReader::Record* record_ = nullptr;
};

}  // namespace busbar::journal
