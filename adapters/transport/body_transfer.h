// Large bodies between a loop, which must not wait for the disk, and the store's workers.
#pragma once

#include "bus/base/executor.h"
#include "bus/store/body_store.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace busbar {

/// How much of a body is in memory at a time, in each piece.
inline constexpr std::size_t kBodyPiece = 256 << 10;

/// One body on its way into the store: pieces are gathered on the loop and written by a worker, at
/// most three of them in memory. Loop-only. Destroying it abandons what was not finished.
class BodyUpload {
  public:
    /// `onProgress` is called on the loop when wantsMore() may have become true again, and when the
    /// upload has failed. `store` and `loop` outlive this object's workers: the store ends first.
    BodyUpload(BodyStore& store, Executor& loop, std::function<void()> onProgress);
    ~BodyUpload();
    BodyUpload(const BodyUpload&) = delete;
    BodyUpload& operator=(const BodyUpload&) = delete;

    /// Takes all of `bytes`; who does not look at wantsMore() before the next call has no bound.
    void append(std::string_view bytes);
    /// False: the disk is behind; stop reading until onProgress.
    bool wantsMore() const;
    /// Why nothing more is written. What is appended then is dropped.
    std::optional<Error> failure() const;
    /// Nothing more comes. `done` is called on the loop with the durable body, unless this object
    /// is destroyed before.
    void finish(std::function<void(Result<LargeBodyPtr>)> done);

    std::uint64_t size() const { return size_; }

  private:
    struct State;

    void hand();

    std::shared_ptr<State> state_;
    std::string piece_;  ///< being filled
    std::uint64_t size_ = 0;
};

/// One body on its way out, or a part of it. Loop-only; destroying it cancels.
class BodyDownload {
  public:
    using Handler = std::function<void(Result<Buffer>)>;

    /// The `size` bytes from `offset` on, which must lie within the body.
    BodyDownload(BodyStore& store, Executor& loop, LargeBodyPtr body, std::uint64_t offset,
                 std::uint64_t size);
    ~BodyDownload();
    BodyDownload(const BodyDownload&) = delete;
    BodyDownload& operator=(const BodyDownload&) = delete;

    /// Fetches the next piece; `handler` gets it on the loop, unless this object is destroyed
    /// before. One at a time, and not when left() is 0.
    void next(Handler handler);
    /// Bytes that were not handed to a handler yet.
    std::uint64_t left() const { return left_; }

  private:
    struct State;

    std::shared_ptr<State> state_;
    std::uint64_t offset_;
    std::uint64_t left_;
};

}  // namespace busbar
