#include "bus/store/journal/format.h"

#include "bus/store/journal/crc32c.h"
#include "bus/store/journal/live_index.h"
#include "tests/bus/store/journal/journal_support.h"

#include <cppunit/extensions/HelperMacros.h>

#include <random>

using namespace busbar;
using namespace busbar::journal;
using busbar::test::addUnit;

namespace {

/// Writes down what it is shown.
class Trace final : public OperationVisitor {
  public:
    void onMessage(StoredId id, std::span<const journal::Entry> entries, std::string_view message,
                   bool moved) override {
        text += (moved ? "moved " : "add ") + std::to_string(id.value);
        for (const auto& e : entries) {
            text += " q" + std::to_string(e.queue.value) + "x" + std::to_string(e.deliveryCount);
        }
        text += " " + std::to_string(message.size()) + ";";
    }
    void onRemove(QueueId queue, StoredId id) override {
        text += "remove q" + std::to_string(queue.value) + " " + std::to_string(id.value) + ";";
    }
    void onEntry(const SetEntry& entry) override {
        text += "entry q" + std::to_string(entry.queue.value) + " " +
                std::to_string(entry.id.value) + " " + std::to_string(entry.deliveryCount) + " @" +
                std::to_string(entry.deliverAt.time_since_epoch().count()) + ";";
    }
    void onRow(Table, std::string_view key, std::string_view value) override {
        text += "row " + std::string(key) + "=" + std::string(value) + ";";
    }
    void onErase(Table, std::string_view key) override {
        text += "erase " + std::string(key) + ";";
    }

    std::string text;
};

std::string allOperations() {
    std::string payload;
    const std::vector<journal::Entry> entries{{QueueId(7), 3, WallTime(Milliseconds(99))},
                                              {QueueId(300)}};
    putMoved(payload, StoredId(9), entries, "message");
    putRemove(payload, {QueueId(1), StoredId(1'000'000)});
    putEntry(payload, {QueueId(1), StoredId(5), 4, WallTime(Milliseconds(-7))});
    putRow(payload, Table::calls, "key", "value");
    putErase(payload, {Table::calls, "gone"});
    return payload;
}

}  // namespace

class FormatTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(FormatTest);
    CPPUNIT_TEST(checksumMatchesThePublishedValues);
    CPPUNIT_TEST(hardwareAndTableAgree);
    CPPUNIT_TEST(theDocumentedExampleIsWhatIsWritten);
    CPPUNIT_TEST(operationsComeBack);
    CPPUNIT_TEST(cutPayloadsAreRefusedOrShorter);
    CPPUNIT_TEST(anyFlippedBitBreaksARecord);
    CPPUNIT_TEST(segmentHeadersComeBackAndAreProtected);
    CPPUNIT_TEST(indexCountsLiveBytesPerSegment);
    CPPUNIT_TEST(indexTellsWhereOnlyRowsAreLive);
    CPPUNIT_TEST(indexFreesChunks);
    CPPUNIT_TEST_SUITE_END();

  public:
    // RFC 3720 appendix B.4
    void checksumMatchesThePublishedValues() {
        CPPUNIT_ASSERT_EQUAL(0xe3069283u, crc32c("123456789"));
        CPPUNIT_ASSERT_EQUAL(0x8a9136aau, crc32c(std::string(32, '\0')));
        CPPUNIT_ASSERT_EQUAL(0x62a8ab43u, crc32c(std::string(32, '\xff')));
    }

    void hardwareAndTableAgree() {
        std::mt19937_64 random(1);
        std::string bytes(5000, '\0');
        for (auto& c : bytes) c = static_cast<char>(random());
        for (std::size_t size = 0; size < bytes.size(); size += 1 + size / 16) {
            const auto part =
                std::string_view(bytes).substr(random() % (bytes.size() - size), size);
            CPPUNIT_ASSERT_EQUAL(crc32cPortable(part), crc32c(part));
            const auto half = part.substr(0, size / 3);
            CPPUNIT_ASSERT_EQUAL(crc32c(part), crc32c(part.substr(size / 3), crc32c(half)));
        }
    }

    // docs/formats/journal.md, "Example"
    void theDocumentedExampleIsWhatIsWritten() {
        std::string bytes;
        beginRecord(bytes);
        putAdd(bytes, std::get<AddMessage>(addUnit(1, "hello", {1, 2}).operations[0]));
        putRow(bytes, PutRow{Table::queues, "k", "v"});
        sealRecord(bytes, 0, {0, 0, 0x0c81f3d31733776f, 1, 4096, RecordType::unit});
        const std::size_t second = bytes.size();
        beginRecord(bytes);
        putRemove(bytes, {QueueId(1), StoredId(1)});
        sealRecord(bytes, second, {0, 0, 0x0c81f3d31733776f, 2, 0x1060, RecordType::unit});
        std::string hex;
        for (const unsigned char c : bytes) {
            hex += "0123456789abcdef"[c / 16];
            hex += "0123456789abcdef"[c % 16];
        }
        CPPUNIT_ASSERT_EQUAL(
            std::string("3d000000e0d9039b6f773317d3f3810c01000000000000000010000001000000"
                        "01010201022700000098bb03d7010100000004010000000000000000"
                        "0949443a746573742d3100066f72646572730568656c6c6f"
                        "0401016b010000007600000003000000203da7716f773317d3f3810c"
                        "02000000000000006010000001000000"
                        "0201010000000000"),
            hex);
    }

    void operationsComeBack() {
        std::string payload = allOperations();
        const auto unit = addUnit(17, "hello", {3, 4});
        const auto at = putAdd(payload, std::get<AddMessage>(unit.operations[0]));
        Trace trace;
        CPPUNIT_ASSERT(readOperations(payload, trace).ok());
        CPPUNIT_ASSERT_EQUAL(
            "moved 9 q7x3 q300x0 7;remove q1 1000000;entry q1 5 4 @-7;row key=value;erase gone;"
            "add 17 q3x0 q4x0 " +
                std::to_string(at.size) + ";",
            trace.text);
        CPPUNIT_ASSERT_EQUAL(std::string("hello"), payload.substr(at.offset + at.size - 5, 5));
    }

    void cutPayloadsAreRefusedOrShorter() {
        const std::string payload = allOperations();
        Trace whole;
        CPPUNIT_ASSERT(readOperations(payload, whole).ok());
        for (std::size_t size = 0; size < payload.size(); ++size) {
            Trace trace;
            const auto read = readOperations(std::string_view(payload).substr(0, size), trace);
            CPPUNIT_ASSERT(trace.text.size() < whole.text.size());
            if (!read) CPPUNIT_ASSERT(read.error().code == ErrorCode::malformed);
        }
    }

    void anyFlippedBitBreaksARecord() {
        std::string record;
        beginRecord(record);
        record += allOperations();
        RecordHeader header;
        header.epoch = 99;
        header.index = 5;
        sealRecord(record, 0, header);
        CPPUNIT_ASSERT(recordIntact(readRecordHeader(record), record));
        const std::size_t used = kRecordHeaderBytes + readRecordHeader(record).length;
        for (std::size_t bit = 0; bit < used * 8; ++bit) {
            record[bit / 8] = static_cast<char>(record[bit / 8] ^ (1 << bit % 8));
            CPPUNIT_ASSERT(!recordIntact(readRecordHeader(record), record));
            record[bit / 8] = static_cast<char>(record[bit / 8] ^ (1 << bit % 8));
        }
    }

    void segmentHeadersComeBackAndAreProtected() {
        std::string page = encodeSegmentHeader({77, 70, 1 << 20, 1234});
        CPPUNIT_ASSERT_EQUAL(std::size_t{kPage}, page.size());
        const auto header = decodeSegmentHeader(page);
        CPPUNIT_ASSERT(header && header->epoch == 77 && header->oldestEpoch == 70);
        CPPUNIT_ASSERT(header->capacity == 1 << 20 && header->firstIndex == 1234);
        for (std::size_t i = 0; i < 44; ++i) {
            page[i] = static_cast<char>(page[i] ^ 1);
            CPPUNIT_ASSERT(!decodeSegmentHeader(page));
            page[i] = static_cast<char>(page[i] ^ 1);
        }
        CPPUNIT_ASSERT(!decodeSegmentHeader(""));
        CPPUNIT_ASSERT(!decodeSegmentHeader(page.substr(0, 43)));
    }

    void indexCountsLiveBytesPerSegment() {
        LiveIndex index;
        const std::vector<journal::Entry> one{{QueueId(1)}};
        const std::vector<journal::Entry> two{{QueueId(1)}, {QueueId(2)}};
        CPPUNIT_ASSERT(index.addMessage(StoredId(1), one, {{0, 4096, 100}, {}}));
        CPPUNIT_ASSERT(!index.addMessage(StoredId(1), one, {{0, 4096, 100}, {}}));
        CPPUNIT_ASSERT(index.addMessage(StoredId(2), two, {{1, 4096, 50}, {}}));
        index.moveMessage(StoredId(1), {}, {{2, 8192, 100}, {}});
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, index.liveBytes(0));
        index.dropSegmentsBefore(1);
        CPPUNIT_ASSERT(index.removeEntry(QueueId(9), StoredId(2)) == LiveIndex::Found::noEntry);
        CPPUNIT_ASSERT(index.removeEntry(QueueId(2), StoredId(2)) == LiveIndex::Found::yes);
        CPPUNIT_ASSERT(index.liveBytes(1) > 0);
        CPPUNIT_ASSERT(index.removeEntry(QueueId(1), StoredId(2)) == LiveIndex::Found::yes);
        CPPUNIT_ASSERT(index.removeEntry(QueueId(1), StoredId(2)) == LiveIndex::Found::noMessage);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, index.liveBytes(1));
        index.putRow(Table::calls, "k", {2, 1, 10});
        index.putRow(Table::calls, "k", {3, 1, 20});
        CPPUNIT_ASSERT(index.findRow(Table::calls, "k") == (Location{3, 1, 20}));
        CPPUNIT_ASSERT(!index.findRow(Table::dedup, "k"));
        CPPUNIT_ASSERT(index.eraseRow(Table::calls, "k"));
        CPPUNIT_ASSERT(!index.eraseRow(Table::calls, "k"));
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{1}, index.messages());
    }

    void indexTellsWhereOnlyRowsAreLive() {
        LiveIndex index;
        index.putRow(Table::queues, "a", {5, 100, 10}, 7);
        index.putRow(Table::queues, "b", {5, 200, 10}, 8);
        index.putRow(Table::queues, "c", {6, 100, 10}, 9);
        const auto rows = index.onlyRowsIn(5);
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, rows.size());
        CPPUNIT_ASSERT(rows[1].key == "b" && rows[1].crc == 8 &&
                       rows[1].at == (Location{5, 200, 10}));
        CPPUNIT_ASSERT(index.onlyRowsIn(4).empty());
        index.putRow(Table::queues, "b", {5, 200, 10});
        CPPUNIT_ASSERT_MESSAGE("a checksum is not known", index.onlyRowsIn(5).empty());
        index.putRow(Table::queues, "b", {6, 200, 10}, 8);
        const std::vector<journal::Entry> one{{QueueId(1)}};
        CPPUNIT_ASSERT(index.addMessage(StoredId(1), one, {{5, 4096, 10}, {}}));
        CPPUNIT_ASSERT_MESSAGE("a message is live too", index.onlyRowsIn(5).empty());
    }

    void indexFreesChunks() {
        LiveIndex index;
        const std::vector<journal::Entry> one{{QueueId(1)}};
        for (std::uint64_t id = 1; id <= 100'000; ++id) {
            CPPUNIT_ASSERT(index.addMessage(StoredId(id), one, {{0, 4096, 10}, {}}));
            if (id > 10) {
                CPPUNIT_ASSERT(index.removeEntry(QueueId(1), StoredId(id - 10)) ==
                               LiveIndex::Found::yes);
            }
        }
        std::vector<std::uint64_t> ids;
        index.eachMessage([&](StoredId id, const LiveMessage&, std::span<const journal::Entry>) {
            ids.push_back(id.value);
        });
        CPPUNIT_ASSERT_EQUAL(std::size_t{10}, ids.size());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{99'991}, ids.front());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{10}, index.entries());
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(FormatTest);
