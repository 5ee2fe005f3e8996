#include "bus/core/schedules.h"

#include "bus/message/wire.h"

#include <algorithm>
#include <charconv>

namespace busbar {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::uint8_t kPaused = 1, kPersistent = 2;

std::int64_t millis(WallTime time) {
    return time.time_since_epoch().count();
}
WallTime readTime(WireReader& in) {
    return WallTime(Milliseconds(in.fixed<std::int64_t>()));
}

}  // namespace

std::string encodeSchedule(const ScheduleRecord& r) {
    std::string out;
    putFixed(out, kVersion);
    putFixed(out, static_cast<std::uint8_t>((r.paused ? kPaused : 0) |
                                            (r.persistent ? kPersistent : 0)));
    putFixed(out, static_cast<std::uint8_t>(r.destination.kind));
    putString(out, r.destination.name);
    putString(out, r.owner);
    putVarint(out, r.roles.size());
    for (const auto& role : r.roles) putString(out, role);
    putString(out, r.rule.cron);
    putString(out, r.rule.zone);
    putFixed<std::int64_t>(out, r.rule.delay.count());
    putFixed<std::int64_t>(out, r.rule.period.count());
    putFixed<std::int64_t>(out, r.rule.repeats);
    putFixed<std::int64_t>(out, r.timeToLive.count());
    putFixed<std::int64_t>(out, millis(r.created));
    putFixed<std::int64_t>(out, millis(r.since));
    putFixed<std::int64_t>(out, millis(r.last));
    putFixed<std::int64_t>(out, millis(r.next.due));
    putFixed<std::int64_t>(out, r.next.left);
    putVarint(out, r.sent);
    putString(out, r.trouble);
    return out;
}

std::optional<ScheduleRecord> decodeSchedule(std::string_view row) {
    WireReader in(row);
    ScheduleRecord r;
    if (in.fixed<std::uint8_t>() != kVersion) return std::nullopt;
    const auto flags = in.fixed<std::uint8_t>();
    r.paused = (flags & kPaused) != 0;
    r.persistent = (flags & kPersistent) != 0;
    const auto kind = in.fixed<std::uint8_t>();
    if (kind > static_cast<std::uint8_t>(DestinationKind::topic)) return std::nullopt;
    r.destination.kind = static_cast<DestinationKind>(kind);
    r.destination.name = in.string();
    r.owner = in.string();
    for (std::uint64_t n = in.varint(); n > 0 && in.ok(); --n) r.roles.emplace_back(in.string());
    r.rule.cron = in.string();
    r.rule.zone = in.string();
    r.rule.delay = Milliseconds(in.fixed<std::int64_t>());
    r.rule.period = Milliseconds(in.fixed<std::int64_t>());
    r.rule.repeats = in.fixed<std::int64_t>();
    r.timeToLive = Milliseconds(in.fixed<std::int64_t>());
    r.created = readTime(in);
    r.since = readTime(in);
    r.last = readTime(in);
    r.next.due = readTime(in);
    r.next.left = in.fixed<std::int64_t>();
    r.sent = in.varint();
    r.trouble = in.string();
    if (!in.ok() || in.remaining() != 0) return std::nullopt;
    return r;
}

std::string scheduleName(std::string_view instance, StoredId id) {
    return "ID:" + std::string(instance) + "-" + std::to_string(id.value);
}

std::optional<StoredId> scheduleNumber(std::string_view text) {
    if (text.starts_with("ID:")) {
        const auto dash = text.rfind('-');
        text.remove_prefix(dash == std::string_view::npos ? text.size() : dash + 1);
    }
    std::uint64_t number = 0;
    const auto end = text.data() + text.size();
    const auto [at, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc() || at != end || number == 0) return std::nullopt;
    return StoredId(number);
}

}  // namespace busbar
