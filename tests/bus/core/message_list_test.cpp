// The message list against a plain map that does the same, slowly.
#include "bus/core/message_list.h"

#include <cppunit/extensions/HelperMacros.h>

#include <algorithm>
#include <map>
#include <random>

namespace busbar::test {
namespace {

struct Known {
    StoredId id;
    EntryState state = EntryState::gone;
    std::uint32_t bytes = 0;
    std::uint32_t deliveryCount = 0;
    WallTime expiration{};
    WallTime due{};
    bool stored = false;
    bool inMemory = false;
};

bool waits(EntryState state) {
    return state == EntryState::ready || state == EntryState::delayed ||
           state == EntryState::parked;
}

/// Random work on a MessageList and on its model.
class Differential {
  public:
    explicit Differential(std::uint64_t seed) : random_(seed) {}

    void step() {
        switch (pick(12)) {
            case 0:
            case 1:
            case 2:
                return append();
            case 3:
            case 4:
                return setState();
            case 5:
            case 6:
                return erase();
            case 7:
                return lookForReady();
            case 8:
                return lookById();
            case 9:
                return touch();
            case 10:
                if (pick(20) == 0) expire();
                return;
            default:
                return list_.packCold();
        }
    }

    void checkAll() {
        list_.checkInvariants();
        CPPUNIT_ASSERT_EQUAL(static_cast<std::uint64_t>(model_.size()), list_.size());
        auto expected = inListOrder();
        std::size_t i = 0;
        std::uint64_t sum = 0;
        list_.forEach([&](EntryPlace place, const QueueEntry& entry) {
            CPPUNIT_ASSERT(i < expected.size() && expected[i].first == place);
            check(entry, *expected[i++].second);
            sum += entry.id.value;
        });
        CPPUNIT_ASSERT_EQUAL(expected.size(), i);
        CPPUNIT_ASSERT_EQUAL(sum, list_.idSum());
    }

  private:
    std::uint64_t pick(std::uint64_t n) { return random_() % n; }
    EntryState someState() {
        constexpr EntryState kStates[] = {
            EntryState::ready,   EntryState::ready, EntryState::ready,   EntryState::parked,
            EntryState::delayed, EntryState::held,  EntryState::settling};
        return kStates[pick(std::size(kStates))];
    }
    /// A place that is there. Old ones often, so that packed chunks are opened.
    std::map<EntryPlace, Known>::iterator some() {
        auto at = model_.lower_bound(
            {pick(positions_ + 1), static_cast<std::uint8_t>(pick(MessageList::kPriorities))});
        return at == model_.end() ? model_.begin() : at;
    }

    void append() {
        for (std::uint64_t n = pick(20) == 0 ? pick(400) : 1; n > 0; --n) {
            Known known;
            nextId_ += pick(10) == 0 ? 1 + pick(1'000'000) : 1;
            known.id = StoredId(nextId_);
            known.state = pick(3) == 0 ? someState() : EntryState::ready;
            known.bytes = pick(2) == 0 ? 100 : static_cast<std::uint32_t>(random_());
            if (pick(10) == 0) known.expiration = WallTime(Milliseconds(random_() % 2'000 - 1'000));
            if (pick(10) == 0)
                known.due = WallTime(Milliseconds(static_cast<std::int64_t>(random_())));
            if (pick(10) == 0) known.deliveryCount = static_cast<std::uint32_t>(random_());
            known.stored = pick(4) != 0;
            known.inMemory = pick(50) == 0;
            QueueEntry entry;
            entry.id = known.id;
            entry.state = known.state;
            entry.bytes = known.bytes;
            entry.expiration = known.expiration;
            entry.due = known.due;
            entry.deliveryCount = known.deliveryCount;
            entry.stored = known.stored;
            if (known.inMemory) entry.message = std::make_shared<Message>();
            const auto priority =
                static_cast<std::uint8_t>(pick(3) == 0 ? pick(MessageList::kPriorities) : 4);
            const EntryPlace place = list_.append(priority, std::move(entry));
            CPPUNIT_ASSERT_EQUAL(list_.end(priority), place.position + 1);
            positions_ = std::max(positions_, place.position);
            CPPUNIT_ASSERT(model_.emplace(place, known).second);
            list_.noteExpiration(place);
        }
    }

    void setState() {
        if (model_.empty()) return;
        const auto at = some();
        at->second.state = someState();
        list_.setState(at->first, at->second.state);
        list_.noteExpiration(at->first);
    }

    void erase() {
        for (std::uint64_t n = pick(20) == 0 ? pick(500) : 1; n > 0 && !model_.empty(); --n) {
            const auto at = pick(3) == 0 ? some() : model_.begin();
            const EntryPlace place = at->first;
            list_.erase(place);
            model_.erase(at);
            CPPUNIT_ASSERT(!list_.find(place));
        }
    }

    void lookForReady() {
        std::optional<EntryPlace> first;
        for (const auto& [place, known] : model_) {
            if (known.state != EntryState::ready) continue;
            first = place;
            break;
        }
        CPPUNIT_ASSERT(list_.nextReady() == first);
        const EntryPlace from{pick(positions_ + 2),
                              static_cast<std::uint8_t>(pick(MessageList::kPriorities))};
        std::optional<EntryPlace> ready, any;
        for (auto at = model_.lower_bound(from); at != model_.end(); ++at) {
            if (!any) any = at->first;
            if (at->first.priority != from.priority) break;
            if (at->second.state != EntryState::ready) continue;
            ready = at->first;
            break;
        }
        CPPUNIT_ASSERT(list_.nextReadyFrom(from) == ready);
        CPPUNIT_ASSERT(list_.nextFrom(from) == any);
    }

    void lookById() {
        const StoredId after(pick(nextId_ + 2));
        std::optional<EntryPlace> first, exact;
        StoredId best;
        for (const auto& [place, known] : model_) {
            if (known.id == after) exact = place;
            if (known.id > after && (!first || known.id < best)) {
                first = place;
                best = known.id;
            }
        }
        CPPUNIT_ASSERT(list_.firstAfter(after) == first);
        CPPUNIT_ASSERT(list_.findId(after) == exact);
        if (!model_.empty()) {
            const auto at = some();
            CPPUNIT_ASSERT(list_.findId(at->second.id) == at->first);
        }
    }

    void touch() {
        if (model_.empty()) return;
        const auto at = some();
        QueueEntry& entry = list_.at(at->first);
        check(entry, at->second);
        if (!at->second.inMemory) return;
        entry.message.reset();  // from here on the chunk may be packed
        at->second.inMemory = false;
    }

    /// Each waiting message that is due is told of, for some place of its chunk.
    void expire() {
        now_ += Milliseconds(pick(50));
        std::vector<EntryPlace> told;
        for (const auto& [place, known] : inListOrder()) list_.expired(place, now_, told);
        std::sort(told.begin(), told.end());
        CPPUNIT_ASSERT(std::adjacent_find(told.begin(), told.end()) == told.end());
        std::vector<EntryPlace> due;
        for (const auto& [place, known] : model_) {
            const bool over = known.expiration != WallTime{} && known.expiration <= now_;
            if (over && waits(known.state)) due.push_back(place);
        }
        CPPUNIT_ASSERT(told == due);
        for (const EntryPlace place : told) {
            list_.erase(place);
            model_.erase(place);
        }
    }

    /// forEach goes lane by lane upwards.
    std::vector<std::pair<EntryPlace, const Known*>> inListOrder() const {
        std::vector<std::pair<EntryPlace, const Known*>> out;
        for (const auto& [place, known] : model_) out.emplace_back(place, &known);
        std::stable_sort(out.begin(), out.end(), [](const auto& a, const auto& b) {
            return a.first.priority < b.first.priority;
        });
        return out;
    }

    static void check(const QueueEntry& entry, const Known& known) {
        CPPUNIT_ASSERT(entry.id == known.id && entry.state == known.state &&
                       entry.bytes == known.bytes && entry.expiration == known.expiration &&
                       entry.due == known.due && entry.deliveryCount == known.deliveryCount &&
                       entry.stored == known.stored &&
                       (entry.message != nullptr) == known.inMemory);
    }

    std::mt19937_64 random_;
    MessageList list_;
    std::map<EntryPlace, Known> model_;
    std::uint64_t nextId_ = 0;
    std::uint64_t positions_ = 0;
    WallTime now_{Milliseconds(-1'000)};
};

}  // namespace

class MessageListTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(MessageListTest);
    CPPUNIT_TEST(doesWhatAPlainMapDoes);
    CPPUNIT_TEST_SUITE_END();

  public:
    void doesWhatAPlainMapDoes() {
        for (std::uint64_t seed = 1; seed <= 30; ++seed) {
            Differential work(seed);
            for (int i = 0; i < 3'000; ++i) {
                work.step();
                if (i % 100 == 0) work.checkAll();
            }
        }
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(MessageListTest);

}  // namespace busbar::test
