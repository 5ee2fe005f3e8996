// Seeded runs: random units, the power goes at a random moment, and what comes back must be the
// state after some prefix of the units that holds at least all that was confirmed.
#include "tests/bus/store/journal/journal_support.h"

#include <cppunit/extensions/HelperMacros.h>

#include <array>
#include <cstdlib>
#include <future>
#include <iostream>
#include <random>

using namespace busbar;
using namespace busbar::test;

namespace {

/// Makes units that make sense for the state that it keeps.
class Workload {
  public:
    explicit Workload(std::uint64_t seed) : random_(seed) {}

    UnitOfWork next() {
        UnitOfWork unit;
        const auto kind = random_() % 10;
        unit.durability = kind < 6   ? Durability::fsync
                          : kind < 8 ? Durability::lazy
                                     : Durability::os;
        const auto operations = random_() % 4;
        for (std::uint64_t i = 0; i < operations; ++i) {
            unit.operations.push_back(operation());
            UnitOfWork one;
            one.operations.push_back(unit.operations.back());
            state.apply(one);
        }
        return unit;
    }

    /// Large bodies go to this store from now on.
    void use(Store& another) {
        store_ = &another;
        latest_.reset();
    }

    std::uint64_t pick(std::uint64_t below) { return random_() % below; }

    State state;
    std::map<std::uint64_t, std::string> bodies;  ///< of all messages that there ever were

  private:
    Operation operation() {
        const bool many = state.messages.size() > 40;
        const auto kind = random_() % 10;
        if (kind < (many ? 2u : 5u) || state.messages.empty()) return kind == 9 ? row() : add();
        if (kind < 8) {
            const auto [queue, id] = entry();
            return RemoveEntry{queue, id};
        }
        if (kind == 8) {
            const auto [queue, id] = entry();
            return SetEntry{queue, id, static_cast<std::uint32_t>(1 + pick(9)),
                            WallTime(Milliseconds(pick(2) == 0 ? 0 : pick(1'000'000)))};
        }
        return row();
    }

    Operation add() {
        std::shared_ptr<Message> content;
        if (store_ != nullptr && pick(12) == 0) content = large();
        if (!content) content = std::make_shared<Message>(*textMessage(body()));
        content->priority = static_cast<unsigned char>(pick(3) == 0 ? pick(10) : 4);
        content->persistent = pick(8) != 0;
        if (pick(4) == 0) content->expiration = WallTime(Milliseconds(pick(1ull << 42)));
        if (pick(6) == 0) content->deliverAt = WallTime(Milliseconds(pick(1ull << 42)));
        AddMessage message{StoredId(lastId_ += pick(12) == 0 ? 1 + pick(900) : 1),
                           content,
                           {QueueId(1 + pick(3))}};
        bodies[lastId_] = bodyText(*content);
        if (pick(4) == 0) message.queues.push_back(QueueId(4 + pick(3)));
        return message;
    }

    /// Sometimes with the body of an earlier one.
    std::shared_ptr<Message> large() {
        if (!latest_ || pick(3) != 0) latest_ = largeMessage(*store_, body());
        return latest_ ? std::make_shared<Message>(*latest_) : nullptr;
    }

    Operation row() {
        std::string key = "row" + std::to_string(pick(8));
        if (pick(3) == 0) return EraseRow{Table::dedup, key};
        return PutRow{Table::dedup, key, body()};
    }

    std::string body() {
        const auto size = pick(200) == 0  ? 70'000 + pick(50'000)
                          : pick(20) == 0 ? pick(20'000)
                                          : pick(2'500);
        return std::string(size, static_cast<char>('a' + pick(26))) + std::to_string(random_());
    }

    /// Mostly the oldest, as from a queue; sometimes any.
    std::pair<QueueId, StoredId> entry() {
        auto at = state.messages.begin();
        if (pick(3) == 0) std::advance(at, static_cast<long>(pick(state.messages.size())));
        auto queue = at->second.entries.begin();
        return {QueueId(queue->first), StoredId(at->first)};
    }

    std::mt19937_64 random_;
    std::uint64_t lastId_ = 0;
    Store* store_ = nullptr;
    std::shared_ptr<Message> latest_;
};

std::uint64_t number(const char* variable, std::uint64_t otherwise) {
    const char* text = std::getenv(variable);
    return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

struct Totals {
    std::uint64_t crashes = 0, units = 0, cut = 0, failures = 0, segments = 0;
    std::uint64_t bodies = 0, reads = 0, backups = 0, checkpoints = 0, refused = 0;
};

/// The state after the shortest prefix of at least `atLeast` units that is `found`; nothing where
/// there is none. `prefix` gets its length.
std::optional<State> matchPrefix(const State& base, const std::vector<UnitOfWork>& units,
                                 std::uint64_t atLeast, const State& found, std::uint64_t& prefix) {
    State expected = base;
    for (prefix = 0; prefix < atLeast; ++prefix) expected.apply(units[prefix]);
    while (!(expected == found)) {
        if (prefix == units.size()) return {};
        expected.apply(units[prefix++]);
    }
    return expected;
}

/// Messages of all ages: what is there is as it was sent; what is not has left, or the store
/// failed.
void readSome(Journal& journal, Workload& workload, const std::string& where, bool faulty,
              Totals& totals) {
    std::vector<std::uint64_t> ids;
    for (const auto& [id, stored] : workload.state.messages) {
        if (workload.pick(3) == 0) ids.push_back(id);
    }
    const auto read = journal.reads.read(*journal.store, ids);
    CPPUNIT_ASSERT_EQUAL_MESSAGE(where, ids.size(), read.size());
    for (const auto& [id, stored] : read) {
        if (stored.message) {
            CPPUNIT_ASSERT_MESSAGE(where, workload.bodies[id] == bodyText(*stored.message));
            Error why;
            const auto body = wholeBody(*journal.store, *stored.message, why);
            CPPUNIT_ASSERT_MESSAGE(where + ": " + why.text,
                                   faulty || body.size() == bodySize(*stored.message));
        } else {
            CPPUNIT_ASSERT_MESSAGE(where + ": message " + std::to_string(id) + " is not there",
                                   faulty);
        }
    }
    totals.reads += read.size();
}

/// A backup made now opens, and holds what was done before it and no half of a unit.
void backUp(MemoryFileSystem& disk, Journal& journal, const State& base,
            const std::vector<UnitOfWork>& units, const std::string& where, Totals& totals) {
    const std::string target = "/data/backup" + std::to_string(++totals.backups);
    const auto atLeast = journal.progress.done();
    std::promise<bool> ended;
    journal.store->backup(target, [&](double, const Result<void>* result) {
        if (result != nullptr) ended.set_value(result->ok());
    });
    if (!ended.get_future().get()) return;
    Journal copy(disk, Journal::smallOptions(), target);
    CPPUNIT_ASSERT_MESSAGE(where + ": " + copy.opened.error().text, copy.opened.ok());
    std::uint64_t prefix = 0;
    CPPUNIT_ASSERT_MESSAGE(where + ": the backup is of no prefix",
                           matchPrefix(base, units, atLeast, copy.recovered.state, prefix));
    copy.store->close();
    const auto names = disk.list(target);
    for (const auto& name : *names) (void)disk.remove(target + "/" + name);
}

/// One disk, several lives.
void run(std::uint64_t seed, Totals& totals) {
    MemoryFileSystem disk;
    Workload workload(seed);
    State base;                     // what the last recovery told
    std::vector<UnitOfWork> units;  // given to the store since
    std::uint64_t confirmed = 0;
    const auto lives = 2 + workload.pick(4);
    for (std::uint64_t life = 0; life <= lives; ++life) {
        const std::string where = "seed " + std::to_string(seed) + ", life " + std::to_string(life);
        auto options = Journal::smallOptions();
        options.checkpointBytes = std::array{4ull << 10, 48ull << 10, 1ull << 40}[workload.pick(3)];
        totals.checkpoints += !disk.content("/data/journal/checkpoint").empty();
        Journal journal(disk, options);
        CPPUNIT_ASSERT_MESSAGE(where + ": " + journal.opened.error().text, journal.opened.ok());
        CPPUNIT_ASSERT_MESSAGE(where, journal.recovered.ordered);
        std::uint64_t prefix = 0;
        const auto expected = matchPrefix(base, units, confirmed, journal.recovered.state, prefix);
        CPPUNIT_ASSERT_MESSAGE(where + ": not the state after any prefix of at least " +
                                   std::to_string(confirmed) + " of " +
                                   std::to_string(units.size()),
                               expected.has_value());
        totals.cut += units.size() - prefix;
        // Neither half a body nor one that nobody has.
        CPPUNIT_ASSERT_MESSAGE(where, journal.largeBodies == bodyFiles(disk));
        totals.bodies += journal.largeBodies.size();
        workload.use(*journal.store);
        base = workload.state = *expected;
        units.clear();
        if (life == lives) return;

        const bool failing = workload.pick(4) == 0;
        if (failing && workload.pick(2) == 0) disk.failSync(1 + workload.pick(40));
        if (failing && workload.pick(2) == 0) disk.failWrite(1 + workload.pick(80));
        const bool crowded = !failing && workload.pick(12) == 0;
        if (crowded) disk.setCapacity(disk.bytesUsed() + workload.pick(400 << 10));
        std::map<std::uint64_t, bool> synced;
        const auto batches = 1 + workload.pick(60);
        for (std::uint64_t b = 0; b < batches; ++b) {
            std::vector<UnitOfWork> batch;
            for (auto n = 1 + workload.pick(8); n > 0; --n) batch.push_back(workload.next());
            for (const auto& unit : batch) {
                units.push_back(withoutPins(unit));
                synced[units.size()] = unit.durability == Durability::fsync;
            }
            const auto last = journal.append(std::move(batch));
            if (workload.pick(3) == 0) journal.progress.waitFor(last);
            if (workload.pick(6) == 0) {
                readSome(journal, workload, where, failing || crowded, totals);
            }
            if (!failing && !crowded && workload.pick(100) == 0) {
                backUp(disk, journal, base, units, where, totals);
            }
        }
        if (crowded || workload.pick(2) == 0) journal.progress.waitFor(units.size());
        for (const auto& [sequence, error] : journal.progress.refused()) {
            units[sequence - 1] = {};
            totals.refused += 1;
        }
        if (workload.pick(8) == 0) journal.store->close();
        const std::uint64_t done = journal.progress.done();
        confirmed = 0;
        for (std::uint64_t i = 1; i <= done; ++i) {
            if (synced[i]) confirmed = i;
        }
        totals.failures += journal.progress.failed() ? 1 : 0;
        if (workload.pick(6) == 0) {
            if (!journal.progress.failed()) confirmed = done;  // a kill keeps what was written
            disk.kill();
        } else {
            disk.crash(workload.pick(~0ull));
        }
        disk.failSync(0);
        disk.failWrite(0);
        disk.setCapacity(~0ull);
        if (workload.pick(8) == 0) {
            const auto size = disk.content("/data/journal/checkpoint").size();
            disk.flipBit("/data/journal/checkpoint", workload.pick(size + 1),
                         static_cast<unsigned>(workload.pick(8)));
        }
        totals.crashes += 1;
        totals.units += units.size();
        totals.segments += disk.list("/data/journal").value().size();
    }
}

}  // namespace

class CrashTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(CrashTest);
    CPPUNIT_TEST(keepsWhatWasConfirmedOverThousandsOfCrashes);
    CPPUNIT_TEST_SUITE_END();

  public:
    void keepsWhatWasConfirmedOverThousandsOfCrashes() {
        const std::uint64_t first = number("BUSBAR_JOURNAL_SEED", 1);
        const std::uint64_t wanted = number("BUSBAR_JOURNAL_CRASHES", 2000);
        Totals totals;
        std::uint64_t seed = first;
        for (; totals.crashes < wanted; ++seed) run(seed, totals);
        std::cout << " seeds " << first << " to " << seed - 1 << ": " << totals.crashes
                  << " crashes, " << totals.units << " units, " << totals.cut
                  << " unconfirmed ones lost, " << totals.failures << " injected failures, "
                  << totals.refused << " refused, " << totals.checkpoints
                  << " starts with a checkpoint, " << totals.bodies << " large bodies kept, "
                  << totals.reads << " messages read, " << totals.backups << " backups ";
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(CrashTest);
