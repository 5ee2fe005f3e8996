// `busbar schedule ...`: messages that wait for their time, and those that are sent again and
// again.
#include "adapters/http/json.h"
#include "adapters/http/parameters.h"
#include "server/command/messages.h"
#include "server/command/operations.h"

#include <ostream>

namespace busbar::command {
namespace {

constexpr Milliseconds kTimeout{30'000};
constexpr std::uint64_t kTimeMsMax = 253'402'300'799'999;  // 9999-12-31

std::string ruleText(const JsonView& one) {
    std::string text = one["cron"].text();
    if (!text.empty() && one["zone"].text() != "UTC") text += " " + one["zone"].text();
    const bool forEver = one["repeats"].text() == "-1";
    if (one["repeats"].number() == 0 && !forEver) return text;
    if (!text.empty()) text += ", ";
    text +=
        "every " + readableTime(Milliseconds(static_cast<std::int64_t>(one["periodMs"].number())));
    if (!forEver) text += ", " + readableCount(one["repeats"].number() + 1) + " times";
    return text;
}

/// Recurring ones, page by page.
Result<int> listRecurring(BusClient& bus, const Invocation& invocation,
                          Surroundings& surroundings) {
    const auto max = invocation.number("max", 0);
    Table table({{"ID", true},
                 {"STATE"},
                 {"NEXT (UTC)"},
                 {"SENT", true},
                 {"OWNER"},
                 {"DESTINATION"},
                 {"RULE"}});
    std::string after = "0";
    std::uint64_t shown = 0;
    for (bool more = true; more && (max == 0 || shown < max);) {
        const auto page = bus.json("GET", "/api/v1/schedules?max=1000&after=" + after);
        if (!page) return page.error();
        for (const auto& one : (*page)["schedules"].elements()) {
            if (max != 0 && shown == max) break;
            ++shown;
            after = std::to_string(static_cast<std::uint64_t>(one["id"].number()));
            if (invocation.json()) {
                surroundings.out << one.raw() << "\n";
                continue;
            }
            const auto next = static_cast<std::int64_t>(one["next"].number());
            const auto trouble = one["trouble"].text();
            table.add({after, one["state"].text(), next > 0 ? readableDate(next) : "-",
                       readableCount(one["sent"].number()), one["owner"].text(),
                       one["destination"].text(),
                       ruleText(one) + (trouble.empty() ? "" : " (" + oneLine(trouble, 80) + ")")});
        }
        more = (*page)["more"].boolean();
    }
    if (!invocation.json())
        surroundings.out << (table.empty() ? "there are no recurring schedules\n" : table.text());
    return kOk;
}

Result<int> runList(const Invocation& invocation, Surroundings& surroundings) {
    auto bus = BusClient::connect(invocation, surroundings);
    if (!bus) return bus.error();
    if (invocation.arguments.empty()) {
        if (invocation.has("selector"))
            return usageError(invocation, surroundings, "--selector needs a QUEUE");
        return listRecurring(*bus, invocation, surroundings);
    }
    Table table({{"POSITION", true}, {"DUE (UTC)"}, {"ID"}, {"BODY"}});
    const auto done = browseQueue(
        *bus, invocation.argument(0), invocation.number("max", 20),
        [&](const JsonView& message) {
            if (invocation.json()) {
                surroundings.out << message.raw() << "\n";
                return bool(surroundings.out);
            }
            table.add({message["position"].text(),
                       readableDate(static_cast<std::int64_t>(message["dueAt"].number())),
                       message["id"].text(), bodyPreview(message, 60)});
            return true;
        },
        browseFilter(invocation) + "delayed=true&");
    if (!done) return done.error();
    if (!invocation.json())
        surroundings.out << (table.empty() ? "nothing waits for its time\n" : table.text());
    return kOk;
}

std::string positionPath(const Invocation& invocation, const std::string& rest) {
    return queuePath(invocation.argument(0),
                     "/messages/" + http::encodeSegment(invocation.argument(1)) + rest);
}

std::string recurringPath(const Invocation& invocation, const std::string& rest) {
    return "/api/v1/schedules/" + http::encodeSegment(invocation.argument(0)) + rest;
}

Result<int> runCancel(const Invocation& invocation, Surroundings& surroundings) {
    auto bus = BusClient::connect(invocation, surroundings);
    if (!bus) return bus.error();
    const bool recurring = invocation.arguments.size() == 1;
    const auto done = bus->json(
        "DELETE", recurring ? recurringPath(invocation, "") : positionPath(invocation, ""));
    if (!done) return done.error();
    if (recurring && !invocation.json()) {
        surroundings.out << "cancelled: nothing more of it is sent\n";
        return kOk;
    }
    surroundings.out << (invocation.json() ? std::string("{\"count\":1}")
                                           : "cancelled: the message is deleted")
                     << "\n";
    return kOk;
}

Result<int> runMove(const Invocation& invocation, Surroundings& surroundings) {
    if (invocation.has("at") == invocation.has("in")) {
        return usageError(invocation, surroundings, "either --at MS or --in TIME is needed");
    }
    auto bus = BusClient::connect(invocation, surroundings);
    if (!bus) return bus.error();
    const std::string when =
        invocation.has("at") ? "at=" + invocation.text("at")
                             : "in=" + std::to_string(invocation.duration("in", {}).count()) + "ms";
    const auto done = bus->json("POST", positionPath(invocation, "/schedule?" + when));
    if (!done) return done.error();
    surroundings.out << (invocation.json() ? "{\"count\":1}" : "rescheduled") << "\n";
    return kOk;
}

Result<int> runPause(const Invocation& invocation, Surroundings& surroundings) {
    auto bus = BusClient::connect(invocation, surroundings);
    if (!bus) return bus.error();
    const bool pause = invocation.command->name.ends_with("pause");
    const auto done = bus->json("POST", recurringPath(invocation, pause ? "/pause" : "/resume"));
    if (!done) return done.error();
    surroundings.out << (invocation.json() ? "{\"count\":1}"
                         : pause           ? "paused"
                                           : "resumed")
                     << "\n";
    return kOk;
}

Result<int> runChange(const Invocation& invocation, Surroundings& surroundings) {
    if (!invocation.has("cron") && !invocation.has("every"))
        return usageError(invocation, surroundings, "--cron EXPR or --every TIME is needed");
    auto bus = BusClient::connect(invocation, surroundings);
    if (!bus) return bus.error();
    http::JsonWriter json;
    json.beginObject();
    if (invocation.has("cron")) json.key("cron").string(invocation.text("cron"));
    if (invocation.has("zone")) json.key("zone").string(invocation.text("zone"));
    const auto time = [&](const char* option, const char* key) {
        if (invocation.has(option))
            json.key(key).signedNumber(invocation.duration(option, {}).count());
    };
    time("every", "periodMs");
    time("delay", "delayMs");
    if (invocation.has("times")) json.key("repeats").number(invocation.number("times", 1) - 1);
    json.endObject();
    const auto done = bus->json("PUT", recurringPath(invocation, ""), kTimeout, json.take());
    if (!done) return done.error();
    surroundings.out << (invocation.json() ? "{\"count\":1}" : "changed") << "\n";
    return kOk;
}

Command command(std::string_view name, std::string_view summary, std::string_view examples,
                Command::Run run) {
    Command made = makeCommand(name, "QUEUE POSITION", {2, 2}, summary, examples, run);
    made.details = "POSITION is the number that 'busbar schedule list' shows.";
    return made;
}

}  // namespace

std::vector<Command> scheduleCommands() {
    using Kind = Option::Kind;
    auto list = command(
        "schedule list", "Shows what waits for its time on a queue, or recurring schedules",
        "busbar schedule list orders\nbusbar schedule list orders --max 0 --json\n"
        "busbar schedule list                              recurring ones: yours, and those of\n"
        "                                                  destinations that you manage",
        runList);
    list.arguments = "[QUEUE]";
    list.argumentsMin = 0;
    list.argumentsMax = 1;
    list.details = "Recurring schedules are made with 'busbar send --cron' or '--every'.";
    list.options = {
        {"max", "N", "at most N (20; recurring: all); 0: all", Kind::number, 0, 1'000'000'000},
        {"selector", "TEXT", "only messages for which this is true (docs/selectors.md)",
         Kind::text}};
    auto cancel = command("schedule cancel",
                          "Deletes a message that waits for its time, or a recurring schedule",
                          "busbar schedule cancel orders 17\n"
                          "busbar schedule cancel 42                         a recurring one",
                          runCancel);
    cancel.arguments = "QUEUE POSITION | ID";
    cancel.argumentsMin = 1;
    cancel.details = "POSITION and ID are the numbers that 'busbar schedule list' shows.";
    auto move = command("schedule move", "Changes when a message is delivered",
                        "busbar schedule move orders 17 --in 5m\n"
                        "busbar schedule move orders 17 --in 0                   now\n"
                        "busbar schedule move orders 17 --at 1800000000000",
                        runMove);
    move.options = {{"in", "TIME", "this long from now: 0, 250ms, 5m", Kind::duration},
                    {"at", "MS", "at this time, in ms since 1970", Kind::number, 1, kTimeMsMax}};
    auto pause =
        makeCommand("schedule pause", "ID", {1, 1}, "Stops a recurring schedule for a while",
                    "busbar schedule pause 42", runPause);
    auto resume =
        makeCommand("schedule resume", "ID", {1, 1}, "Lets a recurring schedule go on, from now",
                    "busbar schedule resume 42", runPause);
    auto change =
        makeCommand("schedule change", "ID", {1, 1}, "Gives a recurring schedule another rule",
                    "busbar schedule change 42 --cron '0 4 * * *' --zone Europe/Berlin\n"
                    "busbar schedule change 42 --every 10m --times 6",
                    runChange);
    change.details = "The whole rule: what is not given is not kept.";
    change.options = {
        {"cron", "EXPR", "at each of these times: '0 3 * * 1-5', @daily", Kind::text},
        {"zone", "NAME", "time zone of --cron: Europe/Berlin (UTC)", Kind::text},
        {"every", "TIME", "this often", Kind::duration},
        {"delay", "TIME", "before the first one; with --cron: after each time", Kind::duration},
        {"times", "N", "copies of --every in all (no end), or at each time of --cron (1)",
         Kind::number, 1, 1'000'000'000}};
    return {list, cancel, move, pause, resume, change};
}

}  // namespace busbar::command
