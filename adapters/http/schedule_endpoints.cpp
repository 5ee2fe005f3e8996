#include "adapters/http/schedule_endpoints.h"

#include "adapters/http/answers.h"
#include "adapters/http/parameters.h"
#include "bus/core/schedules.h"
#include "bus/message/schedule_fields.h"

namespace busbar::http {
namespace {

constexpr std::uint64_t kListMax = 10'000;

Result<StoredId> idOf(const Request& request) {
    if (const auto id = scheduleNumber(request.segments.at(3))) return *id;
    return {ErrorCode::invalidArgument,
            "'" + request.segments.at(3).substr(0, 60) +
                "' is no schedule: its number, or the scheduledJobId of its messages is expected"};
}

void writeTime(JsonWriter& json, std::string_view key, WallTime time) {
    if (time != WallTime{}) json.key(key).signedNumber(time.time_since_epoch().count());
}

Result<std::int64_t> repeatsOf(std::string_view text, std::int64_t fallback) {
    if (text == "-1") return kRepeatForever;
    const auto number = numberOf("repeats", text, static_cast<std::uint64_t>(fallback + 1), 0,
                                 static_cast<std::uint64_t>(kRepeatsMax));
    if (!number) return number.error();
    return text.empty() ? fallback : static_cast<std::int64_t>(*number);
}

/// {"cron":..., "zone":..., "delayMs":..., "periodMs":..., "repeats":...}
Result<Recurrence> ruleOf(const Request& request) {
    auto fields = readFlatObject(request.body.view());
    if (!fields) return fields.error();
    Recurrence rule;
    std::string repeats;
    for (const auto& [name, value] : *fields) {
        const bool time = name == "delayMs" || name == "periodMs";
        const auto ms = numberOf(name, time ? std::string_view(value) : "0", 0, 0,
                                 static_cast<std::uint64_t>(kPeriodMax));
        if (!ms) return ms.error();
        if (name == "cron") {
            rule.cron = value;
        } else if (name == "zone") {
            rule.zone = value;
        } else if (name == "repeats") {
            repeats = value;
        } else if (name == "delayMs") {
            rule.delay = Milliseconds(*ms);
        } else if (name == "periodMs") {
            rule.period = Milliseconds(*ms);
        } else {
            return {ErrorCode::invalidArgument,
                    "'" + name.substr(0, 60) +
                        "': a schedule has cron, zone, delayMs, periodMs and repeats"};
        }
    }
    const auto count = repeatsOf(repeats, rule.cron.empty() ? kRepeatForever : 0);
    if (!count) return count.error();
    rule.repeats = *count;
    return rule;
}

}  // namespace

void writeSchedule(JsonWriter& json, const SchedulePicture& s) {
    json.beginObject().key("id").number(s.id.value).key("scheduledJobId").string(s.name);
    json.key("destination").string(toUri(s.destination)).key("owner").string(s.owner);
    json.key("state").string(s.state);
    if (!s.trouble.empty()) json.key("trouble").string(s.trouble);
    if (!s.rule.cron.empty()) json.key("cron").string(s.rule.cron).key("zone").string(s.rule.zone);
    json.key("delayMs").signedNumber(s.rule.delay.count());
    json.key("periodMs").signedNumber(s.rule.period.count());
    json.key("repeats").signedNumber(s.rule.repeats).key("left").signedNumber(s.left);
    writeTime(json, "created", s.created);
    writeTime(json, "next", s.next);
    writeTime(json, "last", s.last);
    json.key("sent").number(s.sent).key("bytes").number(s.bytes).endObject();
}

void ScheduleEndpoints::install(Router& router) {
    const auto add = [&](const char* method, const char* pattern, auto member) {
        router.add(method, pattern, Router::Access::login,
                   [this, member](const Request& request, const ResponderPtr& responder) {
                       (this->*member)(request, responder);
                   });
    };
    add("GET", "/api/v1/schedules", &ScheduleEndpoints::list);
    add("DELETE", "/api/v1/schedules", &ScheduleEndpoints::cancelAll);
    add("GET", "/api/v1/schedules/*", &ScheduleEndpoints::show);
    add("PUT", "/api/v1/schedules/*", &ScheduleEndpoints::change);
    add("DELETE", "/api/v1/schedules/*", &ScheduleEndpoints::cancel);
    add("POST", "/api/v1/schedules/*/pause", &ScheduleEndpoints::pause);
    add("POST", "/api/v1/schedules/*/resume", &ScheduleEndpoints::pause);
}

void ScheduleEndpoints::list(const Request& request, const ResponderPtr& responder) {
    const auto after = numberOf("after", request.parameter("after"), 0, 0, ~std::uint64_t{0});
    if (!after) return answerError(responder, after.error());
    const auto max = numberOf("max", request.parameter("max"), 100, 1, kListMax);
    if (!max) return answerError(responder, max.error());
    ListSchedules command;
    command.after = StoredId(*after);
    command.max = static_cast<std::uint32_t>(*max);
    sessions_.ask(responder->bus(), callerOf(request), command, [responder](Effect& effect) {
        if (const auto* error = errorOf(effect)) return answerError(responder, *error);
        const auto* pictured = std::get_if<Pictured>(&effect);
        if (!pictured) return;
        JsonWriter json;
        json.beginObject().key("schedules").beginArray();
        for (const auto& one : pictured->picture->schedules) writeSchedule(json, one);
        json.endArray().key("more").boolean(pictured->picture->moreSchedules).endObject();
        responder->send(Response::json(200, json.take()));
    });
}

void ScheduleEndpoints::show(const Request& request, const ResponderPtr& responder) {
    const auto id = idOf(request);
    if (!id) return answerError(responder, id.error());
    ListSchedules command;
    command.only = *id;
    sessions_.ask(responder->bus(), callerOf(request), command, [responder](Effect& effect) {
        if (const auto* error = errorOf(effect)) return answerError(responder, *error);
        const auto* pictured = std::get_if<Pictured>(&effect);
        if (!pictured) return;
        if (pictured->picture->schedules.empty())
            return answerError(responder, {ErrorCode::notFound, "there is no such schedule"});
        JsonWriter json;
        writeSchedule(json, pictured->picture->schedules.front());
        responder->send(Response::json(200, json.take()));
    });
}

void ScheduleEndpoints::change(const Request& request, const ResponderPtr& responder) {
    const auto id = idOf(request);
    if (!id) return answerError(responder, id.error());
    auto rule = ruleOf(request);
    if (!rule) return answerError(responder, rule.error());
    ChangeSchedule command;
    command.id = *id;
    command.rule = std::move(*rule);
    sessions_.ask(responder->bus(), callerOf(request), std::move(command), noContent(responder));
}

void ScheduleEndpoints::pause(const Request& request, const ResponderPtr& responder) {
    const auto id = idOf(request);
    if (!id) return answerError(responder, id.error());
    ChangeSchedule command;
    command.id = *id;
    command.paused = request.segments.at(4) == "pause";
    sessions_.ask(responder->bus(), callerOf(request), std::move(command), noContent(responder));
}

void ScheduleEndpoints::cancel(const Request& request, const ResponderPtr& responder) {
    const auto id = idOf(request);
    if (!id) return answerError(responder, id.error());
    CancelSchedules command;
    command.ids = {*id};
    sessions_.ask(responder->bus(), callerOf(request), std::move(command), noContent(responder));
}

void ScheduleEndpoints::cancelAll(const Request& request, const ResponderPtr& responder) {
    sessions_.ask(responder->bus(), callerOf(request), CancelSchedules{}, counted(responder));
}

}  // namespace busbar::http
