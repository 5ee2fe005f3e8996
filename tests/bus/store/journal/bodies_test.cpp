// Large bodies: whole or not there, and gone when nothing refers to them.
#include "bus/store/journal/body_files.h"
#include "tests/bus/store/journal/journal_support.h"

#include <cppunit/extensions/HelperMacros.h>

#include <future>

using namespace busbar;
using namespace busbar::test;

namespace {

constexpr const char* kDirectory = "/data/journal";
const std::string kText(300'000, 'x');

UnitOfWork add(std::uint64_t id, MessagePtr message, std::vector<std::uint64_t> queues = {1}) {
    UnitOfWork unit;
    AddMessage operation{StoredId(id), std::move(message), {}};
    for (const auto queue : queues) operation.queues.emplace_back(queue);
    unit.operations.push_back(std::move(operation));
    return unit;
}

/// Stores a message with a large body and keeps no reference.
void addLarge(Journal& journal, std::uint64_t id, std::string_view body = kText) {
    auto message = largeMessage(*journal.store, body);
    CPPUNIT_ASSERT(message);
    journal.store1(add(id, std::move(message)));
}

std::string pathOf(const LargeBody& body) {
    return std::string(kDirectory) + "/" + journal::bodyName(body.id);
}

}  // namespace

class BodiesTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(BodiesTest);
    CPPUNIT_TEST(areThereAfterARestart);
    CPPUNIT_TEST(goWithTheLastMessage);
    CPPUNIT_TEST(areKeptByAReference);
    CPPUNIT_TEST(goWithTheLastReferenceWhereNothingWasStored);
    CPPUNIT_TEST(moveWithTheirMessage);
    CPPUNIT_TEST(staysWhereTheRemovalIsNotDurable);
    CPPUNIT_TEST(stayWhenTheCleanerMovesTheMessage);
    CPPUNIT_TEST(areMarkedInTheCheckpoint);
    CPPUNIT_TEST(notFinishedAreRemoved);
    CPPUNIT_TEST(orphansAreRemovedAtTheStart);
    CPPUNIT_TEST(afterTheJournalHasFailedNothingIsRemoved);
    CPPUNIT_TEST(aFullDiskRefusesTheBodyAndNothingElse);
    CPPUNIT_TEST(aFailedWriteEndsTheBodyAlone);
    CPPUNIT_TEST(areReadInParts);
    CPPUNIT_TEST(missingOnesAreToldAndTheRestGoesOn);
    CPPUNIT_TEST(checkNamesMissingAndDamagedOnes);
    CPPUNIT_TEST(repairLosesTheMessagesWithoutABody);
    CPPUNIT_TEST(repairTakesTheBodiesOver);
    CPPUNIT_TEST(areInABackup);
    CPPUNIT_TEST(areInABackupOfAStoppedDaemon);
    CPPUNIT_TEST(areCopiedWhereLinksAreImpossible);
    CPPUNIT_TEST_SUITE_END();

    MemoryFileSystem disk_;

  public:
    void areThereAfterARestart() {
        { addLarge(*std::make_unique<Journal>(disk_), 1); }
        disk_.crash(1);
        Journal again(disk_);
        CPPUNIT_ASSERT(again.opened.ok());
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, again.recovered.state.messages.size());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{kText.size()}, again.recovered.summaries[1].bodyBytes);
        auto read = again.reads.read(*again.store, {1});
        Error why;
        CPPUNIT_ASSERT(wholeBody(*again.store, *read[1].message, why) == kText);
    }

    void goWithTheLastMessage() {
        Journal journal(disk_);
        auto message = largeMessage(*journal.store, kText);
        journal.store1(add(1, std::make_shared<Message>(*message), {1, 2}));
        journal.store1(add(2, std::move(message)));
        journal.store1(removeUnit(1, 1));
        journal.store1(removeUnit(1, 2));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, bodyFiles(disk_).size());
        journal.store1(removeUnit(2, 1));
        journal.store->close();  // waits for the workers
        CPPUNIT_ASSERT(bodyFiles(disk_).empty());
    }

    void areKeptByAReference() {
        Journal journal(disk_);
        addLarge(journal, 1);
        auto read = journal.reads.read(*journal.store, {1});
        journal.store1(removeUnit(1, 1));
        Error why;
        CPPUNIT_ASSERT(wholeBody(*journal.store, *read[1].message, why) == kText);
        read.clear();
        journal.store->close();
        CPPUNIT_ASSERT(bodyFiles(disk_).empty());
    }

    void goWithTheLastReferenceWhereNothingWasStored() {
        Journal journal(disk_);
        auto message = largeMessage(*journal.store, kText);
        auto copy = std::make_shared<Message>(*message);
        message.reset();
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, bodyFiles(disk_).size());
        copy.reset();
        journal.store->close();
        CPPUNIT_ASSERT(bodyFiles(disk_).empty());
    }

    void moveWithTheirMessage() {
        {
            Journal journal(disk_);
            addLarge(journal, 1);
            auto read = journal.reads.read(*journal.store, {1});
            UnitOfWork move = removeUnit(1, 1);
            for (auto& operation : add(2, read[1].message, {7}).operations)
                move.operations.push_back(std::move(operation));
            read.clear();
            journal.store1(std::move(move));
        }
        Journal again(disk_);
        CPPUNIT_ASSERT(again.opened.ok());
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, again.largeBodies.size());
        CPPUNIT_ASSERT(again.recovered.state.messages.contains(2));
    }

    void staysWhereTheRemovalIsNotDurable() {
        auto options = Journal::smallOptions();
        options.lazySyncDelay = Milliseconds(3'600'000);
        auto journal = std::make_unique<Journal>(disk_, options);
        addLarge(*journal, 1);
        journal->store1(removeUnit(1, 1, Durability::os));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, bodyFiles(disk_).size());
        disk_.crash(4);
        journal.reset();
        Journal again(disk_);
        CPPUNIT_ASSERT(again.opened.ok());
        CPPUNIT_ASSERT_EQUAL(again.largeBodies.size(), again.recovered.state.messages.size());
    }

    void stayWhenTheCleanerMovesTheMessage() {
        {
            Journal journal(disk_);
            addLarge(journal, 1);
            for (std::uint64_t id = 2; id < 400; ++id) {
                journal.append(addUnit(id, std::string(3000, 'b')));
                journal.append(removeUnit(1, id));
            }
            journal.store1({});
        }
        Journal again(disk_, Journal::logOnly());
        CPPUNIT_ASSERT(again.opened.ok());
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, again.largeBodies.size());
        again.store1(removeUnit(1, 1));
        again.store->close();
        CPPUNIT_ASSERT(bodyFiles(disk_).empty());
    }

    void areMarkedInTheCheckpoint() {
        auto options = Journal::logOnly();
        {
            Journal journal(disk_, Journal::smallOptions());
            addLarge(journal, 1);
            for (std::uint64_t id = 2; id < 40; ++id)
                journal.append(addUnit(id, std::string(3000, 'b')));
        }
        CPPUNIT_ASSERT(!disk_.content(std::string(kDirectory) + "/checkpoint").empty());
        Journal again(disk_, options);
        CPPUNIT_ASSERT(again.opened.ok());
        CPPUNIT_ASSERT(again.store->stats().recoveredUnits < 39);
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, again.largeBodies.size());
    }

    void notFinishedAreRemoved() {
        Journal journal(disk_);
        auto writer = journal.store->bodies()->begin();
        CPPUNIT_ASSERT((*writer)->append(kText).ok());
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, bodyFiles(disk_).size());
        (*writer)->abandon();
        CPPUNIT_ASSERT(bodyFiles(disk_).empty());
        CPPUNIT_ASSERT(!(*writer)->append(kText).ok());
        writer = journal.store->bodies()->begin();
        CPPUNIT_ASSERT((*writer)->append(kText).ok());
        writer->reset();
        CPPUNIT_ASSERT(bodyFiles(disk_).empty());
    }

    void orphansAreRemovedAtTheStart() {
        auto journal = std::make_unique<Journal>(disk_);
        addLarge(*journal, 1);
        auto begun = journal->store->bodies()->begin();
        CPPUNIT_ASSERT((*begun)->append(kText).ok());
        const auto finished = largeMessage(*journal->store, kText);
        disk_.kill();
        CPPUNIT_ASSERT_EQUAL(std::size_t{3}, bodyFiles(disk_).size());
        journal->store->close();
        Journal again(disk_);
        CPPUNIT_ASSERT(again.opened.ok());
        CPPUNIT_ASSERT(bodyFiles(disk_) == again.largeBodies);
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, again.largeBodies.size());
    }

    void afterTheJournalHasFailedNothingIsRemoved() {
        auto journal = std::make_unique<Journal>(disk_);
        auto message = largeMessage(*journal->store, kText);
        const std::string path = pathOf(*message->large);
        disk_.failSync(1);
        journal->append(add(1, std::move(message)));
        journal->progress.waitForFailure();
        journal.reset();
        CPPUNIT_ASSERT(!disk_.content(path).empty());
    }

    void aFullDiskRefusesTheBodyAndNothingElse() {
        Journal journal(disk_);
        addLarge(journal, 1);
        disk_.setCapacity(disk_.bytesUsed() + (400 << 10));
        auto writer = journal.store->bodies()->begin();
        Result<void> done;
        for (int i = 0; i < 100 && done; ++i) done = (*writer)->append(std::string(10'000, 'y'));
        CPPUNIT_ASSERT(!done.ok());
        CPPUNIT_ASSERT(done.error().code == ErrorCode::storageFull);
        CPPUNIT_ASSERT(!(*writer)->finish().ok());
        // What bodies leave is for the others.
        journal.store1(addUnit(2, std::string(2'000, 'b')));
        CPPUNIT_ASSERT(journal.progress.refused().empty());
        writer->reset();
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, bodyFiles(disk_).size());
    }

    void aFailedWriteEndsTheBodyAlone() {
        Journal journal(disk_);
        auto writer = journal.store->bodies()->begin();
        disk_.failWrite(1);
        CPPUNIT_ASSERT((*writer)->append(kText).error().code == ErrorCode::storageFailed);
        CPPUNIT_ASSERT((*writer)->finish().error().code == ErrorCode::closed);
        writer->reset();
        writer = journal.store->bodies()->begin();
        CPPUNIT_ASSERT((*writer)->append(kText).ok());
        disk_.failSync(1);
        CPPUNIT_ASSERT((*writer)->finish().error().code == ErrorCode::storageFailed);
        writer->reset();
        CPPUNIT_ASSERT(bodyFiles(disk_).empty());
        addLarge(journal, 1);
        CPPUNIT_ASSERT(!journal.progress.failed());
    }

    void areReadInParts() {
        Journal journal(disk_);
        const auto message = largeMessage(*journal.store, "0123456789");
        auto reader = journal.store->bodies()->open(message->large);
        std::string part(4, '\0');
        CPPUNIT_ASSERT_EQUAL(std::size_t{4}, *(*reader)->read(3, part));
        CPPUNIT_ASSERT_EQUAL(std::string("3456"), part);
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, *(*reader)->read(8, part));
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, *(*reader)->read(10, part));
        disk_.setContent(pathOf(*message->large), "01234");
        reader = journal.store->bodies()->open(message->large);
        CPPUNIT_ASSERT((*reader)->read(3, part).error().code == ErrorCode::storageCorrupt);
    }

    /// Leaves a journal with two messages and loses the body of the first.
    void loseABody() {
        LargeBody first;
        {
            Journal journal(disk_);
            auto message = largeMessage(*journal.store, kText);
            first = *message->large;
            journal.store1(add(1, std::move(message)));
            addLarge(journal, 2);
        }
        CPPUNIT_ASSERT(disk_.remove(pathOf(first)).ok());
    }

    void missingOnesAreToldAndTheRestGoesOn() {
        loseABody();
        auto made = openJournal(disk_, kDirectory, Journal::smallOptions());
        StateListener listener;
        CPPUNIT_ASSERT((*made)->recover(listener).ok());
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, listener.state.messages.size());
        ReadLog reads;
        (*made)->onRead([&](std::vector<StoredMessage> m) { reads(std::move(m)); });
        auto read = reads.read(**made, {1, 2});
        CPPUNIT_ASSERT(!read[1].message);
        CPPUNIT_ASSERT(read[1].error->code == ErrorCode::storageCorrupt);
        CPPUNIT_ASSERT(read[1].error->text.find(".body") != std::string::npos);
        CPPUNIT_ASSERT(read[2].message);
    }

    void checkNamesMissingAndDamagedOnes() {
        loseABody();
        auto report = checkJournal(disk_, kDirectory, {});
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{2}, report->largeBodies);
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, report->damages.size());
        CPPUNIT_ASSERT(report->damages[0].what.find("message 1") != std::string::npos);
        const std::string whole = *bodyFiles(disk_).begin();
        disk_.flipBit(std::string(kDirectory) + "/" + whole, 1000, 3);
        report = checkJournal(disk_, kDirectory, {});
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, report->damages.size());
        CPPUNIT_ASSERT_EQUAL(whole, report->damages[1].file);
    }

    void repairLosesTheMessagesWithoutABody() {
        loseABody();
        auto report = repairJournal(disk_, kDirectory, {});
        CPPUNIT_ASSERT(report.ok());
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, report->messagesLost.size());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{1}, report->messagesLost[0].first.value);
        Journal again(disk_);
        CPPUNIT_ASSERT_MESSAGE(again.opened.error().text, again.opened.ok());
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, again.recovered.state.messages.size());
        CPPUNIT_ASSERT(bodyFiles(disk_) == again.largeBodies);
    }

    void repairTakesTheBodiesOver() {
        {
            Journal journal(disk_, Journal::logOnly());
            addLarge(journal, 1);
            journal.store1(addUnit(2, std::string(1000, 'b')));
            journal.store1(addUnit(3, std::string(1000, 'c')));
        }
        disk_.flipBit(std::string(kDirectory) + "/00000001.seg", 4096 + 600, 2);
        auto report = repairJournal(disk_, kDirectory, {});
        CPPUNIT_ASSERT(report.ok());
        CPPUNIT_ASSERT(!report->lost.empty());
        Journal again(disk_);
        CPPUNIT_ASSERT_MESSAGE(again.opened.error().text, again.opened.ok());
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, again.largeBodies.size());
    }

    void areInABackup() {
        Journal journal(disk_);
        addLarge(journal, 1);
        std::promise<bool> ended;
        journal.store->backup("/data/backup", [&](double, const Result<void>* result) {
            if (result) ended.set_value(result->ok());
        });
        CPPUNIT_ASSERT(ended.get_future().get());
        journal.store1(removeUnit(1, 1));
        journal.store->close();
        CPPUNIT_ASSERT(bodyFiles(disk_).empty());
        Journal copy(disk_, Journal::smallOptions(), "/data/backup");
        CPPUNIT_ASSERT_MESSAGE(copy.opened.error().text, copy.opened.ok());
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, copy.largeBodies.size());
    }

    void areInABackupOfAStoppedDaemon() {
        { addLarge(*std::make_unique<Journal>(disk_), 1); }
        CPPUNIT_ASSERT(backupJournal(disk_, kDirectory, "/data/backup", {}).ok());
        Journal copy(disk_, Journal::smallOptions(), "/data/backup");
        CPPUNIT_ASSERT(copy.opened.ok());
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, copy.largeBodies.size());
    }

    void areCopiedWhereLinksAreImpossible() {
        class NoLinks : public MemoryFileSystem {
            Result<void> link(const std::string&, const std::string&) override {
                return Error{ErrorCode::unsupported, "no links here"};
            }
        } disk;
        { addLarge(*std::make_unique<Journal>(disk), 1); }
        CPPUNIT_ASSERT(backupJournal(disk, kDirectory, "/data/backup", {}).ok());
        disk.crash(3);
        Journal copy(disk, Journal::smallOptions(), "/data/backup");
        CPPUNIT_ASSERT(copy.opened.ok());
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, copy.largeBodies.size());
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(BodiesTest);
