// Private to this folder: body sections and Message's kinds of body.
#pragma once

#include "adapters/amqp/mapping.h"

#include <utility>
#include <vector>

namespace busbar::amqp {

/// x-opt-jms-msg-type, as JMS clients say which kind of message it is.
enum class JmsType : int { none = -1, plain, object, map, bytes, stream, text };

enum class Section : std::uint8_t {
    header = 0x70,
    deliveryAnnotations,
    messageAnnotations,
    properties,
    applicationProperties,
    data,
    sequence,
    value,
    footer,
};

/// Which section a descriptor names, by its number or its symbol; malformed: none.
Result<Section> sectionOf(const Item& descriptor);

/// The sections of a body, in order, as they came.
struct BodySections {
    std::vector<std::pair<Section, Item>> parts;
    std::size_t begin = 0;  ///< where they lie in the message
    std::size_t end = 0;
};

/// Sets kind and body of `message`. Returns how the section differs from what writeBody would make
/// of it ("value", "data"), or nothing.
std::string_view readBody(const BodySections& sections, const Buffer& encoded, JmsType type,
                          Message& message);

/// Appends the body section's head to `head` (all of it, where it is small); the bytes are in
/// `body`. `form`: what readBody had returned.
void writeBody(const Message& message, std::string_view form, Outgoing& out);

JmsType jmsTypeOf(BodyKind kind);

}  // namespace busbar::amqp
