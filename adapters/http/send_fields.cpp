#include "adapters/http/send_fields.h"

#include "adapters/http/parameters.h"
#include "bus/base/utf8.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace busbar::http {
namespace {

constexpr std::uint64_t kSpanMax = std::uint64_t{10} * 365 * 24 * 3600 * 1000;  // ms
constexpr std::uint64_t kTimeMax = 253'402'300'799'999;                         // the year 9999
constexpr std::int64_t kNotSaid = kRepeatForever - 1;

constexpr std::array<std::string_view, 7> kKinds{"none",   "text",   "bytes", "map",
                                                 "stream", "object", "amqp"};

/// JMS 2.0, section 3.8.1.1: names are identifiers.
bool isPropertyName(std::string_view name) {
    if (name.empty() || std::isdigit(static_cast<unsigned char>(name.front()))) return false;
    return std::all_of(name.begin(), name.end(), [](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '$' || c == '-' ||
               c == '.';
    });
}

bool fits(std::string_view text) {
    return text.size() <= kFieldBytesMax && isUtf8(text);
}

Error tooLong(std::string_view what) {
    return {ErrorCode::invalidArgument, std::string(what) + ": the value is too long or not UTF-8"};
}

}  // namespace

/// The rows' functions: each sets one thing.
struct Setters {
    using What = std::string_view;
    using Text = std::string_view;

    template <std::string Message::*Member>
    static Result<void> text(SendFields& f, What, Text value) {
        (*f.message_).*Member = value;
        return {};
    }
    /// `put` gets a whole number from `min` to `max`.
    template <class Put>
    static Result<void> number(What what, Text value, std::uint64_t min, std::uint64_t max,
                               Put put) {
        const auto number = numberOf(what, value, min, min, max);
        if (!number) return number.error();
        put(*number);
        return {};
    }
    static WallTime timeOf(std::uint64_t ms) { return WallTime(Milliseconds(ms)); }

    static Result<void> priority(SendFields& f, What what, Text value) {
        if (value.empty()) return {};
        return number(what, value, 0, 9, [&](std::uint64_t n) {
            f.message_->priority = static_cast<unsigned char>(n);
        });
    }
    static Result<void> persistent(SendFields& f, What what, Text value) {
        const auto flag = booleanOf(what, value, true);
        if (!flag) return flag.error();
        f.message_->persistent = *flag;
        return {};
    }
    static Result<void> timeToLive(SendFields& f, What what, Text value) {
        return number(what, value, 0, kSpanMax, [&](std::uint64_t ms) {
            if (ms > 0) f.message_->expiration = f.now_ + Milliseconds(ms);
        });
    }
    static Result<void> expiration(SendFields& f, What what, Text value) {
        return number(what, value, 0, kTimeMax,
                      [&](std::uint64_t ms) { f.message_->expiration = timeOf(ms); });
    }
    static Result<void> deliverAt(SendFields& f, What what, Text value) {
        return number(what, value, 0, kTimeMax,
                      [&](std::uint64_t ms) { f.message_->deliverAt = timeOf(ms); });
    }
    static Result<void> delay(SendFields& f, What what, Text value) {
        return number(what, value, 0, kSpanMax, [&](std::uint64_t ms) {
            if (ms > 0) f.message_->deliverAt = f.now_ + Milliseconds(ms);
        });
    }
    static Result<void> groupSequence(SendFields& f, What what, Text value) {
        if (value == "-1") return f.message_->groupSequence = -1, Result<void>();
        return number(what, value, 0, 0x7FFF'FFFF, [&](std::uint64_t n) {
            f.message_->groupSequence = static_cast<std::int32_t>(n);
        });
    }
    static Result<void> replyTo(SendFields& f, What what, Text value) {
        auto destination = destinationOf(what, value);
        if (!destination) return destination.error();
        f.message_->replyTo = std::move(*destination);
        return {};
    }
    static Result<void> cron(SendFields& f, What, Text value) {
        return f.schedule_.cron = value, Result<void>();
    }
    static Result<void> zone(SendFields& f, What, Text value) {
        return f.schedule_.zone = value, Result<void>();
    }
    static Result<void> period(SendFields& f, What what, Text value) {
        if (value.empty()) return {};
        return number(what, value, 1, static_cast<std::uint64_t>(kPeriodMax),
                      [&](std::uint64_t ms) { f.schedule_.period = Milliseconds(ms); });
    }
    static Result<void> repeats(SendFields& f, What what, Text value) {
        return number(what, value, 0, static_cast<std::uint64_t>(kRepeatsMax),
                      [&](std::uint64_t n) { f.schedule_.repeats = static_cast<std::int64_t>(n); });
    }
};

namespace {

constexpr std::array<SendFields::Row, 17> kRows{{
    {"x-priority", "priority", false, Setters::priority},
    {"x-persistent", "persistent", false, Setters::persistent},
    {"x-expires-ms", "expiresMs", false, Setters::timeToLive},
    {{}, "expiration", false, Setters::expiration},
    {"x-reply-to", "replyTo", true, Setters::replyTo},
    {"x-deliver-at", "deliverAt", false, Setters::deliverAt},
    {"x-delay-ms", "delayMs", false, Setters::delay},
    {"x-group-id", "groupId", true, Setters::text<&Message::groupId>},
    {"x-group-seq", "groupSequence", false, Setters::groupSequence},
    {"x-correlation-id", "correlationId", true, Setters::text<&Message::correlationId>},
    {"x-message-type", "type", true, Setters::text<&Message::type>},
    {"idempotency-key", "idempotencyKey", true, Setters::text<&Message::dedupId>},
    {"content-type", "contentType", true, Setters::text<&Message::contentType>},
    {"x-cron", "cron", true, Setters::cron},
    {"x-cron-zone", "cronZone", true, Setters::zone},
    {"x-period-ms", "periodMs", false, Setters::period},
    {"x-repeat", "repeat", false, Setters::repeats},
}};

const SendFields::Row* rowWith(std::string_view SendFields::Row::*name, std::string_view value) {
    if (value.empty()) return nullptr;
    const auto* at = std::find_if(kRows.begin(), kRows.end(),
                                  [&](const SendFields::Row& row) { return row.*name == value; });
    return at == kRows.end() ? nullptr : at;
}

}  // namespace

SendFields::SendFields(Destination destination, WallTime now)
    : message_(std::make_shared<Message>()), now_(now) {
    message_->destination = std::move(destination);
    schedule_.repeats = kNotSaid;
}

const SendFields::Row* SendFields::byHeader(std::string_view lowerCase) {
    return rowWith(&Row::header, lowerCase);
}

const SendFields::Row* SendFields::byField(std::string_view field) {
    return rowWith(&Row::field, field);
}

Result<void> SendFields::set(const Row& row, std::string_view what, std::string_view value) {
    if (!fits(value)) return tooLong(what);
    return row.set(*this, what, value);
}

Result<void> SendFields::setProperty(std::string_view what, std::string_view name, Value value) {
    if (!isPropertyName(name) || name.size() > kFieldBytesMax) {
        return {ErrorCode::invalidArgument,
                std::string(what) +
                    ": a property name is expected: letters, digits, _ $ - ., no digit in front"};
    }
    const auto* text = std::get_if<std::string>(&value);
    const auto* bytes = std::get_if<Bytes>(&value);
    if ((text && !fits(*text)) || (bytes && bytes->data.size() > kFieldBytesMax))
        return tooLong(what);
    message_->properties.set(name, std::move(value));
    return {};
}

Result<void> SendFields::setPlainBody(Buffer body) {
    const bool text = isTextType(message_->contentType);
    const auto type = lowerCase(message_->contentType);
    const auto at = type.find("charset=");
    const auto charset = at == type.npos ? std::string{} : type.substr(at + 8);
    const bool utf8 = charset.empty() || charset.starts_with("utf-8") ||
                      charset.starts_with("\"utf-8") || charset.starts_with("us-ascii");
    message_->bodyKind = text && utf8 ? BodyKind::text : BodyKind::bytes;
    if (message_->bodyKind == BodyKind::text && !isUtf8(body.view())) {
        return {ErrorCode::malformed,
                "the body is not UTF-8, as its Content-Type says: name its charset, or send "
                "application/octet-stream"};
    }
    message_->body = std::move(body);
    return {};
}

Result<void> SendFields::setBodyOfKind(std::string_view what, BodyKind kind, Buffer body) {
    if (kind == BodyKind::text && !isUtf8(body.view()))
        return {ErrorCode::malformed, std::string(what) + ": the body of a text is UTF-8"};
    if (kind == BodyKind::none && !body.empty())
        return {ErrorCode::invalidArgument, std::string(what) + " is none, but there is a body"};
    message_->bodyKind = kind;
    message_->body = std::move(body);
    return {};
}

std::shared_ptr<Message> SendFields::finish() {
    if (schedule_.repeats == kNotSaid) {
        const bool forEver = schedule_.cron.empty() && schedule_.period > Milliseconds(0);
        schedule_.repeats = forEver ? kRepeatForever : 0;
    }
    schedule_.apply(*message_, now_);
    return message_;
}

bool isTextType(std::string_view contentType) {
    auto type = lowerCase(contentType.substr(0, contentType.find(';')));
    while (!type.empty() && type.back() == ' ') type.pop_back();
    return type.starts_with("text/") || type == "application/json" || type == "application/xml" ||
           type.ends_with("+json") || type.ends_with("+xml");
}

std::string_view kindName(BodyKind kind) {
    return kKinds[static_cast<std::size_t>(kind)];
}

Result<BodyKind> bodyKindOf(std::string_view what, std::string_view name) {
    const auto* at = std::find(kKinds.begin(), kKinds.end(), name);
    if (at == kKinds.end() || *at == "amqp") {
        return {ErrorCode::invalidArgument,
                std::string(what) + " is '" + std::string(name.substr(0, 40)) +
                    "': none, text, bytes, map, stream or object is expected"};
    }
    return static_cast<BodyKind>(at - kKinds.begin());
}

std::string lowerCase(std::string_view text) {
    std::string out(text);
    for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return out;
}

}  // namespace busbar::http
