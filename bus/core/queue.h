// A queue: everything that is consumed in Busbar is one of these (queues, subscriptions, temporary
// queues, dead-letter queues, service channels).
#pragma once

#include "bus/core/commands.h"
#include "bus/core/groups.h"
#include "bus/core/ledger.h"
#include "bus/core/message_list.h"
#include "bus/core/view.h"

#include <array>
#include <list>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace busbar {

/// A Receive that waits for its first message.
struct WaitingReceive {
    SessionId session;
    RequestId request;
    std::uint32_t max = 1;
    Milliseconds lease{0};
    std::uint64_t ticket = 0;  ///< tells one wait from another for its timer
    bool oneGroup = false;
    View* view = nullptr;  ///< of its selector; null: everything
    bool onlyNow = false;  ///< waits for the disk alone
};

/// How fast messages come and go, over about a minute.
struct Rates {
    SteadyTime at{};  ///< of the last look; zero: none yet
    std::uint64_t in = 0, out = 0;
    double inRate = 0, outRate = 0;
    double weight = 0;  ///< how much of a minute was seen: the rates are of that part
};

/// schedules: the one that holds the templates of recurring schedules. It has no name that anybody
/// could use, and hands nothing out.
enum class QueueKind : unsigned char { queue, temporary, subscription, schedules };

/// What we count. Always: in + prepared sends == out + expired + dead + purged + moved + evicted +
/// messages.size(), and the same with the sums of their ids. Dropped ones never came in.
struct QueueStats {
    std::uint64_t in = 0, out = 0, expired = 0, dead = 0, purged = 0, moved = 0, evicted = 0;
    std::uint64_t redelivered = 0, dropped = 0;
    std::uint64_t idsIn = 0, idsGone = 0;

    std::uint64_t gone() const { return out + expired + dead + purged + moved + evicted; }
};

/// Entries that belong to prepared branches. Sends have a place here, but have not come in yet.
struct PreparedEntries {
    std::uint64_t sends = 0, idsOfSends = 0;
    std::uint64_t accepts = 0;

    bool any() const { return sends + accepts > 0; }
};

/// What a message counts for in its queue's size: also what of it is not in memory.
inline std::uint64_t sizeInQueue(const Message& message) {
    return footprint(message) + (message.large ? message.large->size : 0);
}

/// What makes a queue a subscription of a topic.
struct SubscriptionInfo {
    std::string pattern;
    std::string clientId;
    std::string name;  ///< empty: not durable
    bool shared = false;
    bool temporary = false;  ///< of a temporary topic
    bool noLocal = false;
    SessionId noLocalSession;  ///< whose messages are left out, where there is no client id
    std::string selectorText;
    std::shared_ptr<const Selector> selector;  ///< null: everything
    SteadyTime unusedSince{};                  ///< zero: somebody consumes it
    bool warned = false;                       ///< of a limit that is near
};

/// One failed delivery.
struct Failure {
    WallTime time{};
    std::string text;
};

/// Plain data; the Broker's parts work on it. `durable`: persistent messages on it are stored.
struct Queue {
    QueueId id;
    std::string name;
    QueueKind kind = QueueKind::queue;
    bool durable = true;
    bool rowSent = false;          ///< some definition of it is in the store, or on the way there
    std::uint32_t rowVersion = 0;  ///< counts changes of the definition
    bool rowStored = false;        ///< its definition, as it is now, is in the store
    QueueOptions options;
    MessageList messages;
    std::uint64_t bytes = 0;
    std::uint64_t memory = 0;  ///< of what is in memory
    QueueStats stats;
    PreparedEntries prepared;

    std::vector<Consumer*> consumers;
    std::uint64_t turns = 0;
    std::vector<std::unique_ptr<View>> views;  ///< the first one is that of everything
    std::set<View::Standing> standing;         ///< views that could give; kept where there are more
    std::vector<std::unique_ptr<Scanner>> scanners;
    std::vector<EntryPlace> unclassified;  ///< ready again, to be looked at when they are in memory
    Groups groups;
    std::vector<Consumer*> draining;    ///< want to know when there is nothing more for them now
    std::vector<Consumer*> parkedTurn;  ///< have credit again, and parked messages
    Consumer* exclusive = nullptr;      ///< the one that is served alone

    std::list<WaitingReceive> receives;
    std::list<Command> blocked;  ///< sends that wait for room
    std::unordered_map<StoredId, std::vector<Failure>> failures;
    std::unordered_map<StoredId, Group*> groupDelays;  ///< who waits to be tried again
    std::uint32_t loads = 0;                           ///< fetches on their way
    EntryPlace readAhead{};                            ///< where the next one begins
    std::uint32_t readAheadCount = 0;                  ///< messages of the last one; 0: none
    SessionId owner;                                   ///< temporary queues
    std::unique_ptr<SubscriptionInfo> subscription;    ///< subscriptions
    Rates rates;
    StoredId oldest;          ///< that waits, when it was looked for last
    WallTime oldestSent{};    ///< its timestamp; zero: it must be fetched for that
    double limitWarned = 0;   ///< of which share of its limits an operator was told
    SteadyTime receivedAt{};  ///< when somebody fetched last
    /// By priority: no ready message of a group is before this.
    std::array<std::uint64_t, MessageList::kPriorities> groupsFrom{};
    bool patience = false;  ///< a timer runs for views that are patient
    bool dirty = false;     ///< stands in the list of queues to give out from
    bool alarmed = false;   ///< does not reconcile, and that was said

    View& everything() { return *views.front(); }
    /// Messages in somebody's hands, or on their way in or out.
    std::uint64_t handedOut() const {
        return messages.size() - messages.count(EntryState::ready) -
               messages.count(EntryState::delayed) - messages.count(EntryState::parked);
    }
    bool isDeadLetters() const { return name.starts_with("DLQ.") || name.starts_with("EXPIRED."); }
};

}  // namespace busbar
