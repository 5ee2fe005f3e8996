#include "bus/core/link_memory.h"

#include "bus/core/rows.h"
#include "bus/message/wire.h"

#include <algorithm>

namespace busbar {

std::string LinkMemory::key(std::string_view user, std::string_view link) {
    std::string key;
    putString(key, user);
    putString(key, link);
    return key;
}

LinkMemory::Link* LinkMemory::find(const std::string& key) {
    const auto found = links_.find(key);
    return found == links_.end() ? nullptr : &found->second;
}

std::vector<std::string> LinkMemory::remember(Link& link, const std::string& tag, Sent sent) {
    forget(link, tag);
    sent.number = ++link.last;
    link.used = std::max(link.used, sent.at);
    link.order.emplace(sent.number, tag);
    link.sent.emplace(tag, std::move(sent));
    ++sends_;
    std::vector<std::string> over;
    while (link.sent.size() > kSendsMax) {
        over.push_back(link.order.begin()->second);
        forget(link, over.back());
    }
    return over;
}

bool LinkMemory::forget(Link& link, const std::string& tag) {
    const auto found = link.sent.find(tag);
    if (found == link.sent.end()) return false;
    link.order.erase(found->second.number);
    link.sent.erase(found);
    --sends_;
    return true;
}

std::vector<std::string> LinkMemory::drop(const std::string& key) {
    std::vector<std::string> tags;
    const auto found = links_.find(key);
    if (found == links_.end()) return tags;
    for (const auto& [tag, sent] : found->second.sent) tags.push_back(tag);
    sends_ -= tags.size();
    links_.erase(found);
    return tags;
}

std::string LinkMemory::rowKey(const std::string& key, std::string_view tag) {
    std::string row(rows::kLinkPrefix);
    row += key;
    row += tag;
    return row;
}

std::string LinkMemory::encode(const Sent& sent) {
    std::string row;
    putFixed<std::uint8_t>(row, 1);
    putFixed<std::uint64_t>(row, sent.number);
    putFixed<std::int64_t>(row, sent.at.time_since_epoch().count());
    putString(row, sent.messageId);
    return row;
}

/// Rows come in any order: their numbers say which was first.
bool LinkMemory::recover(std::string_view row, std::string_view value) {
    row.remove_prefix(rows::kLinkPrefix.size());
    WireReader names(row);
    const auto user = names.string();
    const auto name = names.string();
    WireReader in(value);
    const auto version = in.fixed<std::uint8_t>();
    Sent sent;
    sent.number = in.fixed<std::uint64_t>();
    sent.at = WallTime(Milliseconds(in.fixed<std::int64_t>()));
    sent.messageId = in.string();
    if (!names.ok() || !in.ok() || version != 1) return false;
    Link& link = open(key(user, name));
    const std::string tag(row.substr(names.position()));
    forget(link, tag);
    link.last = std::max(link.last, sent.number);
    link.used = std::max(link.used, sent.at);
    link.order.emplace(sent.number, tag);
    link.sent.emplace(tag, std::move(sent));
    ++sends_;
    return true;
}

}  // namespace busbar
