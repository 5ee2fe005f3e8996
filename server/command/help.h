// Help, made from the commands' rows.
#pragma once

#include "server/command/command.h"

namespace busbar::command {

/// `topic`: empty for all, else a command or the first word of several.
std::string helpText(const std::vector<Command>& commands, std::string_view topic);

/// The bash completion of `busbar`, as packaging/busbar.bash-completion has it.
std::string bashCompletion(const std::vector<Command>& commands);

}  // namespace busbar::command
