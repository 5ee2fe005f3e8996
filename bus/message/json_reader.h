// Maps and streams from JSON: what clients send whose wire has no such types (HTTP, STOMP), in the
// spelling of json.h and in ActiveMQ's. docs/protocols/crossing.md, "As JSON".
//
// Problem: JSON from strangers nests, repeats and grows. So: RFC 8259 to the letter, UTF-8, at most
// kBodyDepthMax lists and maps within each other and kJsonValuesMax values in all, names once in
// each map, and no more memory than a small multiple of the text.
#pragma once

#include "bus/base/result.h"
#include "bus/message/json_tree.h"
#include "bus/message/message.h"

#include <cstddef>
#include <string>
#include <string_view>

namespace busbar {

/// Values of one body, at all levels.
inline constexpr std::size_t kJsonValuesMax = 10'000;

/// The encoded body (body.h) of a BodyKind::map or BodyKind::stream message from what jsonBody
/// writes: {"n":{"type":"int","value":-3}}, or an array of such values. Whole numbers may also come
/// as strings of digits, for clients whose numbers are floats. invalidArgument or malformed says
/// where (byte of the text, or name) and what was expected; tooLarge for the limits.
Result<std::string> bodyFromJson(BodyKind kind, std::string_view json);
/// The same from a part of a text that was read already.
Result<std::string> bodyFromJson(BodyKind kind, const json::Node& json);

/// A property: a value with its type, as appendJson writes it, or without: a string, a boolean,
/// null, and of numbers the first of int, long and double that holds it. Lists and maps are
/// refused.
Result<Value> valueFromJson(const json::Node& json);

/// The encoded body of a map from `transformation:jms-map-json` of ActiveMQ's STOMP: either
/// {"map":{"entry":[{"string":["name","Ann"]},{"string":"age","int":31}]}}, one entry for each name
/// with the type of its value as the key; or, as its PHP clients write it, a plain object: whole
/// numbers become int or long, others double.
Result<std::string> mapBodyFromMapJson(std::string_view json);

}  // namespace busbar
