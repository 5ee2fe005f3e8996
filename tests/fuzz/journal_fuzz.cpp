// A journal over arbitrary bytes: as a segment file, as two, as the payload of a record that is
// intact, and as checkpoint (as it is, and as the chunks in an intact one) beside an intact log.
// Whatever they hold, opening, checking, dumping and repairing end with an answer, and an opened or
// repaired journal works.
#include "bus/base/check.h"
#include "bus/base/log.h"
#include "bus/store/journal/checkpoint.h"
#include "bus/store/journal/crc32c.h"
#include "bus/store/journal/format.h"
#include "bus/store/journal/journal.h"
#include "tests/support/memory_file_system.h"

#include <algorithm>
#include <cstdint>

using namespace busbar;

namespace {

constexpr const char* kDirectory = "/j";

class Ignore final : public RecoveryListener {
  public:
    void onRow(Table, std::string_view, std::string_view) override {}
    void onMessage(const MessageSummary& message, std::span<const Entry>) override {
        ids.push_back(message.id);
    }

    std::vector<StoredId> ids;
};

JournalOptions smallOptions() {
    JournalOptions options;
    options.segmentBytes = 16 << 10;
    options.reserveBytes = 4 << 10;
    return options;
}

void exercise(test::MemoryFileSystem& disk) {
    const auto report = checkJournal(disk, kDirectory, {});
    if (!report.ok() && report.error().code == ErrorCode::unsupported) return;
    BUSBAR_CHECK(report.ok(), "a check must end with a report");
    const auto dumped = dumpJournal(disk, kDirectory, [](std::string_view) {});
    BUSBAR_CHECK(dumped.ok(), "a dump must end");
    Ignore ignore;
    auto store = openJournal(disk, kDirectory, smallOptions());
    BUSBAR_CHECK(store.ok(), "opening reads nothing yet");
    if (!(*store)->recover(ignore)) {
        store->reset();
        BUSBAR_CHECK(repairJournal(disk, kDirectory, {}).ok(), "a repair must end");
        ignore.ids.clear();
        store = openJournal(disk, kDirectory, smallOptions());
        const auto opened = (*store)->recover(ignore);
        BUSBAR_CHECK(opened.ok(), opened.error().text);
    }
    (*store)->read(ignore.ids);
    (*store)->close();
    store->reset();
    auto again = openJournal(disk, kDirectory, smallOptions());
    ignore.ids.clear();
    BUSBAR_CHECK((*again)->recover(ignore).ok(), "what was recovered once is recovered again");
}

std::string segmentAround(std::string_view payload) {
    std::string bytes = journal::encodeSegmentHeader({5, 5, 1 << 20, 1});
    const std::size_t start = bytes.size();
    journal::beginRecord(bytes);
    bytes.append(payload);
    journal::RecordHeader header;
    header.epoch = 5;
    header.index = 1;
    journal::sealRecord(bytes, start, header);
    return bytes;
}

std::string block(std::uint64_t number, std::uint32_t kind, const std::string& payload) {
    std::string covered;
    putFixed(covered, number);
    putFixed(covered, kind);
    putFixed(covered, static_cast<std::uint32_t>(payload.size()));
    std::string bytes = covered.substr(sizeof number);
    putFixed(bytes, journal::crc32c(payload, journal::crc32c(covered)));
    return bytes + payload;
}

/// An intact checkpoint of the log of segmentAround with these chunks or rows.
std::string checkpointAround(std::uint32_t kind, const std::string& payload) {
    std::string head("BUSBARK1");
    for (const std::uint64_t number : {5, 5, 5, 4096, 1}) putFixed(head, number);
    std::string end;
    putFixed(end, std::uint64_t{1});
    return block(0, 1, head) + block(1, kind, payload) + block(2, 4, end);
}

void exerciseCheckpoint(const std::string& bytes) {
    test::MemoryFileSystem disk;
    (void)disk.makeDirectory(kDirectory);
    disk.setContent(std::string(kDirectory) + "/00000001.seg", segmentAround({}));
    disk.setContent(std::string(kDirectory) + "/" + journal::kCheckpointName, bytes);
    exercise(disk);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    log::setLevel(log::Level::error);
    const std::string bytes(reinterpret_cast<const char*>(data),
                            std::min<std::size_t>(size, 256 << 10));
    const std::string first = std::string(kDirectory) + "/00000001.seg";
    const std::string second = std::string(kDirectory) + "/00000002.seg";
    {
        test::MemoryFileSystem disk;
        (void)disk.makeDirectory(kDirectory);
        disk.setContent(first, bytes);
        exercise(disk);
    }
    if (const std::size_t half = bytes.size() / 2 / journal::kPage * journal::kPage; half != 0) {
        test::MemoryFileSystem disk;
        (void)disk.makeDirectory(kDirectory);
        disk.setContent(first, bytes.substr(0, half));
        disk.setContent(second, bytes.substr(half));
        exercise(disk);
    }
    test::MemoryFileSystem disk;
    (void)disk.makeDirectory(kDirectory);
    disk.setContent(first, segmentAround(bytes));
    exercise(disk);
    exerciseCheckpoint(bytes);
    exerciseCheckpoint(checkpointAround(2, bytes));
    exerciseCheckpoint(checkpointAround(3, bytes));
    return 0;
}
