// AMQP 1.0 section 3.2: from a client's message to the bus's.
#include "adapters/amqp/address.h"
#include "adapters/amqp/body_mapping.h"
#include "adapters/amqp/values.h"
#include "bus/base/utf8.h"
#include "bus/message/schedule_fields.h"

#include <algorithm>
#include <array>

namespace busbar::amqp {
namespace {

constexpr std::size_t kTextMax = 65'535;  // what the message codec keeps of one string
constexpr std::int64_t kTimeMax = 253'402'300'799'999;  // 9999-12-31
constexpr std::int64_t kDelayMax = 10ll * 365 * 24 * 3600 * 1000;

constexpr std::array<std::string_view, 9> kSectionNames = {"amqp:header:list",
                                                           "amqp:delivery-annotations:map",
                                                           "amqp:message-annotations:map",
                                                           "amqp:properties:list",
                                                           "amqp:application-properties:map",
                                                           "amqp:data:binary",
                                                           "amqp:amqp-sequence:list",
                                                           "amqp:amqp-value:*",
                                                           "amqp:footer:map"};

bool fits(Section section, const Item& value) {
    switch (section) {
        case Section::header:
        case Section::properties:
        case Section::sequence:
            return value.type == Type::list;
        case Section::data:
            return value.type == Type::binary;
        case Section::value:
            return true;
        default:
            return value.type == Type::map;
    }
}

/// Reads one message.
class In {
  public:
    In(const Buffer& encoded, const std::optional<Destination>& target,
       const MappingOptions& options, WallTime now)
        : encoded_(encoded), target_(target), options_(options), now_(now) {
        message_->persistent = false;
        if (target) message_->destination = *target;
    }

    Result<Incoming> read() {
        if (auto split = readSections(); !split) return split.error();
        if (!target_ && !addressed_) {
            return {ErrorCode::invalidArgument,
                    "a message on a link without a target address needs its 'to' property"};
        }
        setTimes();
        if (!wrong_.empty()) return Error{ErrorCode::invalidArgument, std::move(wrong_)};
        schedule_.apply(*message_, now_);
        const auto form = readBody(body_, encoded_, jmsType_, *message_);
        if (!form.empty()) addForm(form, "body");
        if (message_->bodyKind == BodyKind::amqp && jmsType_ != JmsType::none)
            addForm(std::to_string(static_cast<int>(jmsType_)), "jms-msg-type");
        if (!form_.empty()) message_->properties.append(std::string(kFormProperty), form_);
        incoming_.message = std::move(message_);
        return std::move(incoming_);
    }

  private:
    Result<void> readSections() {
        Reader reader(encoded_.view(), options_.limits);
        while (!reader.atEnd()) {
            const std::size_t begin = reader.position();
            auto item = reader.next();
            if (!item) return item.error();
            if (item->type != Type::described)
                return {ErrorCode::malformed, "a section without its descriptor"};
            const auto section = sectionOf(item->items[0]);
            if (!section) return section.error();
            Item& value = item->items[1];
            if (!fits(*section, value)) {
                return {ErrorCode::malformed, "a section holds a " + std::string(name(value.type)) +
                                                  " where AMQP 1.0 has none"};
            }
            if (auto done = readSection(*section, value); !done) return done;
            if (*section < Section::data || *section > Section::value) continue;
            if (body_.parts.empty()) body_.begin = begin;
            body_.end = reader.position();
            if (!body_.parts.empty() &&
                (body_.parts[0].first != *section || *section == Section::value))
                return {ErrorCode::malformed, "a body of sections that do not go together"};
            body_.parts.emplace_back(*section, std::move(value));
        }
        return {};
    }

    Result<void> readSection(Section section, const Item& value) {
        switch (section) {
            case Section::header:
                return readHeader(value);
            case Section::deliveryAnnotations:
                return {};  // meant for this hop
            case Section::messageAnnotations:
                return readAnnotations(value);
            case Section::properties:
                return readProperties(value);
            case Section::applicationProperties:
                return readApplicationProperties(value);
            case Section::footer:
                return readFooter(value);
            default:
                return {};
        }
    }

    Result<void> readHeader(const Item& header) {
        message_->persistent = header.at(0).isTrue();
        if (const Item& priority = header.at(1); priority.isInteger())
            message_->priority =
                static_cast<unsigned char>(std::min<std::uint64_t>(priority.bits, 9));
        if (const Item& ttl = header.at(2); ttl.isInteger()) ttl_ = ttl.number();
        return {};
    }

    Result<void> readAnnotations(const Item& annotations) {
        for (std::size_t i = 0; i + 1 < annotations.items.size(); i += 2) {
            const Item& key = annotations.items[i];
            const Item& value = annotations.items[i + 1];
            if (!key.isText()) continue;  // ulong keys are reserved
            if (!readKnown(key.bytes, value)) {
                if (auto kept = keep(kAnnotationPrefix, key.bytes, value, true); !kept) return kept;
            }
        }
        return {};
    }

    /// Annotations that say something to the bus.
    bool readKnown(std::string_view key, const Item& value) {
        const bool kind = value.isInteger() && value.bits <= 3;
        if (key == "x-opt-jms-msg-type") {
            if (value.isInteger() && value.bits <= 5) jmsType_ = static_cast<JmsType>(value.bits);
        } else if (key == "x-opt-jms-dest") {
            if (kind) toKind_ = static_cast<DestinationKind>(value.bits);
        } else if (key == "x-opt-jms-reply-to") {
            if (kind) replyToKind_ = static_cast<DestinationKind>(value.bits);
            replyAgain();
        } else if (key == "x-opt-delivery-time") {
            if (value.isInteger() && value.number() > 0 && value.number() <= kTimeMax)
                message_->deliverAt = WallTime(Milliseconds(value.number()));
        } else if (key == "x-opt-delivery-delay") {
            if (value.isInteger() && value.number() > 0 && value.number() <= kDelayMax)
                message_->deliverAt = now_ + Milliseconds(value.number());
        } else if (key == "x-opt-delivery-period") {
            schedule_.period = Milliseconds(numberFor(key, value, 0, kPeriodMax));
        } else if (key == "x-opt-delivery-repeat") {
            schedule_.repeats = numberFor(key, value, kRepeatForever, kRepeatsMax);
        } else if (key == "x-opt-delivery-cron") {
            schedule_.cron = textFor(key, value);
        } else if (key == "x-opt-busbar-cron-zone") {
            schedule_.zone = textFor(key, value);
        } else if (key == "x-opt-busbar-dedup-id") {
            if (value.isText() && value.bytes.size() <= kTextMax) message_->dedupId = value.bytes;
        } else if (key == "x-opt-busbar-producer") {
            if (value.isText() && value.bytes.size() <= 255) incoming_.producer = value.bytes;
        } else if (key == "x-opt-busbar-sequence") {
            if (value.isInteger()) incoming_.sequence = value.bits;
        } else {
            return false;
        }
        return true;
    }

    /// What a schedule is made of is refused where it is wrong: left out, it would be sent now.
    std::int64_t numberFor(std::string_view key, const Item& value, std::int64_t min,
                           std::int64_t max) {
        if (value.isInteger() && value.number() >= min && value.number() <= max)
            return value.number();
        wrong_ = std::string(key) + " is not a whole number from " + std::to_string(min) + " to " +
                 std::to_string(max);
        return 0;
    }
    std::string textFor(std::string_view key, const Item& value) {
        if (value.isText()) return std::string(value.bytes);
        wrong_ = std::string(key) + " is not a string";
        return {};
    }

    Result<void> readProperties(const Item& p) {
        Message& m = *message_;
        if (auto id = text(idText(p.at(0)), m.id); !id) return id;
        if (auto to = readTo(p.at(2)); !to) return to;
        if (auto subject = text(p.at(3), m.type); !subject) return subject;
        if (auto reply = text(p.at(4), replyTo_); !reply) return reply;
        if (auto correlation = text(idText(p.at(5)), m.correlationId); !correlation)
            return correlation;
        if (auto type = text(p.at(6), m.contentType); !type) return type;
        if (const Item& encoding = p.at(7); encoding.isText())
            m.properties.append(std::string(kEncodingProperty), std::string(encoding.bytes));
        if (p.at(8).isInteger() && p.at(8).number() > 0) absolute_ = p.at(8).number();
        if (const Item& created = p.at(9); created.type == Type::timestamp && created.number() > 0)
            m.timestamp = WallTime(Milliseconds(std::min(created.number(), kTimeMax)));
        if (auto group = text(p.at(10), m.groupId); !group) return group;
        if (p.at(11).isInteger()) m.groupSequence = static_cast<std::int32_t>(p.at(11).bits);
        if (const Item& group = p.at(12); group.isText())
            m.properties.append(std::string(kReplyToGroupProperty), std::string(group.bytes));
        replyAgain();
        if (!m.replyTo && !replyTo_.empty())
            return {ErrorCode::invalidArgument,
                    "reply-to is no address: " + replyTo_.substr(0, 100)};
        return {};
    }

    Result<void> readTo(const Item& to) {
        if (target_ || !to.isText()) return {};
        auto destination = toDestination(to.bytes, toKind_.value_or(options_.defaultKind));
        if (!destination) return destination.error();
        message_->destination = std::move(*destination);
        addressed_ = true;
        return {};
    }

    /// Annotations come before the properties as a rule; either way both are needed.
    void replyAgain() {
        if (replyTo_.empty()) return;
        if (auto to = toDestination(replyTo_, replyToKind_.value_or(options_.defaultKind)))
            message_->replyTo = std::move(*to);
    }

    Result<void> readApplicationProperties(const Item& map) {
        for (std::size_t i = 0; i + 1 < map.items.size(); i += 2) {
            const Item& key = map.items[i];
            const Item& value = map.items[i + 1];
            if (!key.isText())
                return {ErrorCode::malformed, "an application property whose name is no string"};
            if (key.bytes == kFormProperty) continue;
            if (key.bytes == "_AMQ_DUPL_ID" && value.isText()) {
                if (value.bytes.size() <= kTextMax) message_->dedupId = value.bytes;
                continue;
            }
            if (auto kept = keep({}, key.bytes, value, false); !kept) return kept;
        }
        return {};
    }

    Result<void> readFooter(const Item& map) {
        for (std::size_t i = 0; i + 1 < map.items.size(); i += 2) {
            if (!map.items[i].isText()) continue;
            if (auto kept = keep(kFooterPrefix, map.items[i].bytes, map.items[i + 1], true); !kept)
                return kept;
        }
        return {};
    }

    /// As a property; `lenient`: what no property can say is left out.
    Result<void> keep(std::string_view prefix, std::string_view key, const Item& item,
                      bool lenient) {
        Value value;
        bool exact = true;
        const bool good = isUtf8(key) && key.size() <= 255 && item.bytes.size() <= kTextMax &&
                          (!item.isText() || isUtf8(item.bytes)) && toProperty(item, value, exact);
        if (!good) {
            if (lenient) return {};
            return {ErrorCode::invalidArgument,
                    "application property '" + showable(key.substr(0, 100)) + "': a " +
                        std::string(name(item.type)) + " of this kind or size is not possible"};
        }
        std::string full(prefix);
        full += key;
        if (!exact) addForm(name(item.type), full);
        message_->properties.append(std::move(full), std::move(value));
        return {};
    }

    void addForm(std::string_view type, std::string_view key) {
        if (key.find(' ') != key.npos || form_.size() + key.size() > kTextMax - 64) return;
        if (!form_.empty()) form_ += ' ';
        form_ += type;
        form_ += '=';
        form_ += key;
    }

    /// Without a ttl the absolute time counts (AMQP 1.0 section 3.2.4).
    void setTimes() {
        if (ttl_ > 0)
            message_->expiration = now_ + Milliseconds(ttl_);
        else if (absolute_ > 0)
            message_->expiration = WallTime(Milliseconds(std::min(absolute_, kTimeMax)));
    }

    static Result<void> text(const Item& item, std::string& field) {
        return item.isText() ? text(std::string(item.bytes), field) : Result<void>();
    }

    static Result<void> text(Result<std::string> value, std::string& field) {
        if (!value) return value.error();
        if (value->size() > kTextMax || !isUtf8(*value))
            return {ErrorCode::invalidArgument, "a property is too long, or not UTF-8"};
        field = std::move(*value);
        return {};
    }

    const Buffer& encoded_;
    const std::optional<Destination>& target_;
    const MappingOptions& options_;
    const WallTime now_;
    std::shared_ptr<Message> message_ = std::make_shared<Message>();
    Incoming incoming_;
    BodySections body_;
    JmsType jmsType_ = JmsType::none;
    std::optional<DestinationKind> toKind_;
    std::optional<DestinationKind> replyToKind_;
    std::string replyTo_;
    std::string form_;
    ScheduleFields schedule_;
    std::string wrong_;  ///< what of it is
    std::int64_t ttl_ = 0;
    std::int64_t absolute_ = 0;
    bool addressed_ = false;
};

}  // namespace

Result<Section> sectionOf(const Item& descriptor) {
    constexpr auto kFirst = static_cast<std::uint64_t>(Section::header);
    if (descriptor.type == Type::ulongType && descriptor.bits >= kFirst &&
        descriptor.bits < kFirst + kSectionNames.size())
        return static_cast<Section>(descriptor.bits);
    if (descriptor.type == Type::symbol) {
        const auto at = std::find(kSectionNames.begin(), kSectionNames.end(), descriptor.bytes);
        if (at != kSectionNames.end())
            return static_cast<Section>(kFirst +
                                        static_cast<std::uint64_t>(at - kSectionNames.begin()));
    }
    return {ErrorCode::malformed, "a message has a section that AMQP 1.0 does not know"};
}

Result<Incoming> toBus(const Buffer& encoded, const std::optional<Destination>& target,
                       const MappingOptions& options, WallTime now) {
    return In(encoded, target, options, now).read();
}

}  // namespace busbar::amqp
