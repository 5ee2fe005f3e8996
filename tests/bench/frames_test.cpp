#include "bench/frames.h"

#include <cppunit/extensions/HelperMacros.h>

#include <string>

using namespace busbar::bench;
using namespace std::string_view_literals;

class FramesTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(FramesTest);
    CPPUNIT_TEST(everyCutOfAFrameIsIncomplete);
    CPPUNIT_TEST(lengthDecidesWhereABodyWithNulEnds);
    CPPUNIT_TEST(withoutLengthTheBodyEndsAtNul);
    CPPUNIT_TEST(skipsHeartBeats);
    CPPUNIT_TEST(bodyLongerThanItsLengthIsBroken);
    CPPUNIT_TEST(ackAndIdMeanTheSameToUs);
    CPPUNIT_TEST(blockFramesReadBackAsFilled);
    CPPUNIT_TEST(keysComeInTurn);
    CPPUNIT_TEST(foreignReceiptsAreNotOurs);
    CPPUNIT_TEST_SUITE_END();

    void everyCutOfAFrameIsIncomplete() {
        constexpr auto kFrame = "MESSAGE\nack:7\ncontent-length:4\n\na\0bc\0"sv;
        Frame frame;
        for (std::size_t cut = 1; cut < kFrame.size(); ++cut) {
            CPPUNIT_ASSERT_EQUAL(std::size_t{0}, scanFrame(kFrame.substr(0, cut), frame));
        }
        CPPUNIT_ASSERT_EQUAL(kFrame.size(), scanFrame(kFrame, frame));
    }

    void lengthDecidesWhereABodyWithNulEnds() {
        Frame frame;
        scanFrame(
            "SEND\ndestination:/queue/a\r\npersistent:true\ncontent-length:4\n\na\0bc\0SEND"sv,
            frame);
        CPPUNIT_ASSERT(frame.kind == Frame::Kind::send && frame.persistent);
        CPPUNIT_ASSERT("/queue/a"sv == frame.destination);
        CPPUNIT_ASSERT("a\0bc"sv == frame.body);
    }

    void withoutLengthTheBodyEndsAtNul() {
        Frame frame;
        CPPUNIT_ASSERT_EQUAL(std::size_t{24}, scanFrame("ERROR\nmessage:no\n\nsorry\0\n"sv, frame));
        CPPUNIT_ASSERT("sorry"sv == frame.body);
        CPPUNIT_ASSERT("no"sv == frame.text);
    }

    void skipsHeartBeats() {
        Frame frame;
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, scanFrame("\n\n"sv, frame));
        CPPUNIT_ASSERT(frame.kind == Frame::Kind::none);
        CPPUNIT_ASSERT_EQUAL(std::size_t{26},
                             scanFrame("\n\nRECEIPT\nreceipt-id:ab\n\n\0"sv, frame));
        CPPUNIT_ASSERT("ab"sv == frame.receipt);
    }

    void bodyLongerThanItsLengthIsBroken() {
        Frame frame;
        CPPUNIT_ASSERT_EQUAL(kBroken, scanFrame("SEND\ncontent-length:1\n\nab\0"sv, frame));
        CPPUNIT_ASSERT_EQUAL(kBroken, scanFrame("SEND\nno colon\n\n\0"sv, frame));
    }

    void ackAndIdMeanTheSameToUs() {
        Frame frame;
        scanFrame("MESSAGE\nmessage-id:1\nack:T_0@@x\\c1\n\n\0"sv, frame);
        CPPUNIT_ASSERT("T_0@@x\\c1"sv == frame.id);
        scanFrame("ACK\nid:9\ntransaction:t\n\n\0"sv, frame);
        CPPUNIT_ASSERT("9"sv == frame.id && "t"sv == frame.transaction);
    }

    void blockFramesReadBackAsFilled() {
        SendBlock block("destination:/queue/a\n", 100, true);
        CPPUNIT_ASSERT(block.slots() > 1);
        block.fill(0, Stamp{1, 2, 3, 4});
        block.fill(1, Stamp{1, 2, 0xabcdef, 5});
        block.launch(2);
        Frame frame;
        const std::size_t used = scanFrame(block.rest(), frame);
        CPPUNIT_ASSERT_EQUAL(block.rest().size(), used * 2);
        CPPUNIT_ASSERT_EQUAL(std::size_t{100}, frame.body.size());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{3}, SendBlock::receiptNumber(frame.receipt));
        block.wrote(used);
        scanFrame(block.rest(), frame);
        Stamp stamp;
        CPPUNIT_ASSERT(readStamp(frame.body, stamp));
        CPPUNIT_ASSERT(stamp.producer == 2 && stamp.sequence == 0xabcdef && stamp.sentNs == 5);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{0xabcdef}, SendBlock::receiptNumber(frame.receipt));
    }

    void keysComeInTurn() {
        SendBlock block("destination:/queue/a\n", 100, false, 2);
        for (unsigned slot = 0; slot < 3; ++slot) block.fill(slot, Stamp{1, 0, slot, 0});
        block.launch(3);
        const std::string all(block.rest());
        const auto first = all.find("key:00000\n");
        const auto second = all.find("key:00001\n");
        CPPUNIT_ASSERT(first < second && second < all.find("key:00000\n", second));
        CPPUNIT_ASSERT(std::string::npos == all.find("key:00001\n", second + 1));
    }

    void foreignReceiptsAreNotOurs() {
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{kBroken}, SendBlock::receiptNumber("subscribed"));
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{kBroken}, SendBlock::receiptNumber("00"));
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(FramesTest);
