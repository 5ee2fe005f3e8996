#include "adapters/http/parameters.h"

#include "bus/base/id_list.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace busbar::http {
namespace {

constexpr std::size_t kIdsMax = 10'000;

Error bad(std::string_view what, std::string_view text, const std::string& expected) {
    return {ErrorCode::invalidArgument,
            std::string(what) + ": '" + std::string(text.substr(0, 64)) + "' is not " + expected};
}

}  // namespace

Result<std::uint64_t> numberOf(std::string_view what, std::string_view text, std::uint64_t fallback,
                               std::uint64_t min, std::uint64_t max) {
    if (text.empty()) return fallback;
    std::uint64_t value = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (code != std::errc{} || end != text.data() + text.size() || value < min || value > max) {
        return bad(what, text,
                   "a whole number from " + std::to_string(min) + " to " + std::to_string(max));
    }
    return value;
}

Result<Milliseconds> durationOf(std::string_view what, std::string_view text, Milliseconds fallback,
                                Milliseconds max) {
    if (text.empty()) return fallback;
    double value = 0;
    const auto* last = text.data() + text.size();
    const auto [end, code] = std::from_chars(text.data(), last, value, std::chars_format::fixed);
    const std::string_view unit(end, static_cast<std::size_t>(last - end));
    const double factor = unit.empty() || unit == "s" ? 1000
                          : unit == "ms"              ? 1
                          : unit == "m"               ? 60'000
                          : unit == "h"               ? 3'600'000
                          : unit == "d"               ? 86'400'000
                                                      : 0;
    const bool fits = value >= 0 && value * factor <= static_cast<double>(max.count());
    if (code != std::errc{} || factor == 0 || !fits) {
        return bad(what, text,
                   "a duration up to " + std::to_string(max.count() / 1000) +
                       " s (like 5, 5s, 250ms, 3m, 2h or 7d)");
    }
    return Milliseconds(static_cast<std::int64_t>(value * factor));
}

Result<bool> booleanOf(std::string_view what, std::string_view text, bool fallback) {
    if (text.empty()) return fallback;
    if (text == "true" || text == "1") return true;
    if (text == "false" || text == "0") return false;
    return bad(what, text, "true or false");
}

Result<Destination> destinationOf(std::string_view what, std::string_view text) {
    struct Spelling {
        std::string_view prefix;
        DestinationKind kind;
    };
    static constexpr std::array<Spelling, 7> kSpellings{{
        {"queue://", DestinationKind::queue},
        {"topic://", DestinationKind::topic},
        {"temp-queue://", DestinationKind::temporaryQueue},
        {"temp-topic://", DestinationKind::temporaryTopic},
        {"/queue/", DestinationKind::queue},
        {"/topic/", DestinationKind::topic},
        {"/temp-queue/", DestinationKind::temporaryQueue},
    }};
    Destination destination{DestinationKind::queue, std::string(text)};
    for (const auto& [prefix, kind] : kSpellings) {
        if (text.starts_with(prefix)) destination = {kind, std::string(text.substr(prefix.size()))};
    }
    if (auto checked = checkDestinationName(destination.name); !checked) {
        return {checked.error().code, std::string(what) + ": " + checked.error().text};
    }
    return destination;
}

Result<std::vector<StoredId>> storedIdsOf(std::string_view what, std::string_view text) {
    auto ids = parseIdList(text, kIdsMax);
    if (!ids) return {ids.error().code, std::string(what) + ": " + ids.error().text};
    return ids;
}

std::string selectorOf(const Request& request) {
    const auto text = request.parameter("selector");
    return text.empty() ? std::string() : "convert_string_expressions:" + std::string(text);
}

Result<Selection> selectionOf(const Request& request) {
    const auto max = numberOf("max", request.parameter("max"), 0, 0, ~std::uint32_t{0});
    if (!max) return max.error();
    auto ids = storedIdsOf("ids", request.parameter("ids"));
    if (!ids) return ids.error();
    return Selection{selectorOf(request), std::move(*ids), static_cast<std::uint32_t>(*max)};
}

std::string encodeSegment(std::string_view text) {
    static constexpr char kDigits[] = "0123456789ABCDEF";
    static constexpr std::string_view kPlain =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~:@$";
    std::string out;
    for (const char c : text) {
        if (kPlain.find(c) != kPlain.npos) {
            out += c;
            continue;
        }
        const auto byte = static_cast<unsigned char>(c);
        out += '%';
        out += kDigits[byte >> 4];
        out += kDigits[byte & 15];
    }
    return out;
}

}  // namespace busbar::http
