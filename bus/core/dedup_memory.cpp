#include "bus/core/dedup_memory.h"

#include "bus/message/wire.h"

#include <algorithm>

namespace busbar {

std::string DedupMemory::key(std::string_view destination, std::string_view user,
                             std::string_view dedupId) {
    std::string out;
    putString(out, destination);
    putString(out, user);
    out.append(dedupId);
    return out;
}

const DedupMemory::Outcome* DedupMemory::find(const std::string& key) const {
    const auto found = known_.find(key);
    return found == known_.end() ? nullptr : &found->second;
}

void DedupMemory::remember(std::string key, Outcome outcome) {
    order_.emplace_back(outcome.at, key);
    known_.insert_or_assign(std::move(key), std::move(outcome));
}

std::optional<std::string> DedupMemory::takeOldest(WallTime now, Milliseconds window,
                                                   std::uint64_t max) {
    while (!order_.empty()) {
        auto& [at, key] = order_.front();
        const auto found = known_.find(key);
        if (found == known_.end() || found->second.at != at) {  // forgotten, or remembered anew
            order_.pop_front();
            continue;
        }
        if (known_.size() <= max && at + window > now) return std::nullopt;
        std::string out = std::move(key);
        known_.erase(found);
        order_.pop_front();
        return out;
    }
    return std::nullopt;
}

void DedupMemory::sort() {
    std::sort(order_.begin(), order_.end());
}

std::string DedupMemory::encode(const Outcome& outcome) {
    std::string row;
    putFixed<std::uint8_t>(row, 1);
    putFixed<std::int64_t>(row, outcome.at.time_since_epoch().count());
    putFixed<std::uint64_t>(row, outcome.contentHash);
    putString(row, outcome.messageId);
    return row;
}

std::optional<DedupMemory::Outcome> DedupMemory::decode(std::string_view row) {
    WireReader in(row);
    Outcome outcome;
    if (in.fixed<std::uint8_t>() != 1) return std::nullopt;
    outcome.at = WallTime(Milliseconds(in.fixed<std::int64_t>()));
    outcome.contentHash = in.fixed<std::uint64_t>();
    outcome.messageId = in.string();
    if (!in.ok()) return std::nullopt;
    return outcome;
}

std::uint64_t contentHash(std::string_view bytes) {
    std::uint64_t hash = 1469598103934665603ull;
    for (const char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ull;
    return hash;
}

std::uint64_t contentHash(const Message& message) {
    if (!message.large) return contentHash(message.body.view());
    std::string about;
    putFixed(about, message.large->size);
    putFixed(about, message.large->crc32c);
    return contentHash(about);
}

}  // namespace busbar
