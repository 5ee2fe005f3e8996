// A recurrence that was checked, and the arithmetic of its times.
//
// Problem: when is the next one? That question has awkward cases (clocks set forward and back, by
// law or by an administrator; a bus that was down; an expression that never comes), and all of them
// must have one answer. So it is asked here, of plain values: no clock, no state.
//
// - Missed: what was due while the bus was down, or could not be sent, counts as one: it is sent
//   once, and the next one is in the future.
// - Summer time: an expression that names times of day (neither minute nor hour begins with `*`)
//   fires once for each of them and day: where the clocks are set forward past it, at the first
//   moment after that; where they are set back and show it twice, at the first. One that says
//   "every so many minutes or hours" goes by what the clocks show, twice where they show it twice.
// - The time of day is set back: times of day are not repeated within three hours, as Vixie cron
// has
//   it; beyond that, and for all else, what the clock says now counts.
#pragma once

#include "bus/message/recurrence.h"
#include "bus/schedule/cron.h"
#include "bus/schedule/zones.h"

#include <optional>

namespace busbar {

class Plan {
  public:
    /// What is next: when, and how many copies follow it, a period apart, before the expression
    /// counts again.
    struct Step {
        WallTime due{};
        std::int64_t left = 0;  ///< kRepeatForever: no end

        bool operator==(const Step&) const = default;
    };

    /// invalidArgument: what of `rule` is wrong. A period has to be `periodMin` at least.
    static Result<Plan> make(const Recurrence& rule, Milliseconds periodMin, ZoneSource& zones);

    /// The first one, of what was sent at `now`. Nothing where the expression has no more times.
    std::optional<Step> first(WallTime now) const;

    /// The first one after `done` that is later than `now`; nothing where `done` was the last.
    std::optional<Step> following(Step done, WallTime now) const;

    /// What is next, where `next` was found when the clock said `since` (the last one was sent, or
    /// the first one found): it may have been set back, or the time zone's rules be new ones.
    Step adjusted(Step next, WallTime since, WallTime now) const;

  private:
    Plan() = default;
    Milliseconds wait() const;
    std::optional<Step> tick(WallTime after) const;
    std::optional<std::chrono::sys_seconds> cronAfter(std::chrono::sys_seconds time) const;

    std::optional<Cron> cron_;
    ZonePtr zone_;
    Milliseconds delay_{0}, period_{0};
    std::int64_t repeats_ = 0;
};

}  // namespace busbar
