#include "bus/store/journal/repair.h"

#include "bus/store/journal/backup.h"
#include "bus/store/journal/body_files.h"
#include "bus/store/journal/live_bodies.h"
#include "bus/store/journal/live_reader.h"
#include "bus/store/journal/log_writer.h"
#include "bus/store/journal/salvage.h"

#include <fmt/format.h>

namespace busbar {
namespace journal {
namespace {

constexpr std::size_t kRecordBytes = 256 << 10;

std::string parentOf(const std::string& directory) {
    const auto slash = directory.rfind('/');
    if (slash == std::string::npos) return ".";
    return slash == 0 ? "/" : directory.substr(0, slash);
}

bool isDirectory(FileSystem& files, const std::string& path) {
    return files.list(path).ok();
}

/// A repair that was interrupted earlier may have left something there.
Result<void> makeEmpty(FileSystem& files, const std::string& directory) {
    auto made = files.makeDirectory(directory);
    if (!made) return made;
    auto names = files.list(directory);
    if (!names) return std::move(names).error();
    for (const auto& name : *names) {
        auto removed = files.remove(directory + "/" + name);
        if (!removed) return removed;
    }
    return files.syncDirectory(directory);
}

/// Writes a log that holds just what an index knows.
class LogCopier {
  public:
    LogCopier(FileSystem& files, const std::string& directory, std::uint64_t lastEpoch)
        : segments_(files, directory, optionsForCopy()), writer_(segments_, 1) {
        segments_.adopt({}, {}, lastEpoch, 0);
    }

    Result<void> rows(LiveReader& reader, const LiveIndex& index) {
        Result<void> done;
        index.eachRow([&](Table table, std::string_view key, Location at) {
            if (!done) return;
            auto value = reader.read(at);
            if (!value) {
                done = std::move(value).error();
                return;
            }
            begin();
            putRow(writer_.bytes(), table, key, *value);
            done = endIfLarge();
        });
        return done;
    }

    Result<void> messages(LiveReader& reader, const LiveIndex& index,
                          const std::function<void(double)>& progress) {
        Result<void> done;
        std::uint64_t count = 0;
        index.eachMessage(
            [&](StoredId id, const LiveMessage& live, std::span<const Entry> entries) {
                if (!done) return;
                auto message = reader.read(live.at);
                if (!message) {
                    done = std::move(message).error();
                    return;
                }
                begin();
                putMoved(writer_.bytes(), id, entries, *message);
                done = endIfLarge();
                if (++count % 1024 == 0 && progress) {
                    progress(static_cast<double>(count) / static_cast<double>(index.messages()));
                }
            });
        return done;
    }

    /// The mark says that all before it is safe.
    Result<void> finish() {
        auto done = end();
        if (done) done = writer_.write();
        if (done) done = writer_.sync();
        if (done) done = writer_.append(RecordType::mark, {});
        if (done) done = writer_.write();
        if (done) done = writer_.sync();
        return done;
    }

  private:
    static JournalOptions optionsForCopy() {
        JournalOptions options;
        options.reserveBytes = 0;
        return options;
    }

    void begin() {
        if (!begun_) start_ = writer_.begin();
        begun_ = true;
    }

    Result<void> endIfLarge() {
        return writer_.bytes().size() - start_ < kRecordBytes ? Result<void>() : end();
    }

    Result<void> end() {
        if (!begun_) return {};
        begun_ = false;
        auto placed = writer_.place(start_, false);
        if (!placed) return placed;
        writer_.seal(start_, RecordType::unit);
        return writer_.write();
    }

    SegmentFiles segments_;
    LogWriter writer_;
    std::size_t start_ = 0;
    bool begun_ = false;
};

/// The repaired journal in `directory`, complete and durable.
Result<void> writeRepaired(FileSystem& files, const std::string& from, const std::string& to,
                           const Layout& layout, Salvage& salvage,
                           const std::function<void(double)>& progress) {
    auto done = makeEmpty(files, to);
    if (!done) return done;
    LiveReader reader(files, from, layout, salvage.firstEpoch());
    LogCopier copier(files, to, layout.log.empty() ? layout.lastEpoch : layout.log.back().epoch);
    std::vector<CopyPart> bodies;
    done = addBodies(files, from, bodies);
    for (const auto& body : bodies) {
        if (done) done = copyBody(files, body.bodyPath, to + "/" + body.name, [] { return true; });
    }
    if (done) done = copier.rows(reader, salvage.index());
    if (done) done = copier.messages(reader, salvage.index(), progress);
    if (done) done = copier.finish();
    if (done) done = files.syncDirectory(to);
    return done;
}

/// Takes out the messages whose bodies are not there.
Result<void> loseBodiless(FileSystem& files, const std::string& directory, const Layout& layout,
                          Salvage& salvage, JournalRepair& report) {
    LiveReader reader(files, directory, layout, salvage.firstEpoch());
    auto bodies = readBodyReferences(reader, salvage.index());
    if (!bodies) return std::move(bodies).error();
    std::vector<Entry> entries;
    for (const auto& [id, body] : bodies->known) {
        auto file = files.open(directory + "/" + bodyName(body.id), FileSystem::Mode::read);
        if (!file && file.error().code != ErrorCode::notFound) return std::move(file).error();
        std::uint64_t size = 0;
        if (file) {
            auto known = (*file)->size();
            if (!known) return std::move(known).error();
            size = *known;
        }
        if (file && size >= body.size) continue;
        report.lost.push_back(
            {bodyName(body.id), size, body.size - size,
             fmt::format("the body of message {} is missing or incomplete", id.value)});
        report.messagesLost.push_back({id, id});
        salvage.index().entriesOf(id, entries);
        for (const auto& entry : std::vector<Entry>(entries))
            salvage.index().removeEntry(entry.queue, id);
    }
    return {};
}

/// Three renames; finishRepair knows what to do after each.
Result<std::string> putInPlace(FileSystem& files, const std::string& directory,
                               const std::string& made) {
    const std::string parent = parentOf(directory);
    const std::string repaired = directory + ".repaired";
    std::string kept;
    for (int n = 1; kept.empty() || isDirectory(files, kept); ++n) {
        kept = fmt::format("{}.damaged-{}", directory, n);
    }
    auto done = files.rename(made, repaired);
    if (done) done = files.syncDirectory(parent);
    if (done) done = files.rename(directory, kept);
    if (done) done = files.rename(repaired, directory);
    if (done) done = files.syncDirectory(parent);
    if (!done) return std::move(done).error();
    return kept;
}

}  // namespace

Result<void> finishRepair(FileSystem& files, const std::string& directory) {
    const std::string repaired = directory + ".repaired";
    if (isDirectory(files, directory) || !isDirectory(files, repaired)) return {};
    auto done = files.rename(repaired, directory);
    if (done) done = files.syncDirectory(parentOf(directory));
    return done;
}

}  // namespace journal

Result<JournalRepair> repairJournal(FileSystem& files, const std::string& directory,
                                    const std::function<void(double)>& progress) {
    using namespace journal;
    auto finished = finishRepair(files, directory);
    if (!finished) return std::move(finished).error();
    auto lock = lockJournal(files, directory);
    if (!lock) return std::move(lock).error();
    auto layout = readLayout(files, directory);
    if (!layout) return std::move(layout).error();
    JournalRepair report;
    Salvage salvage(files, directory, *layout, report);
    auto read = salvage.run([&](double share) {
        if (progress) progress(share / 2);
    });
    if (!read) return std::move(read).error();
    auto bodies = loseBodiless(files, directory, *layout, salvage, report);
    if (!bodies) return std::move(bodies).error();
    report.messagesKept = salvage.index().messages();
    report.entriesKept = salvage.index().entries();
    report.rowsKept = salvage.index().rows();
    if (salvage.damaged()) {
        const std::string made = directory + ".repairing";
        // What is left of an earlier repair that was not completed does not count any more.
        auto done = makeEmpty(files, directory + ".repaired");
        if (done) {
            done = writeRepaired(files, directory, made, *layout, salvage, [&](double share) {
                if (progress) progress(0.5 + share / 2);
            });
        }
        if (!done) return std::move(done).error();
        auto kept = putInPlace(files, directory, made);
        if (!kept) return std::move(kept).error();
        report.damagedDirectory = *kept;
    }
    if (progress) progress(1.0);
    return report;
}

}  // namespace busbar
