#include "adapters/openwire/window.h"

#include <cppunit/extensions/HelperMacros.h>

using namespace busbar;
using namespace busbar::openwire;

class WindowTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(WindowTest);
    CPPUNIT_TEST(rangesGoFromFirstToLast);
    CPPUNIT_TEST(withoutAFirstItGoesFromTheOldest);
    CPPUNIT_TEST(anUnknownFirstIsFoundByCount);
    CPPUNIT_TEST(whatIsNotThereIsNotFound);
    CPPUNIT_TEST(whatWasHandedOutTwiceIsNamedInTurn);
    CPPUNIT_TEST(trimsWhatIsSettledAtTheFrontOnly);
    CPPUNIT_TEST_SUITE_END();

    Window window_;

    void fill(std::initializer_list<std::uint64_t> stored) {
        for (const auto id : stored)
            window_.add({DeliveryId(100 + id), StoredId(id), busbar::ConsumerId(1)});
    }
    static MessageId id(std::int64_t stored) {
        MessageId made;
        made.brokerSequenceId = stored;
        return made;
    }
    void check(std::uint64_t first, std::uint64_t end, const std::optional<Window::Range>& range) {
        CPPUNIT_ASSERT(range.has_value());
        CPPUNIT_ASSERT_EQUAL(first, range->first);
        CPPUNIT_ASSERT_EQUAL(end, range->end);
    }
    void settle(Window::Position position) { window_.at(position).state = Window::State::settled; }

  public:
    void rangesGoFromFirstToLast() {
        fill({5, 9, 7, 8});  // by priority, say: the order of dispatch counts
        const MessageId first = id(9);
        check(1, 3, window_.find(&first, id(7), 2));
    }
    void withoutAFirstItGoesFromTheOldest() {
        fill({1, 2, 3});
        check(0, 2, window_.find(nullptr, id(2), 1));
    }
    void anUnknownFirstIsFoundByCount() {
        fill({1, 2, 3, 4});
        const MessageId gone = id(77);
        check(2, 4, window_.find(&gone, id(4), 2));
        settle(2);
        check(1, 4, window_.find(&gone, id(4), 2));
        check(0, 4, window_.find(&gone, id(4), 1000));
        check(3, 4, window_.find(&gone, id(4), -5));
    }
    void whatIsNotThereIsNotFound() {
        CPPUNIT_ASSERT(!window_.find(nullptr, id(1), 1));
        fill({1, 2});
        settle(1);
        CPPUNIT_ASSERT(!window_.find(nullptr, id(2), 1));
        CPPUNIT_ASSERT(!window_.findStored(3));
    }
    void whatWasHandedOutTwiceIsNamedInTurn() {
        fill({1, 2, 1});
        check(0, 1, window_.find(nullptr, id(1), 1));
        settle(0);
        check(0, 3, window_.find(nullptr, id(1), 1));
        CPPUNIT_ASSERT_EQUAL(Window::Position(2), *window_.findStored(1));
    }
    void trimsWhatIsSettledAtTheFrontOnly() {
        fill({1, 2, 3});
        settle(1);
        window_.trim();
        CPPUNIT_ASSERT_EQUAL(std::size_t(3), window_.size());
        settle(0);
        window_.trim();
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), window_.size());
        CPPUNIT_ASSERT(!window_.holds(1) && window_.holds(2) && !window_.holds(3));
        CPPUNIT_ASSERT(window_.at(2).stored == StoredId(3));
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(WindowTest);
