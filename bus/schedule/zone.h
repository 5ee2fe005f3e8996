// A time zone: what the clocks on the wall show at any moment.
#pragma once

#include "bus/base/result.h"

#include <chrono>
#include <memory>
#include <string_view>
#include <vector>

namespace busbar {

/// A value; reads no file. Knows the changes up to the year 2500; behind that the last one stays.
class Zone {
  public:
    static Zone utc() { return Zone(); }
    /// The bytes of a compiled time zone file, RFC 9636 ("TZif") version 2 or later. malformed
    /// where they are not one.
    static Result<Zone> read(std::string_view bytes);

    /// A stretch of time in which the clocks go on without a change.
    struct Stretch {
        std::chrono::sys_seconds begin, end;  ///< `end` is the first moment of the next one
        std::chrono::seconds offset;          ///< local time less UTC
    };
    Stretch at(std::chrono::sys_seconds time) const;

    std::chrono::local_seconds toLocal(std::chrono::sys_seconds time) const {
        return std::chrono::local_seconds(time.time_since_epoch() + at(time).offset);
    }
    /// When the clocks show `time`: the first time, where they are set back and show it twice;
    /// where they are set forward past it, the first moment after that.
    std::chrono::sys_seconds first(std::chrono::local_seconds time) const;

  private:
    struct Change {
        std::chrono::sys_seconds time;
        std::chrono::seconds offset;  ///< from then on
    };
    Zone() = default;
    Stretch stretch(std::size_t number) const;

    std::chrono::seconds before_{0};  ///< offset before the first change
    std::vector<Change> changes_;     ///< ascending
};

using ZonePtr = std::shared_ptr<const Zone>;

}  // namespace busbar
