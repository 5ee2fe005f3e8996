// The whole core under random work, with a clock, a disk and crashes that a seed decides.
//
// A ledger beside it knows, for each message ever sent, what was confirmed. The promises
// (docs/architecture.md):
//   - what was confirmed as sent is found again, exactly once, until its acknowledgement was asked
//   for;
//   - what was confirmed as acknowledged never comes back;
//   - a transaction happens wholly or not at all;
//   - a prepared branch survives everything until it is decided, nobody sees or gets any of it
//   before, and it is decided once;
//   - nobody holds a message that another one holds; first deliveries keep the order of arrival;
//   - a group's messages come in order, also after one of them was returned, and never to two
//   holders at a time;
//   - a consumer gets what it selects and nothing else; of an exclusive one the token rises;
//   - what was given at most once never comes again, also over a crash; each subscription of a
//   topic has its own ledger;
//   - a full queue drops, blocks or refuses only its own;
//   - after all of this everything confirmed and not acknowledged can be consumed, exactly once,
//   and then the store is empty;
//   - what a consumer holds under a lease ends in time, and what it says of it later is refused;
//   - a consumer gets no more than its credit; a drain is answered once, with what lapsed;
//   - a temporary destination is its session's alone, and nothing of it comes when it is gone;
//   - a recurring schedule sends each of its copies once, is there until it is over or cancelled,
//   and never comes back;
//   - what is said of the sends over a link that is resumed is what was stored, each of them once,
//   and no more of them is remembered than the client wants to know;
//   - each command that wants an answer gets one; a collectable call gives one reply, however often
//   it is asked.
#pragma once

#include "bus/core/broker.h"
#include "tests/bus/core/sim_store.h"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace busbar::test {

using namespace std::chrono_literals;

inline constexpr int kQueues = 5;
inline constexpr int kSessions = 6;
inline constexpr ConsumerId kWorker{1ull << 40};
inline constexpr std::uint32_t kDeliveriesMax = 6;
/// Beside q0 to q4: of q2 and q3 the messages are in groups, q4 is purged.
inline const std::vector<std::string> kSpecial = {"once", "drop", "block", "reject", "spill"};
inline const std::vector<std::string> kSelectors = {"color = 'red'", "color <> 'red'",
                                                    "color IN ('red', 'blue')", "weight > 5",
                                                    "color LIKE 'b%' AND weight < 8"};
inline const std::vector<std::string> kSubscriptions = {"me.all", "me.red", ".team"};

inline const char* colorOf(std::uint64_t number) {
    return number % 3 == 0 ? "red" : number % 3 == 1 ? "blue" : "green";
}

/// Which of kSelectors select the message of this number: written down here, not computed by what
/// is tested.
inline bool selects(std::size_t selector, std::uint64_t number) {
    const std::string color = colorOf(number);
    const std::uint64_t weight = number % 11;
    switch (selector) {
        case 0:
            return color == "red";
        case 1:
            return color != "red";
        case 2:
            return color != "green";
        case 3:
            return weight > 5;
        default:
            return color == "blue" && weight < 8;
    }
}

enum class Fate { sent, confirmed, acceptAsked, accepted, unknown, refused, inBranch };

struct Sent {
    Fate fate = Fate::sent;
    bool persistent = true;
    bool ordered = true;  ///< no delay, no priority, never returned: must come in order of arrival
    bool returned = false;
    bool losable = false;  ///< it is purged, evicted, or given at most once on its queue
    bool grouped = false;
    int answersDue = 1;  ///< how often it was sent: one may be refused and the next one taken
};

struct Transaction {
    std::vector<std::string> sends, accepts;
    enum class State { asked, committed, aborted, unknown } state = State::asked;
};

/// Of a distributed transaction.
struct Branch {
    std::vector<std::string> sends, accepts;
    enum class State { preparing, prepared, deciding } state = State::preparing;
    bool commit = false;  ///< deciding
    SessionId holder;     ///< whose deliveries it acknowledges; 0 after a crash
    std::vector<DeliveryId> deliveries;
};

struct Attached {
    std::string source;  ///< queue, or name of the subscription
    int selector = -1;
    bool exclusive = false;
    bool counted = true;  ///< false: of a subscription that is not durable
    /// What it may still get, where settling gives no credit back; nothing: not followed.
    std::optional<std::uint64_t> credit{};
};

/// A temporary destination: what was sent to it comes once, in order, to its session alone.
struct Temporary {
    SessionId owner;
    Destination destination;
    bool made = false;
    std::uint64_t consumer = 0;
    std::uint64_t last = 0;  ///< number of the last first delivery
};

struct Held {
    std::string tag;
    std::uint64_t consumer = 0;  ///< 0: under a lease
    std::uint32_t count = 0;
    std::string group;  ///< queue and group; empty: none
    std::uint64_t holder = 0;
};

/// Sends over a link that it resumes whenever its connection was lost. The messages are told apart
/// by marks.
struct Producer {
    std::size_t name = 0;
    SessionId session;  ///< 0: no connection
    bool resumed = false;
    RequestId resume;
    std::map<std::string, std::string> open;      ///< by tag: the mark, of sends without an answer
    std::map<std::string, std::string> answered;  ///< taken, and not forgotten
    std::vector<std::string> again;               ///< marks that were not taken

    std::string link() const { return "l" + std::to_string(name); }
};

struct Client {
    SessionId session;
    std::map<DeliveryId, Held> held;
    std::map<std::uint64_t, Attached> consumers;
    std::uint64_t sequence = 0;
};

/// What is known of one group on one queue.
struct GroupOf {
    std::uint64_t holder = 0;
    std::uint32_t out = 0;
    std::set<std::uint64_t> returned;  ///< numbers that came back and must be next
};

class Simulation {
  public:
    Simulation(std::uint64_t seed, std::uint64_t steps) : random_(seed), steps_(steps) {
        for (std::size_t i = 0; i < producers_.size(); ++i) producers_[i].name = i;
        restart();
    }
    void run();
    /// What happened, as one line: the same for the same seed.
    std::string summary() const;

  private:
    std::uint64_t pick(std::uint64_t n) { return random_() % n; }
    std::string queueName();
    static bool grouped(const std::string& queue) { return queue == "q2" || queue == "q3"; }
    static bool losable(const std::string& queue) {
        return queue == "q4" || queue == "once" || queue == "drop" || queue == "block";
    }

    // Time, the disk, crashes (simulation_driving.cpp).
    void submit(Command command) { batch_.push_back(std::move(command)); }
    void flush();
    void carryOut();
    void restart();
    void define(const std::string& queue, WhenFull whenFull, std::uint64_t max);
    void attachSubscription(Client& client, const std::string& name);
    void settleDown();
    void finishAll();
    void giveBackAll(Client& client);
    void openClient();
    void subscribeWorker();
    void crash();

    // What is known of each message (simulation_ledger.cpp).
    std::vector<std::string> keysOf(const StoreContent::Stored& stored) const;
    void afterCrash();
    void drain();
    void sendAnswered(const std::string& tag, const Completed& c);
    void forget(Client& client, std::uint64_t consumer);
    void letGo(const Held& held);
    void cameBack(const Held& held);
    void take(Client& client, const Delivery& delivery, ConsumerId consumer, std::uint64_t holder);
    void checkOrder(const std::string& tag, const Message& message, int selector,
                    const std::string& consumer);
    void checkGroup(const Held& held, const std::string& tag, const Sent& sent);
    void takeTemporary(const Client& client, const Delivery& delivery, std::uint64_t consumer);
    void drainOne(const Delivered& d);

    // What clients and operators do (simulation_acts.cpp, simulation_sessions.cpp).
    void act();
    void publish(Client& client);
    void purge(Client& client);
    void copy(Client& client);
    void reschedule(Client& client);
    void pauseGroup(Client& client);
    void corrupt();
    std::shared_ptr<Message> newMessage(std::string& tag);
    RequestId ask(SessionId session, std::function<void(const Completed&)> answered);
    void send(Client& client);
    void subscribe(Client& client);
    void subscribeToTopic(Client& client);
    void unsubscribe(Client& client);
    void settle(Client& client);
    void transact(Client& client);
    void receive(Client& client);
    void close(Client& client);
    void takeOver();
    void replace(Client& client, bool takesOver);
    void credit(Client& client);
    void drainCredit(Client& client, std::uint64_t consumer, std::uint32_t more);
    void temporary(Client& client);
    void makeTemporary(Client& client);
    void deleteTemporary(const std::string& name);
    void sendToTemporary(Client& client, const Temporary& to);
    void consumeTemporary(Client& client, Temporary& from);
    void forgetProducer(Client& client);
    void move(Client& client);
    void call(Client& client);
    void answer();

    // Links that are resumed (simulation_links.cpp).
    void linking();
    void resumeLink(Producer& producer);
    void sendOverLink(Producer& producer);
    void submitOverLink(const Producer& producer, const std::string& tag, const std::string& mark,
                        std::function<void(const Completed&)> answered);
    void forgetSends(Producer& producer);
    void endLink(Producer& producer);
    void loseConnection(Producer& producer);
    void resumeElsewhere(Producer& producer);
    std::map<std::string, std::string> storedMarks() const;
    void checkMarks() const;
    std::size_t rowsOfLink(const Producer& producer) const;
    void linksAtRest();
    void linksAfterCrash();
    void endLinks();

    // Distributed transactions (simulation_branches.cpp).
    void prepareBranch(Client& client);
    void endBranch(std::uint64_t number, bool committed);
    std::vector<std::uint64_t> preparingOf(SessionId session) const;
    void answersOfBranchesAreLost(SessionId session);
    void decideBranch(Client& client);
    void decideOne(Client& client, std::uint64_t number);
    void decideAll();
    void branchesAfterCrash(const std::set<std::string>& stored);
    void checkRecoveredBranches();

    // Recurring schedules (simulation_schedules.cpp).
    struct KnownSchedule {
        StoredId id;  ///< 0: not answered yet
        bool confirmed = false, cancelAsked = false, cancelled = false;
        bool forEver = false;
        std::uint64_t copiesMax = 0;  ///< where it has an end
    };
    void scheduling(Client& client);
    void makeSchedule(Client& client);
    KnownSchedule* someSchedule();
    void changeSchedule(Client& client);
    void cancelSchedule(Client& client);
    void schedulesAfterCrash();
    void cancelAllSchedules();

    // What they are told (simulation_effects.cpp).
    void on(Completed& c);
    Client* clientOf(SessionId session);
    void on(Delivered& d);
    void on(Received& r);
    void on(Replied& r);
    void on(Browsed& b);
    void on(ConsumerChanged& c);
    void on(ProducerBlocked&) {}
    void on(Pictured&) {}
    void on(ConsumerEnded&) {}
    void on(GroupRevoked&) {}
    void on(LeaseEnded& e);
    void on(LinkResumed& r);
    void on(SessionEnded& e);

    std::mt19937_64 random_;
    std::uint64_t steps_;
    std::unique_ptr<Broker> broker_;
    SimStore store_;
    Step step_;
    Now now_{WallTime(1'000'000'000s), SteadyTime(1000s)};
    std::vector<Command> batch_;
    std::vector<Client> clients_;
    std::map<std::string, Sent> sent_;
    std::set<std::string> outstanding_;
    std::map<std::string, std::uint64_t> lastOrdered_;
    std::map<std::string, GroupOf> groups_;
    std::vector<StoredId> delayed_;
    std::map<std::string, Temporary> temporaries_;
    std::map<RequestId, int> fetchSelectors_;  ///< of a Receive: which of kSelectors
    std::set<RequestId> drains_;               ///< answered ones
    SessionId ending_;                         ///< whose client has come back
    std::map<ConsumerId, std::string> subscriptionOf_;
    std::map<std::string, int> drained_;
    bool draining_ = false;
    std::uint64_t lastToken_ = 0;
    std::vector<Producer> producers_{3};
    std::map<std::string, std::string> marks_;  ///< of what its client knows to be stored: its id
    std::map<std::uint64_t, Transaction> transactions_;
    std::map<std::uint64_t, Branch> knownBranches_;  ///< that are not over
    std::map<std::string, KnownSchedule> knownSchedules_;
    std::uint64_t copiesSent_ = 0;  ///< by the busiest schedule
    std::map<std::pair<SessionId, RequestId>, std::function<void(const Completed&)>> asks_;
    std::map<std::pair<SessionId, RequestId>, std::string> callAsks_;
    std::map<std::string, std::string> answers_;
    std::vector<std::pair<DeliveryId, MessagePtr>> requests_;
    std::uint64_t nextSession_ = 1, nextRequest_ = 0, nextConsumer_ = 0, nextTransaction_ = 0;
    std::uint64_t lapsed_ = 0, made_ = 0, confirmed_ = 0, accepted_ = 0, crashes_ = 0, calls_ = 0,
                  callsAnswered_ = 0, answersMade_ = 0, branchesCommitted_ = 0, linksResumed_ = 0;
};

}  // namespace busbar::test
