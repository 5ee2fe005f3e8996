// That a message is to be sent again and again, as its sender says it.
#pragma once

#include "bus/base/clock.h"

#include <cstdint>
#include <memory>
#include <string>

namespace busbar {

inline constexpr std::int64_t kRepeatForever = -1;

/// When copies of a message are sent. Without `cron`: first `delay` (or, where that is 0, `period`)
/// after the send, then `repeats` times more, `period` apart. With it: the same at each time that
/// the expression names in the time zone; a time that comes before the copies of the one before it
/// are all sent is left out. A plain value: bus/schedule checks it and reckons with it.
struct Recurrence {
    std::string cron;          ///< five or six fields, or "@daily" and its kin; empty: none
    std::string zone = "UTC";  ///< IANA name, as "Europe/Berlin"; counts where there is a cron
    Milliseconds delay{0};
    Milliseconds period{0};
    std::int64_t repeats = 0;  ///< copies after the first; kRepeatForever: no end (without cron)

    bool operator==(const Recurrence&) const = default;
};

using RecurrencePtr = std::shared_ptr<const Recurrence>;

}  // namespace busbar
