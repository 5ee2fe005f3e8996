// What a user may send and hold, kept by reading its connections more slowly.
#pragma once

#include "adapters/transport/engine.h"
#include "bus/security/user_limits.h"

namespace busbar {

/// Counts `sends` messages of the seat's user, and holds the input where those were too many.
inline void keepPace(EngineHost& host, UserSeat& seat, std::uint64_t sends) {
    if (seat.limited()) host.holdInput(seat.spend(sends, host.now().steady));
}

/// Tells what a connection holds for its user. Where that is too much, its input is held: it comes
/// in sips, half a second between them, so that heart-beats still get through.
inline void keepRoom(EngineHost& host, UserSeat& seat, std::uint64_t bytes) {
    if (!seat.limited()) return;
    const SteadyTime now = host.now().steady;
    if (!seat.hold(bytes, now)) host.holdInput(now + Milliseconds(500));
}

}  // namespace busbar
