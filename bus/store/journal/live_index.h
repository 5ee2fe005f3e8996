// What of the log is still needed, and where it lies.
#pragma once

#include "bus/store/journal/chunk.h"
#include "bus/store/journal/format.h"

#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace busbar::journal {

/// All live messages and rows with their locations, and how much of each segment they are. Made by
/// recovery, then kept by the writer thread; not thread-safe.
///
/// Problem: ten million messages may wait, and memory is for those on the move. Ids ascend and
/// mostly leave in the order in which they came, so messages live in chunks of consecutive ids. The
/// chunks in use are open, a bounded number of them; all others are packed to one or a few bytes a
/// message, and a chunk is freed when its last message has gone.
class LiveIndex {
  public:
    enum class Found { yes, noMessage, noEntry };

    /// False, changing nothing, where the id is known already.
    bool addMessage(StoredId id, std::span<const Entry> entries, const LiveMessage& message);
    /// As if the id had never been known.
    void replaceMessage(StoredId id, std::span<const Entry> entries, const LiveMessage& message);
    /// As addMessage, but a known message only changes its place; its entries stay as they are.
    void moveMessage(StoredId id, std::span<const Entry> entries, const LiveMessage& message);
    /// The message goes with its last entry.
    Found removeEntry(QueueId queue, StoredId id);
    /// As removeEntry, of an entry that is there, but where the chunk is packed it is put off, so
    /// that a chunk is opened once for many: messages that leave in any order cost about what those
    /// cost that leave in their own. Until catchUp() such an entry is still found and counted, and
    /// copied by copyChunks.
    void dropEntry(QueueId queue, StoredId id);
    /// Does what dropEntry has put off. It is also done where there is too much of it.
    void catchUp();
    bool behind() const { return !drops_.empty(); }
    Found setEntry(const SetEntry& entry);
    /// `crc`: crc32c of the value, where it is known: of rows that a checkpoint brought it is not.
    void putRow(Table table, std::string_view key, Location at,
                std::optional<std::uint32_t> crc = {});
    bool eraseRow(Table table, std::string_view key);

    std::optional<LiveMessage> findMessage(StoredId id);
    std::optional<Location> findRow(Table table, std::string_view key) const;
    void entriesOf(StoredId id, std::vector<Entry>& out);

    /// Ascending by id.
    using MessageVisitor =
        std::function<void(StoredId, const LiveMessage&, std::span<const Entry>)>;
    void eachMessage(const MessageVisitor& visit) const;
    void eachRow(const std::function<void(Table, std::string_view key, Location)>& visit) const;

    /// For the checkpoint, in several steps while work goes on. Appends the next packed chunks with
    /// keys from `from` to `last` (varint key, string bytes) until there are `bytes` more in `out`;
    /// true where there are further ones, and then `from` is the next.
    bool copyChunks(std::uint64_t& from, std::uint64_t last, std::size_t bytes,
                    std::string& out) const;
    /// The key of the chunk of the highest id; 0 where there is none.
    std::uint64_t lastChunk() const { return chunks_.empty() ? 0 : chunks_.rbegin()->first; }
    /// The same with rows behind the key `after` (string table and key, varint segment, offset and
    /// size); `after` is then the last that was copied.
    bool copyRows(std::string& after, std::size_t bytes, std::string& out) const;
    /// And back, into an empty index; false where the bytes are not what was copied.
    bool loadChunks(std::string_view bytes);
    bool loadRows(std::string_view bytes);

    struct RowPlace {
        Table table{};
        std::string key;
        Location at;
        std::uint32_t crc = 0;
    };
    /// The rows in one segment, where nothing else in it is live, the checksums of all of them are
    /// known, and there are few enough rows to look for them; else nothing.
    std::vector<RowPlace> onlyRowsIn(std::uint32_t segment) const;

    /// Bytes in use of one segment: what copying it would cost. 0 exactly where nothing in it is
    /// needed.
    std::uint64_t liveBytes(std::uint32_t segment) const;
    /// Forgets the counters of earlier segments; nothing in them may be live.
    void dropSegmentsBefore(std::uint32_t segment);
    /// True where every segment with something live is one of [from, to].
    bool liveOnlyIn(std::uint32_t from, std::uint32_t to) const;

    std::uint64_t messages() const { return messages_; }
    std::uint64_t entries() const { return entryCount_; }
    std::uint64_t rows() const { return rows_.size(); }
    std::uint64_t bytes() const { return bytes_; }
    std::size_t openChunks() const { return open_.size(); }

    static constexpr std::size_t kOpenMax = 384;
    static constexpr std::size_t kDropsMax = 64 << 10;

  private:
    struct Holder {
        std::uint32_t used = 0;                    ///< messages
        std::list<std::uint64_t>::iterator place;  ///< in open_; of open ones
        std::string packed;                        ///< empty: the open one has changed
        std::unique_ptr<Chunk> opened;             ///< null: only packed
    };
    struct Row {
        Location at;
        std::optional<std::uint32_t> crc;
    };
    struct Recent {
        std::uint64_t key = ~0ull;
        Holder* holder = nullptr;
    };

    Holder* holderOf(std::uint64_t key, bool make);
    void open(std::uint64_t key, Holder& holder);
    void packColdest();
    Chunk::Slot* find(StoredId id);
    Chunk& changing(StoredId id);
    void insert(StoredId id, std::span<const Entry> entries, const LiveMessage& message);
    void free(StoredId id);
    void account(const Location& at, std::uint64_t extra, bool live);

    std::map<std::uint64_t, Holder> chunks_;        ///< by id / Chunk::kIds
    std::list<std::uint64_t> open_;                 ///< keys, the one that was asked for last first
    Recent recent_[2];                              ///< asked for last, and before that
    std::map<std::string, Row, std::less<>> rows_;  ///< table byte + key
    std::deque<std::uint64_t> segmentBytes_;
    std::uint32_t firstSegment_ = 0;
    std::uint64_t messages_ = 0;
    std::uint64_t entryCount_ = 0;
    std::uint64_t bytes_ = 0;
    std::vector<Entry> scratch_;
    std::vector<std::pair<StoredId, QueueId>> drops_;  ///< put off
};

}  // namespace busbar::journal
