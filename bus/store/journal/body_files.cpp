#include "bus/store/journal/body_files.h"

#include "bus/base/log.h"
#include "bus/store/journal/crc32c.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <mutex>
#include <unordered_map>
#include <unordered_set>

namespace busbar::journal {
namespace {

constexpr std::string_view kSuffix = ".body";
constexpr std::size_t kDigits = 16;
constexpr std::uint64_t kSyncEvery = 16 << 20;
constexpr std::size_t kPiece = 256 << 10;
constexpr std::size_t kWorkers = 4;
// A task a connection at the most, and one for each body that is removed.
constexpr std::size_t kTasksMax = 1 << 20;

Error missing(const std::string& directory, const LargeBody& body, std::string_view how) {
    return {ErrorCode::storageCorrupt, fmt::format("{}/{} {}", directory, bodyName(body.id), how)};
}

}  // namespace

std::string bodyName(std::uint64_t id) {
    return fmt::format("{:016x}{}", id, kSuffix);
}

std::uint64_t bodyId(std::string_view name) {
    if (name.size() != kDigits + kSuffix.size() || !name.ends_with(kSuffix)) return 0;
    std::uint64_t id = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + kDigits, id, 16);
    return error == std::errc{} && end == name.data() + kDigits ? id : 0;
}

/// What is known of the bodies. Shared with the pins, which may outlive the rest.
struct BodyFiles::Books {
    struct Book {
        bool stored = false;                 ///< a message in the log refers to it
        std::weak_ptr<const LargeBody> pin;  ///< expired: nobody outside has a reference
        bool idle() const { return !stored && pin.expired(); }
    };

    Books(FileSystem& fileSystem, std::string where)
        : files(fileSystem), directory(std::move(where)) {}

    /// Under the mutex: lets a worker remove the file when nothing refers to it.
    void removeIfIdle(std::uint64_t id) {
        const auto at = books.find(id);
        if (at == books.end() || !at->second.idle()) return;
        books.erase(at);
        if (frozen || !workers) return;
        (void)workers->submit([this, id] { removeFile(id); });
    }

    void removeFile(std::uint64_t id) const {
        auto removed = files.remove(directory + "/" + bodyName(id));
        if (!removed && removed.error().code != ErrorCode::notFound)
            log::warning("journal", removed.error().text);
    }

    FileSystem& files;
    const std::string directory;
    std::mutex mutex;
    // All below is guarded by the mutex. The workers end before the books do, without the mutex.
    std::unordered_map<std::uint64_t, Book> books;
    std::unordered_set<std::uint64_t> damaged;
    std::unique_ptr<WorkerPool> workers;  ///< null: not open
    std::uint64_t lastId = 0;
    bool frozen = false;
};

class BodyFiles::Writer final : public BodyWriter {
  public:
    Writer(BodyFiles& store, std::unique_ptr<File> file, std::uint64_t id)
        : files_(store.files_),
          keepFree_(store.keepFree_),
          books_(store.books_),
          file_(std::move(file)) {
        body_.id = id;
    }
    ~Writer() override { abandon(); }

    Result<void> append(std::string_view bytes) override {
        if (!file_ || failed_) return Error{ErrorCode::closed, "this body takes no more"};
        auto done = admit(bytes.size());
        if (done) done = file_->write(body_.size, bytes);
        if (!done) {
            failed_ = true;
            return done;
        }
        body_.crc32c = crc32c(bytes, body_.crc32c);
        body_.size += bytes.size();
        if (body_.size - syncedTo_ >= kSyncEvery) done = sync();
        return done;
    }

    Result<LargeBodyPtr> finish() override {
        if (!file_ || failed_) return Error{ErrorCode::closed, "this body takes no more"};
        auto done = sync();
        if (done) done = files_.syncDirectory(books_->directory);
        if (!done) {
            failed_ = true;
            return std::move(done).error();
        }
        file_.reset();
        return pinIn(books_, body_);
    }

    void abandon() override {
        if (!file_) return;
        file_.reset();
        books_->removeFile(body_.id);
    }

    std::uint64_t size() const override { return body_.size; }

    static LargeBodyPtr pinIn(const std::shared_ptr<Books>& books, const LargeBody& body) {
        const std::lock_guard lock(books->mutex);
        Books::Book& book = books->books[body.id];
        if (auto pin = book.pin.lock()) return pin;
        LargeBodyPtr pin(new LargeBody(body), [books](const LargeBody* last) {
            const std::uint64_t id = last->id;
            delete last;
            const std::lock_guard relock(books->mutex);
            books->removeIfIdle(id);
        });
        book.pin = pin;
        return pin;
    }

  private:
    Result<void> admit(std::size_t more) const {
        auto free = files_.freeBytes(books_->directory);
        if (!free) return std::move(free).error();
        if (*free >= keepFree_ + more) return {};
        return Error{ErrorCode::storageFull,
                     fmt::format("no room for a large body: {} bytes of the disk are left, and {} "
                                 "are kept for what was taken already",
                                 *free, keepFree_)};
    }

    Result<void> sync() {
        auto synced = file_->sync();
        if (!synced) {
            failed_ = true;
            return synced;
        }
        file_->dropCache(syncedTo_, body_.size - syncedTo_);
        syncedTo_ = body_.size;
        return {};
    }

    FileSystem& files_;
    const std::uint64_t keepFree_;
    std::shared_ptr<Books> books_;
    std::unique_ptr<File> file_;
    LargeBody body_;
    std::uint64_t syncedTo_ = 0;
    bool failed_ = false;
};

class BodyFiles::Reader final : public BodyReader {
  public:
    Reader(std::string directory, LargeBodyPtr body, std::unique_ptr<File> file)
        : directory_(std::move(directory)), body_(std::move(body)), file_(std::move(file)) {}

    Result<std::size_t> read(std::uint64_t offset, std::span<char> into) const override {
        if (offset >= body_->size) return std::size_t{0};
        const auto wanted = std::min<std::uint64_t>(into.size(), body_->size - offset);
        auto got = file_->read(offset, into.first(wanted));
        if (got && *got < wanted) return missing(directory_, *body_, "became shorter");
        return got;
    }

  private:
    const std::string directory_;
    const LargeBodyPtr body_;
    const std::unique_ptr<File> file_;
};

BodyFiles::BodyFiles(FileSystem& files, std::string directory, std::uint64_t keepFree)
    : files_(files),
      directory_(std::move(directory)),
      keepFree_(keepFree),
      books_(std::make_shared<Books>(files, directory_)) {}

BodyFiles::~BodyFiles() {
    close();
}

Result<void> BodyFiles::adopt(std::span<const LargeBody> referenced, bool complete) {
    auto names = files_.list(directory_);
    if (!names) return std::move(names).error();
    std::unordered_set<std::uint64_t> wanted;
    for (const LargeBody& body : referenced) wanted.insert(body.id);
    const std::lock_guard lock(books_->mutex);
    std::unordered_set<std::uint64_t> there;
    std::uint64_t orphans = 0;
    for (const std::string& name : *names) {
        const std::uint64_t id = bodyId(name);
        if (id == 0) continue;
        books_->lastId = std::max(books_->lastId, id);
        there.insert(id);
        if (wanted.contains(id) || !complete) continue;
        auto removed = files_.remove(directory_ + "/" + name);
        if (!removed) return removed;
        ++orphans;
    }
    if (orphans != 0) {
        log::info("journal", fmt::format("removed {} bodies that were not sent completely, or "
                                         "whose message has gone",
                                         orphans));
    }
    for (const LargeBody& body : referenced) {
        books_->lastId = std::max(books_->lastId, body.id);
        books_->books[body.id].stored = true;
        std::uint64_t size = 0;
        if (there.contains(body.id)) {
            auto file = files_.open(directory_ + "/" + bodyName(body.id), FileSystem::Mode::read);
            if (!file) return std::move(file).error();
            auto known = (*file)->size();
            if (!known) return std::move(known).error();
            size = *known;
        }
        if (there.contains(body.id) && size >= body.size) continue;
        books_->damaged.insert(body.id);
        log::error("journal", missing(directory_, body, "is missing or incomplete").text);
    }
    books_->workers = std::make_unique<WorkerPool>(kWorkers, kTasksMax);
    return {};
}

void BodyFiles::keep(std::uint64_t body) {
    const std::lock_guard lock(books_->mutex);
    books_->books[body].stored = true;
}

void BodyFiles::release(std::span<const std::uint64_t> bodies) {
    const std::lock_guard lock(books_->mutex);
    for (const auto body : bodies) {
        books_->books[body].stored = false;
        books_->removeIfIdle(body);
    }
}

void BodyFiles::freeze() {
    const std::lock_guard lock(books_->mutex);
    books_->frozen = true;
}

void BodyFiles::close() {
    std::unique_ptr<WorkerPool> workers;
    {
        const std::lock_guard lock(books_->mutex);
        workers = std::move(books_->workers);
    }
}

Result<void> BodyFiles::check(const LargeBody& body) const {
    const std::lock_guard lock(books_->mutex);
    if (!books_->damaged.contains(body.id)) return {};
    return missing(directory_, body, "is missing or incomplete");
}

Result<std::unique_ptr<BodyWriter>> BodyFiles::begin() {
    std::uint64_t id = 0;
    {
        const std::lock_guard lock(books_->mutex);
        if (!books_->workers) return Error{ErrorCode::closed, "the store is not open"};
        if (books_->frozen) return Error{ErrorCode::storageFailed, "the journal has failed"};
        id = ++books_->lastId;
    }
    auto file = files_.open(directory_ + "/" + bodyName(id), FileSystem::Mode::create);
    if (!file) return std::move(file).error();
    return std::unique_ptr<BodyWriter>(std::make_unique<Writer>(*this, std::move(*file), id));
}

Result<std::unique_ptr<BodyReader>> BodyFiles::open(const LargeBodyPtr& body) {
    auto whole = check(*body);
    if (!whole) return std::move(whole).error();
    auto file = files_.open(directory_ + "/" + bodyName(body->id), FileSystem::Mode::read);
    if (!file) return std::move(file).error();
    return std::unique_ptr<BodyReader>(
        std::make_unique<Reader>(directory_, body, std::move(*file)));
}

LargeBodyPtr BodyFiles::pin(const LargeBody& body) {
    return Writer::pinIn(books_, body);
}

bool BodyFiles::run(std::function<void()> task) {
    const std::lock_guard lock(books_->mutex);
    return books_->workers && books_->workers->submit(std::move(task));
}

Result<void> copyBody(FileSystem& files, const std::string& from, const std::string& to,
                      const std::function<bool()>& goOn) {
    auto linked = files.link(from, to);
    if (linked || linked.error().code != ErrorCode::unsupported) return linked;
    auto source = files.open(from, FileSystem::Mode::read);
    if (!source) return std::move(source).error();
    auto target = files.open(to, FileSystem::Mode::create);
    if (!target) return std::move(target).error();
    std::string piece(kPiece, '\0');
    std::uint64_t at = 0;
    std::uint64_t dropped = 0;
    for (;;) {
        auto got = (*source)->read(at, piece);
        if (!got) return std::move(got).error();
        auto written = (*target)->write(at, std::string_view(piece).substr(0, *got));
        if (!written) return written;
        at += *got;
        if (!goOn()) return Error{ErrorCode::closed, "the copy was stopped"};
        if (at - dropped < kSyncEvery && *got == piece.size()) continue;
        auto synced = (*target)->sync();
        if (!synced) return synced;
        (*source)->dropCache(dropped, at - dropped);
        (*target)->dropCache(dropped, at - dropped);
        dropped = at;
        if (*got < piece.size()) return {};
    }
}

Result<void> verifyBody(FileSystem& files, const std::string& directory, const LargeBody& body) {
    auto file = files.open(directory + "/" + bodyName(body.id), FileSystem::Mode::read);
    if (!file) {
        if (file.error().code == ErrorCode::notFound) return missing(directory, body, "is missing");
        return std::move(file).error();
    }
    std::string piece(kPiece, '\0');
    std::uint64_t at = 0;
    std::uint32_t sum = 0;
    for (;;) {
        auto got = (*file)->read(at, piece);
        if (!got) return std::move(got).error();
        sum = crc32c(std::string_view(piece).substr(0, *got), sum);
        (*file)->dropCache(at, *got);
        at += *got;
        if (*got < piece.size()) break;
    }
    if (at == body.size && sum == body.crc32c) return {};
    return missing(directory, body,
                   at == body.size ? "is damaged: its checksum does not fit"
                                   : fmt::format("has {} bytes instead of {}", at, body.size));
}

}  // namespace busbar::journal
