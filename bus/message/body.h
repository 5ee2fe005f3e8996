// Bodies of JMS's map and stream messages: typed values as one neutral encoding.
//
// A map that came over OpenWire may leave over AMQP or HTTP. Each adapter translates its wire's
// form into these values once, and the journal and the other adapters know only the encoding here
// (docs/formats/body.md).
#pragma once

#include "bus/base/result.h"
#include "bus/message/value.h"

#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace busbar {

struct BodyValue;
struct BodyEntry;
using BodyList = std::vector<BodyValue>;
/// Names may repeat as far as the encoding goes; order is kept.
using BodyMap = std::vector<BodyEntry>;

/// One of JMS's values, or (beyond JMS, as ActiveMQ and AMQP allow) a list or map of such.
struct BodyValue {
    std::variant<Value, BodyList, BodyMap> data;

    bool operator==(const BodyValue& other) const;
};

struct BodyEntry {
    std::string name;
    BodyValue value;

    bool operator==(const BodyEntry&) const = default;
};

/// Lists and maps within each other, the outermost included. The decoder refuses more; the encoder
/// writes what it is given, so adapters bound what they take.
inline constexpr int kBodyDepthMax = 16;

/// Appends the body of a BodyKind::map message.
void encodeMapBody(const BodyMap& map, std::string& out);
/// Appends the body of a BodyKind::stream message.
void encodeStreamBody(const BodyList& list, std::string& out);

/// Reads a whole body. An empty one is an empty map or stream. malformed where it does not follow
/// the grammar; never allocates more than a small multiple of the input's size.
Result<BodyMap> decodeMapBody(std::string_view body);
Result<BodyList> decodeStreamBody(std::string_view body);

}  // namespace busbar
