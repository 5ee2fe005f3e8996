#include "bus/store/journal/log_scan.h"

#include "bus/message/codec.h"
#include "bus/message/wire.h"
#include "bus/store/journal/crc32c.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <random>

namespace busbar::journal {
namespace {

constexpr std::string_view kSuffix = ".seg";

/// The number of "00000007.seg"; 0 for any other name.
std::uint64_t numberOf(std::string_view name) {
    if (!name.ends_with(kSuffix) || name.size() < 8 + kSuffix.size()) return 0;
    name.remove_suffix(kSuffix.size());
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
    return error == std::errc{} && end == name.data() + name.size() ? number : 0;
}

std::uint64_t randomEpoch() {
    std::random_device random;
    return (static_cast<std::uint64_t>(random()) << 28) + random() % (1u << 28) + 1;
}

/// What one file says of itself.
struct Probe {
    Segment segment;
    std::uint64_t oldestEpoch = 0;
    bool header = false;            ///< an intact header
    std::uint64_t recordEpoch = 0;  ///< of an intact first record behind a broken header
    std::uint64_t recordIndex = 0;
};

Result<Probe> probe(FileSystem& files, const std::string& path, std::uint64_t number) {
    auto file = files.open(path, FileSystem::Mode::read);
    if (!file) return std::move(file).error();
    auto size = (*file)->size();
    if (!size) return std::move(size).error();
    Probe found;
    found.segment.file = number;
    found.segment.allocated = *size;
    found.segment.used = kFirstRecord;
    std::string page(kPage, '\0');
    auto got = (*file)->read(0, page);
    if (!got) return std::move(got).error();
    page.resize(*got);
    if (isOtherVersion(page)) {
        return Error{ErrorCode::unsupported,
                     path +
                         " was written by another version of Busbar, in a format that this one "
                         "does not read; nothing was changed"};
    }
    if (const auto header = decodeSegmentHeader(page)) {
        found.header = true;
        found.segment.epoch = header->epoch;
        found.segment.capacity = header->capacity;
        found.segment.firstIndex = header->firstIndex;
        found.oldestEpoch = header->oldestEpoch;
        return found;
    }
    std::string head(kRecordHeaderBytes, '\0');
    got = (*file)->read(kFirstRecord, head);
    if (!got) return std::move(got).error();
    if (*got < kRecordHeaderBytes) return found;
    const RecordHeader record = readRecordHeader(head);
    SegmentReader reader(**file, record.epoch, record.index);
    if (record.epoch != 0 && (reader.next() || reader.stop() == SegmentReader::Stop::end)) {
        found.recordEpoch = record.epoch;
        found.recordIndex = record.index;
    }
    return found;
}

/// The first segment that is needed, as far as the last one tells in its records, and how it ends.
Result<std::uint64_t> readLast(FileSystem& files, const std::string& directory, const Segment& last,
                               Layout& layout) {
    auto file = files.open(directory + "/" + segmentName(last.file), FileSystem::Mode::read);
    if (!file) return std::move(file).error();
    std::uint64_t oldest = 0;
    SegmentReader reader(**file, last.epoch, last.firstIndex);
    while (const auto record = reader.next()) {
        if (record->header.type != RecordType::trim) continue;
        WireReader in(record->payload);
        oldest = std::max(oldest, in.fixed<std::uint64_t>());
    }
    if (reader.stop() == SegmentReader::Stop::failed) return reader.error();
    layout.nextIndex = reader.nextIndex();
    layout.ended = reader.stop() == SegmentReader::Stop::end;
    return oldest;
}

Result<std::vector<Probe>> probeAll(FileSystem& files, const std::string& directory) {
    auto names = files.list(directory);
    if (!names) return std::move(names).error();
    std::vector<Probe> probes;
    for (const auto& name : *names) {
        const std::uint64_t number = numberOf(name);
        if (number == 0) continue;
        auto found = probe(files, directory + "/" + name, number);
        if (!found) return std::move(found).error();
        probes.push_back(*found);
    }
    return probes;
}

}  // namespace

std::string toText(const Damage& damage) {
    return fmt::format("{}, offset {}: {}", damage.file, damage.offset, damage.what);
}

Result<std::unique_ptr<FileLock>> lockJournal(FileSystem& files, const std::string& directory) {
    auto lock = files.lock(directory + "/lock");
    if (!lock && lock.error().code == ErrorCode::inUse) {
        return Error{ErrorCode::inUse,
                     fmt::format("the journal in {} is in use: stop the daemon first", directory)};
    }
    return lock;
}

Result<Layout> readLayout(FileSystem& files, const std::string& directory) {
    auto probes = probeAll(files, directory);
    if (!probes) return std::move(probes).error();
    Layout layout;
    std::map<std::uint64_t, const Probe*> byEpoch;
    for (const auto& found : *probes) {
        layout.lastFile = std::max(layout.lastFile, found.segment.file);
        if (!found.header) continue;
        const auto [at, added] = byEpoch.emplace(found.segment.epoch, &found);
        if (!added) {
            layout.damages.push_back(
                {segmentName(found.segment.file), 0,
                 "the same segment as " + segmentName(at->second->segment.file)});
        }
    }
    std::uint64_t oldest = 1;
    if (!byEpoch.empty()) {
        const Probe& last = *byEpoch.rbegin()->second;
        auto trimmed = readLast(files, directory, last.segment, layout);
        if (!trimmed) return std::move(trimmed).error();
        oldest = std::min(std::max(*trimmed, last.oldestEpoch), last.segment.epoch);
        layout.oldestEpoch = oldest;
        layout.lastEpoch = last.segment.epoch;
        for (std::uint64_t epoch = oldest; epoch <= layout.lastEpoch; ++epoch) {
            const auto at = byEpoch.find(epoch);
            if (at != byEpoch.end()) {
                layout.log.push_back(at->second->segment);
                continue;
            }
            const auto next = byEpoch.upper_bound(epoch);
            layout.damages.push_back({segmentName(next->second->segment.file), 0,
                                      fmt::format("segment {} before this one is missing", epoch)});
            epoch = next->first - 1;
        }
    }
    for (const auto& found : *probes) {
        if (found.header && found.segment.epoch >= oldest) continue;
        if (!found.header && found.recordEpoch >= oldest) {
            layout.damages.push_back(
                {segmentName(found.segment.file), 0, "the segment header is destroyed"});
            layout.headless.push_back(found.segment);
            layout.headless.back().epoch = found.recordEpoch;
            layout.headless.back().firstIndex = found.recordIndex;
            continue;
        }
        layout.spares.push_back(found.segment);
    }
    if (layout.lastEpoch == 0) layout.lastEpoch = randomEpoch();
    return layout;
}

Result<ScanEnd> scanLog(FileSystem& files, const std::string& directory, Layout& layout,
                        ScanListener& listener, LogPosition from) {
    ScanEnd end;
    std::uint64_t total = 1;
    std::uint64_t done = 0;
    for (const auto& segment : layout.log) {
        if (segment.epoch >= from.epoch) total += segment.allocated;
    }
    bool first = true;
    for (auto& segment : layout.log) {
        if (segment.epoch < from.epoch) {
            segment.used = segment.allocated;
            continue;
        }
        const bool last = &segment == &layout.log.back();
        const bool inside = segment.epoch == from.epoch;
        const std::string name = segmentName(segment.file);
        auto file = files.open(directory + "/" + name, FileSystem::Mode::read);
        if (!file) return std::move(file).error();
        if (!first && segment.firstIndex != end.nextIndex &&
            !listener.onDamage({name, 0,
                                fmt::format("begins with record {}, but record {} is next",
                                            segment.firstIndex, end.nextIndex)})) {
            return end;
        }
        first = false;
        SegmentReader reader(**file, segment.epoch, inside ? from.index : segment.firstIndex,
                             inside ? from.offset : kFirstRecord);
        std::uint64_t reported = 0;
        end.syncedTo = inside ? from.offset : 0;
        while (const auto record = reader.next()) {
            end.syncedTo = record->header.synced;
            listener.onRecord(segment, *record);
            if (reader.position() - reported < (4 << 20)) continue;
            reported = reader.position();
            listener.onProgress(static_cast<double>(done + reported) / static_cast<double>(total));
        }
        if (reader.stop() == SegmentReader::Stop::failed) return reader.error();
        segment.used = reader.position();
        end.nextIndex = reader.nextIndex();
        end.ended = reader.stop() == SegmentReader::Stop::end;
        end.tornBytes = reader.tornBytes();
        done += segment.allocated;
        listener.onProgress(static_cast<double>(done) / static_cast<double>(total));
        const bool damaged = reader.stop() == SegmentReader::Stop::damaged || (!end.ended && !last);
        if (damaged &&
            !listener.onDamage({name, reader.position(), "an unreadable record that was synced"})) {
            return end;
        }
        (*file)->dropCache(0, segment.allocated);
    }
    return end;
}

Result<void> IndexBuilder::apply(const Segment& segment, const SegmentReader::Record& record) {
    if (record.header.type != RecordType::unit) return {};
    segment_ = static_cast<std::uint32_t>(segment.epoch - firstEpoch_);
    record_ = &record;
    duplicate_ = unreadable_ = 0;
    replaying_ = record.header.index < replayedBefore_;
    auto read = readOperations(record.payload, *this);
    if (!read) return read;
    if (duplicate_ != 0) {
        return Error{ErrorCode::storageCorrupt,
                     fmt::format("message {} comes a second time", duplicate_)};
    }
    if (unreadable_ != 0) {
        return Error{ErrorCode::storageCorrupt,
                     fmt::format("message {} has no readable head", unreadable_)};
    }
    return read;
}

Location IndexBuilder::locate(std::string_view part) const {
    const auto within = static_cast<std::uint64_t>(part.data() - record_->payload.data());
    return {segment_, static_cast<std::uint32_t>(record_->offset + kRecordHeaderBytes + within),
            static_cast<std::uint32_t>(part.size())};
}

void IndexBuilder::onMessage(StoredId id, std::span<const Entry> entries, std::string_view message,
                             bool moved) {
    const auto summary = readMessageSummary(message);
    if (!summary) {
        unreadable_ = id.value;
        return;
    }
    const LiveMessage live{locate(message), *summary};
    if (moved) {
        index_.moveMessage(id, entries, live);
    } else if (replaying_) {
        index_.replaceMessage(id, entries, live);
    } else if (!index_.addMessage(id, entries, live)) {
        duplicate_ = id.value;
    }
}

void IndexBuilder::judge(LiveIndex::Found found) {
    if (found == LiveIndex::Found::noEntry && !replaying_) ++contradictions_;
}

void IndexBuilder::onRemove(QueueId queue, StoredId id) {
    judge(index_.removeEntry(queue, id));
}

void IndexBuilder::onEntry(const SetEntry& entry) {
    judge(index_.setEntry(entry));
}

void IndexBuilder::onRow(Table table, std::string_view key, std::string_view value) {
    index_.putRow(table, key, locate(value), crc32c(value));
}

void IndexBuilder::onErase(Table table, std::string_view key) {
    index_.eraseRow(table, key);
}

}  // namespace busbar::journal
