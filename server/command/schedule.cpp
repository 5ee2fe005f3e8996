// `busbar schedule ...`: messages that wait for their time.
#include "adapters/http/parameters.h"
#include "server/command/messages.h"
#include "server/command/operations.h"

#include <ostream>

namespace busbar::command {
namespace {

constexpr std::uint64_t kTimeMsMax = 253'402'300'799'999;  // 9999-12-31

Result<int> runList(const Invocation& invocation, Surroundings& surroundings) {
    auto bus = BusClient::connect(invocation, surroundings);
    if (!bus) return bus.error();
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

Result<int> runCancel(const Invocation& invocation, Surroundings& surroundings) {
    auto bus = BusClient::connect(invocation, surroundings);
    if (!bus) return bus.error();
    const auto done = bus->json("DELETE", positionPath(invocation, ""));
    if (!done) return done.error();
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

Command command(std::string_view name, std::string_view summary, std::string_view examples,
                Command::Run run) {
    Command made = makeCommand(name, "QUEUE POSITION", {2, 2}, summary, examples, run);
    made.details = "POSITION is the number that 'busbar schedule list' shows.";
    return made;
}

}  // namespace

std::vector<Command> scheduleCommands() {
    using Kind = Option::Kind;
    auto list =
        command("schedule list", "Shows what waits for its time on a queue",
                "busbar schedule list orders\nbusbar schedule list orders --max 0 --json", runList);
    list.arguments = "QUEUE";
    list.argumentsMin = list.argumentsMax = 1;
    list.details = {};
    list.options = {{"max", "N", "at most N (20); 0: all", Kind::number, 0, 1'000'000'000},
                    {"selector", "TEXT", "only messages for which this is true (docs/selectors.md)",
                     Kind::text}};
    auto cancel = command("schedule cancel", "Deletes a message that waits for its time",
                          "busbar schedule cancel orders 17", runCancel);
    auto move = command("schedule move", "Changes when a message is delivered",
                        "busbar schedule move orders 17 --in 5m\n"
                        "busbar schedule move orders 17 --in 0                   now\n"
                        "busbar schedule move orders 17 --at 1800000000000",
                        runMove);
    move.options = {{"in", "TIME", "this long from now: 0, 250ms, 5m", Kind::duration},
                    {"at", "MS", "at this time, in ms since 1970", Kind::number, 1, kTimeMsMax}};
    return {list, cancel, move};
}

}  // namespace busbar::command
