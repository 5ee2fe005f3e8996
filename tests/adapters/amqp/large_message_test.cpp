#include "adapters/amqp/large_message.h"

#include <cppunit/extensions/HelperMacros.h>

using namespace busbar;
using namespace busbar::amqp;
using Look = LargeMessage::Look;

class AmqpLargeMessageTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(AmqpLargeMessageTest);
    CPPUNIT_TEST(tellsLargeBodiesByTheirHeads);
    CPPUNIT_TEST(splitsInPiecesOfAnySize);
    CPPUNIT_TEST(severalDataSectionsAreOneBody);
    CPPUNIT_TEST(textIsCheckedAsItComes);
    CPPUNIT_TEST(refusesWhatDoesNotGoTogether);
    CPPUNIT_TEST(boundsBodyAndFooter);
    CPPUNIT_TEST_SUITE_END();

  public:
    static std::string head() {
        std::string out;
        putDescriptor(out, 0x70);
        Compound header(out, Compound::Kind::list);
        putBoolean(out, true);
        header.end(1);
        putDescriptor(out, "amqp:application-properties:map");
        Compound map(out, Compound::Kind::map);
        putString(out, "a");
        putString(out, std::string(300, 'v'));
        map.end(2);
        return out;
    }
    static std::string footer() {
        std::string out;
        putDescriptor(out, 0x78);
        Compound map(out, Compound::Kind::map);
        putSymbol(out, "sum");
        putLong(out, 7);
        map.end(2);
        return out;
    }
    static std::string data(std::string_view body) {
        std::string out;
        putDescriptor(out, 0x75);
        putBinary(out, body);
        return out;
    }
    static std::string text(std::string_view body) {
        std::string out;
        putDescriptor(out, 0x77);
        putString(out, body);
        return out;
    }

    /// The body, fed in pieces of that size; the error where there is one.
    static Result<std::string> split(LargeMessage& message, std::string_view bytes,
                                     std::size_t piece) {
        std::string body;
        while (!bytes.empty()) {
            std::string_view part = bytes.substr(0, piece);
            bytes.remove_prefix(part.size());
            while (!part.empty()) {
                const auto got = message.take(part);
                if (!got) return got.error();
                body += *got;
            }
        }
        return body;
    }
    static Result<Incoming> read(const LargeMessage& message) {
        const auto around = message.withoutBody();
        if (!around) return around.error();
        return toBus(*around, Destination::queue("q"), {}, WallTime{});
    }

    void tellsLargeBodiesByTheirHeads() {
        const std::string large = head() + data(std::string(1000, 'x'));
        CPPUNIT_ASSERT(LargeMessage::look(large, 999) == Look::large);
        CPPUNIT_ASSERT(LargeMessage::look(large, 1000) != Look::large);
        // The head of the body's section is enough; less is not.
        const std::size_t enough = head().size() + 8;
        CPPUNIT_ASSERT(LargeMessage::look(large.substr(0, enough), 999) == Look::large);
        for (std::size_t size = 0; size < enough; ++size)
            CPPUNIT_ASSERT(LargeMessage::look(large.substr(0, size), 999) == Look::unknown);
        const std::string value = text(std::string(1000, 'x'));
        CPPUNIT_ASSERT(LargeMessage::look(value, 999) == Look::large);
        CPPUNIT_ASSERT(LargeMessage::look(value, 1000) == Look::never);
        std::string map;
        putDescriptor(map, 0x77);
        Compound(map, Compound::Kind::map).end(0);
        CPPUNIT_ASSERT(LargeMessage::look(map, 0) == Look::never);
        CPPUNIT_ASSERT(LargeMessage::look("nonsense", 0) == Look::never);
        // Of several sections, what has come of them counts.
        const std::string two = data(std::string(600, 'x')) + data(std::string(600, 'y'));
        CPPUNIT_ASSERT(LargeMessage::look(two, 1000) == Look::large);
        CPPUNIT_ASSERT(LargeMessage::look(two.substr(0, 700), 1000) == Look::unknown);
    }

    void splitsInPiecesOfAnySize() {
        const std::string body(500, 'b');
        const std::string bytes = head() + data(body) + footer();
        for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
            LargeMessage message({});
            CPPUNIT_ASSERT_EQUAL(body, *split(message, bytes, piece));
            CPPUNIT_ASSERT_EQUAL(std::uint64_t(500), message.bodyBytes());
            const auto read = AmqpLargeMessageTest::read(message);
            CPPUNIT_ASSERT(read->message->persistent);
            CPPUNIT_ASSERT(read->message->bodyKind == BodyKind::bytes);
            CPPUNIT_ASSERT(read->message->properties.find("a"));
            CPPUNIT_ASSERT(*read->message->properties.find("JMS_AMQP_FT_sum") ==
                           Value(std::int64_t{7}));
        }
    }

    void severalDataSectionsAreOneBody() {
        LargeMessage message({});
        const std::string bytes = data("one") + data("") + data(std::string(300, '2')) + data("3");
        CPPUNIT_ASSERT_EQUAL("one" + std::string(300, '2') + "3", *split(message, bytes, 7));
        CPPUNIT_ASSERT(read(message).ok());
    }

    void textIsCheckedAsItComes() {
        const std::string euro = "\xe2\x82\xac\xf0\x9f\x98\x80z";
        for (std::size_t piece = 1; piece < 9; ++piece) {
            LargeMessage good({});
            CPPUNIT_ASSERT(split(good, text(euro + euro), piece).ok());
            CPPUNIT_ASSERT(read(good)->message->bodyKind == BodyKind::text);
            for (const char* bad : {"\xe2\x82", "a\xff", "\xf0\x9f\x98z", "\xed\xa0\x80"}) {
                LargeMessage wrong({});
                CPPUNIT_ASSERT(split(wrong, text(euro + bad), piece).ok());
                CPPUNIT_ASSERT(wrong.withoutBody().error().code == ErrorCode::malformed);
            }
        }
        // Bytes that say that they are text are text only where they are.
        std::string properties;
        putDescriptor(properties, 0x73);
        Compound list(properties, Compound::Kind::list);
        for (int i = 0; i < 6; ++i) putNull(properties);
        putSymbol(properties, "text/plain");
        list.end(7);
        for (const auto& [body, kind] :
             {std::pair(euro, BodyKind::text), std::pair(std::string("a\xff"), BodyKind::bytes)}) {
            LargeMessage message({});
            CPPUNIT_ASSERT_EQUAL(body, *split(message, properties + data(body), 2));
            CPPUNIT_ASSERT(read(message)->message->bodyKind == kind);
        }
    }

    void refusesWhatDoesNotGoTogether() {
        for (const auto& bytes : {data("a") + text("b"), text("a") + text("b"),
                                  text("a") + data("b"), data("a") + head(), data("a") + "x",
                                  footer() + data("a"), data("a") + footer() + "\1"}) {
            LargeMessage message({});
            const auto taken = split(message, bytes, 3);
            CPPUNIT_ASSERT(!taken || !read(message));
        }
        for (const auto& cut : {data("abc").substr(0, 5), data("a") + std::string(1, '\0')}) {
            LargeMessage message({});
            CPPUNIT_ASSERT(split(message, cut, 100).ok());
            CPPUNIT_ASSERT(message.withoutBody().error().code == ErrorCode::malformed);
        }
    }

    void boundsBodyAndFooter() {
        LargeMessage body({1000, 100});
        CPPUNIT_ASSERT(split(body, data(std::string(600, 'x')) + data(std::string(401, 'x')), 64)
                           .error()
                           .code == ErrorCode::tooLarge);
        LargeMessage tail({1000, 100});
        std::string large;
        putDescriptor(large, 0x78);
        Compound map(large, Compound::Kind::map);
        putSymbol(large, "k");
        putString(large, std::string(200, 'x'));
        map.end(2);
        CPPUNIT_ASSERT(split(tail, data("x") + large, 10).error().code == ErrorCode::tooLarge);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(AmqpLargeMessageTest);
