#include "bus/store/journal/live_index.h"

#include "bus/base/check.h"

#include <algorithm>

namespace busbar::journal {
namespace {

// What a message or row takes in the log beside its bytes: header, ids, padding.
constexpr std::uint64_t kOverhead = 64;
constexpr std::size_t kRowsWalked = 4096;  // by the cleaner, for each segment

// More segments than any disk holds: a bound for what a file may say.
constexpr std::uint64_t kSegmentsMax = 1 << 24;

std::string rowKey(Table table, std::string_view key) {
    std::string whole;
    whole.reserve(key.size() + 1);
    whole += static_cast<char>(table);
    whole += key;
    return whole;
}

std::uint32_t slotOf(StoredId id) {
    return static_cast<std::uint32_t>(id.value % Chunk::kIds);
}

}  // namespace

/// The chunk with this key, opened; null where there is none and none is to be made.
LiveIndex::Holder* LiveIndex::holderOf(std::uint64_t key, bool make) {
    if (recent_[0].key == key) return recent_[0].holder;
    std::swap(recent_[0], recent_[1]);
    if (recent_[0].key != key) {
        auto at = chunks_.find(key);
        if (at == chunks_.end()) {
            if (!make) return nullptr;
            at = chunks_.try_emplace(key).first;
        }
        recent_[0] = {key, &at->second};
    }
    Holder& holder = *recent_[0].holder;
    if (holder.opened)
        open_.splice(open_.begin(), open_, holder.place);
    else
        open(key, holder);
    return &holder;
}

void LiveIndex::open(std::uint64_t key, Holder& holder) {
    if (open_.size() >= kOpenMax) packColdest();
    holder.opened = std::make_unique<Chunk>();
    const bool fits = unpackChunk(holder.packed, *holder.opened);
    BUSBAR_CHECK(fits, "a packed chunk cannot be unpacked");
    holder.place = open_.insert(open_.begin(), key);
}

void LiveIndex::packColdest() {
    const std::uint64_t coldest = open_.back();
    Holder& holder = chunks_.find(coldest)->second;
    if (holder.packed.empty()) holder.packed = packChunk(*holder.opened);
    holder.opened.reset();
    for (auto& recent : recent_) {
        if (recent.key == coldest) recent = {};
    }
    open_.pop_back();
}

Chunk::Slot* LiveIndex::find(StoredId id) {
    Holder* holder = holderOf(id.value / Chunk::kIds, false);
    if (holder == nullptr) return nullptr;
    auto& slot = holder->opened->slots[slotOf(id)];
    return slot.live.at.size != 0 ? &slot : nullptr;
}

/// The open chunk of a message that is about to change.
Chunk& LiveIndex::changing(StoredId id) {
    Holder& holder = *holderOf(id.value / Chunk::kIds, false);
    if (!holder.packed.empty()) holder.packed = {};
    return *holder.opened;
}

void LiveIndex::insert(StoredId id, std::span<const Entry> entries, const LiveMessage& message) {
    ++holderOf(id.value / Chunk::kIds, true)->used;
    Chunk& chunk = changing(id);
    chunk.slots[slotOf(id)].live = message;
    chunk.setEntries(slotOf(id), {entries.begin(), entries.end()});
    account(message.at, 0, true);
    ++messages_;
    entryCount_ += entries.size();
}

void LiveIndex::free(StoredId id) {
    const std::uint64_t key = id.value / Chunk::kIds;
    Chunk& chunk = changing(id);
    account(chunk.slots[slotOf(id)].live.at, 0, false);
    chunk.slots[slotOf(id)] = {};
    chunk.lists.erase(slotOf(id));
    --messages_;
    const auto at = chunks_.find(key);
    if (--at->second.used != 0) return;
    open_.erase(at->second.place);
    chunks_.erase(at);
    for (auto& recent : recent_) {
        if (recent.key == key) recent = {};
    }
}

void LiveIndex::account(const Location& at, std::uint64_t extra, bool live) {
    BUSBAR_CHECK(at.segment >= firstSegment_, "a live record in a segment that was given up");
    const std::size_t i = at.segment - firstSegment_;
    if (i >= segmentBytes_.size()) segmentBytes_.resize(i + 1);
    const std::uint64_t size = at.size + extra + kOverhead;
    if (live) {
        segmentBytes_[i] += size;
        bytes_ += size;
    } else {
        segmentBytes_[i] -= size;
        bytes_ -= size;
    }
}

bool LiveIndex::addMessage(StoredId id, std::span<const Entry> entries,
                           const LiveMessage& message) {
    if (find(id) != nullptr) {
        // What was dropped may be added again: a message that is spilled for another queue.
        catchUp();
        if (find(id) != nullptr) return false;
    }
    insert(id, entries, message);
    return true;
}

void LiveIndex::replaceMessage(StoredId id, std::span<const Entry> entries,
                               const LiveMessage& message) {
    if (find(id) != nullptr) {
        entriesOf(id, scratch_);
        entryCount_ -= scratch_.size();
        free(id);
    }
    insert(id, entries, message);
}

void LiveIndex::moveMessage(StoredId id, std::span<const Entry> entries,
                            const LiveMessage& message) {
    if (find(id) == nullptr) {
        insert(id, entries, message);
        return;
    }
    Location& at = changing(id).slots[slotOf(id)].live.at;
    account(at, 0, false);
    at = message.at;
    account(at, 0, true);
}

LiveIndex::Found LiveIndex::removeEntry(QueueId queue, StoredId id) {
    const Chunk::Slot* slot = find(id);
    if (slot == nullptr) return Found::noMessage;
    if (slot->queue == queue && queue != Chunk::kListed) {
        --entryCount_;
        free(id);
        return Found::yes;
    }
    if (slot->queue != Chunk::kListed) return Found::noEntry;
    entriesOf(id, scratch_);
    const auto at = std::find_if(scratch_.begin(), scratch_.end(),
                                 [&](const Entry& e) { return e.queue == queue; });
    if (at == scratch_.end()) return Found::noEntry;
    scratch_.erase(at);
    --entryCount_;
    if (scratch_.empty()) {
        free(id);
    } else {
        changing(id).setEntries(slotOf(id), scratch_);
    }
    return Found::yes;
}

void LiveIndex::dropEntry(QueueId queue, StoredId id) {
    const std::uint64_t key = id.value / Chunk::kIds;
    if (recent_[0].key != key) {
        const auto at = chunks_.find(key);
        if (at != chunks_.end() && !at->second.opened) {
            drops_.emplace_back(id, queue);
            if (drops_.size() >= kDropsMax) catchUp();
            return;
        }
    }
    removeEntry(queue, id);
}

void LiveIndex::catchUp() {
    std::sort(drops_.begin(), drops_.end());
    for (const auto& [id, queue] : drops_) removeEntry(queue, id);
    drops_.clear();
}

LiveIndex::Found LiveIndex::setEntry(const SetEntry& entry) {
    if (find(entry.id) == nullptr) return Found::noMessage;
    entriesOf(entry.id, scratch_);
    const auto at = std::find_if(scratch_.begin(), scratch_.end(),
                                 [&](const Entry& e) { return e.queue == entry.queue; });
    if (at == scratch_.end()) return Found::noEntry;
    at->deliveryCount = entry.deliveryCount;
    at->deliverAt = entry.deliverAt;
    changing(entry.id).setEntries(slotOf(entry.id), scratch_);
    return Found::yes;
}

void LiveIndex::putRow(Table table, std::string_view key, Location at,
                       std::optional<std::uint32_t> crc) {
    const auto [row, added] = rows_.try_emplace(rowKey(table, key));
    if (!added) account(row->second.at, key.size(), false);
    row->second = {at, crc};
    account(at, key.size(), true);
}

std::vector<LiveIndex::RowPlace> LiveIndex::onlyRowsIn(std::uint32_t segment) const {
    std::vector<RowPlace> found;
    if (rows_.size() > kRowsWalked) return found;
    std::uint64_t bytes = 0;
    for (const auto& [key, row] : rows_) {
        if (row.at.segment != segment) continue;
        if (!row.crc) return {};
        bytes += row.at.size + key.size() - 1 + kOverhead;
        found.push_back({static_cast<Table>(key[0]), key.substr(1), row.at, *row.crc});
    }
    if (bytes != liveBytes(segment)) found.clear();
    return found;
}

bool LiveIndex::eraseRow(Table table, std::string_view key) {
    const auto row = rows_.find(rowKey(table, key));
    if (row == rows_.end()) return false;
    account(row->second.at, key.size(), false);
    rows_.erase(row);
    return true;
}

std::optional<LiveMessage> LiveIndex::findMessage(StoredId id) {
    const Chunk::Slot* slot = find(id);
    return slot ? std::optional(slot->live) : std::nullopt;
}

std::optional<Location> LiveIndex::findRow(Table table, std::string_view key) const {
    const auto row = rows_.find(rowKey(table, key));
    return row == rows_.end() ? std::nullopt : std::optional(row->second.at);
}

void LiveIndex::entriesOf(StoredId id, std::vector<Entry>& out) {
    out.clear();
    if (find(id) != nullptr) recent_[0].holder->opened->entries(slotOf(id), out);
}

void LiveIndex::eachMessage(const MessageVisitor& visit) const {
    std::vector<Entry> entries;
    auto unpacked = std::make_unique<Chunk>();
    for (const auto& [key, holder] : chunks_) {
        const Chunk* chunk = holder.opened.get();
        if (chunk == nullptr) {
            *unpacked = {};
            BUSBAR_CHECK(unpackChunk(holder.packed, *unpacked), "a chunk cannot be unpacked");
            chunk = unpacked.get();
        }
        for (std::uint32_t i = 0; i < Chunk::kIds; ++i) {
            const auto& slot = chunk->slots[i];
            if (slot.live.at.size == 0) continue;
            entries.clear();
            chunk->entries(i, entries);
            visit(StoredId(key * Chunk::kIds + i), slot.live, entries);
        }
    }
}

void LiveIndex::eachRow(const std::function<void(Table, std::string_view, Location)>& visit) const {
    for (const auto& [key, row] : rows_) {
        visit(static_cast<Table>(key[0]), std::string_view(key).substr(1), row.at);
    }
}

bool LiveIndex::copyChunks(std::uint64_t& from, std::uint64_t last, std::size_t bytes,
                           std::string& out) const {
    const std::size_t full = out.size() + bytes;
    auto at = chunks_.lower_bound(from);
    for (; at != chunks_.end() && at->first <= last; ++at) {
        from = at->first;
        if (out.size() >= full) return true;
        putVarint(out, at->first);
        const Holder& holder = at->second;
        putString(out, holder.packed.empty() ? packChunk(*holder.opened) : holder.packed);
    }
    return false;
}

bool LiveIndex::copyRows(std::string& after, std::size_t bytes, std::string& out) const {
    const std::size_t full = out.size() + bytes;
    for (auto at = rows_.upper_bound(after); at != rows_.end(); ++at) {
        if (out.size() >= full) return true;
        putString(out, at->first);
        putVarint(out, at->second.at.segment);
        putVarint(out, at->second.at.offset);
        putVarint(out, at->second.at.size);
        after = at->first;
    }
    return false;
}

bool LiveIndex::loadChunks(std::string_view bytes) {
    WireReader in(bytes);
    auto chunk = std::make_unique<Chunk>();
    while (in.ok() && in.remaining() > 0) {
        const std::uint64_t key = in.varint();
        const auto packed = in.string();
        *chunk = {};
        if (!in.ok() || packed.empty() || key > ~0ull / Chunk::kIds || chunks_.contains(key) ||
            !unpackChunk(packed, *chunk)) {
            return false;
        }
        Holder& holder = chunks_[key];
        holder.packed = packed;
        for (std::uint32_t i = 0; i < Chunk::kIds; ++i) {
            const auto& slot = chunk->slots[i];
            if (slot.live.at.size == 0) continue;
            if (slot.live.at.segment < firstSegment_) return false;
            if (slot.live.at.segment - firstSegment_ > kSegmentsMax) return false;
            account(slot.live.at, 0, true);
            ++holder.used;
            ++messages_;
            entryCount_ += slot.queue == Chunk::kListed ? chunk->lists.find(i)->second.size() : 1;
        }
    }
    return in.ok();
}

bool LiveIndex::loadRows(std::string_view bytes) {
    WireReader in(bytes);
    while (in.ok() && in.remaining() > 0) {
        const auto key = in.string();
        const auto segment = in.varint();
        const auto offset = in.varint();
        const auto size = in.varint();
        if (!in.ok() || key.empty() || rows_.contains(key)) return false;
        if (segment < firstSegment_ || segment - firstSegment_ > kSegmentsMax) return false;
        if (offset > kSegmentBytesMax || size > kSegmentBytesMax) return false;
        const Location at{static_cast<std::uint32_t>(segment), static_cast<std::uint32_t>(offset),
                          static_cast<std::uint32_t>(size)};
        account(at, key.size() - 1, true);
        rows_.emplace_hint(rows_.end(), key, Row{at, {}});
    }
    return in.ok();
}

std::uint64_t LiveIndex::liveBytes(std::uint32_t segment) const {
    if (segment < firstSegment_ || segment - firstSegment_ >= segmentBytes_.size()) return 0;
    return segmentBytes_[segment - firstSegment_];
}

bool LiveIndex::liveOnlyIn(std::uint32_t from, std::uint32_t to) const {
    for (std::size_t i = 0; i < segmentBytes_.size(); ++i) {
        const std::uint64_t segment = firstSegment_ + i;
        if (segmentBytes_[i] != 0 && (segment < from || segment > to)) return false;
    }
    return true;
}

void LiveIndex::dropSegmentsBefore(std::uint32_t segment) {
    while (firstSegment_ < segment) {
        if (segmentBytes_.empty()) {
            firstSegment_ = segment;
            return;
        }
        BUSBAR_CHECK(segmentBytes_.front() == 0, "giving up a segment with live records");
        segmentBytes_.pop_front();
        ++firstSegment_;
    }
}

}  // namespace busbar::journal
