// What is prepared? Branches of distributed transactions that wait for their coordinator's word.
#pragma once

#include "bus/core/commands.h"
#include "bus/core/message_list.h"

#include <cstdint>
#include <string>
#include <vector>

namespace busbar {

/// A branch as data; broker_prepared.cpp works on it. Its messages are entries of their queues that
/// stay `pending`, what it acknowledged are entries that stay `settling`: nobody sees or gets
/// either, and both count for the limits of their queues. Its row in the store names them, so that
/// a start finds them so again.
struct PreparedBranch {
    enum class State : unsigned char {
        preparing,  ///< on its way to the disk
        prepared,   ///< waits for its coordinator
        deciding,   ///< the decision is on its way to the disk
        forced,     ///< an operator has decided; remembered until the coordinator knows
    };
    struct Place {
        QueueId queue;
        StoredId id;
        EntryPlace place{};
        DeliveryId delivery{};  ///< of an acknowledgement: who has it; 0 after a restart
        bool found = true;      ///< false: what recovery has not come across (yet)
        bool recorded = false;  ///< the decision's unit removes it from the store
    };

    BranchId id;
    std::string user;
    WallTime preparedAt{};
    State state = State::prepared;
    std::vector<Place> sends, accepts;
    std::vector<std::string> dedupKeys;  ///< that it takes; given back by a rollback
    std::uint64_t messages = 0;          ///< sent, however many queues each is on
    std::uint64_t bytes = 0;             ///< what its messages count for

    bool warned = false;         ///< that it has waited long
    bool commit = false;         ///< deciding, forced: which way
    bool force = false;          ///< deciding: by an operator
    SessionId decider;           ///< deciding
    std::string decidedBy;       ///< forced
    WallTime decidedAt{};        ///< forced
    std::vector<Command> later;  ///< came while it was on its way to the disk
};

}  // namespace busbar
