// `busbar browse`
#include "server/command/messages.h"

#include <ostream>

namespace busbar::command {
namespace {

Result<int> runBrowse(const Invocation& invocation, Surroundings& surroundings) {
    auto bus = BusClient::connect(invocation, surroundings);
    if (!bus) return bus.error();
    Table table({{"POSITION", true},
                 {"ID"},
                 {"TIME (UTC)"},
                 {"PRIO", true},
                 {"TRIES", true},
                 {"STATE"},
                 {"BODY"}});
    const auto done = browseQueue(
        *bus, invocation.argument(0), invocation.number("max", 20),
        [&](const JsonView& message) {
            if (invocation.json()) {
                surroundings.out << message.raw() << "\n";
                return bool(surroundings.out);
            }
            const auto due = static_cast<std::int64_t>(message["dueAt"].number());
            table.add({message["position"].text(), message["id"].text(),
                       readableDate(static_cast<std::int64_t>(message["timestamp"].number())),
                       message["priority"].text(), message["deliveryCount"].text(),
                       message["held"].boolean() ? "held"
                       : due > 0                 ? "due " + readableDate(due)
                                                 : "ready",
                       bodyPreview(message, 60)});
            return true;
        },
        browseFilter(invocation) + (invocation.has("delayed") ? "delayed=true&" : ""));
    if (!done) return done.error();
    if (!invocation.json())
        surroundings.out << (table.empty() ? "the queue is empty\n" : table.text());
    return kOk;
}

}  // namespace

Command browseCommand() {
    Command command;
    command.name = "browse";
    command.arguments = "QUEUE";
    command.summary = "Shows what is on a queue, in the order of arrival; takes nothing";
    command.examples =
        "busbar browse orders\nbusbar browse DLQ.orders --max 0 --json\n"
        "busbar browse orders --selector \"price > 250 AND region LIKE 'n%'\"";
    command.argumentsMin = command.argumentsMax = 1;
    command.options = {
        {"max", "N", "at most N (20); 0: all", Option::Kind::number, 0, 1'000'000'000},
        {"selector", "TEXT", "only messages for which this is true (docs/selectors.md)",
         Option::Kind::text},
        {"delayed", "", "only what waits for its time"}};
    command.run = runBrowse;
    return command;
}

}  // namespace busbar::command
