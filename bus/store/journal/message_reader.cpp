#include "bus/store/journal/message_reader.h"

#include "bus/message/codec.h"
#include "bus/store/journal/format.h"
#include "bus/store/journal/segment_files.h"

#include <fmt/format.h>

#include <algorithm>

namespace busbar::journal {
namespace {

constexpr std::uint64_t kSpanMax = 1 << 20;  // one read
constexpr std::uint64_t kGapMax = 32 << 10;  // reading over this is cheaper than a second call
constexpr std::size_t kAnswersMax = 512;     // in one call of the handler
constexpr std::size_t kAnswerBytes = 2 << 20;
constexpr std::size_t kOpenMax = 16;

/// A body that is a small part of what it shares would keep the rest in memory.
void detachSmallBody(Message& message, std::size_t shared) {
    if (message.body.size() < shared / 2) message.body = Buffer::copyOf(message.body.view());
}

}  // namespace

/// Neighbours in one file: items [first, end), bytes [from, to).
struct MessageReader::Run {
    std::size_t first = 0;
    std::size_t end = 0;
    std::uint64_t from = 0;
    std::uint64_t to = 0;
};

MessageReader::MessageReader(FileSystem& files, std::string directory, BodyFiles& bodies,
                             Store::ReadHandler handler, Retry retry)
    : files_(files),
      directory_(std::move(directory)),
      bodies_(bodies),
      handler_(std::move(handler)),
      retry_(std::move(retry)),
      buffer_(std::make_unique_for_overwrite<char[]>(kSpanMax)),
      thread_([this] { run(); }) {}

MessageReader::~MessageReader() {
    {
        std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
}

void MessageReader::add(std::vector<ReadItem> items) {
    {
        std::lock_guard lock(mutex_);
        waiting_.push_back(std::move(items));
    }
    changed_.notify_all();
}

void MessageReader::drain() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return waiting_.empty() && !busy_; });
}

void MessageReader::run() {
    std::unique_lock lock(mutex_);
    for (;;) {
        if (waiting_.empty()) {
            busy_ = false;
            changed_.notify_all();
            // A file that is deleted keeps its room on the disk as long as it is open.
            lock.unlock();
            open_.clear();
            lock.lock();
            changed_.wait(lock, [this] { return !waiting_.empty() || stopping_; });
            if (waiting_.empty()) return;
        }
        busy_ = true;
        auto items = std::move(waiting_.front());
        waiting_.pop_front();
        lock.unlock();
        serve(items);
        lock.lock();
    }
}

void MessageReader::serve(std::vector<ReadItem>& items) {
    const auto place = [](const ReadItem& item) { return std::pair(item.file, item.offset); };
    const auto before = [&](const ReadItem& a, const ReadItem& b) { return place(a) < place(b); };
    if (!std::is_sorted(items.begin(), items.end(), before)) {
        std::sort(items.begin(), items.end(), before);
    }
    Run run;
    for (run.first = 0; run.first < items.size(); run.first = run.end) {
        const ReadItem& first = items[run.first];
        run.end = run.first + 1;
        if (first.error || first.file == 0) {
            answer(first.id, nullptr, first.error);
            continue;
        }
        run.from = first.offset - kMessageHeadBytes;
        run.to = std::uint64_t{first.offset} + first.size;
        for (; run.end < items.size(); ++run.end) {
            const ReadItem& next = items[run.end];
            const std::uint64_t to = std::uint64_t{next.offset} + next.size;
            if (next.file != first.file || next.error || next.offset > run.to + kGapMax ||
                to > run.from + kSpanMax) {
                break;
            }
            run.to = std::max(run.to, to);
        }
        read(items, run);
    }
    flush();
    if (!again_.empty()) retry_(std::exchange(again_, {}));
}

void MessageReader::read(const std::vector<ReadItem>& items, const Run& run) {
    if (run.to - run.from > kSpanMax / 4 && run.end == run.first + 1) {
        return readAlone(items[run.first]);
    }
    auto file = open(items[run.first].file);
    Result<std::size_t> got = std::size_t{0};
    if (file) {
        got = (*file)->read(run.from, {buffer_.get(), run.to - run.from});
    } else {
        got = std::move(file).error();
    }
    for (std::size_t i = run.first; i < run.end; ++i) {
        if (!got) {
            failed(items[i], got.error());
            continue;
        }
        const std::string_view bytes(buffer_.get(), *got);
        const std::uint64_t at = items[i].offset - kMessageHeadBytes - run.from;
        take(items[i], bytes.substr(std::min<std::uint64_t>(at, bytes.size()),
                                    items[i].size + kMessageHeadBytes));
    }
}

/// A large message is read into memory of its own, which its body then keeps.
void MessageReader::readAlone(const ReadItem& item) {
    auto file = open(item.file);
    if (!file) return failed(item, file.error());
    std::string bytes(std::size_t{item.size} + kMessageHeadBytes, '\0');
    auto got = (*file)->read(item.offset - kMessageHeadBytes, bytes);
    if (!got) return failed(item, got.error());
    if (*got < bytes.size() || verifiedMessage(item.id, bytes).empty()) {
        again_.push_back(item);
        return;
    }
    takeMessage(item, Buffer::of(std::move(bytes)).slice(kMessageHeadBytes, item.size));
}

void MessageReader::take(const ReadItem& item, std::string_view bytes) {
    const auto message = verifiedMessage(item.id, bytes);
    if (message.empty()) {
        again_.push_back(item);
        return;
    }
    takeMessage(item, Buffer::copyOf(message));
}

void MessageReader::takeMessage(const ReadItem& item, const Buffer& bytes) {
    auto message = decodeMessage(bytes);
    if (!message) {
        answer(item.id, nullptr,
               Error{ErrorCode::storageCorrupt,
                     fmt::format("message {} in {}/{}: {}", item.id.value, directory_,
                                 segmentName(item.file), message.error().text)});
        return;
    }
    if ((*message)->large) {
        const LargeBody large = *(*message)->large;
        auto whole = bodies_.check(large);
        if (!whole) return answer(item.id, nullptr, std::move(whole).error());
        (*message)->large = bodies_.pin(large);
    }
    detachSmallBody(**message, bytes.size());
    answerBytes_ += bytes.size();
    answer(item.id, std::move(*message), {});
}

/// A file that is not there was deleted after the look-up: the message has moved.
void MessageReader::failed(const ReadItem& item, const Error& error) {
    if (error.code == ErrorCode::notFound) {
        again_.push_back(item);
    } else {
        answer(item.id, nullptr, Error{ErrorCode::storageFailed, error.text});
    }
}

void MessageReader::answer(StoredId id, MessagePtr message, std::optional<Error> error) {
    answers_.push_back({id, std::move(message), std::move(error)});
    if (answers_.size() >= kAnswersMax || answerBytes_ >= kAnswerBytes) flush();
}

void MessageReader::flush() {
    answerBytes_ = 0;
    if (!answers_.empty() && handler_) handler_(std::exchange(answers_, {}));
    answers_.clear();
}

Result<const File*> MessageReader::open(std::uint64_t number) {
    const auto known = open_.find(number);
    if (known != open_.end()) return known->second.get();
    auto file = files_.open(directory_ + "/" + segmentName(number), FileSystem::Mode::read);
    if (!file) return std::move(file).error();
    if (open_.size() >= kOpenMax) open_.erase(open_.begin());
    return (open_[number] = std::move(*file)).get();
}

}  // namespace busbar::journal
