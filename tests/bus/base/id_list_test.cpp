#include "bus/base/id_list.h"

#include <cppunit/extensions/HelperMacros.h>

#include <string>

namespace busbar::test {

class IdListTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(IdListTest);
    CPPUNIT_TEST(readsNumbersAndRanges);
    CPPUNIT_TEST(refusesWhatIsNoList);
    CPPUNIT_TEST(boundsHowManyThereAre);
    CPPUNIT_TEST_SUITE_END();

    static std::string text(std::string_view list) {
        std::string out;
        const auto ids = parseIdList(list, 100);
        for (const StoredId id : *ids) out += std::to_string(id.value) + " ";
        return out;
    }

  public:
    void readsNumbersAndRanges() {
        CPPUNIT_ASSERT_EQUAL(std::string("4 7 9 10 11 12 2 "), text("4,7,9-12,2"));
        CPPUNIT_ASSERT_EQUAL(std::string("18446744073709551615 "),
                             text("18446744073709551615-18446744073709551615"));
        CPPUNIT_ASSERT_EQUAL(std::string(), text(""));
    }
    void refusesWhatIsNoList() {
        for (const char* wrong :
             {"0", "-", "4-", "-4", "9-4", "a", "1,,2", "1 ", "1-2-3", "18446744073709551616"}) {
            const auto ids = parseIdList(wrong, 100);
            CPPUNIT_ASSERT_MESSAGE(wrong, !ids.ok());
            CPPUNIT_ASSERT(ids.error().code == ErrorCode::invalidArgument);
        }
    }
    void boundsHowManyThereAre() {
        CPPUNIT_ASSERT_EQUAL(std::size_t(100), parseIdList("1-100", 100)->size());
        for (const char* much : {"1-101", "1-100,7", "1-18446744073709551615"}) {
            const auto ids = parseIdList(much, 100);
            CPPUNIT_ASSERT_MESSAGE(much, !ids && ids.error().code == ErrorCode::tooLarge);
        }
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(IdListTest);

}  // namespace busbar::test
