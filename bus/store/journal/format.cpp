#include "bus/store/journal/format.h"

#include "bus/message/codec.h"
#include "bus/store/journal/crc32c.h"

#include <cstring>

namespace busbar::journal {
namespace {

constexpr std::string_view kMagic = "BUSBARJ2";
constexpr std::string_view kMagicAnyVersion = "BUSBARJ";
constexpr std::size_t kHeaderFields = 8 + 4 * 8;  // magic and four numbers, then the checksum

enum class Op : std::uint8_t { add = 1, remove = 2, entry = 3, row = 4, erase = 5, moved = 6 };

void putOp(std::string& out, Op op) {
    out += static_cast<char>(op);
}

template <class T>
void patch(std::string& out, std::size_t at, T value) {
    std::memcpy(out.data() + at, &value, sizeof(T));
}

/// The checksum covers what follows it, and the length, which stands before it.
std::uint32_t checksum(std::string_view record, std::uint32_t length) {
    char raw[sizeof length];
    std::memcpy(raw, &length, sizeof length);
    return crc32c(record.substr(8, kRecordHeaderBytes - 8 + length), crc32c({raw, sizeof raw}));
}

Placement placement(std::size_t from, std::size_t to) {
    return {static_cast<std::uint32_t>(from), static_cast<std::uint32_t>(to - from)};
}

Placement sealMessage(std::string& out, std::size_t headAt, std::size_t from, StoredId id) {
    const Placement at = placement(from, out.size());
    patch(out, headAt, at.size);
    patch(out, headAt + 4, messageChecksum(id, std::string_view(out).substr(from)));
    return at;
}

Error malformed(const char* what, const WireReader& in) {
    return {ErrorCode::malformed, std::string(what) + " at byte " + std::to_string(in.position())};
}

/// The reader's memory for entry lists, so that a scan does not allocate for each message.
using Entries = std::vector<Entry>;

bool readEntries(WireReader& in, bool moved, Entries& entries) {
    const std::uint64_t size = in.varint();
    if (size == 0 || size > in.remaining()) return false;  // each takes a byte at the least
    entries.clear();
    for (std::uint64_t i = 0; i < size && in.ok(); ++i) {
        Entry entry{QueueId(in.varint())};
        if (moved) {
            entry.deliveryCount = static_cast<std::uint32_t>(in.varint());
            entry.deliverAt = WallTime(Milliseconds(readSigned(in)));
        }
        entries.push_back(entry);
    }
    return in.ok();
}

bool readMessage(WireReader& in, bool moved, Entries& entries, OperationVisitor& visitor) {
    const StoredId id(in.varint());
    if (!readEntries(in, moved, entries)) return false;
    const auto size = in.fixed<std::uint32_t>();
    in.take(sizeof(std::uint32_t));  // the record's checksum covers what this one does
    const auto bytes = in.take(size);
    if (!in.ok() || !id || bytes.empty()) return false;
    visitor.onMessage(id, entries, bytes, moved);
    return true;
}

bool readTable(WireReader& in, Table& table) {
    const auto raw = in.fixed<std::uint8_t>();
    table = static_cast<Table>(raw);
    return in.ok();
}

bool readOperation(WireReader& in, Entries& entries, OperationVisitor& visitor) {
    const auto op = static_cast<Op>(in.fixed<std::uint8_t>());
    switch (op) {
        case Op::add:
            return readMessage(in, false, entries, visitor);
        case Op::moved:
            return readMessage(in, true, entries, visitor);
        case Op::remove: {
            const QueueId queue(in.varint());
            const StoredId id(in.varint());
            if (in.ok()) visitor.onRemove(queue, id);
            return in.ok();
        }
        case Op::entry: {
            SetEntry entry;
            entry.queue = QueueId(in.varint());
            entry.id = StoredId(in.varint());
            entry.deliveryCount = static_cast<std::uint32_t>(in.varint());
            entry.deliverAt = WallTime(Milliseconds(readSigned(in)));
            if (in.ok()) visitor.onEntry(entry);
            return in.ok();
        }
        case Op::row: {
            Table table{};
            if (!readTable(in, table)) return false;
            const auto key = in.string();
            const auto value = in.take(in.fixed<std::uint32_t>());
            if (in.ok()) visitor.onRow(table, key, value);
            return in.ok();
        }
        case Op::erase: {
            Table table{};
            if (!readTable(in, table)) return false;
            const auto key = in.string();
            if (in.ok()) visitor.onErase(table, key);
            return in.ok();
        }
    }
    return false;
}

}  // namespace

std::string encodeSegmentHeader(const SegmentHeader& header) {
    std::string page(kMagic);
    putFixed(page, header.epoch);
    putFixed(page, header.oldestEpoch);
    putFixed(page, header.capacity);
    putFixed(page, header.firstIndex);
    putFixed(page, crc32c(page));
    page.resize(kPage, '\0');
    return page;
}

std::optional<SegmentHeader> decodeSegmentHeader(std::string_view page) {
    WireReader in(page);
    if (in.take(kMagic.size()) != kMagic) return {};
    SegmentHeader header;
    header.epoch = in.fixed<std::uint64_t>();
    header.oldestEpoch = in.fixed<std::uint64_t>();
    header.capacity = in.fixed<std::uint64_t>();
    header.firstIndex = in.fixed<std::uint64_t>();
    const auto crc = in.fixed<std::uint32_t>();
    if (!in.ok() || crc != crc32c(page.substr(0, kHeaderFields))) return {};
    if (header.epoch == 0 || header.oldestEpoch > header.epoch) return {};
    if (header.capacity < 2 * kPage || header.capacity > kSegmentBytesMax) return {};
    return header;
}

bool isOtherVersion(std::string_view page) {
    if (page.size() < kHeaderFields + 4 || !page.starts_with(kMagicAnyVersion)) return false;
    if (page.starts_with(kMagic)) return false;
    WireReader in(page.substr(kHeaderFields));
    return in.fixed<std::uint32_t>() == crc32c(page.substr(0, kHeaderFields));
}

RecordHeader readRecordHeader(std::string_view bytes) {
    WireReader in(bytes);
    RecordHeader header;
    header.length = in.fixed<std::uint32_t>();
    header.crc = in.fixed<std::uint32_t>();
    header.epoch = in.fixed<std::uint64_t>();
    header.index = in.fixed<std::uint64_t>();
    header.synced = in.fixed<std::uint32_t>();
    header.type = static_cast<RecordType>(in.fixed<std::uint32_t>());
    return header;
}

void beginRecord(std::string& out) {
    out.append(kRecordHeaderBytes, '\0');
}

void sealRecord(std::string& out, std::size_t start, RecordHeader header) {
    header.length = static_cast<std::uint32_t>(out.size() - start - kRecordHeaderBytes);
    patch(out, start, header.length);
    patch(out, start + 8, header.epoch);
    patch(out, start + 16, header.index);
    patch(out, start + 24, header.synced);
    patch(out, start + 28, static_cast<std::uint32_t>(header.type));
    patch(out, start + 4, checksum(std::string_view(out).substr(start), header.length));
    out.append(header.stride() - kRecordHeaderBytes - header.length, '\0');
}

bool recordIntact(const RecordHeader& header, std::string_view bytes) {
    if (bytes.size() < kRecordHeaderBytes + std::uint64_t{header.length}) return false;
    return header.crc == checksum(bytes, header.length);
}

std::uint64_t estimateBytes(const UnitOfWork& unit) {
    std::uint64_t sum = kRecordHeaderBytes;
    for (const auto& operation : unit.operations) {
        if (const auto* add = std::get_if<AddMessage>(&operation)) {
            sum += add->message->body.size() + 10 * add->queues.size() + 128;
        } else if (const auto* row = std::get_if<PutRow>(&operation)) {
            sum += row->key.size() + row->value.size() + 32;
        } else {
            sum += 32;
        }
    }
    return sum;
}

Placement putAdd(std::string& out, const AddMessage& add) {
    putOp(out, Op::add);
    putVarint(out, add.id.value);
    putVarint(out, add.queues.size());
    for (const auto queue : add.queues) putVarint(out, queue.value);
    const std::size_t headAt = out.size();
    out.append(kMessageHeadBytes, '\0');
    const std::size_t from = out.size();
    encodeMessageHead(*add.message, out);
    out.append(add.message->body.view());
    return sealMessage(out, headAt, from, add.id);
}

Placement putMoved(std::string& out, StoredId id, std::span<const Entry> entries,
                   std::string_view message) {
    putOp(out, Op::moved);
    putVarint(out, id.value);
    putVarint(out, entries.size());
    for (const auto& entry : entries) {
        putVarint(out, entry.queue.value);
        putVarint(out, entry.deliveryCount);
        putSigned(out, entry.deliverAt.time_since_epoch().count());
    }
    const std::size_t headAt = out.size();
    out.append(kMessageHeadBytes, '\0');
    const std::size_t from = out.size();
    out.append(message);
    return sealMessage(out, headAt, from, id);
}

void putRemove(std::string& out, const RemoveEntry& remove) {
    putOp(out, Op::remove);
    putVarint(out, remove.queue.value);
    putVarint(out, remove.id.value);
}

void putEntry(std::string& out, const SetEntry& entry) {
    putOp(out, Op::entry);
    putVarint(out, entry.queue.value);
    putVarint(out, entry.id.value);
    putVarint(out, entry.deliveryCount);
    putSigned(out, entry.deliverAt.time_since_epoch().count());
}

Placement putRow(std::string& out, Table table, std::string_view key, std::string_view value) {
    putOp(out, Op::row);
    out += static_cast<char>(table);
    putString(out, key);
    putFixed(out, static_cast<std::uint32_t>(value.size()));
    const std::size_t from = out.size();
    out.append(value);
    return placement(from, out.size());
}

Placement putRow(std::string& out, const PutRow& row) {
    return putRow(out, row.table, row.key, row.value);
}

void putErase(std::string& out, const EraseRow& erase) {
    putOp(out, Op::erase);
    out += static_cast<char>(erase.table);
    putString(out, erase.key);
}

Result<void> readOperations(std::string_view payload, OperationVisitor& visitor) {
    WireReader in(payload);
    Entries entries;
    while (in.ok() && in.remaining() > 0) {
        if (!readOperation(in, entries, visitor)) return malformed("bad operation", in);
    }
    return {};
}

std::uint32_t messageChecksum(StoredId id, std::string_view message) {
    char raw[sizeof id.value];
    std::memcpy(raw, &id.value, sizeof raw);
    return crc32c(message, crc32c({raw, sizeof raw}));
}

std::string_view verifiedMessage(StoredId id, std::string_view bytes) {
    WireReader in(bytes);
    const auto size = in.fixed<std::uint32_t>();
    const auto crc = in.fixed<std::uint32_t>();
    const auto message = in.take(size);
    if (!in.ok() || in.remaining() != 0 || crc != messageChecksum(id, message)) return {};
    return message;
}

std::optional<LooseMessage> readLooseMessage(std::string_view bytes) {
    WireReader in(bytes);
    const auto op = static_cast<Op>(in.fixed<std::uint8_t>());
    if (op != Op::add && op != Op::moved) return {};
    LooseMessage found;
    found.moved = op == Op::moved;
    found.id = StoredId(in.varint());
    if (!found.id || !readEntries(in, found.moved, found.entries)) return {};
    const auto head = in.position();
    const auto size = in.fixed<std::uint32_t>();
    in.take(sizeof(std::uint32_t));
    // The head first: checksums over every length that a byte may seem to say would take for ever.
    if (size == 0 || !readMessageSummary(in.take(size)) || !in.ok()) return {};
    found.size = in.position();
    found.message = verifiedMessage(found.id, bytes.substr(head, kMessageHeadBytes + size));
    return found;
}

void putSigned(std::string& out, std::int64_t value) {
    const auto bits = static_cast<std::uint64_t>(value);
    putVarint(out, value < 0 ? ~(bits << 1) : bits << 1);
}

std::int64_t readSigned(WireReader& in) {
    const std::uint64_t bits = in.varint();
    return static_cast<std::int64_t>(bits & 1 ? ~(bits >> 1) : bits >> 1);
}

}  // namespace busbar::journal
