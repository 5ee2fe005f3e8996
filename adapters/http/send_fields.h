// What a send may say of its message: one table for the headers of a POST and for the fields of a
// batch's elements. docs/http-messages.md, "Headers of a message that is sent", lists the same
// rows.
#pragma once

#include "bus/base/result.h"
#include "bus/message/message.h"
#include "bus/message/schedule_fields.h"

#include <memory>
#include <string>
#include <string_view>

namespace busbar::http {

/// What AMQP and OpenWire say with this property: a text message whose text is null, not "".
inline constexpr std::string_view kNullText = "busbar_nullText";
/// Of one string; what the message codec keeps.
inline constexpr std::size_t kFieldBytesMax = 65'535;

/// A message while its fields are read. Set the fields in any order, then the body, then finish().
class SendFields {
  public:
    SendFields(Destination destination, WallTime now);

    struct Row {
        std::string_view header;  ///< lower case
        std::string_view field;   ///< in JSON; empty: only a header
        bool text = false;        ///< JSON: only strings
        Result<void> (*set)(SendFields& fields, std::string_view what, std::string_view value);
    };
    /// nullptr where there is no such row.
    static const Row* byHeader(std::string_view lowerCase);
    static const Row* byField(std::string_view field);

    /// Sets what the row is about; errors begin with `what`: a header's or a field's name.
    Result<void> set(const Row& row, std::string_view what, std::string_view value);
    Result<void> setProperty(std::string_view what, std::string_view name, Value value);

    /// By the content type alone: text where it is one of text in UTF-8, else bytes.
    Result<void> setPlainBody(Buffer body);
    /// none, text, bytes or object, as it was sent.
    Result<void> setBodyOfKind(std::string_view what, BodyKind kind, Buffer body);

    /// The schedule, where the fields made one, becomes part of the message.
    std::shared_ptr<Message> finish();

    Message& message() { return *message_; }

  private:
    friend struct Setters;
    std::shared_ptr<Message> message_;
    ScheduleFields schedule_;
    const WallTime now_;
};

/// True for types whose bodies are text: text/*, JSON, XML and their +json, +xml kin.
bool isTextType(std::string_view contentType);

/// "none", "text", "bytes", "map", "stream", "object", "amqp"
std::string_view kindName(BodyKind kind);
/// The kind of that name, of those that can be sent: all but "amqp". Errors begin with `what`.
Result<BodyKind> bodyKindOf(std::string_view what, std::string_view name);

std::string lowerCase(std::string_view text);

}  // namespace busbar::http
