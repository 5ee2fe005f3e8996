#include "server/command/command_line.h"

#include "adapters/http/parameters.h"

#include <algorithm>
#include <array>
#include <numeric>

namespace busbar::command {
namespace {

/// Words of the design that this version does not offer.
constexpr std::array<std::string_view, 3> kLater{"registry", "route", "bench"};

Error wrong(std::string text) {
    return {ErrorCode::invalidArgument, std::move(text)};
}

std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), 0u);
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = std::exchange(row[0], i);
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = row[j];
            row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
        }
    }
    return row.back();
}

std::string hint(std::string_view word, const std::vector<std::string>& words) {
    const auto near = nearWords(word, words);
    return near.empty() ? std::string() : "; near are: " + near;
}

/// Without the options' own names, which are the same for all commands.
const std::vector<Option>& optionsBeforeCommand() {
    static const std::vector<Option> kOptions = [] {
        Command any;
        any.online = true;
        return commonOptions(any);
    }();
    return kOptions;
}

class Parser {
  public:
    Parser(const std::vector<Command>& commands, const std::vector<std::string>& line)
        : commands_(commands), line_(line) {}

    Result<Parsed> run() {
        for (at_ = 0; at_ < line_.size(); ++at_) {
            const auto& word = line_[at_];
            const bool option = !optionsEnded_ && word.size() > 1 && word.front() == '-';
            auto taken = option ? takeOption(word) : takeWord(word);
            if (!taken) return taken.error();
        }
        return finish();
    }

  private:
    Result<void> takeOption(const std::string& word) {
        if (word == "--") {
            optionsEnded_ = true;
            return {};
        }
        if (word == "-h" || word == "--help") {
            help_ = true;
            return {};
        }
        if (!word.starts_with("--")) {
            return wrong("what is '" + word + "'? Put -- before text that starts with a dash");
        }
        const auto equals = word.find('=');
        const auto name = word.substr(2, equals == word.npos ? word.npos : equals - 2);
        const Option* option = find(name);
        if (!option) return unknownOption(name);
        std::string value = equals == word.npos ? "" : word.substr(equals + 1);
        if (option->kind == Option::Kind::flag) {
            if (equals != word.npos) return wrong("--" + name + " takes no value");
        } else if (equals == word.npos) {
            if (at_ + 1 == line_.size()) {
                return wrong("--" + name + " needs a value: --" + name + " " +
                             std::string(option->value));
            }
            value = line_[++at_];
        }
        if (auto fine = check(*option, value); !fine) return fine;
        parsed_.invocation.options.emplace(name, std::move(value));
        return {};
    }

    Result<void> takeWord(const std::string& word) {
        auto& invocation = parsed_.invocation;
        if (invocation.command) {
            invocation.arguments.push_back(word);
            return {};
        }
        const std::string name = group_.empty() ? word : group_ + " " + word;
        for (const auto& command : commands_) {
            if (command.name == name) {
                invocation.command = &command;
                return {};
            }
            if (command.name.starts_with(name + " ") && group_.empty()) {
                group_ = word;
                return {};
            }
        }
        if (std::find(kLater.begin(), kLater.end(), name) != kLater.end()) {
            return {ErrorCode::unsupported, "'" + name + "' is not in this version"};
        }
        if (name == "help" && group_.empty()) {
            help_ = true;
            return {};
        }
        return unknownCommand(name);
    }

    Result<Parsed> finish() {
        const auto& invocation = parsed_.invocation;
        if (help_) {
            parsed_.help = invocation.command ? std::string(invocation.command->name) : group_;
            return std::move(parsed_);
        }
        if (!invocation.command) {
            if (group_.empty()) return wrong("which command?");
            return wrong("'" + group_ + "' needs one of: " + wordsAfter(group_));
        }
        const auto& command = *invocation.command;
        const auto count = invocation.arguments.size();
        const std::string form =
            std::string(command.name) +
            (command.arguments.empty() ? "" : " " + std::string(command.arguments));
        if (count < command.argumentsMin) return wrong("something is missing: busbar " + form);
        if (count > command.argumentsMax) {
            return wrong("'" + invocation.arguments[command.argumentsMax] +
                         "' is one argument too many: busbar " + form +
                         (command.argumentsMax > 1 ? " (quote text with spaces)" : ""));
        }
        return std::move(parsed_);
    }

    const Option* find(std::string_view name) {
        const auto in = [&](const std::vector<Option>& options) -> const Option* {
            const auto at = std::find_if(options.begin(), options.end(),
                                         [&](const Option& o) { return o.name == name; });
            return at == options.end() ? nullptr : &*at;
        };
        const Command* command = parsed_.invocation.command;
        if (!command) return in(optionsBeforeCommand());
        if (const Option* own = in(command->options)) return own;
        common_ = commonOptions(*command);
        return in(common_);
    }

    Error unknownOption(const std::string& name) {
        const Command* command = parsed_.invocation.command;
        if (!command) {
            return wrong("unknown option --" + name + " (a command's options go after its name)");
        }
        std::vector<std::string> names;
        for (const auto& option : command->options) names.emplace_back(option.name);
        for (const auto& option : commonOptions(*command)) names.emplace_back(option.name);
        for (auto& known : names) known.insert(0, "--");
        return wrong("'" + std::string(command->name) + "' has no option --" + name +
                     hint("--" + name, names));
    }

    Error unknownCommand(const std::string& name) {
        std::vector<std::string> names;
        for (const auto& command : commands_) names.emplace_back(command.name);
        if (!group_.empty()) {
            return wrong("there is no '" + name + "'; '" + group_ + "' has: " + wordsAfter(group_));
        }
        return wrong("there is no command '" + name + "'" + hint(name, names));
    }

    std::string wordsAfter(const std::string& group) const {
        std::string out;
        for (const auto& command : commands_) {
            if (!command.name.starts_with(group + " ")) continue;
            out += (out.empty() ? "" : ", ") + std::string(command.name.substr(group.size() + 1));
        }
        return out;
    }

    static Result<void> check(const Option& option, const std::string& value) {
        const std::string what = "--" + std::string(option.name);
        if (option.kind == Option::Kind::flag) return {};
        if (value.empty()) return wrong(what + " needs a value that is not empty");
        if (option.kind == Option::Kind::number) {
            auto number = http::numberOf(what, value, 0, option.min, option.max);
            if (!number) return number.error();
        }
        if (option.kind == Option::Kind::duration) {
            const auto max = std::min<std::uint64_t>(option.max, 366ull * 86'400'000);
            auto time = http::durationOf(what, value, Milliseconds(0),
                                         Milliseconds(static_cast<std::int64_t>(max)));
            if (!time) return time.error();
        }
        return {};
    }

    const std::vector<Command>& commands_;
    const std::vector<std::string>& line_;
    std::size_t at_ = 0;
    bool optionsEnded_ = false;
    bool help_ = false;
    std::string group_;
    std::vector<Option> common_;
    Parsed parsed_;
};

}  // namespace

Command makeCommand(std::string_view name, std::string_view arguments,
                    std::pair<std::size_t, std::size_t> counts, std::string_view summary,
                    std::string_view examples, Command::Run run) {
    Command command;
    command.name = name;
    command.arguments = arguments;
    command.summary = summary;
    command.examples = examples;
    command.argumentsMin = counts.first;
    command.argumentsMax = counts.second;
    command.run = run;
    return command;
}

std::string Invocation::argument(std::size_t index) const {
    return index < arguments.size() ? arguments[index] : std::string();
}

std::string Invocation::text(std::string_view name, const std::string& fallback) const {
    const auto [first, last] = options.equal_range(name);
    return first == last ? fallback : std::prev(last)->second;  // the last one wins
}

std::vector<std::string> Invocation::all(std::string_view name) const {
    std::vector<std::string> out;
    const auto [first, last] = options.equal_range(name);
    for (auto at = first; at != last; ++at) out.push_back(at->second);
    return out;
}

std::uint64_t Invocation::number(std::string_view name, std::uint64_t fallback) const {
    const auto number = http::numberOf(name, text(name), fallback, 0, ~std::uint64_t{0});
    return number ? *number : fallback;
}

Milliseconds Invocation::duration(std::string_view name, Milliseconds fallback) const {
    const auto time = http::durationOf(name, text(name), fallback, Milliseconds::max());
    return time ? *time : fallback;
}

std::string nearWords(std::string_view word, const std::vector<std::string>& words) {
    std::string out;
    for (const auto& known : words) {
        const bool begins = word.size() > 2 && known.starts_with(word);
        if (!begins && distance(word, known) > 2) continue;
        out += (out.empty() ? "" : ", ") + known;
    }
    return out;
}

Result<Parsed> parseCommandLine(const std::vector<Command>& commands,
                                const std::vector<std::string>& line) {
    return Parser(commands, line).run();
}

}  // namespace busbar::command
