#include "bus/store/journal/journal_store.h"

#include "bus/base/check.h"
#include "bus/base/log.h"
#include "bus/message/codec.h"
#include "bus/message/wire.h"
#include "bus/store/journal/crc32c.h"

#include <fmt/format.h>

#include <algorithm>

namespace busbar::journal {
namespace {

// A batch larger than this is written in several pieces: the buffer stays in the processor's cache.
constexpr std::uint64_t kWriteSize = 1 << 20;
constexpr int kCleaningTurnsMax = 8;
// Work that nobody waits for begins when nothing has come for this long.
constexpr std::chrono::milliseconds kIdleAfter{1};
constexpr std::chrono::milliseconds kBehindIdle{100}, kBehindMax{1000};
// Large bodies leave room for as many segments.
constexpr std::uint64_t kSegmentsForSmall = 2;

template <class... F>
struct Match : F... {
    using F::operator()...;
};
template <class... F>
Match(F...) -> Match<F...>;

/// Whether a unit needs room for good, so that it must wait when there is none. The instance's few
/// rows replace each other; without them no id could be given out.
bool addsData(const UnitOfWork& unit) {
    return std::any_of(
        unit.operations.begin(), unit.operations.end(), [](const Operation& operation) {
            const auto* row = std::get_if<PutRow>(&operation);
            return std::holds_alternative<AddMessage>(operation) ||
                   (row && (row->table != Table::instance || row->value.size() > 1024));
        });
}

Error tooLarge() {
    return {ErrorCode::tooLarge,
            fmt::format("a unit of work may take up to {} bytes in the journal", kUnitBytesMax)};
}

}  // namespace

JournalStore::JournalStore(FileSystem& files, std::string directory, const JournalOptions& options,
                           std::unique_ptr<FileLock> lock)
    : files_(files),
      directory_(std::move(directory)),
      options_(options),
      lock_(std::move(lock)),
      bodyFiles_(files, directory_,
                 options.reserveBytes + kSegmentsForSmall * options.segmentBytes) {}

JournalStore::~JournalStore() {
    close();
}

Result<void> JournalStore::recover(RecoveryListener& listener) {
    BUSBAR_CHECK(!recovered_, "recover is for once");
    auto state = recoverLog(files_, directory_, listener);
    if (!state) return std::move(state).error();
    Recovered& found = **state;
    std::vector<LargeBody> bodies;
    for (const auto& [id, body] : found.bodies.known) {
        liveBodies_.add(id, body);
        bodies.push_back(body);
    }
    auto adopted = bodyFiles_.adopt(bodies, found.bodies.unreadable.empty());
    if (!adopted) return adopted;
    index_ = std::move(found.index);
    firstEpoch_ = found.firstEpoch;
    const auto& log = found.layout.log;
    retiredTo_ = trimmedTo_ = log.empty() ? found.layout.lastEpoch + 1 : log.front().epoch;
    checkpointBytes_ = found.checkpointBytes;
    replayed_ = found.bytesReplayed;
    counters_.recoveredUnits = found.units;
    segments_ = std::make_unique<SegmentFiles>(files_, directory_, options_);
    segments_->adopt(std::move(found.layout.log), found.layout.spares, found.layout.lastEpoch,
                     found.layout.lastFile);
    writer_ = std::make_unique<LogWriter>(*segments_, found.nextIndex);
    cleaner_ = std::make_unique<Cleaner>(*segments_, *writer_, index_, firstEpoch_);
    publish();
    recovered_ = true;
    thread_ = std::thread([this] { run(); });
    return {};
}

void JournalStore::append(std::vector<NumberedUnit> units) {
    if (units.empty()) return;
    BUSBAR_CHECK(recovered_ && !closed_, "append before recover or after close");
    bool wake = false;
    {
        std::lock_guard lock(mutex_);
        if (counters_.failed) return;
        pending_.units.push_back(std::move(units));
        wake = waiting_;
    }
    if (wake) wake_.notify_one();
}

StoreStats JournalStore::stats() const {
    StoreStats s;
    s.units = counters_.units;
    s.bytesWritten = counters_.bytesWritten;
    s.syncs = counters_.syncs;
    s.messagesLive = counters_.messagesLive;
    s.bytesLive = counters_.bytesLive;
    s.bytesOnDisk = counters_.bytesOnDisk;
    s.lastSyncMicros = counters_.lastSyncMicros;
    s.recoveredUnits = counters_.recoveredUnits;
    s.full = counters_.full;
    s.failed = counters_.failed;
    return s;
}

void JournalStore::close() {
    if (closed_) return;
    closed_ = true;
    if (!thread_.joinable()) return bodyFiles_.close();
    {
        std::lock_guard lock(mutex_);
        closing_ = true;
    }
    wake_.notify_one();
    thread_.join();
    backup_.reset();
    bodyFiles_.close();
    if (!reader_) return;
    // Reads that found their message moved are looked up again; the cleaner has stopped.
    for (;;) {
        reader_->drain();
        if (pending_.reads.empty()) break;
        lookUp(pending_.reads);
    }
    reader_.reset();
}

void JournalStore::run() {
    Work work;
    bool moreToDo = true;
    while (waitForWork(work, moreToDo)) {
        auto done = turn(work, moreToDo);
        // Before the units go, which may hold the last references to their bodies.
        if (!done) bodyFiles_.freeze();
        work.units.clear();
        if (done) continue;
        fail(std::move(done).error());
        moreToDo = false;
    }
    if (counters_.failed) return;
    auto done = finish();
    publish();
    if (!done) fail(std::move(done).error());
}

/// False when the store is closing and nothing waits any more.
bool JournalStore::waitForWork(Work& work, bool moreToDo) {
    std::unique_lock lock(mutex_);
    if (pending_.empty() && !closing_) {
        const auto ready = [this] { return !pending_.empty() || closing_ || woken_; };
        waiting_ = true;
        if (moreToDo) {
            wake_.wait_for(lock, kIdleAfter, ready);
        } else if (lazyDeadline_) {
            wake_.wait_until(lock, *lazyDeadline_, ready);
        } else {
            wake_.wait(lock, ready);
        }
        waiting_ = false;
        woken_ = false;
    }
    std::swap(work, pending_);
    return !work.empty() || !closing_;
}

Result<void> JournalStore::turn(Work& work, bool& moreToDo) {
    if (counters_.failed) {
        lookUp(work.reads);
        return startBackups(work.backups);
    }
    const bool idle = work.empty();
    Result<void> done;
    if (!work.units.empty()) done = process(work);
    lookUp(work.reads);
    if (done && backup_ && backup_->ended()) done = endBackup();
    if (done) done = startBackups(work.backups);
    if (done && lazyDeadline_ && std::chrono::steady_clock::now() >= *lazyDeadline_) done = sync();
    if (done) done = catchUp(idle);
    if (done) {
        auto more = background(idle);
        if (more) {
            moreToDo = *more || index_.behind();
        } else {
            done = std::move(more).error();
        }
    }
    publish();
    return done;
}

void JournalStore::wakeWriter() {
    {
        std::lock_guard lock(mutex_);
        woken_ = true;
    }
    wake_.notify_one();
}

Result<void> JournalStore::process(Work& work) {
    StoreProgress progress;
    bool needsSync = false;
    bool lazy = false;
    std::uint64_t units = 0;
    for (auto& part : work.units) {
        for (auto& numbered : part) {
            Error refusal;
            auto stored = store(numbered.unit, refusal);
            if (!stored) return std::move(stored).error();
            if (!*stored) progress.refused.emplace_back(numbered.sequence, std::move(refusal));
            needsSync |= numbered.unit.durability == Durability::fsync;
            lazy |= numbered.unit.durability == Durability::lazy;
            progress.done = numbered.sequence;
            ++units;
        }
    }
    auto done = trim();
    if (done) done = writer_->write();
    if (!done) return done;
    lookUp(work.reads);
    if (needsSync) done = sync();
    if (!done) return done;
    lazy |= retirable() != retiredTo_ || liveBodies_.anyGone();
    if (lazy && !lazyDeadline_ && (writer_->unsynced() || liveBodies_.anyGone())) {
        lazyDeadline_ = std::chrono::steady_clock::now() + options_.lazySyncDelay;
    }
    reported_ = progress.done;
    counters_.units.fetch_add(units, std::memory_order_relaxed);
    publish();  // who waits for the report may look at the counters then
    if (handler_) handler_(std::move(progress));
    return {};
}

/// False: refused, with the reason; the result's error is for failures that end the store.
Result<bool> JournalStore::store(const UnitOfWork& unit, Error& refusal) {
    if (unit.operations.empty()) return true;
    if (estimateBytes(unit) > kUnitBytesMax) {
        refusal = tooLarge();
        return false;
    }
    std::size_t start = writer_->begin();
    if (!encode(unit)) {
        writer_->abandon(start);
        refusal = tooLarge();
        return false;
    }
    const std::size_t encodedAt = start;
    const bool adds = addsData(unit);
    auto placed = writer_->place(start, adds);
    if (!placed) {
        if (placed.error().code != ErrorCode::storageFull) return std::move(placed).error();
        writer_->abandon(start);
        full_ = true;
        refusal = std::move(placed).error();
        return false;
    }
    if (adds) full_ = false;
    const std::uint64_t offset = writer_->seal(start, RecordType::unit);
    index(unit, offset, encodedAt);
    if (writer_->waiting() >= kWriteSize) {
        auto written = writer_->write();
        if (!written) return std::move(written).error();
    }
    return true;
}

/// False where the record grows beyond what is allowed.
bool JournalStore::encode(const UnitOfWork& unit) {
    std::string& out = writer_->bytes();
    const std::size_t start = out.size();
    placements_.clear();
    for (const auto& operation : unit.operations) {
        std::visit(Match{[&](const AddMessage& add) { placements_.push_back(putAdd(out, add)); },
                         [&](const RemoveEntry& remove) { putRemove(out, remove); },
                         [&](const SetEntry& entry) { putEntry(out, entry); },
                         [&](const PutRow& row) { placements_.push_back(putRow(out, row)); },
                         [&](const EraseRow& erase) { putErase(out, erase); }},
                   operation);
        if (out.size() - start > kUnitBytesMax) return false;
    }
    return true;
}

/// `recordStart`: where the record began when the placements were noted.
void JournalStore::index(const UnitOfWork& unit, std::uint64_t recordOffset,
                         std::size_t recordStart) {
    const auto segment = static_cast<std::uint32_t>(segments_->current().epoch - firstEpoch_);
    std::size_t next = 0;
    const auto location = [&] {
        const Placement& at = placements_[next++];
        return Location{segment, static_cast<std::uint32_t>(recordOffset + at.offset - recordStart),
                        at.size};
    };
    for (const auto& operation : unit.operations) {
        std::visit(Match{[&](const AddMessage& add) {
                             entries_.clear();
                             for (const auto queue : add.queues) entries_.push_back({queue});
                             const bool added = index_.addMessage(
                                 add.id, entries_, {location(), summaryOf(*add.message)});
                             BUSBAR_CHECK(added, "a message id came a second time");
                             if (!add.message->large) return;
                             liveBodies_.add(add.id, *add.message->large);
                             bodyFiles_.keep(add.message->large->id);
                         },
                         [&](const RemoveEntry& entry) { remove(entry); },
                         [&](const SetEntry& entry) { index_.setEntry(entry); },
                         [&](const PutRow& row) {
                             index_.putRow(row.table, row.key, location(), crc32c(row.value));
                         },
                         [&](const EraseRow& erase) { index_.eraseRow(erase.table, erase.key); }},
                   operation);
    }
}

void JournalStore::remove(const RemoveEntry& entry) {
    if (!liveBodies_.has(entry.id)) return index_.dropEntry(entry.queue, entry.id);
    index_.removeEntry(entry.queue, entry.id);
    if (!index_.findMessage(entry.id)) liveBodies_.remove(entry.id);
}

/// The index does what it has put off after a second, or sooner where there is nothing else to do:
/// the longer it waits, the more entries there are for each chunk that has to be opened.
Result<void> JournalStore::catchUp(bool idle) {
    if (!index_.behind()) {
        caughtUp_ = std::chrono::steady_clock::now();
        return {};
    }
    const auto now = std::chrono::steady_clock::now();
    if (now < caughtUp_ + (idle ? kBehindIdle : kBehindMax)) return {};
    index_.catchUp();
    caughtUp_ = now;
    auto done = trim();
    if (done) done = writer_->write();
    if (done && !lazyDeadline_ && retirable() != retiredTo_)
        lazyDeadline_ = now + options_.lazySyncDelay;
    return done;
}

/// Says in the log from where on it is needed; the segments before are free once that is synced.
Result<void> JournalStore::trim() {
    const auto& log = segments_->log();
    std::uint64_t needed = trimmedTo_;
    for (std::size_t i = 0; i + 1 < log.size(); ++i) {
        if (log[i].epoch < needed) continue;
        if (index_.liveBytes(static_cast<std::uint32_t>(log[i].epoch - firstEpoch_)) != 0) break;
        needed = log[i].epoch + 1;
    }
    if (needed == trimmedTo_) return {};
    std::string payload;
    putFixed(payload, needed);
    auto appended = writer_->append(RecordType::trim, payload);
    if (!appended) {
        if (appended.error().code == ErrorCode::storageFull)
            return {};  // the next batch tries again
        return appended;
    }
    trimmedTo_ = needed;
    segments_->noteTrim(needed);
    return {};
}

Result<void> JournalStore::sync() {
    auto done = writer_->write();
    if (done) done = writer_->sync();
    if (!done) return done;
    lazyDeadline_.reset();
    if (liveBodies_.anyGone()) bodyFiles_.release(liveBodies_.takeGone());
    if (const auto to = retirable(); to != retiredTo_) {
        segments_->retireBefore(to);
        index_.dropSegmentsBefore(static_cast<std::uint32_t>(to - firstEpoch_));
        retiredTo_ = to;
    }
    return {};
}

/// One step of the work that nobody waits for; true where there is more. Under load it has its turn
/// after each batch, and several where the disk has outgrown its bound by far: then new units wait
/// for the cleaner.
Result<bool> JournalStore::background(bool idle) {
    auto prepared = segments_->prepareAhead(idle);
    if (!prepared) return prepared;
    segments_->shrinkTo(cleaner_->limit());
    auto copied = stepCheckpoint();
    if (!copied) return copied;
    bool more = *prepared || *copied;
    for (int turn = 0; !backup_ && turn < kCleaningTurnsMax && cleaner_->needed(full_); ++turn) {
        auto cleaned = clean();
        if (!cleaned) return cleaned;
        more |= *cleaned;
        if (!*cleaned || segments_->diskBytes() < cleaner_->limit() + options_.segmentBytes) break;
    }
    return more;
}

Result<bool> JournalStore::clean() {
    const std::uint64_t before = retiredTo_;
    index_.catchUp();
    auto cleaned = cleaner_->step();
    if (!cleaned) return cleaned;
    auto done = trim();
    if (done) done = writer_->write();
    if (done && retirable() != retiredTo_) done = sync();
    if (!done) return std::move(done).error();
    // Without room even for the trim record, going on would turn in circles.
    return *cleaned && (cleaner_->active() || retiredTo_ != before);
}

/// The last record of a clean end says that all before it was synced, so that any later damage to
/// it is told apart from an interrupted write.
Result<void> JournalStore::finish() {
    auto done = index_.behind() ? (index_.catchUp(), trim()) : Result<void>();
    if (done) done = sync();
    if (done) done = lastCheckpoint();
    if (!segments_->isOpen()) return done;
    if (done) {
        done = writer_->append(RecordType::mark, {});
        if (!done && done.error().code == ErrorCode::storageFull) return {};
    }
    if (done) done = sync();
    return done;
}

void JournalStore::fail(Error error) {
    error.text = fmt::format("journal {}: {}; nothing more is stored until a restart", directory_,
                             error.text);
    {
        std::lock_guard lock(mutex_);
        counters_.failed = true;
        pending_.units.clear();
    }
    lazyDeadline_.reset();
    checkpoint_.reset();
    StoreProgress progress;
    progress.done = reported_;
    progress.failed = std::move(error);
    if (handler_) handler_(std::move(progress));
}

void JournalStore::publish() {
    counters_.bytesWritten = writer_->bytesWritten();
    counters_.syncs = writer_->syncs();
    counters_.lastSyncMicros = writer_->lastSyncMicros();
    counters_.messagesLive = index_.messages();
    counters_.bytesLive = index_.bytes();
    counters_.bytesOnDisk = segments_->diskBytes() + liveBodies_.bytes();
    counters_.full = full_;
}

}  // namespace busbar::journal
