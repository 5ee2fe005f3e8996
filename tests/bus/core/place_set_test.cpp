#include "bus/core/place_set.h"

#include <cppunit/extensions/HelperMacros.h>

#include <random>
#include <set>

using namespace busbar;

namespace {

/// PlaceSet beside a plain set. It may show a place twice where that was put in twice.
class PlaceSetTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(PlaceSetTest);
    CPPUNIT_TEST(isAnOrderedSetWhateverComes);
    CPPUNIT_TEST_SUITE_END();

  public:
    void isAnOrderedSetWhateverComes() {
        std::mt19937_64 random(5);
        PlaceSet set;
        std::set<EntryPlace> model;
        std::uint64_t end = 0;
        for (int i = 0; i < 300'000; ++i) {
            const auto kind = random() % 20;
            if (kind < 9) {
                EntryPlace place{end++, 4};
                if (random() % 10 == 0)
                    place = {end - random() % std::min<std::uint64_t>(end, 500), 4};
                if (random() % 50 == 0) place.priority = static_cast<std::uint8_t>(random() % 10);
                set.insert(place);
                model.insert(place);
            } else if (kind < 19) {
                CPPUNIT_ASSERT_EQUAL(model.empty(), set.empty());
                if (model.empty()) continue;
                CPPUNIT_ASSERT(set.front() == *model.begin());
                set.popFront();
                model.erase(model.begin());
            } else if (random() % 100 == 0) {
                const auto odd = [](EntryPlace place) { return place.position % 2 == 1; };
                set.eraseIf(odd);
                std::erase_if(model, odd);
            }
            if (i % 1000 == 0) compareAll(set, model);
        }
    }

  private:
    static void compareAll(const PlaceSet& set, const std::set<EntryPlace>& model) {
        std::vector<EntryPlace> seen;
        set.each([&](EntryPlace place) {
            if (seen.empty() || !(seen.back() == place)) seen.push_back(place);
            return true;
        });
        CPPUNIT_ASSERT(std::equal(seen.begin(), seen.end(), model.begin(), model.end()));
        CPPUNIT_ASSERT(set.size() >= model.size());
        std::size_t some = 0;
        set.each([&](EntryPlace) { return ++some < 3; });
        CPPUNIT_ASSERT_EQUAL(std::min<std::size_t>(3, set.size()), some);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(PlaceSetTest);

}  // namespace
