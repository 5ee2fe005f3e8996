// The marshalling cache: ids and destinations cross once and are then named by a slot number.
//
// Each direction has its own. The writer decides what is in which slot, the reader follows; so the
// writer must do exactly what the other end's reader expects, and the reader must not trust.
#pragma once

#include "adapters/openwire/ids.h"

#include <unordered_map>
#include <vector>

namespace busbar::openwire {

struct CachedHash {
    std::size_t operator()(const CachedValue& value) const noexcept;
};
/// By value, as Java's equals; all nulls are one.
struct CachedEqual {
    bool operator()(const CachedValue& a, const CachedValue& b) const;
};

/// The writer's side: slots are given out in turn; before each frame the oldest ones are emptied so
/// that at least kFree are free (OpenWireFormat's eviction sweep).
class WriterCache {
  public:
    static constexpr std::size_t kFree = 100;
    static constexpr std::int16_t kNoSlot = -1;  ///< on the wire: not cached

    /// Forgets all. A cache of no more than kFree slots caches nothing.
    void reset(std::size_t slots);
    /// Before each frame: makes room, and is where undoFrame goes back to.
    void beginFrame();
    /// The frame will not be sent.
    void undoFrame();

    /// The slot of a value that the other end has, or kNoSlot.
    std::int16_t find(const CachedValue& value) const;
    /// Gives a slot to a value that find() did not know.
    std::int16_t add(const CachedValue& value);

  private:
    std::size_t size_ = 0;
    std::vector<CachedValue> slots_;  ///< those that were ever used: most clients need a few
    std::unordered_map<CachedValue, std::int16_t, CachedHash, CachedEqual> indices_;
    std::size_t next_ = 0;
    std::size_t oldest_ = 0;
    std::size_t added_ = 0;  ///< in this frame
};

/// The reader's side.
class ReaderCache {
  public:
    struct Slot {
        CachedValue value;
        bool set = false;
        std::size_t bytes = 0;  ///< that its value took on the wire
    };

    void reset(std::size_t slots);
    /// nullptr: there is no such slot, or nothing was ever put there.
    const CachedValue* find(std::int16_t index) const;
    /// False: there is no such slot. kNoSlot is fine and keeps nothing.
    bool put(std::int16_t index, CachedValue value, std::size_t bytes);
    /// What all values took on the wire together: an estimate of the memory they hold.
    std::size_t bytes() const { return bytes_; }

  private:
    std::size_t size_ = 0;
    std::vector<Slot> slots_;  ///< up to the highest one that was used
    std::size_t bytes_ = 0;
};

}  // namespace busbar::openwire
