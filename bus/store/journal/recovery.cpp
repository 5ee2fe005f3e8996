#include "bus/store/journal/recovery.h"

#include "bus/base/log.h"
#include "bus/store/journal/checkpoint.h"
#include "bus/store/journal/live_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace busbar::journal {
namespace {

constexpr std::uint64_t kReadAhead = 256 << 10;

class Builder final : public ScanListener {
  public:
    Builder(Recovered& state, RecoveryListener& listener)
        : state_(state), listener_(listener), builder_(state.index, state.firstEpoch) {}

    void onRecord(const Segment& segment, const SegmentReader::Record& record) override {
        if (damage) return;
        if (record.header.type == RecordType::unit) ++state_.units;
        state_.bytesReplayed += record.header.stride();
        auto applied = builder_.apply(segment, record);
        if (!applied)
            damage = Damage{segmentName(segment.file), record.offset, applied.error().text};
    }

    bool onDamage(Damage found) override {
        if (!damage) damage = std::move(found);
        return false;
    }

    void onProgress(double share) override { listener_.onProgress(share * 0.9); }

    void replayBefore(std::uint64_t index) { builder_.replayBefore(index); }
    std::uint64_t contradictions() const { return builder_.contradictions(); }

    std::optional<Damage> damage;

  private:
    Recovered& state_;
    RecoveryListener& listener_;
    IndexBuilder builder_;
};

Error corrupt(const std::string& directory, const Damage& damage) {
    return {ErrorCode::storageCorrupt,
            fmt::format("{}/{}; nothing was changed; busbar journal check tells more", directory,
                        toText(damage))};
}

/// Writes again what no record says was synced. It was read, so from now on it counts; but it may
/// have been read from the cache of an operating system whose sync had failed, and then a sync
/// alone would not help.
Result<void> writeAgain(File& file, std::uint64_t from, std::uint64_t to) {
    std::string bytes;
    for (from = from / kPage * kPage; from < to; from += bytes.size()) {
        bytes.resize(std::min<std::uint64_t>(to - from, kReadAhead));
        auto got = file.read(from, bytes);
        if (!got) return std::move(got).error();
        // All records were read, so what may be missing is the rest of the header's page or
        // padding.
        std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(*got), bytes.end(), '\0');
        auto written = file.write(from, bytes);
        if (!written) return written;
    }
    return file.sync();
}

/// Makes the last segment whole: durable, with an end record, and no larger than it need be.
Result<void> endLastSegment(FileSystem& files, const std::string& directory, Recovered& state,
                            const ScanEnd& end) {
    Segment& last = state.layout.log.back();
    auto file = files.open(directory + "/" + segmentName(last.file), FileSystem::Mode::readWrite);
    if (!file) return std::move(file).error();
    auto done = writeAgain(**file, end.syncedTo > kFirstRecord ? end.syncedTo : 0, last.used);
    if (!done || end.ended) return done;
    std::string bytes;
    beginRecord(bytes);
    RecordHeader header;
    header.epoch = last.epoch;
    header.index = state.nextIndex++;
    header.synced = static_cast<std::uint32_t>(last.used);
    header.type = RecordType::end;
    sealRecord(bytes, 0, header);
    done = (*file)->write(last.used, bytes);
    if (done) done = (*file)->sync();
    if (!done) return done;
    last.used += bytes.size();
    const std::uint64_t needed = roundUp(last.used, kPage);
    if (needed < last.allocated) {
        done = (*file)->truncate(needed);
        if (!done) return done;
    }
    last.allocated = std::min(last.allocated, needed);
    return {};
}

struct RowPlace {
    Table table;
    std::string key;
    Location at;
};

Result<void> tellRows(LiveReader& reader, const LiveIndex& index, RecoveryListener& listener) {
    std::vector<RowPlace> rows;
    rows.reserve(index.rows());
    index.eachRow([&](Table table, std::string_view key, Location at) {
        rows.push_back({table, std::string(key), at});
    });
    std::sort(rows.begin(), rows.end(), [](const RowPlace& a, const RowPlace& b) {
        return std::pair(a.at.segment, a.at.offset) < std::pair(b.at.segment, b.at.offset);
    });
    for (const auto& row : rows) {
        auto value = reader.read(row.at);
        if (!value) return std::move(value).error();
        listener.onRow(row.table, row.key, *value);
    }
    return {};
}

/// Returns what those with large bodies refer to: they are few, so each is read as it comes.
Result<BodyReferences> tellMessages(LiveReader& reader, const LiveIndex& index,
                                    RecoveryListener& listener) {
    BodyReferences bodies;
    std::optional<Error> failed;
    std::uint64_t count = 0;
    index.eachMessage([&](StoredId id, const LiveMessage& live, std::span<const Entry> entries) {
        MessageSummary summary;
        summary.id = id;
        summary.bytes = live.at.size;
        summary.priority = live.summary.priority;
        summary.persistent = live.summary.persistent;
        summary.expiration = live.summary.expiration;
        summary.deliverAt = live.summary.deliverAt;
        if (live.summary.large && !failed) {
            auto size = readBodyReference(reader, id, live.at, bodies);
            if (size)
                summary.bodyBytes = *size;
            else
                failed = size.error();
        }
        listener.onMessage(summary, entries);
        if (++count % 65536 == 0) {
            listener.onProgress(0.9 + 0.1 * static_cast<double>(count) /
                                          static_cast<double>(index.messages()));
        }
    });
    if (failed) return *std::move(failed);
    return bodies;
}

/// Forgets what was read, not which files there are.
void startOver(Recovered& state, std::uint64_t firstEpoch) {
    Layout layout = std::move(state.layout);
    state = Recovered{};
    state.layout = std::move(layout);
    state.firstEpoch = firstEpoch;
}

/// Whether the log has the place where the replay is to begin.
bool reaches(const Layout& layout, const CheckpointHead& head) {
    if (layout.log.empty()) return false;
    const auto front = layout.log.front().epoch;
    const auto back = layout.log.back().epoch;
    if (head.firstEpoch > front || head.replay.epoch < front) return false;
    if (head.replay.epoch <= back) return true;
    // It was made before anything was written to the next segment.
    return head.replay.epoch == back + 1 && layout.ended && layout.nextIndex == head.replay.index;
}

/// Nothing where the checkpoint and the log do not fit together; the result's error is for what
/// reading the whole log would meet as well.
Result<std::optional<ScanEnd>> replay(FileSystem& files, const std::string& directory,
                                      Recovered& state, RecoveryListener& listener) {
    std::string why;
    const auto head = loadCheckpoint(files, directory, state.index, why);
    std::optional<ScanEnd> end;
    const auto& segments = state.layout.log;
    if (head && !segments.empty() && head->replay.epoch < segments.front().epoch) {
        log::debug("journal", "all of the log is younger than the checkpoint");
    } else if (head && !reaches(state.layout, *head)) {
        why = "the log does not have the place where it was made";
    } else if (head) {
        state.firstEpoch = head->firstEpoch;
        Builder builder(state, listener);
        builder.replayBefore(head->endIndex);
        auto scanned = scanLog(files, directory, state.layout, builder, head->replay);
        if (!scanned) return std::move(scanned).error();
        if (head->replay.epoch > segments.back().epoch) {
            scanned->nextIndex = state.layout.nextIndex;
            scanned->syncedTo = segments.back().used;
        }
        const auto segment = [&](const Segment& s) {
            return static_cast<std::uint32_t>(s.epoch - head->firstEpoch);
        };
        if (builder.damage) {
            why = toText(*builder.damage);
        } else if (scanned->nextIndex < head->endIndex) {
            why = "the log ends before it";
        } else if (!state.index.liveOnlyIn(segment(segments.front()), segment(segments.back()))) {
            why = "it has messages in segments that are not there";
        } else {
            state.index.dropSegmentsBefore(segment(segments.front()));
            state.checkpointBytes = head->bytes;
            end = *scanned;
        }
    }
    if (!end && !why.empty()) {
        log::warning("journal",
                     fmt::format("the checkpoint in {} is not used: {}; reading the whole log",
                                 directory, why));
    }
    return end;
}

Result<ScanEnd> readAll(FileSystem& files, const std::string& directory, Recovered& state,
                        RecoveryListener& listener) {
    const auto& log = state.layout.log;
    startOver(state, log.empty() ? state.layout.lastEpoch + 1 : log.front().epoch);
    Builder builder(state, listener);
    auto scanned = scanLog(files, directory, state.layout, builder);
    if (!scanned) return scanned;
    if (builder.damage) return corrupt(directory, *builder.damage);
    if (builder.contradictions() != 0) {
        log::warning("journal", fmt::format("{} removals of messages that were not there",
                                            builder.contradictions()));
    }
    return scanned;
}

}  // namespace

Result<std::unique_ptr<Recovered>> recoverLog(FileSystem& files, const std::string& directory,
                                              RecoveryListener& listener) {
    auto state = std::make_unique<Recovered>();
    auto layout = readLayout(files, directory);
    if (!layout) return std::move(layout).error();
    state->layout = std::move(*layout);
    if (!state->layout.damages.empty()) return corrupt(directory, state->layout.damages.front());
    auto replayed = replay(files, directory, *state, listener);
    if (!replayed) return std::move(replayed).error();
    auto scanned =
        *replayed ? Result<ScanEnd>(**replayed) : readAll(files, directory, *state, listener);
    if (!scanned) return std::move(scanned).error();
    if (scanned->tornBytes != 0) {
        log::info("journal",
                  fmt::format("cut {} bytes of an interrupted write", scanned->tornBytes));
    }
    state->nextIndex = scanned->nextIndex;
    if (!state->layout.log.empty()) {
        auto ended = endLastSegment(files, directory, *state, *scanned);
        if (!ended) return std::move(ended).error();
    }
    LiveReader reader(files, directory, state->layout, state->firstEpoch);
    auto told = tellRows(reader, state->index, listener);
    if (!told) return std::move(told).error();
    auto bodies = tellMessages(reader, state->index, listener);
    if (!bodies) return std::move(bodies).error();
    state->bodies = std::move(*bodies);
    if (!state->bodies.unreadable.empty()) {
        log::error(
            "journal",
            fmt::format("message {} and perhaps others in {} cannot be read: body files that "
                        "nothing refers to are kept; run busbar journal check",
                        state->bodies.unreadable.front().value, directory));
    }
    listener.onProgress(1.0);
    return state;
}

}  // namespace busbar::journal
