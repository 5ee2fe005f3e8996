// The messages of a batch, from JSON. docs/http-messages.md, "Batches", is the manual.
#pragma once

#include "bus/base/result.h"
#include "bus/message/message.h"

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

namespace busbar::http {

/// JSON values of one batch, at all levels.
inline constexpr std::size_t kBatchValuesMax = 200'000;

/// Reads an array of at most `countMax` objects. Each has the fields that a message which is
/// received shows (writeMessage), so that what was received can be sent; those that only the bus
/// can say (id, timestamp, lease, ...) are passed over. Whatever is wrong with any element is the
/// error, which begins with the element and its field: "[3].priority: ...".
Result<std::vector<std::shared_ptr<Message>>> messagesOf(std::string_view json,
                                                         const Destination& destination,
                                                         WallTime now, std::size_t countMax);

}  // namespace busbar::http
