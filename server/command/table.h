// Text for people: tables, and numbers as one reads them.
#pragma once

#include "bus/base/clock.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace busbar::command {

/// Columns as wide as their widest cell, two blanks apart; width counts code points.
class Table {
  public:
    struct Column {
        std::string title;
        bool right = false;  ///< numbers
    };

    explicit Table(std::vector<Column> columns);
    void add(std::vector<std::string> row);  ///< as many cells as columns
    bool empty() const { return rows_.size() == 1; }
    std::string text() const;

  private:
    std::vector<Column> columns_;
    std::vector<std::vector<std::string>> rows_;
};

std::string readableCount(std::uint64_t count);  ///< 1,234,567
std::string readableBytes(std::uint64_t bytes);  ///< 999 B, 1.5 MiB
std::string readableTime(Milliseconds time);     ///< 3 ms, 2.5 s, 4 min 10 s, 3 h 2 min, 2 d 4 h
std::string readableDate(std::int64_t epochMs);  ///< 2026-11-23 15:55:25 (UTC)
std::string oneLine(
    std::string_view text,
    std::size_t charactersMax);  ///< control characters as blanks, cut with an ellipsis

/// "1 message", "2,000 messages".
std::string counted(std::uint64_t count, const std::string& noun);

}  // namespace busbar::command
