#include "adapters/transport/body_transfer.h"

#include <algorithm>
#include <deque>
#include <mutex>
#include <utility>

namespace busbar {
namespace {

constexpr std::size_t kWaitingMax = 2;  // pieces that a worker has not taken

Error storeClosed() {
    return {ErrorCode::closed, "the store is closing"};
}

}  // namespace

/// What the loop and the worker share. `done` and `onProgress` are the loop's.
struct BodyUpload::State : std::enable_shared_from_this<State> {
    State(BodyStore& bodies, Executor& executor) : store(bodies), loop(executor) {}

    /// Under the mutex: sees to it that a worker looks.
    void schedule() {
        if (std::exchange(busy, true)) return;
        if (store.run([self = shared_from_this()] { self->work(); })) return;
        busy = false;
        if (!failed) failed = storeClosed();
        tellLater();
    }

    /// On a worker, one at a time. One piece, then the workers' other tasks have their turn.
    void work() {
        std::string piece;
        bool ending = false;
        {
            const std::lock_guard lock(mutex);
            if (!pieces.empty()) {
                piece = std::move(pieces.front());
                pieces.pop_front();
            } else {
                ending = finishing;
            }
        }
        if (abandoned()) return writer.reset();
        Result<void> written = write(piece);
        Result<LargeBodyPtr> body = LargeBodyPtr();
        if (written && ending) {
            body = finish();
            if (!body) written = body.error();
        }
        if (!written) body = written.error();
        if (!written) writer.reset();  // its file goes with it
        const std::lock_guard lock(mutex);
        busy = false;
        if (!written && !failed) failed = written.error();
        if (failed) pieces.clear();
        if (ending) outcome = std::move(body);
        if (!pieces.empty() || (finishing && !ending && !failed) || givenUp) schedule();
        tellLater();
    }

    Result<void> write(std::string_view piece) {
        if (!writer) {
            auto begun = store.begin();
            if (!begun) return std::move(begun).error();
            writer = std::move(*begun);
        }
        return piece.empty() ? Result<void>() : writer->append(piece);
    }

    Result<LargeBodyPtr> finish() {
        auto body = writer->finish();
        writer.reset();
        return body;
    }

    bool abandoned() {
        const std::lock_guard lock(mutex);
        if (givenUp) busy = false;
        return givenUp;
    }

    void tellLater() {
        loop.post([self = shared_from_this()] { self->tell(); });
    }

    void tell() {
        std::optional<Result<LargeBodyPtr>> result;
        {
            const std::lock_guard lock(mutex);
            if (givenUp) return;
            result = std::exchange(outcome, std::nullopt);
            if (!result && failed && finishing) result = *failed;
        }
        if (result && done) {
            const auto handler = std::exchange(done, nullptr);  // may destroy the upload
            return handler(std::move(*result));
        }
        if (const auto handler = onProgress) handler();
    }

    BodyStore& store;
    Executor& loop;
    std::function<void()> onProgress;
    std::function<void(Result<LargeBodyPtr>)> done;
    std::unique_ptr<BodyWriter> writer;  ///< the worker's

    mutable std::mutex mutex;
    // All below is guarded by the mutex.
    std::deque<std::string> pieces;
    std::optional<Result<LargeBodyPtr>> outcome;
    std::optional<Error> failed;
    bool busy = false;  ///< a worker looks, or will
    bool finishing = false;
    bool givenUp = false;
};

BodyUpload::BodyUpload(BodyStore& store, Executor& loop, std::function<void()> onProgress)
    : state_(std::make_shared<State>(store, loop)) {
    state_->onProgress = std::move(onProgress);
}

BodyUpload::~BodyUpload() {
    state_->onProgress = nullptr;
    state_->done = nullptr;
    const std::lock_guard lock(state_->mutex);
    state_->givenUp = true;
    state_->pieces.clear();
    state_->outcome.reset();
    state_->schedule();
}

void BodyUpload::append(std::string_view bytes) {
    size_ += bytes.size();
    while (!bytes.empty()) {
        if (piece_.capacity() < kBodyPiece) piece_.reserve(kBodyPiece);
        const auto part = bytes.substr(0, kBodyPiece - piece_.size());
        piece_ += part;
        bytes.remove_prefix(part.size());
        if (piece_.size() == kBodyPiece) hand();
    }
}

void BodyUpload::hand() {
    const std::lock_guard lock(state_->mutex);
    if (!state_->failed) state_->pieces.push_back(std::move(piece_));
    piece_ = {};
    state_->schedule();
}

bool BodyUpload::wantsMore() const {
    const std::lock_guard lock(state_->mutex);
    return state_->pieces.size() < kWaitingMax && !state_->finishing && !state_->failed;
}

std::optional<Error> BodyUpload::failure() const {
    const std::lock_guard lock(state_->mutex);
    return state_->failed;
}

void BodyUpload::finish(std::function<void(Result<LargeBodyPtr>)> done) {
    state_->done = std::move(done);
    if (!piece_.empty()) hand();
    const std::lock_guard lock(state_->mutex);
    state_->finishing = true;
    if (state_->failed)
        state_->tellLater();
    else
        state_->schedule();
}

struct BodyDownload::State {
    State(BodyStore& bodies, Executor& executor, LargeBodyPtr what)
        : store(bodies), loop(executor), body(std::move(what)) {}

    /// On a worker, one call at a time.
    Result<Buffer> read(std::uint64_t offset, std::uint64_t size) {
        if (!reader) {
            auto opened = store.open(body);
            if (!opened) return std::move(opened).error();
            reader = std::move(*opened);
        }
        std::string bytes(size, '\0');
        auto got = reader->read(offset, bytes);
        if (!got) return std::move(got).error();
        return Buffer::of(std::move(bytes));
    }

    BodyStore& store;
    Executor& loop;
    const LargeBodyPtr body;
    std::unique_ptr<BodyReader> reader;  ///< the worker's
    Handler handler;                     ///< the loop's
};

BodyDownload::BodyDownload(BodyStore& store, Executor& loop, LargeBodyPtr body,
                           std::uint64_t offset, std::uint64_t size)
    : state_(std::make_shared<State>(store, loop, std::move(body))), offset_(offset), left_(size) {}

BodyDownload::~BodyDownload() {
    state_->handler = nullptr;
}

void BodyDownload::next(Handler handler) {
    state_->handler = std::move(handler);
    const std::uint64_t size = std::min<std::uint64_t>(left_, kBodyPiece);
    const std::uint64_t offset = offset_;
    offset_ += size;
    left_ -= size;
    const auto tell = [](const std::shared_ptr<State>& state, Result<Buffer> got) {
        state->loop.post([state, got = std::move(got)]() mutable {
            if (!state->handler) return;
            const auto call = std::exchange(state->handler, nullptr);  // may destroy the download
            call(std::move(got));
        });
    };
    const bool taken = state_->store.run(
        [state = state_, tell, offset, size] { tell(state, state->read(offset, size)); });
    if (!taken) tell(state_, storeClosed());
}

}  // namespace busbar
