#include "bus/schedule/zone.h"

#include "bus/schedule/posix_zone.h"

#include <algorithm>
#include <cstdint>

namespace busbar {
namespace {

using namespace std::chrono;

constexpr int kLastYear = 2500;
constexpr std::size_t kHeader = 44;

/// Big-endian numbers. What lies outside reads as 0, and ok() is false then.
class Bytes {
  public:
    explicit Bytes(std::string_view bytes) : bytes_(bytes) {}
    bool ok() const { return ok_; }
    std::int64_t number(std::size_t at, std::size_t size) {
        if (at + size > bytes_.size()) return ok_ = false, 0;
        std::uint64_t value = 0;
        for (std::size_t i = 0; i < size; ++i)
            value = value << 8 | static_cast<unsigned char>(bytes_[at + i]);
        const int unused = static_cast<int>(64 - 8 * size);
        return static_cast<std::int64_t>(value << unused) >> unused;
    }
    std::string_view rest(std::size_t at) const {
        return at > bytes_.size() ? std::string_view() : bytes_.substr(at);
    }

  private:
    std::string_view bytes_;
    bool ok_ = true;
};

/// RFC 9636 section 3.1: what a header says of the block behind it.
struct Counts {
    std::size_t utc, standard, leaps, changes, types, letters;

    std::size_t size(std::size_t timeSize) const {
        return changes * (timeSize + 1) + types * 6 + letters + leaps * (timeSize + 4) + standard +
               utc;
    }
};

Counts countsAt(Bytes& in, std::size_t header) {
    const auto count = [&](int i) {
        return static_cast<std::size_t>(in.number(header + 20 + 4 * i, 4)) & 0xFFFFFF;
    };
    return {count(0), count(1), count(2), count(3), count(4), count(5)};
}

Error notAZone() {
    return {ErrorCode::malformed, "not a compiled time zone file of version 2 or later"};
}

}  // namespace

Result<Zone> Zone::read(std::string_view bytes) {
    if (bytes.size() < kHeader || !bytes.starts_with("TZif") || bytes[4] < '2') return notAZone();
    Bytes in(bytes);
    const std::size_t header = kHeader + countsAt(in, 0).size(4);
    if (!in.rest(header).starts_with("TZif")) return notAZone();
    const Counts counts = countsAt(in, header);
    const std::size_t times = header + kHeader;
    const std::size_t kinds = times + 8 * counts.changes;
    const std::size_t types = kinds + counts.changes;
    const std::size_t end = header + kHeader + counts.size(8);
    if (end > bytes.size() || counts.types == 0) return notAZone();
    const auto offsetOf = [&](std::size_t type) { return seconds(in.number(types + 6 * type, 4)); };
    Zone zone;
    zone.before_ = offsetOf(0);
    for (std::size_t i = 0; i < counts.changes; ++i) {
        const auto type = static_cast<std::size_t>(in.number(kinds + i, 1) & 0xFF);
        const sys_seconds time{seconds(in.number(times + 8 * i, 8))};
        if (type >= counts.types) return notAZone();
        if (!zone.changes_.empty() && zone.changes_.back().time >= time) return notAZone();
        zone.changes_.push_back({time, offsetOf(type)});
    }
    const auto footer = in.rest(end);
    const auto newline = footer.find('\n', 1);
    if (!in.ok() || !footer.starts_with('\n') || newline == std::string_view::npos)
        return notAZone();
    const auto rule = footer.substr(1, newline - 1);
    if (rule.empty()) return zone;
    const auto posix = PosixZone::parse(rule);
    if (!posix) return notAZone();
    const sys_seconds last = zone.changes_.empty() ? sys_seconds::min() : zone.changes_.back().time;
    const sys_days from = std::max(floor<days>(last), sys_days(year(1900) / January / 1));
    for (const auto& change :
         posix->changes(static_cast<int>(year_month_day(from).year()), kLastYear)) {
        if (change.time > last) zone.changes_.push_back({change.time, change.offset});
    }
    if (zone.changes_.empty()) zone.before_ = posix->standard();
    return zone;
}

Zone::Stretch Zone::stretch(std::size_t n) const {
    return {n == 0 ? sys_seconds::min() : changes_[n - 1].time,
            n == changes_.size() ? sys_seconds::max() : changes_[n].time,
            n == 0 ? before_ : changes_[n - 1].offset};
}

Zone::Stretch Zone::at(sys_seconds time) const {
    const auto next =
        std::upper_bound(changes_.begin(), changes_.end(), time,
                         [](sys_seconds t, const Change& change) { return t < change.time; });
    return stretch(static_cast<std::size_t>(next - changes_.begin()));
}

sys_seconds Zone::first(local_seconds time) const {
    // No zone is two days from UTC: what is before this is before `time` whatever the offset.
    const sys_seconds from = sys_seconds(time.time_since_epoch()) - days(2);
    const auto next =
        std::upper_bound(changes_.begin(), changes_.end(), from,
                         [](sys_seconds t, const Change& change) { return t < change.time; });
    for (auto n = static_cast<std::size_t>(next - changes_.begin());; ++n) {
        const Stretch s = stretch(n);
        const sys_seconds shown = sys_seconds(time.time_since_epoch()) - s.offset;
        if (shown < s.begin) return s.begin;
        if (shown < s.end) return shown;
    }
}

}  // namespace busbar
