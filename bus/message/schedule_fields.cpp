#include "bus/message/schedule_fields.h"

#include <algorithm>

namespace busbar {

void ScheduleFields::apply(Message& message, WallTime now) const {
    if (cron.empty() && repeats == 0) {
        if (period > Milliseconds(0) && message.deliverAt <= now) message.deliverAt = now + period;
        return;
    }
    Recurrence rule;
    rule.cron = cron;
    if (!zone.empty()) rule.zone = zone;
    rule.period = period;
    rule.repeats = repeats;
    rule.delay = std::max(Milliseconds(0), message.deliverAt - now);
    message.deliverAt = WallTime{};
    message.recurrence = std::make_shared<const Recurrence>(std::move(rule));
}

}  // namespace busbar
