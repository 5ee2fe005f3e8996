#include "bus/store/journal/journal.h"

#include "bus/store/journal/crc32c.h"
#include "bus/store/journal/format.h"
#include "tests/bus/store/journal/journal_support.h"

#include <cppunit/extensions/HelperMacros.h>

#include <chrono>
#include <cstring>
#include <thread>

using namespace busbar;
using namespace busbar::test;

namespace {

constexpr const char* kDirectory = "/data/journal";

std::string firstSegment() {
    return std::string(kDirectory) + "/00000001.seg";
}

}  // namespace

class JournalTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(JournalTest);
    CPPUNIT_TEST(anEmptyJournalIsEmpty);
    CPPUNIT_TEST(recoversWhatWasStored);
    CPPUNIT_TEST(reportsInOrderAndOncePerBatch);
    CPPUNIT_TEST(emptyUnitsAreReportedInTheirPlace);
    CPPUNIT_TEST(syncsOnceForABatch);
    CPPUNIT_TEST(lazyAndOsUnitsDoNotPayASync);
    CPPUNIT_TEST(lazyUnitsAreSyncedSoon);
    CPPUNIT_TEST(osUnitsSurviveAKill);
    CPPUNIT_TEST(aFailedWriteStopsTheStore);
    CPPUNIT_TEST(aFailedSyncStopsTheStore);
    CPPUNIT_TEST(refusesWhenFullAndResumes);
    CPPUNIT_TEST(bytesMaxIsLikeAFullDisk);
    CPPUNIT_TEST(takesRemovalsWhenFull);
    CPPUNIT_TEST(flippedBitsAreFoundAndNamed);
    CPPUNIT_TEST(aMissingSegmentIsFound);
    CPPUNIT_TEST(aSecondOpenIsInUse);
    CPPUNIT_TEST(largeUnitsHaveTheirOwnSegment);
    CPPUNIT_TEST(oneStuckMessageDoesNotPinTheDisk);
    CPPUNIT_TEST(manyRestartsDoNotFillTheDisk);
    CPPUNIT_TEST(dumpTellsEveryRecord);
    CPPUNIT_TEST(closeStoresWhatWaits);
    CPPUNIT_TEST(firstStartWritesLittle);
    CPPUNIT_TEST(aStartReadsTheLogBehindTheCheckpoint);
    CPPUNIT_TEST(aCheckpointIsNeverAheadOfTheLog);
    CPPUNIT_TEST(anyDamageToTheCheckpointMeansTheWholeLog);
    CPPUNIT_TEST(aCheckpointOfAnotherTimeIsNotUsed);
    CPPUNIT_TEST(anotherFormatIsRefusedAndNotTouched);
    CPPUNIT_TEST_SUITE_END();

  public:
    void anEmptyJournalIsEmpty() {
        Journal journal(disk_);
        CPPUNIT_ASSERT(journal.opened.ok());
        CPPUNIT_ASSERT(journal.recovered.state == State{});
        CPPUNIT_ASSERT_EQUAL(1.0, journal.recovered.progress);
    }

    void recoversWhatWasStored() {
        State expected;
        {
            Journal journal(disk_, Journal::logOnly());
            UnitOfWork unit = addUnit(1, "one", {1, 2});
            unit.operations.push_back(PutRow{Table::instance, "", std::string("a\0b", 3)});
            unit.operations.push_back(
                SetEntry{QueueId(2), StoredId(1), 5, WallTime(Milliseconds(77))});
            for (auto& u : {unit, addUnit(2, std::string(30'000, 'x')), addUnit(3, ""),
                            removeUnit(1, 1), removeUnit(1, 2), rowUnit("q", "definition")}) {
                expected.apply(u);
                journal.store1(u);
            }
            CPPUNIT_ASSERT_EQUAL(std::uint64_t{6}, journal.store->stats().units);
        }
        Journal journal(disk_);
        CPPUNIT_ASSERT(journal.opened.ok());
        CPPUNIT_ASSERT(journal.recovered.ordered);
        CPPUNIT_ASSERT(expected == journal.recovered.state);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{6}, journal.store->stats().recoveredUnits);
    }

    void reportsInOrderAndOncePerBatch() {
        Journal journal(disk_);
        for (std::uint64_t i = 0; i < 200; ++i) {
            journal.append({addUnit(2 * i + 1, "a"), addUnit(2 * i + 2, "b")});
        }
        journal.progress.waitFor(400);
        std::uint64_t last = 0;
        for (const auto& report : journal.progress.reports()) {
            CPPUNIT_ASSERT(report.done.value > last);
            CPPUNIT_ASSERT(report.done.value % 2 == 0);
            last = report.done.value;
        }
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{400}, last);
    }

    void emptyUnitsAreReportedInTheirPlace() {
        Journal journal(disk_);
        journal.append({addUnit(1, "a"), UnitOfWork{}, addUnit(2, "b"), UnitOfWork{}});
        journal.progress.waitFor(4);
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, journal.progress.reports().size());
    }

    void syncsOnceForABatch() {
        Journal journal(disk_);
        journal.store1(addUnit(1, "first"));
        const auto before = journal.store->stats().syncs;
        std::vector<UnitOfWork> batch;
        for (std::uint64_t i = 2; i < 30; ++i) batch.push_back(addUnit(i, "x"));
        journal.progress.waitFor(journal.append(std::move(batch)));
        journal.store->close();
        CPPUNIT_ASSERT_EQUAL(before + 2,
                             journal.store->stats().syncs);  // the batch's and close()'s
    }

    void lazyAndOsUnitsDoNotPayASync() {
        auto options = Journal::smallOptions();
        options.lazySyncDelay = std::chrono::hours(1);
        Journal journal(disk_, options);
        journal.store1(addUnit(1, "first"));
        const auto before = journal.store->stats().syncs;
        journal.store1(addUnit(2, "x", {1}, Durability::lazy));
        journal.store1(addUnit(3, "x", {1}, Durability::os));
        journal.store1(addUnit(4, "x", {1}, Durability::lazy));
        CPPUNIT_ASSERT_EQUAL(before, journal.store->stats().syncs);
        disk_.crash(
            5);  // style and sectors by the seed: what is lost is lost, what was synced is there
        Journal after(disk_);
        CPPUNIT_ASSERT(after.opened.ok());
        CPPUNIT_ASSERT(after.recovered.state.messages.contains(1));
    }

    void lazyUnitsAreSyncedSoon() {
        Journal journal(disk_);
        journal.store1(addUnit(1, "first"));
        const auto before = journal.store->stats().syncs;
        journal.store1(addUnit(2, "x", {1}, Durability::lazy));
        while (journal.store->stats().syncs == before) std::this_thread::yield();
        disk_.crash(1);
        Journal after(disk_);
        CPPUNIT_ASSERT(after.recovered.state.messages.contains(2));
    }

    void osUnitsSurviveAKill() {
        {
            Journal journal(disk_);
            journal.store1(addUnit(1, "x", {1}, Durability::os));
            disk_.kill();
        }
        Journal after(disk_);
        CPPUNIT_ASSERT(after.recovered.state.messages.contains(1));
    }

    void aFailedWriteStopsTheStore() {
        Journal journal(disk_);
        journal.store1(addUnit(1, "safe"));
        disk_.failWrite(1);
        journal.append(addUnit(2, "lost"));
        expectStopped(journal);
    }

    void aFailedSyncStopsTheStore() {
        Journal journal(disk_);
        journal.store1(addUnit(1, "safe"));
        disk_.failSync(1);
        journal.append(addUnit(2, "unknown"));
        expectStopped(journal);
    }

    void refusesWhenFullAndResumes() {
        disk_.setCapacity(1 << 20);
        auto options = Journal::smallOptions();
        Journal journal(disk_, options);
        const auto stored = fillUp(journal);
        const auto refused = journal.progress.refused();
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, refused.size());
        const Error& error = refused.begin()->second;
        CPPUNIT_ASSERT(error.code == ErrorCode::storageFull);
        CPPUNIT_ASSERT(error.text.find(kDirectory) != std::string::npos);
        CPPUNIT_ASSERT(error.text.find("bytes free") != std::string::npos);
        CPPUNIT_ASSERT(journal.store->stats().full);
        disk_.setCapacity(4 << 20);
        journal.store1(addUnit(1'000'000, std::string(4000, 'y')));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, journal.progress.refused().size());
        CPPUNIT_ASSERT(!journal.store->stats().failed);
        journal.store.reset();
        Journal after(disk_);
        CPPUNIT_ASSERT_EQUAL(stored + 1, std::uint64_t{after.recovered.state.messages.size()});
    }

    void bytesMaxIsLikeAFullDisk() {
        auto options = Journal::logOnly();
        options.bytesMax = 512 << 10;
        Journal journal(disk_, options);
        const auto stored = fillUp(journal);
        CPPUNIT_ASSERT(disk_.bytesUsed() <= options.bytesMax);
        for (std::uint64_t id = 1; id <= stored; ++id) journal.append(removeUnit(1, id));
        journal.progress.waitFor(journal.sequence);
        journal.store1(addUnit(1'000'000, "again"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, journal.progress.refused().size());
    }

    void takesRemovalsWhenFull() {
        disk_.setCapacity(512 << 10);
        Journal journal(disk_);
        const auto stored = fillUp(journal);
        // One message at the front stays: only cleaning can free what is behind it.
        for (std::uint64_t id = 2; id <= stored; ++id) journal.append(removeUnit(1, id));
        journal.progress.waitFor(journal.sequence);
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, journal.progress.refused().size());
        const auto first = journal.append(addUnit(1'000'000, std::string(4000, 'y')));
        journal.progress.waitFor(first);
        for (std::uint64_t i = 1; i < 50; ++i)
            journal.store1(addUnit(1'000'000 + i, std::string(4000, 'y')));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, journal.progress.refused().size());
    }

    void flippedBitsAreFoundAndNamed() {
        {
            Journal journal(disk_, Journal::logOnly());
            for (std::uint64_t i = 1; i <= 30; ++i)
                journal.store1(addUnit(i, std::string(500, 'x')));
        }
        const std::string image = disk_.content(firstSegment());
        for (std::uint64_t offset = journal::kFirstRecord + 3; offset < 16'000; offset += 611) {
            if ((offset - journal::kFirstRecord) % 8 >= 4) continue;
            disk_.flipBit(firstSegment(), offset, static_cast<unsigned>(offset % 8));
            {
                Journal broken(disk_);
                CPPUNIT_ASSERT(!broken.opened.ok());
                CPPUNIT_ASSERT(broken.opened.error().code == ErrorCode::storageCorrupt);
                CPPUNIT_ASSERT(broken.opened.error().text.find("00000001.seg, offset") !=
                               std::string::npos);
            }
            const auto report = checkJournal(disk_, kDirectory, {});
            CPPUNIT_ASSERT(report.ok() && report->damages.size() == 1);
            const auto& damage = report->damages.front();
            CPPUNIT_ASSERT_EQUAL(std::string("00000001.seg"), damage.file);
            CPPUNIT_ASSERT(damage.offset <= offset && offset < damage.offset + 1000);
            disk_.flipBit(firstSegment(), offset, static_cast<unsigned>(offset % 8));
            CPPUNIT_ASSERT(image == disk_.content(firstSegment()));
        }
        disk_.flipBit(firstSegment(), 9, 0);  // the segment's own header
        Journal broken(disk_);
        CPPUNIT_ASSERT(broken.opened.error().code == ErrorCode::storageCorrupt);
    }

    void aMissingSegmentIsFound() {
        {
            Journal journal(disk_);
            for (std::uint64_t i = 1; i <= 300; ++i)
                journal.store1(addUnit(i, std::string(1000, 'x')));
        }
        const auto files = disk_.list(kDirectory);
        CPPUNIT_ASSERT(files->size() > 4);
        CPPUNIT_ASSERT(disk_.remove(std::string(kDirectory) + "/00000002.seg").ok());
        Journal broken(disk_);
        CPPUNIT_ASSERT(broken.opened.error().code == ErrorCode::storageCorrupt);
        CPPUNIT_ASSERT(broken.opened.error().text.find("missing") != std::string::npos);
    }

    void aSecondOpenIsInUse() {
        Journal first(disk_);
        Journal second(disk_);
        CPPUNIT_ASSERT(second.opened.error().code == ErrorCode::inUse);
        CPPUNIT_ASSERT(second.opened.error().text.find(kDirectory) != std::string::npos);
        CPPUNIT_ASSERT(checkJournal(disk_, kDirectory, {}).error().code == ErrorCode::inUse);
        first.store.reset();
        CPPUNIT_ASSERT(checkJournal(disk_, kDirectory, {}).ok());
    }

    void largeUnitsHaveTheirOwnSegment() {
        {
            Journal journal(disk_);
            journal.store1(addUnit(1, "before"));
            journal.store1(addUnit(2, std::string(1 << 20, 'L')));
            journal.store1(addUnit(3, "after"));
        }
        Journal journal(disk_);
        CPPUNIT_ASSERT(journal.opened.ok());
        CPPUNIT_ASSERT_EQUAL(std::size_t{3}, journal.recovered.state.messages.size());
        CPPUNIT_ASSERT(journal.recovered.state.messages[2].body == std::string(1 << 20, 'L'));
        journal.store1(removeUnit(1, 1));
        journal.store1(removeUnit(1, 2));
        journal.store1(removeUnit(1, 3));
        journal.store->close();
        CPPUNIT_ASSERT(journal.store->stats().bytesOnDisk < 1 << 20);
    }

    void oneStuckMessageDoesNotPinTheDisk() {
        const auto options = Journal::smallOptions();
        Journal journal(disk_, options);
        journal.append(addUnit(1, "stuck"));
        constexpr std::uint64_t kMessages = 100'000;
        std::uint64_t most = 0;
        for (std::uint64_t id = 2; id <= kMessages;) {
            std::vector<UnitOfWork> batch;
            for (int i = 0; i < 100 && id <= kMessages; ++i, ++id) {
                batch.push_back(addUnit(id, std::string(200, 'x')));
                if (id > 100) batch.push_back(removeUnit(1, id - 100 + 1 > 2 ? id - 100 + 1 : 2));
            }
            journal.progress.waitFor(journal.append(std::move(batch)));
            most = std::max(most, disk_.bytesUsed());
        }
        // What the options ask for is raised to what the segments in use need: three and the
        // reserve.
        const auto slack =
            3 * options.segmentBytes + options.reserveBytes + 4 * (options.segmentBytes / 8);
        const auto within = [&](const StoreStats& s) {
            return s.bytesOnDisk <= 2 * s.bytesLive + slack;
        };
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        while (!within(journal.store->stats()) && std::chrono::steady_clock::now() < deadline) {
            std::this_thread::yield();  // the cleaner works while nothing else waits
        }
        journal.store->close();
        const auto stats = journal.store->stats();
        CPPUNIT_ASSERT(within(stats));
        CPPUNIT_ASSERT(most <= 1 << 20);  // 40 MB went through
        CPPUNIT_ASSERT(stats.bytesWritten > 20 << 20);
        journal.store.reset();
        Journal after(disk_);
        CPPUNIT_ASSERT(after.recovered.state.messages.contains(1));
        CPPUNIT_ASSERT_EQUAL(stats.messagesLive,
                             std::uint64_t{after.recovered.state.messages.size()});
    }

    void manyRestartsDoNotFillTheDisk() {
        for (std::uint64_t i = 1; i <= 60; ++i) {
            Journal journal(disk_);
            CPPUNIT_ASSERT(journal.opened.ok());
            journal.store1(addUnit(i, "x"));
        }
        Journal journal(disk_);
        CPPUNIT_ASSERT_EQUAL(std::size_t{60}, journal.recovered.state.messages.size());
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        while (disk_.list(kDirectory)->size() >= 25 &&
               std::chrono::steady_clock::now() < deadline) {
            std::this_thread::yield();  // short segments are joined while nothing else waits
        }
        CPPUNIT_ASSERT(disk_.list(kDirectory)->size() < 25);
    }

    void dumpTellsEveryRecord() {
        {
            Journal journal(disk_);
            journal.store1(addUnit(1, "x", {4}));
            journal.store1(rowUnit("a\"b", "secret"));
            journal.store1(removeUnit(4, 1));
        }
        std::vector<std::string> lines;
        CPPUNIT_ASSERT(dumpJournal(disk_, kDirectory, [&](std::string_view l) {
                           lines.emplace_back(l);
                       }).ok());
        CPPUNIT_ASSERT(lines.size() >= 4);  // and the mark of the clean end
        CPPUNIT_ASSERT(lines[0].find("\"op\":\"add\",\"id\":1,\"entries\":[{\"queue\":4") !=
                       std::string::npos);
        CPPUNIT_ASSERT(lines[0].find("\"destination\":\"queue://orders\"") != std::string::npos);
        CPPUNIT_ASSERT(lines[1].find("\"key\":\"a\\\"b\"") != std::string::npos);
        CPPUNIT_ASSERT(lines[1].find("secret") == std::string::npos);
        CPPUNIT_ASSERT(lines[2].find("\"op\":\"remove\"") != std::string::npos);
        const auto report = checkJournal(disk_, kDirectory, {});
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{3}, report->units);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, report->messagesLive);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{1}, report->rowsLive);
        CPPUNIT_ASSERT(report->damages.empty());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, report->tornTailBytes);
    }

    void closeStoresWhatWaits() {
        {
            Journal journal(disk_);
            for (std::uint64_t i = 1; i <= 500; ++i)
                journal.append(addUnit(i, "x", {1}, Durability::lazy));
            journal.store->close();
            journal.store->close();
            CPPUNIT_ASSERT_EQUAL(std::uint64_t{500}, journal.progress.done());
        }
        disk_.crash(2);
        Journal after(disk_);
        CPPUNIT_ASSERT_EQUAL(std::size_t{500}, after.recovered.state.messages.size());
    }

    void firstStartWritesLittle() {
        JournalOptions options;  // as in the daemon
        Journal journal(disk_, options);
        journal.store1(addUnit(1, "x"));
        journal.store->close();
        CPPUNIT_ASSERT(disk_.bytesUsed() < 32 << 20);
    }

    void aStartReadsTheLogBehindTheCheckpoint() {
        State expected;
        {
            Journal journal(disk_);
            expected = storeMany(journal, 500);
        }
        CPPUNIT_ASSERT(!disk_.content(checkpoint()).empty());
        Journal journal(disk_);
        CPPUNIT_ASSERT(expected == journal.recovered.state);
        CPPUNIT_ASSERT(journal.store->stats().recoveredUnits < 1000);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{500}, journal.store->stats().messagesLive);
    }

    /// Nothing but the checkpoint itself asks for a sync here, and then all power is lost.
    void aCheckpointIsNeverAheadOfTheLog() {
        auto options = Journal::smallOptions();
        options.lazySyncDelay = std::chrono::hours(1);
        for (std::uint64_t seed = 1; seed <= 40; ++seed) {
            MemoryFileSystem disk;
            {
                Journal journal(disk, options);
                for (std::uint64_t id = 1; disk.content(checkpoint()).empty(); ++id) {
                    journal.store1(addUnit(id, std::string(1000, 'x'), {1}, Durability::os));
                }
                disk.crash(seed);
            }
            Journal after(disk, options);
            CPPUNIT_ASSERT_MESSAGE(after.opened.error().text, after.opened.ok());
        }
    }

    void anyDamageToTheCheckpointMeansTheWholeLog() {
        State expected;
        {
            Journal journal(disk_);
            expected = storeMany(journal, 60);
        }
        const std::string image = disk_.content(checkpoint());
        CPPUNIT_ASSERT(!image.empty());
        for (std::size_t i = 0; i < image.size(); i += 3) {
            std::string damaged = image.substr(0, i);
            if (i % 2 == 0) damaged += static_cast<char>(image[i] ^ 4) + image.substr(i + 1);
            disk_.setContent(checkpoint(), damaged);
            Journal journal(disk_, Journal::logOnly());
            CPPUNIT_ASSERT_MESSAGE(journal.opened.error().text, journal.opened.ok());
            CPPUNIT_ASSERT(expected == journal.recovered.state);
            CPPUNIT_ASSERT(journal.store->stats().recoveredUnits >= 60);
        }
    }

    /// A checkpoint that knows more than the log has: somebody put old segments in its place.
    void aCheckpointOfAnotherTimeIsNotUsed() {
        State expected;
        std::map<std::string, std::string> old;
        {
            Journal journal(disk_);
            expected = storeMany(journal, 100);
        }
        const auto names = disk_.list(kDirectory);
        for (const auto& name : *names) old[name] = disk_.content(kDirectory + ("/" + name));
        {
            Journal journal(disk_);
            for (std::uint64_t id = 1; id <= 100; ++id) journal.append(removeUnit(1, id));
            for (std::uint64_t id = 101; id <= 200; ++id) {
                journal.append(addUnit(id, std::string(900, 'y')));
            }
        }
        const auto newer = disk_.list(kDirectory);
        for (const auto& name : *newer) {
            if (name.ends_with(".seg")) (void)disk_.remove(kDirectory + ("/" + name));
        }
        for (const auto& [name, bytes] : old) {
            if (name.ends_with(".seg")) disk_.setContent(kDirectory + ("/" + name), bytes);
        }
        Journal journal(disk_);
        CPPUNIT_ASSERT_MESSAGE(journal.opened.error().text, journal.opened.ok());
        CPPUNIT_ASSERT(expected == journal.recovered.state);
    }

    void anotherFormatIsRefusedAndNotTouched() {
        std::string page = journal::encodeSegmentHeader({77, 77, 1 << 20, 1});
        page[7] = '1';
        const std::uint32_t crc = journal::crc32c(std::string_view(page).substr(0, 40));
        std::memcpy(page.data() + 40, &crc, sizeof crc);
        CPPUNIT_ASSERT(disk_.makeDirectory(kDirectory).ok());
        disk_.setContent(firstSegment(), page);
        Journal journal(disk_);
        CPPUNIT_ASSERT(journal.opened.error().code == ErrorCode::unsupported);
        CPPUNIT_ASSERT(journal.opened.error().text.find("00000001.seg") != std::string::npos);
        CPPUNIT_ASSERT(page == disk_.content(firstSegment()));
        journal.store.reset();
        CPPUNIT_ASSERT(checkJournal(disk_, kDirectory, {}).error().code == ErrorCode::unsupported);
    }

  private:
    static std::string checkpoint() { return std::string(kDirectory) + "/checkpoint"; }

    static State storeMany(Journal& journal, std::uint64_t count) {
        State state;
        for (std::uint64_t id = 1; id <= count; ++id) {
            for (const auto& unit : {addUnit(id, std::string(900, 'x')), rowUnit("r", "v")}) {
                state.apply(unit);
                journal.append(unit);
            }
        }
        journal.progress.waitFor(journal.sequence);
        return state;
    }

    /// Adds messages until one is refused; returns how many were stored.
    static std::uint64_t fillUp(Journal& journal) {
        for (std::uint64_t id = 1;; ++id) {
            journal.store1(addUnit(id, std::string(4000, 'x')));
            if (!journal.progress.refused().empty()) return id - 1;
            CPPUNIT_ASSERT(id < 1000);
        }
    }

    void expectStopped(Journal& journal) {
        journal.progress.waitForFailure();
        journal.append(addUnit(3, "after"));
        journal.store->close();
        const auto reports = journal.progress.reports();
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, reports.size());
        CPPUNIT_ASSERT(reports[1].failed && reports[1].failed->code == ErrorCode::storageFailed);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{1}, reports[1].done.value);
        CPPUNIT_ASSERT(journal.store->stats().failed);
        journal.store.reset();
        disk_.crash(9);
        Journal after(disk_);
        CPPUNIT_ASSERT(after.opened.ok());
        CPPUNIT_ASSERT(after.recovered.state.messages.contains(1));
        CPPUNIT_ASSERT(!after.recovered.state.messages.contains(3));
    }

    MemoryFileSystem disk_;
};
CPPUNIT_TEST_SUITE_REGISTRATION(JournalTest);
