// Each point where a message can be lost or doubled, with a crash there (issue S03).
//
// A scenario sends, confirms, hands out, settles, moves ... The table runs it again and again, and
// each time the power fails at another point: after each of its steps, and for each of them with
// every possible number of its units of work on the disk. Then what the producer knows to be
// confirmed, what the consumer knows to be acknowledged, and what the bus gives out after the
// restart are reconciled.
#include "bus/core/broker.h"
#include "tests/bus/core/sim_store.h"

#include <cppunit/extensions/HelperMacros.h>

#include <functional>
#include <map>
#include <set>

namespace busbar::test {
namespace {

using namespace std::chrono_literals;
using std::string;

/// The power fails here.
struct PowerLoss {};

/// A bus that fails at the n-th point.
class Bus {
  public:
    explicit Bus(int failAt) : failAt_(failAt) { start(); }

    /// Each step is a point; each unit of work that reaches the disk is one more.
    void apply(Command command) {
        point();
        broker_->apply(std::span(&command, 1), now, step_);
        carryOut();
        bool busy = true;
        while (busy) {
            busy = false;
            while (!store.idle()) {
                point();
                const StoreProgress progress = store.sync(1);
                point();  // on the disk, and nobody knows
                broker_->progress(progress, now, step_);
                carryOut();
            }
            if (store.reading() > 0) {
                point();
                broker_->loaded(store.answer(store.reading()), now, step_);
                carryOut();
                busy = true;
            }
            const auto next = broker_->nextTick(now);
            if (next && *next <= now.steady) {
                broker_->tick(now, step_);
                carryOut();
                busy = true;
            }
            busy |= !store.idle();
        }
        point();
    }
    void wait(Milliseconds time) {
        now.wall += time;
        now.steady += time;
        broker_->tick(now, step_);
        carryOut();
        apply(OpenSession{SessionId(999), {}, "nobody", {}, "test", {}, false, {"admin"}});
    }

    void send(const string& queue, const string& tag, bool persistent = true) {
        auto m = message(queue, tag, persistent);
        sent.insert(tag);
        apply(Send{session, ask([this, tag, persistent](bool ok) {
                       if (ok && persistent) confirmed.insert(tag);
                   }),
                   std::move(m)});
    }
    static std::shared_ptr<Message> message(const string& queue, const string& tag,
                                            bool persistent = true) {
        auto m = std::make_shared<Message>();
        m->destination = Destination::queue(queue);
        m->correlationId = tag;
        m->persistent = persistent;
        m->body = Buffer::of("body of " + tag);
        return m;
    }
    RequestId ask(std::function<void(bool)> answered) {
        asks_[RequestId(++nextRequest_)] = std::move(answered);
        return RequestId(nextRequest_);
    }
    void subscribe(const string& queue, AckMode mode = AckMode::explicitly) {
        Subscribe c;
        c.session = session;
        c.consumer = ConsumerId(++nextConsumer_);
        c.source = Destination::queue(queue);
        c.credit = 10;
        c.ackMode = mode;
        apply(std::move(c));
    }
    void settle(const string& tag, Outcome outcome, Milliseconds delay = 0ms) {
        Settle c;
        c.session = session;
        c.deliveries = {held.at(tag)};
        c.outcome = outcome;
        c.delay = delay;
        held.erase(tag);
        if (outcome == Outcome::accepted) {
            asked.insert(tag);
            c.request = ask([this, tag](bool ok) {
                if (ok) accepted.insert(tag);
            });
        }
        apply(std::move(c));
    }

    /// After the crash: a new bus over what the disk has; gives back how often each message is
    /// there, wherever it is.
    std::map<string, int> recover() {
        store.forgetWaiting();
        start();
        now.wall += 1000h;
        armed_ = false;
        std::map<string, int> found;
        for (int round = 0; round < 3; ++round) {
            wait(1s);
            for (const auto& queue : broker_->picture(now).queues) {
                if (queue.consumers == 0) subscribe(queue.name);
            }
        }
        for (const auto& [tag, times] : taken_) found[tag] = times;
        broker_->checkInvariants();
        return found;
    }

    int points() const { return points_; }

    SessionId session{1};
    Now now{WallTime(1'000'000s), SteadyTime(1000s)};
    SimStore store;
    BrokerOptions options;
    std::set<string> sent, confirmed, asked, accepted, once;
    std::set<std::set<string>> together;  ///< all or none of these
    std::map<string, DeliveryId> held;
    std::vector<Replied> replies;
    bool losable = false;  ///< what is given at most once may be lost by the crash

  private:
    void point() {
        if (armed_ && ++points_ == failAt_) throw PowerLoss{};
    }

    void start() {
        options.memoryMax = 4'000;  // some of it is on the disk alone
        options.readAheadBytes = 1'000;
        options.dedupWindow = 10'000h;
        broker_ = std::make_unique<Broker>(options);
        store.content().tell(broker_->recovery());
        taken_.clear();
        step_.clear();
        broker_->start(now, step_);
        carryOut();
        Command open = OpenSession{session, {}, "user", {}, "test", {}, false, {"admin"}};
        broker_->apply(std::span(&open, 1), now, step_);
        carryOut();
    }

    void carryOut() {
        store.append(std::exchange(step_.units, {}));
        store.read(std::exchange(step_.reads, {}));
        for (Effect& effect : std::exchange(step_.effects, {})) {
            if (auto* d = std::get_if<Delivered>(&effect)) {
                const string& tag = d->delivery.message->correlationId;
                if (d->delivery.id)
                    held[tag] = d->delivery.id;
                else
                    once.insert(tag);
                ++taken_[tag];
            } else if (auto* c = std::get_if<Completed>(&effect)) {
                const auto known = asks_.find(c->request);
                if (known != asks_.end()) known->second(!c->error);
            } else if (auto* r = std::get_if<Replied>(&effect)) {
                replies.push_back(*r);
            }
        }
    }

    int failAt_;
    int points_ = 0;
    bool armed_ = true;
    std::unique_ptr<Broker> broker_;
    Step step_;
    std::map<RequestId, std::function<void(bool)>> asks_;
    std::map<string, int> taken_;
    std::uint64_t nextRequest_ = 0, nextConsumer_ = 0;
};

struct Scenario {
    const char* name;
    std::function<void(Bus&)> run;
};

void sendTwo(Bus& bus) {
    bus.send("q", "a");
    bus.send("q", "b");
    bus.subscribe("q");
}

void commit(Bus& bus, const string& accepts, std::vector<string> sends) {
    CommitTransaction c;
    c.session = bus.session;
    if (!accepts.empty()) c.accepts = {bus.held.at(accepts)};
    std::set<string> parts(sends.begin(), sends.end());
    for (const auto& tag : sends) {
        bus.sent.insert(tag);
        c.sends.push_back(Bus::message("out", tag));
    }
    bus.together.insert(parts);
    if (!accepts.empty()) bus.asked.insert(accepts);
    c.request = bus.ask([&bus, accepts, parts](bool ok) {
        if (!ok) return;
        bus.confirmed.insert(parts.begin(), parts.end());
        if (!accepts.empty()) bus.accepted.insert(accepts);
    });
    bus.apply(std::move(c));
}

const std::vector<Scenario> kScenarios = {
    {"send, hand out, acknowledge",
     [](Bus& bus) {
         sendTwo(bus);
         bus.settle("a", Outcome::accepted);
         bus.settle("b", Outcome::accepted);
     }},
    {"at most once",
     [](Bus& bus) {
         bus.send("q", "a");
         bus.subscribe("q", AckMode::none);
         bus.send("q", "b");
     }},
    {"a commit",
     [](Bus& bus) {
         sendTwo(bus);
         commit(bus, "a", {"c", "d"});
         commit(bus, "", {"e", "f"});
     }},
    {"dead-lettering",
     [](Bus& bus) {
         sendTwo(bus);
         bus.settle("a", Outcome::rejected);
         bus.settle("b", Outcome::failed, 100ms);
         bus.wait(1s);
     }},
    {"moving and putting back",
     [](Bus& bus) {
         sendTwo(bus);
         bus.settle("a", Outcome::rejected);
         bus.settle("b", Outcome::released);
         bus.apply(MoveMessages{bus.session, {}, "DLQ.q", ""});
         bus.apply(Unsubscribe{bus.session, {}, ConsumerId(1)});
         bus.apply(MoveMessages{bus.session, {}, "q", "r"});
     }},
    {"expiry",
     [](Bus& bus) {
         auto m = Bus::message("q", "a");
         m->expiration = bus.now.wall + 10s;
         bus.sent.insert("a");
         bus.apply(Send{bus.session, bus.ask([&bus](bool ok) {
                            if (ok) bus.confirmed.insert("a");
                        }),
                        m});
         bus.wait(20s);
     }},
    {"paging and spilling",
     [](Bus& bus) {
         for (int i = 0; i < 12; ++i) bus.send("q", "m" + std::to_string(i), i % 3 != 0);
         bus.subscribe("q");
         for (int i = 0; i < 12; ++i) {
             const string tag = "m" + std::to_string(i);
             if (bus.held.contains(tag)) bus.settle(tag, Outcome::accepted);
         }
     }},
    {"a repeated send",
     [](Bus& bus) {
         for (int i = 0; i < 3; ++i) {
             Send c{bus.session, bus.ask([&bus](bool ok) {
                        if (ok) bus.confirmed.insert("a");
                    }),
                    Bus::message("q", "a")};
             c.producer = "p";
             c.sequence = 7;
             bus.sent.insert("a");
             bus.apply(std::move(c));
         }
     }},
    {"the reply of a call",
     [](Bus& bus) {
         bus.apply(DefineService{bus.session, {}, "svc"});
         bus.subscribe("svc.request");
         auto question = Bus::message("", "mine");
         question->dedupId = "key";
         bus.apply(Call{bus.session, RequestId(5000), "svc", question, 1h});
         if (bus.held.empty()) return;
         CommitTransaction c;
         c.session = bus.session;
         c.accepts = {bus.held.begin()->second};
         auto reply = Bus::message("svc.reply", bus.held.begin()->first);
         c.sends = {reply};
         bus.apply(std::move(c));
     }},
};

void reconcile(Bus& bus) {
    const auto answered = !bus.replies.empty();
    const auto confirmed = bus.confirmed, asked = bus.asked, accepted = bus.accepted,
               once = bus.once, sent = bus.sent;
    const auto found = bus.recover();
    const auto times = [&](const string& tag) {
        const auto at = found.find(tag);
        return at == found.end() ? 0 : at->second;
    };
    for (const auto& tag : sent) CPPUNIT_ASSERT_MESSAGE("doubled: " + tag, times(tag) <= 1);
    for (const auto& tag : accepted)
        CPPUNIT_ASSERT_MESSAGE("acknowledged and back: " + tag, times(tag) == 0);
    for (const auto& tag : once)
        CPPUNIT_ASSERT_MESSAGE("at most once, and again: " + tag, times(tag) == 0);
    for (const auto& parts : bus.together) {
        int there = 0;
        for (const auto& tag : parts) there += times(tag);
        CPPUNIT_ASSERT_MESSAGE("half of a commit",
                               there == 0 || there == static_cast<int>(parts.size()));
    }
    for (const auto& tag : confirmed) {
        if (asked.contains(tag) || bus.losable) continue;
        CPPUNIT_ASSERT_MESSAGE("confirmed and lost: " + tag, times(tag) == 1);
    }
    if (!answered) return;
    bus.replies.clear();
    auto again = Bus::message("", "mine");
    again->dedupId = "key";
    bus.apply(Call{bus.session, RequestId(6000), "svc", again, 1h});
    CPPUNIT_ASSERT_MESSAGE(
        "a reply that was seen is collected again",
        bus.replies.size() == 1 && bus.replies[0].repeated && !bus.replies[0].error);
}

}  // namespace

class LossPointsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(LossPointsTest);
    CPPUNIT_TEST(nothingIsLostOrDoubledWhereverThePowerFails);
    CPPUNIT_TEST_SUITE_END();

  public:
    void nothingIsLostOrDoubledWhereverThePowerFails() {
        int crashes = 0;
        for (const Scenario& scenario : kScenarios) {
            for (int failAt = 1;; ++failAt) {
                Bus bus(failAt);
                bus.losable = string(scenario.name) == "at most once";
                bool failed = false;
                try {
                    scenario.run(bus);
                } catch (const PowerLoss&) {
                    failed = true;
                    ++crashes;
                }
                try {
                    reconcile(bus);
                } catch (const CppUnit::Exception& e) {
                    CPPUNIT_FAIL(string(scenario.name) + ", point " + std::to_string(failAt) +
                                 ": " + e.what());
                }
                if (!failed) break;
            }
        }
        CPPUNIT_ASSERT(crashes > 200);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(LossPointsTest);

}  // namespace busbar::test
