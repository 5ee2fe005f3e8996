#include "server/command/table.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace busbar::command {
namespace {

bool startsCharacter(char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
}

std::size_t width(std::string_view text) {
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), startsCharacter));
}

}  // namespace

Table::Table(std::vector<Column> columns) : columns_(std::move(columns)) {
    std::vector<std::string> titles;
    for (const auto& column : columns_) titles.push_back(column.title);
    rows_.push_back(std::move(titles));
}

void Table::add(std::vector<std::string> row) {
    rows_.push_back(std::move(row));
}

std::string Table::text() const {
    std::vector<std::size_t> widths(columns_.size(), 0);
    for (const auto& row : rows_) {
        for (std::size_t i = 0; i < widths.size(); ++i) {
            widths[i] = std::max(widths[i], width(row[i]));
        }
    }
    std::string out;
    for (const auto& row : rows_) {
        std::string line;
        for (std::size_t i = 0; i < widths.size(); ++i) {
            const std::string space(widths[i] - width(row[i]), ' ');
            if (i > 0) line += "  ";
            line += columns_[i].right ? space + row[i] : row[i] + space;
        }
        line.erase(line.find_last_not_of(' ') + 1);
        out += line + "\n";
    }
    return out;
}

std::string readableCount(std::uint64_t count) {
    std::string digits = std::to_string(count);
    for (std::size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, 1, ',');
    return digits;
}

std::string readableBytes(std::uint64_t bytes) {
    static constexpr std::array<const char*, 5> kUnits{"KiB", "MiB", "GiB", "TiB", "PiB"};
    if (bytes < 1024) return std::to_string(bytes) + " B";
    double value = static_cast<double>(bytes) / 1024;
    std::size_t unit = 0;
    for (; value >= 1023.95 && unit + 1 < kUnits.size(); ++unit) value /= 1024;
    return fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::string readableTime(Milliseconds time) {
    const auto ms = std::max<std::int64_t>(time.count(), 0);
    const auto s = ms / 1000;
    if (ms < 1000) return fmt::format("{} ms", ms);
    if (s < 60) return fmt::format("{:.1f} s", static_cast<double>(ms - ms % 100) / 1000);
    if (s < 3600) return fmt::format("{} min {} s", s / 60, s % 60);
    if (s < 86'400) return fmt::format("{} h {} min", s / 3600, s / 60 % 60);
    return fmt::format("{} d {} h", s / 86'400, s / 3600 % 24);
}

std::string readableDate(std::int64_t epochMs) {
    if (epochMs <= 0) return "-";
    return fmt::format("{:%Y-%m-%d %H:%M:%S}",
                       fmt::gmtime(static_cast<std::time_t>(epochMs / 1000)));
}

std::string oneLine(std::string_view text, std::size_t charactersMax) {
    std::string out;
    std::size_t characters = 0;
    for (const char c : text) {
        if (startsCharacter(c) && ++characters > charactersMax) return out + "…";
        const auto byte = static_cast<unsigned char>(c);
        out += byte < 0x20 || byte == 0x7f ? ' ' : c;
    }
    return out;
}

std::string counted(std::uint64_t count, const std::string& noun) {
    return readableCount(count) + " " + noun + (count == 1 ? "" : "s");
}

}  // namespace busbar::command
