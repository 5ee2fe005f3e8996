// A user's pace, kept by reading its connections no faster.
#pragma once

#include "adapters/transport/engine.h"
#include "bus/security/user_limits.h"

namespace busbar {

/// Counts `sends` messages of the seat's user, and holds the input where those were too many.
inline void keepPace(EngineHost& host, UserSeat& seat, std::uint64_t sends) {
    if (seat.limited()) host.holdInput(seat.spend(sends, host.now().steady));
}

}  // namespace busbar
