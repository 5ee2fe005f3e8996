// How the wires say that a message is to be sent again and again: ActiveMQ's four numbers.
#pragma once

#include "bus/message/message.h"

namespace busbar {

inline constexpr std::int64_t kRepeatsMax = 0x7FFF'FFFF;
inline constexpr std::int64_t kPeriodMax = std::int64_t{10} * 365 * 86'400'000;  ///< ms

/// What a client's headers, properties or annotations say; each wire fills in what it finds. The
/// delay is Message::deliverAt, as without a schedule.
///
/// ActiveMQ's meaning: a period without repeats, and without a cron expression, is one delivery:
/// after the delay, or where there is none after the period.
struct ScheduleFields {
    std::string cron;
    std::string zone;  ///< empty: UTC
    Milliseconds period{0};
    std::int64_t repeats = 0;

    /// Makes them part of the message. `now` is the one that its deliverAt was reckoned from.
    void apply(Message& message, WallTime now) const;
};

}  // namespace busbar
