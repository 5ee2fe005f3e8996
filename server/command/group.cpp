// `busbar group ...`: message groups.
#include "adapters/http/json.h"
#include "adapters/http/parameters.h"
#include "bus/base/base64.h"
#include "bus/base/utf8.h"
#include "server/command/operations.h"

#include <ostream>

namespace busbar::command {
namespace {

std::string pathOf(const Invocation& invocation, const std::string& rest) {
    return queuePath(invocation.argument(0),
                     "/groups/" + http::encodeSegment(invocation.argument(1)) + rest);
}

Result<int> runPause(const Invocation& invocation, Surroundings& surroundings) {
    auto bus = BusClient::connect(invocation, surroundings);
    if (!bus) return bus.error();
    const bool paused = invocation.command->name == "group pause";
    const auto done = bus->json("POST", pathOf(invocation, paused ? "/pause" : "/resume"));
    if (!done) return done.error();
    const auto group = invocation.argument(1);
    if (invocation.json()) {
        http::JsonWriter json;
        json.beginObject().key("group").string(group).key("paused").boolean(paused).endObject();
        surroundings.out << json.take() << "\n";
    } else {
        surroundings.out << "group '" << group << "' is " << (paused ? "paused" : "resumed")
                         << "\n";
    }
    return kOk;
}

void print(const Invocation& invocation, Surroundings& surroundings, const std::string& state) {
    if (!invocation.json()) {
        surroundings.out << state << (state.ends_with('\n') ? "" : "\n");
        return;
    }
    http::JsonWriter json;
    json.beginObject().key("group").string(invocation.argument(1));
    const bool text = isUtf8(state);
    json.key("state").string(text ? state : base64(state));
    if (!text) json.key("encoding").string("base64");
    json.endObject();
    surroundings.out << json.take() << "\n";
}

Result<int> runState(const Invocation& invocation, Surroundings& surroundings) {
    if (invocation.has("set") && invocation.has("erase"))
        return usageError(invocation, surroundings, "--set and --erase exclude each other");
    auto bus = BusClient::connect(invocation, surroundings);
    if (!bus) return bus.error();
    const char* method = invocation.has("set") ? "PUT" : invocation.has("erase") ? "DELETE" : "GET";
    const auto reply =
        bus->request(method, pathOf(invocation, "/state"), {}, invocation.text("set"));
    if (!reply) return reply.error();
    if (!reply->ok()) return bus->errorOf(*reply);
    print(invocation, surroundings, invocation.has("set") ? invocation.text("set") : reply->body);
    return kOk;
}

Command command(std::string_view name, std::string_view summary, std::string_view examples,
                Command::Run run) {
    return makeCommand(name, "QUEUE GROUP", {2, 2}, summary, examples, run);
}

}  // namespace

std::vector<Command> groupCommands() {
    auto pause = command("group pause", "Stops the hand-out of one message group",
                         "busbar group pause orders customer-17", runPause);
    pause.details = "Other groups go on. Ends with 'busbar group resume', or with the bus.";
    auto resume = command("group resume", "Goes on with a group that was paused or is parked",
                          "busbar group resume orders customer-17", runPause);
    resume.details =
        "Also of a group that stopped at a message that failed for the last time "
        "(park-failed-groups).";
    auto state = command("group state", "Shows or sets what an application keeps with a group",
                         "busbar group state orders customer-17\n"
                         "busbar group state orders customer-17 --set 'step 3'",
                         runState);
    state.options = {{"set", "TEXT", "set it to this", Option::Kind::text},
                     {"erase", "", "forget it"}};
    return {pause, resume, state};
}

}  // namespace busbar::command
