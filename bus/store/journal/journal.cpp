#include "bus/store/journal/journal.h"

#include "bus/store/journal/journal_store.h"
#include "bus/store/journal/repair.h"

#include <fmt/format.h>

namespace busbar {
namespace {

Result<std::unique_ptr<FileLock>> lockJournal(FileSystem& files, const std::string& directory) {
    auto lock = files.lock(directory + "/lock");
    if (!lock && lock.error().code == ErrorCode::inUse) {
        return Error{ErrorCode::inUse,
                     fmt::format("the journal in {} is in use by another process", directory)};
    }
    return lock;
}

}  // namespace

Result<std::unique_ptr<Store>> openJournal(FileSystem& files, const std::string& directory,
                                           const JournalOptions& options) {
    auto finished = journal::finishRepair(files, directory);
    if (!finished) return std::move(finished).error();
    auto made = files.makeDirectory(directory);
    if (!made) return std::move(made).error();
    auto lock = lockJournal(files, directory);
    if (!lock) return std::move(lock).error();
    return std::unique_ptr<Store>(
        std::make_unique<journal::JournalStore>(files, directory, options, std::move(*lock)));
}

}  // namespace busbar
