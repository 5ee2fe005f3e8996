// A recurring schedule as data, and as a row of the store. docs/formats/journal.md, "A recurring
// schedule", is the grammar of the row.
#pragma once

#include "bus/base/clock.h"
#include "bus/base/ids.h"
#include "bus/core/commands.h"
#include "bus/core/message_list.h"
#include "bus/message/destination.h"
#include "bus/schedule/plan.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace busbar {

/// What of a schedule is durable, beside the message that it sends copies of (its template, an
/// entry of the queue of kind QueueKind::schedules with the schedule's number).
struct ScheduleRecord {
    Recurrence rule;
    Destination destination;
    std::string owner;               ///< the user who made it
    std::vector<std::string> roles;  ///< that he had then: they are looked at when it fires
    bool persistent = true;          ///< its copies
    Milliseconds timeToLive{0};      ///< of each copy; 0: for ever
    WallTime created{};
    WallTime since{};  ///< what the clock said when `next` was found
    WallTime last{};   ///< when a copy was sent last; zero: never
    Plan::Step next;
    std::uint64_t sent = 0;
    bool paused = false;
    std::string trouble;  ///< why the bus paused it
};

std::string encodeSchedule(const ScheduleRecord& record);
/// Nothing where it makes no sense.
std::optional<ScheduleRecord> decodeSchedule(std::string_view row);

/// What the copies have as scheduledJobId.
std::string scheduleName(std::string_view instance, StoredId id);
/// The schedule's number, of such a name or of the digits alone; nothing where it is neither.
std::optional<StoredId> scheduleNumber(std::string_view text);

struct Schedule {
    /// What a unit of work on its way does with it. Until that is known nothing else is begun.
    enum class Busy : unsigned char { no, making, firing, changing, ending };

    StoredId id;
    ScheduleRecord record;
    std::optional<Plan> plan;  ///< nothing: it cannot be reckoned (its time zone is not there)
    EntryPlace place;          ///< of its template
    std::uint64_t bytes = 0;   ///< of its template
    Busy busy = Busy::no;
    WallTime wake{};               ///< when it is looked at; timers for other times are old ones
    std::string trouble{};         ///< why it waits
    std::uint32_t attempts = 0;    ///< that failed since it was sent last
    std::vector<Command> later{};  ///< what was asked while it was busy
};

struct ScheduleTimer {
    StoredId id;
    WallTime due;
};

}  // namespace busbar
