// The bytes of the journal: segment headers, record headers, operations. docs/formats/journal.md is
// the grammar; this is its only code. No files here, no state.
#pragma once

#include "bus/base/result.h"
#include "bus/message/wire.h"
#include "bus/store/store.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace busbar::journal {

constexpr std::uint64_t kPage = 4096;          ///< writes begin and end on a multiple of it
constexpr std::uint64_t kFirstRecord = kPage;  ///< the segment header has the first page for itself
constexpr std::uint64_t kAlignment = 8;        ///< records begin on a multiple of it
constexpr std::uint64_t kRecordHeaderBytes = 32;
constexpr std::uint64_t kUnitBytesMax = 1ull << 30;  ///< a larger unit of work is refused
constexpr std::uint64_t kSegmentBytesMax = 2ull << 30;

constexpr std::uint64_t roundUp(std::uint64_t value, std::uint64_t step) {
    return (value + step - 1) / step * step;
}

/// The use of a file as one segment of the log. The epoch ascends by one from segment to segment,
/// starting at a random number, so bytes of an earlier use, or in a message, are never taken for
/// records.
struct SegmentHeader {
    std::uint64_t epoch = 0;
    std::uint64_t oldestEpoch = 0;  ///< first segment of the log when this one was begun
    std::uint64_t capacity = 0;     ///< the file may grow to this
    std::uint64_t firstIndex = 0;   ///< index of the first record
};

/// One page.
std::string encodeSegmentHeader(const SegmentHeader& header);
/// Nothing where the checksum or the magic is wrong.
std::optional<SegmentHeader> decodeSegmentHeader(std::string_view page);
/// True where the page is the intact header of another version of this format.
bool isOtherVersion(std::string_view page);

enum class RecordType : std::uint32_t {
    unit = 1,  ///< operations of one unit of work, or of the cleaner
    trim = 2,  ///< payload: u64, the epoch of the first segment that is still needed
    end = 3,   ///< nothing follows in this segment
    mark = 4,  ///< says by its header only that what is before it was synced
};

struct RecordHeader {
    std::uint32_t length = 0;  ///< of the payload
    std::uint32_t crc = 0;     ///< over the header's bytes 8 to 31, then length, then payload
    std::uint64_t epoch = 0;
    std::uint64_t index = 0;  ///< ascends by one from record to record through all segments
    std::uint32_t synced =
        0;  ///< everything in this segment before this offset was synced before this was written
    RecordType type = RecordType::unit;

    /// Bytes from the start of this record to the start of the next.
    std::uint64_t stride() const { return roundUp(kRecordHeaderBytes + length, kAlignment); }
};

RecordHeader readRecordHeader(std::string_view bytes);

/// Appends room for a header; sealRecord fills it in once the payload is behind it. Then pads to
/// kAlignment.
void beginRecord(std::string& out);
void sealRecord(std::string& out, std::size_t start, RecordHeader header);

/// True where `bytes` begin with a whole record that its checksum confirms.
bool recordIntact(const RecordHeader& header, std::string_view bytes);

/// Where one operation's data lies, relative to the start of the record.
struct Placement {
    std::uint32_t offset = 0;
    std::uint32_t size = 0;
};

/// A queue that a message is on.
using Entry = RecoveryListener::Entry;

/// In front of each message in the log: the size and the checksum of id and message, so that one
/// message can be read and trusted without its record, also where the file may have been written
/// over.
constexpr std::uint32_t kMessageHeadBytes = 8;
std::uint32_t messageChecksum(StoredId id, std::string_view message);
/// `bytes`: the head and the message behind it. Empty where they are not this message.
std::string_view verifiedMessage(StoredId id, std::string_view bytes);

/// Roughly the bytes that the unit's record will take: an upper bound where messages have no
/// properties.
std::uint64_t estimateBytes(const UnitOfWork& unit);

/// Append an operation to a record's payload. The result is where message or value lie in `out`.
Placement putAdd(std::string& out, const AddMessage& add);
Placement putRow(std::string& out, const PutRow& row);
void putRemove(std::string& out, const RemoveEntry& remove);
void putEntry(std::string& out, const SetEntry& entry);
void putErase(std::string& out, const EraseRow& erase);
/// A message that the cleaner moves, with all that is known of it.
Placement putMoved(std::string& out, StoredId id, std::span<const Entry> entries,
                   std::string_view message);
Placement putRow(std::string& out, Table table, std::string_view key, std::string_view value);

/// Gets the operations of a record, in their order. Views are into the payload.
class OperationVisitor {
  public:
    virtual ~OperationVisitor() = default;
    /// `moved`: by the cleaner, so that the message may be known already.
    virtual void onMessage(StoredId id, std::span<const Entry> entries, std::string_view message,
                           bool moved) = 0;
    virtual void onRemove(QueueId queue, StoredId id) = 0;
    virtual void onEntry(const SetEntry& entry) = 0;
    virtual void onRow(Table table, std::string_view key, std::string_view value) = 0;
    virtual void onErase(Table table, std::string_view key) = 0;
};

/// malformed where the payload does not follow the grammar; never reads outside of it.
Result<void> readOperations(std::string_view payload, OperationVisitor& visitor);

/// The message operation at the start of `bytes`, where its own checksum confirms it: what is left
/// of a record that is not intact as a whole.
struct LooseMessage {
    StoredId id;
    std::vector<Entry> entries;
    std::string_view message;  ///< empty: the operation is there, but not as it was written
    std::size_t size = 0;      ///< of the operation
    bool moved = false;
};
std::optional<LooseMessage> readLooseMessage(std::string_view bytes);

/// A signed number as a varint that is short near zero.
void putSigned(std::string& out, std::int64_t value);
std::int64_t readSigned(WireReader& in);

}  // namespace busbar::journal
