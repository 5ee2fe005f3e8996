#include "bus/core/message_list.h"

#include "bus/base/check.h"
#include "bus/message/wire.h"

#include <algorithm>

namespace busbar {
namespace {

// A packed entry: a byte of flags, then what they announce. kRepeat: the one before, n more times,
// ids ascending by the same step.
enum Flags : unsigned char {
    kLive = 1,
    kDelayed = 2,
    kParked = 4,
    kStored = 8,
    kExpires = 16,
    kDue = 32,
    kCounted = 64,
    kRepeat = 128,
};

struct Token {
    unsigned char flags = 0;
    std::uint64_t step = 0;  ///< of the id
    std::uint32_t bytes = 0;

    bool operator==(const Token&) const = default;
};

Token tokenOf(const QueueEntry& entry, std::uint64_t lastId) {
    if (entry.state == EntryState::gone) return {};
    unsigned flags = kLive;
    if (entry.state == EntryState::delayed) flags |= kDelayed;
    if (entry.state == EntryState::parked) flags |= kParked;
    if (entry.stored) flags |= kStored;
    if (entry.expiration != WallTime{}) flags |= kExpires;
    if (entry.due != WallTime{}) flags |= kDue;
    if (entry.deliveryCount > 0) flags |= kCounted;
    return {static_cast<unsigned char>(flags), entry.id.value - lastId, entry.bytes};
}

std::uint64_t millis(WallTime time) {
    return static_cast<std::uint64_t>(time.time_since_epoch().count());
}
WallTime wallTime(std::uint64_t value) {
    return WallTime(Milliseconds(static_cast<std::int64_t>(value)));
}

bool waits(EntryState state) {
    return state == EntryState::ready || state == EntryState::delayed ||
           state == EntryState::parked;
}

}  // namespace

// ---- packing ----

bool MessageList::packable(const Chunk& chunk) {
    if (!chunk.packed.empty()) return true;
    return chunk.entries.size() == kChunk &&
           std::all_of(chunk.entries.begin(), chunk.entries.end(), [](const QueueEntry& e) {
               return e.state == EntryState::gone ||
                      (waits(e.state) && !e.message && !e.loading && !e.unreadable);
           });
}

void MessageList::pack(Chunk& chunk) {
    std::string& out = chunk.packed;
    Token last;
    std::uint64_t lastId = 0;
    std::uint64_t repeats = 0;
    const auto endRun = [&] {
        if (repeats == 0) return;
        out += static_cast<char>(kRepeat);
        putVarint(out, repeats);
        repeats = 0;
    };
    bool first = true;
    for (const QueueEntry& entry : chunk.entries) {
        const Token token = tokenOf(entry, lastId);
        if (entry.state != EntryState::gone) lastId = entry.id.value;
        if (!first && token == last && (token.flags & (kExpires | kDue | kCounted)) == 0) {
            ++repeats;
            continue;
        }
        endRun();
        first = false;
        last = token;
        out += static_cast<char>(token.flags);
        if (token.flags == 0) continue;
        putVarint(out, token.step);
        putVarint(out, token.bytes);
        if (token.flags & kExpires) putVarint(out, millis(entry.expiration));
        if (token.flags & kDue) putVarint(out, millis(entry.due));
        if (token.flags & kCounted) putVarint(out, entry.deliveryCount);
    }
    endRun();
    out.shrink_to_fit();
    std::vector<QueueEntry>().swap(chunk.entries);
}

void MessageList::unpack(const std::string& packed, std::vector<QueueEntry>& out) {
    out.clear();
    out.reserve(kChunk);
    WireReader in(packed);
    QueueEntry entry;
    std::uint64_t step = 0;
    std::uint64_t lastId = 0;
    while (in.remaining() > 0) {
        const auto flags = in.fixed<std::uint8_t>();
        if (flags == kRepeat) {
            for (std::uint64_t n = in.varint(); n > 0; --n) {
                if (entry.state != EntryState::gone) entry.id = StoredId(lastId += step);
                out.push_back(entry);
            }
            continue;
        }
        entry = QueueEntry{};
        if (flags & kLive) {
            step = in.varint();
            entry.id = StoredId(lastId += step);
            entry.bytes = static_cast<std::uint32_t>(in.varint());
            entry.state = flags & kDelayed  ? EntryState::delayed
                          : flags & kParked ? EntryState::parked
                                            : EntryState::ready;
            entry.stored = (flags & kStored) != 0;
            if (flags & kExpires) entry.expiration = wallTime(in.varint());
            if (flags & kDue) entry.due = wallTime(in.varint());
            if (flags & kCounted) entry.deliveryCount = static_cast<std::uint32_t>(in.varint());
        }
        out.push_back(entry);
    }
    BUSBAR_CHECK(in.ok() && out.size() == kChunk, "a packed chunk makes no sense");
}

void MessageList::open(Chunk& chunk, std::uint8_t priority) {
    if (chunk.packed.empty()) return;
    unpack(chunk.packed, chunk.entries);
    std::string().swap(chunk.packed);
    open_.push_back({chunk.number * kChunk, priority});
}

void MessageList::packCold() {
    if (open_.size() < packAt_) return;
    std::erase_if(open_, [&](EntryPlace place) {
        Lane& lane = *lanes_[place.priority];
        const auto at = lowerBound(lane, place.position / kChunk);
        if (at == lane.chunks.end() || (*at)->number != place.position / kChunk) return true;
        if (!packable(**at)) return false;
        if ((*at)->packed.empty()) pack(**at);
        return true;
    });
    packAt_ = std::max<std::size_t>(64, open_.size() * 2);
}

// ---- finding ----

MessageList::ChunkAt MessageList::lowerBound(Lane& lane, std::uint64_t number) {
    if (lane.chunks.empty() || number <= lane.chunks.front()->number) return lane.chunks.begin();
    const std::uint64_t guess = number - lane.chunks.front()->number;
    if (guess < lane.chunks.size() && lane.chunks[guess]->number == number)
        return lane.chunks.begin() + static_cast<std::ptrdiff_t>(guess);
    return std::lower_bound(
        lane.chunks.begin(), lane.chunks.end(), number,
        [](const ChunkPtr& chunk, std::uint64_t n) { return chunk->number < n; });
}

MessageList::Chunk* MessageList::chunkAt(Lane& lane, std::uint64_t number) {
    if (lane.recent && lane.recent->number == number) return lane.recent;
    const auto found = lowerBound(lane, number);
    if (found == lane.chunks.end() || (*found)->number != number) return nullptr;
    return lane.recent = found->get();
}

QueueEntry* MessageList::slot(EntryPlace place) {
    if (!lanes_[place.priority]) return nullptr;
    Chunk* chunk = chunkAt(*lanes_[place.priority], place.position / kChunk);
    if (!chunk) return nullptr;
    open(*chunk, place.priority);
    const std::size_t i = place.position % kChunk;
    return i < chunk->entries.size() ? &chunk->entries[i] : nullptr;
}

QueueEntry& MessageList::at(EntryPlace place) {
    QueueEntry* entry = find(place);
    BUSBAR_CHECK(entry, "no message at position " + std::to_string(place.position));
    return *entry;
}

QueueEntry* MessageList::find(EntryPlace place) {
    QueueEntry* entry = slot(place);
    return entry && entry->state != EntryState::gone ? entry : nullptr;
}

std::optional<std::uint64_t> MessageList::firstReady(std::uint8_t priority, std::uint64_t from) {
    Lane& lane = *lanes_[priority];
    for (auto at = lowerBound(lane, from / kChunk); at != lane.chunks.end(); ++at) {
        Chunk& chunk = **at;
        if (chunk.ready == 0) continue;
        open(chunk, priority);
        const std::uint64_t base = chunk.number * kChunk;
        for (std::size_t i = from > base ? from - base : 0; i < chunk.entries.size(); ++i) {
            if (chunk.entries[i].state == EntryState::ready) {
                lane.recent = &chunk;
                return base + i;
            }
        }
    }
    return std::nullopt;
}

std::optional<EntryPlace> MessageList::nextReady() {
    if (count(EntryState::ready) == 0) return std::nullopt;
    for (int p = kPriorities - 1; p >= 0; --p) {
        Lane* lane = lanes_[static_cast<std::size_t>(p)].get();
        if (!lane || lane->ready == 0) continue;
        const auto position = firstReady(static_cast<std::uint8_t>(p), lane->cursor);
        BUSBAR_CHECK(position, "a ready message behind the cursor");
        lane->cursor = *position;
        return EntryPlace{*position, static_cast<std::uint8_t>(p)};
    }
    return std::nullopt;
}

std::optional<EntryPlace> MessageList::nextReadyFrom(EntryPlace from) {
    Lane* lane = lanes_[from.priority].get();
    if (!lane || lane->ready == 0) return std::nullopt;
    const auto position = firstReady(from.priority, std::max(from.position, lane->cursor));
    if (!position) return std::nullopt;
    return EntryPlace{*position, from.priority};
}

std::optional<EntryPlace> MessageList::nextFrom(EntryPlace from) {
    for (int p = from.priority; p >= 0; --p) {
        Lane* lane = lanes_[static_cast<std::size_t>(p)].get();
        if (!lane) continue;
        const std::uint64_t start = p == from.priority ? from.position : 0;
        for (auto at = lowerBound(*lane, start / kChunk); at != lane->chunks.end(); ++at) {
            Chunk& chunk = **at;
            open(chunk, static_cast<std::uint8_t>(p));
            const std::uint64_t base = chunk.number * kChunk;
            for (std::size_t i = start > base ? start - base : 0; i < chunk.entries.size(); ++i) {
                if (chunk.entries[i].state != EntryState::gone)
                    return EntryPlace{base + i, static_cast<std::uint8_t>(p)};
            }
        }
    }
    return std::nullopt;
}

std::optional<EntryPlace> MessageList::firstAfter(StoredId after) {
    std::optional<EntryPlace> best;
    StoredId bestId;
    for (std::uint8_t p = 0; p < kPriorities; ++p) {
        if (!lanes_[p]) continue;
        Lane& lane = *lanes_[p];
        auto at =
            std::upper_bound(lane.chunks.begin(), lane.chunks.end(), after,
                             [](StoredId id, const ChunkPtr& chunk) { return id < chunk->lastId; });
        for (; at != lane.chunks.end(); ++at) {
            Chunk& chunk = **at;
            open(chunk, p);
            const auto found = std::find_if(
                chunk.entries.begin(), chunk.entries.end(),
                [&](const QueueEntry& e) { return e.state != EntryState::gone && e.id > after; });
            if (found == chunk.entries.end()) continue;
            if (!best || found->id < bestId) {
                best = EntryPlace{chunk.number * kChunk +
                                      static_cast<std::uint64_t>(found - chunk.entries.begin()),
                                  p};
                bestId = found->id;
            }
            break;
        }
    }
    return best;
}

std::optional<EntryPlace> MessageList::findId(StoredId id) {
    if (!id) return std::nullopt;
    const auto place = firstAfter(StoredId(id.value - 1));
    if (!place || at(*place).id != id) return std::nullopt;
    return place;
}

// ---- changing ----

EntryPlace MessageList::append(std::uint8_t priority, QueueEntry entry) {
    auto& owner = lanes_[priority];
    if (!owner) owner = std::make_unique<Lane>();
    Lane& lane = *owner;
    const EntryPlace place{lane.end++, priority};
    const std::uint64_t number = place.position / kChunk;
    Chunk* chunk = lane.chunks.empty() ? nullptr : lane.chunks.back().get();
    if (!chunk || chunk->number != number) {
        if (chunk && chunk->live == 0) drop(lane, chunk->number);  // was kept while it was filled
        lane.chunks.push_back(std::make_unique<Chunk>());
        chunk = lane.chunks.back().get();
        chunk->number = number;
        open_.push_back({place.position, priority});
    }
    chunk->entries.push_back(std::move(entry));
    QueueEntry& target = chunk->entries.back();
    const EntryState state = target.state;
    target.state = EntryState::gone;
    chunk->lastId = std::max(chunk->lastId, target.id);
    ++chunk->live;
    ++size_;
    idSum_ += target.id.value;
    lane.recent = chunk;
    change(place, target, state);
    return place;
}

void MessageList::drop(Lane& lane, std::uint64_t number) {
    const auto at = lowerBound(lane, number);
    if (lane.recent == at->get()) lane.recent = nullptr;
    lane.chunks.erase(at);
}

void MessageList::change(EntryPlace place, QueueEntry& entry, EntryState state) {
    Lane& lane = *lanes_[place.priority];
    Chunk& chunk = *chunkAt(lane, place.position / kChunk);
    if (entry.state != EntryState::gone) {
        --counts_[static_cast<std::size_t>(entry.state)];
        bytes_[static_cast<std::size_t>(entry.state)] -= entry.bytes;
    }
    if (entry.state == EntryState::ready) {
        --lane.ready;
        --chunk.ready;
    }
    entry.state = state;
    if (state != EntryState::gone) {
        ++counts_[static_cast<std::size_t>(state)];
        bytes_[static_cast<std::size_t>(state)] += entry.bytes;
    }
    if (state == EntryState::ready) {
        ++lane.ready;
        ++chunk.ready;
        lane.cursor = std::min(lane.cursor, place.position);
    }
}

void MessageList::setState(EntryPlace place, EntryState state) {
    change(place, at(place), state);
}

void MessageList::erase(EntryPlace place) {
    QueueEntry& entry = at(place);
    idSum_ -= entry.id.value;
    change(place, entry, EntryState::gone);
    entry = QueueEntry{};
    --size_;
    Lane& lane = *lanes_[place.priority];
    const std::uint64_t number = place.position / kChunk;
    if (--chunkAt(lane, number)->live == 0 && number != lane.end / kChunk) drop(lane, number);
}

// ---- expiry ----

bool MessageList::noteExpiration(EntryPlace place) {
    const WallTime expires = at(place).expiration;
    Chunk& chunk = *chunkAt(*lanes_[place.priority], place.position / kChunk);
    if (expires >= chunk.expires) return false;
    chunk.expires = expires;
    return true;
}

std::optional<WallTime> MessageList::expired(EntryPlace place, WallTime now,
                                             std::vector<EntryPlace>& out) {
    if (!lanes_[place.priority]) return std::nullopt;
    Chunk* chunk = chunkAt(*lanes_[place.priority], place.position / kChunk);
    if (!chunk) return std::nullopt;
    if (chunk->expires > now) return std::nullopt;  // another timer is set for that time
    open(*chunk, place.priority);
    chunk->expires = WallTime::max();
    for (std::size_t i = 0; i < chunk->entries.size(); ++i) {
        const QueueEntry& entry = chunk->entries[i];
        if (entry.expiration == WallTime{} || !waits(entry.state)) continue;
        if (entry.expiration <= now)
            out.push_back({chunk->number * kChunk + i, place.priority});
        else
            chunk->expires = std::min(chunk->expires, entry.expiration);
    }
    if (chunk->expires == WallTime::max()) return std::nullopt;
    return chunk->expires;
}

void MessageList::checkInvariants() const {
    std::array<std::uint64_t, kEntryStates> counts{};
    std::array<std::uint64_t, kEntryStates> bytes{};
    std::uint64_t size = 0;
    std::uint64_t ids = 0;
    forEach([&](EntryPlace place, const QueueEntry& entry) {
        ++size;
        ids += entry.id.value;
        ++counts[static_cast<std::size_t>(entry.state)];
        bytes[static_cast<std::size_t>(entry.state)] += entry.bytes;
        if (entry.state == EntryState::ready) {
            BUSBAR_CHECK(lanes_[place.priority]->cursor <= place.position,
                         "a ready message behind the cursor");
        }
    });
    BUSBAR_CHECK(size == size_ && counts == counts_ && bytes == bytes_ && ids == idSum_,
                 "a message list miscounts");
}

}  // namespace busbar
