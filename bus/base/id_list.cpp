#include "bus/base/id_list.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>

namespace busbar {
namespace {

std::optional<std::uint64_t> number(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (code != std::errc{} || end != text.data() + text.size() || value == 0) return std::nullopt;
    return value;
}

}  // namespace

Result<std::vector<StoredId>> parseIdList(std::string_view text, std::size_t countMax) {
    std::vector<StoredId> ids;
    while (!text.empty()) {
        const std::size_t comma = std::min(text.find(','), text.size());
        const std::string_view item = text.substr(0, comma);
        text.remove_prefix(std::min(comma + 1, text.size()));
        const std::size_t dash = item.find('-');
        const auto first = number(item.substr(0, dash));
        const auto last = dash == std::string_view::npos ? first : number(item.substr(dash + 1));
        if (!first || !last || *last < *first) {
            return {ErrorCode::invalidArgument, "'" + std::string(item.substr(0, 60)) +
                                                    "': a number over 0 or FIRST-LAST is expected"};
        }
        if (*last - *first >= countMax - ids.size()) {
            return {ErrorCode::tooLarge, "more than " + std::to_string(countMax) + " messages"};
        }
        for (std::uint64_t id = *first; id < *last; ++id) ids.emplace_back(id);
        ids.emplace_back(*last);
    }
    return ids;
}

}  // namespace busbar
