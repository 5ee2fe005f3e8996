#include "bus/schedule/plan.h"

#include <algorithm>
#include <utility>

namespace busbar {
namespace {

using namespace std::chrono;

constexpr Milliseconds kFar = hours(24 * 3650);  // of delays and periods
constexpr Milliseconds kSetBackMin = hours(3);

Error wrong(std::string text) {
    return {ErrorCode::invalidArgument, std::move(text)};
}

Result<void> checkNumbers(const Recurrence& rule, Milliseconds periodMin) {
    if (rule.delay < Milliseconds(0) || rule.delay > kFar)
        return wrong("a schedule's delay must be within 0 and ten years");
    if (rule.repeats < kRepeatForever) {
        return wrong("a schedule's repeats are 0 or more, or -1 for no end, got " +
                     std::to_string(rule.repeats));
    }
    if (rule.repeats == kRepeatForever && !rule.cron.empty())
        return wrong("with a cron expression the repeats must have an end");
    if (rule.repeats == 0 && rule.cron.empty())
        return wrong("a schedule needs a cron expression, or a period with repeats");
    if (rule.repeats != 0 && (rule.period < periodMin || rule.period > kFar)) {
        return wrong("a schedule's period must be within " + std::to_string(periodMin.count()) +
                     " ms and ten years, got " + std::to_string(rule.period.count()) + " ms");
    }
    return {};
}

}  // namespace

Result<Plan> Plan::make(const Recurrence& rule, Milliseconds periodMin, ZoneSource& zones) {
    if (auto checked = checkNumbers(rule, periodMin); !checked) return checked.error();
    Plan plan;
    plan.delay_ = rule.delay;
    plan.period_ = rule.period;
    plan.repeats_ = rule.repeats;
    if (rule.cron.empty()) return plan;
    auto cron = Cron::parse(rule.cron);
    if (!cron) return cron.error();
    auto zone = zones.find(rule.zone);
    if (!zone) return zone.error();
    plan.cron_ = *cron;
    plan.zone_ = *zone;
    return plan;
}

/// From the send, or from a time of the expression, to the first copy.
Milliseconds Plan::wait() const {
    return delay_ == Milliseconds(0) && repeats_ != 0 ? period_ : delay_;
}

/// The next moment after `time` that the expression names.
std::optional<sys_seconds> Plan::cronAfter(sys_seconds time) const {
    if (!cron_->everySoOften()) {
        // Moments ascend with what the clocks show; those that were are passed.
        for (local_seconds shown = zone_->toLocal(time);;) {
            const auto next = cron_->next(shown);
            if (!next) return std::nullopt;
            const sys_seconds moment = zone_->first(*next);
            if (moment > time) return moment;
            shown = *next;
        }
    }
    const auto end = time + years(45);
    while (time < end) {
        const Zone::Stretch stretch = zone_->at(time + seconds(1));
        const auto next = cron_->next(local_seconds(time.time_since_epoch() + stretch.offset));
        if (next) {
            const sys_seconds moment(next->time_since_epoch() - stretch.offset);
            if (moment < stretch.end) return moment;
        }
        if (stretch.end == sys_seconds::max()) return std::nullopt;
        time = stretch.end - seconds(1);
    }
    return std::nullopt;
}

/// The first copy of the first time of the expression whose first copy is after `after`.
std::optional<Plan::Step> Plan::tick(WallTime after) const {
    const auto moment = cronAfter(floor<seconds>(after - wait()));
    if (!moment) return std::nullopt;
    return Step{*moment + wait(), repeats_};
}

std::optional<Plan::Step> Plan::first(WallTime now) const {
    if (cron_) {
        const auto moment = cronAfter(floor<seconds>(now));
        if (!moment) return std::nullopt;
        return Step{*moment + wait(), repeats_};
    }
    return Step{now + wait(), repeats_};
}

std::optional<Plan::Step> Plan::following(Step done, WallTime now) const {
    if (done.left != 0) {
        const auto passed = std::max<std::int64_t>(0, (now - done.due) / period_) + 1;
        if (done.left == kRepeatForever) return Step{done.due + passed * period_, kRepeatForever};
        if (passed <= done.left) return Step{done.due + passed * period_, done.left - passed};
        done.due += done.left * period_;
    }
    if (!cron_) return std::nullopt;
    return tick(std::max(done.due, now));
}

Plan::Step Plan::adjusted(Step next, WallTime since, WallTime now) const {
    if (next.due <= now) return next;
    const bool setBack = now < since;
    const bool within = cron_ && next.left != repeats_;  // between copies of one time
    if (!cron_ || within) {
        const Milliseconds most = within ? period_ : std::max(wait(), period_);
        if (setBack && next.due > now + most) next.due = now + most;
        return next;
    }
    if (setBack && (cron_->everySoOften() || now < since - kSetBackMin))
        return first(now).value_or(next);
    const auto earliest = tick(now);
    return earliest && earliest->due > next.due ? *earliest : next;
}

}  // namespace busbar
