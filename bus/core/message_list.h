// What order? The messages of one queue, by priority and arrival, each in a place that it keeps.
#pragma once

#include "bus/base/clock.h"
#include "bus/base/ids.h"
#include "bus/message/message.h"

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace busbar {

/// Where a message of a queue stands between arriving and leaving.
enum class EntryState : unsigned char {
    gone,      ///< the place is empty
    pending,   ///< stored, but not known to be durable yet: nobody may see it
    ready,     ///< may be handed out
    delayed,   ///< waits for its delivery time or for the end of a redelivery delay
    parked,    ///< could be handed out, but waits for the consumer of its group
    held,      ///< handed out, not settled
    settling,  ///< on its way out: a commit, a dead letter, a move that is not durable yet
};
inline constexpr std::size_t kEntryStates = 7;

/// One message on one queue.
struct QueueEntry {
    MessagePtr message;  ///< null: in the store alone
    StoredId id;
    WallTime expiration{};            ///< zero: never
    WallTime due{};                   ///< of delayed ones that wait for a time of day
    std::uint32_t bytes = 0;          ///< what it counts for in its queue's size
    std::uint32_t share = 0;          ///< of memory, while the message is here
    std::uint32_t deliveryCount = 0;  ///< hand-outs so far, the current one included
    EntryState state = EntryState::gone;
    bool stored = false;      ///< the store knows this entry: leaving must be recorded
    bool loading = false;     ///< was asked for
    bool unreadable = false;  ///< the store cannot give it: put aside until it is purged
};

/// A place in a MessageList. Stays valid until the entry is erased; never used again. Ordered as
/// messages are handed out: higher priority first, then the earlier one.
struct EntryPlace {
    std::uint64_t position = 0;
    std::uint8_t priority = 0;

    bool operator==(const EntryPlace&) const = default;
    bool operator<(const EntryPlace& other) const {
        return priority != other.priority ? priority > other.priority : position < other.position;
    }
};

/// Ten lanes, one a priority; each lane is a sequence of chunks in which an entry keeps its place
/// until it is erased. So returning a message to its place, settling out of order and skipping what
/// is held cost a look-up of its chunk, and a message that stays for ever pins one chunk, not the
/// list. Ids ascend within a lane.
///
/// Chunks of which no entry is in use and no message in memory are packed, by packCold(), to a few
/// bytes an entry, and unpacked when one of their entries is touched. A reference to an entry is
/// good until the next append() or packCold().
class MessageList {
  public:
    static constexpr std::size_t kPriorities = 10;

    EntryPlace append(std::uint8_t priority, QueueEntry entry);
    /// The entry must be there.
    QueueEntry& at(EntryPlace place);
    /// The entry, or nullptr where it has gone.
    QueueEntry* find(EntryPlace place);

    /// Changes the state; to `ready` makes it visible to nextReady again, at its old place.
    void setState(EntryPlace place, EntryState state);
    void erase(EntryPlace place);

    /// The ready entry that is next: highest priority, then first arrived.
    std::optional<EntryPlace> nextReady();
    /// The first ready entry of `from`'s lane at `from` or behind it.
    std::optional<EntryPlace> nextReadyFrom(EntryPlace from);
    /// The first entry of any state at `from` or behind it, lane by lane.
    std::optional<EntryPlace> nextFrom(EntryPlace from);
    /// Position of the next entry to be appended.
    std::uint64_t end(std::uint8_t priority) const {
        return lanes_[priority] ? lanes_[priority]->end : 0;
    }

    std::uint64_t size() const { return size_; }
    std::uint64_t count(EntryState state) const { return counts_[static_cast<std::size_t>(state)]; }
    /// Sum of QueueEntry::bytes, which do not change while an entry is here.
    std::uint64_t bytes(EntryState state) const { return bytes_[static_cast<std::size_t>(state)]; }
    /// Sum of the ids that are here: to find the one that is missing where counters do not agree.
    std::uint64_t idSum() const { return idSum_; }

    /// The first entry (any state) with an id over `after`, over all lanes, in order of arrival.
    std::optional<EntryPlace> firstAfter(StoredId after);
    std::optional<EntryPlace> findId(StoredId id);

    /// Notes that the entry may expire. True where this is now the earliest of its chunk, so that a
    /// timer is needed for it.
    bool noteExpiration(EntryPlace place);
    /// Of the chunk of `place`: the entries that wait (ready, delayed, parked) and have expired.
    /// Returns when to look again.
    std::optional<WallTime> expired(EntryPlace place, WallTime now, std::vector<EntryPlace>& out);

    /// Packs chunks that are not in use where many are unpacked. Amortised O(1) an append.
    void packCold();

    /// Calls `visit(place, entry)` for each entry, lane by lane. `visit` must not change the list.
    template <class Visit>
    void forEach(Visit visit) const {
        std::vector<QueueEntry> unpacked;
        for (std::uint8_t p = 0; p < kPriorities; ++p) {
            if (!lanes_[p]) continue;
            for (const auto& chunk : lanes_[p]->chunks) {
                if (!chunk->packed.empty()) unpack(chunk->packed, unpacked);
                const auto& entries = chunk->packed.empty() ? chunk->entries : unpacked;
                for (std::size_t i = 0; i < entries.size(); ++i) {
                    if (entries[i].state == EntryState::gone) continue;
                    visit(EntryPlace{chunk->number * kChunk + i, p}, entries[i]);
                }
            }
        }
    }

    /// For tests: the counters agree with the entries.
    void checkInvariants() const;

  private:
    static constexpr std::size_t kChunk = 128;

    struct Chunk {
        std::uint64_t number = 0;         ///< position / kChunk
        std::vector<QueueEntry> entries;  ///< by position % kChunk; empty while packed
        std::string packed;
        StoredId lastId;  ///< the greatest id that was ever put here
        WallTime expires = WallTime::max();
        std::uint32_t live = 0;
        std::uint32_t ready = 0;
    };
    using ChunkPtr = std::unique_ptr<Chunk>;
    struct Lane {
        std::deque<ChunkPtr> chunks;  ///< ascending; only those in use
        std::uint64_t end = 0;        ///< next free position
        std::uint64_t cursor = 0;     ///< nothing ready is before it
        std::uint64_t ready = 0;
        Chunk* recent = nullptr;  ///< that was looked up last
    };
    using ChunkAt = std::deque<ChunkPtr>::iterator;

    static ChunkAt lowerBound(Lane& lane, std::uint64_t number);
    static Chunk* chunkAt(Lane& lane, std::uint64_t number);
    void open(Chunk& chunk, std::uint8_t priority);
    static void pack(Chunk& chunk);
    static bool packable(const Chunk& chunk);
    static void unpack(const std::string& packed, std::vector<QueueEntry>& out);
    QueueEntry* slot(EntryPlace place);
    void change(EntryPlace place, QueueEntry& entry, EntryState state);
    std::optional<std::uint64_t> firstReady(std::uint8_t priority, std::uint64_t from);
    void drop(Lane& lane, std::uint64_t number);

    std::array<std::unique_ptr<Lane>, kPriorities> lanes_;  ///< only those that were used
    std::array<std::uint64_t, kEntryStates> counts_{};
    std::array<std::uint64_t, kEntryStates> bytes_{};
    std::uint64_t size_ = 0;
    std::uint64_t idSum_ = 0;
    std::vector<EntryPlace> open_;  ///< chunks that are not packed, some of which have gone
    std::size_t packAt_ = 64;
};

}  // namespace busbar
