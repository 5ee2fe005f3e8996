// What is unsettled? Every delivery that was handed out and not settled yet, found by its id in
// O(1).
#pragma once

#include "bus/base/clock.h"
#include "bus/base/ids.h"
#include "bus/core/message_list.h"

#include <array>
#include <cstdint>
#include <memory>
#include <unordered_map>

namespace busbar {

struct Group;

/// A delivery in the hands of a session.
struct HeldDelivery {
    DeliveryId id;  ///< 0: the slot is empty
    QueueId queue;
    EntryPlace place;
    SessionId session;          ///< 0: the session has gone while a commit of it was in flight
    ConsumerId consumer;        ///< 0: taken by Receive
    Group* group = nullptr;     ///< of its queue, where the message belongs to one
    SteadyTime leaseUntil{};    ///< zero: it has no end
    bool lapsed = false;        ///< it has run out: no credit comes back for it
    DeliveryId previous, next;  ///< the session's other deliveries, oldest first
};

/// The deliveries of one session, in the order of their hand-out.
struct HeldList {
    DeliveryId first, last;
    std::uint32_t count = 0;
};

/// Ids ascend and are never used again: adapters keep theirs in order and search them. Deliveries
/// are kept in chunks by id; a chunk goes when its last delivery is settled, so one that is held
/// for ever costs one chunk.
class Ledger {
  public:
    HeldDelivery& add(HeldList& list, HeldDelivery delivery) {
        const DeliveryId id(++last_);
        auto& chunk = chunks_[id.value / kChunk];
        if (!chunk) {
            chunk = std::make_unique<Chunk>();
            dropIfEmpty(id.value / kChunk - 1);  // was kept while it was the last one
        }
        ++chunk->live;
        HeldDelivery& held = chunk->slots[id.value % kChunk];
        held = delivery;
        held.id = id;
        held.previous = list.last;
        held.next = DeliveryId();
        (list.last ? find(list.last)->next : list.first) = id;
        list.last = id;
        ++list.count;
        ++size_;
        return held;
    }

    /// The delivery, or nullptr where it was settled.
    HeldDelivery* find(DeliveryId id) {
        const auto chunk = chunks_.find(id.value / kChunk);
        if (!id || chunk == chunks_.end()) return nullptr;
        HeldDelivery& held = chunk->second->slots[id.value % kChunk];
        return held.id ? &held : nullptr;
    }

    /// Takes it out of its session's list; it stays findable.
    void detach(HeldList& list, HeldDelivery& held) {
        (held.previous ? find(held.previous)->next : list.first) = held.next;
        (held.next ? find(held.next)->previous : list.last) = held.previous;
        held.previous = held.next = DeliveryId();
        held.session = SessionId();
        --list.count;
    }

    /// Forgets a detached delivery.
    void release(HeldDelivery& held) {
        const std::uint64_t number = held.id.value / kChunk;
        held = HeldDelivery{};
        --size_;
        --chunks_.find(number)->second->live;
        if (number != last_ / kChunk) dropIfEmpty(number);
    }

    /// Oldest first. `visit` must not change the ledger.
    template <class Visit>
    void forEachOf(const HeldList& list, Visit visit) {
        for (DeliveryId id = list.first; id;) {
            const HeldDelivery& held = *find(id);
            visit(held);
            id = held.next;
        }
    }

    std::size_t size() const { return size_; }

    template <class Visit>
    void forEach(Visit visit) const {
        for (const auto& [number, chunk] : chunks_) {
            for (const HeldDelivery& held : chunk->slots) {
                if (held.id) visit(held);
            }
        }
    }

  private:
    static constexpr std::size_t kChunk = 256;
    struct Chunk {
        std::array<HeldDelivery, kChunk> slots;
        std::uint32_t live = 0;
    };

    void dropIfEmpty(std::uint64_t number) {
        const auto chunk = chunks_.find(number);
        if (chunk != chunks_.end() && chunk->second->live == 0) chunks_.erase(chunk);
    }

    std::unordered_map<std::uint64_t, std::unique_ptr<Chunk>> chunks_;
    std::uint64_t last_ = 0;
    std::size_t size_ = 0;
};

}  // namespace busbar
