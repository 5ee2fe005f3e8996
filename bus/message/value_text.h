// Typed values through wires that have text only: the text is toText's, the type goes beside it.
#pragma once

#include "bus/base/result.h"
#include "bus/message/value.h"

#include <string>
#include <string_view>

namespace busbar {

/// The names of the types, for errors. Everything but lists and maps.
inline constexpr std::string_view kValueTypes =
    "boolean, byte, short, int, long, float, double, string, bytes, char, null";

bool isValueType(std::string_view type);
/// "int"
std::string_view typeOf(const Value& value);

/// The value of a type whose toText is `text`: "true", "-3", "0.1", "nan"; bytes in hex. Numbers
/// have no blanks and no '+'; what does not fit into the type, or is not one of it, is
/// invalidArgument with what was expected.
Result<Value> valueFromText(std::string_view type, std::string_view text);

/// Which properties are not strings, as a header says it: "count=int,ratio=double"; empty where all
/// are. In names '%', ',', '=' and blanks are written %25, %2C, %3D, %20.
std::string typesOf(const Properties& properties);

/// The other way round: gives properties that came as strings the types that a header names (blanks
/// around the commas are fine). invalidArgument where a property is not there, or its text is not
/// one of the type: the error names it.
Result<void> applyTypes(std::string_view types, Properties& properties);

}  // namespace busbar
