// Cron expressions: which times of which days.
//
// Five fields: minute (0-59), hour (0-23), day of month (1-31), month (1-12 or JAN-DEC), day of
// week (0-7 or SUN-SAT, 0 and 7 are Sunday); or six, with seconds (0-59) before them. A field is a
// list of
// `*`, `N`, `A-B`, each perhaps with a step: `*/5`, `10-40/10`, `A/N` (from A on). `?` is `*` in
// the fields of days; `L` in that of the month is its last day. Also @yearly, @annually, @monthly,
// @weekly, @daily, @midnight, @hourly.
//
// Days as Vixie cron has it: where both fields of days say something (neither begins with `*`), a
// day that fits one of them will do; else it must fit both.
#pragma once

#include "bus/base/result.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace busbar {

/// A value; no clock, no time zone.
class Cron {
  public:
    /// invalidArgument, with the field and what is expected there. Also where no day of any year
    /// fits ("0 0 30 2 *").
    static Result<Cron> parse(std::string_view text);

    /// The first time after `after`; nothing where the next 45 years have none.
    std::optional<std::chrono::local_seconds> next(std::chrono::local_seconds after) const;

    /// Its minute or hour begins with `*`: it means "each so many minutes or hours", and follows
    /// the clock whatever that does; else it means times of day, each of which comes once a day.
    bool everySoOften() const { return everySoOften_; }

  private:
    Cron() = default;
    bool fits(std::chrono::year_month_day day, unsigned weekday) const;
    std::optional<std::chrono::seconds> nextTime(std::chrono::seconds from) const;

    std::uint64_t seconds_ = 1, minutes_ = 0, hours_ = 0, days_ = 0, months_ = 0, weekdays_ = 0;
    bool lastDay_ = false;
    bool eitherDay_ = false;  ///< both fields of days say something
    bool everySoOften_ = false;
};

}  // namespace busbar
