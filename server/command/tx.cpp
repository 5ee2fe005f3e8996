// `busbar tx ...`: distributed transactions whose coordinator is waited for.
#include "adapters/http/json.h"
#include "adapters/http/parameters.h"
#include "server/command/bus_client.h"
#include "server/command/operations.h"
#include "server/command/table.h"

#include <iostream>
#include <ostream>

namespace busbar::command {
namespace {

Result<int> runList(const Invocation& invocation, Surroundings& surroundings) {
    auto bus = BusClient::connect(invocation, surroundings);
    if (!bus) return bus.error();
    const auto answer = bus->json("GET", "/api/v1/transactions");
    if (!answer) return answer.error();
    if (invocation.json()) {
        surroundings.out << answer->raw() << "\n";
        return kOk;
    }
    Table table({{"ID"},
                 {"STATE"},
                 {"AGE", true},
                 {"USER"},
                 {"MESSAGES", true},
                 {"BYTES", true},
                 {"ACKS", true},
                 {"NAME"}});
    for (const auto& one : (*answer)["transactions"].elements()) {
        table.add({one["id"].text(), one["state"].text(),
                   readableTime(Milliseconds(static_cast<std::int64_t>(one["ageMs"].number()))),
                   one["user"].text(), readableCount(one["messages"].number()),
                   readableBytes(one["bytes"].number()),
                   readableCount(one["acknowledgements"].number()),
                   oneLine(one["global"].text(), 40)});
    }
    surroundings.out << (table.empty() ? "nothing is prepared\n" : table.text());
    return kOk;
}

Result<int> runDecide(const Invocation& invocation, Surroundings& surroundings) {
    const std::string what(invocation.command->name.substr(3));
    const auto id = invocation.argument(0);
    const bool decides = what != "forget";
    if (decides && !invocation.has("yes")) {
        if (!surroundings.inIsTerminal || !surroundings.outIsTerminal)
            return usageError(invocation, surroundings, "without a terminal --yes is needed");
        surroundings.out << "The coordinator of " << id << " may decide otherwise elsewhere. "
                         << (what == "commit" ? "Commit" : "Roll back") << " here? [y/N] "
                         << std::flush;
        std::string reply;
        std::getline(surroundings.in, reply);
        if (reply != "y" && reply != "yes") return kFailed;
    }
    auto bus = BusClient::connect(invocation, surroundings);
    if (!bus) return bus.error();
    const auto path = "/api/v1/transactions/" + http::encodeSegment(id) + "/" + what;
    const auto done = bus->json("POST", path);
    if (!done) return done.error();
    const char* state = what == "commit"     ? "committed"
                        : what == "rollback" ? "rolled-back"
                                             : "forgotten";
    if (invocation.json()) {
        http::JsonWriter json;
        json.beginObject().key("id").string(id).key("state").string(state).endObject();
        surroundings.out << json.take() << "\n";
    } else {
        surroundings.out << id << " is " << state << "\n";
    }
    return kOk;
}

Command deciding(std::string_view name, std::string_view summary, std::string_view details,
                 std::string_view examples) {
    auto command = makeCommand(name, "ID", {1, 1}, summary, examples, runDecide);
    command.details = details;
    return command;
}

}  // namespace

std::vector<Command> txCommands() {
    auto list =
        makeCommand("tx list", "", {0, 0}, "Shows prepared distributed transactions",
                    "busbar tx list\nbusbar tx list --json | jq '.transactions[].id'", runList);
    list.details =
        "Each waits for its coordinator. 'committed' and 'rolled-back' were decided here by an "
        "operator, and are remembered until the coordinator knows.";
    constexpr std::string_view kInPlace =
        "In place of its coordinator: only where that will never come back. The outcome is "
        "remembered, and a coordinator that says otherwise later is told.";
    auto commit = deciding("tx commit", "Commits a prepared transaction", kInPlace,
                           "busbar tx commit 4711:01ff:09 --yes");
    auto rollback = deciding("tx rollback", "Rolls a prepared transaction back", kInPlace,
                             "busbar tx rollback 4711:01ff:09 --yes");
    commit.options = {{"yes", "", "do not ask"}};
    rollback.options = commit.options;
    auto forget = deciding("tx forget", "Forgets what an operator decided of a transaction",
                           "When its coordinator knows the outcome, or will never ask.",
                           "busbar tx forget 4711:01ff:09");
    return {list, commit, rollback, forget};
}

}  // namespace busbar::command
