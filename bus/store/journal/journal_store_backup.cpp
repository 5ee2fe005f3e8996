// The Store over the journal: copies while work goes on.
#include "bus/base/check.h"
#include "bus/store/journal/journal_store.h"

namespace busbar::journal {

void JournalStore::backup(std::string directory, BackupHandler handler) {
    BUSBAR_CHECK(recovered_ && !closed_, "backup before recover or after close");
    {
        std::lock_guard lock(mutex_);
        pending_.backups.push_back({std::move(directory), std::move(handler)});
    }
    wakeWriter();
}

Result<void> JournalStore::startBackups(std::vector<BackupRequest>& requests) {
    Result<void> done;
    for (auto& request : std::exchange(requests, {})) {
        Result<void> refusal;
        if (counters_.failed || !done) {
            refusal = Error{ErrorCode::storageFailed, "the journal has failed"};
        } else if (backup_) {
            refusal = Error{ErrorCode::inUse, "a backup is under way"};
        }
        if (refusal) {
            done = startBackup(std::move(request));
        } else {
            request.handler(0, &refusal);
        }
    }
    return done;
}

/// All of the log up to here is copied, garbage included: a prefix of it is a journal.
Result<void> JournalStore::startBackup(BackupRequest request) {
    auto done = sync();
    std::vector<CopyPart> parts;
    Result<void> opened = done;
    for (const auto& segment : segments_->log()) {
        if (!opened) break;
        auto file = segments_->openForReading(segment);
        if (file) {
            parts.push_back({segmentName(segment.file), std::move(*file), segment.used});
        } else {
            opened = std::move(file).error();
        }
    }
    if (!opened) {
        request.handler(0, &opened);
        return done;
    }
    addCheckpoint(files_, directory_, parts);
    for (const auto& body : liveBodies_.all())
        parts.push_back(bodyPart(directory_, bodyFiles_.pin(body)));
    backup_ = std::make_unique<Backup>(files_, std::move(parts), std::move(request.directory),
                                       std::move(request.handler), [this] { wakeWriter(); });
    return {};
}

Result<void> JournalStore::endBackup() {
    backup_.reset();
    return sync();
}

/// How far segments may be given up now.
std::uint64_t JournalStore::retirable() const {
    return backup_ ? retiredTo_ : trimmedTo_;
}

}  // namespace busbar::journal
