// Which large bodies the live messages refer to.
#pragma once

#include "bus/message/message.h"
#include "bus/store/journal/live_index.h"
#include "bus/store/journal/live_reader.h"

#include <cstdint>
#include <unordered_map>
#include <utility>
#include <vector>

namespace busbar::journal {

/// Messages with large bodies are few, so they are counted here and not in the LiveIndex, which has
/// millions of others and only marks these. The writer thread's.
class LiveBodies {
  public:
    void add(StoredId message, const LargeBody& body);

    /// The message has left the store; nothing where it has no large body.
    void remove(StoredId message);

    bool has(StoredId message) const { return bodyOf_.contains(message); }

    /// The bodies that no message refers to any more, each once. To be asked for when the removals
    /// are durable.
    bool anyGone() const { return !gone_.empty(); }
    std::vector<std::uint64_t> takeGone();

    std::vector<LargeBody> all() const;

    /// Of all bodies whose files are there, those of takeGone() not yet taken included.
    std::uint64_t bytes() const { return bytes_; }

  private:
    struct Used {
        LargeBody body;
        std::uint32_t messages = 0;
    };
    std::unordered_map<StoredId, std::uint64_t> bodyOf_;
    std::unordered_map<std::uint64_t, Used> used_;
    std::vector<std::uint64_t> gone_;
    std::uint64_t bytes_ = 0;
};

/// A message that the index marks as having a large body.
struct BodyReference {
    StoredId message;
    LargeBody body;
};

/// What the marked messages of an index refer to, in the order of the log, while the log rests.
/// `unreadable` are those whose bytes are damaged: their bodies are not known.
struct BodyReferences {
    std::vector<BodyReference> known;
    std::vector<StoredId> unreadable;
};
Result<BodyReferences> readBodyReferences(LiveReader& reader, const LiveIndex& index);
/// The same of one marked message: adds it to `found`, and returns the bytes of its body; 0 where
/// it is unreadable.
Result<std::uint64_t> readBodyReference(LiveReader& reader, StoredId message, Location at,
                                        BodyReferences& found);

}  // namespace busbar::journal
