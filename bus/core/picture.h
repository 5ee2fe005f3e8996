// A consistent picture of the bus at one moment, as plain values: for the console, `busbar stats`,
// /metrics.
#pragma once

#include "bus/core/commands.h"

#include <cstdint>
#include <string>
#include <vector>

namespace busbar {

/// Counters only grow while the daemon runs. For every queue, always:
///   in == out + expired + dead + purged + moved + evicted + depth     (depth counts held, delayed
///   and unconfirmed ones). What a prepared branch sends has not come in before its commit.
struct QueuePicture {
    std::string name;
    std::string kind;  ///< "queue", "temp-queue", "subscription"
    std::uint64_t depth = 0;
    std::uint64_t held = 0;     ///< handed out, not settled
    std::uint64_t delayed = 0;  ///< waiting for their time
    std::uint64_t bytes = 0;
    std::uint64_t consumers = 0;
    std::uint64_t in = 0;   ///< arrived, or found at start
    std::uint64_t out = 0;  ///< acknowledged
    std::uint64_t expired = 0;
    std::uint64_t dead = 0;
    std::uint64_t purged = 0;
    std::uint64_t moved = 0;
    std::uint64_t evicted = 0;  ///< dropped as the oldest, to make room
    std::uint64_t redelivered = 0;
    std::uint64_t dropped =
        0;                     ///< not taken: a subscription that is not durable was too far behind
    std::uint64_t parked = 0;  ///< wait for the consumer of their group
    std::uint64_t inMemory = 0;      ///< bytes of its messages that are in memory
    std::uint64_t groups = 0;        ///< message groups that have a consumer or wait for one
    std::uint64_t blockedSends = 0;  ///< sends that wait for room
    std::string activeConsumer{};    ///< session.consumer of the exclusive one
    std::uint64_t fencingToken = 0;
    QueueOptions options{};
    std::int64_t oldestAgeMs = 0;  ///< of the oldest that waits; 0 where none, or not known (yet)
    std::uint64_t waiting = 0;     ///< could be handed out now, if somebody took it: the lag
    std::uint64_t waitingBytes = 0;
    /// Arrivals and acknowledgements a second, over about the last minute.
    double inRate = 0, outRate = 0;
    double drainSeconds = -1;  ///< until nothing waits, at these rates; below 0: it gets no shorter
    std::uint64_t prepared = 0;  ///< sent or acknowledged by branches that are prepared
};

struct SessionPicture {
    std::uint64_t id = 0;
    std::string user, clientId, protocol, remote;
    std::uint64_t consumers = 0;
    std::uint64_t held = 0;
    std::uint64_t sent = 0;
    std::string blocked{};  ///< not empty: its sends wait, and for what
};

struct ServicePicture {
    std::string name;
    std::uint64_t openCalls = 0;
    std::uint64_t calls = 0, replies = 0, timeouts = 0, lateReplies = 0, duplicateReplies = 0;
};

/// A branch of a distributed transaction.
struct BranchPicture {
    BranchId branch;
    std::string state;  ///< "prepared"; forced by an operator: "committed", "rolled-back"
    std::string user;   ///< who prepared it
    WallTime preparedAt{};
    std::uint64_t messages = 0;  ///< sends
    std::uint64_t accepts = 0;   ///< acknowledgements
    std::uint64_t bytes = 0;     ///< of the messages
    std::string decidedBy;       ///< the operator
    WallTime decidedAt{};
};

/// A recurring schedule.
struct SchedulePicture {
    StoredId id;
    std::string name;  ///< what its copies have as scheduledJobId
    Destination destination;
    std::string owner;
    Recurrence rule;
    std::string state;  ///< "active", "paused", "waiting": it could not be sent, or not be reckoned
    std::string trouble;  ///< why it waits, or why the bus paused it
    WallTime created{};
    WallTime next{};         ///< zero: none is known
    WallTime last{};         ///< zero: none was sent
    std::uint64_t sent = 0;  ///< copies
    std::int64_t left = 0;   ///< after the next one, before the expression counts again; -1: no end
    std::uint64_t bytes = 0;
};

struct Picture {
    std::vector<QueuePicture> queues;  ///< sorted by name
    std::vector<SessionPicture> sessions;
    std::vector<ServicePicture> services;
    std::vector<BranchPicture> branches;       ///< sorted by id
    std::vector<SchedulePicture> schedules{};  ///< only of ListSchedules; sorted by id
    bool moreSchedules = false;                ///< there are some beyond the last one
    std::uint64_t scheduleCount = 0;
    std::uint64_t messagesIn = 0;    ///< sends taken (after dedup)
    std::uint64_t deliveries = 0;    ///< hand-outs
    std::uint64_t duplicates = 0;    ///< sends answered from the dedup memory
    std::uint64_t unroutable = 0;    ///< topic messages that no subscription wanted
    std::uint64_t unauthorized = 0;  ///< commands that were refused for want of a right
    std::uint64_t unitsPending = 0;  ///< units of work that are not durable yet
    std::uint64_t memory = 0;        ///< bytes of messages in memory
    std::uint64_t memoryMax = 0;
    std::vector<std::string> notices;  ///< the latest, newest last, each with its time
};

}  // namespace busbar
