// Copies the segments of a journal to another directory.
#pragma once

#include "bus/base/file_system.h"
#include "bus/store/store.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace busbar::journal {

/// What a copy consists of: the first `bytes` of each file. The files are open, so that it does not
/// matter when one of them is replaced meanwhile. Or a body's file, which never changes.
struct CopyPart {
    std::string name;
    std::unique_ptr<File> file;
    std::uint64_t bytes = 0;
    std::string bodyPath = {};    ///< not empty: a body's file, and `file` is null
    LargeBodyPtr body = nullptr;  ///< keeps it
};

/// A body as a part. One that is missing is left out of the copy, as it is missing here.
CopyPart bodyPart(const std::string& directory, LargeBodyPtr body);

/// All body files that are in a journal at rest.
Result<void> addBodies(FileSystem& files, const std::string& directory,
                       std::vector<CopyPart>& parts);

/// Adds the checkpoint, where there is one. It fits to every later end of the log.
void addCheckpoint(FileSystem& files, const std::string& directory, std::vector<CopyPart>& parts);

/// Makes `target`, where it is missing, and sees that nothing is in it: alreadyExists otherwise.
Result<void> prepareTarget(FileSystem& files, const std::string& target);

/// Copies and syncs all parts. `goOn` gets the share done and answers whether to go on; closed
/// where it did not.
Result<void> copyParts(FileSystem& files, const std::vector<CopyPart>& parts,
                       const std::string& target, const std::function<bool(double)>& goOn);

/// A copy made by a thread of its own while the journal is written to. What it copies must neither
/// be written over nor change until ended() is true.
class Backup {
  public:
    /// `wake` is called on the thread once ended() is true; the handler's last call follows.
    Backup(FileSystem& files, std::vector<CopyPart> parts, std::string target,
           Store::BackupHandler handler, std::function<void()> wake);
    /// Stops it where it is under way; its handler is told `closed` then.
    ~Backup();

    bool ended() const { return ended_; }

  private:
    void run();

    FileSystem& files_;
    std::vector<CopyPart> parts_;
    std::string target_;
    Store::BackupHandler handler_;
    std::function<void()> wake_;
    std::atomic<bool> stopping_{false};
    std::atomic<bool> ended_{false};
    std::thread thread_;
};

}  // namespace busbar::journal
