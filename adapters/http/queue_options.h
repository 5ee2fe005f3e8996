// The options of queues as JSON: one table for reading and writing.
#pragma once

#include "adapters/http/json.h"
#include "bus/core/commands.h"

namespace busbar::http {

/// `options` with what `fields` says. invalidArgument names the field.
Result<QueueOptions> readQueueOptions(const FlatObject& fields, QueueOptions options);

/// Adds every option as a member of the open object.
void writeQueueOptions(JsonWriter& json, const QueueOptions& options);

}  // namespace busbar::http
