// `busbar purge` and `busbar move`
#include "server/command/operations.h"

#include "adapters/http/json.h"
#include "adapters/http/parameters.h"
#include "server/command/table.h"

#include <istream>
#include <ostream>

namespace busbar::command {
namespace {

constexpr Milliseconds kLong{600'000};  // millions of messages take their time

Result<int> runPurge(const Invocation& invocation, Surroundings& surroundings) {
    return purgeQueue(invocation, surroundings, invocation.argument(0));
}

Result<int> runMove(const Invocation& invocation, Surroundings& surroundings) {
    auto bus = BusClient::connect(invocation, surroundings);
    if (!bus) return bus.error();
    const auto from = invocation.argument(0);
    const auto to = invocation.argument(1);
    const std::string how(invocation.command->name);
    if (from == to) return usageError(invocation, surroundings, "FROM and TO are the same queue");
    const auto moved = moveMessages(*bus, invocation, from, how, to);
    if (!moved) return moved.error();
    return printCount(invocation, surroundings, *moved,
                      counted((*moved)["count"].number(), "message") +
                          (how == "copy" ? " copied" : " moved") + " from '" + from + "' to '" +
                          to + "'");
}

}  // namespace

int printCount(const Invocation& invocation, Surroundings& surroundings, const JsonView& answer,
               const std::string& sentence) {
    if (invocation.json())
        surroundings.out << answer.raw() << "\n";
    else
        surroundings.out << sentence << "\n";
    return kOk;
}

/// A rate makes it as slow as one likes.
Milliseconds timeoutOf(const Invocation& invocation) {
    return invocation.has("rate") ? Milliseconds(24 * 3'600'000) : kLong;
}

Result<int> purgeQueue(const Invocation& invocation, Surroundings& surroundings,
                       const std::string& queue) {
    auto bus = BusClient::connect(invocation, surroundings);
    if (!bus) return bus.error();
    const auto state = bus->json("GET", "/api/v1/queues/" + http::encodeSegment(queue));
    if (!state) return state.error();
    const std::string query = selectionQuery(invocation);
    const bool selected =
        invocation.has("selector") || invocation.has("ids") || invocation.has("max");
    if (!invocation.has("yes")) {
        if (!surroundings.inIsTerminal) {
            return usageError(invocation, surroundings,
                              "purging asks first, and there is no terminal: give --yes");
        }
        const auto held = (*state)["held"].number();
        const auto depth = (*state)["depth"].number();
        surroundings.err << "Delete " << (selected ? "what is selected of the " : "")
                         << counted(depth - std::min(depth, held), "message") << " from '" << queue
                         << "' for good? [y/N] " << std::flush;
        std::string answer;
        std::getline(surroundings.in, answer);
        if (answer != "y" && answer != "Y" && answer != "yes") {
            surroundings.err << "nothing was deleted\n";
            return kFailed;
        }
    }
    const auto purged =
        bus->json("DELETE", queuePath(queue, "/messages?" + query), timeoutOf(invocation));
    if (!purged) return purged.error();
    return printCount(
        invocation, surroundings, *purged,
        counted((*purged)["count"].number(), "message") + " deleted from '" + queue + "'");
}

std::vector<Option> selectionOptions() {
    using Kind = Option::Kind;
    return {{"selector", "TEXT", "only messages for which this is true (docs/selectors.md)",
             Kind::text},
            {"ids", "LIST", "only these positions, as browse shows them: 4,7,9-12", Kind::text},
            {"max", "N", "at most N, from the head; 0: all", Kind::number, 0, 0xFFFF'FFFF},
            {"rate", "N", "at most N a second", Kind::number, 1, 0xFFFF'FFFF}};
}

std::string selectionQuery(const Invocation& invocation) {
    std::string query;
    for (const char* name : {"selector", "ids", "max", "rate"}) {
        const auto value = invocation.text(name);
        if (!value.empty()) query += std::string(name) + "=" + http::encodeSegment(value) + "&";
    }
    return query;
}

Result<JsonView> moveMessages(BusClient& bus, const Invocation& invocation, const std::string& from,
                              const std::string& how, const std::string& to) {
    return bus.json("POST",
                    queuePath(from, "/" + how + "?" + selectionQuery(invocation) +
                                        (to.empty() ? "" : "to=" + http::encodeSegment(to))),
                    timeoutOf(invocation));
}

Option yesOption() {
    return {"yes", "", "do not ask"};
}

Command purgeCommand() {
    Command command;
    command.name = "purge";
    command.arguments = "QUEUE";
    command.summary = "Deletes what waits on a queue";
    command.details = "Messages that a consumer holds stay. Asks first, but with --yes.";
    command.examples =
        "busbar purge orders\nbusbar purge orders --yes --json\n"
        "busbar purge orders --selector \"region = 'north' AND price < 10\" --yes";
    command.argumentsMin = command.argumentsMax = 1;
    command.options = selectionOptions();
    command.options.push_back(yesOption());
    command.run = runPurge;
    return command;
}

Command moveCommand() {
    Command command;
    command.name = "move";
    command.arguments = "FROM TO";
    command.summary = "Moves what waits on a queue to another, each message at once here and there";
    command.examples =
        "busbar move orders orders.parked\nbusbar move orders.parked orders --max 10 --rate 5\n"
        "busbar move orders audit --ids 17,20-25";
    command.argumentsMin = command.argumentsMax = 2;
    command.options = selectionOptions();
    command.run = runMove;
    return command;
}

Command copyCommand() {
    Command command;
    command.name = "copy";
    command.arguments = "FROM TO";
    command.summary = "Copies what waits on a queue to another; the originals stay";
    command.examples = "busbar copy orders orders.test --max 100";
    command.argumentsMin = command.argumentsMax = 2;
    command.options = selectionOptions();
    command.run = runMove;
    return command;
}

}  // namespace busbar::command
