#include "bus/store/journal/chunk.h"

namespace busbar::journal {
namespace {

// In what a message differs from the one before it; part of the checkpoint's format.
enum Differs : std::uint8_t {
    kIdsSkipped = 1u << 0,
    kQueue = 1u << 1,
    kSegment = 1u << 2,
    kSize = 1u << 3,
    kGap = 1u << 4,  ///< between its bytes and those of the one before it
    kDelivery = 1u << 5,
    kTimes = 1u << 6,
    kList = 1u << 7,
};

// Beside the priority.
constexpr std::uint8_t kPersistent = 0x80;
constexpr std::uint8_t kLarge = 0x40;

std::int64_t millis(WallTime time) {
    return time.time_since_epoch().count();
}

/// Differences wrap around, so that no pair of numbers is special.
std::int64_t minus(std::int64_t a, std::int64_t b) {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b));
}
std::int64_t plus(std::int64_t a, std::int64_t b) {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}

/// The message before the present one, as both directions know it.
struct Before {
    std::uint32_t slot = ~0u;  ///< the next message is expected in slot 0
    std::uint64_t queue = 0;
    Location at;
    std::int64_t gap = 0;
    std::uint8_t delivery = 4 | kPersistent;
    std::int64_t expiration = 0;
    std::int64_t deliverAt = 0;

    std::int64_t end() const {
        return static_cast<std::int64_t>(roundUp(std::uint64_t{at.offset} + at.size, kAlignment));
    }
};

std::uint8_t deliveryOf(const MessageSummaryFields& summary) {
    return static_cast<std::uint8_t>(summary.priority | (summary.persistent ? kPersistent : 0) |
                                     (summary.large ? kLarge : 0));
}

void packList(std::string& out, const std::vector<Entry>& entries) {
    putVarint(out, entries.size());
    for (const auto& entry : entries) {
        putVarint(out, entry.queue.value);
        putVarint(out, entry.deliveryCount);
        putSigned(out, millis(entry.deliverAt));
    }
}

bool unpackList(WireReader& in, std::vector<Entry>& entries) {
    const std::uint64_t size = in.varint();
    if (size == 0 || size > in.remaining()) return false;
    for (std::uint64_t i = 0; i < size && in.ok(); ++i) {
        Entry entry{QueueId(in.varint())};
        entry.deliveryCount = static_cast<std::uint32_t>(in.varint());
        entry.deliverAt = WallTime(Milliseconds(readSigned(in)));
        entries.push_back(entry);
    }
    return in.ok();
}

void packSlot(std::string& out, const Chunk& chunk, std::uint32_t i, Before& before) {
    const Chunk::Slot& slot = chunk.slots[i];
    const Location& at = slot.live.at;
    const auto& summary = slot.live.summary;
    const bool listed = slot.queue == Chunk::kListed;
    const std::int64_t gap = std::int64_t{at.offset} - before.end();
    const std::int64_t expiration = millis(summary.expiration);
    const std::int64_t deliverAt = millis(summary.deliverAt);
    std::uint8_t differs = 0;
    if (i != before.slot + 1) differs |= kIdsSkipped;
    if (!listed && slot.queue.value != before.queue) differs |= kQueue;
    if (at.segment != before.at.segment) differs |= kSegment;
    if (at.size != before.at.size) differs |= kSize;
    if (gap != before.gap) differs |= kGap;
    if (deliveryOf(summary) != before.delivery) differs |= kDelivery;
    if (expiration != before.expiration || deliverAt != before.deliverAt) differs |= kTimes;
    if (listed) differs |= kList;
    out += static_cast<char>(differs);
    if (differs & kIdsSkipped) putVarint(out, i - before.slot - 2);
    if (differs & kQueue) putVarint(out, slot.queue.value);
    if (differs & kSegment) putSigned(out, std::int64_t{at.segment} - before.at.segment);
    if (differs & kSize) putSigned(out, std::int64_t{at.size} - before.at.size);
    if (differs & kGap) putSigned(out, gap - before.gap);
    if (differs & kDelivery) out += static_cast<char>(deliveryOf(summary));
    if (differs & kTimes) {
        putSigned(out, minus(expiration, before.expiration));
        putSigned(out, minus(deliverAt, before.deliverAt));
    }
    if (listed) packList(out, chunk.lists.find(i)->second);
    before = {i,
              listed ? before.queue : slot.queue.value,
              at,
              gap,
              deliveryOf(summary),
              expiration,
              deliverAt};
}

template <class T>
bool narrow(std::int64_t value, T& to) {
    to = static_cast<T>(value);
    return static_cast<std::int64_t>(to) == value;
}

bool unpackSlot(WireReader& in, Chunk& chunk, Before& before) {
    const auto differs = in.fixed<std::uint8_t>();
    const std::uint64_t skipped = differs & kIdsSkipped ? in.varint() + 1 : 0;
    if (skipped > Chunk::kIds) return false;
    const auto i = static_cast<std::uint32_t>(before.slot + 1 + skipped);
    if (i >= Chunk::kIds) return false;
    Before now = before;
    now.slot = i;
    if (differs & kQueue) now.queue = in.varint();
    const std::int64_t segment =
        before.at.segment + (differs & kSegment ? readSigned(in) % (1ll << 33) : 0);
    const std::int64_t size = before.at.size + (differs & kSize ? readSigned(in) % (1ll << 33) : 0);
    if (differs & kGap) now.gap = before.gap + readSigned(in) % (1ll << 34);
    if (now.gap > (1ll << 34) || now.gap < -(1ll << 34)) return false;
    if (!narrow(segment, now.at.segment) || !narrow(size, now.at.size) || size == 0 ||
        !narrow(before.end() + now.gap, now.at.offset)) {
        return false;
    }
    if (differs & kDelivery) now.delivery = in.fixed<std::uint8_t>();
    if (differs & kTimes) {
        now.expiration = plus(before.expiration, readSigned(in));
        now.deliverAt = plus(before.deliverAt, readSigned(in));
    }
    Chunk::Slot& slot = chunk.slots[i];
    slot.queue = QueueId(now.queue);
    slot.live.at = now.at;
    slot.live.summary.priority = now.delivery & (kLarge - 1);
    slot.live.summary.persistent = (now.delivery & kPersistent) != 0;
    slot.live.summary.large = (now.delivery & kLarge) != 0;
    slot.live.summary.expiration = WallTime(Milliseconds(now.expiration));
    slot.live.summary.deliverAt = WallTime(Milliseconds(now.deliverAt));
    if (differs & kList) {
        slot.queue = Chunk::kListed;
        if (!unpackList(in, chunk.lists[i])) return false;
    }
    before = now;
    return in.ok() && slot.live.summary.priority <= 9;
}

}  // namespace

void Chunk::setEntries(std::uint32_t slot, std::vector<Entry> entries) {
    if (entries.size() == 1 && entries[0] == Entry{entries[0].queue} &&
        entries[0].queue != kListed) {
        slots[slot].queue = entries[0].queue;
        lists.erase(slot);
        return;
    }
    slots[slot].queue = kListed;
    lists[slot] = std::move(entries);
}

void Chunk::entries(std::uint32_t slot, std::vector<Entry>& out) const {
    if (slots[slot].queue != kListed) {
        out.push_back({slots[slot].queue});
        return;
    }
    const auto& list = lists.find(slot)->second;
    out.insert(out.end(), list.begin(), list.end());
}

std::string packChunk(const Chunk& chunk) {
    std::string out;
    Before before;
    for (std::uint32_t i = 0; i < Chunk::kIds; ++i) {
        if (chunk.slots[i].live.at.size != 0) packSlot(out, chunk, i, before);
    }
    out.shrink_to_fit();
    return out;
}

bool unpackChunk(std::string_view bytes, Chunk& chunk) {
    WireReader in(bytes);
    Before before;
    while (in.ok() && in.remaining() > 0) {
        if (!unpackSlot(in, chunk, before)) return false;
    }
    return in.ok();
}

}  // namespace busbar::journal
