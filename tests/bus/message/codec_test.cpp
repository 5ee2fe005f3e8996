#include "bus/message/codec.h"

#include <cppunit/extensions/HelperMacros.h>

#include <random>

using namespace busbar;

namespace {

class Generator {
  public:
    explicit Generator(std::uint64_t seed) : random_(seed) {}

    Message message() {
        Message m;
        m.id = text();
        m.destination = destination();
        m.persistent = flag();
        m.priority = static_cast<unsigned char>(random_() % 10);
        m.timestamp = time();
        if (flag()) m.expiration = time();
        if (flag()) m.deliverAt = time();
        if (flag()) m.correlationId = text();
        if (flag()) m.replyTo = destination();
        if (flag()) m.type = text();
        if (flag()) m.groupId = text();
        if (flag()) m.groupSequence = static_cast<std::int32_t>(random_());
        if (flag()) m.userId = text();
        if (flag()) m.dedupId = text();
        if (flag()) m.contentType = text();
        m.bodyKind = static_cast<BodyKind>(random_() % 7);
        if (flag()) {
            m.large = std::make_shared<const LargeBody>(
                LargeBody{random_() | 1, random_(), static_cast<std::uint32_t>(random_())});
        } else {
            m.body = Buffer::of(text());
        }
        for (auto n = random_() % 6; n > 0; --n)
            m.properties.append("p" + std::to_string(n), value());
        return m;
    }

  private:
    bool flag() { return random_() % 2 == 0; }
    WallTime time() {
        return WallTime(Milliseconds(static_cast<std::int64_t>(random_() % (1ull << 62))));
    }
    Destination destination() {
        return {static_cast<DestinationKind>(random_() % 4), "d" + text()};
    }
    std::string text() {
        std::string s(random_() % 4 == 0 ? random_() % 300 : random_() % 20, '\0');
        for (auto& c : s) c = static_cast<char>(random_());
        return s;
    }
    Value value() {
        const auto bits = random_();
        switch (bits % 11) {
            case 0:
                return std::monostate{};
            case 1:
                return flag();
            case 2:
                return static_cast<std::int8_t>(bits >> 8);
            case 3:
                return static_cast<std::int16_t>(bits >> 8);
            case 4:
                return static_cast<std::int32_t>(bits >> 8);
            case 5:
                return static_cast<std::int64_t>(bits);
            case 6:
                return 1.5f;
            case 7:
                return -2.25e300;
            case 8:
                return text();
            case 9:
                return Bytes{text()};
            default:
                return static_cast<char16_t>(bits >> 8);
        }
    }

    std::mt19937_64 random_;
};

void assertSame(const Message& a, const Message& b) {
    CPPUNIT_ASSERT_EQUAL(a.id, b.id);
    CPPUNIT_ASSERT(a.destination == b.destination);
    CPPUNIT_ASSERT_EQUAL(a.persistent, b.persistent);
    CPPUNIT_ASSERT_EQUAL(a.priority, b.priority);
    CPPUNIT_ASSERT(a.timestamp == b.timestamp);
    CPPUNIT_ASSERT(a.expiration == b.expiration);
    CPPUNIT_ASSERT(a.deliverAt == b.deliverAt);
    CPPUNIT_ASSERT_EQUAL(a.correlationId, b.correlationId);
    CPPUNIT_ASSERT(a.replyTo == b.replyTo);
    CPPUNIT_ASSERT_EQUAL(a.type, b.type);
    CPPUNIT_ASSERT_EQUAL(a.groupId, b.groupId);
    CPPUNIT_ASSERT_EQUAL(a.groupSequence, b.groupSequence);
    CPPUNIT_ASSERT_EQUAL(a.userId, b.userId);
    CPPUNIT_ASSERT_EQUAL(a.dedupId, b.dedupId);
    CPPUNIT_ASSERT_EQUAL(a.contentType, b.contentType);
    CPPUNIT_ASSERT(a.bodyKind == b.bodyKind);
    CPPUNIT_ASSERT(a.body == b.body);
    CPPUNIT_ASSERT_EQUAL(a.large != nullptr, b.large != nullptr);
    if (a.large) CPPUNIT_ASSERT(*a.large == *b.large);
    CPPUNIT_ASSERT(summaryOf(a) == summaryOf(b));
    CPPUNIT_ASSERT(a.properties == b.properties);
}

}  // namespace

class CodecTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(CodecTest);
    CPPUNIT_TEST(messagesComeBackAsTheyWere);
    CPPUNIT_TEST(cutMessagesAreRefused);
    CPPUNIT_TEST(bytesBehindAreRefused);
    CPPUNIT_TEST(flippedBitsNeverHarm);
    CPPUNIT_TEST(unknownVersionsAndKindsAreRefused);
    CPPUNIT_TEST(aMessageHasOneBody);
    CPPUNIT_TEST(theBodySharesTheInputsMemory);
    CPPUNIT_TEST_SUITE_END();

  public:
    void messagesComeBackAsTheyWere() {
        for (std::uint64_t seed = 1; seed <= 2000; ++seed) {
            const Message original = Generator(seed).message();
            std::string bytes;
            encodeMessage(original, bytes);
            const auto decoded = decodeMessage(Buffer::of(bytes));
            CPPUNIT_ASSERT_MESSAGE("seed " + std::to_string(seed), decoded.ok());
            assertSame(original, **decoded);
            CPPUNIT_ASSERT(*readMessageSummary(bytes) == summaryOf(original));
        }
    }

    void cutMessagesAreRefused() {
        for (std::uint64_t seed = 1; seed <= 50; ++seed) {
            std::string bytes;
            encodeMessage(Generator(seed).message(), bytes);
            for (std::size_t size = 0; size < bytes.size(); ++size) {
                const auto decoded =
                    decodeMessage(Buffer::copyOf(std::string_view(bytes).substr(0, size)));
                CPPUNIT_ASSERT(!decoded.ok());
                CPPUNIT_ASSERT(decoded.error().code == ErrorCode::malformed);
            }
        }
    }

    void bytesBehindAreRefused() {
        std::string bytes;
        encodeMessage(Generator(1).message(), bytes);
        CPPUNIT_ASSERT(!decodeMessage(Buffer::of(bytes + "x")).ok());
    }

    void flippedBitsNeverHarm() {
        for (std::uint64_t seed = 1; seed <= 20; ++seed) {
            std::string bytes;
            encodeMessage(Generator(seed).message(), bytes);
            for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
                std::string broken = bytes;
                broken[bit / 8] = static_cast<char>(broken[bit / 8] ^ (1 << bit % 8));
                const auto decoded = decodeMessage(Buffer::of(std::move(broken)));
                if (!decoded) CPPUNIT_ASSERT(decoded.error().code == ErrorCode::malformed);
            }
        }
    }

    void unknownVersionsAndKindsAreRefused() {
        Message m;
        m.destination = Destination::queue("q");
        std::string bytes;
        encodeMessage(m, bytes);
        for (const std::size_t at : {0u, 4u, 5u, 6u}) {  // version, flags, priority, body kind
            std::string broken = bytes;
            broken[at] = '\x7f';
            CPPUNIT_ASSERT(!decodeMessage(Buffer::of(broken)).ok());
        }
    }

    void aMessageHasOneBody() {
        Message m;
        m.destination = Destination::queue("q");
        m.large = std::make_shared<const LargeBody>(LargeBody{7, 1ull << 31, 5});
        std::string bytes;
        encodeMessage(m, bytes);
        CPPUNIT_ASSERT(decodeMessage(Buffer::of(bytes)).ok());
        m.body = Buffer::copyOf("small");
        bytes.clear();
        encodeMessage(m, bytes);
        CPPUNIT_ASSERT(!decodeMessage(Buffer::of(bytes)).ok());
        m.body = {};
        m.large = std::make_shared<const LargeBody>(LargeBody{0, 5, 5});
        bytes.clear();
        encodeMessage(m, bytes);
        CPPUNIT_ASSERT(!decodeMessage(Buffer::of(bytes)).ok());
    }

    void theBodySharesTheInputsMemory() {
        Message m;
        m.destination = Destination::queue("q");
        m.body = Buffer::of(std::string(100, 'b'));
        std::string bytes;
        encodeMessage(m, bytes);
        const Buffer input = Buffer::of(bytes);
        const auto decoded = decodeMessage(input);
        CPPUNIT_ASSERT(decoded.ok());
        CPPUNIT_ASSERT((*decoded)->body.data() == input.data() + input.size() - 100);
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(CodecTest);
