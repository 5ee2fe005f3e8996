#include "server/command/help.h"

#include <algorithm>

namespace busbar::command {
namespace {

std::string padded(std::string text, std::size_t width) {
    if (text.size() < width) text.append(width - text.size(), ' ');
    return text;
}

std::string form(const Command& command) {
    std::string out(command.name);
    if (!command.arguments.empty()) out += " " + std::string(command.arguments);
    return out;
}

std::string formOf(const Option& option) {
    std::string out = "--" + std::string(option.name);
    if (!option.value.empty()) out += " " + std::string(option.value);
    return out;
}

std::string optionLines(const std::vector<Option>& options) {
    std::string out;
    for (const auto& option : options) {
        out += "  " + padded(formOf(option), 24) + " " + std::string(option.help) + "\n";
    }
    return out;
}

std::string indented(std::string_view lines) {
    std::string out;
    while (!lines.empty()) {
        const auto end = std::min(lines.find('\n'), lines.size());
        out += "  " + std::string(lines.substr(0, end)) + "\n";
        lines.remove_prefix(std::min(end + 1, lines.size()));
    }
    return out;
}

std::string list(const std::vector<Command>& commands, std::string_view group) {
    std::string out;
    for (const auto& command : commands) {
        if (!group.empty() && !command.name.starts_with(std::string(group) + " ")) continue;
        out += "  " + padded(form(command), 30) + " " + std::string(command.summary) + "\n";
    }
    return out;
}

std::string commandHelp(const Command& command) {
    std::string out = "usage: busbar " + form(command) +
                      (command.options.empty() ? "" : " [OPTIONS]") + "\n\n" +
                      std::string(command.summary) + ".\n";
    if (!command.details.empty()) out += "\n" + std::string(command.details) + "\n";
    if (!command.options.empty()) out += "\nOptions\n" + optionLines(command.options);
    out += "\nCommon options\n" + optionLines(commonOptions(command));
    return out + "\nExamples\n" + indented(command.examples);
}

constexpr std::string_view kExamples =
    R"(busbar send orders 'hello'                       one message, safe on disk when this returns
echo '{"n":1}' | busbar send orders - --content-type application/json
busbar receive orders --wait 10                  the next message; taken off the queue once printed
busbar stats --watch 2                           every queue, every two seconds
busbar dlq list && busbar dlq retry orders       what failed, and once more
busbar call orders order.xml                     a service, with just the payload in the file
)";

constexpr std::string_view kLogin =
    R"(The bus is found at --url, else by the port in DATA/ports.json, else at http://127.0.0.1:8080.
The password comes from BUSBAR_PASSWORD, --password-file, or (for admin) DATA/admin.password; DATA is
--data, BUSBAR_DATA or ./data. Exit codes: 0 ok, 1 failed, 2 the command line is wrong.
)";

}  // namespace

std::string helpText(const std::vector<Command>& commands, std::string_view topic) {
    for (const auto& command : commands) {
        if (command.name == topic) return commandHelp(command);
    }
    if (!topic.empty()) {
        return "usage: busbar " + std::string(topic) + " COMMAND ...\n\n" + list(commands, topic) +
               "\n'busbar " + std::string(topic) + " COMMAND --help' tells more, with examples.\n";
    }
    Command any;
    return "usage: busbar COMMAND [ARGUMENTS] [OPTIONS]\n\nSends, receives and looks after a "
           "Busbar "
           "bus.\n\nCommands\n" +
           list(commands, "") + "\nOptions of every command\n" + optionLines(commonOptions(any)) +
           "\nExamples\n" + indented(kExamples) + "\n" + std::string(kLogin) +
           "'busbar COMMAND --help' tells more, with examples.\n";
}

}  // namespace busbar::command
