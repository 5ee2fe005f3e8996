#include "adapters/openwire/codec.h"

#include "tests/adapters/openwire/golden_frames.h"
#include "tests/adapters/openwire/random_structure.h"

#include <cppunit/extensions/HelperMacros.h>

using namespace busbar;
using namespace busbar::openwire;
using namespace std::string_literals;
using namespace std::string_view_literals;

namespace {

constexpr DecoderLimits kLimits{1u << 20, 65'535, 1024, 20, 1u << 20};
constexpr WireFormat kTight{12, true, false, 0, false};
constexpr WireFormat kTightCache{12, true, true, 1024, false};

std::vector<WireFormat> allFormats() {
    std::vector<WireFormat> all;
    for (std::int32_t version = kVersionMin; version <= kVersionMax; ++version) {
        for (int bits = 0; bits < 8; ++bits) {
            all.push_back({version, (bits & 1) != 0, (bits & 2) != 0, 1024, (bits & 4) != 0});
        }
    }
    return all;
}

std::string describe(const WireFormat& format) {
    return "version " + std::to_string(format.version) + (format.tight ? " tight" : " loose") +
           (format.cache ? " cache" : "") + (format.stackTraces ? " traces" : "");
}

std::string encoded(const Structure& structure, const WireFormat& format) {
    Encoder encoder;
    encoder.setFormat(format);
    std::string out;
    CPPUNIT_ASSERT(encoder.append(structure, out).ok());
    return out;
}

/// The structure's contents as bytes, the same for equal ones.
std::string contents(const Structure& structure, WireFormat format) {
    format.tight = format.cache = false;
    return encoded(structure, format);
}

Structure decodeOne(Decoder& decoder, std::string_view bytes) {
    auto decoded = decoder.next(bytes);
    CPPUNIT_ASSERT_MESSAGE(decoded ? "" : decoded.error().text, decoded.ok());
    CPPUNIT_ASSERT(*decoded);
    CPPUNIT_ASSERT(bytes.empty());
    return std::move(**decoded);
}

/// A frame of this body, decoded: the name of the error's code, or "ok", or "incomplete".
std::string outcome(const std::string& body, const WireFormat& format,
                    DecoderLimits limits = kLimits) {
    std::string frame;
    frame += static_cast<char>(body.size() >> 24);
    frame += static_cast<char>(body.size() >> 16);
    frame += static_cast<char>(body.size() >> 8);
    frame += static_cast<char>(body.size());
    frame += body;
    Decoder decoder(limits);
    decoder.setFormat(format);
    std::string_view input = frame;
    const auto decoded = decoder.next(input);
    if (!decoded) return std::string(name(decoded.error().code));
    return *decoded ? "ok" : "incomplete";
}

Structure textMessage(std::size_t contentBytes) {
    WireMessage message;
    message.kind = WireMessage::kText;
    message.destination = makeRef(WireDestination{100, "orders"});
    message.content = Buffer::of(std::string(contentBytes, 'x'));
    return {message};
}

Structure session(std::int64_t number) {
    SessionInfo info;
    info.sessionId = makeRef(SessionId{"ID:c", number});
    return {info};
}

}  // namespace

class CodecTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(CodecTest);
    CPPUNIT_TEST(everyStructureComesBackInEveryFormat);
    CPPUNIT_TEST(feedingByteByByteEqualsFeedingWhole);
    CPPUNIT_TEST(nullCommandIsNothing);
    CPPUNIT_TEST(frameSizesAreCheckedBeforeAnythingIsKept);
    CPPUNIT_TEST(lengthsAndCountsAreCheckedAgainstWhatIsThere);
    CPPUNIT_TEST(wrongTypesAndUnknownCommandsAreRefused);
    CPPUNIT_TEST(nestingIsBounded);
    CPPUNIT_TEST(cacheSlotsAreNotTrusted);
    CPPUNIT_TEST(cacheMemoryIsBounded);
    CPPUNIT_TEST(cacheGoesRound);
    CPPUNIT_TEST(smallCachesAreNotUsed);
    CPPUNIT_TEST(frameThatCannotBeWrittenLeavesNoTrace);
    CPPUNIT_TEST(largeContentIsSharedAndNotCopied);
    CPPUNIT_TEST(formatInfoIsAlwaysLoose);
    CPPUNIT_TEST(errorsSayWhatAndWhere);
    CPPUNIT_TEST_SUITE_END();

  public:
    void everyStructureComesBackInEveryFormat() {
        for (const auto& format : allFormats()) {
            Encoder encoder;
            encoder.setFormat(format);
            Decoder decoder(kLimits);
            decoder.setFormat(format);
            for (std::uint32_t seed = 1; seed <= 1500; ++seed) {
                const auto type = static_cast<std::uint8_t>(seed % 125);
                if (!Structure::accepts(type) || type == WireFormatInfo::kType) continue;
                const Structure made = openwire::test::RandomFiller(seed).make(type);
                std::string bytes;
                CPPUNIT_ASSERT(encoder.append(made, bytes).ok());
                const Structure back = decodeOne(decoder, bytes);
                CPPUNIT_ASSERT_MESSAGE(
                    describe(format) + ", seed " + std::to_string(seed) + ", " + typeName(type),
                    contents(made, format) == contents(back, format));
            }
        }
    }

    void feedingByteByByteEqualsFeedingWhole() {
        std::string bytes;
        Encoder encoder;
        encoder.setFormat(kTightCache);
        for (const std::size_t size : {0u, 10u, 5000u, 70'000u}) {
            CPPUNIT_ASSERT(encoder.append(textMessage(size), bytes).ok());
            CPPUNIT_ASSERT(encoder.append(session(static_cast<std::int64_t>(size)), bytes).ok());
        }
        for (const std::size_t step : {1u, 2u, 3u, 4u, 5u, 7u, 64u, 4096u, 1'000'000u}) {
            Decoder decoder(kLimits);
            decoder.setFormat(kTightCache);
            std::size_t content = 0;
            std::size_t frames = 0;
            for (std::size_t at = 0; at < bytes.size(); at += step) {
                const std::string piece = bytes.substr(at, step);  // gone after the turn
                std::string_view input = piece;
                while (true) {
                    const auto decoded = decoder.next(input);
                    CPPUNIT_ASSERT(decoded.ok());
                    if (!*decoded) break;
                    ++frames;
                    if (const auto* message = (*decoded)->as<WireMessage>()) {
                        content += message->content->size();
                        CPPUNIT_ASSERT(message->content->view().find_first_not_of('x') ==
                                       std::string_view::npos);
                    }
                }
                CPPUNIT_ASSERT(input.empty());
            }
            CPPUNIT_ASSERT_EQUAL(std::size_t{8}, frames);
            CPPUNIT_ASSERT_EQUAL(std::size_t{75'010}, content);
            CPPUNIT_ASSERT_EQUAL(std::size_t{0}, decoder.gathered());
        }
    }

    void nullCommandIsNothing() {
        Decoder decoder(kLimits);
        const Structure nothing = decodeOne(decoder, "\0\0\0\1\0"s);
        CPPUNIT_ASSERT_EQUAL(0, int{nothing.type()});
        CPPUNIT_ASSERT_EQUAL("\0\0\0\1\0"s, encoded(nothing, kTight));
    }

    void frameSizesAreCheckedBeforeAnythingIsKept() {
        for (const auto& [prefix, code] : {std::pair{"\x7f\xff\xff\xff"s, ErrorCode::tooLarge},
                                           std::pair{"\xff\xff\xff\xff"s, ErrorCode::malformed},
                                           std::pair{"\0\0\0\0"s, ErrorCode::malformed},
                                           std::pair{"GET "s, ErrorCode::tooLarge}}) {
            Decoder decoder(kLimits);
            std::string_view input = prefix;
            const auto decoded = decoder.next(input);
            CPPUNIT_ASSERT(!decoded);
            CPPUNIT_ASSERT_EQUAL(name(code), name(decoded.error().code));
        }
        // What is kept grows with what came.
        Decoder decoder(kLimits);
        std::string_view input = "\0\x0f\0\0abc"sv;
        CPPUNIT_ASSERT(decoder.next(input).ok());
        CPPUNIT_ASSERT_EQUAL(std::size_t{7}, decoder.gathered());
    }

    void lengthsAndCountsAreCheckedAgainstWhatIsThere() {
        // SubscriptionInfo begins with a string: present, 65535 bytes, none there.
        CPPUNIT_ASSERT_EQUAL("malformed"s, outcome("\x37\1\xff\xff"s, {}));
        DecoderLimits shortStrings = kLimits;
        shortStrings.stringBytesMax = 10;
        CPPUNIT_ASSERT_EQUAL("too-large"s,
                             outcome("\x37\1\0\x0b"s + "12345678901", {}, shortStrings));
        // XATransactionId: a byte array of 2 GiB, of -1.
        CPPUNIT_ASSERT_EQUAL("malformed"s, outcome("\x70\0\0\0\1\1\x7f\xff\xff\xff"s, {}));
        CPPUNIT_ASSERT_EQUAL("malformed"s, outcome("\x70\0\0\0\1\1\xff\xff\xff\xff"s, {}));
        // DataArrayResponse: 32767 elements, -1 elements, and more than are allowed.
        const auto array = "\x21\0\0\0\1\0\0\0\0\1\1"s;
        CPPUNIT_ASSERT_EQUAL("malformed"s, outcome(array + "\x7f\xff"s, {}));
        CPPUNIT_ASSERT_EQUAL("malformed"s, outcome(array + "\xff\xff"s, {}));
        CPPUNIT_ASSERT_EQUAL("too-large"s,
                             outcome(array + "\x04\x01"s + std::string(1025, '\0'), {}));
        CPPUNIT_ASSERT_EQUAL("ok"s, outcome(array + "\x04\0"s + std::string(1024, '\0'), {}));
        // Tight: the booleans of an array are counted too.
        CPPUNIT_ASSERT_EQUAL("malformed"s, outcome("\x21\1\2\0\0\0\1\0\0\0\0\x7f\xff"s, kTight));
        CPPUNIT_ASSERT_EQUAL("malformed"s, outcome("\x21\xc0\xff"s, kTight));
        CPPUNIT_ASSERT_EQUAL("malformed"s, outcome("\x21\x80\xff\xff"s, kTight));
    }

    void wrongTypesAndUnknownCommandsAreRefused() {
        CPPUNIT_ASSERT_EQUAL("unsupported"s, outcome("\x3c"s, {}));  // PartialCommand
        CPPUNIT_ASSERT_EQUAL("unsupported"s, outcome("\xff"s, {}));
        // SessionInfo with a ConsumerId.
        CPPUNIT_ASSERT_EQUAL("malformed"s,
                             outcome("\4\0\0\0\1\0\1\x7a"s + std::string(20, '\0'), {}));
        // RemoveInfo of a message.
        CPPUNIT_ASSERT_EQUAL("malformed"s,
                             outcome("\x0c\0\0\0\1\0\1\x17"s + std::string(90, '\0'), {}));
        // KeepAliveInfo with a byte too many, and with booleans too many.
        CPPUNIT_ASSERT_EQUAL("malformed"s, outcome("\x0a\0\0\0\1\0\0"s, {}));
        CPPUNIT_ASSERT_EQUAL("malformed"s, outcome("\x0a\2\0\0\0\0\0\1"s, kTight));
        // A string that is not modified UTF-8.
        CPPUNIT_ASSERT_EQUAL("malformed"s, outcome("\x78\1\0\1\xff"s, {}));
        // A message within a dispatch that brings a frame of its own.
        CPPUNIT_ASSERT_EQUAL("malformed"s,
                             outcome("\x15\1\x18\0\0\0\1\x17"s + std::string(90, '\0'), kTight));
    }

    void nestingIsBounded() {
        Structure inner = session(1);
        for (int i = 0; i < 40; ++i) {
            DataResponse outer;
            outer.data = makeRef(std::move(inner));
            inner = {std::move(outer)};
        }
        for (const auto& format : {WireFormat{}, kTight}) {
            CPPUNIT_ASSERT_EQUAL("too-large"s, outcome(encoded(inner, format).substr(4), format));
        }
        Ref<Throwable> cause;
        for (int i = 0; i < 40; ++i) cause = makeRef(Throwable{"c", "m", {}, cause});
        ConnectionError error;
        error.exception = cause;
        const WireFormat traces{12, true, false, 0, true};
        CPPUNIT_ASSERT_EQUAL("too-large"s, outcome(encoded({error}, traces).substr(4), traces));
    }

    void cacheSlotsAreNotTrusted() {
        const WireFormat loose{12, false, true, 1024, false};
        const auto info = "\4\0\0\0\1\0"s;  // SessionInfo
        const auto id = "\1\x79\0\0\0\0\0\0\0\0\0"s;
        CPPUNIT_ASSERT_EQUAL("ok"s, outcome(info + "\1\0\5"s + id, loose));
        CPPUNIT_ASSERT_EQUAL("ok"s, outcome(info + "\1\xff\xff"s + id, loose));  // not cached
        CPPUNIT_ASSERT_EQUAL("malformed"s, outcome(info + "\1\x04\0"s + id, loose));
        CPPUNIT_ASSERT_EQUAL("malformed"s, outcome(info + "\1\x80\0"s + id, loose));
        CPPUNIT_ASSERT_EQUAL("malformed"s, outcome(info + "\0\0\5"s, loose));
        CPPUNIT_ASSERT_EQUAL("malformed"s, outcome(info + "\0\xff\xff"s, loose));
        // A slot that holds another type.
        Decoder decoder(kLimits);
        decoder.setFormat(loose);
        const auto connection = "\0\0\0\x0e\x0c\0\0\0\1\0\1\0\0\1\x78\1\0\0"s;
        std::string_view input = connection;
        (void)decoder.next(input);  // RemoveInfo is cut off, but its id is in slot 0 by then
        const auto again = "\0\0\0\x09\4\0\0\0\1\0\0\0\0"s;
        input = again;
        const auto decoded = decoder.next(input);
        CPPUNIT_ASSERT(!decoded);
        CPPUNIT_ASSERT(decoded.error().text.find("another type") != std::string::npos);
    }

    void cacheMemoryIsBounded() {
        const WireFormat loose{12, false, true, 1024, false};
        Encoder encoder;
        encoder.setFormat(loose);
        DecoderLimits limits = kLimits;
        limits.cacheBytesMax = 100'000;
        Decoder decoder(limits);
        decoder.setFormat(loose);
        int taken = 0;
        for (int i = 0; i < 10; ++i) {
            ConnectionInfo info;
            info.connectionId =
                makeRef(ConnectionId{std::string(30'000, static_cast<char>('a' + i))});
            std::string bytes;
            CPPUNIT_ASSERT(encoder.append({info}, bytes).ok());
            std::string_view input = bytes;
            const auto decoded = decoder.next(input);
            if (!decoded) {
                CPPUNIT_ASSERT_EQUAL(name(ErrorCode::tooLarge), name(decoded.error().code));
                break;
            }
            ++taken;
        }
        CPPUNIT_ASSERT_EQUAL(3, taken);
    }

    void cacheGoesRound() {
        for (const bool tight : {true, false}) {
            const WireFormat format{12, tight, true, 150, false};
            Encoder encoder;
            encoder.setFormat(format);
            Decoder decoder(kLimits);
            decoder.setFormat(format);
            for (std::int64_t i = 0; i < 1000; ++i) {
                for (const auto number : {i, i / 2, i - i % 7}) {
                    std::string bytes;
                    CPPUNIT_ASSERT(encoder.append(session(number), bytes).ok());
                    const Structure back = decodeOne(decoder, bytes);
                    CPPUNIT_ASSERT_EQUAL(number, back.as<SessionInfo>()->sessionId->value);
                }
            }
        }
    }

    void smallCachesAreNotUsed() {
        const WireFormat format{12, true, true, 100, false};
        Encoder encoder;
        encoder.setFormat(format);
        Decoder decoder(kLimits);
        decoder.setFormat(format);
        for (int i = 0; i < 300; ++i) {
            std::string bytes;
            CPPUNIT_ASSERT(encoder.append(session(i % 3), bytes).ok());
            CPPUNIT_ASSERT_EQUAL(std::int64_t{i % 3},
                                 decodeOne(decoder, bytes).as<SessionInfo>()->sessionId->value);
        }
    }

    void frameThatCannotBeWrittenLeavesNoTrace() {
        Encoder encoder;
        encoder.setFormat(kTightCache);
        Decoder decoder(kLimits);
        decoder.setFormat(kTightCache);
        Structure tooLong = textMessage(1);
        tooLong.as<WireMessage>()->producerId = makeRef(ProducerId{"ID:c", 1, 1});
        tooLong.as<WireMessage>()->correlationId = std::string(32'767, 'x');
        std::string bytes;
        const auto refused = encoder.append(tooLong, bytes);
        CPPUNIT_ASSERT(!refused);
        CPPUNIT_ASSERT_EQUAL(name(ErrorCode::tooLarge), name(refused.error().code));
        CPPUNIT_ASSERT(bytes.empty());
        // The ids of the refused frame never crossed, so they must not be taken for known.
        tooLong.as<WireMessage>()->correlationId = std::string(32'766, 'x');
        CPPUNIT_ASSERT(encoder.append(tooLong, bytes).ok());
        const Structure back = decodeOne(decoder, bytes);
        CPPUNIT_ASSERT_EQUAL("ID:c"s, *back.as<WireMessage>()->producerId->connectionId);
        CPPUNIT_ASSERT_EQUAL("orders"s, *back.as<WireMessage>()->destination->physicalName);
    }

    void largeContentIsSharedAndNotCopied() {
        for (const auto& format : {WireFormat{}, kTightCache}) {
            Encoder encoder(1000);
            encoder.setFormat(format);
            const Structure message = textMessage(1000);
            const auto frame = encoder.encode(message);
            CPPUNIT_ASSERT(frame.ok());
            CPPUNIT_ASSERT(frame->content.data() == message.as<WireMessage>()->content->data());
            std::string whole(frame->prefix);
            whole.append(frame->head);
            whole.append(frame->content.view());
            whole.append(frame->tail);
            CPPUNIT_ASSERT(encoded(message, format) == whole);
            CPPUNIT_ASSERT(encoder.encode(textMessage(999))->content.empty());
        }
        // Reading: a frame that was gathered is kept for its content.
        const std::string bytes = encoded(textMessage(50'000), kTight);
        Decoder decoder(kLimits);
        decoder.setFormat(kTight);
        std::string_view first(bytes.data(), 100);
        CPPUNIT_ASSERT(!*decoder.next(first));
        std::string_view rest(bytes.data() + 100, bytes.size() - 100);
        const auto decoded = decoder.next(rest);
        CPPUNIT_ASSERT_EQUAL(std::size_t{50'000}, (*decoded)->as<WireMessage>()->content->size());
    }

    void formatInfoIsAlwaysLoose() {
        const Structure info{makeInfo({})};
        CPPUNIT_ASSERT(encoded(info, {}) == encoded(info, kTightCache));
    }

    void errorsSayWhatAndWhere() {
        Decoder decoder(kLimits);
        std::string_view input = "\0\0\0\x0a\4\0\0\0\1\0\1\x79\1\x7f"sv;
        const auto decoded = decoder.next(input);
        CPPUNIT_ASSERT(!decoded);
        CPPUNIT_ASSERT_EQUAL("SessionInfo: frame ends within a field, at byte 9"s,
                             decoded.error().text);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(CodecTest);
