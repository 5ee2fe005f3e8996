// Time as a value. Nothing below `server/` asks the operating system what time it is.
#pragma once

#include <chrono>

namespace busbar {

/// The time of day, for what people and other machines see (timestamps, expiry, delivery time). May
/// jump.
using WallTime = std::chrono::sys_time<std::chrono::milliseconds>;
/// Time that only goes forward, for leases, deadlines and delays. Its zero has no meaning.
using SteadyTime = std::chrono::time_point<std::chrono::steady_clock, std::chrono::microseconds>;
using Milliseconds = std::chrono::milliseconds;

/// `wait` from `from`; what is centuries away is cut, so that no sum passes the clock's end.
inline SteadyTime after(SteadyTime from, Milliseconds wait) {
    constexpr Milliseconds kFar = std::chrono::hours(24 * 365 * 200);
    return from + (wait < -kFar ? -kFar : wait > kFar ? kFar : wait);
}
inline WallTime after(WallTime from, Milliseconds wait) {
    constexpr Milliseconds kFar = std::chrono::hours(24 * 365 * 200);
    return from + (wait < -kFar ? -kFar : wait > kFar ? kFar : wait);
}

/// Both clocks, read together.
struct Now {
    WallTime wall{};
    SteadyTime steady{};
};

/// Where the time comes from: the system's in the daemon, a hand-moved one in tests. Any thread.
class Clock {
  public:
    virtual ~Clock() = default;
    virtual Now now() const = 0;
};

/// The operating system's clocks.
class SystemClock final : public Clock {
  public:
    Now now() const override;
};

}  // namespace busbar
