// Private to this folder: single values of properties and annotations.
#pragma once

#include "adapters/amqp/types.h"
#include "bus/message/value.h"

#include <string>
#include <string_view>

namespace busbar::amqp {

/// "0189f7ea-..." and back; false for text that is none.
std::string uuidText(std::string_view sixteenBytes);
bool uuidBytes(std::string_view text, std::string& sixteenBytes);

/// The value of a type that the bus has too; false for all others.
bool toValue(const Item& item, Value& value);
/// The nearest value that the bus has; `exact` is false where the type is lost (an unsigned number,
/// a timestamp, ...). False for lists, maps, arrays and described values.
bool toProperty(const Item& item, Value& value, bool& exact);
/// Appends `value` in the type that it once had; false where it no longer fits there.
bool putAs(std::string& out, Type type, const Value& value);

}  // namespace busbar::amqp
