// The Store over the journal: when the index is saved, a few steps at a time.
#include "bus/base/log.h"
#include "bus/store/journal/journal_store.h"

#include <fmt/format.h>

#include <algorithm>

namespace busbar::journal {
namespace {

// At the end of the daemon a checkpoint is made for this part of the log's usual growth.
constexpr std::uint64_t kShareAtEnd = 16;

}  // namespace

/// `share`: of what makes one due while the daemon runs.
bool JournalStore::checkpointDue(std::uint64_t share) const {
    const auto enough = std::max(options_.checkpointBytes, 2 * checkpointBytes_);
    return replayed_ + writer_->bytesSealed() - unsavedFrom_ > enough / share;
}

/// All that is in the index is in the log, in front of nextIndex(), and written; and what left
/// before has left the index, as the log is replayed from here only.
void JournalStore::beginCheckpoint() {
    const auto& log = segments_->log();
    if (log.empty()) return;
    index_.catchUp();
    CheckpointHead head;
    head.firstEpoch = firstEpoch_;
    head.oldestEpoch = log.front().epoch;
    head.replay = segments_->isOpen()
                      ? writer_->lastRecord()
                      : LogPosition{log.back().epoch + 1, kFirstRecord, writer_->nextIndex()};
    replayed_ = 0;
    unsavedFrom_ = writer_->bytesSealed();
    checkpoint_ = std::make_unique<CheckpointWriter>(files_, directory_, index_, head);
}

/// True where there is more to do.
Result<bool> JournalStore::stepCheckpoint() {
    if (!checkpoint_) {
        if (!checkpointDue(1)) return false;
        beginCheckpoint();
        return checkpoint_ != nullptr;
    }
    if (const auto ended = checkpoint_->ended()) {
        endCheckpoint(*ended);
        return false;
    }
    if (checkpoint_->sealed()) return false;
    if (checkpoint_->step()) return true;
    auto done = sync();
    if (!done) return std::move(done).error();
    checkpoint_->seal(writer_->nextIndex());
    return false;
}

/// At the end of the daemon, where the log has grown enough for it to be worth it.
Result<void> JournalStore::lastCheckpoint() {
    if (!checkpoint_ && checkpointDue(kShareAtEnd)) beginCheckpoint();
    if (!checkpoint_) return {};
    if (!checkpoint_->sealed()) {
        while (checkpoint_->stepPatiently()) continue;
        auto done = sync();
        if (!done) return done;
        checkpoint_->seal(writer_->nextIndex());
    }
    endCheckpoint(checkpoint_->waitForEnd());
    return {};
}

/// Without a checkpoint the next start takes longer; nothing else is the worse for it.
void JournalStore::endCheckpoint(const Result<std::uint64_t>& written) {
    checkpoint_.reset();
    if (written) {
        checkpointBytes_ = *written;
    } else {
        log::warning("journal", fmt::format("no checkpoint: {}", written.error().text));
    }
}

}  // namespace busbar::journal
