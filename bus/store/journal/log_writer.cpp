#include "bus/store/journal/log_writer.h"

#include "bus/base/check.h"

#include <chrono>

namespace busbar::journal {
namespace {

// A rare large batch should not hold its memory for ever.
constexpr std::size_t kBufferKept = 2 << 20;

}  // namespace

LogWriter::LogWriter(SegmentFiles& files, std::uint64_t nextIndex)
    : files_(files), nextIndex_(nextIndex) {}

std::size_t LogWriter::begin() {
    const std::size_t start = buffer_.size();
    beginRecord(buffer_);
    return start;
}

Result<void> LogWriter::place(std::size_t& start, bool keepReserve) {
    const std::uint64_t size = roundUp(buffer_.size() - start, kAlignment);
    auto room = files_.secure(size, keepReserve);
    if (!room) return room;
    if (files_.fits(size)) return {};
    return changeSegment(start);
}

/// A segment is synced as a whole, its end record included, before the next one begins: so only the
/// last segment can have a torn tail.
Result<void> LogWriter::changeSegment(std::size_t& start) {
    const std::string begun = buffer_.substr(start);
    buffer_.resize(start);
    if (files_.isOpen()) {
        const std::size_t end = begin();
        seal(end, RecordType::end);
        auto written = write();
        if (!written) return written;
        auto synced = sync();
        if (!synced) return synced;
    }
    auto advanced = files_.advance(nextIndex_);
    if (!advanced) return advanced;
    buffer_ = begun;
    bufferAt_ = kFirstRecord;
    lastRecordAt_ = 0;
    syncedTo_ = kFirstRecord;
    start = 0;
    return {};
}

std::uint64_t LogWriter::seal(std::size_t start, RecordType type) {
    RecordHeader header;
    header.epoch = files_.current().epoch;
    header.index = nextIndex_++;
    header.synced = static_cast<std::uint32_t>(syncedTo_);
    header.type = type;
    sealRecord(buffer_, start, header);
    files_.current().used = bufferAt_ + buffer_.size();
    unwritten_ = true;
    bytesSealed_ += buffer_.size() - start;
    lastRecordAt_ = bufferAt_ + start;
    return lastRecordAt_;
}

LogPosition LogWriter::lastRecord() const {
    const std::uint64_t epoch = files_.log().back().epoch;
    if (lastRecordAt_ == 0) return {epoch, kFirstRecord, nextIndex_};
    return {epoch, lastRecordAt_, nextIndex_ - 1};
}

Result<void> LogWriter::append(RecordType type, std::string_view payload) {
    std::size_t start = begin();
    buffer_.append(payload);
    auto placed = place(start, false);
    if (!placed) {
        if (placed.error().code == ErrorCode::storageFull) abandon(start);
        return placed;
    }
    seal(start, type);
    return {};
}

Result<void> LogWriter::write() {
    if (!unwritten_) return {};
    const std::size_t size = buffer_.size();
    buffer_.resize(roundUp(size, kPage), '\0');
    BUSBAR_CHECK(bufferAt_ + buffer_.size() <= files_.current().allocated,
                 "a write would grow a segment");
    auto written = files_.currentFile().write(bufferAt_, buffer_);
    if (!written) {
        // Room was secured before; a disk that has none now has lost what was promised.
        return Error{ErrorCode::storageFailed, written.error().text};
    }
    bytesWritten_ += buffer_.size();
    const std::size_t whole = size / kPage * kPage;
    if (buffer_.capacity() > kBufferKept) {
        buffer_ = buffer_.substr(whole, size - whole);
    } else {
        buffer_.resize(size);
        buffer_.erase(0, whole);
    }
    bufferAt_ += whole;
    unwritten_ = false;
    unsynced_ = true;
    return {};
}

Result<void> LogWriter::sync() {
    BUSBAR_CHECK(!unwritten_, "a sync before the write");
    if (!unsynced_) return {};
    const auto from = std::chrono::steady_clock::now();
    auto synced = files_.currentFile().sync();
    if (!synced) return synced;
    const auto took = std::chrono::steady_clock::now() - from;
    lastSyncMicros_ = static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(took).count());
    ++syncs_;
    syncedTo_ = files_.current().used;
    unsynced_ = false;
    return {};
}

}  // namespace busbar::journal
