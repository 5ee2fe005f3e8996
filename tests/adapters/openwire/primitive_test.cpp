#include "adapters/openwire/primitive.h"

#include "adapters/openwire/modified_utf8.h"

#include <cppunit/extensions/HelperMacros.h>

using namespace busbar;
using namespace busbar::openwire;
using namespace std::string_literals;

namespace {

constexpr PrimitiveLimits kLimits{100, 4};

BodyMap everything() {
    const BodyList list{
        {Value("a"s)}, {Value(std::int32_t{1})}, {BodyMap{{"k", {Value(std::int64_t{2})}}}}};
    return {{"null", {Value()}},
            {"bool", {Value(true)}},
            {"byte", {Value(std::int8_t{-3})}},
            {"char", {Value(u'\u00df')}},
            {"short", {Value(std::int16_t{-300})}},
            {"int", {Value(std::int32_t{70'000})}},
            {"long", {Value(std::int64_t{1} << 40)}},
            {"double", {Value(-2.25)}},
            {"float", {Value(1.5f)}},
            {"string", {Value("Gr\xc3\xbc\xc3\x9f"s + "e \xf0\x9f\x98\x80 \0!"s)}},
            {"big", {Value(std::string(9000, 'y'))}},
            {"bytes", {Value(Bytes{"\0\1\xff"s})}},
            {"list", {list}}};
}

std::string code(const std::string& bytes) {
    const auto read = readPrimitiveMap(bytes, kLimits);
    return read ? "ok" : std::string(name(read.error().code));
}

}  // namespace

class PrimitiveTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(PrimitiveTest);
    CPPUNIT_TEST(mapsComeBack);
    CPPUNIT_TEST(streamsComeBack);
    CPPUNIT_TEST(writesJavasBytes);
    CPPUNIT_TEST(truncationIsFoundAtEveryByte);
    CPPUNIT_TEST(countsAndLengthsAreCheckedFirst);
    CPPUNIT_TEST(depthAndEntriesAreBounded);
    CPPUNIT_TEST(keysHaveALimit);
    CPPUNIT_TEST(modifiedUtf8BothWays);
    CPPUNIT_TEST_SUITE_END();

  public:
    void mapsComeBack() {
        std::string bytes;
        CPPUNIT_ASSERT(appendPrimitiveMap(bytes, everything()).ok());
        const auto read = readPrimitiveMap(bytes, kLimits);
        CPPUNIT_ASSERT(read.ok());
        CPPUNIT_ASSERT(*read == everything());
        CPPUNIT_ASSERT(readPrimitiveMap("\xff\xff\xff\xff"s, kLimits)->empty());  // Java's null
    }

    void streamsComeBack() {
        BodyList values;
        for (const auto& [key, value] : everything()) values.push_back(value);
        std::string bytes;
        CPPUNIT_ASSERT(appendPrimitiveStream(bytes, values).ok());
        CPPUNIT_ASSERT(*readPrimitiveStream(bytes, kLimits) == values);
        CPPUNIT_ASSERT(readPrimitiveStream("", kLimits)->empty());
    }

    void writesJavasBytes() {
        std::string bytes;
        CPPUNIT_ASSERT(appendPrimitiveMap(bytes, {{"n", {Value(std::int16_t{-2})}}}).ok());
        CPPUNIT_ASSERT_EQUAL("\0\0\0\1\0\1n\4\xff\xfe"s, bytes);
        // 8190 characters are a short string, one more is a big one.
        for (const auto& [size, tag] : {std::pair{8190, '\x09'}, std::pair{8191, '\x0d'}}) {
            bytes.clear();
            const auto text = std::string(static_cast<std::size_t>(size), 'x');
            CPPUNIT_ASSERT(appendPrimitiveStream(bytes, {{Value(text)}}).ok());
            CPPUNIT_ASSERT_EQUAL(tag, bytes[0]);
        }
    }

    void truncationIsFoundAtEveryByte() {
        std::string bytes;
        CPPUNIT_ASSERT(appendPrimitiveMap(bytes, everything()).ok());
        for (std::size_t size = 0; size < bytes.size(); ++size) {
            CPPUNIT_ASSERT_EQUAL("malformed"s, code(bytes.substr(0, size)));
        }
        CPPUNIT_ASSERT_EQUAL("malformed"s, code(bytes + "x"));
    }

    void countsAndLengthsAreCheckedFirst() {
        CPPUNIT_ASSERT_EQUAL("malformed"s, code("\x7f\xff\xff\xff"s));
        CPPUNIT_ASSERT_EQUAL("malformed"s, code("\0\0\0\1\0\0\x0a\x7f\xff\xff\xff"s));  // bytes
        CPPUNIT_ASSERT_EQUAL("malformed"s, code("\0\0\0\1\0\0\x0a\xff\xff\xff\xff"s));
        CPPUNIT_ASSERT_EQUAL("malformed"s,
                             code("\0\0\0\1\0\0\x0d\x7f\xff\xff\xff"s));  // big string
        CPPUNIT_ASSERT_EQUAL("malformed"s, code("\0\0\0\1\0\0\x0c\x7f\xff\xff\xff"s));  // list
        CPPUNIT_ASSERT_EQUAL("malformed"s, code("\0\0\0\1\0\0\x0e"s));                  // unknown
        CPPUNIT_ASSERT_EQUAL("malformed"s, code("\0\0\0\1\0\1\xff\0"s));                // not UTF-8
    }

    void depthAndEntriesAreBounded() {
        BodyValue nested{BodyMap{}};
        for (int i = 0; i < 3; ++i) nested = BodyValue{BodyMap{{"m", nested}}};
        std::string bytes;
        CPPUNIT_ASSERT(appendPrimitiveMap(bytes, std::get<BodyMap>(nested.data)).ok());
        CPPUNIT_ASSERT_EQUAL("ok"s, code(bytes));
        bytes.clear();
        CPPUNIT_ASSERT(appendPrimitiveMap(bytes, {{"m", nested}}).ok());
        CPPUNIT_ASSERT_EQUAL("too-large"s, code(bytes));
        // A hundred thousand lists within each other.
        std::string deep = "\0\0\0\1\0\0"s;
        for (int i = 0; i < 100'000; ++i) deep += "\x0c\0\0\0\1"s;
        CPPUNIT_ASSERT_EQUAL("too-large"s, code(deep));
        const BodyList many(101, {Value(true)});
        bytes.clear();
        CPPUNIT_ASSERT(appendPrimitiveStream(bytes, many).ok());
        CPPUNIT_ASSERT(!readPrimitiveStream(bytes, kLimits));
    }

    void keysHaveALimit() {
        std::string bytes = "before";
        CPPUNIT_ASSERT(!appendPrimitiveMap(bytes, {{std::string(65'536, 'k'), {Value(true)}}}));
        CPPUNIT_ASSERT_EQUAL("before"s, bytes);
    }

    void modifiedUtf8BothWays() {
        const auto both = [](const std::string& utf8, const std::string& modified) {
            std::string out;
            appendModifiedUtf8(out, utf8);
            CPPUNIT_ASSERT_EQUAL(modified, out);
            CPPUNIT_ASSERT_EQUAL(utf8, *fromModifiedUtf8(modified));
        };
        both("plain", "plain");
        both("\xc3\xa4\xe2\x82\xac", "\xc3\xa4\xe2\x82\xac");
        both("a\0b"s, "a\xc0\x80"s + "b");
        both("\xf0\x9f\x98\x80", "\xed\xa0\xbd\xed\xb8\x80");
        CPPUNIT_ASSERT_EQUAL("\xf0\x9f\x98\x80"s, *fromModifiedUtf8("\xf0\x9f\x98\x80"));
        CPPUNIT_ASSERT_EQUAL("\xef\xbf\xbdx"s, *fromModifiedUtf8("\xed\xa0\xbdx"));  // half a pair
        CPPUNIT_ASSERT_EQUAL("\xef\xbf\xbd"s, *fromModifiedUtf8("\xed\xb8\x80"));
        for (const auto& bad :
             {"\xff"s, "\x80"s, "\xc3"s, "\xe2\x82"s, "\xc3x"s, "\xf5\x80\x80\x80"s}) {
            CPPUNIT_ASSERT(!fromModifiedUtf8(bad));
        }
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(PrimitiveTest);
