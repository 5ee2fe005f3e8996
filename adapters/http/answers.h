// The answers that most endpoints give, and who asks.
#pragma once

#include "adapters/http/user_sessions.h"
#include "adapters/transport/http.h"

#include <string>

namespace busbar::http {

/// Who is logged in, as the server found out.
Caller callerOf(const Request& request);

void answerError(const ResponderPtr& responder, const Error& error);

/// Answers 204, or the error of the effect.
UserSessions::Answer noContent(const ResponderPtr& responder);

/// Answers {"count":N}, or the error of the effect.
UserSessions::Answer counted(const ResponderPtr& responder);

}  // namespace busbar::http
