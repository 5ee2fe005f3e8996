// HTTP <-> messages: headers (send_fields.h) for what comes in, one JSON shape for what goes out.
#pragma once

#include "adapters/http/json.h"
#include "adapters/transport/http.h"
#include "bus/core/effects.h"

#include <memory>
#include <string>

namespace busbar::http {

/// The message that a POST describes (docs/http-messages.md, "Headers"). invalidArgument or
/// malformed, naming the header.
Result<std::shared_ptr<Message>> messageOf(const Request& request, Destination destination,
                                           WallTime now);

/// Writes a message as a JSON object into `json`: `extra` is called first, inside the object, to
/// add fields. Bodies that are not UTF-8 text come in base64 with "bodyEncoding":"base64".
template <class Extra>
void writeMessage(JsonWriter& json, const Message& message, Extra extra);
void writeMessageFields(JsonWriter& json, const Message& message);

template <class Extra>
void writeMessage(JsonWriter& json, const Message& message, Extra extra) {
    json.beginObject();
    extra(json);
    writeMessageFields(json, message);
    json.endObject();
}

}  // namespace busbar::http
