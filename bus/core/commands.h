// What adapters ask of the bus, as plain values. Every wire's verbs come down to these.
#pragma once

#include "bus/base/clock.h"
#include "bus/base/ids.h"
#include "bus/core/branch_id.h"
#include "bus/message/message.h"

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace busbar {

/// Commands of one session are applied in the order in which they were submitted. Where `request`
/// is not 0 exactly one effect with that request answers the command; where it is 0, failures end
/// in the counters and, if the command cannot be ignored, in SessionEnded. What the session's user
/// has no right to (permissions.h) is answered with notAuthorized and changes nothing.

struct OpenSession {
    SessionId session;
    RequestId request;
    std::string user;      ///< authenticated; becomes JMSXUserID
    std::string clientId;  ///< JMS client id, unique among open sessions; empty: none
    std::string protocol;  ///< "stomp", "http", ...: for the console
    std::string remote;    ///< "127.0.0.1:52110"
    /// Where an open session of the same user has this client id, it is ended first (SessionEnded
    /// to its connection): the client has come back before its lost connection was noticed. Of what
    /// each of its consumers held only the oldest counts as tried.
    bool takeOver = false;
    std::vector<std::string> roles{};  ///< the user's: what it may do (permissions.h)
};

/// Ends the session: consumers go, what they held returns to its queues (delivery count kept
/// raised), temporary queues are deleted. Open calls stay open for collection.
struct CloseSession {
    SessionId session;
};

/// Sends one message. Answered by Completed (value: the message id) when the message is as durable
/// as its delivery mode asks, or by the error. A dedup id seen within the window is answered with
/// the first outcome and stores nothing.
///
/// A queue that is full by its own limits refuses, drops its oldest, or blocks (WhenFull). Blocked:
/// the command waits in the core for room, in its order, and is answered then; the session is told
/// by ProducerBlocked and should read no more from its client until it is told otherwise.
///
/// A message with a recurrence makes a schedule instead: durable whatever its delivery mode, until
/// it is over or cancelled. Each time a copy is sent: with an id and time of its own, the sender's
/// name, the property scheduledJobId (scheduleName()), a time to live from then on; routed then.
struct Send {
    SessionId session;
    RequestId request;
    std::shared_ptr<Message> message;  ///< given away: the core completes it, then it is immutable
    /// Where the producer numbers what it sends: a name that outlives its connection, and the
    /// number, ascending. A number that is not above the last one taken is a repeat: answered with
    /// the first outcome's id if it is the last one, and stored nowhere. 0: no number.
    std::string producer{};
    std::uint64_t sequence = 0;
    /// Over a link that this session has resumed (ResumeLink): its name, and what the client calls
    /// this send on it. That it was taken is remembered with it, in the same unit of work; of two
    /// with one tag the later one counts. conflict: another session has resumed the link since.
    std::string link{};
    std::string tag{};
};

/// From now on this session sends over the link of that name, of its user's, and no other one does.
/// Answered by LinkResumed when what was on its way is durable: which of `tags` were taken.
struct ResumeLink {
    SessionId session;
    RequestId request;
    std::string link;
    std::vector<std::string> tags{};  ///< of the sends of which the client has no answer
    bool all = true;                  ///< there are no others: what is known of those is forgotten
};

/// The client knows what has become of these sends of a link that the session has resumed; without
/// tags: of all of them, and the link ends. Never answered.
struct ForgetSends {
    SessionId session;
    std::string link;
    std::vector<std::string> tags{};
};

/// How a consumer settles.
enum class AckMode : unsigned char {
    explicitly,  ///< each delivery is held until a Settle names it: at least once
    none,        ///< a delivery is gone, durably, before it is handed out: at most once
};

/// Attaches a consumer to a queue, or to a topic through a subscription.
struct Subscribe {
    SessionId session;
    RequestId request;
    ConsumerId consumer;
    Destination source;  ///< topics may hold wildcards; a queue is made where it is missing
    AckMode ackMode = AckMode::explicitly;
    std::uint32_t credit = 0;  ///< deliveries that may be outstanding at first
    /// true: credit is a window of unsettled deliveries, given back by each settlement (STOMP,
    /// OpenWire); false: each delivery uses one up for good, more come by AddCredit (AMQP).
    bool windowed = true;
    /// JMS selector; empty: everything. On a queue: what this consumer takes. On a topic: what the
    /// subscription keeps (part of a durable subscription's identity, like its topic).
    std::string selector{};
    std::int32_t priority = 0;  ///< the highest with credit is served first; equal ones in turn
    /// Only one consumer is served: the first exclusive one to come, then the next by priority and
    /// age; all others stand by. ConsumerChanged tells who is active, and its fencing token.
    bool exclusive = false;
    std::string
        durableName;  ///< topics: name of a durable subscription; needs a client id unless shared
    bool shared = false;   ///< topics: several consumers share the (durable) subscription
    bool noLocal = false;  ///< topics: not what this session itself sends
    /// Exactly once: what the consumer has processed of earlier deliveries (of whatever connection,
    /// also before a restart of the bus) although its settlement may not have arrived. They leave
    /// the queue before anything is delivered. Needs a consumer that is alone: exclusive, or on a
    /// durable subscription that is not shared. With it, a consumer that records Delivery::stored
    /// together with its work gets each message exactly once.
    bool exactlyOnce = false;
    std::vector<StoredId> processed{};
    /// The same for a client that resumes a link: `processed` leave the queue unless a session of
    /// another user holds them. A consumer that is not alone may find that others had them first.
    /// `inHands`: what else the client has of it; Completed.value is the list of those that are
    /// still on the queue ("3,7"), each of which comes again, if the consumer is alone.
    bool resumes = false;
    std::vector<StoredId> inHands{};
    /// Each delivery is a lease of this length (ExtendLease); 0: as the queue's options say.
    Milliseconds lease{0};
};

/// Ends a consumer; what it holds returns to the queue. A durable subscription stays.
struct Unsubscribe {
    SessionId session;
    RequestId request;
    ConsumerId consumer;
};

/// Deletes a durable subscription and what it holds. inUse while a consumer is attached.
struct DeleteSubscription {
    SessionId session;
    RequestId request;
    std::string name;
    bool shared = false;
};

/// Lets a consumer have more. Never answered, but for a drain.
struct AddCredit {
    SessionId session;
    ConsumerId consumer;
    std::int32_t credit = 0;  ///< below 0: takes back what is not used yet, at most all of it
    /// Give what there is now, also from disk; then what is left of the credit lapses. Answered by
    /// Completed (count: what lapsed) behind the last delivery. AMQP 1.0 section 2.6.7.
    bool drain = false;
    RequestId request{};
};

/// What becomes of a delivery.
enum class Outcome : unsigned char {
    accepted,  ///< done: it leaves the queue
    released,  ///< not tried: back to its place, the count is not raised
    failed,  ///< tried and failed: back (after `delay`), the count is raised; over the limit: dead
             ///< letter
    rejected,  ///< never deliverable: dead letter at once, with `reason`
    expired,   ///< its time had run out when the client looked at it: as if it had here
};

/// Settles deliveries of the session, each on its own: ids that are no longer held are answered
/// with lockLost after the others were settled. Answered when durable.
struct Settle {
    SessionId session;
    RequestId request;
    std::vector<DeliveryId> deliveries;
    Outcome outcome = Outcome::accepted;
    /// Not 0: also every delivery of `upToConsumer` (0: of the whole session) up to and including
    /// this one (cumulative acknowledgement).
    DeliveryId upTo{};
    ConsumerId upToConsumer{};
    Milliseconds delay{0};
    std::string reason;
    /// The session that holds the deliveries, where they are named by their leases; same user
    /// needed. A consumer that holds one is told (LeaseEnded).
    SessionId holder;
};

/// A local transaction as one unit of work: the sends happen and the settlements (accepted) happen,
/// or none of it. An id that is no longer held, or a send that is refused, aborts all:
/// transactionAborted with the cause; the deliveries that are still held stay held. Dedup ids
/// count: a repeat stores nothing. Each send has its message's id afterwards. Completed.value: the
/// numbers of those that were repeats, from 1 ("3,7"); with an error Completed.count is the number
/// of the send that is its cause, 0 where it is no single one.
struct CommitTransaction {
    SessionId session;
    RequestId request;
    std::vector<std::shared_ptr<Message>> sends;
    std::vector<DeliveryId> accepts;
};

/// The first phase of a distributed transaction: what CommitTransaction does, but for its becoming
/// visible. Answered when it is durable: from then on it survives the session, its connection and
/// the bus until DecidePrepared. Nobody sees its messages, nobody gets what it acknowledged, the
/// limits of their queues count both, and dedup ids of its messages count as used. alreadyExists:
/// a branch of this id is prepared; limitReached: too many are; else as CommitTransaction.
struct PrepareTransaction {
    SessionId session;
    RequestId request;
    BranchId branch;
    std::vector<std::shared_ptr<Message>> sends;
    std::vector<DeliveryId> accepts;
};

/// The second phase, by any session of the user who prepared it. Rolled back: its messages are
/// gone; what it acknowledged stays in the hands of this session where it still has it, and else
/// returns to its queue with the count raised. notFound: no such branch is prepared (any more).
/// conflict: an operator has decided otherwise, and Completed.value says how: "committed" or
/// "rolled-back".
struct DecidePrepared {
    SessionId session;
    RequestId request;
    BranchId branch;
    bool commit = true;
    /// An operator decides in place of the coordinator, for any user's branch. What was decided is
    /// remembered, durably, until the coordinator says the same, or ForgetPrepared.
    bool force = false;
};

/// Forgets what an operator has decided. inUse: the branch still waits for its decision.
struct ForgetPrepared {
    SessionId session;
    RequestId request;
    BranchId branch;
    bool force = false;  ///< of any user
};

/// Which branches of this user are prepared, or were decided by an operator and not forgotten?
/// Answered by Pictured, whose picture has nothing but branches.
struct ListPrepared {
    SessionId session;
    RequestId request;
};

/// Takes up to `max` messages from a queue under a lease: held without a consumer until settled or
/// until `lease` has passed, then they return with the count raised. Waits up to `wait` for the
/// first.
struct Receive {
    SessionId session;
    RequestId request;
    std::string queue;
    std::uint32_t max = 1;
    Milliseconds wait{0};
    Milliseconds lease{30'000};
    /// Only messages of one group: the next that nobody has locked. The group stays locked until
    /// all of them are settled ("accept next session").
    bool oneGroup = false;
    std::string selector{};  ///< only what matches; not together with oneGroup
    bool make = true;        ///< a queue that is not there is made; else it is notFound
};

/// The longest lease.
inline constexpr Milliseconds kLeaseMax{12 * 3600 * 1000};

/// A lease is a delivery with an end (Delivery::lease). When it comes unsettled, the message goes
/// back with its count raised, and whoever settles it later is answered lockLost. A consumer whose
/// lease ran out (LeaseEnded) gets nothing in its place before it has said something of that
/// delivery: who is stuck takes no more. A windowed one's credit comes back then by itself.
///
/// Gives leased deliveries `lease` from now. Answered by Completed, or lockLost where one is not
/// held under a lease any more. Clients without a verb for it send a message (lease_orders.h).
struct ExtendLease {
    SessionId session;
    RequestId request;
    std::vector<DeliveryId> deliveries;
    Milliseconds lease{30'000};
    SessionId holder;
};

/// Looks without taking: up to `max` messages after the one called `after` (0: from the head), in
/// order of arrival, of a queue or of a durable subscription by its name. Answered by Browsed.
/// Consumers are not held up, however long the queue is.
struct Browse {
    SessionId session;
    RequestId request;
    std::string queue;
    StoredId after;
    std::uint32_t max = 100;
    std::string selector{};
    bool delayedOnly = false;  ///< only what waits for its time
};

/// What a send meets when its queue is at one of its limits. Only that queue is affected.
enum class WhenFull : unsigned char {
    reject,      ///< limitReached, with the limit and what clears it
    block,       ///< the producer waits
    dropOldest,  ///< the first in line goes, counted as evicted
    spill,       ///< the limits are for memory only: what is beyond is kept on disk
};

/// How far messages of a queue are taken before they count as confirmed. Persistent ones only; the
/// others are never waited for.
enum class Keep : unsigned char {
    synced,   ///< survives power loss
    written,  ///< given to the operating system: survives a kill of the bus, not a power loss
    memory,   ///< ends with the process, as if every message were non-persistent
};

struct QueueOptions {
    std::uint32_t deliveriesMax = 10;  ///< then dead letter; 0: no limit
    std::uint64_t messagesMax = 0;     ///< 0: no limit
    std::uint64_t bytesMax = 0;        ///< of message footprints; 0: no limit
    Milliseconds ageMax{0};            ///< messages expire at the latest then; 0: never
    WhenFull whenFull = WhenFull::reject;
    Keep keep = Keep::synced;
    /// Before a failed delivery is tried again: after the first failure, the second, ...; the last
    /// one repeats. Empty: at once.
    std::vector<Milliseconds> redeliveryDelays{};
    /// A message of a group that fails for the last time stops its group (PauseGroup resumes it)
    /// instead of becoming a dead letter, so that what follows is not processed without it.
    bool parkFailedGroups = false;
    /// Consumers hold what they are given under leases of this length, unless they ask for another
    /// one; 0: until they settle it or go. At most kLeaseMax.
    Milliseconds lease{0};

    bool operator==(const QueueOptions&) const = default;
};

/// Makes a queue, or changes the options of one that is there. Durable. Durable subscriptions are
/// named as Browse names them, and must be there.
struct DefineQueue {
    SessionId session;
    RequestId request;
    std::string queue;
    QueueOptions options;
};

/// Removes a queue with all it holds. inUse while it has consumers.
struct DeleteQueue {
    SessionId session;
    RequestId request;
    std::string queue;
};

/// Which messages of a queue an operator means: those that wait (ready or delayed; never what is
/// held), match all that is set, oldest of each priority first.
struct Selection {
    std::string selector{};       ///< empty: all
    std::vector<StoredId> ids{};  ///< empty: all
    std::uint32_t max = 0;        ///< 0: no limit
};

/// Removes what waits in a queue. Done in slices, so that other work goes on; Completed.count says
/// how many. Also cancels delayed messages.
struct Purge {
    SessionId session;
    RequestId request;
    std::string queue;
    Selection selection{};
    std::uint32_t perSecondMax = 0;  ///< 0: as fast as it goes
};

/// Moves (or copies) messages to another queue, or, where `target` is empty, each dead letter back
/// to the queue it came from. Each move is one unit of work. Completed.count says how many.
struct MoveMessages {
    SessionId session;
    RequestId request;
    std::string queue;
    std::string target;
    Selection selection{};
    bool copy = false;
    std::uint32_t perSecondMax = 0;  ///< 0: as fast as it goes
};

/// Changes when a delayed message is delivered (also to now). Durable. notFound where it does not
/// wait any more.
struct Reschedule {
    SessionId session;
    RequestId request;
    std::string queue;
    StoredId id;
    WallTime deliverAt{};
};

/// The recurring schedules of this user, and those on whose destination he has the right to manage.
/// Answered by Pictured, whose picture has nothing but schedules.
struct ListSchedules {
    SessionId session;
    RequestId request;
    StoredId only{};   ///< not 0: this one alone
    StoredId after{};  ///< those with higher numbers
    std::uint32_t max = 1'000;
};

/// Changes a recurring schedule: its owner may, and who may manage its destination. Durable. What
/// was sent already counts no more where `rule` is set: it begins anew. A schedule that is resumed
/// goes on from now; what it missed is not sent. notFound: there is none (any more).
struct ChangeSchedule {
    SessionId session;
    RequestId request;
    StoredId id;
    std::optional<bool> paused{};
    std::optional<Recurrence> rule{};
};

/// Ends recurring schedules; the same rights. What they have sent stays. With ids: those, and
/// notFound where none of them is there; without: all of this user whose next time is within
/// [from, to]. Completed.count: how many. Where one of many is being sent just then, it ends right
/// behind that, and the answer does not wait for it.
struct CancelSchedules {
    SessionId session;
    RequestId request;
    std::vector<StoredId> ids{};
    WallTime from = WallTime::min();
    WallTime to = WallTime::max();
};

/// Stops or resumes the hand-out of one group's messages; others go on. Not durable.
struct PauseGroup {
    SessionId session;
    RequestId request;
    std::string queue;
    std::string group;
    bool paused = true;
};

/// Sets, durably, or (where `value` is missing) gets the state that an application keeps with a
/// message group. Answered by Completed (value: the state). An empty value erases. Up to 64 KiB.
struct GroupState {
    SessionId session;
    RequestId request;
    std::string queue;
    std::string group;
    std::optional<std::string> value;
};

/// Makes a temporary queue or topic that ends with the session. Only this session may consume from
/// it, any may send. JMS 1.1 section 4.4.3.
struct MakeTemporary {
    SessionId session;
    RequestId request;
    Destination destination;
};

/// Ends one of the session's own temporary destinations and what it holds. inUse while it has
/// consumers.
struct DeleteTemporary {
    SessionId session;
    RequestId request;
    Destination destination;
};

/// The producer of this name (Send::producer) will send no more: its last number need not be
/// remembered until the dedup window ends.
struct ForgetProducer {
    SessionId session;
    std::string producer;
};

/// Makes the channel pair NAME.request and NAME.reply that a service is. Durable; fine where it is
/// there.
struct DefineService {
    SessionId session;
    RequestId request;
    std::string service;
};

/// One request-reply exchange over a service's channel pair. The request goes to NAME.request with
/// a correlation id and replyTo NAME.reply; the message on NAME.reply with that correlation id is
/// the answer. Answered by Replied: with the reply, or timeout at the deadline. A dedup id makes it
/// collectable: the same call again (after a lost connection or a restart) is answered with the
/// first reply, or waits for it, and nothing is executed twice.
struct Call {
    SessionId session;
    RequestId request;
    std::string service;
    std::shared_ptr<Message> message;
    Milliseconds timeout{30'000};
};

/// Asks for a picture of everything that the console and `busbar stats` show. Answered by Pictured.
struct TakePicture {
    SessionId session;
    RequestId request;
};

using Command =
    std::variant<OpenSession, CloseSession, Send, Subscribe, Unsubscribe, DeleteSubscription,
                 AddCredit, Settle, CommitTransaction, PrepareTransaction, DecidePrepared,
                 ForgetPrepared, ListPrepared, Receive, ExtendLease, Browse, DefineQueue,
                 DeleteQueue, Purge, MoveMessages, Reschedule, ListSchedules, ChangeSchedule,
                 CancelSchedules, PauseGroup, GroupState, MakeTemporary, DeleteTemporary,
                 ForgetProducer, ResumeLink, ForgetSends, DefineService, Call, TakePicture>;

}  // namespace busbar
