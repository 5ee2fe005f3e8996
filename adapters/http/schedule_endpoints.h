// Recurring schedules over HTTP: looking, changing, ending. They are made by sending a message with
// X-Cron or X-Period-Ms (message_mapping.h).
#pragma once

#include "adapters/http/json.h"
#include "adapters/http/user_sessions.h"
#include "adapters/transport/http.h"

namespace busbar::http {

/// Routes, for every user: what he may see and change the core decides (docs/schedules.md):
///   GET    /api/v1/schedules?after=&max=       his, and those of destinations that he manages
///   GET    /api/v1/schedules/ID
///   PUT    /api/v1/schedules/ID                another rule
///   POST   /api/v1/schedules/ID/pause, /resume
///   DELETE /api/v1/schedules/ID                one; without ID: all of his own
class ScheduleEndpoints {
  public:
    explicit ScheduleEndpoints(UserSessions& sessions) : sessions_(sessions) {}
    void install(Router& router);

  private:
    void list(const Request& request, const ResponderPtr& responder);
    void show(const Request& request, const ResponderPtr& responder);
    void change(const Request& request, const ResponderPtr& responder);
    void pause(const Request& request, const ResponderPtr& responder);
    void cancel(const Request& request, const ResponderPtr& responder);
    void cancelAll(const Request& request, const ResponderPtr& responder);

    UserSessions& sessions_;
};

/// As a member of an array, or a document.
void writeSchedule(JsonWriter& json, const SchedulePicture& schedule);

}  // namespace busbar::http
