// Query parameters and header values as numbers, times and names, with errors that name the
// parameter.
#pragma once

#include "adapters/transport/http.h"
#include "bus/base/clock.h"
#include "bus/base/result.h"
#include "bus/core/commands.h"
#include "bus/message/destination.h"

#include <cstdint>
#include <string_view>
#include <vector>

namespace busbar::http {

/// A whole number from `min` to `max`; `fallback` where `text` is empty. The error names `what`.
Result<std::uint64_t> numberOf(std::string_view what, std::string_view text, std::uint64_t fallback,
                               std::uint64_t min, std::uint64_t max);

/// A duration: "5", "2.5" or "5s" in seconds, "250ms", "3m", "2h", "7d"; at most `max`. `fallback`
/// where `text` is empty.
Result<Milliseconds> durationOf(std::string_view what, std::string_view text, Milliseconds fallback,
                                Milliseconds max);

/// "true", "false", "1", "0".
Result<bool> booleanOf(std::string_view what, std::string_view text, bool fallback);

/// "queue://N", "topic://N", "temp-queue://N", "temp-topic://N", "/queue/N", "/topic/N", or N for a
/// queue.
Result<Destination> destinationOf(std::string_view what, std::string_view text);

/// Numbers of stored messages and ranges of them: "4,7,9-12"; at most 10 000 in all.
Result<std::vector<StoredId>> storedIdsOf(std::string_view what, std::string_view text);

/// What an operator means by the parameters selector, ids and max. Selectors read strings as
/// numbers where they mean numbers, as properties that came over HTTP and STOMP are strings.
Result<Selection> selectionOf(const Request& request);
std::string selectorOf(const Request& request);

/// Percent-encodes a path segment (RFC 3986).
std::string encodeSegment(std::string_view text);

}  // namespace busbar::http
