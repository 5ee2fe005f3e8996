#include "adapters/amqp/mapping.h"

#include "adapters/amqp/body_mapping.h"
#include "bus/message/body.h"
#include "bus/message/codec.h"

#include <cppunit/extensions/HelperMacros.h>

#include <random>

using namespace busbar;
using namespace busbar::amqp;
using namespace std::string_literals;

namespace {

const WallTime kNow{Milliseconds(1'700'000'000'000)};

std::string section(std::uint8_t code, const std::string& value) {
    std::string out;
    putDescriptor(out, code);
    return out + value;
}

template <class Put>
std::string encoded(Put put) {
    std::string out;
    put(out);
    return out;
}

std::string list(std::initializer_list<std::string> items) {
    std::string out;
    Compound compound(out, Compound::Kind::list);
    for (const auto& item : items) out += item;
    compound.end(items.size());
    return out;
}

std::string map(std::initializer_list<std::string> items) {
    std::string out;
    Compound compound(out, Compound::Kind::map);
    for (const auto& item : items) out += item;
    compound.end(items.size());
    return out;
}

std::string str(std::string_view text) {
    return encoded([&](std::string& out) { putString(out, text); });
}
std::string sym(std::string_view text) {
    return encoded([&](std::string& out) { putSymbol(out, text); });
}
std::string bin(std::string_view bytes) {
    return encoded([&](std::string& out) { putBinary(out, bytes); });
}
std::string null() {
    return "\x40";
}

Result<Incoming> in(std::string bytes) {
    return toBus(Buffer::of(std::move(bytes)), Destination::queue("q"), {}, kNow);
}

std::shared_ptr<Message> mustRead(std::string bytes) {
    auto read = in(std::move(bytes));
    CPPUNIT_ASSERT_MESSAGE(read.ok() ? "" : read.error().text, read.ok());
    return read->message;
}

std::string out(const Message& message, std::uint32_t count = 1) {
    DeliveryFacts facts;
    facts.count = count;
    facts.now = kNow;
    const Outgoing bytes = toWire(message, facts);
    return bytes.head + std::string(bytes.body.view()) + bytes.tail;
}

/// The section of that code as it was written.
std::string sectionOf(const std::string& message, std::uint8_t code) {
    Reader reader(message);
    while (!reader.atEnd()) {
        const std::size_t begin = reader.position();
        const auto item = reader.next();
        CPPUNIT_ASSERT(item.ok());
        if (item->at(0).bits == code) return message.substr(begin, reader.position() - begin);
    }
    return {};
}

/// Through the journal's codec, as every stored message goes.
std::shared_ptr<Message> stored(const Message& message) {
    std::string bytes;
    encodeMessage(message, bytes);
    auto read = decodeMessage(Buffer::of(std::move(bytes)));
    CPPUNIT_ASSERT_MESSAGE(read.ok() ? "" : read.error().text, read.ok());
    return *read;
}

}  // namespace

class AmqpMappingTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(AmqpMappingTest);
    CPPUNIT_TEST(readsHeaderAndProperties);
    CPPUNIT_TEST(defaultsAreTheStandards);
    CPPUNIT_TEST(timeToLiveWinsOverAbsoluteExpiry);
    CPPUNIT_TEST(idsKeepTheirType);
    CPPUNIT_TEST(bodiesBecomeTheirKindAndComeBackTheSame);
    CPPUNIT_TEST(otherBodiesAreKeptAsTheyCame);
    CPPUNIT_TEST(jmsTypesAreSaidAndHeard);
    CPPUNIT_TEST(withoutABodyTheJmsTypeSaysTheKind);
    CPPUNIT_TEST(severalDataSectionsAreOneBody);
    CPPUNIT_TEST(textBodyKeepsItsSection);
    CPPUNIT_TEST(applicationPropertiesKeepTheirTypes);
    CPPUNIT_TEST(refusesPropertiesThatAreNone);
    CPPUNIT_TEST(annotationsAndFooterComeBack);
    CPPUNIT_TEST(delaysAndDedupAndNumbers);
    CPPUNIT_TEST(readsSchedules);
    CPPUNIT_TEST(addressesKeepTheirKind);
    CPPUNIT_TEST(refusesMalformedMessages);
    CPPUNIT_TEST(symbolicDescriptorsAreFine);
    CPPUNIT_TEST(messagesOfOtherWiresAreReadable);
    CPPUNIT_TEST(generatedMessagesComeBackTheSame);
    CPPUNIT_TEST_SUITE_END();

  public:
    void readsHeaderAndProperties() {
        const auto m = mustRead(
            section(0x70, list({"\x41", "\x50\x07"s, "\x70\0\0\x03\xe8"s})) +
            section(0x73, list({str("id"), bin("spoofed"), str("elsewhere"), str("kind"),
                                str("answers"), str("corr"), sym("a/b"), sym("gzip"), null(),
                                "\x83\0\0\0\0\0\0\0\x09"s, str("g"), "\x52\x03", str("rg")})) +
            section(0x77, str("x")));
        CPPUNIT_ASSERT(m->persistent);
        CPPUNIT_ASSERT_EQUAL(7, static_cast<int>(m->priority));
        CPPUNIT_ASSERT(m->expiration == kNow + Milliseconds(1000));
        CPPUNIT_ASSERT_EQUAL(std::string("id"), m->id);
        CPPUNIT_ASSERT_EQUAL(std::string(), m->userId);
        CPPUNIT_ASSERT(m->destination == Destination::queue("q"));
        CPPUNIT_ASSERT_EQUAL(std::string("kind"), m->type);
        CPPUNIT_ASSERT(*m->replyTo == Destination::queue("answers"));
        CPPUNIT_ASSERT_EQUAL(std::string("corr"), m->correlationId);
        CPPUNIT_ASSERT_EQUAL(std::string("a/b"), m->contentType);
        CPPUNIT_ASSERT(m->timestamp == WallTime(Milliseconds(9)));
        CPPUNIT_ASSERT_EQUAL(std::string("g"), m->groupId);
        CPPUNIT_ASSERT_EQUAL(3, m->groupSequence);
        const std::string bytes = out(*m, 4);
        CPPUNIT_ASSERT_EQUAL(
            section(0x70, list({"\x41", "\x50\x07"s, "\x70\0\0\x03\xe8"s, null(), "\x52\x03"})),
            sectionOf(bytes, 0x70));
        CPPUNIT_ASSERT_EQUAL(
            section(0x73, list({str("id"), null(), str("q"), str("kind"), str("answers"),
                                str("corr"), sym("a/b"), sym("gzip"),
                                encoded([](std::string& o) { putTimestamp(o, 1'700'000'001'000); }),
                                "\x83\0\0\0\0\0\0\0\x09"s, str("g"), "\x52\x03", str("rg")})),
            sectionOf(bytes, 0x73));
    }

    void defaultsAreTheStandards() {
        const auto m = mustRead(section(0x77, str("x")));
        CPPUNIT_ASSERT(!m->persistent);
        CPPUNIT_ASSERT_EQUAL(4, static_cast<int>(m->priority));
        CPPUNIT_ASSERT(m->expiration == WallTime{} && m->deliverAt == WallTime{});
    }

    void timeToLiveWinsOverAbsoluteExpiry() {
        const auto absolute = section(
            0x73, list({null(), null(), null(), null(), null(), null(), null(), null(),
                        encoded([](std::string& o) { putTimestamp(o, 1'700'000'005'000); })}));
        const auto body = section(0x77, str("x"));
        CPPUNIT_ASSERT(mustRead(absolute + body)->expiration == kNow + Milliseconds(5000));
        CPPUNIT_ASSERT(mustRead(section(0x70, list({null(), null(), "\x52\x09"})) + absolute + body)
                           ->expiration == kNow + Milliseconds(9));
    }

    void idsKeepTheirType() {
        const std::pair<std::string, std::string> rows[] = {
            {str("ID:1"), "ID:1"},
            {str("plain"), "plain"},
            {"\x53\x07", "ID:AMQP_ULONG:7"},
            {"\x80\xff\xff\xff\xff\xff\xff\xff\xff", "ID:AMQP_ULONG:18446744073709551615"},
            {"\x98"s + std::string(16, '\x0f'),
             "ID:AMQP_UUID:0f0f0f0f-0f0f-0f0f-0f0f-0f0f0f0f0f0f"},
            {bin("\x01\xff"), "ID:AMQP_BINARY:01FF"}};
        for (const auto& [wire, text] : rows) {
            const auto m =
                mustRead(section(0x73, list({wire, null(), null(), null(), null(), wire})) +
                         section(0x77, str("x")));
            CPPUNIT_ASSERT_EQUAL(text, m->id);
            CPPUNIT_ASSERT_EQUAL(text, m->correlationId);
            std::string back;
            putId(back, m->id);
            CPPUNIT_ASSERT_EQUAL(wire, back);
        }
        std::string back;
        putId(back, "ID:AMQP_ULONG:x");
        CPPUNIT_ASSERT_EQUAL(str("ID:AMQP_ULONG:x"), back);
        CPPUNIT_ASSERT(!in(section(0x73, list({"\x41"})) + section(0x77, str("x"))).ok());
    }

    void bodiesBecomeTheirKindAndComeBackTheSame() {
        const std::pair<std::string, BodyKind> rows[] = {
            {section(0x77, str("text")), BodyKind::text},
            {section(0x77, str("")), BodyKind::text},
            {section(0x77, null()), BodyKind::none},
            {section(0x75, bin("bytes")), BodyKind::bytes},
            {section(0x75, bin("")), BodyKind::bytes},
            {section(0x77, bin("value")), BodyKind::bytes},
            {section(0x77, map({str("a"), "\x55\x01", str("b"), list({str("c"), null()})})),
             BodyKind::map},
            {section(0x77, list({str("a"), "\x41"})), BodyKind::stream},
            {section(0x76, list({str("a"), "\x54\x07", map({str("k"), bin("v")})})),
             BodyKind::stream}};
        for (const auto& [body, kind] : rows) {
            const auto m = stored(*mustRead(body));
            CPPUNIT_ASSERT(m->bodyKind == kind);
            CPPUNIT_ASSERT_EQUAL(body, sectionOf(out(*m), static_cast<std::uint8_t>(body[2])));
        }
    }

    void otherBodiesAreKeptAsTheyCame() {
        const std::string rows[] = {
            section(0x77, "\x52\x07"),                                  // uint
            section(0x77, "\x83\0\0\0\0\0\0\0\x09"s),                   // timestamp
            section(0x77, sym("s")),                                    // symbol
            section(0x77, map({"\x54\x01", str("int as key")})),        //
            section(0x77, map({str("k"), "\x52\x07"})),                 // uint within
            section(0x77, std::string("\0", 1) + sym("d") + str("x")),  // described
            section(0x77, encoded([](std::string& o) { putSymbols(o, {"a"}); })),
            section(0x76, list({"\x52\x07"})) + section(0x76, list({"\x41"}))};
        for (const auto& body : rows) {
            const auto m = stored(*mustRead(section(0x70, list({"\x41"})) + body +
                                            section(0x78, map({sym("f"), str("v")}))));
            CPPUNIT_ASSERT(m->bodyKind == BodyKind::amqp);
            CPPUNIT_ASSERT_EQUAL(body, std::string(m->body.view()));
            const std::string bytes = out(*m);
            CPPUNIT_ASSERT(bytes.find(body) != bytes.npos);
            CPPUNIT_ASSERT(in(bytes).ok());
        }
    }

    void jmsTypesAreSaidAndHeard() {
        const auto typed = [](int type, const std::string& body) {
            return stored(*mustRead(
                section(0x72, map({sym("x-opt-jms-msg-type"), "\x51"s + static_cast<char>(type)})) +
                body));
        };
        const auto said = [](const Message& m) {
            const std::string bytes = out(m);
            const std::string annotations = sectionOf(bytes, 0x72);
            return Reader(annotations).next()->plain().find("x-opt-jms-msg-type").number();
        };
        CPPUNIT_ASSERT(typed(5, section(0x77, null()))->bodyKind == BodyKind::text);
        CPPUNIT_ASSERT_EQUAL(section(0x77, null()),
                             sectionOf(out(*typed(5, section(0x77, null()))), 0x77));
        CPPUNIT_ASSERT(typed(1, section(0x75, bin("java")))->bodyKind == BodyKind::object);
        CPPUNIT_ASSERT(typed(1, section(0x77, str("typed")))->bodyKind == BodyKind::amqp);
        for (const auto& [type, body] :
             {std::pair(0, section(0x77, null())), std::pair(1, section(0x75, bin("java"))),
              std::pair(1, section(0x77, str("typed"))),
              std::pair(2, section(0x77, map({str("k"), str("v")}))),
              std::pair(3, section(0x75, bin("b"))), std::pair(4, section(0x76, list({str("v")}))),
              std::pair(5, section(0x77, str("t")))}) {
            CPPUNIT_ASSERT_EQUAL(std::int64_t(type), said(*typed(type, body)));
        }
    }

    void withoutABodyTheJmsTypeSaysTheKind() {
        for (const std::string& body : {std::string(), section(0x77, null())}) {
            const auto kind = [&](int type) {
                return mustRead(section(0x72, map({sym("x-opt-jms-msg-type"),
                                                   "\x51"s + static_cast<char>(type)})) +
                                body)
                    ->bodyKind;
            };
            CPPUNIT_ASSERT(kind(0) == BodyKind::none);
            CPPUNIT_ASSERT(kind(2) == BodyKind::map);
            CPPUNIT_ASSERT(kind(3) == BodyKind::bytes);
            CPPUNIT_ASSERT(kind(4) == BodyKind::stream);
            CPPUNIT_ASSERT(kind(5) == BodyKind::text);
        }
        const auto text = mustRead(section(0x72, map({sym("x-opt-jms-msg-type"), "\x51\x05"s})));
        CPPUNIT_ASSERT(text->properties.find(kNullTextProperty));
        CPPUNIT_ASSERT_EQUAL(section(0x77, null()), sectionOf(out(*text), 0x77));
    }

    void severalDataSectionsAreOneBody() {
        const auto m = mustRead(section(0x75, bin("ab")) + section(0x75, bin("cd")));
        CPPUNIT_ASSERT_EQUAL(std::string("abcd"), std::string(m->body.view()));
    }

    void textBodyKeepsItsSection() {
        const std::string body = section(0x75, bin("{\"a\":1}"));
        const std::string type = section(
            0x73, list({null(), null(), null(), null(), null(), null(), sym("application/json")}));
        const auto m = stored(*mustRead(type + body));
        CPPUNIT_ASSERT(m->bodyKind == BodyKind::text);
        CPPUNIT_ASSERT_EQUAL(body, sectionOf(out(*m), 0x75));
        CPPUNIT_ASSERT(mustRead(type + section(0x75, bin("\xff")))->bodyKind == BodyKind::bytes);
    }

    void applicationPropertiesKeepTheirTypes() {
        const std::string wire = section(0x74, map({str("b"),
                                                    "\x41",
                                                    str("ub"),
                                                    "\x50\x07",
                                                    str("us"),
                                                    "\x60\x01\x02",
                                                    str("ui"),
                                                    "\x52\x07",
                                                    str("ul"),
                                                    "\x53\x07",
                                                    str("ulmax"),
                                                    "\x80\xff\xff\xff\xff\xff\xff\xff\xff",
                                                    str("by"),
                                                    "\x51\xff",
                                                    str("s"),
                                                    "\x61\xff\xff",
                                                    str("i"),
                                                    "\x54\xff",
                                                    str("l"),
                                                    "\x55\xff",
                                                    str("f"),
                                                    "\x72\x3f\x80\0\0"s,
                                                    str("d"),
                                                    "\x82\x3f\xf0\0\0\0\0\0\0"s,
                                                    str("c"),
                                                    "\x73\0\0\0x"s,
                                                    str("wide"),
                                                    "\x73\0\x01\xf6\0"s,
                                                    str("t"),
                                                    "\x83\0\0\0\0\0\0\0\x09"s,
                                                    str("u"),
                                                    "\x98"s + std::string(16, 'u'),
                                                    str("bin"),
                                                    bin("\x01"),
                                                    str("str"),
                                                    str("x"),
                                                    str("sym"),
                                                    sym("y"),
                                                    str("null"),
                                                    null(),
                                                    str("dec"),
                                                    "\x74"s
                                                    "abcd"}));
        const auto m = stored(*mustRead(wire + section(0x77, str("x"))));
        CPPUNIT_ASSERT(*m->properties.find("ui") == Value(std::int64_t(7)));
        CPPUNIT_ASSERT(*m->properties.find("sym") == Value("y"s));
        CPPUNIT_ASSERT(*m->properties.find("u") == Value("75757575-7575-7575-7575-757575757575"s));
        const std::string back = sectionOf(out(*m), 0x74);
        // 18446744073709551615 has no place in the bus but as text.
        CPPUNIT_ASSERT(*m->properties.find("ulmax") == Value("18446744073709551615"s));
        const auto before = Reader(wire).next();
        const auto after = Reader(back).next();
        for (const auto* key :
             {"b", "ub", "us",   "ui", "ul", "by",  "s",   "i",   "l",    "f",
              "d", "c",  "wide", "t",  "u",  "bin", "str", "sym", "null", "dec"}) {
            const Item& a = before->plain().find(key);
            const Item& b = after->plain().find(key);
            CPPUNIT_ASSERT_EQUAL(std::string(name(a.type)), std::string(name(b.type)));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(key, a.bits, b.bits);
            CPPUNIT_ASSERT(a.bytes == b.bytes);
        }
    }

    void refusesPropertiesThatAreNone() {
        for (const auto& value : {list({}), map({}), "\xe0\x02\x01\x41"s})
            CPPUNIT_ASSERT(
                in(section(0x74, map({str("k"), value})) + section(0x77, str("x"))).error().code ==
                    ErrorCode::invalidArgument ||
                !in(section(0x74, map({str("k"), value})) + section(0x77, str("x"))).ok());
        CPPUNIT_ASSERT(
            !in(section(0x74, map({str("\xff"), str("x")})) + section(0x77, str("x"))).ok());
        CPPUNIT_ASSERT(!in(section(0x74, map({str("k"), str(std::string(70'000, 'x'))})) +
                           section(0x77, str("x")))
                            .ok());
    }

    void annotationsAndFooterComeBack() {
        const auto m = stored(*mustRead(
            section(0x71, map({sym("hop"), str("gone")})) +
            section(0x72, map({sym("x-opt-mine"), "\x52\x05", sym("x-opt-list"), list({})})) +
            section(0x77, str("x")) + section(0x78, map({sym("crc"), bin("1234")}))));
        const std::string bytes = out(*m);
        const auto annotations = sectionOf(bytes, 0x72);
        const auto read = Reader(annotations).next();
        CPPUNIT_ASSERT(read->plain().find("x-opt-mine").type == Type::uintType);
        CPPUNIT_ASSERT_EQUAL(section(0x78, map({sym("crc"), bin("1234")})), sectionOf(bytes, 0x78));
        CPPUNIT_ASSERT(sectionOf(bytes, 0x71).empty());
        CPPUNIT_ASSERT(sectionOf(bytes, 0x74).empty());  // what we keep for ourselves stays here
    }

    void delaysAndDedupAndNumbers() {
        const auto read =
            in(section(0x72,
                       map({sym("x-opt-delivery-delay"), "\x52\x64", sym("x-opt-busbar-producer"),
                            str("p"), sym("x-opt-busbar-sequence"), "\x53\x09"})) +
               section(0x74, map({str("_AMQ_DUPL_ID"), str("once")})) + section(0x77, str("x")));
        CPPUNIT_ASSERT(read->message->deliverAt == kNow + Milliseconds(100));
        CPPUNIT_ASSERT_EQUAL(std::string("once"), read->message->dedupId);
        CPPUNIT_ASSERT_EQUAL(std::string("p"), read->producer);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(9), read->sequence);
        const auto at =
            mustRead(section(0x72, map({sym("x-opt-delivery-time"),
                                        encoded([](std::string& o) { putLong(o, 99); })})) +
                     section(0x77, str("x")));
        CPPUNIT_ASSERT(at->deliverAt == WallTime(Milliseconds(99)));
    }

    void readsSchedules() {
        const auto with = [](std::initializer_list<std::string> annotations) {
            return in(section(0x72, map(annotations)) + section(0x77, str("x")));
        };
        const auto all = with(
            {sym("x-opt-delivery-cron"), str("0 * * * *"), sym("x-opt-busbar-cron-zone"),
             str("Europe/Berlin"), sym("x-opt-delivery-delay"), "\x52\x64",
             sym("x-opt-delivery-period"), "\x52\x70", sym("x-opt-delivery-repeat"), "\x52\x09"});
        CPPUNIT_ASSERT(all->message->recurrence);
        CPPUNIT_ASSERT(
            (*all->message->recurrence ==
             Recurrence{"0 * * * *", "Europe/Berlin", Milliseconds(100), Milliseconds(112), 9}));
        CPPUNIT_ASSERT(all->message->deliverAt == WallTime{});
        CPPUNIT_ASSERT(all->message->properties.empty());
        for (const auto& read : {with({sym("x-opt-delivery-cron"), "\x52\x09"}),
                                 with({sym("x-opt-delivery-repeat"), str("9")}),
                                 with({sym("x-opt-delivery-period"), "\x54\xff"})}) {
            CPPUNIT_ASSERT(!read);
            CPPUNIT_ASSERT(read.error().code == ErrorCode::invalidArgument);
        }
    }

    void addressesKeepTheirKind() {
        const auto reply = [](int kind, const std::string& address) {
            return *mustRead(section(0x72, map({sym("x-opt-jms-reply-to"),
                                                "\x51"s + static_cast<char>(kind)})) +
                             section(0x73, list({null(), null(), null(), null(), str(address)})) +
                             section(0x77, str("x")))
                        ->replyTo;
        };
        CPPUNIT_ASSERT(reply(1, "t") == Destination::topic("t"));
        CPPUNIT_ASSERT(reply(0, "topic://t") == Destination::topic("t"));
        CPPUNIT_ASSERT(reply(2, "tq.1") == (Destination{DestinationKind::temporaryQueue, "tq.1"}));
        CPPUNIT_ASSERT(!in(section(0x73, list({null(), null(), null(), null(), str("a\nb")})) +
                           section(0x77, str("x")))
                            .ok());
        Message m;
        m.destination = Destination::topic("t");
        m.replyTo = Destination{DestinationKind::temporaryQueue, "tq.1"};
        const std::string bytes = out(m);
        const std::string properties = sectionOf(bytes, 0x73);
        const auto read = Reader(properties).next();
        CPPUNIT_ASSERT_EQUAL(std::string("topic://t"), std::string(read->plain().at(2).bytes));
        CPPUNIT_ASSERT_EQUAL(std::string("temp-queue://tq.1"),
                             std::string(read->plain().at(4).bytes));
    }

    void refusesMalformedMessages() {
        for (const auto& bytes : {"x"s, str("no section"), section(0x70, str("no list")),
                                  section(0x75, str("no binary")), section(0x79, list({})),
                                  section(0x77, str("a")) + section(0x77, str("b")),
                                  section(0x75, bin("a")) + section(0x77, str("b")),
                                  section(0x77,
                                          "\xa1\x05"
                                          "abc"),
                                  section(0x74, map({"\x41", str("x")}))})
            CPPUNIT_ASSERT(!in(bytes).ok());
        const MappingOptions tight{{3, 10}};
        CPPUNIT_ASSERT(toBus(Buffer::of(section(0x77, list({list({list({})})}))),
                             Destination::queue("q"), tight, kNow)
                           .error()
                           .code == ErrorCode::tooLarge);
    }

    void symbolicDescriptorsAreFine() {
        const auto m = mustRead(std::string("\0", 1) + sym("amqp:amqp-value:*") + str("x"));
        CPPUNIT_ASSERT(m->bodyKind == BodyKind::text);
    }

    void messagesOfOtherWiresAreReadable() {
        Message m;
        m.destination = Destination::queue("q");
        m.properties.set("n", std::int32_t(5));
        BodyMap entries;
        entries.push_back({"k", {Value(std::int32_t(300))}});
        std::string body;
        encodeMapBody(entries, body);
        m.bodyKind = BodyKind::map;
        m.body = Buffer::of(std::move(body));
        CPPUNIT_ASSERT_EQUAL(section(0x77, map({str("k"), "\x71\0\0\x01\x2c"s})),
                             sectionOf(out(m), 0x77));
        m.bodyKind = BodyKind::map;
        m.body = Buffer::of("damaged");
        CPPUNIT_ASSERT_EQUAL(section(0x75, bin("damaged")), sectionOf(out(m), 0x75));
    }

    /// Whatever a client says in types that the bus has comes back byte for byte.
    void generatedMessagesComeBackTheSame() {
        std::mt19937 random(7);
        for (int round = 0; round < 2000; ++round) {
            const std::string body = section(0x77, value(random, 0));
            std::string properties;
            Compound entries(properties, Compound::Kind::map);
            const std::size_t count = random() % 6;
            for (std::size_t i = 0; i < count; ++i)
                properties += str("p" + std::to_string(i)) + scalar(random);
            entries.end(2 * count);
            std::string message = body;
            if (count > 0) message = section(0x74, properties) + message;
            const auto m = stored(*mustRead(message));
            const std::string bytes = out(*m);
            CPPUNIT_ASSERT_EQUAL(body, sectionOf(bytes, 0x77));
            CPPUNIT_ASSERT_EQUAL(count > 0 ? section(0x74, properties) : "",
                                 sectionOf(bytes, 0x74));
        }
    }

  private:
    static std::string scalar(std::mt19937& random) {
        return encoded([&](std::string& o) {
            switch (random() % 14) {
                case 0:
                    return putNull(o);
                case 1:
                    return putBoolean(o, random() % 2 != 0);
                case 2:
                    return putUbyte(o, static_cast<std::uint8_t>(random()));
                case 3:
                    return putUshort(o, static_cast<std::uint16_t>(random()));
                case 4:
                    return putUint(o, static_cast<std::uint32_t>(random()));
                case 5:
                    return putUlong(o, random());
                case 6:
                    return putByte(o, static_cast<std::int8_t>(random()));
                case 7:
                    return putShort(o, static_cast<std::int16_t>(random()));
                case 8:
                    return putInt(o, static_cast<std::int32_t>(random()));
                case 9:
                    return putLong(o, static_cast<std::int64_t>(random()) << (random() % 31));
                case 10:
                    return putDouble(o, static_cast<double>(random()));
                case 11:
                    return putSymbol(o, std::string(random() % 9, 's'));
                case 12:
                    return putBinary(o, std::string(random() % 300, '\x80'));
                default:
                    return putString(o, std::string(random() % 300, 't'));
            }
        });
    }
    static std::string value(std::mt19937& random, int depth) {
        const auto kind = random() % 6;
        if (depth > 3 || kind > 1) return scalar(random);
        std::string o;
        const std::size_t count = random() % 5;
        if (kind == 0) {
            Compound items(o, Compound::Kind::list);
            for (std::size_t i = 0; i < count; ++i) o += value(random, depth + 1);
            items.end(count);
        } else {
            Compound items(o, Compound::Kind::map);
            for (std::size_t i = 0; i < count; ++i)
                o += str("k" + std::to_string(i)) + value(random, depth + 1);
            items.end(2 * count);
        }
        return o;
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(AmqpMappingTest);
