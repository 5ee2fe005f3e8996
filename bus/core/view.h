// Which messages of a queue are for whom? Consumers with one selector share a View; Scanners walk
// the queue once and note in the views what matches.
#pragma once

#include "bus/core/distributor.h"
#include "bus/core/place_set.h"
#include "bus/selector/selector.h"

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

namespace busbar {

struct Scanner;

/// What consumers with the same selector see of a queue. The view of everything has no selector and
/// reads the message list itself; the others have a list of their own of the places that match.
struct View {
    std::shared_ptr<const Selector> selector;  ///< null: everything
    std::uint32_t members = 0;
    std::uint32_t fetchers = 0;  ///< that wait for something of it
    SteadyTime unusedSince{};    ///< of one that is kept although nobody has it now
    Distributor distributor;
    bool dry = false;  ///< nothing to give until something new is there

    Scanner* scanner = nullptr;
    std::vector<IndexKey> keys;  ///< of an indexed one: where it looks
    PlaceSet matches;            ///< ready ones, seen to match; stale ones are dropped on the way
    PlaceSet unchecked;          ///< have one of the keys, not evaluated yet

    std::uint64_t window = 0;  ///< of all its consumers, in messages
    std::uint32_t eager = 0;   ///< consumers without a window: their credit comes as they see fit
    bool patient = false;      ///< its messages are on the disk, its consumers have enough to do
    bool hurried = false;      ///< is not to wait before its next fetch

    /// How many its consumers may take now; at least one.
    std::uint64_t wanted() const { return std::max<std::uint64_t>(1, distributor.credit()); }

    /// Where it stands among the queue's views that could give something: by the priority and turn
    /// of its first consumer.
    using Standing = std::tuple<std::int64_t, std::uint64_t, View*>;
    std::optional<Standing> standing;
};

/// Walks a queue's ready messages in the order of their delivery and tells views of those that
/// match. Problem: a thousand consumers, each with `customer = 'N'`, must not each look at a
/// million messages. So the consumers whose selectors ask for the same property share one scanner,
/// which files each message under its value of that property. A selector without such a property
/// has a scanner for itself.
///
/// What lies before `next` has been looked at; a message that becomes ready again there is looked
/// at on the spot. Messages that are not in memory are fetched first.
struct Scanner {
    std::string property;  ///< empty: of `only`
    StringKeys strings = StringKeys::asTheyAre;
    View* only = nullptr;
    std::array<std::uint64_t, MessageList::kPriorities> next{};
    bool behind = true;  ///< there may be something that was not looked at
    bool waits = false;  ///< for a message to be fetched
    std::uint32_t users = 0;
    SteadyTime unusedSince{};

    struct Bucket {
        PlaceSet places;  ///< every ready message with this value, stale ones too
        std::vector<View*> views;
    };
    std::unordered_map<IndexKey, Bucket, IndexKeyHash, IndexKeyEqual> buckets;
    std::size_t filed = 0;  ///< places in all buckets
};

}  // namespace busbar
