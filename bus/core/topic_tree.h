// Which subscriptions want a message of this topic? Patterns over the levels of topic names.
#pragma once

#include "bus/base/ids.h"

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace busbar {

/// Patterns: levels are separated by `.`; `*` or `+` stands for exactly one level, `>` or `#` as
/// the last level for any number of further levels (also none). A `*` inside a longer level is an
/// ordinary character. Names are those that checkDestinationName accepts: at most 255 bytes.
///
/// Patterns without a wildcard lie in one hash table. The others form a tree by levels, in which a
/// pattern that shares no further level with another is kept as its remaining text: few nodes, and
/// long patterns cost a comparison of text rather than a walk. Matching takes time in the number of
/// wildcard patterns that agree with the topic's first levels and in the number of results; adding
/// and removing in the number of levels and, by a move of memory, of subscriptions of that very
/// pattern. Belongs to one thread.
class TopicTree {
  public:
    TopicTree();
    ~TopicTree();
    TopicTree(const TopicTree&) = delete;
    TopicTree& operator=(const TopicTree&) = delete;

    /// A second add of the same pair changes nothing.
    void add(std::string_view pattern, QueueId subscription);
    /// The pair need not be there.
    void remove(std::string_view pattern, QueueId subscription);
    /// Is there no subscription at all?
    bool empty() const;

    /// The subscriptions that match, each once, ascending. The reference is valid until the next
    /// add or remove, or until some 100 000 other topics were matched. Most results are not
    /// computed but lie in the tree; those that had to be put together are remembered until the
    /// next add or remove, so that a busy topic costs one look-up.
    const std::vector<QueueId>& match(const std::string& topic);

  private:
    using Ids = std::vector<QueueId>;  ///< ascending, each once
    struct Branch;
    struct Node;
    struct Search;
    /// Not noexcept: libstdc++ then keeps the hash beside the text instead of computing it again.
    struct TextHash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const {
            return std::hash<std::string_view>{}(text);
        }
    };
    template <class T>
    using ByText = std::unordered_map<std::string, T, TextHash, std::equal_to<>>;

    static void insert(Ids& ids, QueueId id);
    static void erase(Ids& ids, QueueId id);
    static Ids merged(std::vector<const Ids*>& sources);
    static void collect(const Node& node, std::string_view rest, Search& search);
    static void pushDown(Node& node);
    static bool eraseBelow(Node& node, std::string_view rest, QueueId subscription);
    const Ids& remember(const std::string& topic, Ids ids);
    void forgetResults();

    ByText<Ids> literals_;
    std::unique_ptr<Node> wild_;
    std::vector<const Ids*> sources_;  ///< of the match at work; kept for its memory
    std::string dotted_;               ///< its topic, likewise
    ByText<Ids> results_;
    ByText<Ids> olderResults_;     ///< kept for those who still look at one
    std::size_t resultsSize_ = 0;  ///< ids in results_, and one for each topic
};

}  // namespace busbar
