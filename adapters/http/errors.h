// bus errors -> HTTP, one table.
#pragma once

#include "adapters/transport/http.h"
#include "bus/base/result.h"

namespace busbar::http {

/// The status that tells a client about this error (RFC 9110).
unsigned statusOf(ErrorCode code);

/// {"error":{"code":"not-found","message":"..."}} with the table's status. 503 comes with
/// Retry-After.
Response errorResponse(const Error& error);

}  // namespace busbar::http
