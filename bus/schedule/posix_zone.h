// The rule at the end of a time zone file: how it goes on for ever.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>
#include <vector>

namespace busbar {

/// POSIX.1-2017 section 8.3 ("TZ"), with the longer hours of RFC 9636 section 3.3.1, as
/// "CET-1CEST,M3.5.0,M10.5.0/3".
class PosixZone {
  public:
    static std::optional<PosixZone> parse(std::string_view text);

    std::chrono::seconds standard() const { return standard_; }

    struct Change {
        std::chrono::sys_seconds time;
        std::chrono::seconds offset;
    };
    /// Ascending; none where there is no summer time.
    std::vector<Change> changes(int firstYear, int lastYear) const;

  private:
    /// A day of the year and a time from its midnight on.
    struct Rule {
        char kind = 0;  ///< M: week and weekday of a month, J: 1 to 365 without Feb 29, 0: 0 to 365
        int month = 0, week = 0, day = 0;
        std::chrono::seconds time{7200};

        std::chrono::local_seconds in(int year) const;
    };
    class Reader;

    std::chrono::seconds standard_{0}, summer_{0};
    std::optional<Rule> begins_, ends_;
};

}  // namespace busbar
