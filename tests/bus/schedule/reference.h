// The same questions, answered another way: by the C library's time zones, and minute by minute.
#pragma once

#include <chrono>
#include <cstdlib>
#include <ctime>
#include <random>
#include <set>
#include <string>

namespace busbar::test {

using std::chrono::local_seconds;
using std::chrono::sys_seconds;

/// The C library, which reads the same files with its own code, is in this zone meanwhile.
class LibraryZone {
  public:
    explicit LibraryZone(const std::string& name) {
        ::setenv("TZ", (":" + name).c_str(), 1);  // NOLINT(concurrency-mt-unsafe)
        ::tzset();
    }
    ~LibraryZone() {
        ::unsetenv("TZ");  // NOLINT(concurrency-mt-unsafe)
        ::tzset();
    }
    LibraryZone(const LibraryZone&) = delete;
    LibraryZone& operator=(const LibraryZone&) = delete;

    static std::tm at(sys_seconds time) {
        const std::time_t t = time.time_since_epoch().count();
        std::tm out{};
        ::localtime_r(&t, &out);
        return out;
    }
    static std::chrono::seconds offset(sys_seconds time) {
        return std::chrono::seconds(at(time).tm_gmtoff);
    }
};

/// An expression that was made together with what it means.
struct MadeCron {
    struct Field {
        std::string text;
        std::set<int> values;
    };
    Field minute, hour, monthDay, month, weekday;

    std::string text() const {
        return minute.text + " " + hour.text + " " + monthDay.text + " " + month.text + " " +
               weekday.text;
    }
    static bool star(const Field& field) { return field.text[0] == '*'; }
    bool everySoOften() const { return star(minute) || star(hour); }
    bool matches(const std::tm& t) const {
        const bool ofMonth = monthDay.values.contains(t.tm_mday);
        const bool ofWeek = weekday.values.contains(t.tm_wday);
        const bool day = star(monthDay) || star(weekday) ? ofMonth && ofWeek : ofMonth || ofWeek;
        return day && month.values.contains(t.tm_mon + 1) && hour.values.contains(t.tm_hour) &&
               minute.values.contains(t.tm_min);
    }
};

class CronMaker {
  public:
    explicit CronMaker(std::mt19937_64& random) : random_(random) {}

    /// Mostly of the night hours, where the clocks are set.
    MadeCron make() {
        MadeCron out;
        out.minute = one(8) ? all(0, 59) : field(0, 59, 4);
        out.hour = one(8) ? all(0, 23) : field(0, one(3) ? 23 : 4, 3);
        out.monthDay = one(2) ? all(1, 31) : field(1, 31, 3);
        out.month = one(2) ? all(1, 12) : field(1, 12, 5);
        out.weekday = one(2) ? all(0, 6) : field(0, 6, 3);
        return out;
    }

  private:
    bool one(int in) { return number(1, in) == 1; }
    int number(int from, int to) {
        return from + static_cast<int>(random_() % static_cast<unsigned>(to - from + 1));
    }
    static void fill(MadeCron::Field& field, int from, int to, int step) {
        for (int n = from; n <= to; n += step) field.values.insert(n);
    }
    static MadeCron::Field all(int min, int max) {
        MadeCron::Field out{"*", {}};
        fill(out, min, max, 1);
        return out;
    }
    MadeCron::Field field(int min, int max, int parts) {
        MadeCron::Field out;
        for (int n = number(1, parts); n > 0; --n) {
            if (!out.text.empty()) out.text += ',';
            const int from = number(min, max), to = number(from, max), step = number(1, 20);
            switch (number(1, 4)) {
                case 1:
                    out.text += std::to_string(from) + "-" + std::to_string(to) + "/" +
                                std::to_string(step);
                    fill(out, from, to, step);
                    break;
                case 2:
                    out.text += std::to_string(from) + "-" + std::to_string(to);
                    fill(out, from, to, 1);
                    break;
                default:
                    out.text += std::to_string(from);
                    out.values.insert(from);
            }
        }
        return out;
    }

    std::mt19937_64& random_;
};

}  // namespace busbar::test
