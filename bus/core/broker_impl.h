// The broker's inside, shared by the broker_*.cpp files: one file a question, one class of state.
#pragma once

#include "bus/base/check.h"
#include "bus/core/broker.h"
#include "bus/core/call_table.h"
#include "bus/core/dedup_memory.h"
#include "bus/core/jobs.h"
#include "bus/core/link_memory.h"
#include "bus/core/permissions.h"
#include "bus/core/prepared.h"
#include "bus/core/producer_memory.h"
#include "bus/core/queue.h"
#include "bus/core/rows.h"
#include "bus/core/schedules.h"
#include "bus/core/timers.h"
#include "bus/core/topic_tree.h"

#include <deque>
#include <functional>
#include <map>
#include <set>
#include <unordered_map>

namespace busbar {

/// Why an entry leaves its queue: which counter it goes to.
enum class Leaving : unsigned char { out, expired, dead, purged, moved, evicted };

/// The bus's own sessions (definitions, providers) are no user's.
inline bool isOwn(std::string_view user, std::string_view protocol) {
    return user.empty() || protocol == "internal";
}

/// One client's conversation.
struct Session {
    SessionId id;
    std::string user, clientId, protocol, remote;
    std::vector<std::string> roles;
    Access access;
    std::map<ConsumerId, std::unique_ptr<Consumer>> consumers;
    HeldList held;
    std::vector<QueueId> temporaries;  ///< queues
    std::size_t temporaryTopics = 0;
    std::uint64_t sent = 0;
    bool receives = false;  ///< has used Receive: may still wait on some queue
    /// What it waits for a reply to: its open calls by service; requests that it sent itself, while
    /// they are in their queues.
    std::map<std::string, std::uint32_t> calls;
    struct Asked {
        QueueId queue;
        StoredId request;
    };
    std::deque<Asked> asked;
    std::uint32_t waitingSends = 0;  ///< stand in queues' lists of blocked ones
    bool waitsForDisk = false;
    std::string blocked;  ///< what it was told that its sends wait for
};

/// A unit of work while it is put together, and then while it is on its way to the disk: what is to
/// happen in memory when it is durable, and what to undo where it is refused.
struct Draft {
    struct Added {
        QueueId queue;
        EntryPlace place;
    };
    struct Removal {
        QueueId queue;
        EntryPlace place;
        Leaving leaving = Leaving::out;
        DeliveryId delivery;    ///< of a transaction's acknowledgement; 0: nobody holds it
        bool recorded = false;  ///< the unit removes it from the store
    };
    struct Spilled {
        QueueId queue;
        EntryPlace place;
        StoredId id;
    };

    struct Numbered {
        std::string producer;
        std::uint64_t sequence = 0;
        ProducerMemory::Last before;
    };

    /// A send over a link that can be resumed.
    struct Linked {
        std::string link;  ///< its key
        std::string tag;
        std::uint64_t number = 0;
    };

    UnitSequence sequence;
    UnitOfWork unit;
    Durability durability = Durability::lazy;  ///< the most that a part of it asks for
    std::uint64_t bytes = 0;                   ///< of the messages in it
    std::vector<Added> added;                  ///< entries that become visible
    std::vector<Removal> removals;             ///< entries that go; until then they are `settling`
    std::vector<Spilled> spilled;              ///< entries that were in memory alone
    std::vector<Effect> effects;               ///< answers, and deliveries of what has left
    std::vector<Effect> behind;                ///< answers that wait for it, whatever becomes of it
    std::vector<std::string> dedupKeys;        ///< forgotten where refused
    std::vector<Numbered> producers;           ///< numbers that it takes
    std::unique_ptr<Linked> linked;            ///< seldom: null
    std::vector<std::string> made;             ///< calls (correlation ids) that this unit starts
    std::vector<std::string> answered;         ///< calls whose reply this unit brings
    struct Row {
        QueueId queue;
        std::uint32_t version = 0;
    };
    std::vector<Row> queueRows;         ///< queue definitions in this unit
    std::vector<std::string> services;  ///< that this unit defines
    SessionId subscriber;               ///< whose consumer goes where this is refused
    ConsumerId subscribed;
    /// The branch of which this is the first phase, or the second.
    std::optional<BranchId> prepares, decides;
    Job* job = nullptr;  ///< that counts it
    /// What it does to recurring schedules.
    struct ScheduleStep {
        enum class Kind : unsigned char { made, fired, over, changed, cancelled } kind;
        StoredId id;
        ScheduleRecord becomes{};  ///< fired, changed
    };
    std::vector<ScheduleStep> schedules;
};

/// Its subscriptions end with the connection that made it: they need no tree.
struct TemporaryTopic {
    SessionId owner;
    std::vector<QueueId> subscriptions;
};

/// What a unit of work brings to one queue.
struct Load {
    std::uint64_t messages = 0;
    std::uint64_t bytes = 0;
};

class Broker::Impl final : public RecoveryListener {
  public:
    explicit Impl(BrokerOptions options) : options_(std::move(options)) {
        if (!options_.leaseTokens) options_.leaseTokens = std::make_shared<LeaseTokens>();
    }

    // broker.cpp
    void apply(std::span<Command> commands, Now now, Step& step);
    void setAccess(AccessChange change, Now now, Step& step);
    void progress(const StoreProgress& progress, Now now, Step& step);
    void tick(Now now, Step& step);
    std::optional<SteadyTime> nextTick(Now now) const;

    // broker_paging.cpp
    void loaded(std::vector<StoredMessage> messages, Now now, Step& step);

    // broker_recovery.cpp
    void onRow(Table table, std::string_view key, std::string_view value) override;
    void onMessage(const MessageSummary& message, std::span<const Entry> entries) override;
    void start(Now now, Step& step);

    // broker_picture.cpp
    Picture picture(Now now) const;
    void checkInvariants() const;

  private:
    void checkConsumers(Queue& queue) const;

    // One overload a command (broker_sessions, broker_sending, broker_calls, broker_delivery,
    // broker_admin, broker_jobs).
    void on(OpenSession& c);
    void on(CloseSession& c);
    void on(Subscribe& c);
    void on(Unsubscribe& c);
    void on(DeleteSubscription& c);
    void on(AddCredit& c);
    void on(MakeTemporary& c);
    void on(DeleteTemporary& c);
    void on(ForgetProducer& c);
    void on(ResumeLink& c);
    void on(ForgetSends& c);
    void on(Send& c);
    void on(CommitTransaction& c);
    void on(PrepareTransaction& c);
    void on(DecidePrepared& c);
    void on(ForgetPrepared& c);
    void on(ListPrepared& c);
    void on(DefineService& c);
    void on(Call& c);
    void on(Settle& c);
    void on(Receive& c);
    void on(ExtendLease& c);
    void on(Browse& c);
    void on(DefineQueue& c);
    void on(DeleteQueue& c);
    void on(Purge& c);
    void on(MoveMessages& c);
    void on(Reschedule& c);
    void on(ListSchedules& c);
    void on(ChangeSchedule& c);
    void on(CancelSchedules& c);
    void on(PauseGroup& c);
    void on(GroupState& c);
    void on(TakePicture& c);

    // Rights (broker_access.cpp): why the session may not do this, where it may not. One overload
    // for each command that needs a right.
    std::optional<Error> refusal(Session& s, const Send& c);
    std::optional<Error> refusal(Session& s, const CommitTransaction& c);
    std::optional<Error> refusal(Session& s, const PrepareTransaction& c);
    std::optional<Error> refusal(Session& s, const DecidePrepared& c);
    std::optional<Error> refusal(Session& s, const ForgetPrepared& c);
    std::optional<Error> refusal(Session& s, const Subscribe& c);
    std::optional<Error> refusal(Session& s, const DeleteSubscription& c);
    std::optional<Error> refusal(Session& s, const Receive& c);
    std::optional<Error> refusal(Session& s, const Browse& c);
    std::optional<Error> refusal(Session& s, const GroupState& c);
    std::optional<Error> refusal(Session& s, const DefineQueue& c);
    std::optional<Error> refusal(Session& s, const DeleteQueue& c);
    std::optional<Error> refusal(Session& s, const Purge& c);
    std::optional<Error> refusal(Session& s, const MoveMessages& c);
    std::optional<Error> refusal(Session& s, const Reschedule& c);
    std::optional<Error> refusal(Session& s, const ChangeSchedule& c);
    std::optional<Error> refusal(Session& s, const CancelSchedules& c);
    std::optional<Error> refusal(Session& s, const PauseGroup& c);
    std::optional<Error> refusal(Session& s, const MakeTemporary& c);
    std::optional<Error> refusal(Session& s, const DefineService& c);
    std::optional<Error> refusal(Session& s, const Call& c);
    std::optional<Error> refusal(Session& s, const TakePicture& c);
    std::optional<Error> lacks(Session& s, Right right, bool topic, const std::string& destination);
    std::optional<Error> lacksUse(Session& s, Right right, const std::string& queue);
    std::optional<Error> lacksAt(Session& s, Right right, const std::string& name);
    std::optional<Error> lacksAny(const Session& s) const;
    std::optional<Error> lacksSend(Session& s, const Destination& to);
    std::optional<Error> lacksSends(Session& s, const std::vector<std::shared_ptr<Message>>& sends);
    static std::optional<Error> lacksForce(const Session& s, bool force);
    static Error notKnown(const std::string& user);
    bool isKnown(const std::string& user) const;
    void endForbidden(Session& session);
    std::optional<Error> lacksConsuming(Session& session, const Queue& queue);
    void noteRefusal(const Session& s, const Error& error);
    template <class C>
    void applyOne(C& c);
    template <class C>
    void refuse(C& c, Error error);

    // Steps and units of work (broker.cpp).
    void begin(Now now, Step& step);
    /// Gives out, tidies up memory, and ends the step.
    void end();
    Draft newDraft();
    /// Hands the draft to the store, or, where it has nothing to store, makes it happen now.
    void finish(Draft draft, Durability durability);
    /// The unit of this number, while it is on its way.
    Draft* inFlight(UnitSequence sequence);
    void happen(Draft& draft);
    void undo(Draft& draft, const Error& error);
    /// An operation that nobody waits for; goes out before the next finish() and at the end of the
    /// step. Only what takes away, or may be lost: a full disk refuses what adds (lazilyApart).
    void lazily(Operation operation);
    /// The same for one that needs room: in a unit of its own, so that its refusal harms no other.
    void lazilyApart(Operation operation);
    void flushLazy(Durability durability = Durability::lazy);
    void emit(Effect effect) { step_->effects.push_back(std::move(effect)); }
    void complete(SessionId session, RequestId request, std::optional<Error> error = {},
                  std::string value = {}, std::uint64_t count = 0);
    void notice(Notice::Level level, std::string subject, std::string text);

    // Sessions (broker_sessions.cpp).
    Session* session(SessionId id);
    /// The session, or an answer that it is not open.
    Session* require(SessionId id, RequestId request);
    void endPredecessor(const OpenSession& c);
    /// Which of the deliveries that come back from a client that is lost count as tried: it may
    /// have had any of them in hands; where it is back and says nothing of them, the oldest of each
    /// consumer, or else what it only had prefetched would become dead letters over time.
    enum class Tried : unsigned char { all, oldest };
    const std::vector<std::string>& rolesOf(const OpenSession& c) const;
    void closeSession(SessionId id, Tried tried);

    // Queues (broker_queues.cpp).
    Queue* queue(QueueId id);
    Queue* queueNamed(const std::string& name);
    /// A queue, or a durable subscription, of that name.
    Queue* browsable(const std::string& name);
    Queue& makeQueue(QueueKind kind, std::string name);
    Result<Queue*> openQueue(const std::string& name);
    void storeDefinition(Queue& queue, Draft& draft);
    Result<Queue*> openSubscription(const Subscribe& c, Session& session,
                                    std::shared_ptr<const Selector> selector);
    Queue& makeSubscription(SubscriptionInfo info, std::string name, bool durable);
    Result<void> checkTemporaryTopic(const Subscribe& c, const Session& session) const;
    void dropQueue(Queue& queue);
    void dropUnwanted(Queue& queue);
    void sweepSubscriptions();

    // Consumers (broker_consumers.cpp).
    void removeConsumer(Session& session, Consumer& consumer, Tried tried);
    void returnHeld(Session& session, ConsumerId consumer, Tried tried);
    void acceptProcessed(Queue& queue, const std::vector<StoredId>& ids, const std::string& heldBy);
    void acceptHeld(Queue& queue, EntryPlace place, const std::string& heldBy);
    static bool comesAgain(Queue& queue, StoredId id);
    void join(Queue& queue, Consumer& consumer, std::shared_ptr<const Selector> selector);
    void leaveView(Queue& queue, Consumer& consumer);
    void elect(Queue& queue);
    void offer(Consumer& consumer);
    void withdraw(Consumer& consumer);
    void finishDrains(Queue& queue);
    void endDrain(Consumer& consumer);

    // Sending (broker_sending.cpp).
    Result<void> checkSend(const Message& message);
    void stamp(Message& message, const Session* sender);
    void route(const std::shared_ptr<Message>& message, const Session* sender, Draft& draft);
    const std::vector<QueueId>& subscriptionsTo(const Destination& topic);
    void enqueueAlone(Queue& queue, const std::shared_ptr<Message>& message, Draft& draft);
    void enqueue(Queue& queue, const MessagePtr& message, StoredId id, std::uint32_t shareOf,
                 std::vector<QueueId>& stored, Draft& draft);
    static std::string dedupKeyOf(const Message& message, const Session& sender);
    static Error usedForAnother(const Message& message);
    void rememberId(std::string key, const Message& message, Draft& draft);
    bool answerRepeated(const Send& c, const Session& session, const std::string& key);
    void reserveIds();
    StoredId nextId();
    std::string messageId(StoredId id) const;

    // Local transactions (broker_transactions.cpp).
    /// What a transaction sends, without what was sent before.
    struct NewSends {
        struct Repeat {
            std::size_t number = 0;  ///< among all of the transaction, from 1
            std::shared_ptr<Message> message;
            const Message* twin = nullptr;  ///< the first one, where it is in this transaction
        };
        std::vector<std::shared_ptr<Message>> sends;
        std::vector<std::string> keys;     ///< of `sends`, in the dedup memory; empty: none
        std::vector<std::size_t> numbers;  ///< of `sends`
        std::vector<Repeat> repeats;
        std::size_t looked = 0;
    };
    std::optional<Error> sortOutRepeats(const CommitTransaction& c, const Session& session,
                                        NewSends& out) const;
    bool isOnItsWay(const std::string& dedupKey) const;
    void sendInTransaction(const std::shared_ptr<Message>& message, std::string dedupKey,
                           Session& sender, Draft& draft);

    // Links that can be resumed (broker_links.cpp).
    bool isTheirs(const Send& c, const Session& session);
    void rememberSend(const Send& c, const Session& session, const Message& message, Draft& draft);
    void sendArrived(const Draft::Linked& send, bool stored);
    void answerResumed(const std::string& key, LinkMemory::Link& link);
    void forgetSend(const std::string& key, LinkMemory::Link& link, const std::string& tag);
    void dropLink(const std::string& key);
    bool roomForLink(const std::string& user);
    void sweepLinks();

    // Distributed transactions (broker_prepared.cpp).
    void prepareSend(const std::shared_ptr<Message>& message, Session& s, PreparedBranch& branch,
                     Draft& draft);
    void prepareAccept(DeliveryId id, PreparedBranch& branch, Draft& draft);
    std::optional<Error> mayPrepare(const PrepareTransaction& c, const Session& s,
                                    std::uint64_t bytes) const;
    PreparedBranch* branchFor(const Session& s, const BranchId& id, bool force);
    void decide(PreparedBranch& branch, const DecidePrepared& c, const Session& s);
    void closeForced(PreparedBranch& branch, SessionId session, RequestId request);
    // Each gives back what came while it was on its way, to be run behind its answer.
    std::vector<Command> branchPrepared(const BranchId& id);
    std::vector<Command> prepareRefused(const BranchId& id);
    std::vector<Command> branchDecided(const BranchId& id);
    std::vector<Command> decisionRefused(const BranchId& id);
    void runLater(std::vector<Command>& later);
    QueueEntry* entryOf(Queue* q, const PreparedBranch::Place& at);
    void sendHappens(const PreparedBranch::Place& at);
    void sendIsGone(const PreparedBranch::Place& at);
    void acceptHappens(const PreparedBranch::Place& at);
    void acceptComesBack(const PreparedBranch::Place& at, SessionId keeper);
    void acceptFailed(Queue& q, EntryPlace place);
    void recoverBranch(std::string_view key, std::string_view value);
    bool recoverPrepared(Queue& q, QueueEntry& entry, unsigned char priority);
    void endRecoveryOfBranches();
    std::vector<BranchPicture> branchPictures(const std::string* user) const;
    void checkBranches() const;
    void sweepBranches();

    // Limits (broker_limits.cpp).
    enum class Room : unsigned char { yes, wait, no };
    /// Whether all of a transaction can happen now; nothing is dropped for it before it is sure to.
    /// `at`: the first send for which it is not so.
    Room roomForAll(const std::vector<std::shared_ptr<Message>>& sends, Queue*& full, Error& why,
                    std::size_t& at);
    /// `before`: what the same unit of work brings before this one.
    Room room(Queue& queue, std::uint64_t bytes, Error& why, Load before = {});
    Room makeRoom(const Message& message, Queue*& full, Error& why);
    void park(Queue& queue, SessionId session, Command command, const std::string& why);
    void roomMade(Queue& queue);
    void dropWaitingSends(SessionId session);
    void refuseWaiting(const Command& command, const std::string& queue);
    void tellBlocked(Session& session, const std::string& why);
    void watchLimits(Queue& queue);
    void noteFull(Queue& queue, const std::string& limit);
    void diskBehind(SessionId session);
    void diskCaughtUp();

    // Calls (broker_calls.cpp).
    bool answerCall(const MessagePtr& reply, Draft& draft);
    void tellWaiters(ServiceCall& call, const std::optional<Error>& error, bool repeated);
    void requestGone(const Message& request, Error error);
    void forgetCall(ServiceCall& call);
    void defineService(const std::string& name, Draft& draft);
    void expireCallWaiters(ServiceCall& call);
    void waitsForReply(SessionId session, const std::string& service);
    void waitsNoMore(SessionId session, const std::string& service);
    void sweepMemories();

    // Dispatch (broker_dispatch.cpp).
    void markDirty(Queue& queue);
    void dispatchDirty();
    void dispatch(Queue& queue);
    void serveParked(Queue& queue);
    std::optional<EntryPlace> nextLive(Queue& queue);
    std::optional<EntryPlace> nextFor(Queue& queue, View& view);
    Consumer* consumerFor(Queue& queue, View& view, EntryPlace place, Group*& group);
    void give(Queue& queue, EntryPlace place, Consumer& consumer, Group* group);
    Delivery handOut(Queue& queue, EntryPlace place, Session& session, ConsumerId consumer,
                     Milliseconds lease, Group* group);
    void handOutUnheld(Queue& queue, EntryPlace place, Consumer& consumer, Group* group);

    // Fetches (broker_receives.cpp).
    using ReceiveAt = std::list<WaitingReceive>::iterator;
    void serveReceives(Queue& queue);
    bool serveReceive(Queue& queue, ReceiveAt at);
    std::optional<EntryPlace> nextForReceive(Queue& queue, const WaitingReceive& receive,
                                             const std::vector<Group*>& batch);
    std::optional<EntryPlace> nextOfOneGroup(Queue& queue, const std::vector<Group*>& batch);
    bool moreMayCome(const Queue& queue, const WaitingReceive& receive) const;
    void finishReceives(Queue& queue);
    void refuseReceive(Queue& queue, ReceiveAt at);
    void endReceive(Queue& queue, ReceiveAt at);
    void endReceives(Queue& queue, SessionId session);

    // Views and scanners (broker_views.cpp).
    enum class Look : unsigned char { looked, caughtUp, waits, paused };
    View& viewFor(Queue& queue, std::shared_ptr<const Selector> selector);
    View* nextView(Queue& queue);
    void dropView(Queue& queue, View& view);
    void keepView(Queue& queue, View& view);
    void wake(Queue& queue, View& view);
    void wakeAll(Queue& queue);
    static bool mayWait(const View& view);
    void fetchWanted(Queue& queue, View& view, const PlaceSet& places);
    void waitForCredit(Queue& queue, View& view);
    void hurry(Queue& queue, View& view);
    void endPatience(Queue& queue);
    void refreshStanding(Queue& queue, View& view);
    Look look(Queue& queue, Scanner& scanner, unsigned lowestPriority, bool mayFetch);
    void classify(Queue& queue, Scanner& scanner, EntryPlace place, const Message& message);
    void classifyReturned(Queue& queue);
    void scanIndexes(Queue& queue);
    bool checkMatch(Queue& queue, View& view, EntryPlace place);
    void sweepScanners(Queue& queue);

    // Groups (broker_groups.cpp).
    void park(Queue& queue, EntryPlace place, std::set<EntryPlace>& where);
    void parkFor(Queue& queue, EntryPlace place, Consumer& owner);
    void unpark(Queue& queue, std::set<EntryPlace>& where);
    void unparkGroup(Queue& queue, Group& group);
    void closeGroup(Queue& queue, Group& group);
    Consumer* consumerOf(const Group::Member& member);
    void tellRevoked(const Group& group, const Consumer* who);
    void trimGroups(Queue& queue);
    void groupSettled(Queue& queue, Group& group);
    void groupDelayed(Queue& queue, StoredId id, Group& group);
    Group* groupDelayOver(Queue& queue, StoredId id);
    void releaseGroups(Queue& queue, Consumer& consumer);

    // Entries and settlement (broker_delivery.cpp).
    void activate(Queue& queue, EntryPlace place);
    void becomeReady(Queue& queue, EntryPlace place);
    void makeReady(Queue& queue, EntryPlace place, Milliseconds delay);
    void delayUntil(Queue& queue, EntryPlace place, WallTime due);
    void noteExpiration(Queue& queue, EntryPlace place);
    void removeUncounted(Queue& queue, EntryPlace place);
    void eraseEntry(Queue& queue, EntryPlace place, Leaving leaving);
    void leave(Queue& queue, EntryPlace place, Leaving leaving);
    HeldDelivery* heldBy(DeliveryId id, SessionId holder);
    void letGo(HeldDelivery& held);
    void settle(HeldDelivery& held, const Settle& c);
    void giveBackCredit(const HeldDelivery& held);

    // Leases (broker_leases.cpp).
    void grantLease(const Queue& queue, HeldDelivery& held, Milliseconds lease, Delivery& delivery);
    void watchLease(const HeldDelivery& held);
    void heldAgain(Queue& queue, const HeldDelivery& held);
    void leaseDue(DeliveryId id);
    static void addLapsed(const Session& session, Settle& c);
    void endLapsed(Session& session, const std::vector<DeliveryId>& deliveries);
    void obey(const Send& c);
    void returnToQueue(HeldDelivery& held, bool countIt, Milliseconds delay,
                       const std::string& reason);
    SessionId holderOf(SessionId session, SessionId holder) const;

    // Dead letters and expiry (broker_dead_letters.cpp).
    void expire(Queue& queue, EntryPlace place);
    void deadLetter(Queue& queue, EntryPlace place, std::string_view reason,
                    const std::string& text);
    void moveTo(Queue& from, EntryPlace place, const std::shared_ptr<Message>& copy,
                Leaving leaving, Draft& draft);
    void noteFailure(Queue& queue, const QueueEntry& entry, const std::string& text);
    void forgetFailures(Queue& queue, StoredId id);
    std::string historyOf(const Queue& queue, StoredId id) const;
    bool needsRequestGone(const Queue& queue) const;

    // What is in memory (broker_paging.cpp).
    using Action = std::function<void(Queue&, EntryPlace)>;
    std::uint64_t fetchWindow() const;
    std::uint64_t scanWindow() const;
    std::uint32_t fetchFrom(Queue& queue, EntryPlace& from, std::uint64_t window);
    void fetch(Queue& queue, EntryPlace place);
    void fetchAhead(Queue& queue, EntryPlace from);
    void readAhead(Queue& queue, EntryPlace given);
    void fetchMatches(Queue& queue, View& view, const PlaceSet& places, std::uint64_t max);
    void fetchWaiting(Queue& queue, EntryPlace from);
    void addToMemory(Queue& queue, QueueEntry& entry, std::uint32_t share);
    void removeFromMemory(Queue& queue, QueueEntry& entry);
    void withMessage(Queue& queue, EntryPlace place, Action action);
    bool waitsForAction(Queue& queue, EntryPlace place);
    void unreadable(Queue& queue, EntryPlace place, const Error& error);
    void relieveMemory();

    // Jobs (broker_jobs.cpp).
    bool startJob(std::unique_ptr<Job> job, const std::string& queue, const Selection& selection);
    void runJobs();
    bool run(Job& job);
    bool runBrowse(Job& job, Queue& queue);
    bool runOverEntries(Job& job, Queue& queue);
    std::optional<EntryPlace> nextOfJob(Job& job, Queue& queue);
    bool act(Job& job, Queue& queue, EntryPlace place);
    bool moveOne(Job& job, Queue& queue, EntryPlace place);
    void endJob(Job& job);

    // Recurring schedules (broker_schedules.cpp).
    Result<Plan> planOf(const Recurrence& rule);
    std::optional<Error> mayMakeSchedule(const Message& message, const Session& session,
                                         std::uint64_t before);
    std::optional<Error> mayMakeSchedules(const std::vector<std::shared_ptr<Message>>& sends,
                                          const Session& session, std::size_t& at);
    void makeSchedule(const std::shared_ptr<Message>& message, const Session& sender, Draft& draft);
    Schedule* schedule(StoredId id);
    bool mayChange(Session& session, const Schedule& schedule);
    bool wanted(const ScheduleTimer& timer) const;
    void wakeAt(Schedule& schedule, WallTime time);
    void rest(Schedule& schedule);
    void runSchedules();
    bool schedulesMayRun() const;
    void fireSchedule(Schedule& schedule);
    void sendScheduled(Schedule& schedule, const Message& original);
    void postpone(Schedule& schedule, const Error& why);
    void templateUnreadable(StoredId id, const Error& error);
    void pauseSchedule(Schedule& schedule, std::string why);
    void changeSchedule(Schedule& schedule, ScheduleRecord becomes, Draft draft);
    void cancelSchedule(Schedule& schedule, Draft& draft);
    void dropSchedule(Schedule& schedule);
    void schedulesHappen(Draft& draft);
    void schedulesUndone(Draft& draft, const Error& error);
    void recoverSchedule(std::string_view key, std::string_view value);
    void recoverTemplate(StoredId id, EntryPlace place);
    void dropHalves();
    void startSchedules();
    void clockSetBack();
    SchedulePicture pictureOf(const Schedule& schedule) const;
    void checkSchedules() const;

    // Who waits for whom (broker_watch.cpp).
    struct Waits;
    void noteRequest(Session& session, const Message& message, const Draft& draft);
    void watchForDeadlocks();
    Waits whoWaits();

    // Lag and rates (broker_picture.cpp).
    void updateRates();
    void updateOldest(Queue& queue);
    std::optional<EntryPlace> oldestWaiting(Queue& queue) const;

    // Timers (broker_timers.cpp).
    struct EntryTimer {
        enum class Kind : unsigned char { deliver, expire } kind;
        QueueId queue;
        EntryPlace place;  ///< expire: of any entry of the chunk
        StoredId id;
    };
    struct SteadyTimer {
        enum class Kind : unsigned char { redeliver, lease, receive, call, patience } kind;
        QueueId queue;
        EntryPlace place;
        std::uint64_t id = 0;  ///< StoredId, DeliveryId or ticket
        std::string call;
    };
    bool wanted(const EntryTimer& timer);
    bool wanted(const SteadyTimer& timer);
    void fire(const EntryTimer& timer);
    void fire(const SteadyTimer& timer);
    void runTimers();
    void sweep();

    BrokerOptions options_;
    std::map<std::string, std::vector<std::string>> roles_;  ///< of users that are known
    std::set<std::string> goneUsers_;
    std::set<std::string> seenUsers_;  ///< that have logged in
    bool knowsUsers_ = false;          ///< roles_ has all of them that there were at some time
    Now now_;
    Step* step_ = nullptr;  ///< where units and effects go, during a call

    std::unordered_map<SessionId, std::unique_ptr<Session>> sessions_;
    std::unordered_map<std::string, SessionId> clientIds_;
    std::unordered_map<QueueId, std::unique_ptr<Queue>> queues_;
    std::unordered_map<std::string, QueueId> queueNames_;  ///< queues and temporary queues
    std::unordered_map<std::string, QueueId>
        subscriptionNames_;  ///< durable and shared subscriptions
    TopicTree topics_;
    std::unordered_map<std::string, TemporaryTopic> temporaryTopics_;
    Ledger ledger_;
    DedupMemory dedup_;
    ProducerMemory producers_;
    LinkMemory linkMemory_;
    CallTable calls_;
    std::map<BranchId, PreparedBranch> branches_;
    std::uint64_t preparedBytes_ = 0;
    std::map<std::string, std::string> groupStates_;  ///< by rows::groupKey
    std::deque<Draft> inFlight_;                      ///< ascending by sequence
    std::vector<Draft> spare_;                        ///< emptied ones, for their memory
    std::vector<Operation> lazy_;
    std::vector<QueueId> dirty_;
    Timers<WallTime, EntryTimer> entryTimers_;
    Timers<SteadyTime, SteadyTimer> steadyTimers_;
    std::optional<Error> storeFailed_;
    std::list<std::unique_ptr<Job>> jobs_;
    std::map<StoredId, Schedule> schedules_;
    std::unordered_map<std::string, std::uint64_t> schedulesOf_;  ///< by owner; how many
    Queue* templates_ = nullptr;  ///< the queue of kind schedules, where there is one
    Timers<WallTime, ScheduleTimer> scheduleTimers_;
    Now clockSeen_;  ///< when it was last looked whether the time of day was set

    // What is being fetched, and what is to be done with it then.
    struct Waiting {
        QueueId queue;
        EntryPlace place;
    };
    std::unordered_map<StoredId, std::vector<Waiting>> loads_;
    std::unordered_map<StoredId, std::vector<std::pair<Waiting, Action>>> actions_;
    std::vector<Waiting> fresh_;  ///< came into memory in this step
    std::vector<SessionId> waitForDisk_;

    std::uint64_t nextSequence_ = 1;
    std::uint64_t nextQueueId_ = 1;
    std::uint64_t nextStoredId_ = 1;
    std::uint64_t idsReserved_ =
        1;  ///< ids below may be used; stored, so that no start gives an id again
    std::uint64_t nextTicket_ = 1;
    std::uint64_t memory_ = 0;       ///< of all messages in memory
    std::uint64_t unconfirmed_ = 0;  ///< bytes of messages on their way to the disk
    std::uint64_t messagesIn_ = 0, deliveries_ = 0, duplicates_ = 0, unroutable_ = 0;
    std::uint64_t unauthorized_ = 0, refusalsUntold_ = 0;
    SteadyTime nextRefusalNotice_{};
    std::uint64_t maxQueueId_ = 0;               ///< found by recovery
    std::vector<rows::KnownFailures> failures_;  ///< found by recovery
    std::vector<Operation> leftovers_;  ///< found by recovery: of the last process, to be removed
    struct Expected {
        PreparedBranch* branch;
        PreparedBranch::Place* place;
        bool send;
    };
    /// Entries that the branches' rows name, until recovery has told of them.
    std::map<std::pair<QueueId, StoredId>, Expected> expected_;
    Queue* recovered_ = nullptr;  ///< where the last message found belongs
    bool instanceStored_ = false;
    bool more_ = false;  ///< a budget was used up: go on soon
    int looks_ = 0;      ///< what is left of this step's budget for scanners
    int expiries_ = 0;   ///< and for expired messages
    SteadyTime nextSweep_{};
    SteadyTime nextWatch_{};
    bool watch_ = false;  ///< somebody waits for a reply
    std::set<std::string> cyclesSeen_, cyclesTold_;
    std::deque<std::string> notices_;
};

}  // namespace busbar
