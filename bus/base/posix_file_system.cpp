#include "bus/base/file_system.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

namespace busbar {
namespace {

ErrorCode codeOf(int number) {
    switch (number) {
        case ENOSPC:
        case EDQUOT:
            return ErrorCode::storageFull;
        case ENOENT:
        case ENOTDIR:
            return ErrorCode::notFound;
        case EEXIST:
            return ErrorCode::alreadyExists;
        case EACCES:
        case EPERM:
            return ErrorCode::notAuthorized;
        default:
            return ErrorCode::storageFailed;
    }
}

Error failure(const char* what, const std::string& path, int number) {
    return {codeOf(number),
            fmt::format("cannot {} {}: {}", what, path, std::generic_category().message(number))};
}

/// What may go wrong while reading or writing an open file is either "full" or "failed".
Error ioFailure(const char* what, const std::string& path, int number) {
    Error error = failure(what, path, number);
    if (error.code != ErrorCode::storageFull) error.code = ErrorCode::storageFailed;
    return error;
}

class Descriptor {
  public:
    explicit Descriptor(int fd) : fd_(fd) {}
    ~Descriptor() {
        if (fd_ >= 0) ::close(fd_);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    int get() const { return fd_; }

  private:
    int fd_;
};

int openRetrying(const std::string& path, int flags) {
    int fd = -1;
    do {
        fd = ::open(path.c_str(), flags | O_CLOEXEC, 0600);
    } while (fd < 0 && errno == EINTR);
    return fd;
}

class PosixFile final : public File {
  public:
    PosixFile(Descriptor fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

    Result<std::size_t> read(std::uint64_t offset, std::span<char> into) const override {
        std::size_t done = 0;
        while (done < into.size()) {
            const auto got = ::pread(fd_.get(), into.data() + done, into.size() - done,
                                     static_cast<off_t>(offset + done));
            if (got < 0 && errno == EINTR) continue;
            if (got < 0) return ioFailure("read", path_, errno);
            if (got == 0) break;
            done += static_cast<std::size_t>(got);
        }
        return done;
    }

    Result<void> write(std::uint64_t offset, std::string_view bytes) override {
        while (!bytes.empty()) {
            const auto put =
                ::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
            if (put < 0 && errno == EINTR) continue;
            if (put < 0) return ioFailure("write", path_, errno);
            offset += static_cast<std::uint64_t>(put);
            bytes.remove_prefix(static_cast<std::size_t>(put));
        }
        return {};
    }

    Result<void> sync() override {
        if (::fdatasync(fd_.get()) == 0) return {};
        // Never "full" here: whatever the reason, what was written before is now unknown.
        Error error = failure("sync", path_, errno);
        error.code = ErrorCode::storageFailed;
        return error;
    }

    Result<std::uint64_t> size() const override {
        struct stat status {};
        if (::fstat(fd_.get(), &status) != 0) return ioFailure("examine", path_, errno);
        return static_cast<std::uint64_t>(status.st_size);
    }

    Result<void> truncate(std::uint64_t size) override {
        if (::ftruncate(fd_.get(), static_cast<off_t>(size)) == 0) return {};
        return ioFailure("truncate", path_, errno);
    }

    void dropCache(std::uint64_t offset, std::uint64_t size) override {
        ::posix_fadvise(fd_.get(), static_cast<off_t>(offset), static_cast<off_t>(size),
                        POSIX_FADV_DONTNEED);
    }

  private:
    Descriptor fd_;
    std::string path_;
};

class PosixLock final : public FileLock {
  public:
    explicit PosixLock(Descriptor fd) : fd_(std::move(fd)) {}

  private:
    Descriptor fd_;
};

class PosixFileSystem final : public FileSystem {
  public:
    Result<std::unique_ptr<File>> open(const std::string& path, Mode mode) override {
        const int flags = mode == Mode::read        ? O_RDONLY
                          : mode == Mode::readWrite ? O_RDWR
                                                    : O_RDWR | O_CREAT;
        Descriptor fd(openRetrying(path, flags));
        if (fd.get() < 0) return failure("open", path, errno);
        return std::unique_ptr<File>(std::make_unique<PosixFile>(std::move(fd), path));
    }

    Result<std::vector<std::string>> list(const std::string& directory) override {
        std::vector<std::string> names;
        std::error_code error;
        std::filesystem::directory_iterator at(directory, error);
        while (!error && at != std::filesystem::directory_iterator{}) {
            std::error_code typeError;
            if (at->is_regular_file(typeError)) names.push_back(at->path().filename().string());
            at.increment(error);
        }
        if (error) return failure("list", directory, error.value());
        std::sort(names.begin(), names.end());
        return names;
    }

    Result<void> makeDirectory(const std::string& directory) override {
        std::string path;
        std::size_t at = 0;
        while (at != std::string::npos) {
            at = directory.find('/', at + 1);
            path = directory.substr(0, at);
            if (path.empty() || ::mkdir(path.c_str(), 0700) == 0) continue;
            // A parent that may not be written to need not be made either (it is there, or the next
            // fails).
            if (errno != EEXIST && at == std::string::npos) {
                return failure("make the directory", path, errno);
            }
        }
        struct stat status {};
        if (::stat(directory.c_str(), &status) != 0) return failure("examine", directory, errno);
        if (!S_ISDIR(status.st_mode)) return failure("use as a directory", directory, ENOTDIR);
        return {};
    }

    Result<void> rename(const std::string& from, const std::string& to) override {
        if (::rename(from.c_str(), to.c_str()) == 0) return {};
        return failure("rename", from, errno);
    }

    Result<void> link(const std::string& from, const std::string& to) override {
        if (::link(from.c_str(), to.c_str()) == 0) return {};
        if (errno == EXDEV || errno == EPERM || errno == EOPNOTSUPP || errno == EMLINK)
            return Error{ErrorCode::unsupported, "no second name is possible for " + from};
        return failure("link", from, errno);
    }

    Result<void> remove(const std::string& path) override {
        if (::unlink(path.c_str()) == 0) return {};
        return failure("remove", path, errno);
    }

    Result<void> syncDirectory(const std::string& directory) override {
        Descriptor fd(openRetrying(directory, O_RDONLY | O_DIRECTORY));
        if (fd.get() < 0) return failure("open", directory, errno);
        if (::fsync(fd.get()) != 0) return ioFailure("sync", directory, errno);
        return {};
    }

    Result<std::unique_ptr<FileLock>> lock(const std::string& path) override {
        Descriptor fd(openRetrying(path, O_RDWR | O_CREAT));
        if (fd.get() < 0) return failure("open", path, errno);
        // flock, not fcntl: it belongs to the open file, so closing another handle does not free
        // it.
        if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
            if (errno != EWOULDBLOCK) return failure("lock", path, errno);
            return Error{ErrorCode::inUse, path + " is locked by another process"};
        }
        return std::unique_ptr<FileLock>(std::make_unique<PosixLock>(std::move(fd)));
    }

    Result<std::uint64_t> freeBytes(const std::string& directory) override {
        struct statvfs status {};
        if (::statvfs(directory.c_str(), &status) != 0) return failure("examine", directory, errno);
        return static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize;
    }
};

}  // namespace

std::unique_ptr<FileSystem> makePosixFileSystem() {
    return std::make_unique<PosixFileSystem>();
}

}  // namespace busbar
