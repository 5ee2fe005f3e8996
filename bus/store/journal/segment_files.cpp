#include "bus/store/journal/segment_files.h"

#include "bus/base/check.h"
#include "bus/base/log.h"
#include "bus/store/journal/format.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

namespace busbar::journal {
namespace {

constexpr std::uint64_t kStepMax = 1 << 20;
// Behind each record there must be room for the record that ends the segment.
constexpr std::uint64_t kTail = kRecordHeaderBytes;

std::string_view zeros() {
    static const std::string bytes(64 << 10, '\0');
    return bytes;
}

}  // namespace

std::string segmentName(std::uint64_t number) {
    return fmt::format("{:08}.seg", number);
}

SegmentFiles::SegmentFiles(FileSystem& files, std::string directory, const JournalOptions& options)
    : files_(files), directory_(std::move(directory)), options_(options) {
    options_.segmentBytes =
        std::clamp(roundUp(options_.segmentBytes, kPage), 4 * kPage, kSegmentBytesMax / 2);
    options_.reserveBytes = std::min(options_.reserveBytes, options_.segmentBytes / 2);
    step_ = std::clamp(roundUp(options_.segmentBytes / 8, kPage), kPage, kStepMax);
    // Less slack than this, and the cleaner would chase the segments that are needed anyway.
    options_.slackBytes = std::max(options_.slackBytes,
                                   3 * options_.segmentBytes + options_.reserveBytes + 4 * step_);
    options_.liveFactor = std::max(options_.liveFactor, 1.5);
}

void SegmentFiles::adopt(std::deque<Segment> log, const std::vector<Segment>& spares,
                         std::uint64_t lastEpoch, std::uint64_t lastFile) {
    log_ = std::move(log);
    lastEpoch_ = lastEpoch;
    lastFile_ = lastFile;
    for (const auto& segment : log_) diskBytes_ += segment.allocated;
    for (const auto& spare : spares) {
        diskBytes_ += spare.allocated;
        if (spares_.size() < options_.sparesMax && spare.allocated <= options_.segmentBytes) {
            spares_.push_back(spare);
            spares_.back().capacity = options_.segmentBytes;
            spares_.back().used = kFirstRecord;
        } else {
            discard(spare);
        }
    }
    // The fullest first: it needs the least zeroing.
    std::stable_sort(spares_.begin(), spares_.end(),
                     [](const Segment& a, const Segment& b) { return a.allocated > b.allocated; });
}

bool SegmentFiles::fits(std::uint64_t recordBytes) const {
    return current_ != nullptr && log_.back().used + recordBytes + kTail <= log_.back().capacity;
}

std::uint64_t SegmentFiles::room() const {
    std::uint64_t sum = 0;
    if (current_ && log_.back().allocated > log_.back().used) {
        sum += log_.back().allocated - log_.back().used;
    }
    for (const auto& spare : spares_) {
        if (spare.allocated > kFirstRecord) sum += spare.allocated - kFirstRecord;
    }
    return sum;
}

Result<void> SegmentFiles::secure(std::uint64_t recordBytes, bool keepReserve) {
    std::uint64_t lost = 0;  // room that this record makes unusable
    if (fits(recordBytes)) {
        auto extended = extend(log_.back(), *current_, log_.back().used + recordBytes + kTail);
        if (!extended) return extended;
    } else {
        auto spare = nextSpare(recordBytes);
        if (!spare) return std::move(spare).error();
        auto extended = extend(**spare, *nextFile_, kFirstRecord + recordBytes + kTail);
        if (!extended) return extended;
        if (current_ && log_.back().allocated > log_.back().used) {
            lost = log_.back().allocated - log_.back().used;
        }
    }
    if (!keepReserve) return {};
    return growReserve(options_.reserveBytes + recordBytes + lost);
}

Result<void> SegmentFiles::growReserve(std::uint64_t wanted) {
    while (room() < wanted) {
        auto grown = growOneStep(false);
        if (!grown) return std::move(grown).error();
        BUSBAR_CHECK(*grown, "a step made no room");
    }
    return {};
}

Result<bool> SegmentFiles::prepareAhead(bool idle) {
    if (room() >= options_.reserveBytes + 4 * step_) return false;
    if (!idle && room() >= options_.reserveBytes + 2 * step_) return true;
    // One at a time: zeros are written faster than they are synced.
    if (zeroSync_.valid()) {
        if (zeroSync_.wait_for(std::chrono::seconds(0)) != std::future_status::ready) return true;
        auto settled = settleZeroSync();
        if (!settled) return std::move(settled).error();
    }
    auto grown = growOneStep(true);
    if (!grown && grown.error().code == ErrorCode::storageFull) return false;
    return grown;
}

Result<bool> SegmentFiles::growOneStep(bool durably) {
    if (current_ && log_.back().allocated < log_.back().capacity) {
        // The data's own sync covers it; syncing here would wait for data that nobody waits for.
        auto grown = extend(log_.back(), *current_, log_.back().allocated + step_);
        if (!grown) return std::move(grown).error();
        return true;
    }
    for (auto& spare : spares_) {
        if (spare.allocated >= spare.capacity) continue;
        std::unique_ptr<File> other;
        if (&spare != &spares_.front() || !nextFile_) {
            auto opened = files_.open(path(spare), FileSystem::Mode::readWrite);
            if (!opened) return std::move(opened).error();
            other = std::move(*opened);
        }
        File& file = other ? *other : *nextFile_;
        auto grown = extend(spare, file, spare.allocated + step_);
        if (grown && durably) syncBehind(spare);
        if (!grown) return std::move(grown).error();
        return true;
    }
    auto made = makeSpare(options_.segmentBytes);
    if (!made) return std::move(made).error();
    return growOneStep(durably);
}

Result<void> SegmentFiles::settleZeroSync() {
    if (!zeroSync_.valid()) return {};
    return zeroSync_.get();
}

/// Syncs what was written to a spare, on a thread of its own: the writer has better things to wait
/// for, and the file's later syncs then find it done.
void SegmentFiles::syncBehind(const Segment& spare) {
    zeroSync_ = std::async(std::launch::async, [&files = files_, name = path(spare)]() {
        auto file = files.open(name, FileSystem::Mode::readWrite);
        if (file) return (*file)->sync();
        if (file.error().code == ErrorCode::notFound) return Result<void>();  // not needed any more
        return Result<void>(std::move(file).error());
    });
}

/// Writes zeros until the file has `to` bytes, as far as its capacity allows.
Result<void> SegmentFiles::extend(Segment& segment, File& file, std::uint64_t to) {
    to = std::min(roundUp(to, kPage), segment.capacity);
    while (segment.allocated < to) {
        const std::uint64_t size = std::min<std::uint64_t>(to - segment.allocated, zeros().size());
        if (options_.bytesMax != 0 && diskBytes_ + size > options_.bytesMax) {
            return fullError(fmt::format("its limit of {} bytes is reached", options_.bytesMax));
        }
        auto written = file.write(segment.allocated, zeros().substr(0, size));
        if (!written) {
            if (written.error().code != ErrorCode::storageFull) return written;
            return fullError(written.error().text);
        }
        segment.allocated += size;
        diskBytes_ += size;
    }
    return {};
}

/// The segment that will be written to next, open in nextFile_.
Result<Segment*> SegmentFiles::nextSpare(std::uint64_t recordBytes) {
    const std::uint64_t needed = roundUp(kFirstRecord + recordBytes + kTail, kPage);
    if (spares_.empty() || spares_.front().capacity < needed) {
        auto made = makeSpare(std::max(options_.segmentBytes, needed));
        if (!made) return std::move(made).error();
        std::rotate(spares_.begin(), spares_.end() - 1, spares_.end());
        nextFile_.reset();
    }
    if (!nextFile_) {
        auto opened = files_.open(path(spares_.front()), FileSystem::Mode::readWrite);
        if (!opened) return std::move(opened).error();
        nextFile_ = std::move(*opened);
    }
    return &spares_.front();
}

Result<void> SegmentFiles::makeSpare(std::uint64_t capacity) {
    Segment spare;
    spare.file = ++lastFile_;
    spare.capacity = capacity;
    spare.used = kFirstRecord;
    auto file = files_.open(path(spare), FileSystem::Mode::create);
    if (file) {
        // The name must be durable before anything in the file can be.
        auto synced = files_.syncDirectory(directory_);
        if (!synced) return synced;
        spares_.push_back(spare);
        return {};
    }
    if (file.error().code == ErrorCode::storageFull) return fullError(file.error().text);
    return std::move(file).error();
}

Result<void> SegmentFiles::advance(std::uint64_t firstIndex) {
    BUSBAR_CHECK(nextFile_ && !spares_.empty(), "no segment was prepared");
    // A sync that fails may take with it whatever is written to the file at that time, and the next
    // one then says yes: nothing that matters goes into a file that another thread syncs.
    auto settled = settleZeroSync();
    if (!settled) return settled;
    if (current_) current_->dropCache(0, log_.back().used);
    Segment next = spares_.front();
    spares_.pop_front();
    current_ = std::move(nextFile_);
    next.epoch = ++lastEpoch_;
    next.firstIndex = firstIndex;
    next.used = kFirstRecord;
    log_.push_back(next);
    SegmentHeader header;
    header.epoch = next.epoch;
    header.oldestEpoch = std::max(oldestEpoch_, log_.front().epoch);
    header.capacity = next.capacity;
    header.firstIndex = firstIndex;
    auto written = current_->write(0, encodeSegmentHeader(header));
    if (!written) return written;
    return current_->sync();
}

Result<std::unique_ptr<File>> SegmentFiles::openForReading(const Segment& segment) {
    return files_.open(path(segment), FileSystem::Mode::read);
}

void SegmentFiles::retireBefore(std::uint64_t epoch) {
    while (log_.size() > 1 && log_.front().epoch < epoch) {
        Segment old = log_.front();
        log_.pop_front();
        if (spares_.size() < options_.sparesMax && old.allocated <= options_.segmentBytes) {
            old.capacity = options_.segmentBytes;
            old.used = kFirstRecord;
            spares_.push_back(old);
        } else {
            discard(old);
        }
    }
}

void SegmentFiles::shrinkTo(std::uint64_t limit) {
    while (diskBytes_ > limit && spares_.size() > 1 &&
           room() >= spares_.back().allocated + options_.reserveBytes + 4 * step_) {
        discard(spares_.back());
        spares_.pop_back();
    }
}

void SegmentFiles::discard(const Segment& segment) {
    diskBytes_ -= segment.allocated;
    const auto removed = files_.remove(path(segment));
    if (!removed) log::warning("journal", removed.error().text);
}

Error SegmentFiles::fullError(const std::string& why) {
    const auto free = files_.freeBytes(directory_);
    return {
        ErrorCode::storageFull,
        fmt::format(
            "no room for new messages in {}: {}; {} bytes free. Receive or purge messages, make "
            "room on the disk, or raise the journal's limit; sending then works again by itself",
            directory_, why, free ? *free : 0)};
}

std::string SegmentFiles::path(const Segment& segment) const {
    return directory_ + "/" + segmentName(segment.file);
}

}  // namespace busbar::journal
