// Work over many messages of a queue, done a slice at a time so that all else goes on.
#pragma once

#include "bus/core/commands.h"
#include "bus/core/effects.h"
#include "bus/core/message_list.h"
#include "bus/selector/selector.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace busbar {

/// One Purge, MoveMessages or Browse on its way.
struct Job {
    enum class Kind : unsigned char { purge, move, browse } kind = Kind::purge;
    SessionId session;
    RequestId request;
    QueueId queue;
    std::string target;  ///< of move; empty: where each dead letter came from
    bool copy = false;
    std::shared_ptr<const Selector> selector;  ///< null: all
    std::vector<StoredId> ids;                 ///< ascending; empty: all
    std::size_t nextId = 0;                    ///< in ids
    std::uint64_t left = ~0ull;                ///< how many more may be taken
    std::uint32_t perSecondMax = 0;
    SteadyTime notBefore{};     ///< for the rate: when the next slice begins
    std::uint32_t inSlice = 0;  ///< what the present one still allows

    EntryPlace at{0, 9};            ///< where to go on
    StoredId last;                  ///< the last id that was there at the start
    bool waits = false;             ///< for a message to be fetched
    bool scanned = false;           ///< has come to the end
    std::uint32_t outstanding = 0;  ///< units of work on their way
    std::uint64_t done = 0;
    std::optional<Error> error;

    StoredId after;  ///< of browse
    bool delayedOnly = false;
    Browsed answer;
};

}  // namespace busbar
