// bus errors -> HTTP, one table.
#pragma once

#include "adapters/http/json.h"
#include "adapters/transport/http.h"
#include "bus/base/result.h"

namespace busbar::http {

/// The status that tells a client about this error (RFC 9110).
unsigned statusOf(ErrorCode code);

/// Adds "error":{"code":"not-found","message":"..."} to an object.
void writeError(JsonWriter& json, const Error& error);

/// {"error":{"code":"not-found","message":"..."}} with the table's status. 503 comes with
/// Retry-After.
Response errorResponse(const Error& error);

}  // namespace busbar::http
