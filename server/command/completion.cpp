// `busbar completion bash`.
#include "server/command/help.h"

#include <ostream>
#include <set>

namespace busbar::command {
namespace {

std::string joined(const std::set<std::string>& words, std::string_view between) {
    std::string out;
    for (const auto& word : words) out += (out.empty() ? "" : std::string(between)) + word;
    return out;
}

std::string optionWords(const std::vector<Option>& options) {
    std::string out;
    for (const auto& option : options) out += " --" + std::string(option.name);
    return out;
}

struct Words {
    std::set<std::string> files;   ///< options whose value is a path
    std::set<std::string> values;  ///< options with another value
    std::set<std::string> groups;  ///< first words of two
    std::string first;             ///< all first words
    std::string cases;             ///< one line of the case statement a command
};

void addOptions(Words& words, const std::vector<Option>& options) {
    for (const auto& option : options) {
        const std::string name = "--" + std::string(option.name);
        if (option.kind == Option::Kind::file)
            words.files.insert(name);
        else if (option.kind != Option::Kind::flag)
            words.values.insert(name);
    }
}

Words wordsOf(const std::vector<Command>& commands) {
    Words words;
    std::set<std::string> seen;
    for (const auto& command : commands) {
        const auto common = commonOptions(command);
        addOptions(words, command.options);
        addOptions(words, common);
        const auto space = command.name.find(' ');
        const std::string first(command.name.substr(0, space));
        if (seen.insert(first).second) words.first += (words.first.empty() ? "" : " ") + first;
        words.cases += "        \"" + std::string(command.name) + "\") words=\"" +
                       (optionWords(command.options) + optionWords(common)).substr(1) + "\" ;;\n";
        if (space == command.name.npos || !words.groups.insert(first).second) continue;
        std::string rest;
        for (const auto& other : commands) {
            if (!other.name.starts_with(first + " ")) continue;
            rest += (rest.empty() ? "" : " ") + std::string(other.name.substr(first.size() + 1));
        }
        words.cases += "        \"" + first + "\") words=\"" + rest + " --help\" ;;\n";
    }
    return words;
}

Result<int> runCompletion(const Invocation& invocation, Surroundings& surroundings) {
    if (invocation.argument(0) != "bash") {
        return usageError(invocation, surroundings, "there is completion for bash only");
    }
    surroundings.out << bashCompletion(allCommands());
    return kOk;
}

}  // namespace

std::string bashCompletion(const std::vector<Command>& commands) {
    const Words words = wordsOf(commands);
    Command any;
    return "# bash completion for busbar; made by: busbar completion bash\n"
           "_busbar() {\n"
           "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
           "    local command=\"\" words=\"\" word i\n"
           "    case $prev in\n"
           "        " +
           joined(words.files, "|") +
           ")\n"
           "            mapfile -t COMPREPLY < <(compgen -f -- \"$cur\"); return ;;\n"
           "        " +
           joined(words.values, "|") +
           ") return ;;\n"
           "    esac\n"
           "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
           "        word=${COMP_WORDS[i]}\n"
           "        case $word in\n"
           "            " +
           joined(words.files, "|") + "|" + joined(words.values, "|") +
           ") ((i++)) ;;\n"
           "            -*) ;;\n"
           "            *)\n"
           "                case $command in\n"
           "                    \"\") command=$word ;;\n"
           "                    " +
           joined(words.groups, "|") +
           ") command+=\" $word\"; break ;;\n"
           "                    *) break ;;\n"
           "                esac ;;\n"
           "        esac\n"
           "    done\n"
           "    case $command in\n"
           "        \"\") words=\"" +
           words.first + optionWords(commonOptions(any)) + "\" ;;\n" + words.cases +
           "    esac\n"
           "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
           "    [[ $cur != -* && ${#COMPREPLY[@]} -eq 0 ]] && mapfile -t COMPREPLY < <(compgen -f "
           "-- \"$cur\")\n"
           "}\n"
           "complete -o filenames -F _busbar busbar\n";
}

Command completionCommand() {
    Command command;
    command.name = "completion";
    command.arguments = "bash";
    command.summary = "Prints the shell completion";
    command.examples =
        "source <(busbar completion bash)\n"
        "busbar completion bash > ~/.local/share/bash-completion/completions/busbar";
    command.argumentsMin = command.argumentsMax = 1;
    command.online = false;
    command.run = runCompletion;
    return command;
}

}  // namespace busbar::command
