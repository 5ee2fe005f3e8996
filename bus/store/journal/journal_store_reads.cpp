// The Store over the journal: messages fetched back.
#include "bus/base/check.h"
#include "bus/store/journal/journal_store.h"

#include <fmt/format.h>

namespace busbar::journal {
namespace {

// So often a message may move away from its reader.
constexpr std::uint32_t kReadsMax = 16;

}  // namespace

void JournalStore::read(std::vector<StoredId> ids) {
    if (ids.empty()) return;
    BUSBAR_CHECK(recovered_ && !closed_, "read before recover or after close");
    if (!reader_) {
        reader_ = std::make_unique<MessageReader>(
            files_, directory_, bodyFiles_, readHandler_,
            [this](std::vector<ReadItem> items) { readAgain(std::move(items)); });
    }
    std::vector<ReadItem> items;
    items.reserve(ids.size());
    for (const auto id : ids) items.emplace_back().id = id;
    readAgain(std::move(items));
}

void JournalStore::readAgain(std::vector<ReadItem> items) {
    bool wake = false;
    {
        std::lock_guard lock(mutex_);
        pending_.reads.insert(pending_.reads.end(), std::make_move_iterator(items.begin()),
                              std::make_move_iterator(items.end()));
        wake = waiting_;
    }
    if (wake) wake_.notify_one();
}

/// All that the index knows of is written by now.
void JournalStore::lookUp(std::vector<ReadItem>& reads) {
    if (reads.empty()) return;
    for (auto& item : reads) lookUp(item);
    reader_->add(std::exchange(reads, {}));
}

void JournalStore::lookUp(ReadItem& item) {
    const ReadItem before = item;
    item.file = 0;
    const auto live = index_.findMessage(item.id);
    if (!live) {
        // It may have been in one of the units that were given up.
        if (counters_.failed)
            item.error = Error{ErrorCode::storageFailed, "the journal has failed"};
        return;
    }
    const auto& log = segments_->log();
    item.epoch = firstEpoch_ + live->at.segment;
    item.file = log[item.epoch - log.front().epoch].file;
    item.offset = live->at.offset;
    item.size = live->at.size;
    if (item.attempts++ == 0) return;
    const bool moved = item.epoch != before.epoch || item.offset != before.offset;
    if (moved && item.attempts < kReadsMax) return;
    const auto code =
        moved || counters_.failed ? ErrorCode::storageFailed : ErrorCode::storageCorrupt;
    item.error =
        Error{code, fmt::format("message {} cannot be read at offset {} of {}/{}", item.id.value,
                                item.offset, directory_, segmentName(item.file))};
}

}  // namespace busbar::journal
