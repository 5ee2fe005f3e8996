// 512 consecutive message ids of the index, open (an array) or packed (about a byte a message).
#pragma once

#include "bus/message/codec.h"
#include "bus/store/journal/format.h"

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace busbar::journal {

/// Where the bytes of a message or of a row's value are: segments are counted from the first one
/// that this run of the program saw.
struct Location {
    std::uint32_t segment = 0;
    std::uint32_t offset = 0;
    std::uint32_t size = 0;
    bool operator==(const Location&) const = default;
};

/// What the index knows of a message beside its entries.
struct LiveMessage {
    Location at;  ///< size 0: no message
    MessageSummaryFields summary;
};

/// The messages whose ids divided by kIds have one quotient. Nearly all messages are on one queue
/// and were never handed out: those are `queue` alone, the others have a list.
struct Chunk {
    static constexpr std::uint64_t kIds = 512;
    static constexpr QueueId kListed{~0ull};  ///< the entries are in `lists`

    struct Slot {
        QueueId queue;
        LiveMessage live;
    };

    std::array<Slot, kIds> slots;
    std::map<std::uint32_t, std::vector<Entry>> lists;

    /// Sets the entries of a slot in the shorter of the two ways.
    void setEntries(std::uint32_t slot, std::vector<Entry> entries);
    /// Appends the entries of a slot that has a message.
    void entries(std::uint32_t slot, std::vector<Entry>& out) const;
};

/// Packing: each message is a byte that says in what it differs from the one before it, and these
/// differences as varints. docs/formats/journal.md, "Checkpoint", has the grammar.
std::string packChunk(const Chunk& chunk);

/// The reverse, into an empty chunk; false where the bytes follow no such grammar.
bool unpackChunk(std::string_view bytes, Chunk& chunk);

}  // namespace busbar::journal
