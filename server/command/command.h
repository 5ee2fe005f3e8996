// What a command of `busbar` is: a row with its words, options, help and function. Parsing, help
// and completion are made from these rows, so they cannot disagree.
#pragma once

#include "bus/base/clock.h"
#include "bus/base/result.h"
#include "server/configuration.h"

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace busbar::command {

inline constexpr int kOk = 0;
inline constexpr int kFailed = 1;
inline constexpr int kUsage = 2;

/// One `--name VALUE`. Values are checked while parsing: a wrong one is a usage error.
struct Option {
    enum class Kind : unsigned char { flag, text, file, number, duration };
    std::string_view name;   ///< without the dashes
    std::string_view value;  ///< what help calls the value; empty for a flag
    std::string_view help;
    Kind kind = Kind::flag;
    std::uint64_t min = 0;                  ///< of a number
    std::uint64_t max = ~std::uint64_t{0};  ///< of a number, or of a duration in milliseconds
};

struct Command;

/// A command line that was understood: every value is within its option's bounds.
class Invocation {
  public:
    const Command* command = nullptr;
    std::vector<std::string> arguments;
    std::multimap<std::string, std::string, std::less<>> options;

    bool has(std::string_view name) const { return options.contains(name); }
    bool json() const { return has("json"); }
    /// The argument at `index`, or nothing.
    std::string argument(std::size_t index) const;
    std::string text(std::string_view name, const std::string& fallback = {}) const;
    std::vector<std::string> all(std::string_view name) const;
    std::uint64_t number(std::string_view name, std::uint64_t fallback) const;
    Milliseconds duration(std::string_view name, Milliseconds fallback) const;
};

/// What a command touches of the process, so that tests can be the terminal.
struct Surroundings {
    std::istream& in;
    std::ostream& out;
    std::ostream& err;
    Environment environment;
    bool inIsTerminal = false;
    bool outIsTerminal = false;
    bool errIsTerminal = false;
    /// Asks for a secret on the terminal without showing it; only used where inIsTerminal.
    std::function<std::string(const std::string& prompt)> askSecret = {};
};

/// One command. `run` returns the exit code, or an error, which is printed and exits with 1.
struct Command {
    using Run = Result<int> (*)(const Invocation&, Surroundings&);
    std::string_view name;  ///< "send", or two words: "dlq retry"
    std::string_view arguments;
    std::string_view summary;
    std::string_view details;   ///< paragraphs of help; may be empty
    std::string_view examples;  ///< one a line
    std::size_t argumentsMin = 0;
    std::size_t argumentsMax = 0;
    bool online = true;  ///< speaks to a running bus: takes --url and the login
    std::vector<Option> options;
    Run run = nullptr;
};

/// The part that every command has; `counts`: how many arguments at the least and at the most.
Command makeCommand(std::string_view name, std::string_view arguments,
                    std::pair<std::size_t, std::size_t> counts, std::string_view summary,
                    std::string_view examples, Command::Run run);

/// All commands in the order of help.
std::vector<Command> allCommands();

/// Options that this command takes beside its own.
std::vector<Option> commonOptions(const Command& command);

/// Runs one command line (without the program's name) and returns the process's exit code.
int runCommandLine(const std::vector<std::string>& line, Surroundings& surroundings);

/// Says what is wrong with the command line on `err`; returns kUsage.
int usageError(const Invocation& invocation, Surroundings& surroundings, const std::string& what);

// One function a command file.
Command sendCommand();
Command receiveCommand();
Command browseCommand();
Command callCommand();
Command statsCommand();
Command purgeCommand();
Command moveCommand();
Command copyCommand();
Command noticesCommand();
std::vector<Command> scheduleCommands();
std::vector<Command> queueCommands();
std::vector<Command> groupCommands();
std::vector<Command> deadLetterCommands();
std::vector<Command> txCommands();
Command connectionsCommand();
Command serviceListCommand();
std::vector<Command> journalCommands();
Command configCommand();
std::vector<Command> userCommands();
Command completionCommand();

}  // namespace busbar::command
