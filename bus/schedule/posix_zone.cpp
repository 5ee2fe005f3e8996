#include "bus/schedule/posix_zone.h"

#include <algorithm>
#include <cctype>
#include <string>
#include <utility>

namespace busbar {

using namespace std::chrono;

class PosixZone::Reader {
  public:
    explicit Reader(std::string_view text) : text_(text) {}

    bool ok() const { return ok_; }
    bool atEnd() const { return text_.empty(); }
    bool take(char c) {
        if (text_.empty() || text_.front() != c) return false;
        text_.remove_prefix(1);
        return true;
    }
    void expect(char c) { ok_ &= take(c); }

    /// An abbreviation: letters, or anything within < >.
    void name() {
        const bool quoted = take('<');
        std::size_t size = 0;
        while (size < text_.size() &&
               (quoted ? text_[size] != '>'
                       : std::isalpha(static_cast<unsigned char>(text_[size])) != 0))
            ++size;
        ok_ &= size > 0;
        text_.remove_prefix(size);
        if (quoted) expect('>');
    }
    int number(int max) {
        int value = 0;
        ok_ &= !text_.empty() && std::isdigit(static_cast<unsigned char>(text_.front())) != 0;
        while (!text_.empty() && std::isdigit(static_cast<unsigned char>(text_.front())) != 0 &&
               value <= max) {
            value = value * 10 + (text_.front() - '0');
            text_.remove_prefix(1);
        }
        ok_ &= value <= max;
        return value;
    }
    /// [+-]hh[:mm[:ss]]
    seconds time() {
        const bool minus = take('-');
        if (!minus) take('+');
        seconds sum = hours(number(167));
        if (take(':')) sum += minutes(number(59));
        if (take(':')) sum += seconds(number(59));
        return minus ? -sum : sum;
    }
    Rule rule() {
        Rule out;
        if (take('M')) {
            out.kind = 'M';
            out.month = number(12);
            expect('.');
            out.week = number(5);
            expect('.');
            out.day = number(6);
            ok_ &= out.month > 0 && out.week > 0;
        } else {
            out.kind = take('J') ? 'J' : '0';
            out.day = number(365);
        }
        if (take('/')) out.time = time();
        return out;
    }

  private:
    std::string_view text_;
    bool ok_ = true;
};

std::optional<PosixZone> PosixZone::parse(std::string_view text) {
    Reader in(text);
    PosixZone out;
    in.name();
    out.standard_ = -in.time();  // POSIX counts west of Greenwich
    if (!in.atEnd()) {
        in.name();
        out.summer_ = out.standard_ + hours(1);
        if (!in.take(',')) {
            out.summer_ = -in.time();
            in.expect(',');
        }
        out.begins_ = in.rule();
        in.expect(',');
        out.ends_ = in.rule();
    }
    if (!in.ok() || !in.atEnd()) return std::nullopt;
    return out;
}

local_seconds PosixZone::Rule::in(int y) const {
    const std::chrono::year inYear(y);
    const local_days newYear(inYear / January / 1);
    if (kind == 'J') {
        const bool behindFebruary = day > 59 && inYear.is_leap();
        return newYear + days(day - 1 + (behindFebruary ? 1 : 0)) + time;
    }
    if (kind == '0') return newYear + days(day) + time;
    const std::chrono::month inMonth(static_cast<unsigned>(month));
    const weekday wanted(static_cast<unsigned>(day));
    const local_days at = week == 5
                              ? local_days(inYear / inMonth / wanted[last])
                              : local_days(inYear / inMonth / wanted[static_cast<unsigned>(week)]);
    return at + time;
}

std::vector<PosixZone::Change> PosixZone::changes(int firstYear, int lastYear) const {
    std::vector<Change> out;
    if (!begins_) return out;
    for (int y = firstYear; y <= lastYear; ++y) {
        out.push_back({sys_seconds(ends_->in(y).time_since_epoch() - summer_), standard_});
        out.push_back({sys_seconds(begins_->in(y).time_since_epoch() - standard_), summer_});
    }
    // Where summer time ends with the year and begins with the next, it does not end.
    std::stable_sort(out.begin(), out.end(),
                     [](const Change& a, const Change& b) { return a.time < b.time; });
    std::vector<Change> distinct;
    for (const Change& change : out) {
        if (!distinct.empty() && distinct.back().time == change.time) distinct.pop_back();
        distinct.push_back(change);
    }
    return distinct;
}

}  // namespace busbar
