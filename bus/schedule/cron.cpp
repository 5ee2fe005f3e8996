#include "bus/schedule/cron.h"

#include <array>
#include <bit>
#include <cctype>
#include <charconv>
#include <string>
#include <utility>
#include <vector>

namespace busbar {
namespace {

using namespace std::chrono;

constexpr std::size_t kTextMax = 500;
constexpr int kYearsAhead = 45;  // Feb 29 on one weekday: 28 years, 40 over a century without one

struct Field {
    std::string_view name;
    unsigned min, max;
    std::string_view names;  ///< of three letters each, from `min` on
};
constexpr std::array<Field, 6> kFields{{{"second", 0, 59, {}},
                                        {"minute", 0, 59, {}},
                                        {"hour", 0, 23, {}},
                                        {"day of month", 1, 31, {}},
                                        {"month", 1, 12, "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC"},
                                        {"day of week", 0, 7, "SUNMONTUEWEDTHUFRISAT"}}};
constexpr std::size_t kMonthDay = 3, kWeekday = 5;

constexpr std::array<std::pair<std::string_view, std::string_view>, 7> kNicknames{
    {{"@yearly", "0 0 1 1 *"},
     {"@annually", "0 0 1 1 *"},
     {"@monthly", "0 0 1 * *"},
     {"@weekly", "0 0 * * 0"},
     {"@daily", "0 0 * * *"},
     {"@midnight", "0 0 * * *"},
     {"@hourly", "0 * * * *"}}};

Error wrong(const Field& field, std::string_view text) {
    std::string expected = std::to_string(field.min) + " to " + std::to_string(field.max);
    if (!field.names.empty()) {
        expected += " or " + std::string(field.names.substr(0, 3)) + " to " +
                    std::string(field.names.substr(field.names.size() - 3));
    }
    return {ErrorCode::invalidArgument, "cron: the " + std::string(field.name) + " '" +
                                            std::string(text.substr(0, 60)) + "': a list of *, " +
                                            expected + ", ranges A-B and steps /N is expected"};
}

std::vector<std::string_view> split(std::string_view text, std::string_view separators) {
    std::vector<std::string_view> parts;
    while (!text.empty()) {
        const auto end = std::min(text.find_first_of(separators), text.size());
        parts.push_back(text.substr(0, end));
        if (end == text.size()) return parts;
        text.remove_prefix(end + 1);
        if (text.empty()) parts.emplace_back();
    }
    return parts;
}

std::optional<unsigned> number(std::string_view text) {
    unsigned value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || error != std::errc() || end != text.data() + text.size())
        return std::nullopt;
    return value;
}

std::optional<unsigned> valueOf(const Field& field, std::string_view text) {
    if (const auto value = number(text))
        return *value >= field.min && *value <= field.max ? value : std::nullopt;
    if (text.size() != 3) return std::nullopt;
    std::string upper(text);
    for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    const auto at = field.names.find(upper);
    if (at == std::string_view::npos || at % 3 != 0) return std::nullopt;
    return field.min + static_cast<unsigned>(at / 3);
}

/// One element of a list as bits; nothing where it is wrong.
std::optional<std::uint64_t> bitsOf(const Field& field, std::string_view element) {
    const auto slash = element.find('/');
    const auto range = element.substr(0, slash);
    std::optional<unsigned> step = 1;
    if (slash != std::string_view::npos) step = number(element.substr(slash + 1));
    if (!step || *step == 0) return std::nullopt;
    std::optional<unsigned> first = field.min, last = field.max;
    if (range != "*") {
        const auto dash = range.find('-');
        first = valueOf(field, range.substr(0, dash));
        if (dash != std::string_view::npos)
            last = valueOf(field, range.substr(dash + 1));
        else if (slash == std::string_view::npos)
            last = first;
    }
    if (!first || !last || *first > *last) return std::nullopt;
    std::uint64_t bits = 0;
    for (unsigned n = *first; n <= *last; n += *step) bits |= std::uint64_t{1} << n;
    return bits;
}

bool has(std::uint64_t bits, unsigned n) {
    return (bits >> n & 1) != 0;
}

/// The first bit from `from` on.
std::optional<unsigned> firstFrom(std::uint64_t bits, unsigned from) {
    const std::uint64_t rest = from > 63 ? 0 : bits >> from << from;
    if (rest == 0) return std::nullopt;
    return static_cast<unsigned>(std::countr_zero(rest));
}

}  // namespace

Result<Cron> Cron::parse(std::string_view text) {
    if (text.size() > kTextMax) {
        return {ErrorCode::invalidArgument,
                "cron: at most " + std::to_string(kTextMax) + " characters are expected"};
    }
    for (const auto& [nickname, meaning] : kNicknames) {
        if (text == nickname) return parse(meaning);
    }
    std::vector<std::string_view> fields;
    for (const auto part : split(text, " \t")) {
        if (!part.empty()) fields.push_back(part);
    }
    if (fields.size() == 5) fields.insert(fields.begin(), "0");
    if (fields.size() != 6) {
        return {ErrorCode::invalidArgument,
                "cron: '" + std::string(text.substr(0, 60)) +
                    "': five fields (minute, hour, day of month, month, day of week), six with the "
                    "second before them, or @daily and its kin are expected"};
    }
    Cron out;
    const std::array<std::uint64_t*, 6> bits{&out.seconds_, &out.minutes_, &out.hours_,
                                             &out.days_,    &out.months_,  &out.weekdays_};
    for (std::size_t i = 0; i < fields.size(); ++i) {
        if (fields[i] == "?" && (i == kMonthDay || i == kWeekday)) fields[i] = "*";
        *bits[i] = 0;
        for (const auto element : split(fields[i], ",")) {
            if (i == kMonthDay && (element == "L" || element == "l")) {
                out.lastDay_ = true;
                continue;
            }
            const auto more = bitsOf(kFields[i], element);
            if (!more) return wrong(kFields[i], fields[i]);
            *bits[i] |= *more;
        }
    }
    if (has(out.weekdays_, 7)) out.weekdays_ |= 1;
    const auto star = [&](std::size_t i) { return fields[i].front() == '*'; };
    out.eitherDay_ = !star(kMonthDay) && !star(kWeekday);
    out.everySoOften_ = star(1) || star(2);
    constexpr local_days kStart{year(2000) / January / 1};
    if (!out.next(kStart)) {
        return {ErrorCode::invalidArgument,
                "cron: '" + std::string(text.substr(0, 60)) + "' names a day that never comes"};
    }
    return out;
}

bool Cron::fits(year_month_day day, unsigned weekday) const {
    const bool last =
        lastDay_ &&
        day.day() == year_month_day_last(day.year() / day.month() / std::chrono::last).day();
    const bool ofMonth = last || has(days_, static_cast<unsigned>(day.day()));
    const bool ofWeek = has(weekdays_, weekday);
    return eitherDay_ ? ofMonth || ofWeek : ofMonth && ofWeek;
}

/// The first time of day at `from` or behind it.
std::optional<seconds> Cron::nextTime(seconds from) const {
    const auto h = static_cast<unsigned>(from.count() / 3600);
    const auto m = static_cast<unsigned>(from.count() / 60 % 60);
    const auto s = static_cast<unsigned>(from.count() % 60);
    const auto at = [](unsigned hour, unsigned minute, unsigned second) {
        return seconds(hour * 3600 + minute * 60 + second);
    };
    const unsigned firstMinute = *firstFrom(minutes_, 0), firstSecond = *firstFrom(seconds_, 0);
    if (has(hours_, h)) {
        if (has(minutes_, m)) {
            if (const auto second = firstFrom(seconds_, s)) return at(h, m, *second);
        }
        if (const auto minute = firstFrom(minutes_, m + 1)) return at(h, *minute, firstSecond);
    }
    const auto hour = firstFrom(hours_, h + 1);
    if (!hour) return std::nullopt;
    return at(*hour, firstMinute, firstSecond);
}

std::optional<local_seconds> Cron::next(local_seconds after) const {
    constexpr local_days kEnd{year(32'000) / January / 1};  // std::chrono counts no further
    if (after < local_days{year(0) / January / 1} || after >= kEnd) return std::nullopt;
    const local_seconds start = after + seconds(1);
    local_days day = floor<days>(start);
    seconds from = start - day;
    const year end = year_month_day(day).year() + years(kYearsAhead);
    while (true) {
        const year_month_day date(day);
        if (date.year() > end) return std::nullopt;
        if (!has(months_, static_cast<unsigned>(date.month()))) {
            const year_month next = date.year() / date.month() + months(1);
            day = local_days(next / 1);
        } else {
            if (fits(date, weekday(day).c_encoding())) {
                if (const auto time = nextTime(from)) return day + *time;
            }
            day += days(1);
        }
        from = seconds(0);
    }
}

}  // namespace busbar
