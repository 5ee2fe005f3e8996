#include "adapters/openwire/mapping.h"

#include "adapters/openwire/codec.h"
#include "adapters/openwire/errors.h"
#include "adapters/openwire/primitive.h"
#include "bus/message/body.h"
#include "bus/message/codec.h"
#include "tests/adapters/openwire/golden_frames.h"

#include <cppunit/extensions/HelperMacros.h>
#include <zlib.h>

#include <map>

using namespace busbar;
using namespace busbar::openwire;
using namespace std::string_literals;

namespace {

constexpr WallTime kNow{Milliseconds(1'790'000'000'000)};
const Destination kOrders = Destination::queue("orders");

WireMessage wireMessage(WireMessage::Kind kind, std::string content) {
    WireMessage message;
    message.kind = kind;
    MessageId id;
    id.producerId = makeRef(ProducerId{"ID:host-1-2-1:1", 1, 1});
    id.producerSequenceId = 5;
    message.messageId = makeRef(id);
    message.content = Buffer::of(std::move(content));
    return message;
}

Buffer properties(const BodyMap& map) {
    std::string bytes;
    CPPUNIT_ASSERT(appendPrimitiveMap(bytes, map).ok());
    return Buffer::of(bytes);
}

MessagePtr busMessage(const WireMessage& wire, const MappingLimits& limits = {}) {
    auto made = toBus(wire, kOrders, kNow, limits);
    CPPUNIT_ASSERT_MESSAGE(made ? "" : made.error().text, made.ok());
    return *made;
}

std::string refused(const WireMessage& wire, const MappingLimits& limits = {}) {
    const auto made = toBus(wire, kOrders, kNow, limits);
    return made ? "ok" : std::string(name(made.error().code));
}

std::string deflated(const std::string& bytes) {
    uLongf size = compressBound(bytes.size());
    std::string out(size, '\0');
    CPPUNIT_ASSERT_EQUAL(Z_OK,
                         compress(reinterpret_cast<Bytef*>(out.data()), &size,
                                  reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
    out.resize(size);
    return out;
}

WireMessage backToWire(const Message& message, DeliveryFacts facts = {StoredId(7), 1, false}) {
    auto made = openwire::toWire(message, facts);
    CPPUNIT_ASSERT_MESSAGE(made ? "" : made.error().text, made.ok());
    return **made;
}

}  // namespace

class OpenWireMappingTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(OpenWireMappingTest);
    CPPUNIT_TEST(messageIdsKeepTheirText);
    CPPUNIT_TEST(foreignIdsAreUniqueAndKeepTheirText);
    CPPUNIT_TEST(headersCrossBothWays);
    CPPUNIT_TEST(recordedMessagesComeBackAsTheyWere);
    CPPUNIT_TEST(textIsUtf8InTheBus);
    CPPUNIT_TEST(nullTextStaysNull);
    CPPUNIT_TEST(compressedContentIsInflatedWithinLimits);
    CPPUNIT_TEST(readsSchedules);
    CPPUNIT_TEST(namedPropertiesBecomeHeaders);
    CPPUNIT_TEST(blobMessagesPassTheirUrlOn);
    CPPUNIT_TEST(hostileContentIsRefused);
    CPPUNIT_TEST(messagesOfOtherProtocolsAreReadable);
    CPPUNIT_TEST(errorsHaveJavasClasses);
    CPPUNIT_TEST_SUITE_END();

  public:
    void messageIdsKeepTheirText() {
        for (const auto& text : {"ID:host-41731-1790000000000-1:1:1:1:1"s, "ID:h:1:-1:1:0"s,
                                 "ID:h:1:2:3:9223372036854775807"s}) {
            const MessageId id = toMessageId(text, StoredId(9));
            CPPUNIT_ASSERT(!id.textView);
            CPPUNIT_ASSERT_EQUAL(text, openwire::toText(id));
        }
        const MessageId id = toMessageId("ID:h-1:1:2:3:4", StoredId(9));
        CPPUNIT_ASSERT_EQUAL("ID:h-1:1"s, *id.producerId->connectionId);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{2}, id.producerId->sessionId);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{3}, id.producerId->value);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{4}, id.producerSequenceId);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{9}, id.brokerSequenceId);
    }

    void foreignIdsAreUniqueAndKeepTheirText() {
        for (const auto& text :
             {"ID:busbar-17"s, "ID:a:1:2:03"s, "ID:h:1:2"s, "ID:"s, "ID:123"s, "ID:uuid:6f1c-x"s,
              "ID::1:2:+3"s, "ID:x:1:1:9223372036854775808"s}) {
            const MessageId id = toMessageId(text, StoredId(9));
            CPPUNIT_ASSERT_EQUAL(text, openwire::toText(id));
            CPPUNIT_ASSERT_MESSAGE(text, id.textView.has_value());
            CPPUNIT_ASSERT_EQUAL(std::int64_t{9}, id.producerSequenceId);
            CPPUNIT_ASSERT(id.producerId && id.producerId->connectionId);
        }
        CPPUNIT_ASSERT(*toMessageId("ID:busbar-17", StoredId(1)).producerId ==
                       *toMessageId("ID:busbar-1800", StoredId(2)).producerId);
        MessageId other;
        other.textView = "other";
        CPPUNIT_ASSERT_EQUAL("ID:other"s, openwire::toText(other));
    }

    void headersCrossBothWays() {
        WireMessage wire = wireMessage(WireMessage::kBytes, "body");
        wire.persistent = true;
        wire.priority = 7;
        wire.timestamp = 1'790'000'000'001;
        wire.expiration = 1'790'000'600'001;
        wire.correlationId = "corr";
        wire.jmsType = "kind";
        wire.groupId = "g";
        wire.groupSequence = 3;
        wire.userId = "somebody else";
        wire.replyTo = makeRef(WireDestination{102, "ID:h:1:1"});
        const auto message = busMessage(wire);
        CPPUNIT_ASSERT_EQUAL("ID:host-1-2-1:1:1:1:5"s, message->id);
        CPPUNIT_ASSERT(message->destination == kOrders);
        CPPUNIT_ASSERT_EQUAL(7, int{message->priority});
        CPPUNIT_ASSERT(message->replyTo->kind == DestinationKind::temporaryQueue);
        CPPUNIT_ASSERT_EQUAL(""s, message->userId);  // the core says who it was

        Message stored = *message;
        stored.userId = "alice";
        const WireMessage back = backToWire(stored, {StoredId(12), 3, true});
        CPPUNIT_ASSERT(back.persistent);
        CPPUNIT_ASSERT_EQUAL(7, int{back.priority});
        CPPUNIT_ASSERT_EQUAL(wire.timestamp, back.timestamp);
        CPPUNIT_ASSERT_EQUAL(wire.expiration, back.expiration);
        CPPUNIT_ASSERT(back.correlationId == wire.correlationId && back.jmsType == wire.jmsType);
        CPPUNIT_ASSERT(back.groupId == wire.groupId && back.groupSequence == 3);
        CPPUNIT_ASSERT(*back.replyTo == *wire.replyTo);
        CPPUNIT_ASSERT_EQUAL("alice"s, *back.userId);
        CPPUNIT_ASSERT_EQUAL(2, int{back.redeliveryCounter});
        CPPUNIT_ASSERT(back.groupFirstForConsumer);
        CPPUNIT_ASSERT(*back.destination == (WireDestination{100, "orders"}));
        CPPUNIT_ASSERT_EQUAL("body"s, std::string(back.content->view()));

        wire.priority = 100;
        wire.expiration = -1;
        CPPUNIT_ASSERT_EQUAL(9, int{busMessage(wire)->priority});
        CPPUNIT_ASSERT(busMessage(wire)->expiration == WallTime{});
        wire.replyTo = makeRef(WireDestination{100, "a,b"});
        CPPUNIT_ASSERT_EQUAL("invalid-argument"s, refused(wire));
    }

    void recordedMessagesComeBackAsTheyWere() {
        std::map<WireMessage::Kind, int> seen;
        for (const auto& file : openwire::test::readAllGolden()) {
            if (file.name != "v12-loose.frames") continue;
            Decoder decoder({1u << 20, 65'535, 1024, 12, 1u << 20});
            decoder.setFormat({12, false, false, 0, true});
            for (const auto& [who, bytes] : file.frames) {
                if (who != 'C') continue;
                std::string_view input = bytes;
                const auto decoded = decoder.next(input);
                CPPUNIT_ASSERT(decoded.ok() && *decoded);
                const auto* wire = (*decoded)->as<WireMessage>();
                if (!wire) continue;
                ++seen[wire->kind];
                roundTrip(*wire);
            }
        }
        for (const auto kind : {WireMessage::kPlain, WireMessage::kBytes, WireMessage::kMap,
                                WireMessage::kObject, WireMessage::kStream, WireMessage::kText}) {
            CPPUNIT_ASSERT_MESSAGE(typeName(kind), seen[kind] > 0);
        }
    }

    void textIsUtf8InTheBus() {
        const auto wire =
            wireMessage(WireMessage::kText, "\0\0\0\x08\xed\xa0\xbd\xed\xb8\x80\xc0\x80"s);
        const auto message = busMessage(wire);
        CPPUNIT_ASSERT(message->bodyKind == BodyKind::text);
        CPPUNIT_ASSERT_EQUAL("\xf0\x9f\x98\x80\0"s, std::string(message->body.view()));
        CPPUNIT_ASSERT(backToWire(*message).content->view() == wire.content->view());
        // Plain text is not copied.
        const auto plain = wireMessage(WireMessage::kText, "\0\0\0\x05hello"s);
        CPPUNIT_ASSERT(busMessage(plain)->body.data() == plain.content->data() + 4);
    }

    void nullTextStaysNull() {
        WireMessage none = wireMessage(WireMessage::kText, "");
        none.content.reset();
        CPPUNIT_ASSERT(!backToWire(*busMessage(none)).content);
        CPPUNIT_ASSERT(!backToWire(*busMessage(none)).marshalledProperties);
        const auto empty = busMessage(wireMessage(WireMessage::kText, "\0\0\0\0"s));
        CPPUNIT_ASSERT_EQUAL("\0\0\0\0"s, std::string(backToWire(*empty).content->view()));
    }

    void compressedContentIsInflatedWithinLimits() {
        WireMessage text = wireMessage(WireMessage::kText, deflated("\0\0\0\x05hello"s));
        text.compressed = true;
        CPPUNIT_ASSERT_EQUAL("hello"s, std::string(busMessage(text)->body.view()));
        CPPUNIT_ASSERT(!backToWire(*busMessage(text)).compressed);
        WireMessage bytes = wireMessage(WireMessage::kBytes, "\0\0\0\x03"s + deflated("abc"));
        bytes.compressed = true;
        CPPUNIT_ASSERT_EQUAL("abc"s, std::string(busMessage(bytes)->body.view()));

        WireMessage bomb =
            wireMessage(WireMessage::kObject, deflated(std::string(50'000'000, '\0')));
        bomb.compressed = true;
        MappingLimits limits;
        limits.bodyBytesMax = 1u << 20;
        CPPUNIT_ASSERT_EQUAL("too-large"s, refused(bomb, limits));
        limits.bodyBytesMax = 50'000'000;
        CPPUNIT_ASSERT_EQUAL("ok"s, refused(bomb, limits));
        limits.bodyBytesMax = 49'999'999;
        CPPUNIT_ASSERT_EQUAL("too-large"s, refused(bomb, limits));

        const std::string stream = deflated("\0\0\0\x05hello"s);
        for (std::size_t size = 1; size < stream.size(); ++size) {
            WireMessage cut = wireMessage(WireMessage::kText, stream.substr(0, size));
            cut.compressed = true;
            CPPUNIT_ASSERT_EQUAL("malformed"s, refused(cut));
        }
        WireMessage shortBytes = wireMessage(WireMessage::kBytes, "ab");
        shortBytes.compressed = true;
        CPPUNIT_ASSERT_EQUAL("malformed"s, refused(shortBytes));
    }

    void readsSchedules() {
        const auto with = [](const std::string& property, Value value) {
            WireMessage wire = wireMessage(WireMessage::kPlain, "");
            wire.marshalledProperties = properties({{property, {std::move(value)}}});
            return wire;
        };
        const auto delayed = busMessage(with("AMQ_SCHEDULED_DELAY", std::int64_t{5000}));
        CPPUNIT_ASSERT(delayed->deliverAt == kNow + Milliseconds(5000));
        CPPUNIT_ASSERT(delayed->properties.empty());  // who passes it on does not delay it again
        CPPUNIT_ASSERT(busMessage(with("AMQ_SCHEDULED_DELAY", "60"s))->deliverAt ==
                       kNow + Milliseconds(60));
        CPPUNIT_ASSERT(busMessage(with("AMQ_SCHEDULED_DELAY", std::int32_t{0}))->deliverAt ==
                       WallTime{});
        for (const Value& bad : {Value(std::int64_t{-1}), Value("soon"s), Value(1.5)}) {
            CPPUNIT_ASSERT_EQUAL("invalid-argument"s, refused(with("AMQ_SCHEDULED_DELAY", bad)));
        }
        WireMessage wire = wireMessage(WireMessage::kPlain, "");
        wire.marshalledProperties =
            properties({{"AMQ_SCHEDULED_CRON", {Value("0 * * * *"s)}},
                        {"busbar_cronZone", {Value("Europe/Berlin"s)}},
                        {"AMQ_SCHEDULED_DELAY", {Value(std::int64_t{1000})}},
                        {"AMQ_SCHEDULED_PERIOD", {Value(std::int64_t{2000})}},
                        {"AMQ_SCHEDULED_REPEAT", {Value(std::int32_t{9})}}});
        const auto recurring = busMessage(wire);
        CPPUNIT_ASSERT(recurring->recurrence && recurring->properties.empty());
        CPPUNIT_ASSERT(
            (*recurring->recurrence ==
             Recurrence{"0 * * * *", "Europe/Berlin", Milliseconds(1000), Milliseconds(2000), 9}));
        CPPUNIT_ASSERT(recurring->deliverAt == WallTime{});
        CPPUNIT_ASSERT_EQUAL("ok"s, refused(with("AMQ_SCHEDULED_REPEAT", std::int32_t{-1})));
        CPPUNIT_ASSERT_EQUAL("invalid-argument"s,
                             refused(with("AMQ_SCHEDULED_REPEAT", std::int32_t{-2})));
        CPPUNIT_ASSERT_EQUAL("invalid-argument"s,
                             refused(with("AMQ_SCHEDULED_PERIOD", std::int64_t{-1})));
        const auto once = busMessage(with("AMQ_SCHEDULED_PERIOD", std::int64_t{9}));
        CPPUNIT_ASSERT(!once->recurrence && once->deliverAt == kNow + Milliseconds(9));
        CPPUNIT_ASSERT(!busMessage(with("AMQ_SCHEDULED_CRON", ""s))->recurrence);
    }

    void namedPropertiesBecomeHeaders() {
        WireMessage wire = wireMessage(WireMessage::kPlain, "");
        wire.marshalledProperties = properties({{"_AMQ_DUPL_ID", {Value("once"s)}},
                                                {"JMS_AMQP_ContentType", {Value("text/xml"s)}},
                                                {"mine", {Value(std::int16_t{1})}}});
        const auto message = busMessage(wire);
        CPPUNIT_ASSERT_EQUAL("once"s, message->dedupId);
        CPPUNIT_ASSERT_EQUAL("text/xml"s, message->contentType);
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, message->properties.size());
        const auto back = readPrimitiveMap(backToWire(*message).marshalledProperties->view(), {});
        CPPUNIT_ASSERT_EQUAL(std::size_t{3}, back->size());
        wire.marshalledProperties = properties({{"nested", {BodyList{}}}});
        CPPUNIT_ASSERT_EQUAL("unsupported"s, refused(wire));
    }

    void blobMessagesPassTheirUrlOn() {
        WireMessage wire = wireMessage(WireMessage::kBlob, "");
        wire.content.reset();
        wire.remoteBlobUrl = "http://example.com/blob";
        wire.mimeType = "image/png";
        wire.deletedByBroker = true;
        const auto message = busMessage(wire);
        CPPUNIT_ASSERT(message->bodyKind == BodyKind::none);
        const WireMessage back = backToWire(*message);
        CPPUNIT_ASSERT_EQUAL(int{WireMessage::kBlob}, int{back.kind});
        CPPUNIT_ASSERT_EQUAL("http://example.com/blob"s, *back.remoteBlobUrl);
        CPPUNIT_ASSERT_EQUAL("image/png"s, *back.mimeType);
        CPPUNIT_ASSERT(back.deletedByBroker && !back.marshalledProperties);
    }

    void hostileContentIsRefused() {
        for (const auto& bad :
             {"\0\0\0"s, "\0\0\0\1"s, "\0\0\0\1xy"s, "\x7f\xff\xff\xffx"s, "\0\0\0\1\xff"s}) {
            CPPUNIT_ASSERT_EQUAL("malformed"s, refused(wireMessage(WireMessage::kText, bad)));
        }
        CPPUNIT_ASSERT_EQUAL("malformed"s,
                             refused(wireMessage(WireMessage::kMap, "\x7f\xff\xff\xff"s)));
        CPPUNIT_ASSERT_EQUAL("malformed"s, refused(wireMessage(WireMessage::kStream, "\x0e"s)));
        MappingLimits small;
        small.bodyBytesMax = 3;
        CPPUNIT_ASSERT_EQUAL("too-large"s,
                             refused(wireMessage(WireMessage::kBytes, "1234"), small));
        WireMessage wire = wireMessage(WireMessage::kPlain, "");
        wire.marshalledProperties = Buffer::of("\0\0\0\1\0"s);
        CPPUNIT_ASSERT_EQUAL("malformed"s, refused(wire));
        // An object is bytes: whatever class it names, nobody looks.
        const auto object =
            busMessage(wireMessage(WireMessage::kObject, "\xac\xed\0\5sr\0\4Evil"s));
        CPPUNIT_ASSERT(object->bodyKind == BodyKind::object);
    }

    void messagesOfOtherProtocolsAreReadable() {
        Message message;
        message.id = "ID:busbar-1";
        message.destination = Destination::topic("t");
        message.bodyKind = BodyKind::amqp;
        message.body = Buffer::of("sections"s);
        CPPUNIT_ASSERT_EQUAL(int{WireMessage::kBytes}, int{backToWire(message).kind});
        message.bodyKind = BodyKind::none;
        CPPUNIT_ASSERT_EQUAL(int{WireMessage::kPlain}, int{backToWire(message).kind});
        message.bodyKind = BodyKind::map;
        message.body = Buffer::of("damaged"s);
        const auto broken = openwire::toWire(message, {});
        CPPUNIT_ASSERT_EQUAL(name(ErrorCode::malformed), name(broken.error().code));
        message.body = {};
        CPPUNIT_ASSERT_EQUAL("\0\0\0\0"s, std::string(backToWire(message).content->view()));
        message.bodyKind = BodyKind::none;
        message.properties.set(std::string(65'536, 'k'), true);
        CPPUNIT_ASSERT(!openwire::toWire(message, {}));
    }

    void errorsHaveJavasClasses() {
        for (int code = 0; code <= static_cast<int>(ErrorCode::internal); ++code) {
            CPPUNIT_ASSERT(exceptionClass(static_cast<ErrorCode>(code)).starts_with("javax.jms."));
        }
        const auto thrown =
            toThrowable({ErrorCode::notAuthorized, "no\xff" + std::string(5000, 'x')});
        CPPUNIT_ASSERT_EQUAL("javax.jms.JMSSecurityException"s, *thrown->className);
        CPPUNIT_ASSERT(thrown->message->starts_with("not-authorized: no?xx"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1024}, thrown->message->size());
        const auto xa = toXaThrowable(XaCode::notKnown, std::string(5000, 'x'));
        CPPUNIT_ASSERT(xa->message->ends_with(" xaErrorCode:-4"));
        CPPUNIT_ASSERT_EQUAL("javax.jms.InvalidSelectorException"s,
                             *toInvalidSelector({ErrorCode::invalidArgument, "x"})->className);
    }

  private:
    /// Through the bus and its journal, and back.
    static void roundTrip(const WireMessage& wire) {
        const auto made = busMessage(wire);
        std::string journal;
        encodeMessage(*made, journal);
        const auto stored = decodeMessage(Buffer::of(journal));
        CPPUNIT_ASSERT(stored.ok());
        const WireMessage back = backToWire(**stored);
        const std::string what = typeName(wire.kind);
        CPPUNIT_ASSERT_EQUAL_MESSAGE(what, int{wire.kind}, int{back.kind});
        const bool sameContent = wire.content.has_value() == back.content.has_value() &&
                                 (!wire.content || *wire.content == *back.content);
        CPPUNIT_ASSERT_MESSAGE(what, sameContent);
        CPPUNIT_ASSERT_EQUAL_MESSAGE(what, openwire::toText(*wire.messageId),
                                     openwire::toText(*back.messageId));
        CPPUNIT_ASSERT_EQUAL_MESSAGE(what, wire.marshalledProperties.has_value(),
                                     back.marshalledProperties.has_value());
        if (wire.marshalledProperties) {
            CPPUNIT_ASSERT_MESSAGE(what, *wire.marshalledProperties == *back.marshalledProperties);
        }
        CPPUNIT_ASSERT_MESSAGE(what, wire.persistent == back.persistent);
        CPPUNIT_ASSERT_EQUAL_MESSAGE(what, wire.expiration, back.expiration);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(OpenWireMappingTest);
