// `busbar queue ...`: what queues are defined with.
#include "adapters/http/json.h"
#include "adapters/http/parameters.h"
#include "server/command/operations.h"
#include "server/command/table.h"

#include <istream>
#include <ostream>

namespace busbar::command {
namespace {

std::string pathOf(const Invocation& invocation) {
    return "/api/v1/queues/" + http::encodeSegment(invocation.argument(0));
}

/// --redelivery-delays 1s,10s,5m in milliseconds. The error names what is no time.
Result<std::vector<Milliseconds>> delaysOf(std::string_view text) {
    std::vector<Milliseconds> delays;
    while (!text.empty()) {
        const auto comma = std::min(text.find(','), text.size());
        const auto delay = http::durationOf("--redelivery-delays", text.substr(0, comma),
                                            Milliseconds(0), Milliseconds(366ll * 86'400'000));
        if (!delay) return delay.error();
        delays.push_back(*delay);
        text.remove_prefix(std::min(comma + 1, text.size()));
    }
    return delays;
}

/// What was given of the options, as the bus reads it.
Result<std::string> definitionOf(const Invocation& invocation) {
    http::JsonWriter json;
    json.beginObject();
    for (const auto& [option, field] : {std::pair{"deliveries-max", "deliveriesMax"},
                                        {"messages-max", "messagesMax"},
                                        {"bytes-max", "bytesMax"}}) {
        if (invocation.has(option)) json.key(field).number(invocation.number(option, 0));
    }
    for (const auto& [option, field] : {std::pair{"age-max", "ageMaxMs"}, {"lease", "leaseMs"}}) {
        if (invocation.has(option))
            json.key(field).signedNumber(invocation.duration(option, {}).count());
    }
    for (const auto& [option, field] :
         {std::pair{"when-full", "whenFull"}, {"durability", "durability"}}) {
        if (invocation.has(option)) json.key(field).string(invocation.text(option));
    }
    if (invocation.has("park-failed-groups")) json.key("parkFailedGroups").boolean(true);
    if (invocation.has("redelivery-delays")) {
        const auto delays = delaysOf(invocation.text("redelivery-delays"));
        if (!delays) return delays.error();
        json.key("redeliveryDelaysMs").beginArray();
        for (const Milliseconds delay : *delays) json.signedNumber(delay.count());
        json.endArray();
    }
    json.endObject();
    return json.take();
}

void printMembers(const JsonView& object, std::ostream& out) {
    for (const auto& [name, value] : object.members()) {
        if (value.members().empty()) {
            std::string padded = name;
            padded.resize(std::max<std::size_t>(20, name.size() + 1), ' ');
            out << padded << (value.elements().empty() ? value.text() : std::string(value.raw()))
                << "\n";
        } else {
            printMembers(value, out);
        }
    }
}

int print(const Invocation& invocation, Surroundings& surroundings, const JsonView& answer) {
    if (invocation.json())
        surroundings.out << answer.raw() << "\n";
    else
        printMembers(answer, surroundings.out);
    return kOk;
}

Result<int> runDefine(const Invocation& invocation, Surroundings& surroundings) {
    const auto definition = definitionOf(invocation);
    if (!definition) return usageError(invocation, surroundings, definition.error().text);
    auto bus = BusClient::connect(invocation, surroundings);
    if (!bus) return bus.error();
    const auto answer = bus->json("PUT", pathOf(invocation), Milliseconds(30'000), *definition);
    if (!answer) return answer.error();
    return print(invocation, surroundings, *answer);
}

Result<int> runShow(const Invocation& invocation, Surroundings& surroundings) {
    auto bus = BusClient::connect(invocation, surroundings);
    if (!bus) return bus.error();
    const auto answer = bus->json("GET", pathOf(invocation));
    if (!answer) return answer.error();
    return print(invocation, surroundings, *answer);
}

Result<int> runDelete(const Invocation& invocation, Surroundings& surroundings) {
    auto bus = BusClient::connect(invocation, surroundings);
    if (!bus) return bus.error();
    const auto queue = invocation.argument(0);
    const auto state = bus->json("GET", pathOf(invocation));
    if (!state) return state.error();
    if (!invocation.has("yes")) {
        if (!surroundings.inIsTerminal) {
            return usageError(invocation, surroundings,
                              "deleting asks first, and there is no terminal: give --yes");
        }
        surroundings.err << "Delete queue '" << queue << "' with "
                         << counted((*state)["depth"].number(), "message") << " for good? [y/N] "
                         << std::flush;
        std::string answer;
        std::getline(surroundings.in, answer);
        if (answer != "y" && answer != "Y" && answer != "yes") {
            surroundings.err << "nothing was deleted\n";
            return kFailed;
        }
    }
    const auto done = bus->json("DELETE", pathOf(invocation));
    if (!done) return done.error();
    http::JsonWriter json;
    json.beginObject().key("deleted").string(queue).endObject();
    surroundings.out << (invocation.json() ? json.take() : "queue '" + queue + "' is deleted")
                     << "\n";
    return kOk;
}

Command command(std::string_view name, std::string_view summary, std::string_view examples,
                Command::Run run) {
    return makeCommand(name, "QUEUE", {1, 1}, summary, examples, run);
}

}  // namespace

std::vector<Command> queueCommands() {
    using Kind = Option::Kind;
    auto define = command(
        "queue define", "Makes a queue, or changes what it is defined with",
        "busbar queue define orders --deliveries-max 5 --redelivery-delays 1s,10s,5m\n"
        "busbar queue define live --messages-max 1000 --when-full drop-oldest --durability none",
        runDefine);
    define.details =
        "What is not given is as the bus's configuration has it for queues of this name.\n"
        "A queue that the configuration names is defined by it again at the next start.";
    define.options = {
        {"deliveries-max", "N", "failed deliveries before the dead letters (10); 0: no limit",
         Kind::number, 0, 0xFFFF'FFFF},
        {"messages-max", "N", "messages that it holds; 0: no limit", Kind::number},
        {"bytes-max", "N", "bytes that it holds; 0: no limit", Kind::number},
        {"age-max", "TIME", "messages expire at the latest then; 0: never", Kind::duration},
        {"when-full", "WHAT", "reject, block, drop-oldest or spill", Kind::text},
        {"durability", "HOW", "fsync, os or none: what a confirmed message survives", Kind::text},
        {"redelivery-delays", "TIMES", "after the 1st failure, the 2nd, ...: 1s,10s,5m",
         Kind::text},
        {"lease", "TIME", "how long a consumer may hold a message (12 h at most); 0: no end",
         Kind::duration},
        {"park-failed-groups", "", "a group stops at a message that fails for the last time"}};
    auto remove = command("queue delete", "Removes a queue with all it holds",
                          "busbar queue delete orders.old --yes", runDelete);
    remove.details = "Refused while it has consumers. Asks first, but with --yes.";
    remove.options = {yesOption()};
    return {
        define,
        command("queue show", "Shows what a queue is defined with, and its counters",
                "busbar queue show orders\nbusbar queue show orders --json | jq .depth", runShow),
        remove};
}

}  // namespace busbar::command
