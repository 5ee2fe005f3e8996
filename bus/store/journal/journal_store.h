// The Store over the journal: its writer thread.
#pragma once

#include "bus/store/journal/backup.h"
#include "bus/store/journal/body_files.h"
#include "bus/store/journal/checkpoint.h"
#include "bus/store/journal/cleaner.h"
#include "bus/store/journal/journal.h"
#include "bus/store/journal/live_bodies.h"
#include "bus/store/journal/log_writer.h"
#include "bus/store/journal/message_reader.h"
#include "bus/store/journal/recovery.h"

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace busbar::journal {

/// Group commit: the writer takes everything that waits, encodes it into one buffer, writes once,
/// syncs once where a unit of it asked for that, and reports once. While a sync runs the next batch
/// gathers, so there is no timer in the way of a lone unit and no lock around the disk. When
/// nothing waits it makes room ahead and cleans, step by step, and then sleeps without a time-out.
///
/// Reads go the same way: what was appended before is written when their messages are looked up,
/// and then the reader's thread fetches them. After a failure the writer does only that.
///
/// recover, append, read, backup and close on one thread (the owner's); everything below `//
/// writer` on the writer's, and after its end on the owner's.
class JournalStore final : public Store {
  public:
    JournalStore(FileSystem& files, std::string directory, const JournalOptions& options,
                 std::unique_ptr<FileLock> lock);
    ~JournalStore() override;

    Result<void> recover(RecoveryListener& listener) override;
    void onProgress(ProgressHandler handler) override { handler_ = std::move(handler); }
    void append(std::vector<NumberedUnit> units) override;
    void onRead(ReadHandler handler) override { readHandler_ = std::move(handler); }
    void read(std::vector<StoredId> ids) override;
    void backup(std::string directory, BackupHandler handler) override;
    BodyStore* bodies() override { return &bodyFiles_; }
    StoreStats stats() const override;
    void close() override;

  private:
    using Batch = std::vector<std::vector<NumberedUnit>>;
    using Deadline = std::optional<std::chrono::steady_clock::time_point>;

    struct Counters {
        std::atomic<std::uint64_t> units{0}, bytesWritten{0}, syncs{0}, messagesLive{0},
            bytesLive{0};
        std::atomic<std::uint64_t> bytesOnDisk{0}, lastSyncMicros{0}, recoveredUnits{0};
        std::atomic<bool> full{false}, failed{false};
    };

    struct BackupRequest {
        std::string directory;
        BackupHandler handler;
    };
    /// What the writer takes at once. Reads and backups follow the units.
    struct Work {
        Batch units;
        std::vector<ReadItem> reads;
        std::vector<BackupRequest> backups;
        bool empty() const { return units.empty() && reads.empty() && backups.empty(); }
    };

    // writer
    void run();
    bool waitForWork(Work& work, bool moreToDo);
    Result<void> turn(Work& work, bool& moreToDo);
    Result<void> process(Work& work);
    void lookUp(std::vector<ReadItem>& reads);
    void lookUp(ReadItem& item);
    void readAgain(std::vector<ReadItem> items);
    void wakeWriter();
    Result<void> startBackups(std::vector<BackupRequest>& requests);
    Result<void> startBackup(BackupRequest request);
    Result<void> endBackup();
    std::uint64_t retirable() const;
    Result<bool> store(const UnitOfWork& unit, Error& refusal);
    bool encode(const UnitOfWork& unit);
    void index(const UnitOfWork& unit, std::uint64_t recordOffset, std::size_t recordStart);
    Result<void> catchUp(bool idle);
    Result<void> trim();
    void remove(const RemoveEntry& entry);
    Result<void> sync();
    Result<bool> background(bool idle);
    Result<bool> clean();
    bool checkpointDue(std::uint64_t share) const;
    void beginCheckpoint();
    Result<bool> stepCheckpoint();
    Result<void> lastCheckpoint();
    void endCheckpoint(const Result<std::uint64_t>& written);
    Result<void> finish();
    void fail(Error error);
    void publish();

    FileSystem& files_;
    std::string directory_;
    JournalOptions options_;
    std::unique_ptr<FileLock> lock_;
    ProgressHandler handler_;
    ReadHandler readHandler_;
    BodyFiles bodyFiles_;
    bool recovered_ = false;
    bool closed_ = false;

    std::mutex mutex_;
    std::condition_variable wake_;
    Work pending_;          ///< guarded by mutex_
    bool waiting_ = false;  ///< guarded by mutex_: the writer sleeps
    bool woken_ = false;    ///< guarded by mutex_: a thread has ended its work
    bool closing_ = false;  ///< guarded by mutex_
    std::thread thread_;

    // writer
    LiveIndex index_;
    LiveBodies liveBodies_;
    std::uint64_t firstEpoch_ = 0;
    std::unique_ptr<SegmentFiles> segments_;
    std::unique_ptr<LogWriter> writer_;
    std::unique_ptr<Cleaner> cleaner_;
    std::vector<Placement> placements_;
    std::vector<Entry> entries_;
    UnitSequence reported_;
    std::uint64_t trimmedTo_ = 0;                   ///< said in the log
    std::uint64_t retiredTo_ = 0;                   ///< and done
    std::unique_ptr<Backup> backup_;                ///< while it runs, no segment is given up
    std::unique_ptr<CheckpointWriter> checkpoint_;  ///< in the making
    std::uint64_t checkpointBytes_ = 0;             ///< size of the last one
    std::uint64_t unsavedFrom_ = 0;                 ///< bytesSealed() of the log at the last one
    std::uint64_t replayed_ = 0;                    ///< bytes of the log before this run's
    bool full_ = false;
    Deadline lazyDeadline_;
    std::chrono::steady_clock::time_point caughtUp_;  ///< when the index was last

    Counters counters_;
    std::unique_ptr<MessageReader> reader_;
};

}  // namespace busbar::journal
