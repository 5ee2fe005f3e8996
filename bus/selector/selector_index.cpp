#include "bus/selector/selector_index.h"

#include "bus/selector/field.h"

#include <algorithm>
#include <utility>

namespace busbar {

SelectorIndex::Buckets& SelectorIndex::bucketsFor(std::string_view property) {
    return selector::sourceOf(property) == selector::Source::property ? byProperty_ : byHeader_;
}

void SelectorIndex::enter(Group& group) {
    const auto& key = group.selector->equalityKey();
    if (!key) {
        unkeyed_.push_back(&group);
        return;
    }
    auto& buckets = bucketsFor(key->property)[key->property];
    auto bucket = std::find_if(buckets.begin(), buckets.end(),
                               [&](const Bucket& b) { return b.strings == key->strings; });
    if (bucket == buckets.end()) bucket = buckets.insert(bucket, Bucket{key->strings, {}});
    for (const IndexKey& value : key->values) bucket->byValue[value].push_back(&group);
}

void SelectorIndex::leave(Group& group) {
    const auto& key = group.selector->equalityKey();
    if (!key) {
        std::erase(unkeyed_, &group);
        return;
    }
    Buckets& all = bucketsFor(key->property);
    const auto named = all.find(key->property);
    auto& buckets = named->second;
    const auto bucket = std::find_if(buckets.begin(), buckets.end(),
                                     [&](const Bucket& b) { return b.strings == key->strings; });
    for (const IndexKey& value : key->values) {
        const auto at = bucket->byValue.find(value);
        std::erase(at->second, &group);
        if (at->second.empty()) bucket->byValue.erase(at);
    }
    if (bucket->byValue.empty()) buckets.erase(bucket);
    if (buckets.empty()) all.erase(named);
}

void SelectorIndex::add(std::uint64_t id, std::shared_ptr<const Selector> selector) {
    remove(id);
    auto& group = groups_[selector->text()];
    if (!group) {
        group = std::make_unique<Group>(Group{std::move(selector), {}});
        enter(*group);
    }
    group->ids.insert(std::lower_bound(group->ids.begin(), group->ids.end(), id), id);
    groupOf_[id] = group.get();
}

void SelectorIndex::remove(std::uint64_t id) {
    const auto known = groupOf_.find(id);
    if (known == groupOf_.end()) return;
    Group& group = *known->second;
    groupOf_.erase(known);
    group.ids.erase(std::lower_bound(group.ids.begin(), group.ids.end(), id));
    if (!group.ids.empty()) return;
    leave(group);
    groups_.erase(groups_.find(group.selector->text()));
}

namespace {

template <class Groups>
void appendMatching(const Groups& groups, const Message& message, std::vector<std::uint64_t>& out) {
    for (const auto* group : groups) {
        if (group->selector->matches(message))
            out.insert(out.end(), group->ids.begin(), group->ids.end());
    }
}

}  // namespace

void SelectorIndex::collect(const std::string& property, const std::vector<Bucket>& buckets,
                            const Message& message, std::vector<std::uint64_t>& out) const {
    for (const Bucket& bucket : buckets) {
        const auto key = indexKeyView(message, property, bucket.strings);
        if (!key) continue;
        const auto groups = bucket.byValue.find(*key);
        if (groups != bucket.byValue.end()) appendMatching(groups->second, message, out);
    }
}

void SelectorIndex::collectByProperty(const Message& message,
                                      std::vector<std::uint64_t>& out) const {
    // From whichever side there are fewer names.
    if (byProperty_.size() <= message.properties.size()) {
        for (const auto& [name, buckets] : byProperty_) collect(name, buckets, message, out);
        return;
    }
    for (const auto& [name, value] : message.properties) {
        const auto named = byProperty_.find(name);
        if (named != byProperty_.end()) collect(name, named->second, message, out);
    }
}

void SelectorIndex::match(const Message& message, std::vector<std::uint64_t>& out) const {
    out.clear();
    appendMatching(unkeyed_, message, out);
    for (const auto& [name, buckets] : byHeader_) collect(name, buckets, message, out);
    collectByProperty(message, out);
    // A property that a message has twice is met twice.
    std::sort(out.begin(), out.end());
    out.erase(std::unique(out.begin(), out.end()), out.end());
}

}  // namespace busbar
