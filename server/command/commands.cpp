// The list of commands, and how one of them is run.
#include "adapters/http/json.h"
#include "server/command/command.h"
#include "server/command/command_line.h"
#include "server/command/help.h"

#include <algorithm>
#include <iostream>

namespace busbar::command {
namespace {

void print(const Error& error, bool json, std::ostream& err) {
    if (!json) {
        err << "busbar: " << error.text << "\n";
        return;
    }
    http::JsonWriter out;
    out.beginObject().key("error").beginObject();
    out.key("code").string(name(error.code)).key("message").string(error.text);
    out.endObject().endObject();
    err << out.take() << "\n";
}

}  // namespace

std::vector<Command> allCommands() {
    std::vector<Command> all{sendCommand(),  receiveCommand(), browseCommand(), callCommand(),
                             statsCommand(), purgeCommand(),   moveCommand(),   copyCommand()};
    const auto append = [&](std::vector<Command> more) {
        std::move(more.begin(), more.end(), std::back_inserter(all));
    };
    append(deadLetterCommands());
    append(scheduleCommands());
    append(queueCommands());
    append(groupCommands());
    append(txCommands());
    append({connectionsCommand(), serviceListCommand(), noticesCommand()});
    append(journalCommands());
    append({configCommand()});
    append(userCommands());
    append({completionCommand()});
    return all;
}

std::vector<Option> commonOptions(const Command& command) {
    using Kind = Option::Kind;
    std::vector<Option> options{
        {"data", "DIR", "the bus's data directory (BUSBAR_DATA, else ./data)", Kind::file},
        {"json", "", "JSON with exact numbers instead of text for people"},
        {"help", "", "this help"}};
    if (!command.online) return options;
    options.insert(
        options.begin(),
        {{"url", "URL", "where the bus is (see busbar --help)", Kind::text},
         {"user", "NAME", "login name (admin)", Kind::text},
         {"password-file", "FILE", "its first line is the password (also: BUSBAR_PASSWORD)",
          Kind::file},
         {"ca", "FILE", "PEM certificates to trust for https (the system's)", Kind::file}});
    return options;
}

int usageError(const Invocation& invocation, Surroundings& surroundings, const std::string& what) {
    const std::string name =
        invocation.command ? " " + std::string(invocation.command->name) : std::string();
    print({ErrorCode::invalidArgument, what + ". See: busbar" + name + " --help"},
          invocation.json(), surroundings.err);
    return kUsage;
}

int runCommandLine(const std::vector<std::string>& line, Surroundings& surroundings) {
    const auto commands = allCommands();
    const bool json = std::find(line.begin(), line.end(), "--json") != line.end();
    const auto parsed = parseCommandLine(commands, line);
    if (!parsed) {
        const auto& error = parsed.error();
        print({error.code, error.text + ". See: busbar --help"}, json, surroundings.err);
        return kUsage;
    }
    if (parsed->help) {
        surroundings.out << helpText(commands, *parsed->help);
        return kOk;
    }
    const auto& invocation = parsed->invocation;
    const auto code = invocation.command->run(invocation, surroundings);
    surroundings.out.flush();
    if (!code) {
        print(code.error(), json, surroundings.err);
        return kFailed;
    }
    if (!surroundings.out) {
        print({ErrorCode::closed, "the output could not be written"}, json, surroundings.err);
        return kFailed;
    }
    return *code;
}

}  // namespace busbar::command
