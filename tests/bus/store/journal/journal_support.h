// What the journal's tests share: a model of what is stored, a listener that fills one, and a
// journal on a disk in memory with its progress kept.
#pragma once

#include "bus/store/journal/journal.h"
#include "tests/support/memory_file_system.h"

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace busbar::test {

/// All that a store holds, comparable.
struct State {
    struct Stored {
        std::string body;
        std::map<std::uint64_t, std::pair<std::uint32_t, std::int64_t>>
            entries;  ///< queue -> delivery count, deliver at
        bool operator==(const Stored&) const = default;
    };
    std::map<std::uint64_t, Stored> messages;
    std::map<std::pair<int, std::string>, std::string> rows;

    void apply(const UnitOfWork& unit);
    bool operator==(const State&) const = default;
};

/// Collects what recovery tells, but for the bodies, which must be read; checks that rows come
/// first and ids ascend.
class StateListener final : public RecoveryListener {
  public:
    void onRow(Table table, std::string_view key, std::string_view value) override;
    void onMessage(const MessageSummary& message, std::span<const Entry> entries) override;
    void onProgress(double share) override { progress = share; }

    State state;
    std::map<std::uint64_t, MessageSummary> summaries;
    bool ordered = true;
    double progress = 0;

  private:
    std::uint64_t last_ = 0;
};

/// Keeps the reports of a store; any thread may wait for them.
class ProgressLog {
  public:
    void operator()(StoreProgress progress);
    /// Waits until the unit is reported, or the store has failed.
    void waitFor(std::uint64_t sequence);
    void waitForFailure();

    std::uint64_t done();
    std::optional<Error> failed();
    std::vector<StoreProgress> reports();
    std::map<std::uint64_t, Error> refused();

  private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<StoreProgress> reports_;
};

/// Keeps what was read; any thread may wait for it.
class ReadLog {
  public:
    void operator()(std::vector<StoredMessage> messages);
    /// Reads these and waits for all answers, which each id must get once.
    std::map<std::uint64_t, StoredMessage> read(Store& store, std::vector<std::uint64_t> ids);

  private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<StoredMessage> answers_;
};

/// A journal in "/data/journal" and what happened to it.
class Journal {
  public:
    explicit Journal(FileSystem& files, JournalOptions options = smallOptions(),
                     std::string directory = "/data/journal");
    ~Journal() { store.reset(); }

    /// Segments of 64 KiB and little slack, so that a few hundred messages go around several times.
    /// Checkpoints are as frequent.
    static JournalOptions smallOptions();
    /// The same without checkpoints.
    static JournalOptions logOnly();

    /// Appends one batch; returns the sequence of its last unit.
    std::uint64_t append(std::vector<UnitOfWork> units);
    std::uint64_t append(UnitOfWork unit);
    /// ... and waits for the report.
    void store1(UnitOfWork unit) { progress.waitFor(append(std::move(unit))); }

    /// What recovery told is what reading finds; false with `mismatch` otherwise.
    bool readBack();

    std::string mismatch;
    Result<void> opened;
    /// With the bodies as read back, and checked against the summaries.
    StateListener recovered;
    std::set<std::string> largeBodies;  ///< the files of what was recovered
    ProgressLog progress;
    ReadLog reads;
    std::unique_ptr<Store> store;
    std::uint64_t sequence = 0;
};

MessagePtr textMessage(std::string body);
/// A message whose body was stored apart, in pieces; null where that failed.
std::shared_ptr<Message> largeMessage(Store& store, std::string_view body);
/// Its body, from its file where it is a large one; "" with `why` where it cannot be read.
std::string wholeBody(Store& store, const Message& message, Error& why);
/// The body; of a large one size and checksum.
std::string bodyText(const Message& message);
/// As `unit`, but keeping no body's file.
UnitOfWork withoutPins(UnitOfWork unit);
/// The names of the body files.
std::set<std::string> bodyFiles(FileSystem& files, const std::string& directory = "/data/journal");
UnitOfWork addUnit(std::uint64_t id, std::string body, std::vector<std::uint64_t> queues = {1},
                   Durability durability = Durability::fsync);
/// The messages' bodies by id, and "" where a message could not be had.
std::map<std::uint64_t, std::string> bodies(const std::map<std::uint64_t, StoredMessage>& read);
UnitOfWork removeUnit(std::uint64_t queue, std::uint64_t id,
                      Durability durability = Durability::fsync);
UnitOfWork rowUnit(std::string key, std::string value, Durability durability = Durability::fsync);

}  // namespace busbar::test
