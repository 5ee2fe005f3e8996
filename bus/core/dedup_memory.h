// Was this sent before? The first outcome of every send that named itself, for a window of time and
// number.
#pragma once

#include "bus/base/clock.h"
#include "bus/base/ids.h"
#include "bus/message/message.h"

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace busbar {

/// The memory itself; the Broker makes its rows part of the unit of work of the send, and so
/// durable with it.
class DedupMemory {
  public:
    struct Outcome {
        std::string messageId;
        std::uint64_t contentHash = 0;
        WallTime at{};
    };

    /// One name for "this id, by this user, to this destination".
    static std::string key(std::string_view destination, std::string_view user,
                           std::string_view dedupId);

    const Outcome* find(const std::string& key) const;
    void remember(std::string key, Outcome outcome);
    /// After recovery, whose order is not that of time.
    void sort();
    void forget(const std::string& key) { known_.erase(key); }

    /// Takes out the oldest key that is over the window or over the number; nothing where none is.
    std::optional<std::string> takeOldest(WallTime now, Milliseconds window, std::uint64_t max);

    std::size_t size() const { return known_.size(); }

    static std::string encode(const Outcome& outcome);
    static std::optional<Outcome> decode(std::string_view row);

  private:
    std::unordered_map<std::string, Outcome> known_;
    std::deque<std::pair<WallTime, std::string>> order_;
};

/// FNV-1a over the bytes: tells a repeated send from another one under the same id. Not
/// cryptographic.
std::uint64_t contentHash(std::string_view bytes);
/// Of a message's body; of a large one by its size and checksum, without reading it.
std::uint64_t contentHash(const Message& message);

}  // namespace busbar
