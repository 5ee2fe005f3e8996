#include "bus/store/journal/cleaner.h"

#include "bus/base/check.h"
#include "bus/base/log.h"
#include "bus/store/journal/crc32c.h"

#include <fmt/format.h>

namespace busbar::journal {
namespace {

constexpr std::uint64_t kReadPerStep = 1 << 20;
constexpr std::uint64_t kCopyPerStep = 256 << 10;
// Many restarts leave many short segments: from here on they are joined.
constexpr std::size_t kSegmentsMany = 16;

}  // namespace

/// Appends what is still live of the records it is shown to one record at the end of the log.
class Cleaner::Copier : public OperationVisitor {
  public:
    explicit Copier(Cleaner& cleaner) : cleaner_(cleaner), start_(cleaner.writer_.begin()) {}

    void copyRow(const LiveIndex::RowPlace& row, std::string_view value) {
        copies_.push_back({{},
                           row.table,
                           row.key,
                           putRow(cleaner_.writer_.bytes(), row.table, row.key, value),
                           row.crc});
    }

    Result<void> copy(const SegmentReader::Record& record) {
        record_ = &record;
        return readOperations(record.payload, *this);
    }

    /// Makes the copies a record and the index point to them.
    Result<void> complete() {
        if (copies_.empty()) {
            cleaner_.writer_.abandon(start_);
            return {};
        }
        const std::size_t begun = start_;
        auto placed = cleaner_.writer_.place(start_, false);
        if (!placed) {
            if (placed.error().code == ErrorCode::storageFull) cleaner_.writer_.abandon(start_);
            return placed;
        }
        const auto offset = cleaner_.writer_.seal(start_, RecordType::unit);
        const auto segment =
            static_cast<std::uint32_t>(cleaner_.files_.current().epoch - cleaner_.firstEpoch_);
        for (const auto& copy : copies_) {
            const Location at{segment, static_cast<std::uint32_t>(offset + copy.at.offset - begun),
                              copy.at.size};
            if (copy.id) {
                cleaner_.index_.moveMessage(copy.id, {}, {at, {}});
            } else {
                cleaner_.index_.putRow(copy.table, copy.key, at, copy.crc);
            }
        }
        return {};
    }

    std::uint64_t bytes() const { return cleaner_.writer_.bytes().size() - start_; }

  private:
    struct Copy {
        StoredId id;  ///< none: a row
        Table table{};
        std::string key;
        Placement at;
        std::uint32_t crc = 0;  ///< of a row's value
    };

    void onMessage(StoredId id, std::span<const Entry>, std::string_view message, bool) override {
        const auto live = cleaner_.index_.findMessage(id);
        if (!live || live->at != locate(message)) return;
        cleaner_.index_.entriesOf(id, entries_);
        copies_.push_back({id, {}, {}, putMoved(cleaner_.writer_.bytes(), id, entries_, message)});
    }

    void onRow(Table table, std::string_view key, std::string_view value) override {
        if (cleaner_.index_.findRow(table, key) != locate(value)) return;
        copies_.push_back({{},
                           table,
                           std::string(key),
                           putRow(cleaner_.writer_.bytes(), table, key, value),
                           crc32c(value)});
    }

    void onRemove(QueueId, StoredId) override {}
    void onEntry(const SetEntry&) override {}
    void onErase(Table, std::string_view) override {}

    std::optional<Location> locate(std::string_view part) const {
        const auto within = static_cast<std::uint64_t>(part.data() - record_->payload.data());
        return Location{static_cast<std::uint32_t>(cleaner_.epoch_ - cleaner_.firstEpoch_),
                        static_cast<std::uint32_t>(record_->offset + kRecordHeaderBytes + within),
                        static_cast<std::uint32_t>(part.size())};
    }

    Cleaner& cleaner_;
    std::size_t start_;
    std::vector<Copy> copies_;
    std::vector<Entry> entries_;
    const SegmentReader::Record* record_ = nullptr;
};

std::uint64_t Cleaner::limit() const {
    const auto& options = files_.options();
    return static_cast<std::uint64_t>(options.liveFactor * static_cast<double>(index_.bytes())) +
           options.slackBytes;
}

bool Cleaner::needed(bool full) const {
    const auto& log = files_.log();
    if (unreadable_ || log.size() < 2) return false;
    if (reader_ || files_.diskBytes() > limit()) return true;
    if (log.size() > kSegmentsMany &&
        files_.diskBytes() < log.size() * files_.options().segmentBytes / 4) {
        return true;
    }
    const auto oldest =
        index_.liveBytes(static_cast<std::uint32_t>(log.front().epoch - firstEpoch_));
    return full && oldest < log.front().allocated / 2 && oldest + kPage < files_.room() / 2;
}

Result<bool> Cleaner::step() {
    if (reader_ && files_.log().front().epoch != epoch_)
        reader_.reset();  // it emptied by itself meanwhile
    if (!reader_) {
        auto moved = moveRows();
        if (!moved || *moved) return moved;
        if (!begin()) return false;
    }
    Copier copier(*this);
    const std::uint64_t from = reader_->position();
    bool through = false;
    while (reader_->position() - from < kReadPerStep && copier.bytes() < kCopyPerStep) {
        const auto record = reader_->next();
        if (!record) {
            through = true;
            break;
        }
        if (record->header.type != RecordType::unit) continue;
        auto copied = copier.copy(*record);
        BUSBAR_CHECK(copied.ok(), "a record that was written cannot be read");
    }
    auto completed = copier.complete();
    if (!completed) {
        reader_.reset();  // what was read is not copied: begin again when there is room
        if (completed.error().code == ErrorCode::storageFull) return false;
        return std::move(completed).error();
    }
    return !through || finish();
}

/// Where messages pass through quickly, all that is live in an old segment is a few definitions:
/// they are fetched from where they lie, and the rest is not read. False where there is more.
Result<bool> Cleaner::moveRows() {
    const Segment& oldest = files_.log().front();
    const auto rows = index_.onlyRowsIn(static_cast<std::uint32_t>(oldest.epoch - firstEpoch_));
    std::uint64_t bytes = 0;
    for (const auto& row : rows) bytes += row.at.size;
    if (rows.empty() || bytes > kCopyPerStep) return false;
    auto file = files_.openForReading(oldest);
    if (!file) return false;  // begin() tells it
    std::vector<std::string> values;
    for (const auto& row : rows) {
        std::string& value = values.emplace_back(row.at.size, '\0');
        const auto got = (*file)->read(row.at.offset, value);
        if (!got || *got != value.size() || crc32c(value) != row.crc) return false;
    }
    Copier copier(*this);
    for (std::size_t i = 0; i < rows.size(); ++i) copier.copyRow(rows[i], values[i]);
    auto completed = copier.complete();
    if (completed) return true;
    if (completed.error().code == ErrorCode::storageFull) return false;
    return std::move(completed).error();
}

bool Cleaner::begin() {
    const Segment& oldest = files_.log().front();
    auto file = files_.openForReading(oldest);
    if (!file) {
        log::error("journal", file.error().text);
        unreadable_ = true;
        return false;
    }
    file_ = std::move(*file);
    epoch_ = oldest.epoch;
    reader_.emplace(*file_, oldest.epoch, oldest.firstIndex);
    return true;
}

/// Damage in old data stops the cleaning, not the service: nothing is lost by keeping the segment.
bool Cleaner::finish() {
    const auto live = index_.liveBytes(static_cast<std::uint32_t>(epoch_ - firstEpoch_));
    if (live != 0) {
        log::error("journal",
                   fmt::format("cannot clean {}: unreadable at offset {}; run busbar journal check",
                               segmentName(files_.log().front().file), reader_->position()));
        unreadable_ = true;
    } else {
        file_->dropCache(0, reader_->position());
    }
    reader_.reset();
    file_.reset();
    return !unreadable_;
}

}  // namespace busbar::journal
