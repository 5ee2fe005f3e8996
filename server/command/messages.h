// Messages as the bus gives them in JSON, read for people.
#pragma once

#include "server/command/bus_client.h"
#include "server/command/table.h"

#include <functional>
#include <string>

namespace busbar::command {

/// The body's own bytes: base64 undone where the bus used it. Nothing where that is broken.
std::string bodyOf(const JsonView& message);

/// One line for a table: text cut short, or how many bytes there are.
std::string bodyPreview(const JsonView& message, std::size_t charactersMax);

/// The value of a property as text; empty where it is absent.
std::string propertyOf(const JsonView& message, std::string_view name);

/// Calls `each` with the messages of `queue` from the head on, at most `max` (0: all); stops early
/// where it returns false. `filter` is added to the query: "selector=...&delayed=true&", or
/// nothing.
Result<void> browseQueue(BusClient& bus, const std::string& queue, std::uint64_t max,
                         const std::function<bool(const JsonView&)>& each,
                         const std::string& filter = {});

/// What of --selector a browse takes.
std::string browseFilter(const Invocation& invocation);

}  // namespace busbar::command
