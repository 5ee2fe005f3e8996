#include "bus/store/journal/message_reader.h"
#include "tests/bus/store/journal/journal_support.h"

#include <cppunit/extensions/HelperMacros.h>

#include <random>

using namespace busbar;
using namespace busbar::test;

namespace {

std::vector<std::uint64_t> upTo(std::uint64_t last) {
    std::vector<std::uint64_t> ids;
    for (std::uint64_t id = 1; id <= last; ++id) ids.push_back(id);
    return ids;
}

std::string bodyOf(std::uint64_t id) {
    return std::to_string(id) + std::string(200 + id % 3000, static_cast<char>('a' + id % 26));
}

}  // namespace

class ReadTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ReadTest);
    CPPUNIT_TEST(readsWhatWasStored);
    CPPUNIT_TEST(readsWhatIsNotReportedYet);
    CPPUNIT_TEST(aMessageThatHasLeftIsNull);
    CPPUNIT_TEST(readsLargeAndSmallTogether);
    CPPUNIT_TEST(aFlippedBitIsToldAndOnlyOfItsMessage);
    CPPUNIT_TEST(readsWhileTheCleanerMoves);
    CPPUNIT_TEST(answersAfterAFailure);
    CPPUNIT_TEST(closeAnswersFirst);
    CPPUNIT_TEST_SUITE_END();

  public:
    void readsWhatWasStored() {
        {
            Journal journal(disk_);
            fill(journal, 500);
            expectAll(journal, 500);
        }
        Journal again(disk_);
        CPPUNIT_ASSERT_MESSAGE(again.opened.error().text, again.opened.ok());
        expectAll(again, 500);
    }

    void readsWhatIsNotReportedYet() {
        Journal journal(disk_);
        for (std::uint64_t id = 1; id <= 200; ++id) {
            journal.append(addUnit(id, bodyOf(id), {1}, Durability::lazy));
            if (id % 10 == 0) {
                CPPUNIT_ASSERT_EQUAL(bodyOf(id),
                                     bodies(journal.reads.read(*journal.store, {id}))[id]);
            }
        }
    }

    void aMessageThatHasLeftIsNull() {
        Journal journal(disk_);
        fill(journal, 3);
        journal.append(removeUnit(1, 2));
        const auto read = journal.reads.read(*journal.store, {2, 3, 77});
        CPPUNIT_ASSERT_EQUAL(std::size_t{3}, read.size());
        CPPUNIT_ASSERT(!read.at(2).message && !read.at(2).error);
        CPPUNIT_ASSERT(!read.at(77).message && !read.at(77).error);
        CPPUNIT_ASSERT(read.at(3).message && read.at(3).message->id == "ID:test-1");
    }

    void readsLargeAndSmallTogether() {
        Journal journal(disk_);
        const std::string large(3 << 20, 'L');
        const std::string middle(300 << 10, 'M');
        journal.append({addUnit(1, "a"), addUnit(2, large), addUnit(3, "b"), addUnit(4, middle)});
        journal.append({addUnit(5, middle), addUnit(6, ""), addUnit(7, "c")});
        auto read = bodies(journal.reads.read(*journal.store, {7, 6, 5, 4, 3, 2, 1, 2}));
        CPPUNIT_ASSERT(read[2] == large && read[4] == middle && read[5] == middle);
        CPPUNIT_ASSERT(read[1] == "a" && read[3] == "b" && read[7] == "c" && read[6].empty());
    }

    void aFlippedBitIsToldAndOnlyOfItsMessage() {
        Journal journal(disk_);
        fill(journal, 20);
        for (std::uint64_t n = 1;; ++n) {
            const std::string path = "/data/journal/0000000" + std::to_string(n) + ".seg";
            const auto at = disk_.content(path).find(bodyOf(10));
            if (at == std::string::npos) continue;
            disk_.flipBit(path, at + 100, 3);
            break;
        }
        const auto read = journal.reads.read(*journal.store, upTo(20));
        for (const auto& [id, stored] : read) {
            if (id == 10) {
                CPPUNIT_ASSERT(!stored.message && stored.error);
                CPPUNIT_ASSERT(stored.error->code == ErrorCode::storageCorrupt);
                CPPUNIT_ASSERT(stored.error->text.find("message 10 ") != std::string::npos);
            } else {
                CPPUNIT_ASSERT(stored.message);
            }
        }
    }

    /// Few messages stay while many pass, so the few are moved again and again and their old places
    /// written over, and are read all the time.
    void readsWhileTheCleanerMoves() {
        Journal journal(disk_);
        fill(journal, 40);
        std::uint64_t id = 1000;
        for (int round = 0; round < 300; ++round) {
            std::vector<UnitOfWork> batch;
            for (int i = 0; i < 30; ++i, ++id) {
                batch.push_back(addUnit(id, bodyOf(id), {1}, Durability::os));
                batch.push_back(removeUnit(1, id, Durability::os));
            }
            journal.append(std::move(batch));
            expectAll(journal, 40);
        }
        CPPUNIT_ASSERT(disk_.bytesUsed() < 2 << 20);  // 15 MB went through
        CPPUNIT_ASSERT(!journal.progress.failed());
    }

    void answersAfterAFailure() {
        Journal journal(disk_);
        fill(journal, 20);
        disk_.failWrite(1);
        journal.append(addUnit(21, bodyOf(21)));
        journal.progress.waitForFailure();
        const auto read = journal.reads.read(*journal.store, upTo(22));
        CPPUNIT_ASSERT_EQUAL(std::size_t{22}, read.size());
        CPPUNIT_ASSERT(read.at(20).message);
        CPPUNIT_ASSERT(read.at(22).error->code == ErrorCode::storageFailed);
        if (!read.at(21).message) {
            CPPUNIT_ASSERT(read.at(21).error->code == ErrorCode::storageFailed);
        }
    }

    void closeAnswersFirst() {
        Journal journal(disk_);
        std::vector<StoredId> ids;
        for (std::uint64_t id = 1; id <= 300; ++id) {
            journal.append(addUnit(id, bodyOf(id), {1}, Durability::os));
            ids.emplace_back(id);
        }
        std::size_t answered = 0;
        journal.store->onRead([&](std::vector<StoredMessage> got) { answered += got.size(); });
        for (int i = 0; i < 10; ++i) journal.store->read(ids);
        journal.store->close();
        CPPUNIT_ASSERT_EQUAL(std::size_t{3000}, answered);
    }

  private:
    static void fill(Journal& journal, std::uint64_t count) {
        for (std::uint64_t id = 1; id <= count; ++id) journal.append(addUnit(id, bodyOf(id)));
        journal.progress.waitFor(journal.sequence);
    }

    static void expectAll(Journal& journal, std::uint64_t count) {
        const auto read = journal.reads.read(*journal.store, upTo(count));
        CPPUNIT_ASSERT_EQUAL(std::size_t{count}, read.size());
        for (const auto& [id, stored] : read) {
            CPPUNIT_ASSERT_MESSAGE(stored.error ? stored.error->text : "left", stored.message);
            CPPUNIT_ASSERT_EQUAL(bodyOf(id), std::string(stored.message->body.view()));
        }
    }

    MemoryFileSystem disk_;
};
CPPUNIT_TEST_SUITE_REGISTRATION(ReadTest);
