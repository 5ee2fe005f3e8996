// Thousands of selectors, one message: which of them match?
#pragma once

#include "bus/selector/selector.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace busbar {

/// A set of selectors under numbers of the caller's choice. A selector with an equality key is
/// looked at only for messages that have one of its values; the others are evaluated for each
/// message. One text is evaluated once, however many numbers it is there for. Belongs to one
/// thread; holds no message.
class SelectorIndex {
  public:
    /// Puts `selector` (not null) under `id`, in place of an earlier one of that id.
    void add(std::uint64_t id, std::shared_ptr<const Selector> selector);
    /// Forgets `id`; it need not be there.
    void remove(std::uint64_t id);

    /// Replaces the content of `out` by the ids of the selectors that match, each once, ascending.
    void match(const Message& message, std::vector<std::uint64_t>& out) const;

    std::size_t size() const { return groupOf_.size(); }
    bool empty() const { return groupOf_.empty(); }

  private:
    /// All ids of one text.
    struct Group {
        std::shared_ptr<const Selector> selector;
        std::vector<std::uint64_t> ids;  ///< ascending
    };
    using Groups = std::vector<Group*>;
    /// The groups whose equality key is about one property.
    struct Bucket {
        StringKeys strings;
        std::unordered_map<IndexKey, Groups, IndexKeyHash, IndexKeyEqual> byValue;
    };
    /// Not noexcept: libstdc++ then keeps the hash beside the text instead of computing it again.
    struct TextHash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const {
            return std::hash<std::string_view>{}(text);
        }
    };
    /// At most one bucket of each kind of strings under a name.
    using Buckets = std::unordered_map<std::string, std::vector<Bucket>, TextHash, std::equal_to<>>;

    Buckets& bucketsFor(std::string_view property);
    void enter(Group& group);
    void leave(Group& group);
    void collect(const std::string& property, const std::vector<Bucket>& buckets,
                 const Message& message, std::vector<std::uint64_t>& out) const;
    void collectByProperty(const Message& message, std::vector<std::uint64_t>& out) const;

    std::unordered_map<std::string, std::unique_ptr<Group>, TextHash, std::equal_to<>> groups_;
    std::unordered_map<std::uint64_t, Group*> groupOf_;
    Buckets byHeader_;    ///< equality keys about JMS headers: few names
    Buckets byProperty_;  ///< about properties: any number of names
    Groups unkeyed_;
};

}  // namespace busbar
