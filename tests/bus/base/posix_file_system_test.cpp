#include "bus/base/file_system.h"

#include <cppunit/extensions/HelperMacros.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <functional>

using namespace busbar;
using namespace std::string_literals;

namespace {

/// Runs `task` in a process of its own and returns its answer; dies with the process at once.
int inChild(const std::function<int()>& task) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(task());
    int status = -1;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

constexpr int kLocked = 0, kInUse = 1, kFailed = 2;

int tryLock(const std::string& path) {
    const auto lock = makePosixFileSystem()->lock(path);
    if (lock) return kLocked;
    return lock.error().code == ErrorCode::inUse ? kInUse : kFailed;
}

}  // namespace

class PosixFileSystemTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(PosixFileSystemTest);
    CPPUNIT_TEST(createMakesEmptyAndKeepsWhatIsThere);
    CPPUNIT_TEST(openModesKeepToTheirWord);
    CPPUNIT_TEST(readsBackWhatWasWritten);
    CPPUNIT_TEST(readIsShortAtTheEndOnly);
    CPPUNIT_TEST(truncateCutsAndGrows);
    CPPUNIT_TEST(listsFilesSortedWithoutDirectories);
    CPPUNIT_TEST(makesDirectoriesWithParents);
    CPPUNIT_TEST(renameReplaces);
    CPPUNIT_TEST(removesFiles);
    CPPUNIT_TEST(lockKeepsOtherProcessesOut);
    CPPUNIT_TEST(lockGoesWithAKilledProcess);
    CPPUNIT_TEST(tellsFreeBytes);
    CPPUNIT_TEST(errorsNameThePath);
    CPPUNIT_TEST_SUITE_END();

    using Mode = FileSystem::Mode;
    std::string folder_;
    std::unique_ptr<FileSystem> files_ = makePosixFileSystem();

    std::string path(const std::string& name) const { return folder_ + "/" + name; }
    std::unique_ptr<File> open(const std::string& name, Mode mode) {
        auto opened = files_->open(path(name), mode);
        CPPUNIT_ASSERT_MESSAGE(opened.ok() ? "" : opened.error().text, opened.ok());
        return std::move(*opened);
    }
    ErrorCode openError(const std::string& name, Mode mode) {
        const auto opened = files_->open(path(name), mode);
        CPPUNIT_ASSERT(!opened.ok());
        return opened.error().code;
    }
    static std::string content(const File& file) {
        std::string bytes(*file.size(), '\0');
        CPPUNIT_ASSERT_EQUAL(bytes.size(), *file.read(0, bytes));
        return bytes;
    }
    void put(const std::string& name, const std::string& bytes) {
        CPPUNIT_ASSERT(open(name, Mode::create)->write(0, bytes).ok());
    }

  public:
    void setUp() override {
        std::string pattern =
            (std::filesystem::temp_directory_path() / "busbar-files-XXXXXX").string();
        CPPUNIT_ASSERT(::mkdtemp(pattern.data()));
        folder_ = pattern;
    }
    void tearDown() override { std::filesystem::remove_all(folder_); }

    void createMakesEmptyAndKeepsWhatIsThere() {
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(0), *open("a", Mode::create)->size());
        struct stat status {};
        CPPUNIT_ASSERT_EQUAL(0, ::stat(path("a").c_str(), &status));
        CPPUNIT_ASSERT_EQUAL(mode_t(0600), mode_t(status.st_mode & 0777));
        put("a", "kept");
        CPPUNIT_ASSERT_EQUAL("kept"s, content(*open("a", Mode::create)));
    }

    void openModesKeepToTheirWord() {
        CPPUNIT_ASSERT(openError("none", Mode::read) == ErrorCode::notFound);
        CPPUNIT_ASSERT(openError("none", Mode::readWrite) == ErrorCode::notFound);
        CPPUNIT_ASSERT(openError("no/folder", Mode::create) == ErrorCode::notFound);
        put("a", "abc");
        const auto readOnly = open("a", Mode::read);
        CPPUNIT_ASSERT_EQUAL("abc"s, content(*readOnly));
        CPPUNIT_ASSERT(readOnly->write(0, "x").error().code == ErrorCode::storageFailed);
        CPPUNIT_ASSERT(!readOnly->truncate(0).ok());
        const auto both = open("a", Mode::readWrite);
        CPPUNIT_ASSERT(both->write(1, "X").ok());
        CPPUNIT_ASSERT_EQUAL("aXc"s, content(*readOnly));
    }

    void readsBackWhatWasWritten() {
        const auto file = open("a", Mode::create);
        CPPUNIT_ASSERT(file->write(0, "hello"s).ok());
        CPPUNIT_ASSERT(file->write(10, "world"s).ok());  // the gap reads as zeros
        CPPUNIT_ASSERT(file->write(0, "").ok());
        CPPUNIT_ASSERT_EQUAL("hello\0\0\0\0\0world"s, content(*file));
        CPPUNIT_ASSERT(file->sync().ok());
        file->dropCache(0, 15);
        CPPUNIT_ASSERT_EQUAL("hello\0\0\0\0\0world"s, content(*open("a", Mode::read)));
    }

    void readIsShortAtTheEndOnly() {
        put("a", "0123456789");
        const auto file = open("a", Mode::read);
        std::string into(4, '.');
        CPPUNIT_ASSERT_EQUAL(std::size_t(4), *file->read(2, into));
        CPPUNIT_ASSERT_EQUAL("2345"s, into);
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), *file->read(8, into));
        CPPUNIT_ASSERT_EQUAL("8945"s, into);
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), *file->read(10, into));
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), *file->read(1'000'000, into));
    }

    void truncateCutsAndGrows() {
        const auto file = open("a", Mode::create);
        CPPUNIT_ASSERT(file->write(0, "0123456789").ok());
        CPPUNIT_ASSERT(file->truncate(3).ok());
        CPPUNIT_ASSERT_EQUAL("012"s, content(*file));
        CPPUNIT_ASSERT(file->truncate(5).ok());
        CPPUNIT_ASSERT_EQUAL("012\0\0"s, content(*file));
    }

    void listsFilesSortedWithoutDirectories() {
        for (const std::string name : {"b", "a", "10", "9"}) put(name, "");
        CPPUNIT_ASSERT(files_->makeDirectory(path("folder")).ok());
        CPPUNIT_ASSERT((*files_->list(folder_) == std::vector<std::string>{"10", "9", "a", "b"}));
        CPPUNIT_ASSERT(files_->list(path("folder"))->empty());
        CPPUNIT_ASSERT(files_->list(path("none")).error().code == ErrorCode::notFound);
    }

    void makesDirectoriesWithParents() {
        CPPUNIT_ASSERT(files_->makeDirectory(path("x/y/z")).ok());
        CPPUNIT_ASSERT(files_->makeDirectory(path("x/y/z")).ok());
        struct stat status {};
        CPPUNIT_ASSERT_EQUAL(0, ::stat(path("x/y").c_str(), &status));
        CPPUNIT_ASSERT_EQUAL(mode_t(0700), mode_t(status.st_mode & 0777));
        CPPUNIT_ASSERT(files_->syncDirectory(path("x/y")).ok());
        CPPUNIT_ASSERT(files_->syncDirectory(path("none")).error().code == ErrorCode::notFound);
        put("file", "");
        CPPUNIT_ASSERT(!files_->makeDirectory(path("file")).ok());
        CPPUNIT_ASSERT(!files_->makeDirectory(path("file/below")).ok());
    }

    void renameReplaces() {
        put("new", "new");
        put("old", "old");
        CPPUNIT_ASSERT(files_->rename(path("new"), path("old")).ok());
        CPPUNIT_ASSERT_EQUAL("new"s, content(*open("old", Mode::read)));
        CPPUNIT_ASSERT(openError("new", Mode::read) == ErrorCode::notFound);
        CPPUNIT_ASSERT(files_->rename(path("new"), path("x")).error().code == ErrorCode::notFound);
    }

    void removesFiles() {
        put("a", "still readable");
        const auto file = open("a", Mode::read);
        CPPUNIT_ASSERT(files_->remove(path("a")).ok());
        CPPUNIT_ASSERT(files_->list(folder_)->empty());
        CPPUNIT_ASSERT_EQUAL("still readable"s, content(*file));
        CPPUNIT_ASSERT(files_->remove(path("a")).error().code == ErrorCode::notFound);
    }

    void lockKeepsOtherProcessesOut() {
        auto lock = files_->lock(path("lock"));
        CPPUNIT_ASSERT(lock.ok());
        CPPUNIT_ASSERT_EQUAL(kInUse, inChild([&] { return tryLock(path("lock")); }));
        CPPUNIT_ASSERT_EQUAL(kLocked, inChild([&] { return tryLock(path("other")); }));
        open("lock", Mode::read);  // opening and closing the file elsewhere does not free it
        CPPUNIT_ASSERT_EQUAL(kInUse, inChild([&] { return tryLock(path("lock")); }));
        lock->reset();
        CPPUNIT_ASSERT_EQUAL(kLocked, inChild([&] { return tryLock(path("lock")); }));
    }

    void lockGoesWithAKilledProcess() {
        int ready[2];
        CPPUNIT_ASSERT_EQUAL(0, ::pipe(ready));
        const pid_t child = ::fork();
        if (child == 0) {
            const auto lock = makePosixFileSystem()->lock(path("lock"));
            const char byte = lock.ok() ? 'y' : 'n';
            if (::write(ready[1], &byte, 1) == 1) ::pause();
            ::_exit(0);
        }
        char byte = 0;
        CPPUNIT_ASSERT_EQUAL(ssize_t(1), ::read(ready[0], &byte, 1));
        const auto held = files_->lock(path("lock"));
        ::kill(child, SIGKILL);
        ::waitpid(child, nullptr, 0);
        ::close(ready[0]);
        ::close(ready[1]);
        CPPUNIT_ASSERT_EQUAL('y', byte);
        CPPUNIT_ASSERT(!held.ok());
        CPPUNIT_ASSERT(held.error().code == ErrorCode::inUse);
        CPPUNIT_ASSERT(files_->lock(path("lock")).ok());
    }

    void tellsFreeBytes() {
        struct statvfs status {};
        CPPUNIT_ASSERT_EQUAL(0, ::statvfs(folder_.c_str(), &status));
        const auto total = static_cast<std::uint64_t>(status.f_blocks) * status.f_frsize;
        const auto free = files_->freeBytes(folder_);
        CPPUNIT_ASSERT(free.ok());
        CPPUNIT_ASSERT(*free > 0 && *free <= total);
        CPPUNIT_ASSERT(files_->freeBytes(path("none")).error().code == ErrorCode::notFound);
    }

    void errorsNameThePath() {
        for (const Error& error :
             {files_->open(path("none"), Mode::read).error(), files_->list(path("none")).error(),
              files_->remove(path("none")).error(), files_->freeBytes(path("none")).error()}) {
            CPPUNIT_ASSERT_MESSAGE(error.text, error.text.find(path("none")) != std::string::npos);
        }
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(PosixFileSystemTest);
