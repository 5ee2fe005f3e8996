#include "bus/store/journal/chunk.h"

#include "bus/store/journal/live_index.h"

#include <cppunit/extensions/HelperMacros.h>

#include <random>

using namespace busbar;
using namespace busbar::journal;
using ListedEntry = journal::Entry;

namespace {

WallTime at(std::uint64_t millis) {
    return WallTime(Milliseconds(static_cast<std::int64_t>(millis)));
}

bool same(const Chunk& a, const Chunk& b) {
    for (std::uint32_t i = 0; i < Chunk::kIds; ++i) {
        const auto& x = a.slots[i];
        const auto& y = b.slots[i];
        if (x.live.at != y.live.at) return false;
        if (x.live.at.size == 0) continue;
        if (x.queue != y.queue || !(x.live.summary == y.live.summary)) return false;
    }
    return a.lists == b.lists;
}

/// Any numbers that the fields can hold, most of them usual.
Chunk randomChunk(std::mt19937_64& random) {
    Chunk chunk;
    const auto holes = random() % 3;
    Location next{static_cast<std::uint32_t>(random() % 9), 4096, 1000};
    for (std::uint32_t i = 0; i < Chunk::kIds; ++i) {
        if (holes != 0 && random() % (4 * holes) == 0) continue;
        auto& slot = chunk.slots[i];
        const auto odd = [&] { return random() % 10 == 0; };
        if (odd()) next.size = static_cast<std::uint32_t>(1 + random() % 0xffffffff);
        if (odd()) next.offset = static_cast<std::uint32_t>(random());
        if (odd()) next.segment = static_cast<std::uint32_t>(random());
        slot.live.at = next;
        next.offset += (next.size + 7) / 8 * 8 + 48;
        next.size = 1000;
        slot.live.summary.priority = static_cast<unsigned char>(odd() ? random() % 10 : 4);
        slot.live.summary.persistent = !odd();
        if (odd()) slot.live.summary.expiration = at(random());
        if (odd()) slot.live.summary.deliverAt = at(random());
        std::vector<ListedEntry> entries{{QueueId(odd() ? random() : 1)}};
        if (odd()) entries.push_back({QueueId(random()), static_cast<std::uint32_t>(random())});
        if (odd()) entries[0].deliverAt = at(random());
        if (odd()) entries[0].deliveryCount = 3;
        chunk.setEntries(i, entries);
    }
    return chunk;
}

}  // namespace

class ChunkTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ChunkTest);
    CPPUNIT_TEST(packedChunksComeBack);
    CPPUNIT_TEST(usualMessagesTakeAByte);
    CPPUNIT_TEST(brokenBytesAreRefusedOrShorter);
    CPPUNIT_TEST(theIndexKeepsFewChunksOpen);
    CPPUNIT_TEST(theIndexIsTheSameWhateverIsPacked);
    CPPUNIT_TEST(whatWasDroppedMayComeAgain);
    CPPUNIT_TEST(copiedIndexesLoad);
    CPPUNIT_TEST_SUITE_END();

  public:
    void packedChunksComeBack() {
        std::mt19937_64 random(7);
        for (int i = 0; i < 300; ++i) {
            const Chunk chunk = randomChunk(random);
            Chunk back;
            CPPUNIT_ASSERT(unpackChunk(packChunk(chunk), back));
            CPPUNIT_ASSERT(same(chunk, back));
        }
    }

    void usualMessagesTakeAByte() {
        Chunk chunk;
        for (std::uint32_t i = 0; i < Chunk::kIds; ++i) {
            chunk.slots[i].live.at = {3, 4096 + i * 1200, 1100};
            chunk.setEntries(i, {{QueueId(9)}});
        }
        CPPUNIT_ASSERT(packChunk(chunk).size() < Chunk::kIds + 20);
    }

    void brokenBytesAreRefusedOrShorter() {
        std::mt19937_64 random(3);
        for (int i = 0; i < 30; ++i) {
            const std::string packed = packChunk(randomChunk(random));
            for (int k = 0; k < 100; ++k) {
                std::string bytes = packed;
                bytes[random() % bytes.size()] = static_cast<char>(random());
                Chunk chunk;
                if (!unpackChunk(bytes, chunk)) continue;
                Chunk again;
                CPPUNIT_ASSERT(unpackChunk(packChunk(chunk), again) && same(chunk, again));
            }
        }
    }

    void theIndexKeepsFewChunksOpen() {
        LiveIndex index;
        fill(index, 300'000);
        CPPUNIT_ASSERT(index.openChunks() <= LiveIndex::kOpenMax);
        for (std::uint64_t id = 300'000; id > 0; --id) {
            CPPUNIT_ASSERT(index.findMessage(StoredId(id))->at == placeOf(id));
            CPPUNIT_ASSERT(index.openChunks() <= LiveIndex::kOpenMax);
        }
        for (std::uint64_t id = 1; id <= 300'000; ++id) {
            CPPUNIT_ASSERT(index.removeEntry(QueueId(1), StoredId(id)) == LiveIndex::Found::yes);
        }
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, index.openChunks());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, index.messages());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, index.bytes());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, index.liveBytes(0));
    }

    /// Random work over so many chunks that most are packed, against a plain model.
    void theIndexIsTheSameWhateverIsPacked() {
        std::mt19937_64 random(11);
        LiveIndex index;
        std::map<std::uint64_t, std::map<std::uint64_t, ListedEntry>> model;
        std::uint64_t last = 0;
        bool wasBehind = false;
        for (int i = 0; i < 200'000; ++i) {
            const auto kind = random() % 10;
            if (kind < 6 || model.empty()) {
                last += random() % 7 == 0 ? random() % 2000 : 1;
                std::vector<ListedEntry> entries{{QueueId(1 + random() % 3)}};
                if (random() % 9 == 0) entries.push_back({QueueId(7)});
                if (!index.addMessage(StoredId(last), entries, {placeOf(last), {}})) continue;
                for (const auto& e : entries) model[last][e.queue.value] = e;
                continue;
            }
            auto at = model.lower_bound(random() % last);
            if (at == model.end()) continue;
            const QueueId queue(at->second.begin()->first);
            const StoredId id(at->first);
            if (kind < 8) {
                if (random() % 2 == 0)
                    index.dropEntry(queue, id);
                else
                    CPPUNIT_ASSERT(index.removeEntry(queue, id) == LiveIndex::Found::yes);
                wasBehind |= index.behind();
                if (random() % 5000 == 0) index.catchUp();
                at->second.erase(queue.value);
                if (at->second.empty()) model.erase(at);
            } else {
                const auto count = static_cast<std::uint32_t>(random() % 5);
                CPPUNIT_ASSERT(index.setEntry({queue, id, count, {}}) == LiveIndex::Found::yes);
                at->second[queue.value].deliveryCount = count;
            }
        }
        CPPUNIT_ASSERT(wasBehind);
        index.catchUp();
        CPPUNIT_ASSERT(!index.behind());
        std::map<std::uint64_t, std::map<std::uint64_t, ListedEntry>> found;
        std::uint64_t entryCount = 0;
        index.eachMessage(
            [&](StoredId id, const LiveMessage& live, std::span<const ListedEntry> entries) {
                CPPUNIT_ASSERT(live.at == placeOf(id.value));
                for (const auto& e : entries) found[id.value][e.queue.value] = e;
                entryCount += entries.size();
            });
        CPPUNIT_ASSERT(model == found);
        CPPUNIT_ASSERT_EQUAL(entryCount, index.entries());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{model.size()}, index.messages());
    }

    void whatWasDroppedMayComeAgain() {
        LiveIndex index;
        fill(index, 300'000);
        index.dropEntry(QueueId(1), StoredId(7));
        CPPUNIT_ASSERT(index.behind());  // its chunk is packed
        const std::vector<ListedEntry> entries{{QueueId(2)}};
        CPPUNIT_ASSERT(index.addMessage(StoredId(7), entries, {placeOf(7), {}}));
        CPPUNIT_ASSERT(!index.addMessage(StoredId(7), entries, {placeOf(7), {}}));
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{300'000}, index.messages());
        CPPUNIT_ASSERT(index.removeEntry(QueueId(1), StoredId(7)) == LiveIndex::Found::noEntry);
        CPPUNIT_ASSERT(index.removeEntry(QueueId(2), StoredId(7)) == LiveIndex::Found::yes);
    }

    void copiedIndexesLoad() {
        LiveIndex index;
        fill(index, 20'000);
        index.putRow(Table::calls, "a", {4, 5000, 7});
        index.putRow(Table::dedup, std::string("\0b", 2), {5, 6000, 0});
        std::string chunks;
        std::uint64_t from = 0;
        int steps = 1;
        while (index.copyChunks(from, index.lastChunk(), 1000, chunks)) ++steps;
        std::string rows;
        std::string after;
        while (index.copyRows(after, 1, rows)) ++steps;
        CPPUNIT_ASSERT(steps > 10);
        LiveIndex loaded;
        CPPUNIT_ASSERT(loaded.loadChunks(chunks) && loaded.loadRows(rows));
        CPPUNIT_ASSERT_EQUAL(index.messages(), loaded.messages());
        CPPUNIT_ASSERT_EQUAL(index.entries(), loaded.entries());
        CPPUNIT_ASSERT_EQUAL(index.bytes(), loaded.bytes());
        for (std::uint32_t segment = 0; segment < 10; ++segment) {
            CPPUNIT_ASSERT_EQUAL(index.liveBytes(segment), loaded.liveBytes(segment));
        }
        CPPUNIT_ASSERT(loaded.findRow(Table::dedup, std::string_view("\0b", 2)) ==
                       (Location{5, 6000, 0}));
        CPPUNIT_ASSERT(loaded.findMessage(StoredId(15'000))->at == placeOf(15'000));
        CPPUNIT_ASSERT(!loaded.loadChunks(chunks));  // they are there already
        LiveIndex younger;
        younger.dropSegmentsBefore(1);
        CPPUNIT_ASSERT(!younger.loadChunks(chunks));
    }

  private:
    static Location placeOf(std::uint64_t id) {
        return {static_cast<std::uint32_t>(id / 50'000),
                static_cast<std::uint32_t>(4096 + id % 50'000 * 1200),
                static_cast<std::uint32_t>(1000 + id % 3)};
    }

    static void fill(LiveIndex& index, std::uint64_t count) {
        const std::vector<ListedEntry> one{{QueueId(1)}};
        for (std::uint64_t id = 1; id <= count; ++id) {
            CPPUNIT_ASSERT(index.addMessage(StoredId(id), one, {placeOf(id), {}}));
        }
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(ChunkTest);
