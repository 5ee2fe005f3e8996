#include "adapters/openwire/cache.h"

#include "bus/base/check.h"

namespace busbar::openwire {
namespace {

std::size_t mix(std::size_t a, std::size_t b) {
    return a ^ (b + 0x9e3779b97f4a7c15ull + (a << 6) + (a >> 2));
}
std::size_t hashText(const Text& text) {
    return text ? std::hash<std::string>()(*text) : 0;
}
std::size_t hashNumber(std::int64_t number) {
    return std::hash<std::int64_t>()(number);
}

std::size_t hashOf(const BrokerId& id) {
    return hashText(id.value);
}
std::size_t hashOf(const ConnectionId& id) {
    return hashText(id.value);
}
std::size_t hashOf(const SessionId& id) {
    return mix(hashText(id.connectionId), hashNumber(id.value));
}
std::size_t hashOf(const ConsumerId& id) {
    return mix(mix(hashText(id.connectionId), hashNumber(id.sessionId)), hashNumber(id.value));
}
std::size_t hashOf(const ProducerId& id) {
    return mix(mix(hashText(id.connectionId), hashNumber(id.sessionId)), hashNumber(id.value));
}
std::size_t hashOf(const WireDestination& destination) {
    return mix(hashText(destination.physicalName), destination.wireType);
}
std::size_t hashOf(const TransactionId& transaction) {
    if (const auto* local = std::get_if<LocalTransactionId>(&transaction.id)) {
        return mix(local->connectionId ? hashOf(*local->connectionId) : 0,
                   hashNumber(local->value));
    }
    const auto& xa = std::get<XaTransactionId>(transaction.id);
    const auto bytes = [](const Blob& blob) {
        return blob ? std::hash<std::string_view>()(blob->view()) : 0;
    };
    return mix(mix(bytes(xa.globalTransactionId), bytes(xa.branchQualifier)),
               hashNumber(xa.formatId));
}

}  // namespace

std::size_t CachedHash::operator()(const CachedValue& value) const noexcept {
    const std::size_t hash = std::visit(
        [](const auto& ref) -> std::size_t {
            if constexpr (std::is_same_v<std::decay_t<decltype(ref)>, std::monostate>)
                return 0;
            else
                return ref ? hashOf(*ref) : 0;
        },
        value);
    return mix(hash, value.index());
}

bool CachedEqual::operator()(const CachedValue& a, const CachedValue& b) const {
    if (a.index() != b.index()) return false;
    return std::visit(
        [&](const auto& x) {
            using T = std::decay_t<decltype(x)>;
            if constexpr (std::is_same_v<T, std::monostate>) {
                return true;
            } else {
                const auto& y = std::get<T>(b);
                return x == y || (x && y && *x == *y);
            }
        },
        a);
}

void WriterCache::reset(std::size_t slots) {
    size_ = slots > kFree ? slots : 0;
    slots_ = {};
    indices_.clear();
    next_ = oldest_ = added_ = 0;
}

void WriterCache::beginFrame() {
    added_ = 0;
    if (size_ == 0) return;
    while (indices_.size() > size_ - kFree) {
        indices_.erase(slots_[oldest_]);
        slots_[oldest_] = {};
        oldest_ = (oldest_ + 1) % size_;
    }
}

void WriterCache::undoFrame() {
    for (; added_ > 0; --added_) {
        next_ = (next_ + size_ - 1) % size_;
        indices_.erase(slots_[next_]);
        slots_[next_] = {};
    }
}

std::int16_t WriterCache::find(const CachedValue& value) const {
    const auto at = indices_.find(value);
    return at == indices_.end() ? kNoSlot : at->second;
}

std::int16_t WriterCache::add(const CachedValue& value) {
    if (indices_.size() == size_) return kNoSlot;
    const auto index = static_cast<std::int16_t>(next_);
    const bool isNew = indices_.emplace(value, index).second;
    BUSBAR_CHECK(isNew, "a value was given a second slot of the marshalling cache");
    if (next_ == slots_.size()) slots_.emplace_back();
    slots_[next_] = value;
    next_ = (next_ + 1) % size_;
    ++added_;
    return index;
}

void ReaderCache::reset(std::size_t slots) {
    size_ = slots;
    slots_ = {};
    bytes_ = 0;
}

const CachedValue* ReaderCache::find(std::int16_t index) const {
    const auto at = static_cast<std::size_t>(index);
    if (index < 0 || at >= slots_.size() || !slots_[at].set) return nullptr;
    return &slots_[at].value;
}

bool ReaderCache::put(std::int16_t index, CachedValue value, std::size_t bytes) {
    if (index == WriterCache::kNoSlot) return true;
    const auto at = static_cast<std::size_t>(index);
    if (index < 0 || at >= size_) return false;
    if (at >= slots_.size()) slots_.resize(at + 1);
    bytes_ = bytes_ - slots_[at].bytes + bytes;
    slots_[at] = {std::move(value), true, bytes};
    return true;
}

}  // namespace busbar::openwire
