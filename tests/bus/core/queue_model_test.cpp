// Does the broker do with one queue what a small, obviously right model of a queue does? Random
// commands go to both; after each the deliveries, the answers and what a browse shows are the same.
//
// Lives with little memory, where the queue is on disk most of the time, have consumers of
// everything alone: which of several selectors finds its message first depends on the disk then,
// and a fetch may get less than there is. Steps: BUSBAR_SIM_STEPS (default 200 000), seed:
// BUSBAR_SIM_SEED (default: from the time; printed).
#include "tests/bus/core/queue_model.h"

#include "tests/bus/core/broker_harness.h"

#include <cppunit/extensions/HelperMacros.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <random>

namespace busbar::test {
namespace {

using namespace std::chrono_literals;
using Number = QueueModel::Number;

constexpr std::uint64_t kStepsEach = 2'000;
constexpr std::size_t kDepth = 60;

/// What the n-th kind of selector says, and what it means.
struct Choice {
    std::string text;
    QueueModel::Selects selects;
};
Choice choice(std::uint64_t n) {
    if (n == 0) return {"", [](Number) { return true; }};
    if (n == 1) return {"third = 0", [](Number i) { return i % 3 == 0; }};
    if (n == 2) return {"third = 1", [](Number i) { return i % 3 == 1; }};
    return {"fifth > 2", [](Number i) { return i % 5 > 2; }};
}

class Comparison {
  public:
    Comparison(std::uint64_t seed, std::uint64_t steps)
        : random_(seed), steps_(steps), paged_(pick(2) == 0), bus_(options()) {
        bus_.checkAlways = false;
        start_ = bus_.now;
        model_.messagesMax = pick(2) == 0 ? 0 : paged_ ? 50 : 20;
        if (pick(2) == 0) model_.redeliveryDelays = {30, 70};
        begin();
    }

    void run() {
        for (std::uint64_t step = 0; step < steps_; ++step) {
            act();
            compare();
            if (pick(30) == 0) browse();
            if (pick(500) == 0) bus_.broker->checkInvariants();
        }
    }

  private:
    std::uint64_t pick(std::uint64_t n) { return random_() % n; }
    BrokerOptions options() {
        BrokerOptions out;
        if (!paged_) return out;
        // Twice as much must hold all that somebody has in hands, and what a move brings meanwhile.
        out.memoryMax = kDepth * 800;
        out.readAheadBytes = 1'000 + pick(4'000);
        return out;
    }
    void begin() {
        session_ = bus_.open();
        QueueOptions options;
        options.deliveriesMax = QueueModel::kDeliveriesMax;
        options.messagesMax = model_.messagesMax;
        for (const auto delay : model_.redeliveryDelays)
            options.redeliveryDelays.emplace_back(Milliseconds(delay));
        bus_.run(DefineQueue{session_, {}, "q", options});
        bus_.effects.clear();
        held_.clear();
    }

    void act() {
        switch (pick(16)) {
            case 0:
            case 1:
            case 2:
            case 3:
                return send();
            case 4:
                return attach();
            case 5:
                if (pick(3) == 0) detach();
                return;
            case 6:
            case 7:
                return addCredit();
            case 8:
            case 9:
            case 10:
            case 11:
                return settle();
            case 12:
            case 13:
                return fetch();
            case 14:
                if (pick(6) == 0) remove();
                return;
            default:
                if (paged_ && pick(40) == 0) return restart();  // all is on disk then
                return pass();
        }
    }

    // ---- verbs: the same to both ----

    void send() {
        std::vector<QueueModel::Message> together;
        std::vector<Command> commands;
        const std::uint64_t count = 1 + pick(4);
        for (std::uint64_t i = 0; i < count && model_.messages().size() + i < kDepth; ++i) {
            QueueModel::Message m;
            m.number = ++made_;
            if (pick(3) == 0) m.priority = static_cast<int>(pick(10));
            m.persistent = pick(3) != 0;
            if (pick(6) == 0) m.expires = model_.now() + 1 + static_cast<std::int64_t>(pick(200));
            if (pick(6) == 0) m.deliverAt = model_.now() + 1 + static_cast<std::int64_t>(pick(100));
            auto message = bus_.text("q", std::to_string(m.number), m.persistent);
            message->priority = static_cast<unsigned char>(m.priority);
            message->properties.set("third", static_cast<std::int32_t>(m.number % 3));
            message->properties.set("fifth", static_cast<std::int32_t>(m.number % 5));
            if (m.expires != QueueModel::kNever) message->expiration = wall(m.expires);
            if (m.deliverAt > 0) message->deliverAt = wall(m.deliverAt);
            together.push_back(m);
            commands.emplace_back(Send{session_, RequestId(m.number), std::move(message)});
        }
        bus_.broker->apply(commands, bus_.now, bus_.step());
        bus_.carryOut();
        bus_.sync();
        const auto taken = model_.send(together);
        std::map<std::uint64_t, std::string> refusals;
        while (const auto c = bus_.take<Completed>())
            refusals[c->request.value] = c->error ? c->error->text : "";
        for (std::size_t i = 0; i < together.size(); ++i) {
            const std::string& refusal = refusals.at(together[i].number);
            CPPUNIT_ASSERT_MESSAGE("taken: " + refusal, taken[i] == refusal.empty());
        }
    }

    void attach() {
        if (model_.consumers().size() >= 4) return;
        const Choice chosen = choice(paged_ ? 0 : pick(4));
        QueueModel::Consumer consumer;
        consumer.id = ++made_;
        consumer.priority = static_cast<int>(pick(2));
        consumer.credit = pick(4);
        consumer.windowed = pick(2) == 0;
        consumer.selects = chosen.selects;
        Subscribe command = bus_.subscription(session_, consumer.id, Destination::queue("q"),
                                              static_cast<std::uint32_t>(consumer.credit));
        command.priority = consumer.priority;
        command.windowed = consumer.windowed;
        command.selector = chosen.text;
        bus_.run(std::move(command));
        model_.attach(std::move(consumer));
    }
    std::optional<std::uint64_t> anyConsumer() {
        if (model_.consumers().empty()) return std::nullopt;
        return model_.consumers()[pick(model_.consumers().size())].id;
    }
    void detach() {
        const auto id = anyConsumer();
        if (!id) return;
        bus_.run(Unsubscribe{session_, {}, ConsumerId(*id)});
        model_.detach(*id);
    }
    void addCredit() {
        const auto id = anyConsumer();
        if (!id) return;
        const auto credit = static_cast<std::int32_t>(pick(6)) - 2;
        bus_.run(AddCredit{session_, ConsumerId(*id), credit});
        model_.addCredit(*id, credit);
    }

    void settle() {
        std::vector<Number> held;
        for (const auto& m : model_.messages()) {
            if (m.state == QueueModel::State::held) held.push_back(m.number);
        }
        if (held.empty()) return;
        const Number number = held[pick(held.size())];
        static constexpr std::pair<QueueModel::End, Outcome> kEnds[] = {
            {QueueModel::End::accepted, Outcome::accepted},
            {QueueModel::End::released, Outcome::released},
            {QueueModel::End::failed, Outcome::failed},
            {QueueModel::End::rejected, Outcome::rejected},
            {QueueModel::End::expired, Outcome::expired}};
        const auto& [end, outcome] = kEnds[pick(std::size(kEnds))];
        Settle command = bus_.settle(session_, held_.at(number), outcome, 1);
        const auto delay = static_cast<std::int64_t>(pick(3) == 0 ? pick(100) : 0);
        command.delay = Milliseconds(delay);
        bus_.run(std::move(command));
        CPPUNIT_ASSERT_MESSAGE("it is held", !bus_.take<Completed>()->error);
        model_.settle(number, end, delay);
    }

    void fetch() {
        const Choice chosen = choice(pick(4));
        const auto max = static_cast<std::uint32_t>(1 + pick(5));
        const auto lease = static_cast<std::int64_t>(1 + pick(300));
        Receive command{session_, RequestId(1), "q", max, 0ms, Milliseconds(lease)};
        command.selector = chosen.text;
        bus_.run(std::move(command));
        auto expected = model_.fetchable(chosen.selects, max);
        const auto received = bus_.take<Received>();
        CPPUNIT_ASSERT_MESSAGE("a fetch is answered", received && !received->error);
        const std::size_t got = received->deliveries.size();
        if (paged_ && got > 0 && got < expected.size()) expected.resize(got);
        model_.fetch(expected, lease);
        CPPUNIT_ASSERT_EQUAL_MESSAGE("fetched by " + chosen.text, expected.size(), got);
        for (std::size_t i = 0; i < got; ++i) {
            const Delivery& d = received->deliveries[i];
            CPPUNIT_ASSERT_EQUAL_MESSAGE("fetched by " + chosen.text, expected[i],
                                         numberOf(*d.message));
            CPPUNIT_ASSERT_EQUAL_MESSAGE("the count", messageOf(expected[i]).count, d.count);
            held_[expected[i]] = d.id;
        }
    }

    void remove() {
        const Choice chosen = choice(pick(4));
        Selection selection;
        selection.selector = chosen.text;
        selection.max = static_cast<std::uint32_t>(pick(6));
        if (pick(2) == 0)
            bus_.run(Purge{session_, RequestId(1), "q", selection});
        else
            bus_.run(MoveMessages{session_, RequestId(1), "q", "other", selection});
        const std::uint64_t expected = model_.remove(chosen.selects, selection.max);
        const auto answer = *bus_.take<Completed>();
        CPPUNIT_ASSERT_MESSAGE(answer.error ? answer.error->text : "", !answer.error);
        CPPUNIT_ASSERT_EQUAL_MESSAGE("taken away", expected, answer.count);
        bus_.run(Purge{session_, {}, "other"});
    }

    void pass() {
        const auto time = static_cast<std::int64_t>(1 + pick(60));
        bus_.wait(Milliseconds(time));
        model_.pass(time);
    }

    void restart() {
        bus_.restart();
        begin();
        model_.restart();
    }

    // ---- comparing ----

    WallTime wall(std::int64_t time) const { return start_.wall + Milliseconds(time); }
    static Number numberOf(const Message& message) {
        return std::stoull(std::string(message.body.view()));
    }
    const QueueModel::Message& messageOf(Number number) const {
        const auto& all = model_.messages();
        const auto at =
            std::find_if(all.begin(), all.end(), [&](const auto& m) { return m.number == number; });
        CPPUNIT_ASSERT_MESSAGE("no such message", at != all.end());
        return *at;
    }

    void compare() {
        std::size_t i = 0;
        for (; const auto d = bus_.take<Delivered>(); ++i) {
            const QueueModel::Given is{d->consumer.value, numberOf(*d->delivery.message),
                                       d->delivery.count};
            CPPUNIT_ASSERT_MESSAGE("delivered, not by the model: " + std::to_string(is.number),
                                   i < model_.given.size());
            const QueueModel::Given& due = model_.given[i];
            CPPUNIT_ASSERT_MESSAGE(text(due) + " is due, not " + text(is), due == is);
            held_[is.number] = d->delivery.id;
        }
        CPPUNIT_ASSERT_EQUAL_MESSAGE("deliveries", model_.given.size(), i);
        model_.given.clear();
        bus_.effects.clear();
    }
    static std::string text(const QueueModel::Given& given) {
        return std::to_string(given.number) + " (delivery " + std::to_string(given.count) +
               ") to " + std::to_string(given.consumer);
    }

    void browse() {
        const Choice chosen = choice(pick(4));
        Browse command{session_, RequestId(1), "q", {}, 1'000};
        command.selector = chosen.text;
        bus_.run(std::move(command));
        const auto browsed = *bus_.take<Browsed>();
        std::size_t i = 0;
        for (const auto& m : model_.messages()) {
            if (!chosen.selects(m.number)) continue;
            CPPUNIT_ASSERT_MESSAGE("not shown", i < browsed.entries.size());
            const auto& entry = browsed.entries[i++];
            CPPUNIT_ASSERT_EQUAL(m.number, numberOf(*entry.message));
            CPPUNIT_ASSERT_EQUAL(m.count, entry.deliveryCount);
            CPPUNIT_ASSERT_EQUAL(m.state == QueueModel::State::held, entry.held);
        }
        CPPUNIT_ASSERT_EQUAL_MESSAGE("shown", i, browsed.entries.size());
    }

    std::mt19937_64 random_;
    std::uint64_t steps_;
    bool paged_;
    BrokerHarness bus_;
    QueueModel model_;
    Now start_;
    SessionId session_;
    std::map<Number, DeliveryId> held_;
    std::uint64_t made_ = 0;
};

std::uint64_t setting(const char* name, std::uint64_t fallback) {
    const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): one thread
    return value ? std::strtoull(value, nullptr, 10) : fallback;
}

}  // namespace

class QueueModelTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(QueueModelTest);
    CPPUNIT_TEST(doesWhatAPlainListDoes);
    CPPUNIT_TEST_SUITE_END();

  public:
    void doesWhatAPlainListDoes() {
        const std::uint64_t seed = setting("BUSBAR_SIM_SEED", std::random_device{}());
        const std::uint64_t steps = setting("BUSBAR_SIM_STEPS", 200'000);
        std::printf("seed: BUSBAR_SIM_SEED=%llu\n", static_cast<unsigned long long>(seed));
        std::fflush(stdout);
        for (std::uint64_t life = 0; life * kStepsEach < steps; ++life) {
            try {
                Comparison(seed + life, kStepsEach).run();
            } catch (...) {
                std::printf("in the life of BUSBAR_SIM_SEED=%llu\n",
                            static_cast<unsigned long long>(seed) + life);
                throw;
            }
        }
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(QueueModelTest);

}  // namespace busbar::test
