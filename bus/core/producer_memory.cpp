#include "bus/core/producer_memory.h"

#include "bus/message/wire.h"

#include <algorithm>

namespace busbar {
namespace {

constexpr std::size_t kRefusedMax = 1000;

}  // namespace

const ProducerMemory::Last* ProducerMemory::find(const std::string& key) const {
    const auto found = producers_.find(key);
    return found == producers_.end() ? nullptr : &found->second;
}

void ProducerMemory::set(const std::string& key, Last last) {
    if (last.sequence == 0)
        producers_.erase(key);
    else
        producers_[key] = std::move(last);
}

bool ProducerMemory::taken(const Last& last, std::uint64_t sequence) {
    return sequence <= last.sequence &&
           std::find(last.refused.begin(), last.refused.end(), sequence) == last.refused.end();
}

std::optional<ProducerMemory::Last> ProducerMemory::refuse(const std::string& key,
                                                           std::uint64_t sequence, Last before) {
    const auto found = producers_.find(key);
    if (found == producers_.end()) return std::nullopt;
    Last& last = found->second;
    if (last.sequence <= sequence) {
        // Higher ones may be taken before it comes again.
        before.refused.push_back(sequence);
        before.time = last.time;
        if (before.refused.size() > kRefusedMax) before.refused.erase(before.refused.begin());
        last = std::move(before);
        return std::nullopt;
    }
    last.refused.push_back(sequence);
    if (last.refused.size() > kRefusedMax) last.refused.erase(last.refused.begin());
    return last;
}

std::optional<std::string> ProducerMemory::takeOlder(WallTime limit) {
    const auto old = std::find_if(producers_.begin(), producers_.end(),
                                  [&](const auto& p) { return p.second.time < limit; });
    if (old == producers_.end()) return std::nullopt;
    std::string key = old->first;
    producers_.erase(old);
    return key;
}

std::string ProducerMemory::key(std::string_view user, std::string_view producer) {
    std::string key(user);
    key += '\0';
    key += producer;
    return key;
}

std::string ProducerMemory::encode(const Last& last) {
    std::string row;
    putFixed<std::uint8_t>(row, 1);
    putFixed(row, last.sequence);
    putString(row, last.messageId);
    putFixed<std::int64_t>(row, last.time.time_since_epoch().count());
    putVarint(row, last.refused.size());
    for (const auto sequence : last.refused) putVarint(row, sequence);
    return row;
}

std::optional<ProducerMemory::Last> ProducerMemory::decode(std::string_view row) {
    WireReader in(row);
    if (in.fixed<std::uint8_t>() != 1) return std::nullopt;
    Last last;
    last.sequence = in.fixed<std::uint64_t>();
    last.messageId = in.string();
    last.time = WallTime(Milliseconds(in.fixed<std::int64_t>()));
    for (std::uint64_t n = in.varint(); n > 0 && in.ok(); --n) last.refused.push_back(in.varint());
    if (!in.ok()) return std::nullopt;
    return last;
}

}  // namespace busbar
