// AMQP 1.0 section 3.2: from the bus's message to what a client gets.
#include "adapters/amqp/address.h"
#include "adapters/amqp/body_mapping.h"
#include "adapters/amqp/values.h"

#include <charconv>

namespace busbar::amqp {
namespace {

std::int64_t millis(WallTime time) {
    return time.time_since_epoch().count();
}

/// What kFormProperty says: the type that each named value had.
class Form {
  public:
    explicit Form(const Message& message) {
        const auto* value = message.properties.find(kFormProperty);
        if (!value) return;
        if (const auto* text = std::get_if<std::string>(value)) words_ = *text;
    }

    /// What stands before "=NAME"; empty where there is nothing.
    std::string_view of(std::string_view key) const {
        std::string_view rest = words_;
        while (!rest.empty()) {
            const std::string_view word = rest.substr(0, rest.find(' '));
            rest.remove_prefix(std::min(word.size() + 1, rest.size()));
            const std::size_t equals = word.find('=');
            if (equals != word.npos && word.substr(equals + 1) == key)
                return word.substr(0, equals);
        }
        return {};
    }

  private:
    std::string_view words_;
};

void section(std::string& out, Section section) {
    putDescriptor(out, static_cast<std::uint8_t>(section));
}

/// A list whose last elements may be left out when nothing follows (AMQP 1.0 section 1.4).
class Fields {
  public:
    explicit Fields(std::string& out) : out_(out), list_(out, Compound::Kind::list) {}

    /// The next field: `put` appends it, or it is null.
    template <class Put>
    void field(bool present, Put put) {
        ++position_;
        if (!present) return;
        for (; written_ + 1 < position_; ++written_) putNull(out_);
        put();
        ++written_;
    }
    void text(std::string_view value) {
        field(!value.empty(), [&] { putString(out_, value); });
    }
    void end() { list_.end(written_); }

  private:
    std::string& out_;
    Compound list_;
    std::size_t position_ = 0;
    std::size_t written_ = 0;
};

class Out {
  public:
    Out(const Message& message, const DeliveryFacts& facts)
        : m_(message), facts_(facts), form_(message) {}

    Outgoing write() {
        header();
        deliveryAnnotations();
        messageAnnotations();
        properties();
        applicationProperties();
        writeBody(m_, form_.of("body"), out_);
        footer();
        return std::move(out_);
    }

  private:
    void header() {
        section(out_.head, Section::header);
        Fields fields(out_.head);
        fields.field(m_.persistent, [&] { putBoolean(out_.head, true); });
        fields.field(m_.priority != 4, [&] { putUbyte(out_.head, m_.priority); });
        fields.field(m_.expiration != WallTime{}, [&] {
            const auto left = std::max<std::int64_t>(1, (m_.expiration - facts_.now).count());
            putUint(out_.head,
                    static_cast<std::uint32_t>(std::min<std::int64_t>(left, 0xffff'ffff)));
        });
        fields.field(false, [] {});
        fields.field(facts_.count > 1, [&] { putUint(out_.head, facts_.count - 1); });
        fields.end();
    }

    void deliveryAnnotations() {
        if (!facts_.stored && facts_.fencingToken == 0 && !facts_.firstOfGroup && !facts_.lease)
            return;
        section(out_.head, Section::deliveryAnnotations);
        Compound map(out_.head, Compound::Kind::map);
        std::size_t elements = 0;
        const auto number = [&](std::string_view key, std::uint64_t value) {
            putSymbol(out_.head, key);
            putUlong(out_.head, value);
            elements += 2;
        };
        if (facts_.stored) number("x-opt-busbar-stored", facts_.stored->value);
        if (facts_.fencingToken != 0) number("x-opt-busbar-fencing-token", facts_.fencingToken);
        if (facts_.firstOfGroup) {
            putSymbol(out_.head, "x-opt-busbar-first-of-group");
            putBoolean(out_.head, true);
            elements += 2;
        }
        if (facts_.lease) {
            putSymbol(out_.head, "x-opt-busbar-lease");
            putString(out_.head, facts_.lease->token);
            putSymbol(out_.head, "x-opt-locked-until");
            putTimestamp(out_.head, millis(facts_.lease->until));
            elements += 4;
        }
        map.end(elements);
    }

    void messageAnnotations() {
        section(out_.head, Section::messageAnnotations);
        Compound map(out_.head, Compound::Kind::map);
        std::size_t elements = 2;
        putSymbol(out_.head, "x-opt-jms-dest");
        putByte(out_.head, static_cast<std::int8_t>(m_.destination.kind));
        if (const JmsType type = jmsType(); type != JmsType::none) {
            putSymbol(out_.head, "x-opt-jms-msg-type");
            putByte(out_.head, static_cast<std::int8_t>(type));
            elements += 2;
        }
        if (m_.replyTo) {
            putSymbol(out_.head, "x-opt-jms-reply-to");
            putByte(out_.head, static_cast<std::int8_t>(m_.replyTo->kind));
            elements += 2;
        }
        if (m_.deliverAt != WallTime{}) {
            putSymbol(out_.head, "x-opt-delivery-time");
            putLong(out_.head, millis(m_.deliverAt));
            elements += 2;
        }
        elements += prefixed(kAnnotationPrefix, out_.head);
        map.end(elements);
    }

    JmsType jmsType() const {
        if (m_.bodyKind != BodyKind::amqp) return jmsTypeOf(m_.bodyKind);
        const std::string_view kept = form_.of("jms-msg-type");
        return kept.size() == 1 && kept[0] >= '0' && kept[0] <= '5'
                   ? static_cast<JmsType>(kept[0] - '0')
                   : JmsType::none;
    }

    /// Properties whose names begin with `prefix`, without it, as entries with symbols as keys.
    std::size_t prefixed(std::string_view prefix, std::string& to) {
        std::size_t elements = 0;
        for (const auto& [name, value] : m_.properties) {
            if (!std::string_view(name).starts_with(prefix)) continue;
            putSymbol(to, std::string_view(name).substr(prefix.size()));
            put(to, name, value);
            elements += 2;
        }
        return elements;
    }

    void put(std::string& to, std::string_view name, const Value& value) const {
        Type type{};
        const std::string_view was = form_.of(name);
        if (was.empty() || !typeOf(was, type) || !putAs(to, type, value)) putValue(to, value);
    }

    std::string_view text(std::string_view property) const {
        const auto* value = m_.properties.find(property);
        const auto* text = value ? std::get_if<std::string>(value) : nullptr;
        return text ? std::string_view(*text) : std::string_view();
    }

    void properties() {
        section(out_.head, Section::properties);
        std::string& to = out_.head;
        Fields fields(to);
        fields.field(!m_.id.empty(), [&] { putId(to, m_.id); });
        fields.field(!m_.userId.empty(), [&] { putBinary(to, m_.userId); });
        fields.text(toAddress(m_.destination));
        fields.text(m_.type);
        fields.text(m_.replyTo ? toAddress(*m_.replyTo) : std::string());
        fields.field(!m_.correlationId.empty(), [&] { putId(to, m_.correlationId); });
        fields.field(!m_.contentType.empty(), [&] { putSymbol(to, m_.contentType); });
        const auto encoding = text(kEncodingProperty);
        fields.field(!encoding.empty(), [&] { putSymbol(to, encoding); });
        fields.field(m_.expiration != WallTime{}, [&] { putTimestamp(to, millis(m_.expiration)); });
        fields.field(m_.timestamp != WallTime{}, [&] { putTimestamp(to, millis(m_.timestamp)); });
        fields.text(m_.groupId);
        fields.field(!m_.groupId.empty() || m_.groupSequence != 0,
                     [&] { putUint(to, static_cast<std::uint32_t>(m_.groupSequence)); });
        fields.text(text(kReplyToGroupProperty));
        fields.end();
    }

    void applicationProperties() {
        std::size_t elements = 0;
        std::string entries;
        for (const auto& [name, value] : m_.properties) {
            if (std::string_view(name).starts_with("JMS_AMQP_") || name == kNullTextProperty)
                continue;
            putString(entries, name);
            put(entries, name, value);
            elements += 2;
        }
        if (elements == 0) return;
        section(out_.head, Section::applicationProperties);
        Compound map(out_.head, Compound::Kind::map);
        out_.head += entries;
        map.end(elements);
    }

    void footer() {
        std::string entries;
        const std::size_t elements = prefixed(kFooterPrefix, entries);
        if (elements == 0) return;
        section(out_.tail, Section::footer);
        Compound map(out_.tail, Compound::Kind::map);
        out_.tail += entries;
        map.end(elements);
    }

    const Message& m_;
    const DeliveryFacts& facts_;
    const Form form_;
    Outgoing out_;
};

}  // namespace

Outgoing toWire(const Message& message, const DeliveryFacts& facts) {
    return Out(message, facts).write();
}

}  // namespace busbar::amqp
