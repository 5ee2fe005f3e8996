#include "bus/store/journal/salvage.h"

#include <fmt/format.h>

#include <algorithm>

namespace busbar::journal {
namespace {

// An added message takes more than this in the log.
constexpr std::uint64_t kMessageBytesMin = 32;

/// Appends [first, last] less `known`, of which `at` is the first that is not below.
void appendRanges(std::uint64_t first, std::uint64_t last, const std::set<std::uint64_t>& known,
                  std::vector<JournalRepair::Ids>& out) {
    for (auto at = known.lower_bound(first); first <= last; ++at) {
        const std::uint64_t stop = at == known.end() || *at > last ? last + 1 : *at;
        if (stop > first) out.push_back({StoredId(first), StoredId(stop - 1)});
        if (at == known.end()) return;
        first = stop + 1;
    }
}

}  // namespace

/// Notes the ids of added messages, and of those that leave without having been seen.
class Salvage::Observer final : public OperationVisitor {
  public:
    explicit Observer(Salvage& salvage) : salvage_(salvage) {}

    void onMessage(StoredId id, std::span<const Entry>, std::string_view, bool moved) override {
        if (moved || id.value <= salvage_.lastAdded_) return;
        salvage_.lastAdded_ = id.value;
        for (auto at = salvage_.places_.rbegin(); at != salvage_.places_.rend() && at->idAfter == 0;
             ++at) {
            at->idAfter = id.value;
        }
    }
    void onRemove(QueueId, StoredId id) override {
        if (!salvage_.places_.empty() && !salvage_.index_.findMessage(id)) {
            salvage_.left_.insert(id.value);
        }
    }
    void onEntry(const SetEntry&) override {}
    void onRow(Table, std::string_view, std::string_view) override {}
    void onErase(Table, std::string_view) override {}

  private:
    Salvage& salvage_;
};

Salvage::Salvage(FileSystem& files, std::string directory, Layout& layout, JournalRepair& report)
    : files_(files),
      directory_(std::move(directory)),
      layout_(layout),
      report_(report),
      firstEpoch_([&layout] {
          for (const auto& segment : layout.headless) layout.log.push_back(segment);
          std::sort(layout.log.begin(), layout.log.end(),
                    [](const Segment& a, const Segment& b) { return a.epoch < b.epoch; });
          return layout.log.empty() ? 0 : layout.log.front().epoch;
      }()),
      builder_(index_, firstEpoch_) {
    for (const auto& segment : layout_.headless) {
        report_.lost.push_back({segmentName(segment.file), 0, kPage, "the segment header"});
    }
}

Result<void> Salvage::run(const std::function<void(double)>& progress) {
    std::string ignored;
    savedHead_ = loadCheckpoint(files_, directory_, saved_, ignored);
    if (savedHead_) {
        savedBuilder_.emplace(saved_, savedHead_->firstEpoch);
        savedBuilder_->replayBefore(savedHead_->endIndex);
    }
    std::uint64_t nextIndex = 0;
    std::uint64_t expected = layout_.oldestEpoch == 0 ? firstEpoch_ : layout_.oldestEpoch;
    const Segment* previous = nullptr;
    double done = 0;
    for (auto& segment : layout_.log) {
        if (segment.epoch < expected) {
            lose(segment, 0, 0, "the same segment as " + segmentName(previous->file));
            continue;
        }
        if (segment.epoch > expected) loseSegments(segment, segment.epoch - expected);
        auto read = readSegment(segment, &segment == &layout_.log.back(), nextIndex);
        if (!read) return std::move(read).error();
        previous = &segment;
        expected = segment.epoch + 1;
        done += 1;
        if (progress) progress(done / static_cast<double>(layout_.log.size()));
    }
    loseTheEnd(nextIndex);
    if (!damaged()) {
        for (const auto& damage : layout_.damages) {
            report_.lost.push_back({damage.file, damage.offset, 0, damage.what});
        }
    }
    nameTheLost();
    report_.messagesSalvaged = static_cast<std::uint64_t>(
        std::count_if(salvaged_.begin(), salvaged_.end(),
                      [&](std::uint64_t id) { return index_.findMessage(StoredId(id)); }));
    return {};
}

Result<bool> Salvage::readSegment(Segment& segment, bool last, std::uint64_t& nextIndex) {
    auto file = files_.open(directory_ + "/" + segmentName(segment.file), FileSystem::Mode::read);
    if (!file) return std::move(file).error();
    std::uint64_t at = kFirstRecord;
    nextIndex = segment.firstIndex;
    for (;;) {
        SegmentReader reader(**file, segment.epoch, nextIndex, at);
        while (const auto record = reader.next()) apply(segment, *record);
        if (reader.stop() == SegmentReader::Stop::failed) return reader.error();
        nextIndex = reader.nextIndex();
        segment.used = reader.position();
        if (reader.stop() == SegmentReader::Stop::end) return true;
        if (last && reader.stop() == SegmentReader::Stop::tail) return true;
        auto skipped = skipDamage(**file, segment, reader.position(), nextIndex, at);
        if (!skipped) return std::move(skipped).error();
        if (at == 0) return true;
    }
}

/// `goOnAt`: the next intact record, whose index `index` is then; 0 where there is none.
Result<void> Salvage::skipDamage(const File& file, const Segment& segment, std::uint64_t from,
                                 std::uint64_t& index, std::uint64_t& goOnAt) {
    std::string bytes(segment.allocated > from ? segment.allocated - from : 0, '\0');
    auto got = file.read(from, bytes);
    if (!got) return std::move(got).error();
    bytes.resize(*got);
    const auto intact = findIntact(bytes, segment, index);
    const std::uint64_t size = intact ? intact->offset : bytes.size();
    lose(segment, from, from + size,
         intact ? fmt::format("records {} to {}", index, intact->index - 1)
                : fmt::format("all from record {} on", index));
    searchMessages(std::string_view(bytes).substr(0, size), segment, from, intact.has_value());
    goOnAt = intact ? from + intact->offset : 0;
    if (intact) index = intact->index;
    return {};
}

std::optional<Salvage::Intact> Salvage::findIntact(std::string_view bytes, const Segment& segment,
                                                   std::uint64_t index) const {
    for (std::uint64_t at = 0; at + kRecordHeaderBytes <= bytes.size(); at += kAlignment) {
        const auto header = readRecordHeader(bytes.substr(at));
        if (header.epoch != segment.epoch || header.index < index) continue;
        if (recordIntact(header, bytes.substr(at))) return Intact{at, header.index};
    }
    return {};
}

/// `certain`: all of the bytes are of this use of the file. Otherwise older messages may lie there,
/// which have left long ago; their ids are lower than those that were added just before.
void Salvage::searchMessages(std::string_view bytes, const Segment& segment, std::uint64_t at,
                             bool certain) {
    const std::uint64_t before = lastAdded_;
    for (std::size_t i = 0; i < bytes.size();) {
        const auto found = readLooseMessage(bytes.substr(i));
        const bool take = found && !found->message.empty() &&
                          (certain || (!found->moved && found->id.value > before));
        if (!take) {
            ++i;
            continue;
        }
        const auto offset = at + i + found->size - found->message.size();
        const Location where{static_cast<std::uint32_t>(segment.epoch - firstEpoch_),
                             static_cast<std::uint32_t>(offset),
                             static_cast<std::uint32_t>(found->message.size())};
        const LiveMessage live{where, *readMessageSummary(found->message)};
        if (found->moved) {
            index_.moveMessage(found->id, found->entries, live);
        } else {
            index_.addMessage(found->id, found->entries, live);
            lastAdded_ = std::max(lastAdded_, found->id.value);
        }
        salvaged_.insert(found->id.value);
        i += found->size;
    }
}

void Salvage::apply(const Segment& segment, const SegmentReader::Record& record) {
    if (record.header.type == RecordType::unit) {
        Observer observer(*this);
        (void)readOperations(record.payload, observer);
    }
    if (savedHead_ && record.header.index >= savedHead_->replay.index) {
        (void)savedBuilder_->apply(segment, record);
    }
    auto applied = builder_.apply(segment, record);
    if (!applied) {
        lose(segment, record.offset, record.offset + record.header.stride(), applied.error().text);
    }
}

void Salvage::lose(const Segment& segment, std::uint64_t from, std::uint64_t to, std::string what) {
    report_.lost.push_back({segmentName(segment.file), from, to - from, std::move(what)});
    places_.push_back({segment.epoch, from, to, to - from, lastAdded_, 0});
}

void Salvage::loseSegments(const Segment& next, std::uint64_t missing) {
    report_.lost.push_back({segmentName(next.file), 0, 0,
                            fmt::format("{} segments before this one are missing", missing)});
    for (std::uint64_t epoch = next.epoch - missing; epoch < next.epoch; ++epoch) {
        places_.push_back({epoch, 0, 0, next.capacity, lastAdded_, 0});
    }
}

/// What is gone from the end looks like an interrupted write; but the log was synced as far as the
/// checkpoint says.
void Salvage::loseTheEnd(std::uint64_t nextIndex) {
    if (!savedHead_ || layout_.log.empty() || nextIndex >= savedHead_->endIndex) return;
    const Segment& last = layout_.log.back();
    const std::string what = fmt::format("records {} to {}", nextIndex, savedHead_->endIndex - 1);
    report_.lost.push_back({segmentName(last.file), last.used, 0, what});
    places_.push_back({last.epoch, last.used, 0, last.capacity, lastAdded_, 0});
    report_.messagesLostIsAll = false;  // how much more there was, nothing tells
}

void Salvage::nameTheLost() {
    std::set<std::uint64_t> known = left_;
    index_.eachMessage([&](StoredId id, const LiveMessage&, std::span<const Entry>) {
        for (const auto& place : places_) {
            if (id.value > place.idBefore && (place.idAfter == 0 || id.value < place.idAfter)) {
                known.insert(id.value);
                return;
            }
        }
    });
    std::set<std::uint64_t> others;  // named one by one
    nameByCheckpoint(others);
    std::uint64_t named = 0;  // up to here
    for (const auto& place : places_) {
        const std::uint64_t most = place.bytes / kMessageBytesMin + 1;
        std::uint64_t first = place.idBefore + 1;
        std::uint64_t last = place.idAfter == 0 ? place.idBefore + most : place.idAfter - 1;
        if (place.idBefore == 0 && last > most) first = last - most + 1;
        first = std::max(first, named + 1);
        if (first > last) continue;
        appendRanges(first, last, known, report_.messagesLost);
        others.erase(others.lower_bound(first), others.upper_bound(last));
        named = last;
    }
    for (const auto id : others) report_.messagesLost.push_back({StoredId(id), StoredId(id)});
    std::sort(report_.messagesLost.begin(), report_.messagesLost.end(),
              [](const auto& a, const auto& b) { return a.first < b.first; });
}

/// The checkpoint and the intact records behind it know of all messages that were there, but for
/// those added in a lost place.
void Salvage::nameByCheckpoint(std::set<std::uint64_t>& ids) {
    if (!savedHead_) {
        report_.messagesLostIsAll &= places_.empty();
        return;
    }
    saved_.eachMessage([&](StoredId id, const LiveMessage&, std::span<const Entry>) {
        if (!index_.findMessage(id)) ids.insert(id.value);
    });
}

}  // namespace busbar::journal
