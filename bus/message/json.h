// Values, maps and streams as JSON, for wires that have no such types (HTTP, STOMP). The types go
// along, so that nothing is lost: docs/protocols/crossing.md, "As JSON".
#pragma once

#include "bus/base/result.h"
#include "bus/message/message.h"
#include "bus/message/value.h"

#include <string>
#include <string_view>

namespace busbar {

/// Appends `text` in quotes. What is not UTF-8 must not come here.
void appendJsonString(std::string& out, std::string_view text);

/// Appends {"type":"int","value":-3}. Numbers keep all their digits and the sign of -0.0; floats
/// that JSON cannot say are the strings "NaN", "Infinity", "-Infinity"; bytes, and text that is not
/// UTF-8, are in base64 (of type "bytes").
void appendJson(std::string& out, const Value& value);

/// A map's body as an object of such values, a stream's as an array of them; lists and maps within
/// have the types "list" and "map". malformed: the stored body does not follow its grammar.
/// Only for BodyKind::map and BodyKind::stream.
Result<std::string> jsonBody(const Message& message);

}  // namespace busbar
