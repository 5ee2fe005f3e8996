#include "adapters/stomp/codec.h"

#include <cppunit/extensions/HelperMacros.h>

using namespace busbar;
using namespace busbar::stomp;
using namespace std::string_literals;

namespace {

constexpr Parser::Limits kLimits{1024, 16, 4096};

std::string shown(const Frame& frame) {
    std::string out(frame.command);
    for (const auto& [name, value] : frame.headers) {
        out += "|" + std::string(name) + "=" + std::string(value);
    }
    return out + "|" + std::string(frame.body) + ";";
}

/// Everything that the parser makes of `bytes` given in pieces of `step`; "!" and the code at an
/// error.
std::string parsed(const std::string& bytes, std::size_t step, Version version = Version::v12) {
    Parser parser(kLimits);
    parser.setVersion(version);
    std::string out;
    for (std::size_t at = 0; at < bytes.size(); at += step) {
        const std::string piece = bytes.substr(at, step);  // memory of its own, gone after the turn
        std::string_view input = piece;
        while (true) {
            auto frame = parser.next(input);
            if (!frame) return out + "!" + std::string(name(frame.error().code));
            if (!*frame) break;
            out += shown(**frame);
        }
    }
    return out;
}

}  // namespace

class CodecTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(CodecTest);
    CPPUNIT_TEST(feedingByteByByteEqualsFeedingWhole);
    CPPUNIT_TEST(decodesEscapesByVersion);
    CPPUNIT_TEST(firstOfRepeatedHeadersCounts);
    CPPUNIT_TEST(takesCarriageReturns);
    CPPUNIT_TEST(bodyWithLengthMayHoldNulBytes);
    CPPUNIT_TEST(refusesBadFrames);
    CPPUNIT_TEST(boundsWhatItGathers);
    CPPUNIT_TEST(encodesHeaders);
    CPPUNIT_TEST_SUITE_END();

  public:
    void feedingByteByByteEqualsFeedingWhole() {
        const std::string bytes = "\n\r\nSEND\r\ndestination:/queue/a\\cb\r\n\r\nhello\0\n"s +
                                  "SEND\ncontent-length:3\n\na\0b\0"s + "ACK\nid:7\n\n\0\n\n"s +
                                  "SEND\ndestination:/queue/b\n\n" + std::string(3000, 'x') +
                                  "\0"s + "SEND\ncontent-length:0\n\n\0BEGIN\n\n\0"s;
        const std::string whole = parsed(bytes, bytes.size());
        CPPUNIT_ASSERT(
            whole.starts_with("SEND|destination=/queue/a:b|hello;SEND|content-length=3|a\0b;"s));
        CPPUNIT_ASSERT(whole.ends_with("BEGIN|;"));
        for (std::size_t step = 1; step < 40; ++step)
            CPPUNIT_ASSERT_EQUAL(whole, parsed(bytes, step));
    }

    void decodesEscapesByVersion() {
        const std::string bytes = "SEND\na\\c\\n\\\\:b\n\n\0"s;
        CPPUNIT_ASSERT_EQUAL("SEND|a:\n\\=b|;"s, parsed(bytes, 100, Version::v12));
        CPPUNIT_ASSERT_EQUAL("SEND|a:\n\\=b|;"s, parsed(bytes, 100, Version::v11));
        CPPUNIT_ASSERT_EQUAL("SEND|a\\c\\n\\\\=b|;"s, parsed(bytes, 100, Version::v10));
        CPPUNIT_ASSERT_EQUAL("SEND|a=\r|;"s, parsed("SEND\na:\\r\n\n\0"s, 100, Version::v12));
        CPPUNIT_ASSERT_EQUAL("!malformed"s, parsed("SEND\na:\\r\n\n\0"s, 100, Version::v11));
        CPPUNIT_ASSERT_EQUAL("!malformed"s, parsed("SEND\na:\\t\n\n\0"s, 100));
        CPPUNIT_ASSERT_EQUAL("!malformed"s, parsed("SEND\na:x\\\n\n\0"s, 100));
        CPPUNIT_ASSERT_EQUAL("CONNECT|passcode=a\\t|;"s,
                             parsed("CONNECT\npasscode:a\\t\n\n\0"s, 100));
    }

    void firstOfRepeatedHeadersCounts() {
        Parser parser(kLimits);
        const std::string bytes = "SEND\nfoo:World\nfoo:Hello\n\n\0"s;
        std::string_view input = bytes;
        CPPUNIT_ASSERT_EQUAL("World"s, std::string((*parser.next(input))->get("foo")));
    }

    void takesCarriageReturns() {
        CPPUNIT_ASSERT_EQUAL("SEND|a=b|x;"s, parsed("SEND\r\na:b\r\n\r\nx\0\r\n"s, 100));
        CPPUNIT_ASSERT_EQUAL("!malformed"s, parsed("SEND\na\rb:c\n\n\0"s, 100));
    }

    void bodyWithLengthMayHoldNulBytes() {
        CPPUNIT_ASSERT_EQUAL("SEND|content-length=4|\0\0\n\0;"s,
                             parsed("SEND\ncontent-length:4\n\n\0\0\n\0\0"s, 3));
    }

    void refusesBadFrames() {
        const struct {
            std::string bytes, code;
        } rows[] = {
            {"SEND\ncontent-length:-1\n\nx\0"s, "!malformed"},
            {"SEND\ncontent-length:\n\nx\0"s, "!malformed"},
            {"SEND\ncontent-length:1x\n\nx\0"s, "!malformed"},
            {"SEND\ncontent-length:+1\n\nx\0"s, "!malformed"},
            {"SEND\ncontent-length:99999999999999999999999\n\nx\0"s, "!too-large"},
            {"SEND\ncontent-length:4097\n\nx\0"s, "!too-large"},
            {"SEND\ncontent-length:1\n\nxx\0"s, "!malformed"},
            {"SEND\nnocolon\n\n\0"s, "!malformed"},
            {"SEND\na:b\0\n\n\0"s, "!malformed"},
            {"CONNECT\n\0"s, "!malformed"},
        };
        for (const auto& row : rows) {
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.bytes, row.code, parsed(row.bytes, 1));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.bytes, row.code, parsed(row.bytes, 1000));
        }
    }

    void boundsWhatItGathers() {
        CPPUNIT_ASSERT_EQUAL("!too-large"s, parsed("SEND\n" + std::string(5000, 'a'), 7));
        CPPUNIT_ASSERT_EQUAL("!too-large"s, parsed("SEND\n" + std::string(5000, 'a'), 6000));
        CPPUNIT_ASSERT_EQUAL("!too-large"s, parsed("SEND\n\n" + std::string(5000, 'a'), 7));
        CPPUNIT_ASSERT_EQUAL("!too-large"s,
                             parsed("SEND\n\n" + std::string(5000, 'a') + "\0"s, 6000));
        std::string many = "SEND\n";
        for (int i = 0; i < 17; ++i) many += "a:b\n";
        CPPUNIT_ASSERT_EQUAL("!too-large"s, parsed(many + "\n\0"s, 1000));
    }

    void encodesHeaders() {
        std::string out;
        appendHeader(out, "a:b", "c\n\r\\d\0e"s, Version::v12);
        CPPUNIT_ASSERT_EQUAL("a\\cb:c\\n\\r\\\\d e\n"s, out);
        out.clear();
        appendHeader(out, "a", "c\nd\\e", Version::v10);
        CPPUNIT_ASSERT_EQUAL("a:c d\\e\n"s, out);
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(CodecTest);
