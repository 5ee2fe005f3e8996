#include "bus/message/body.h"

#include <cppunit/extensions/HelperMacros.h>

using namespace busbar;
using namespace std::string_literals;

namespace {

BodyMap everything() {
    const BodyList list{{Value("a"s)}, {BodyMap{{"k", {Value(true)}}}}, {BodyList{}}};
    return {{"null", {Value()}},
            {"bool", {Value(true)}},
            {"byte", {Value(std::int8_t{-3})}},
            {"short", {Value(std::int16_t{-300})}},
            {"int", {Value(std::int32_t{70'000})}},
            {"long", {Value(std::int64_t{1} << 40)}},
            {"float", {Value(1.5f)}},
            {"double", {Value(-2.25)}},
            {"string", {Value("text"s)}},
            {"bytes", {Value(Bytes{"\0\1\xff"s})}},
            {"char", {Value(u'x')}},
            {"list", {list}}};
}

}  // namespace

class BodyTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(BodyTest);
    CPPUNIT_TEST(mapsAndStreamsComeBack);
    CPPUNIT_TEST(writesTheDocumentedBytes);
    CPPUNIT_TEST(emptyBodiesAreEmpty);
    CPPUNIT_TEST(truncationIsFoundAtEveryByte);
    CPPUNIT_TEST(countsAndDepthAreBounded);
    CPPUNIT_TEST_SUITE_END();

  public:
    void mapsAndStreamsComeBack() {
        std::string bytes;
        encodeMapBody(everything(), bytes);
        CPPUNIT_ASSERT(*decodeMapBody(bytes) == everything());
        BodyList values;
        for (const auto& [key, value] : everything()) values.push_back(value);
        bytes.clear();
        encodeStreamBody(values, bytes);
        CPPUNIT_ASSERT(*decodeStreamBody(bytes) == values);
    }

    /// The example of docs/formats/body.md: journals hold these bytes.
    void writesTheDocumentedBytes() {
        std::string bytes;
        encodeMapBody(
            {{"n", {Value(std::int32_t{258})}}, {"l", {BodyList{{Value("a"s)}, {Value()}}}}},
            bytes);
        CPPUNIT_ASSERT_EQUAL("\2\1n\4\2\1\0\0\1l\x20\2\x08\1a\0"s, bytes);
    }

    void emptyBodiesAreEmpty() {
        CPPUNIT_ASSERT(decodeMapBody("")->empty());
        CPPUNIT_ASSERT(decodeStreamBody("")->empty());
    }

    void truncationIsFoundAtEveryByte() {
        std::string bytes;
        encodeMapBody(everything(), bytes);
        for (std::size_t size = 1; size < bytes.size(); ++size) {
            CPPUNIT_ASSERT(!decodeMapBody(bytes.substr(0, size)));
        }
        CPPUNIT_ASSERT(!decodeMapBody(bytes + "x"));
    }

    void countsAndDepthAreBounded() {
        CPPUNIT_ASSERT(!decodeMapBody("\xff\xff\xff\xff\x0f"));
        CPPUNIT_ASSERT(!decodeStreamBody("\xff\xff\xff\xff\x0f"));
        CPPUNIT_ASSERT(!decodeStreamBody("\1\x22"));
        const auto nested = [](int depth) {
            std::string bytes;
            for (int i = 1; i < depth; ++i) bytes += "\1\x20";
            return bytes + "\0"s;
        };
        CPPUNIT_ASSERT(decodeStreamBody(nested(kBodyDepthMax)).ok());
        CPPUNIT_ASSERT(!decodeStreamBody(nested(kBodyDepthMax + 1)));
        CPPUNIT_ASSERT(!decodeStreamBody(nested(1'000'000)));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(BodyTest);
