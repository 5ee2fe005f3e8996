// What an identifier stands for: a header by its JMS name, or a property.
#pragma once

#include "bus/message/message.h"
#include "bus/selector/operand.h"

#include <string>
#include <string_view>

namespace busbar::selector {

enum class Source : unsigned char {
    property,
    correlationId,
    deliveryMode,
    deliveryTime,
    expiration,
    groupId,
    groupSequence,
    messageId,
    priority,
    timestamp,
    type,
    userId,
};

/// A name, looked up once. An unset header is NULL.
struct Field {
    Source source = Source::property;
    std::string name;

    Operand read(const Message& message) const;
};

/// Property where the name is no header's.
Source sourceOf(std::string_view name);

/// Empty where an identifier of this name can be used; else why not, for people: names that begin
/// with JMS are headers of ours, JMSX... or JMS_..., and what only a delivery knows is not there
/// when a selector is evaluated.
std::string_view objectionTo(std::string_view name);

/// The same as Field::read, for a name that is not looked up yet and names no header.
Operand readProperty(const Message& message, std::string_view name);
/// The header of this source, which is not `property`.
Operand readHeader(const Message& message, Source source);

}  // namespace busbar::selector
