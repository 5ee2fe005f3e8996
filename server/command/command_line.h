// The command line: words to an Invocation, or what is wrong with them.
#pragma once

#include "server/command/command.h"

#include <optional>

namespace busbar::command {

/// What a command line asks for.
struct Parsed {
    Invocation invocation;            ///< its command points into `commands`
    std::optional<std::string> help;  ///< asked for help: on all (empty), a group or a command
};

/// Options may stand before and after arguments; `--` ends them; `--name=value` and `--name value`
/// are the same. invalidArgument says what is wrong and names what is spelled nearly so;
/// unsupported where the word belongs to a later version.
Result<Parsed> parseCommandLine(const std::vector<Command>& commands,
                                const std::vector<std::string>& line);

/// Those of `words` that are spelled nearly like `word`, joined by commas; may be empty.
std::string nearWords(std::string_view word, const std::vector<std::string>& words);

}  // namespace busbar::command
