#include "bus/core/topic_tree.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace busbar {
namespace {

/// Ids and topics that are remembered before the older half is given up: 16 MiB or so.
constexpr std::size_t kResultsMax = 500'000;
/// A result from one place is worth remembering where more nodes than this were looked at.
constexpr std::size_t kNodesCheap = 16;

const std::vector<QueueId> kNone;

/// What remains of a name below a node begins with a dot before each level; empty: nothing remains.
struct Level {
    std::string_view text;
    std::string_view rest;
};

Level firstLevel(std::string_view rest) {
    const auto dot = rest.find('.', 1);
    if (dot == std::string_view::npos) return {rest.substr(1), {}};
    return {rest.substr(1, dot - 1), rest.substr(dot)};
}

bool isRest(std::string_view rest) {
    return rest == ".>";
}

/// One spelling of each wildcard, and a dot in front.
struct Pattern {
    std::string text;
    bool wild = false;

    explicit Pattern(std::string_view pattern) {
        text.reserve(pattern.size() + 1);
        for (std::string_view rest = pattern;; rest.remove_prefix(1)) {
            const auto dot = std::min(rest.find('.'), rest.size());
            append(rest.substr(0, dot), dot == rest.size());
            rest.remove_prefix(dot);
            if (rest.empty()) return;
        }
    }

    std::string_view literal() const { return std::string_view(text).substr(1); }

  private:
    void append(std::string_view level, bool last) {
        const bool any = level == "*" || level == "+";
        const bool rest = last && (level == ">" || level == "#");
        text += '.';
        text += any ? "*" : rest ? ">" : level;
        wild = wild || any || rest;
    }
};

/// For a pattern that is kept as text. Character by character: levels are short.
bool matches(std::string_view pattern, std::string_view topic) {
    const char *p = pattern.data(), *const pEnd = p + pattern.size();
    const char *t = topic.data(), *const tEnd = t + topic.size();
    for (; p != pEnd; ++p, ++t) {  // both at the dot before a level
        if (pEnd - p == 2 && p[1] == '>') return true;
        if (t == tEnd) return false;
        const bool any = pEnd - p >= 2 && p[1] == '*' && (pEnd - p == 2 || p[2] == '.');
        if (any) {
            ++p;
            while (t + 1 != tEnd && t[1] != '.') ++t;
        } else {
            for (; p + 1 != pEnd && p[1] != '.'; ++p, ++t) {
                if (t + 1 == tEnd || t[1] != p[1]) return false;
            }
            if (t + 1 != tEnd && t[1] != '.') return false;
        }
    }
    return t == tEnd;
}

}  // namespace

/// Without a branch: one pattern, of which `tail` remains, or none yet. With one: any number, and
/// `tail` and `ids` are empty.
struct TopicTree::Node {
    std::string tail;
    Ids ids;
    std::unique_ptr<Branch> branch;

    bool empty() const { return ids.empty() && !branch; }
};

struct TopicTree::Branch {
    ByText<Node> children;
    std::unique_ptr<Node> any;  ///< one level, whatever its name
    Ids here;                   ///< patterns that end at this node
    Ids rest;                   ///< patterns that end with `>` below this node

    bool empty() const { return children.empty() && !any && here.empty() && rest.empty(); }

    Node& child(std::string_view level) {
        if (level == "*") {
            if (!any) any = std::make_unique<Node>();
            return *any;
        }
        const auto known = children.find(level);
        return known != children.end() ? known->second : children[std::string(level)];
    }
};

struct TopicTree::Search {
    std::vector<const Ids*>& sources;
    std::size_t nodes = 0;

    void found(const Ids& ids) {
        if (!ids.empty()) sources.push_back(&ids);
    }
};

TopicTree::TopicTree() : wild_(std::make_unique<Node>()) {}
TopicTree::~TopicTree() = default;

bool TopicTree::empty() const {
    return literals_.empty() && wild_->empty();
}

void TopicTree::insert(Ids& ids, QueueId id) {
    // New subscriptions have the highest id of all.
    if (ids.empty() || ids.back() < id) {
        ids.push_back(id);
        return;
    }
    const auto at = std::lower_bound(ids.begin(), ids.end(), id);
    if (*at != id) ids.insert(at, id);
}

void TopicTree::erase(Ids& ids, QueueId id) {
    const auto at = std::lower_bound(ids.begin(), ids.end(), id);
    if (at != ids.end() && *at == id) ids.erase(at);
}

/// Turns the one pattern of `node` into a branch with that pattern a level further down.
void TopicTree::pushDown(Node& node) {
    node.branch = std::make_unique<Branch>();
    if (node.ids.empty()) return;
    const std::string tail = std::exchange(node.tail, {});
    Ids ids = std::exchange(node.ids, {});
    if (tail.empty()) {
        node.branch->here = std::move(ids);
    } else if (isRest(tail)) {
        node.branch->rest = std::move(ids);
    } else {
        const Level level = firstLevel(tail);
        Node& child = node.branch->child(level.text);
        child.tail = level.rest;
        child.ids = std::move(ids);
    }
}

void TopicTree::add(std::string_view pattern, QueueId subscription) {
    forgetResults();
    const Pattern p(pattern);
    if (!p.wild) {
        insert(literals_[std::string(p.literal())], subscription);
        return;
    }
    Node* node = wild_.get();
    for (std::string_view rest = p.text;;) {
        if (node->empty()) node->tail = rest;
        if (!node->branch && node->tail == rest) return insert(node->ids, subscription);
        if (!node->branch) pushDown(*node);
        if (rest.empty()) return insert(node->branch->here, subscription);
        if (isRest(rest)) return insert(node->branch->rest, subscription);
        const Level level = firstLevel(rest);
        node = &node->branch->child(level.text);
        rest = level.rest;
    }
}

/// True where nothing is left in `node`. Recursive in the levels of the pattern.
bool TopicTree::eraseBelow(Node& node, std::string_view rest, QueueId subscription) {
    if (!node.branch) {
        if (node.tail == rest) erase(node.ids, subscription);
        return node.empty();
    }
    Branch& branch = *node.branch;
    if (rest.empty()) {
        erase(branch.here, subscription);
    } else if (isRest(rest)) {
        erase(branch.rest, subscription);
    } else {
        const Level level = firstLevel(rest);
        if (level.text == "*") {
            if (branch.any && eraseBelow(*branch.any, level.rest, subscription)) branch.any.reset();
        } else if (const auto child = branch.children.find(level.text);
                   child != branch.children.end() &&
                   eraseBelow(child->second, level.rest, subscription)) {
            branch.children.erase(child);
        }
    }
    if (branch.empty()) node.branch.reset();
    return node.empty();
}

void TopicTree::remove(std::string_view pattern, QueueId subscription) {
    forgetResults();
    const Pattern p(pattern);
    if (p.wild) {
        eraseBelow(*wild_, p.text, subscription);
        return;
    }
    const auto known = literals_.find(p.literal());
    if (known == literals_.end()) return;
    erase(known->second, subscription);
    if (known->second.empty()) literals_.erase(known);
}

/// Recursive in the levels that patterns share.
void TopicTree::collect(const Node& node, std::string_view rest, Search& search) {
    ++search.nodes;
    if (!node.branch) {
        if (matches(node.tail, rest)) search.found(node.ids);
        return;
    }
    const Branch& branch = *node.branch;
    search.found(branch.rest);
    if (rest.empty()) {
        search.found(branch.here);
        return;
    }
    const Level level = firstLevel(rest);
    if (const auto child = branch.children.find(level.text); child != branch.children.end())
        collect(child->second, level.rest, search);
    if (branch.any) collect(*branch.any, level.rest, search);
}

/// The largest source is in order already: the others are sorted and merged into it.
TopicTree::Ids TopicTree::merged(std::vector<const Ids*>& sources) {
    const auto largest =
        std::max_element(sources.begin(), sources.end(),
                         [](const Ids* a, const Ids* b) { return a->size() < b->size(); });
    std::iter_swap(sources.begin(), largest);
    Ids others;
    for (std::size_t i = 1; i < sources.size(); ++i)
        others.insert(others.end(), sources[i]->begin(), sources[i]->end());
    std::sort(others.begin(), others.end());
    others.erase(std::unique(others.begin(), others.end()), others.end());
    Ids all;
    all.reserve(sources[0]->size() + others.size());
    std::set_union(sources[0]->begin(), sources[0]->end(), others.begin(), others.end(),
                   std::back_inserter(all));
    return all;
}

const TopicTree::Ids& TopicTree::remember(const std::string& topic, Ids ids) {
    resultsSize_ += ids.size() + 1;
    if (resultsSize_ > kResultsMax) {
        olderResults_ = std::exchange(results_, {});
        resultsSize_ = ids.size() + 1;
    }
    return results_.emplace(topic, std::move(ids)).first->second;
}

void TopicTree::forgetResults() {
    // Not clear() nor = {}, which keep the table and take time in its size each time.
    if (!results_.empty()) results_ = ByText<Ids>();
    if (!olderResults_.empty()) olderResults_ = ByText<Ids>();
    resultsSize_ = 0;
}

const std::vector<QueueId>& TopicTree::match(const std::string& topic) {
    if (wild_->empty()) {
        const auto known = literals_.find(topic);
        return known != literals_.end() ? known->second : kNone;
    }
    if (!results_.empty()) {
        const auto known = results_.find(topic);
        if (known != results_.end()) return known->second;
    }
    sources_.clear();
    Search search{sources_};
    if (const auto known = literals_.find(topic); known != literals_.end())
        search.found(known->second);
    dotted_ = '.';
    dotted_ += topic;
    collect(*wild_, dotted_, search);
    if (sources_.size() > 1) return remember(topic, merged(sources_));
    const Ids& ids = sources_.empty() ? kNone : *sources_.front();
    return search.nodes > kNodesCheap ? remember(topic, ids) : ids;
}

}  // namespace busbar
