// The little of a file system that a durable store needs, as an interface, so that tests can be the
// disk: forget what was not synced, tear a write, fail the n-th call, run out of room.
#pragma once

#include "bus/base/result.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace busbar {

/// One open file. One thread at a time. All calls block. Destroying it closes the file without
/// syncing.
class File {
  public:
    virtual ~File() = default;

    /// Reads up to into.size() bytes at `offset`; fewer only at the end of the file.
    virtual Result<std::size_t> read(std::uint64_t offset, std::span<char> into) const = 0;
    /// Writes all of `bytes` at `offset`, growing the file where needed. storageFull on ENOSPC or
    /// EDQUOT, storageFailed on anything else; part of the bytes may then have been written.
    virtual Result<void> write(std::uint64_t offset, std::string_view bytes) = 0;
    /// Makes everything written so far survive power loss (fdatasync). After a failure nothing is
    /// known about what is on disk: never retry (FACTS: fsync errors are reported once and pages
    /// marked clean).
    virtual Result<void> sync() = 0;
    virtual Result<std::uint64_t> size() const = 0;
    virtual Result<void> truncate(std::uint64_t size) = 0;
    /// Tells the cache that this range will not be read soon. Best effort.
    virtual void dropCache(std::uint64_t offset, std::uint64_t size) = 0;
};

/// Held as long as the object lives; the operating system frees it when the process dies.
class FileLock {
  public:
    virtual ~FileLock() = default;
};

class FileSystem {
  public:
    enum class Mode {
        read,
        readWrite,
        create
    };  ///< create: made empty where it is missing, else opened

    virtual ~FileSystem() = default;

    virtual Result<std::unique_ptr<File>> open(const std::string& path, Mode mode) = 0;
    /// Names (not paths) of the files in `directory`, sorted.
    virtual Result<std::vector<std::string>> list(const std::string& directory) = 0;
    /// Makes the directory and its missing parents, mode 0700. Fine where it is there.
    virtual Result<void> makeDirectory(const std::string& directory) = 0;
    /// Atomic replace. Durable only after syncDirectory.
    virtual Result<void> rename(const std::string& from, const std::string& to) = 0;
    /// A second name for a file. Durable only after syncDirectory. alreadyExists where there is a
    /// `to`; unsupported where the file system has no such thing or they are on different ones.
    virtual Result<void> link(const std::string& from, const std::string& to) = 0;
    virtual Result<void> remove(const std::string& path) = 0;
    /// Makes created, renamed and removed names survive power loss.
    virtual Result<void> syncDirectory(const std::string& directory) = 0;
    /// Takes the exclusive advisory lock of `path` (made where missing); inUse where another
    /// process has it.
    virtual Result<std::unique_ptr<FileLock>> lock(const std::string& path) = 0;
    /// Bytes that this process may still write below `directory`.
    virtual Result<std::uint64_t> freeBytes(const std::string& directory) = 0;
};

/// The operating system's files. Thread-safe.
std::unique_ptr<FileSystem> makePosixFileSystem();

}  // namespace busbar
