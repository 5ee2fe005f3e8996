// checkJournal and dumpJournal: the log read by people.
#include "bus/message/codec.h"
#include "bus/message/wire.h"
#include "bus/store/journal/body_files.h"
#include "bus/store/journal/journal.h"
#include "bus/store/journal/live_bodies.h"
#include "bus/store/journal/log_scan.h"

#include <fmt/format.h>

#include <map>

namespace busbar {
namespace {

using namespace journal;

class Checker final : public ScanListener {
  public:
    Checker(JournalReport& report, std::uint64_t firstEpoch,
            const std::function<void(double)>& progress)
        : report_(report),
          firstEpoch_(firstEpoch),
          builder_(index_, firstEpoch),
          progress_(progress) {}

    void onRecord(const Segment& segment, const SegmentReader::Record& record) override {
        if (record.header.type == RecordType::unit) ++report_.units;
        const auto before = builder_.contradictions();
        auto applied = builder_.apply(segment, record);
        if (!applied) {
            onDamage({segmentName(segment.file), record.offset, applied.error().text});
        } else if (builder_.contradictions() != before) {
            onDamage({segmentName(segment.file), record.offset,
                      "a message leaves a queue that it is not on"});
        }
    }

    bool onDamage(Damage damage) override {
        report_.damages.push_back({std::move(damage.file), damage.offset, std::move(damage.what)});
        return true;
    }

    void onProgress(double share) override {
        if (progress_) progress_(share);
    }

    /// Messages whose bodies are missing or damaged.
    Result<void> checkBodies(FileSystem& files, const std::string& directory,
                             const Layout& layout) {
        LiveReader reader(files, directory, layout, firstEpoch_);
        auto bodies = readBodyReferences(reader, index_);
        if (!bodies) return std::move(bodies).error();
        std::map<std::uint64_t, std::string> judged;
        for (const auto& [id, body] : bodies->known) {
            ++report_.largeBodies;
            const auto [at, fresh] = judged.try_emplace(body.id);
            if (fresh) {
                auto verified = verifyBody(files, directory, body);
                if (!verified) at->second = verified.error().text;
            }
            if (at->second.empty()) continue;
            onDamage({bodyName(body.id), 0,
                      fmt::format("the body of message {}: {}", id.value, at->second)});
        }
        return {};
    }

    void finish() {
        report_.messagesLive = index_.messages();
        report_.entriesLive = index_.entries();
        report_.rowsLive = index_.rows();
        report_.bytesLive = index_.bytes();
    }

  private:
    JournalReport& report_;
    const std::uint64_t firstEpoch_;
    LiveIndex index_;
    IndexBuilder builder_;
    const std::function<void(double)>& progress_;
};

std::string quoted(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x7f) {
            out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
        } else {
            out += c;
        }
    }
    return out + '"';
}

/// Writes the operations of one record as the inside of a JSON array.
class OperationPrinter final : public OperationVisitor {
  public:
    void onMessage(StoredId id, std::span<const Entry> entries, std::string_view bytes,
                   bool moved) override {
        std::string queues;
        for (const auto& entry : entries) {
            queues +=
                fmt::format("{}{{\"queue\":{},\"deliveryCount\":{}{}}}", queues.empty() ? "" : ",",
                            entry.queue.value, entry.deliveryCount, deliverAt(entry.deliverAt));
        }
        std::string about;
        if (const auto message = decodeMessage(Buffer::copyOf(bytes))) {
            about = fmt::format(",\"messageId\":{},\"destination\":{}", quoted((*message)->id),
                                quoted(toUri((*message)->destination)));
            if (const auto& large = (*message)->large) {
                about += fmt::format(",\"body\":\"{}\",\"bodyBytes\":{}", bodyName(large->id),
                                     large->size);
            }
        } else {
            about = fmt::format(",\"unreadable\":{}", quoted(message.error().text));
        }
        add(fmt::format("{{\"op\":\"{}\",\"id\":{},\"entries\":[{}],\"bytes\":{}{}}}",
                        moved ? "moved" : "add", id.value, queues, bytes.size(), about));
    }
    void onRemove(QueueId queue, StoredId id) override {
        add(fmt::format("{{\"op\":\"remove\",\"queue\":{},\"id\":{}}}", queue.value, id.value));
    }
    void onEntry(const SetEntry& entry) override {
        add(fmt::format("{{\"op\":\"entry\",\"queue\":{},\"id\":{},\"deliveryCount\":{}{}}}",
                        entry.queue.value, entry.id.value, entry.deliveryCount,
                        deliverAt(entry.deliverAt)));
    }
    // Values are left out: the users' table has password hashes.
    void onRow(Table table, std::string_view key, std::string_view value) override {
        add(fmt::format("{{\"op\":\"row\",\"table\":{},\"key\":{},\"bytes\":{}}}",
                        static_cast<int>(table), quoted(key), value.size()));
    }
    void onErase(Table table, std::string_view key) override {
        add(fmt::format("{{\"op\":\"erase\",\"table\":{},\"key\":{}}}", static_cast<int>(table),
                        quoted(key)));
    }

    std::string text;

  private:
    static std::string deliverAt(WallTime time) {
        if (time == WallTime{}) return {};
        return fmt::format(",\"deliverAt\":{}", time.time_since_epoch().count());
    }

    void add(const std::string& operation) {
        if (!text.empty()) text += ',';
        text += operation;
    }
};

class Dumper final : public ScanListener {
  public:
    explicit Dumper(const std::function<void(std::string_view)>& line) : line_(line) {}

    void onRecord(const Segment& segment, const SegmentReader::Record& record) override {
        const std::string head = fmt::format(
            "{{\"file\":\"{}\",\"offset\":{},\"epoch\":{},\"index\":{}", segmentName(segment.file),
            record.offset, record.header.epoch, record.header.index);
        switch (record.header.type) {
            case RecordType::unit: {
                OperationPrinter printer;
                const auto read = readOperations(record.payload, printer);
                const std::string error =
                    read ? std::string() : fmt::format(",\"error\":{}", quoted(read.error().text));
                line_(fmt::format("{},\"type\":\"unit\",\"operations\":[{}]{}}}", head,
                                  printer.text, error));
                return;
            }
            case RecordType::trim: {
                WireReader in(record.payload);
                line_(fmt::format("{},\"type\":\"trim\",\"oldestEpoch\":{}}}", head,
                                  in.fixed<std::uint64_t>()));
                return;
            }
            case RecordType::end:
            case RecordType::mark:
                break;
        }
        line_(fmt::format("{},\"type\":\"mark\"}}", head));
    }

    bool onDamage(Damage damage) override {
        line_(fmt::format("{{\"file\":\"{}\",\"offset\":{},\"type\":\"damage\",\"what\":{}}}",
                          damage.file, damage.offset, quoted(damage.what)));
        return true;
    }

  private:
    const std::function<void(std::string_view)>& line_;
};

}  // namespace

Result<JournalReport> checkJournal(FileSystem& files, const std::string& directory,
                                   const std::function<void(double)>& progress) {
    auto lock = lockJournal(files, directory);
    if (!lock) return std::move(lock).error();
    auto layout = readLayout(files, directory);
    if (!layout) return std::move(layout).error();
    JournalReport report;
    report.segments = layout->log.size();
    Checker checker(report, layout->log.empty() ? 0 : layout->log.front().epoch, progress);
    for (auto& damage : layout->damages) checker.onDamage(std::move(damage));
    auto end = scanLog(files, directory, *layout, checker);
    if (!end) return std::move(end).error();
    checker.finish();
    if (report.damages.empty()) {
        auto checked = checker.checkBodies(files, directory, *layout);
        if (!checked) return std::move(checked).error();
    }
    report.tornTailBytes = end->tornBytes;
    return report;
}

Result<void> dumpJournal(FileSystem& files, const std::string& directory,
                         const std::function<void(std::string_view)>& line) {
    auto lock = lockJournal(files, directory);
    if (!lock) return std::move(lock).error();
    auto layout = readLayout(files, directory);
    if (!layout) return std::move(layout).error();
    Dumper dumper(line);
    for (auto& damage : layout->damages) dumper.onDamage(std::move(damage));
    auto end = scanLog(files, directory, *layout, dumper);
    if (!end) return std::move(end).error();
    return {};
}

}  // namespace busbar
