// The promise of durability, as an interface: units of work in, "durable up to here" out.
#pragma once

#include "bus/store/body_store.h"
#include "bus/store/unit_of_work.h"

#include <functional>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace busbar {

/// A unit of work in its place in the order.
struct NumberedUnit {
    UnitSequence sequence;
    UnitOfWork unit;
};

/// What the store reports of the units that it was given. Reports come in the order of the units;
/// one report covers every unit after the previous report's up to `done`.
struct StoreProgress {
    /// Every unit up to here is as durable as it asked to be, but for those refused.
    UnitSequence done;
    /// Units among them of which nothing was stored, with the reason (storageFull). Ascending. The
    /// store goes on: later units that need less room may succeed.
    std::vector<std::pair<UnitSequence, Error>> refused;
    /// The store has failed for good (a write or sync failed): `done` is the last unit that is
    /// safe; whether later ones are is unknown, and none will be reported. Reopen and recover to go
    /// on.
    std::optional<Error> failed;
};

/// What the core must know of a stored message to keep it in its place without having it in memory.
struct MessageSummary {
    StoredId id;
    std::uint32_t bytes = 0;  ///< of its encoding
    unsigned char priority = 4;
    bool persistent = true;  ///< false: it was only spilled, and ends with the process
    WallTime expiration{};
    WallTime deliverAt{};
    std::uint64_t bodyBytes = 0;  ///< of a large body, which is not in its encoding
};

/// What was in the store, told in the order: all rows, then all messages ascending by id.
class RecoveryListener {
  public:
    /// An entry of a message on a queue that it has not left.
    struct Entry {
        QueueId queue;
        std::uint32_t deliveryCount = 0;
        WallTime deliverAt{};  ///< zero: as the message says

        bool operator==(const Entry&) const = default;
    };

    virtual ~RecoveryListener() = default;
    virtual void onRow(Table table, std::string_view key, std::string_view value) = 0;
    virtual void onMessage(const MessageSummary& message, std::span<const Entry> entries) = 0;
    /// Called now and then with the share that is done, 0 to 1, for progress messages.
    virtual void onProgress(double share) { (void)share; }
};

/// A message fetched back by Store::read.
struct StoredMessage {
    StoredId id;
    MessagePtr message;          ///< null: it has left the store meanwhile, or see `error`
    std::optional<Error> error;  ///< storageCorrupt: its bytes are damaged; storageFailed: no read
};

/// Counters and gauges, all in bytes or counts; read on any thread, each value by itself exact.
struct StoreStats {
    std::uint64_t units = 0;
    std::uint64_t bytesWritten = 0;
    std::uint64_t syncs = 0;
    std::uint64_t messagesLive = 0;
    std::uint64_t bytesLive = 0;
    std::uint64_t bytesOnDisk = 0;
    std::uint64_t lastSyncMicros = 0;
    std::uint64_t recoveredUnits = 0;
    bool full = false;
    bool failed = false;
};

/// A place where units of work become durable. One per daemon.
///
/// Life: open (by the implementation's factory) -> recover, once -> append, read ... -> close.
/// Threads: recover, append, read, backup and close are called from one thread (the core loop);
/// handlers are called on threads of the store's own, must not block and usually post to the core
/// loop.
class Store {
  public:
    using ProgressHandler = std::function<void(StoreProgress)>;
    using ReadHandler = std::function<void(std::vector<StoredMessage>)>;
    using BackupHandler = std::function<void(double share, const Result<void>* ended)>;

    virtual ~Store() = default;

    /// Tells all that is stored. Blocks; minutes are possible with very much data. storageCorrupt
    /// names the file and the offset of damage that is not a torn tail, and then nothing may be
    /// appended.
    virtual Result<void> recover(RecoveryListener& listener) = 0;

    /// Where progress goes. Set once, before the first append.
    virtual void onProgress(ProgressHandler handler) = 0;

    /// Takes units, their sequences ascending without gaps from 1 on. Does not block on the disk; a
    /// bounded amount of work is in flight because the core's own limits bound it. Message buffers
    /// are shared until written.
    virtual void append(std::vector<NumberedUnit> units) = 0;

    /// Where messages that were read go. Set once, before the first read.
    virtual void onRead(ReadHandler handler) = 0;

    /// Fetches messages back. Each id is answered exactly once, in any order and any grouping, also
    /// after a failed write. Ids whose unit was appended but not reported yet may be asked for.
    /// Does not block; the caller bounds how much it asks for at a time.
    virtual void read(std::vector<StoredId> ids) = 0;

    /// Copies all that is durable now to `directory` (made where missing; must be empty), such that
    /// a store opened there recovers it. Work goes on meanwhile. `handler` is told the share done
    /// now and then, and at last how it `ended`. One at a time: a second is answered inUse.
    virtual void backup(std::string directory, BackupHandler handler) = 0;

    /// Where large bodies are kept, from recover() on; null where this store has no place for them.
    /// Lives as long as the store.
    virtual BodyStore* bodies() { return nullptr; }

    virtual StoreStats stats() const = 0;

    /// Writes and syncs what was appended, reports it, and stops the store's threads. Blocks. Then
    /// only the destructor may follow. Calling it twice is fine.
    virtual void close() = 0;
};

}  // namespace busbar
