// What did a producer send last? For producers that number their messages.
#pragma once

#include "bus/base/clock.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace busbar {

/// The last sequence number of each producer that was seen within the dedup window, with its
/// outcome: one small row a producer, however much it sends.
class ProducerMemory {
  public:
    struct Last {
        std::uint64_t sequence = 0;  ///< 0: nothing yet
        std::string messageId;
        WallTime time{};
        std::vector<std::uint64_t> refused;  ///< numbers below that the disk did not take
    };

    const Last* find(const std::string& key) const;
    void set(const std::string& key, Last last);  ///< sequence 0 forgets
    /// The send of this number was refused by the store: it may come again. `before`: what was
    /// known when it came. Returns what is to be stored now, where that differs from what any
    /// stored row says.
    std::optional<Last> refuse(const std::string& key, std::uint64_t sequence, Last before);
    /// Whether the number was taken already.
    static bool taken(const Last& last, std::uint64_t sequence);
    /// Forgets one that was last seen before `limit`; its key.
    std::optional<std::string> takeOlder(WallTime limit);
    bool empty() const { return producers_.empty(); }

    /// Of a user's producer.
    static std::string key(std::string_view user, std::string_view producer);
    static std::string encode(const Last& last);
    static std::optional<Last> decode(std::string_view row);

  private:
    std::unordered_map<std::string, Last> producers_;
};

}  // namespace busbar
