// `busbar connections`, `busbar service list` and `busbar notices`
#include "server/command/bus_client.h"
#include "server/command/table.h"

#include <ostream>

namespace busbar::command {
namespace {

using Row = std::vector<std::string> (*)(const JsonView&);

/// One management page as a table, one row for each element of `field`.
Result<int> show(const Invocation& invocation, Surroundings& surroundings, const std::string& field,
                 Table table, Row row, const char* none) {
    auto bus = BusClient::connect(invocation, surroundings);
    if (!bus) return bus.error();
    const auto answer = bus->json("GET", "/api/v1/" + field);
    if (!answer) return answer.error();
    if (invocation.json()) {
        surroundings.out << answer->raw() << "\n";
        return kOk;
    }
    for (const auto& element : (*answer)[field].elements()) table.add(row(element));
    surroundings.out << (table.empty() ? none : table.text());
    return kOk;
}

std::string orDash(const std::string& text) {
    return text.empty() ? "-" : text;
}

Result<int> runConnections(const Invocation& invocation, Surroundings& surroundings) {
    return show(
        invocation, surroundings, "sessions",
        Table({{"USER"},
               {"PROTOCOL"},
               {"REMOTE"},
               {"CLIENT ID"},
               {"CONSUMERS", true},
               {"HELD", true},
               {"SENT", true},
               {"BLOCKED"}}),
        [](const JsonView& s) -> std::vector<std::string> {
            return {s["user"].text(),
                    s["protocol"].text(),
                    orDash(s["remote"].text()),
                    orDash(s["clientId"].text()),
                    readableCount(s["consumers"].number()),
                    readableCount(s["held"].number()),
                    readableCount(s["sent"].number()),
                    orDash(oneLine(s["blocked"].text(), 60))};
        },
        "no connections\n");
}

Result<int> runServices(const Invocation& invocation, Surroundings& surroundings) {
    return show(
        invocation, surroundings, "services",
        Table({{"SERVICE"},
               {"OPEN", true},
               {"CALLS", true},
               {"REPLIES", true},
               {"TIMEOUTS", true},
               {"LATE", true},
               {"DOUBLED", true}}),
        [](const JsonView& s) -> std::vector<std::string> {
            std::vector<std::string> out{s["name"].text()};
            for (const char* name :
                 {"openCalls", "calls", "replies", "timeouts", "lateReplies", "duplicateReplies"}) {
                out.push_back(readableCount(s[name].number()));
            }
            return out;
        },
        "no services: the configuration's <services> names them (docs/services.md)\n");
}

}  // namespace

Command noticesCommand() {
    Command command;
    command.name = "notices";
    command.summary = "Shows the latest warnings and alarms of the bus, newest last";
    command.examples = "busbar notices\nbusbar notices --json | jq '.notices[-1]'";
    command.run = [](const Invocation& invocation, Surroundings& surroundings) {
        return show(
            invocation, surroundings, "notices", Table({{"NOTICE"}}),
            [](const JsonView& notice) -> std::vector<std::string> { return {notice.text()}; },
            "nothing to report\n");
    };
    return command;
}

Command connectionsCommand() {
    Command command;
    command.name = "connections";
    command.summary = "Shows who is connected";
    command.details =
        "HTTP clients share one session a user and I/O loop; the bus's own are 'internal'.";
    command.examples = "busbar connections\nbusbar connections --json | jq '.sessions | length'";
    command.run = runConnections;
    return command;
}

Command serviceListCommand() {
    Command command;
    command.name = "service list";
    command.summary = "Shows services and how their calls went";
    command.details =
        "LATE: replies after the call's timeout. DOUBLED: second replies to one call, dropped.";
    command.examples = "busbar service list";
    command.run = runServices;
    return command;
}

}  // namespace busbar::command
