// The bus as a state machine: commands and the time in, units of work and effects out.
//
// Problem: a broker's hard part is what happens in which order, and that cannot be tested through
// sockets, disks and threads. So this part has none of them. It is driven by `bus/loop` in the
// daemon and by a seeded simulation in tests/bus/core.
#pragma once

#include "bus/core/commands.h"
#include "bus/core/effects.h"
#include "bus/core/lease_tokens.h"
#include "bus/core/permissions.h"
#include "bus/store/store.h"

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace busbar {

class ZoneSource;

/// What one step of the broker wants done. The driver appends `units` to the store in their order,
/// and hands each effect to its session. Effects that must not be seen before a unit is durable are
/// not in here yet: the broker keeps them until it is told by progress().
struct Step {
    std::vector<NumberedUnit> units;
    std::vector<Effect> effects;
    std::vector<StoredId> reads;  ///< messages to fetch from the store and give to loaded()
    std::vector<Notice> notices;

    void clear() {
        units.clear();
        effects.clear();
        reads.clear();
        notices.clear();
    }
};

/// When a durable subscription that nobody consumes ends by itself. A warning is given at 80 % of
/// each limit. 0: no limit.
struct AbandonedLimits {
    Milliseconds unusedMax{0};
    std::uint64_t messagesMax = 0;
    std::uint64_t bytesMax = 0;
};

struct BrokerOptions {
    std::string instance = "busbar";  ///< first part of the message ids that the bus gives
    QueueOptions queueDefaults;
    Milliseconds dedupWindow{10 * 60 *
                             1000};      ///< how long a dedup id, or a call's reply, is remembered
    std::uint64_t dedupMax = 1'000'000;  ///< ... and how many of them
    /// How long what has become of the sends of a link is remembered that nobody is attached to.
    Milliseconds linkWindow{24 * 60 * 60 * 1000};
    std::uint64_t queuesMax = 100'000;  ///< queues, subscriptions and temporary queues together
    std::uint64_t temporariesPerSessionMax = 1'000;
    /// What a subscription that is not durable may hold for a consumer that is behind: what comes
    /// beyond is dropped for it alone, and counted, so that a slow subscriber harms nobody.
    std::uint64_t transientSubscriptionBytesMax = 64ull << 20;
    /// Messages in memory, in bytes of footprint. Beyond it stored messages are kept on disk alone
    /// and fetched back ahead of their consumers; others are spilled there.
    std::uint64_t memoryMax = 256ull << 20;
    std::uint64_t readAheadBytes = 4ull << 20;      ///< fetched at a time for one queue
    std::uint64_t unconfirmedMax = 64ull << 20;     ///< on the way to the disk; then producers wait
    std::uint64_t groupsMax = 100'000;              ///< of a queue: idle ones beyond are forgotten
    std::uint64_t preparedMax = 1'000;              ///< branches that wait for their coordinator
    std::uint64_t preparedBytesMax = 256ull << 20;  ///< of their messages together
    std::uint64_t schedulesMax = 100'000;           ///< recurring ones
    std::uint64_t userSchedulesMax = 10'000;        ///< of one user
    Milliseconds schedulePeriodMin{100};
    /// Where the time zones of schedules come from; null: UTC alone. Asked when a schedule is made
    /// and at the start; that may read a small file.
    std::shared_ptr<ZoneSource> zones;
    /// Who reads them elsewhere has the same ones; null: the broker's own, with a random key.
    std::shared_ptr<const LeaseTokens> leaseTokens;
    AbandonedLimits abandoned;
    std::vector<PermissionRule> permissions = defaultPermissions();
    /// Options of queues by name patterns (wildcards as in topics), the first that matches; for
    /// queues made on use.
    std::vector<std::pair<std::string, QueueOptions>> queuePatterns;
};

/// Belongs to one thread. No call blocks, allocates without bound, or reads a clock. `step` is
/// appended to.
class Broker {
  public:
    explicit Broker(BrokerOptions options);
    ~Broker();
    Broker(const Broker&) = delete;
    Broker& operator=(const Broker&) = delete;

    /// Where the store's recovery goes, before the first apply().
    RecoveryListener& recovery();
    /// Ends recovery: schedules what was found. `step` may hold units (clean-up) to append.
    void start(Now now, Step& step);

    /// Applies commands in their order, then gives out what can be delivered. Commands are moved
    /// from.
    void apply(std::span<Command> commands, Now now, Step& step);

    /// The store's report: releases what waited for it. After progress.failed every command that
    /// needs the store is answered storageFailed.
    void progress(const StoreProgress& progress, Now now, Step& step);

    /// Messages that the store has read, for Step::reads.
    void loaded(std::vector<StoredMessage> messages, Now now, Step& step);

    /// Does what is due: expiry, delays, leases, deadlines. Calling it early or late is fine.
    void tick(Now now, Step& step);

    /// Other rules, other roles: what sessions do next is held against them. Sessions of users that
    /// are gone end (SessionEnded). Consumers and waiting fetches whose right is gone end with
    /// notAuthorized (ConsumerEnded, Received); what they held returns to its queues. Leases that
    /// were given and sends that wait for room stay. The bus's own sessions are not touched.
    void setAccess(AccessChange change, Now now, Step& step);

    /// When tick() should be called next; nothing where no timer is set.
    std::optional<SteadyTime> nextTick(Now now) const;

    /// Checks every invariant that can be seen from inside (counters reconcile, indexes agree) and
    /// stops the process where one is broken. Costs a walk over everything: for tests and `busbar
    /// stats --check`.
    void checkInvariants() const;

    Picture picture(Now now) const;

  private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace busbar
