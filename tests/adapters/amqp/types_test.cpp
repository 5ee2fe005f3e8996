#include "adapters/amqp/types.h"

#include <cppunit/extensions/HelperMacros.h>

using namespace busbar;
using namespace busbar::amqp;
using namespace std::string_literals;

class AmqpTypesTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(AmqpTypesTest);
    CPPUNIT_TEST(readsWhatItWrites);
    CPPUNIT_TEST(readsEveryConstructor);
    CPPUNIT_TEST(refusesWhatIsCutOff);
    CPPUNIT_TEST(refusesBadSizes);
    CPPUNIT_TEST(boundsDepthAndCount);
    CPPUNIT_TEST_SUITE_END();

  public:
    void readsWhatItWrites() {
        std::string out;
        Compound list(out, Compound::Kind::list);
        putNull(out);
        putBoolean(out, true);
        putUint(out, 0);
        putUint(out, 255);
        putUint(out, 256);
        putUlong(out, ~std::uint64_t{0});
        putInt(out, -129);
        putLong(out, -1);
        putTimestamp(out, -5);
        putString(out, std::string(300, 's'));
        putSymbol(out, "sym");
        list.end(11);
        const auto item = Reader(out).next();
        CPPUNIT_ASSERT(item.ok());
        CPPUNIT_ASSERT(item->at(0).isNull() && item->at(1).isTrue());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(0), item->at(2).bits);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(255), item->at(3).bits);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(256), item->at(4).bits);
        CPPUNIT_ASSERT_EQUAL(~std::uint64_t{0}, item->at(5).bits);
        CPPUNIT_ASSERT_EQUAL(std::int64_t(-129), item->at(6).number());
        CPPUNIT_ASSERT_EQUAL(std::int64_t(-1), item->at(7).number());
        CPPUNIT_ASSERT_EQUAL(std::int64_t(-5), item->at(8).number());
        CPPUNIT_ASSERT_EQUAL(std::size_t(300), item->at(9).bytes.size());
        CPPUNIT_ASSERT_EQUAL(std::string("sym"), std::string(item->at(10).bytes));
        CPPUNIT_ASSERT(item->at(11).isNull());
        std::string symbols;
        putSymbols(symbols, {"a", "bc"});
        const auto array = Reader(symbols).next();
        CPPUNIT_ASSERT(array->type == Type::array);
        CPPUNIT_ASSERT_EQUAL(std::string("bc"), std::string(array->at(1).bytes));
    }

    /// AMQP 1.0 section 1.6, constructor by constructor.
    void readsEveryConstructor() {
        const std::pair<std::string, Type> rows[] = {
            {"\x40"s, Type::null},
            {"\x41"s, Type::boolean},
            {"\x42"s, Type::boolean},
            {"\x56\x01"s, Type::boolean},
            {"\x50\x01"s, Type::ubyteType},
            {"\x60\0\x01"s, Type::ushortType},
            {"\x70\0\0\0\x01"s, Type::uintType},
            {"\x52\x01"s, Type::uintType},
            {"\x43"s, Type::uintType},
            {"\x80\0\0\0\0\0\0\0\x01"s, Type::ulongType},
            {"\x53\x01"s, Type::ulongType},
            {"\x44"s, Type::ulongType},
            {"\x51\x01"s, Type::byteType},
            {"\x61\0\x01"s, Type::shortType},
            {"\x71\0\0\0\x01"s, Type::intType},
            {"\x54\x01"s, Type::intType},
            {"\x81\0\0\0\0\0\0\0\x01"s, Type::longType},
            {"\x55\x01"s, Type::longType},
            {"\x72\0\0\0\0"s, Type::floatType},
            {"\x82\0\0\0\0\0\0\0\0"s, Type::doubleType},
            {"\x74\0\0\0\0"s, Type::decimal32},
            {"\x84\0\0\0\0\0\0\0\0"s, Type::decimal64},
            {"\x94"s + std::string(16, '\0'), Type::decimal128},
            {"\x73\0\0\0\x61"s, Type::charType},
            {"\x83\0\0\0\0\0\0\0\x01"s, Type::timestamp},
            {"\x98"s + std::string(16, 'u'), Type::uuid},
            {"\xa0\x01x"s, Type::binary},
            {"\xb0\0\0\0\x01x"s, Type::binary},
            {"\xa1\x01x"s, Type::string},
            {"\xb1\0\0\0\x01x"s, Type::string},
            {"\xa3\x01x"s, Type::symbol},
            {"\xb3\0\0\0\x01x"s, Type::symbol},
            {"\x45"s, Type::list},
            {"\xc0\x02\x01\x40"s, Type::list},
            {"\xd0\0\0\0\x05\0\0\0\x01\x40"s, Type::list},
            {"\xc1\x03\x02\x40\x40"s, Type::map},
            {"\xd1\0\0\0\x06\0\0\0\x02\x40\x40"s, Type::map},
            {"\xe0\x04\x02\x50\x01\x02"s, Type::array},
            {"\xf0\0\0\0\x07\0\0\0\x02\x50\x01\x02"s, Type::array},
            {"\xe0\x07\x01\0\xa3\x01"
             "d\x50\x01"s,
             Type::array},
            {"\0\x53\x77\x40"s, Type::described}};
        for (const auto& [bytes, type] : rows) {
            Reader reader(bytes);
            const auto item = reader.next();
            CPPUNIT_ASSERT_MESSAGE(std::string(name(type)), item.ok());
            CPPUNIT_ASSERT_EQUAL(std::string(name(type)), std::string(name(item->type)));
            CPPUNIT_ASSERT(reader.atEnd());
            for (std::size_t cut = 0; cut < bytes.size(); ++cut)
                CPPUNIT_ASSERT(!Reader(std::string_view(bytes).substr(0, cut)).next().ok());
        }
    }

    void refusesWhatIsCutOff() {
        CPPUNIT_ASSERT(Reader("").next().error().code == ErrorCode::malformed);
        CPPUNIT_ASSERT(!Reader("\xff").next().ok());
        CPPUNIT_ASSERT(!Reader("\xb0\xff\xff\xff\xff").next().ok());
    }

    void refusesBadSizes() {
        CPPUNIT_ASSERT(!Reader("\xc0\x03\x01\x40\x40"s).next().ok());  // more than its count
        CPPUNIT_ASSERT(!Reader("\xc1\x02\x01\x40"s).next().ok());      // half an entry
        CPPUNIT_ASSERT(!Reader("\xc0\x02\xff\x40"s).next().ok());
        CPPUNIT_ASSERT(!Reader("\x56\x02"s).next().ok());
    }

    void boundsDepthAndCount() {
        std::string deep;
        for (int i = 0; i < 40; ++i) deep = std::string("\0\x40", 2) + deep;
        deep += '\x40';
        CPPUNIT_ASSERT(Reader(deep).next().error().code == ErrorCode::tooLarge);
        // An array of nulls takes no bytes an element.
        const auto nulls = Reader("\xf0\0\0\0\x05\xff\xff\xff\xff\x40"s).next();
        CPPUNIT_ASSERT(nulls.error().code == ErrorCode::tooLarge);
        CPPUNIT_ASSERT(Reader("\xf0\0\0\0\x05\0\0\0\x09\x40"s, {4, 5}).next().error().code ==
                       ErrorCode::tooLarge);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(AmqpTypesTest);
