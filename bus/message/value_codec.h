// One typed value as bytes: in message properties and in map and stream bodies.
// docs/formats/journal.md, "Message", is the grammar.
#pragma once

#include "bus/message/value.h"
#include "bus/message/wire.h"

#include <cstdint>
#include <string>

namespace busbar {

/// Appends the kind (the index into Value, below 0x20 for ever) and the value.
void putValue(std::string& out, const Value& value);

/// Reads what follows a kind. False where there is no such kind; what is cut off shows in
/// in.ok().
bool readValue(WireReader& in, std::uint8_t kind, Value& value);

}  // namespace busbar
