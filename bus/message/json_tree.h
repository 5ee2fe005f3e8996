// JSON texts as trees, for what strangers send: RFC 8259 to the letter, UTF-8, bounded.
#pragma once

#include "bus/base/result.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace busbar::json {

struct Node;
struct Member;
using Items = std::vector<Node>;
using Members = std::vector<Member>;

/// A number keeps its digits until its type is known.
struct Number {
    std::string text;
    bool whole = false;
};

/// monostate: null.
struct Node {
    std::variant<std::monostate, bool, Number, std::string, Items, Members> data;

    bool isNull() const { return std::holds_alternative<std::monostate>(data); }
    /// The member of that name; nullptr where there is none, or where this is no object.
    const Node* member(std::string_view name) const;
};

struct Member {
    std::string name;
    Node value;
};

/// What a text may hold. Lists and maps of typed values (json_reader.h) take two levels each, and
/// three nodes a value: `values` is what errors speak of.
struct TreeLimits {
    std::size_t values = 0;
    std::size_t nodes = 0;
    int depth = 0;
};

/// malformed says at which byte and what was expected; tooLarge for the limits. Names are there
/// once in each object. Half of a surrogate pair that stands alone is kept as the three bytes that
/// UTF-8 would have for it: such text is not UTF-8 (see isUtf8).
Result<Node> parse(std::string_view text, const TreeLimits& limits);

}  // namespace busbar::json
