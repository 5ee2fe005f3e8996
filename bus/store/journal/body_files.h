// Large bodies as files beside the segments.
#pragma once

#include "bus/base/file_system.h"
#include "bus/base/worker_pool.h"
#include "bus/store/body_store.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace busbar::journal {

/// "00000000000000a7.body"
std::string bodyName(std::uint64_t id);
/// The id of such a name; 0 for any other.
std::uint64_t bodyId(std::string_view name);

/// Each body is one file. It has its name from the beginning, and is synced, with its directory,
/// before anybody is told of it; a file that no message refers to after a start is what a crash
/// left. While it grows it is synced every few megabytes and leaves the page cache, so that the end
/// of a large one is not a long wait.
///
/// Who refers to a body is known from two sides: the journal's writer says `keep` and `release` for
/// its messages, and pins count themselves. Files are removed by a worker: that may take long.
///
/// Life: construct -> adopt -> anything -> close. Pins may outlive it; they do nothing then.
class BodyFiles final : public BodyStore {
  public:
    /// `keepFree`: bytes of the disk that bodies leave to the segments.
    BodyFiles(FileSystem& files, std::string directory, std::uint64_t keepFree);
    ~BodyFiles() override;

    /// What recovery found: removes all other body files, and notes which are missing or too short.
    /// `complete` false: messages may refer to further ones, so nothing is removed.
    Result<void> adopt(std::span<const LargeBody> referenced, bool complete);

    /// A message that refers to it is in the log, or none is any more, durably. Journal's writer.
    void keep(std::uint64_t body);
    void release(std::span<const std::uint64_t> bodies);

    /// From now on nothing is removed: what the log holds is not known any more.
    void freeze();

    /// Ends what was begun and refuses more; nothing is removed after. Blocks. Twice is fine.
    void close();

    /// Any thread: storageCorrupt, naming the file, where adopt() did not find it whole.
    Result<void> check(const LargeBody& body) const;

    Result<std::unique_ptr<BodyWriter>> begin() override;
    Result<std::unique_ptr<BodyReader>> open(const LargeBodyPtr& body) override;
    LargeBodyPtr pin(const LargeBody& body) override;
    bool run(std::function<void()> task) override;

  private:
    struct Books;
    class Writer;
    class Reader;

    FileSystem& files_;
    std::string directory_;
    const std::uint64_t keepFree_;
    std::shared_ptr<Books> books_;
};

/// Copies and syncs a body file, by a second name where the file system can: bodies never change.
/// `goOn` is asked now and then; closed where it said no.
Result<void> copyBody(FileSystem& files, const std::string& from, const std::string& to,
                      const std::function<bool()>& goOn);

/// Reads a whole file; storageCorrupt where it is not this body.
Result<void> verifyBody(FileSystem& files, const std::string& directory, const LargeBody& body);

}  // namespace busbar::journal
