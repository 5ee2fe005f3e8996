// The embedded store: an append-only log of units of work in recycled segment files.
//
// Problem: one sync costs a hundred microseconds to ten milliseconds, whatever it covers; files
// that grow cost a second, hidden write; and a log whose head is pinned by one old message never
// gets its space back. So: one writer thread gathers what is waiting, writes it with one call,
// syncs once and reports all of it (the batch grows while a sync is in flight); segments are
// written over, not grown; and what is still live in the oldest segment is copied to the end when
// that is cheaper than keeping the segment. docs/formats/journal.md has the bytes.
#pragma once

#include "bus/base/file_system.h"
#include "bus/store/store.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace busbar {

struct JournalOptions {
    /// Size of one segment file. A unit of work larger than a segment gets a segment of its own
    /// size.
    std::uint64_t segmentBytes = 64ull << 20;
    /// Recycled segments kept ready beyond those in use.
    std::uint32_t sparesMax = 2;
    /// Disk may grow to liveFactor x live bytes + slackBytes before live records are copied
    /// forward.
    double liveFactor = 2.0;
    std::uint64_t slackBytes = 256ull << 20;
    /// A lazy unit is synced at the latest this long after it was written.
    Milliseconds lazySyncDelay{10};
    /// Room that is never given to units that add messages: acknowledging must go on when the disk
    /// is full.
    std::uint64_t reserveBytes = 16ull << 20;
    /// Upper limit of all segment files together; 0: what the file system has.
    std::uint64_t bytesMax = 0;
    /// The index is written to the checkpoint file when the log has grown by this, or by twice the
    /// size of the last checkpoint where that is more: a start reads the log from there only.
    std::uint64_t checkpointBytes = 128ull << 20;
};

/// Opens the journal in `directory` (made where missing) and takes its lock: inUse where another
/// daemon has it, naming the directory. `files` must outlive the store. Reads no segment yet; that
/// is recover().
Result<std::unique_ptr<Store>> openJournal(FileSystem& files, const std::string& directory,
                                           const JournalOptions& options);

/// What `busbar journal check` tells. Damage is where a checksum fails before the end of the log,
/// or where records contradict each other (an entry removed twice, a segment missing in the order),
/// or where a large body is missing or not what it was. The latter are looked for where the log
/// itself is whole.
struct JournalReport {
    struct Damage {
        std::string file;
        std::uint64_t offset = 0;
        std::string what;
    };
    std::uint64_t segments = 0;
    std::uint64_t units = 0;
    std::uint64_t messagesLive = 0;
    std::uint64_t entriesLive = 0;
    std::uint64_t rowsLive = 0;
    std::uint64_t bytesLive = 0;
    std::uint64_t largeBodies = 0;  ///< messages whose body is in a file of its own
    std::uint64_t tornTailBytes =
        0;  ///< what an interrupted write left at the end: normal after a kill
    std::vector<Damage> damages;
};

/// Reads the whole journal without changing it. Takes the lock (inUse while a daemon runs).
/// `progress` gets the share done, 0 to 1.
Result<JournalReport> checkJournal(FileSystem& files, const std::string& directory,
                                   const std::function<void(double)>& progress);

/// Calls `line` with each record as one line of JSON, in the order of the log. Same lock as
/// checkJournal.
Result<void> dumpJournal(FileSystem& files, const std::string& directory,
                         const std::function<void(std::string_view)>& line);

/// What repairJournal did.
struct JournalRepair {
    /// What was in a damaged place and could not be kept.
    struct Lost {
        std::string file;          ///< in the journal that is kept as `damagedDirectory`
        std::uint64_t offset = 0;  ///< where the unreadable bytes begin
        std::uint64_t bytes = 0;   ///< how many there are; 0: the whole segment is missing
        std::string what;
    };
    /// Consecutive ids.
    struct Ids {
        StoredId first;
        StoredId last;
    };
    std::vector<Lost> lost;
    /// Messages that were, or may have been, in the lost bytes and are not in the repaired journal.
    /// Ids that are known to have left the store are not among them.
    std::vector<Ids> messagesLost;
    /// False where the lost bytes may have held messages that the cleaner had moved there, whose
    /// ids nothing else tells: then messagesLost may not be all.
    bool messagesLostIsAll = true;
    std::uint64_t messagesKept = 0;
    std::uint64_t messagesSalvaged = 0;  ///< of those: found by their own checksum in lost bytes
    std::uint64_t entriesKept = 0;
    std::uint64_t rowsKept = 0;
    /// Where the journal as it was is now; empty: nothing was damaged and nothing was changed.
    std::string damagedDirectory;
};

/// Makes a journal that opens again of one that does not. Everything that is intact is kept; a
/// removal or a delivery count that was in a damaged record is not known any more, so a message may
/// come back (it is delivered twice rather than lost). The repaired journal is built and synced as
/// `directory`.repaired; then `directory` becomes `directory`.damaged-N and the new one takes its
/// name. A crash in between is finished by the next open. Needs free room for the live data. Takes
/// the lock (inUse while a daemon runs). Blocks; `progress` gets the share done, 0 to 1. Large
/// bodies are taken over as they are; a message whose body is missing or too short is lost.
Result<JournalRepair> repairJournal(FileSystem& files, const std::string& directory,
                                    const std::function<void(double)>& progress);

/// Copies the journal of a stopped daemon to `target` (made where missing; must be empty, else
/// alreadyExists). Opening `target` is all that a restore needs. Damage in the segment headers is
/// storageCorrupt; damaged records are copied as they are. Store::backup does the same for a
/// running daemon.
Result<void> backupJournal(FileSystem& files, const std::string& directory,
                           const std::string& target, const std::function<void(double)>& progress);

}  // namespace busbar
