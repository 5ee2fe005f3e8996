// Backups that open, and damaged journals that open again.
#include "bus/store/journal/checkpoint.h"
#include "bus/store/journal/format.h"
#include "tests/bus/store/journal/journal_support.h"

#include <cppunit/extensions/HelperMacros.h>

#include <algorithm>
#include <iostream>
#include <random>
#include <set>

using namespace busbar;
using namespace busbar::test;

namespace {

constexpr const char* kDirectory = "/data/journal";

/// Keeps how a backup went.
class BackupLog {
  public:
    Store::BackupHandler handler() {
        return [this](double share, const Result<void>* ended) {
            std::lock_guard lock(mutex_);
            ordered &= share >= share_;
            share_ = share;
            if (ended != nullptr) results_.push_back(*ended);
            changed_.notify_all();
        };
    }
    std::vector<Result<void>> waitFor(std::size_t results) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return results_.size() >= results; });
        return results_;
    }
    bool hasEnded() {
        std::lock_guard lock(mutex_);
        return !results_.empty();
    }

    bool ordered = true;

  private:
    std::mutex mutex_;
    std::condition_variable changed_;
    double share_ = 0;
    std::vector<Result<void>> results_;
};

std::string bodyOf(std::uint64_t id) {
    return std::to_string(id) + std::string(300 + id % 700, static_cast<char>('a' + id % 26));
}

}  // namespace

class RepairTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(RepairTest);
    CPPUNIT_TEST(aBackupHasWhatWasDurable);
    CPPUNIT_TEST(aBackupUnderLoadIsAPrefix);
    CPPUNIT_TEST(aSecondBackupIsInUse);
    CPPUNIT_TEST(backupsRefuseFullDirectories);
    CPPUNIT_TEST(aBackupThatFailsLeavesTheStoreAlone);
    CPPUNIT_TEST(offlineBackupsOpen);
    CPPUNIT_TEST(anIntactJournalIsNotTouched);
    CPPUNIT_TEST(aFlippedMessageIsLostAndNamed);
    CPPUNIT_TEST(neighboursInABrokenRecordAreSalvaged);
    CPPUNIT_TEST(aDestroyedHeaderLosesNothing);
    CPPUNIT_TEST(aMissingSegmentIsNamed);
    CPPUNIT_TEST(anInterruptedRepairIsFinished);
    CPPUNIT_TEST(aRepairWithoutRoomChangesNothing);
    CPPUNIT_TEST(randomDamageIsAllReported);
    CPPUNIT_TEST_SUITE_END();

  public:
    void aBackupHasWhatWasDurable() {
        Journal journal(disk_);
        const State expected = fill(journal, 400);
        BackupLog log;
        journal.store->backup("/data/copy", log.handler());
        CPPUNIT_ASSERT(log.waitFor(1)[0].ok());
        CPPUNIT_ASSERT(log.ordered);
        Journal copy(disk_, Journal::smallOptions(), "/data/copy");
        CPPUNIT_ASSERT_MESSAGE(copy.opened.error().text, copy.opened.ok());
        CPPUNIT_ASSERT(expected == copy.recovered.state);
        copy.store1(addUnit(9999, "goes on"));
        journal.store1(addUnit(9999, "goes on as well"));
    }

    /// The log goes around several times while the copy is made.
    void aBackupUnderLoadIsAPrefix() {
        for (int round = 0; round < 8; ++round) {
            MemoryFileSystem disk;
            State before;
            std::vector<UnitOfWork> units;
            Journal journal(disk);
            std::uint64_t id = 0;
            const auto work = [&](int count) {
                for (int i = 0; i < count; ++i) {
                    ++id;
                    units.push_back(addUnit(id, bodyOf(id), {1}, Durability::os));
                    if (id > 30) units.push_back(removeUnit(1, id - 30, Durability::os));
                }
                const auto sent = static_cast<std::size_t>(journal.sequence);
                journal.append(std::vector<UnitOfWork>(
                    units.begin() + static_cast<std::ptrdiff_t>(sent), units.end()));
            };
            work(500 + 100 * round);
            const auto atLeast = units.size();
            BackupLog log;
            journal.store->backup("/data/copy", log.handler());
            while (!log.hasEnded()) work(20);
            CPPUNIT_ASSERT(log.waitFor(1)[0].ok());
            Journal copy(disk, Journal::smallOptions(), "/data/copy");
            CPPUNIT_ASSERT_MESSAGE(copy.opened.error().text, copy.opened.ok());
            State expected;
            std::size_t prefix = 0;
            for (; prefix < atLeast; ++prefix) expected.apply(units[prefix]);
            while (!(expected == copy.recovered.state) && prefix < units.size()) {
                expected.apply(units[prefix++]);
            }
            CPPUNIT_ASSERT(expected == copy.recovered.state);
        }
    }

    void aSecondBackupIsInUse() {
        Journal journal(disk_);
        fill(journal, 300);
        BackupLog log;
        journal.store->backup("/data/a", log.handler());
        journal.store->backup("/data/b", log.handler());
        int ok = 0;
        for (const auto& result : log.waitFor(2)) {
            ok += result.ok();
            CPPUNIT_ASSERT(result.ok() || result.error().code == ErrorCode::inUse);
        }
        CPPUNIT_ASSERT(ok >= 1);
        journal.store1(addUnit(9999, "x"));
        BackupLog third;
        journal.store->backup("/data/c", third.handler());
        CPPUNIT_ASSERT(third.waitFor(1)[0].ok());
    }

    void backupsRefuseFullDirectories() {
        Journal journal(disk_);
        fill(journal, 10);
        disk_.setContent("/data/copy/other", "x");
        BackupLog log;
        journal.store->backup("/data/copy", log.handler());
        CPPUNIT_ASSERT(log.waitFor(1)[0].error().code == ErrorCode::alreadyExists);
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, disk_.list("/data/copy")->size());
    }

    void aBackupThatFailsLeavesTheStoreAlone() {
        Journal journal(disk_);
        fill(journal, 200);
        disk_.setCapacity(disk_.bytesUsed() + (40 << 10));
        BackupLog log;
        journal.store->backup("/data/copy", log.handler());
        CPPUNIT_ASSERT(log.waitFor(1)[0].error().code == ErrorCode::storageFull);
        journal.append(removeUnit(1, 1));
        journal.progress.waitFor(journal.sequence);
        CPPUNIT_ASSERT(!journal.progress.failed());
    }

    void offlineBackupsOpen() {
        State expected;
        {
            Journal journal(disk_);
            expected = fill(journal, 400);
            CPPUNIT_ASSERT(backupJournal(disk_, kDirectory, "/data/copy", {}).error().code ==
                           ErrorCode::inUse);
        }
        double share = 0;
        const auto done =
            backupJournal(disk_, kDirectory, "/data/copy", [&](double s) { share = s; });
        CPPUNIT_ASSERT_MESSAGE(done.ok() ? "" : done.error().text, done.ok());
        CPPUNIT_ASSERT(share > 0.99);
        Journal copy(disk_, Journal::smallOptions(), "/data/copy");
        CPPUNIT_ASSERT(expected == copy.recovered.state);
    }

    void anIntactJournalIsNotTouched() {
        {
            Journal journal(disk_);
            fill(journal, 300);
        }
        const auto writes = disk_.writes();
        const auto report = repair();
        CPPUNIT_ASSERT(report.damagedDirectory.empty() && report.lost.empty());
        CPPUNIT_ASSERT(report.messagesLost.empty());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{300}, report.messagesKept);
        CPPUNIT_ASSERT_EQUAL(writes, disk_.writes());
    }

    void aFlippedMessageIsLostAndNamed() {
        State expected;
        {
            Journal journal(disk_);
            expected = fill(journal, 100);
        }
        const auto [path, offset] = find(bodyOf(50));
        disk_.flipBit(path, offset + 5, 2);
        const auto report = repair();
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, report.lost.size());
        CPPUNIT_ASSERT(path.ends_with(report.lost[0].file));
        CPPUNIT_ASSERT(report.lost[0].offset <= offset &&
                       offset < report.lost[0].offset + report.lost[0].bytes);
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, report.messagesLost.size());
        CPPUNIT_ASSERT(report.messagesLost[0].first == StoredId(50) &&
                       report.messagesLost[0].last == StoredId(50));
        CPPUNIT_ASSERT_EQUAL(std::string("/data/journal.damaged-1"), report.damagedDirectory);
        expected.messages.erase(50);
        Journal after(disk_);
        CPPUNIT_ASSERT_MESSAGE(after.opened.error().text, after.opened.ok());
        CPPUNIT_ASSERT(expected == after.recovered.state);
    }

    void neighboursInABrokenRecordAreSalvaged() {
        State expected;
        {
            Journal journal(disk_);
            UnitOfWork unit;
            for (std::uint64_t id = 1; id <= 5; ++id) {
                unit.operations.push_back(addUnit(id, bodyOf(id), {3}).operations[0]);
            }
            expected.apply(unit);
            journal.store1(unit);
            journal.store1(addUnit(6, "after"));
            expected.apply(addUnit(6, "after"));
        }
        const auto [path, offset] = find(bodyOf(3));
        disk_.flipBit(path, offset + 5, 2);
        const auto report = repair();
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{4}, report.messagesSalvaged);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{5}, report.messagesKept);
        CPPUNIT_ASSERT(report.messagesLost.size() == 1 &&
                       report.messagesLost[0].first == StoredId(3));
        expected.messages.erase(3);
        Journal after(disk_);
        CPPUNIT_ASSERT(expected == after.recovered.state);
    }

    void aDestroyedHeaderLosesNothing() {
        State expected;
        {
            Journal journal(disk_);
            expected = fill(journal, 300);
        }
        disk_.flipBit(std::string(kDirectory) + "/00000002.seg", 10, 1);
        CPPUNIT_ASSERT(!Journal(disk_).opened.ok());
        const auto report = repair();
        CPPUNIT_ASSERT(report.messagesLost.empty());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{300}, report.messagesKept);
        Journal after(disk_);
        CPPUNIT_ASSERT(expected == after.recovered.state);
    }

    void aMissingSegmentIsNamed() {
        State expected;
        {
            Journal journal(disk_);
            expected = fill(journal, 300);
        }
        CPPUNIT_ASSERT(disk_.remove(std::string(kDirectory) + "/00000002.seg").ok());
        const auto report = repair();
        Journal after(disk_);
        CPPUNIT_ASSERT(after.opened.ok());
        expectNoneForgotten(expected, after.recovered.state, report, "missing segment");
        CPPUNIT_ASSERT(after.recovered.state.messages.size() > 150);
    }

    void anInterruptedRepairIsFinished() {
        State expected;
        {
            Journal journal(disk_);
            expected = fill(journal, 50);
        }
        CPPUNIT_ASSERT(disk_.rename(kDirectory, "/data/journal.repaired").ok());
        Journal after(disk_);
        CPPUNIT_ASSERT(expected == after.recovered.state);
    }

    void aRepairWithoutRoomChangesNothing() {
        {
            Journal journal(disk_);
            fill(journal, 300);
        }
        const auto [path, offset] = find(bodyOf(50));
        disk_.flipBit(path, offset + 5, 2);
        const std::string before = disk_.content(path);
        disk_.setCapacity(disk_.bytesUsed() + (20 << 10));
        const auto refused = repairJournal(disk_, kDirectory, {});
        CPPUNIT_ASSERT(refused.error().code == ErrorCode::storageFull);
        CPPUNIT_ASSERT(before == disk_.content(path));
        disk_.setCapacity(~0ull);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{299}, repair().messagesKept);
    }

    /// What was there is kept or named as lost; what is kept is as it was.
    void randomDamageIsAllReported() {
        std::uint64_t salvaged = 0;
        std::uint64_t damaged = 0;
        std::uint64_t kept = 0;
        std::uint64_t there = 0;
        std::uint64_t named = 0;
        for (std::uint64_t seed = 1; seed <= 300; ++seed) {
            std::mt19937_64 random(seed);
            MemoryFileSystem disk;
            State expected;
            std::set<std::uint64_t> partly;
            {
                Journal journal(disk);
                expected = randomWork(journal, random, partly);
            }
            for (auto n = 1 + random() % 4; n > 0; --n) damage(disk, random);
            const auto report = repairJournal(disk, kDirectory, {});
            const std::string where = "seed " + std::to_string(seed);
            CPPUNIT_ASSERT_MESSAGE(where, report.ok());
            (void)disk.remove(std::string(kDirectory) + "/" + journal::kCheckpointName);
            Journal after(disk);
            CPPUNIT_ASSERT_MESSAGE(where + ": " + after.opened.error().text, after.opened.ok());
            CPPUNIT_ASSERT_EQUAL_MESSAGE(where, report->messagesKept,
                                         std::uint64_t{after.recovered.state.messages.size()});
            expectNoneForgotten(expected, after.recovered.state, *report, where, partly);
            named += report->messagesLostIsAll;
            damaged += !report->damagedDirectory.empty();
            salvaged += report->messagesSalvaged;
            kept += report->messagesKept;
            there += expected.messages.size();
        }
        std::cout << " " << damaged << " of 300 damaged, " << kept << " of " << there
                  << " messages kept, " << salvaged << " of them salvaged; all lost ones named in "
                  << named << " ";
        CPPUNIT_ASSERT(named > 100 && salvaged > 10);
    }

  private:
    static State fill(Journal& journal, std::uint64_t count) {
        State state;
        for (std::uint64_t id = 1; id <= count; ++id) {
            const auto unit = addUnit(id, bodyOf(id));
            state.apply(unit);
            journal.append(unit);
        }
        const auto row = rowUnit("a row", "its value");
        state.apply(row);
        journal.append(row);
        journal.progress.waitFor(journal.sequence);
        return state;
    }

    /// Some messages stay, most leave, so that the cleaner has moved some.
    /// `partly`: messages that have left one of two queues.
    static State randomWork(Journal& journal, std::mt19937_64& random,
                            std::set<std::uint64_t>& partly) {
        State state;
        std::uint64_t id = 0;
        for (int i = 0; i < 100; ++i) {
            std::vector<UnitOfWork> batch;
            for (auto n = 1 + random() % 8; n > 0; --n) {
                ++id;
                UnitOfWork unit = addUnit(id, bodyOf(id), {1 + random() % 3}, Durability::os);
                for (auto more = random() % 3; more > 0; --more) {
                    unit.operations.push_back(
                        addUnit(id + 1, bodyOf(id + 1), {1, 2}).operations[0]);
                    ++id;
                }
                batch.push_back(unit);
                while (state.messages.size() > 60) {
                    auto at = state.messages.begin();
                    std::advance(at, static_cast<long>(random() % 50));
                    if (at->second.entries.size() > 1) partly.insert(at->first);
                    auto leave = removeUnit(at->second.entries.begin()->first, at->first);
                    batch.push_back(leave);
                    state.apply(leave);
                }
                state.apply(unit);
            }
            // In the order in which the state saw them.
            journal.append(std::move(batch));
        }
        journal.progress.waitFor(journal.sequence);
        return state;
    }

    static void damage(MemoryFileSystem& disk, std::mt19937_64& random) {
        std::vector<std::string> segments;
        const auto names = disk.list(kDirectory);
        for (const auto& name : *names) {
            if (name.ends_with(".seg")) segments.push_back(name);
        }
        const std::string path =
            std::string(kDirectory) + "/" + segments[random() % segments.size()];
        auto size = disk.content(path).size();
        // Damage to the very end looks like an interrupted write.
        if (isLast(disk, segments, path)) {
            size = disk.content(path).find_last_not_of('\0') * 8 / 10;
        }
        if (size == 0) return;
        const auto kind = random() % 10;
        if (kind == 0) {
            // Without the last one, nothing tells that it had ever been there.
            if (isLast(disk, segments, path)) return;
            (void)disk.remove(path);
        } else if (kind < 3) {  // a few destroyed sectors
            const auto from = random() % size;
            for (std::uint64_t i = from; i < std::min(size, from + 1500); ++i) {
                disk.flipBit(path, i, static_cast<unsigned>(random() % 8));
            }
        } else {
            disk.flipBit(path, random() % size, static_cast<unsigned>(random() % 8));
        }
    }

    static bool isLast(MemoryFileSystem& disk, const std::vector<std::string>& segments,
                       const std::string& path) {
        const auto epochOf = [&](const std::string& file) {
            const auto header = journal::decodeSegmentHeader(disk.content(file));
            return header ? header->epoch : ~0ull;
        };
        return std::all_of(segments.begin(), segments.end(), [&](const std::string& name) {
            const auto epoch = epochOf(std::string(kDirectory) + "/" + name);
            return epoch == ~0ull || epoch <= epochOf(path);
        });
    }

    static constexpr std::size_t kMessagesOfAUnit = 3;

    static void expectNoneForgotten(const State& there, const State& kept,
                                    const JournalRepair& report, const std::string& where,
                                    const std::set<std::uint64_t>& partly = {}) {
        std::set<std::uint64_t> forgotten;
        const auto isLost = [&](std::uint64_t id) {
            for (const auto& ids : report.messagesLost) {
                if (ids.first.value <= id && id <= ids.last.value) return true;
            }
            return false;
        };
        for (const auto& [id, stored] : there.messages) {
            const auto at = kept.messages.find(id);
            if (at != kept.messages.end()) {
                CPPUNIT_ASSERT_MESSAGE(where, at->second.body == stored.body);
                CPPUNIT_ASSERT_MESSAGE(where, !isLost(id));
            } else if (!isLost(id) && !partly.contains(id)) {
                forgotten.insert(id);
            }
        }
        std::string what = where + ": ";
        for (const auto id : forgotten) what += std::to_string(id) + " ";
        for (const auto& lost : report.lost) {
            what += "\n" + lost.file + " " + std::to_string(lost.offset) + " +" +
                    std::to_string(lost.bytes) + " " + lost.what;
        }
        for (const auto& ids : report.messagesLost) {
            what += "\nlost " + std::to_string(ids.first.value) + " to " +
                    std::to_string(ids.last.value);
        }
        // Where the last segment is short, what damage() leaves alone of it is less than a record,
        // and so the newest messages may look like an interrupted write all the same.
        const bool newest = !forgotten.empty() && report.lost.empty() && !kept.messages.empty() &&
                            *forgotten.begin() > kept.messages.rbegin()->first;
        if (newest && forgotten.size() <= kMessagesOfAUnit) return;
        if (report.messagesLostIsAll) CPPUNIT_ASSERT_MESSAGE(what, forgotten.empty());
        if (report.lost.empty()) {
            CPPUNIT_ASSERT_MESSAGE(where, there == kept);
        }
    }

    JournalRepair repair() {
        auto report = repairJournal(disk_, kDirectory, {});
        CPPUNIT_ASSERT_MESSAGE(report.ok() ? "" : report.error().text, report.ok());
        return *report;
    }

    std::pair<std::string, std::uint64_t> find(const std::string& text) {
        const auto names = disk_.list(kDirectory);
        for (const auto& name : *names) {
            const std::string path = std::string(kDirectory) + "/" + name;
            const auto at = disk_.content(path).find(text);
            if (at != std::string::npos) return {path, at};
        }
        CPPUNIT_FAIL("not in any file");
        return {};
    }

    MemoryFileSystem disk_;
};
CPPUNIT_TEST_SUITE_REGISTRATION(RepairTest);
