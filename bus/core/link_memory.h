// What has become of the sends of links that can be resumed: for clients that come back after a
// lost connection and ask.
#pragma once

#include "bus/base/clock.h"
#include "bus/base/ids.h"
#include "bus/core/commands.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace busbar {

/// The sends of each link that were taken and of which the client may not know it yet, by the tags
/// that the client gave them. One row a send, written and erased with the units of work that it
/// belongs to (the Broker's). A tag may be used again: the last send of it counts.
///
/// Bounded: the oldest sends of a link beyond kSendsMax are forgotten. A client that waits for
/// answers before it sends more (credit) has long had theirs.
class LinkMemory {
  public:
    static constexpr std::size_t kSendsMax = 2048;    ///< of one link
    static constexpr std::size_t kLinksMax = 10'000;  ///< with sends, or in use

    struct Sent {
        std::uint64_t number = 0;  ///< ascending within the link
        WallTime at{};
        std::string messageId;
    };
    struct Link {
        SessionId owner;                    ///< whose sends are taken
        std::uint32_t inFlight = 0;         ///< sends on their way to the disk
        std::optional<ResumeLink> waiting;  ///< answered when none is
        WallTime used{};
        std::unordered_map<std::string, Sent> sent;  ///< by tag
        std::map<std::uint64_t, std::string> order;
        std::uint64_t last = 0;  ///< number
    };

    /// Of a user's link.
    static std::string key(std::string_view user, std::string_view link);

    Link* find(const std::string& key);
    Link& open(const std::string& key) { return links_[key]; }
    /// Remembers one more. Returns the tags whose rows are to be erased.
    std::vector<std::string> remember(Link& link, const std::string& tag, Sent sent);
    /// False where the tag is not known.
    bool forget(Link& link, const std::string& tag);
    /// Drops the link with all that is known of it; its tags.
    std::vector<std::string> drop(const std::string& key);

    /// Of the links that `mayGo` says yes to, the one that was not used for the longest time;
    /// nothing where there is none. Not one that has something on its way.
    template <class MayGo>
    const std::string* longestUnused(MayGo mayGo) const {
        const std::string* oldest = nullptr;
        WallTime since{};
        for (const auto& [key, link] : links_) {
            if ((oldest && link.used >= since) || link.inFlight > 0 || link.waiting) continue;
            if (!mayGo(key, link)) continue;
            oldest = &key;
            since = link.used;
        }
        return oldest;
    }

    std::size_t size() const { return links_.size(); }
    std::size_t sends() const { return sends_; }
    std::unordered_map<std::string, Link>& all() { return links_; }

    // Rows (Table::instance): key, value.
    static std::string rowKey(const std::string& key, std::string_view tag);
    static std::string encode(const Sent& sent);
    /// False where the row makes no sense.
    bool recover(std::string_view rowKey, std::string_view value);

  private:
    std::unordered_map<std::string, Link> links_;
    std::size_t sends_ = 0;
};

}  // namespace busbar
