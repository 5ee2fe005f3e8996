#include "bench/limit_log.h"

#include "bus/store/journal/crc32c.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <system_error>

namespace busbar::bench {
namespace {

struct RecordHeader {
    std::uint32_t length = 0;
    LimitBatch::Kind kind{};
    std::uint32_t crc = 0;
    std::uint32_t reserved = 0;
    std::uint64_t number = 0;
};
static_assert(sizeof(RecordHeader) == 24);

}  // namespace

std::uint32_t LimitBatch::append(Kind kind, std::uint64_t number, std::string_view body) {
    RecordHeader header{static_cast<std::uint32_t>(body.size()), kind, 0, 0, number};
    using journal::crc32c;
    header.crc = crc32c(body, crc32c({reinterpret_cast<const char*>(&header), sizeof header}));
    bytes.append(reinterpret_cast<const char*>(&header), sizeof header);
    const auto at = static_cast<std::uint32_t>(bytes.size());
    bytes.append(body);
    return at;
}

void LimitBatch::clear() {
    bytes.clear();
    receipts.clear();
    effects.clear();
}

Result<std::unique_ptr<LimitLog>> LimitLog::open(const std::string& directory,
                                                 std::size_t fileBytes) {
    const std::string path = directory + "/limit.log";
    const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0)
        return Error{ErrorCode::storageFailed,
                     path + ": " + std::generic_category().message(errno)};
    const std::string zeros(1 << 20, '\0');
    bool good = true;
    for (std::size_t at = 0; at < fileBytes && good; at += zeros.size()) {
        good = pwrite(file, zeros.data(), zeros.size(), static_cast<off_t>(at)) ==
               static_cast<ssize_t>(zeros.size());
    }
    if (!good || fsync(file) != 0) {
        close(file);
        return Error{ErrorCode::storageFailed, path + ": cannot be prepared"};
    }
    return std::unique_ptr<LimitLog>(
        new LimitLog(file, eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), fileBytes));
}

LimitLog::LimitLog(int file, int eventFd, std::size_t fileBytes)
    : file_(file), eventFd_(eventFd), fileBytes_(fileBytes), writer_([this] { writeBatches(); }) {}

LimitLog::~LimitLog() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    changed_.notify_one();
    writer_.join();
    close(eventFd_);
    close(file_);
}

void LimitLog::submit(std::unique_ptr<LimitBatch> batch) {
    inFlight_ = true;
    {
        const std::lock_guard lock(mutex_);
        todo_ = std::move(batch);
    }
    changed_.notify_one();
}

std::unique_ptr<LimitBatch> LimitLog::takeDone() {
    std::uint64_t count = 0;
    [[maybe_unused]] const ssize_t got = ::read(eventFd_, &count, sizeof count);
    const std::lock_guard lock(mutex_);
    if (failed_) {
        std::fputs("busbar-limit: writing or syncing failed\n", stderr);
        std::_Exit(1);
    }
    if (done_) inFlight_ = false;
    return std::move(done_);
}

void LimitLog::writeBatches() {
    std::unique_lock lock(mutex_);
    while (true) {
        changed_.wait(lock, [this] { return todo_ != nullptr || stopping_; });
        if (todo_ == nullptr) return;
        std::unique_ptr<LimitBatch> batch = std::move(todo_);
        lock.unlock();
        const bool good = write(batch->bytes) && fdatasync(file_) == 0;
        lock.lock();
        failed_ = failed_ || !good;
        done_ = std::move(batch);
        const std::uint64_t one = 1;
        [[maybe_unused]] const ssize_t put = ::write(eventFd_, &one, sizeof one);
    }
}

bool LimitLog::write(std::string_view bytes) {
    while (!bytes.empty()) {
        if (position_ == fileBytes_) position_ = 0;
        const std::size_t part = std::min(bytes.size(), fileBytes_ - position_);
        const ssize_t put = pwrite(file_, bytes.data(), part, static_cast<off_t>(position_));
        if (put <= 0) return false;
        position_ += static_cast<std::size_t>(put);
        bytes.remove_prefix(static_cast<std::size_t>(put));
    }
    return true;
}

}  // namespace busbar::bench
