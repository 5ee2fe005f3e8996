// Bodies that are too large for memory: written as they arrive, read as they are wanted.
#pragma once

#include "bus/base/result.h"
#include "bus/message/message.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>

namespace busbar {

/// One body on its way into the store. One thread at a time. All calls block on the disk.
class BodyWriter {
  public:
    /// Abandons what was not finished.
    virtual ~BodyWriter() = default;

    /// Adds bytes to the end. storageFull: no room, or only what the messages need that are there;
    /// storageFailed. After an error only abandon() is left.
    virtual Result<void> append(std::string_view bytes) = 0;

    /// Makes the body durable: it survives power loss from now on, as long as the result, a copy of
    /// it, or a stored message refers to it. Nothing may follow.
    virtual Result<LargeBodyPtr> finish() = 0;

    /// Removes what was written. Calling it twice, or after finish(), does nothing.
    virtual void abandon() = 0;

    virtual std::uint64_t size() const = 0;
};

/// Reads one body. One thread at a time. All calls block on the disk.
class BodyReader {
  public:
    virtual ~BodyReader() = default;

    /// Fills `into` from `offset` on; fewer bytes only at the end of the body. storageCorrupt where
    /// the file is shorter than the body.
    virtual Result<std::size_t> read(std::uint64_t offset, std::span<char> into) const = 0;
};

/// Keeps large bodies beside the messages that refer to them.
///
/// Problem: a body of gigabytes fits neither into memory nor into a unit of work, and must still
/// become visible as one message or not at all. So its bytes are durable first, under a name of
/// their own that nobody else knows; then a unit of work adds the message that refers to them
/// (Message::large). Several messages may refer to one body: copies, moves, dead letters.
///
/// A body lives as long as anything refers to it: a LargeBodyPtr that begin() or pin() led to, or a
/// message in the store. When the last of them is gone its file is removed, a message's reference
/// not before its removal is durable. What nothing refers to after a restart is removed then.
///
/// Threads: any, also for the destruction of a LargeBodyPtr, which never blocks. begin(), open()
/// and what they return block: call them on workers (run), never on a loop.
class BodyStore {
  public:
    virtual ~BodyStore() = default;

    /// A new, empty body. storageFull where there is no room left for bodies; closed before
    /// recovery and after the store's end.
    virtual Result<std::unique_ptr<BodyWriter>> begin() = 0;

    /// The body of a message. notFound where it is gone, storageCorrupt where its file is missing
    /// or shorter.
    virtual Result<std::unique_ptr<BodyReader>> open(const LargeBodyPtr& body) = 0;

    /// A reference that keeps the body. Cheap; the same one for every caller while any lives.
    virtual LargeBodyPtr pin(const LargeBody& body) = 0;

    /// Runs `task` on a worker thread. False, without running it, after the store's end began.
    [[nodiscard]] virtual bool run(std::function<void()> task) = 0;
};

}  // namespace busbar
