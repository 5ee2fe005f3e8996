// What purge, move and the dead-letter commands share.
#pragma once

#include "server/command/bus_client.h"

#include <string>
#include <vector>

namespace busbar::command {

/// Prints {"count":N}, or `sentence` (such as "3 messages were moved").
int printCount(const Invocation& invocation, Surroundings& surroundings, const JsonView& answer,
               const std::string& sentence);

/// Asks about the messages on `queue`, then takes them off. kUsage where it cannot ask and --yes is
/// not given; kFailed where the answer is no.
Result<int> purgeQueue(const Invocation& invocation, Surroundings& surroundings,
                       const std::string& queue);

/// --selector, --ids and --max: which messages are meant; --rate: how many of them a second.
std::vector<Option> selectionOptions();
/// Their values as query parameters: "", or "max=1&ids=2&".
std::string selectionQuery(const Invocation& invocation);

/// Moves or copies (`how`: "move", "copy") what is selected; `to` empty: dead letters back.
/// How long that takes with --rate is allowed for.
Result<JsonView> moveMessages(BusClient& bus, const Invocation& invocation, const std::string& from,
                              const std::string& how, const std::string& to);

/// The option of the commands that use purgeQueue.
Option yesOption();

}  // namespace busbar::command
