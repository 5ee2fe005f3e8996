// A disk in memory that may lose power, for tests of everything durable.
//
// Fault model: a write goes to a volatile cache. `sync` of a file makes its content durable,
// `syncDirectory` makes its names durable. At a crash each 512-byte sector of a file independently
// holds its last synced content or that after any of the writes since then (lost, reordered, torn
// writes), and each name operation since the last directory sync has happened or not. A sector
// itself is never torn.
#pragma once

#include "bus/base/file_system.h"

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace busbar::test {

/// Thread-safe; outlives the files that it opened. Everything random comes from the seeds given.
class MemoryFileSystem : public FileSystem {
  public:
    MemoryFileSystem() = default;

    Result<std::unique_ptr<File>> open(const std::string& path, Mode mode) override;
    Result<std::vector<std::string>> list(const std::string& directory) override;
    Result<void> makeDirectory(const std::string& directory) override;
    Result<void> rename(const std::string& from, const std::string& to) override;
    Result<void> link(const std::string& from, const std::string& to) override;
    Result<void> remove(const std::string& path) override;
    Result<void> syncDirectory(const std::string& directory) override;
    Result<std::unique_ptr<FileLock>> lock(const std::string& path) override;
    Result<std::uint64_t> freeBytes(const std::string& directory) override;

    /// The power goes: what is left is what the fault model allows, chosen by `seed`. Files and
    /// locks that are open now are dead: their calls fail with storageFailed, and the locks are
    /// free.
    void crash(std::uint64_t seed);
    /// The process is killed: as crash(), but all that was written is there.
    void kill();

    /// The n-th write (sync) from now on fails with storageFailed; 1 is the next one, 0 takes it
    /// back. Of a failed write, part may be there. After a failed sync each unsynced sector is
    /// durable or not, but reads still show what was written, and a later sync does not bring it
    /// back.
    void failWrite(std::uint64_t n);
    void failSync(std::uint64_t n);
    /// Room for the bytes of all files together; a write that needs more is cut short with
    /// storageFull.
    void setCapacity(std::uint64_t bytes);
    /// Damages a stored byte, durably.
    void flipBit(const std::string& path, std::uint64_t offset, unsigned bit);

    /// The whole current content; empty where there is no such file.
    std::string content(const std::string& path) const;
    /// Replaces (or makes) a file, durably.
    void setContent(const std::string& path, std::string bytes);
    std::uint64_t bytesUsed() const;
    std::uint64_t writes() const;
    std::uint64_t syncs() const;

  private:
    friend class MemoryFile;
    friend class MemoryLock;

    struct Write {
        std::uint64_t offset;
        std::string bytes;
    };
    struct Node {
        std::string current;
        std::string durable;
        std::vector<Write> unsynced;
    };
    using NodePtr = std::shared_ptr<Node>;
    struct NameChange {
        std::string path;
        NodePtr node;  ///< null: the name goes away
        std::string erased;
    };

    /// At once and for good: a crash finds it done.
    Result<void> renameDirectory(const std::string& from, const std::string& to);
    Result<void> write(Node& node, std::uint64_t offset, std::string_view bytes);
    Result<void> sync(Node& node);
    void settle(Node& node, std::mt19937_64& random) const;
    std::uint64_t bytesUsedLocked() const;

    mutable std::mutex mutex_;
    std::map<std::string, NodePtr> names_;
    std::map<std::string, NodePtr> durableNames_;
    std::vector<NameChange> nameChanges_;
    std::set<std::string> directories_;
    std::map<std::string, std::uint64_t> locks_;  ///< path -> generation that holds it
    std::uint64_t generation_ = 1;
    std::uint64_t capacity_ = ~0ull;
    std::uint64_t writes_ = 0;
    std::uint64_t syncs_ = 0;
    std::uint64_t failWriteAt_ = 0;
    std::uint64_t failSyncAt_ = 0;
};

}  // namespace busbar::test
