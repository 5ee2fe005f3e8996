#include "adapters/amqp/frame_filter.h"

#include "tests/adapters/amqp/raw_frames.h"

#include <cppunit/extensions/HelperMacros.h>

using namespace busbar;
using namespace busbar::amqp;
namespace raw = busbar::test::raw;

class AmqpFrameFilterTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(AmqpFrameFilterTest);
    CPPUNIT_TEST(readsMapsInPiecesOfAnySize);
    CPPUNIT_TEST(attachesAreAskedAboutInTheirOrder);
    CPPUNIT_TEST(readsResumedTransfers);
    CPPUNIT_TEST(otherFramesPassAsTheyCome);
    CPPUNIT_TEST(whatIsNoFrameIsProtons);
    CPPUNIT_TEST(leavesRoomInThePeersFrames);
    CPPUNIT_TEST(writesMapsIntoAttaches);
    CPPUNIT_TEST(mapsThatDoNotFitAreCut);
    CPPUNIT_TEST(marksTheFirstTransferOfEachTag);
    CPPUNIT_TEST(outputInPiecesOfAnySize);
    CPPUNIT_TEST_SUITE_END();

  public:
    static constexpr std::uint32_t kFrameMax = 65'536;

    static std::string attach(const char* name, std::uint32_t handle, bool receiver,
                              const std::string& map = raw::null(), bool incomplete = false) {
        return raw::frame(0x12, {raw::text(name), raw::number(handle), raw::yes(receiver),
                                 raw::ubyte(0), raw::ubyte(0), raw::null(), raw::null(), map,
                                 raw::yes(incomplete), raw::number(0)});
    }
    static std::string transfer(std::uint32_t handle, const std::string& tag, bool resume,
                                std::string_view payload = "message") {
        std::vector<std::string> fields = {raw::number(handle), raw::number(7), raw::binary(tag),
                                           raw::number(0)};
        if (resume)
            for (int i = 0; i < 4; ++i) fields.push_back(raw::null());
        if (resume) fields.push_back(raw::yes());
        return raw::frame(0x14, fields, payload);
    }
    /// What passes, in pieces of that size.
    static std::string pass(FrameFilter& filter, std::string bytes, std::size_t piece) {
        std::string held;
        std::string out;
        while (!bytes.empty()) {
            held += bytes.substr(0, piece);
            bytes.erase(0, std::min(piece, bytes.size()));
            const std::size_t may = filter.input(held);
            out += held.substr(0, may);
            held.erase(0, may);
            filter.passed(may);
        }
        CPPUNIT_ASSERT(held.size() < kFrameMax);
        return out;
    }

    void readsMapsInPiecesOfAnySize() {
        const std::string map = raw::unsettled(
            {{"a", raw::null()}, {"b", raw::accepted()}, {"c", raw::described(0x23, {})}});
        const std::string bytes = std::string("AMQP\0\1\0\0", 8) + raw::frame("") +
                                  attach("other", 0, true) + attach("in", 1, false, map, true) +
                                  transfer(1, "x", false);
        for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
            FrameFilter filter(kFrameMax);
            CPPUNIT_ASSERT(pass(filter, bytes, piece) == bytes);
            CPPUNIT_ASSERT(!filter.takeUnsettled("other", false));
            CPPUNIT_ASSERT(!filter.takeUnsettled("in", false));
            const auto got = filter.takeUnsettled("in", true);
            CPPUNIT_ASSERT(got && !got->complete);
            CPPUNIT_ASSERT_EQUAL(std::size_t(3), got->entries.size());
            CPPUNIT_ASSERT_EQUAL(std::string("a"), got->entries[0].tag);
            CPPUNIT_ASSERT_EQUAL(std::uint64_t(0), got->entries[0].state);
            CPPUNIT_ASSERT_EQUAL(std::uint64_t(0x24), got->entries[1].state);
            CPPUNIT_ASSERT_EQUAL(std::uint64_t(0x23), got->entries[2].state);
            CPPUNIT_ASSERT(!filter.takeUnsettled("in", true));
        }
    }

    void attachesAreAskedAboutInTheirOrder() {
        FrameFilter filter(kFrameMax);
        pass(filter,
             attach("l", 0, false, raw::unsettled({{"1", raw::null()}})) + attach("l", 0, false) +
                 attach("l", 0, false, raw::unsettled({})),
             1000);
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), filter.takeUnsettled("l", true)->entries.size());
        CPPUNIT_ASSERT(!filter.takeUnsettled("l", true));
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), filter.takeUnsettled("l", true)->entries.size());
    }

    void readsResumedTransfers() {
        const std::string map = raw::unsettled({{"a", raw::null()}, {"b", raw::null()}});
        FrameFilter filter(kFrameMax);
        pass(filter,
             attach("l", 3, false, map) + transfer(3, "a", true) + transfer(3, "b", false) +
                 transfer(3, "c", true) + transfer(4, "b", true),
             9);
        CPPUNIT_ASSERT(filter.takeResumed("l", "a"));
        CPPUNIT_ASSERT_MESSAGE("once", !filter.takeResumed("l", "a"));
        CPPUNIT_ASSERT_MESSAGE("sent anew", !filter.takeResumed("l", "b"));
        CPPUNIT_ASSERT_MESSAGE("not in the map", !filter.takeResumed("l", "c"));
        CPPUNIT_ASSERT_MESSAGE("in whatever form", [&] {
            std::string descriptor("\0\xa3\x12", 3);
            descriptor += "amqp:transfer:list";
            pass(
                filter,
                raw::frame(descriptor + raw::list({raw::number(3), raw::number(1), raw::binary("b"),
                                                   raw::null(), raw::null(), raw::null(),
                                                   raw::null(), raw::null(), raw::yes()})),
                5);
            return filter.takeResumed("l", "b");
        }());
        pass(filter, attach("l", 3, false, map) + raw::frame(0x16, {raw::number(3)}), 100);
        pass(filter, transfer(3, "a", true), 100);
        CPPUNIT_ASSERT_MESSAGE("detached", !filter.takeResumed("l", "a"));
    }

    void otherFramesPassAsTheyCome() {
        FrameFilter filter(kFrameMax);
        const std::string bytes = transfer(0, "a", true, std::string(10'000, 'x'));
        // Nobody resumes anything: the beginning need not wait for the end.
        std::string first = bytes.substr(0, 500);
        CPPUNIT_ASSERT_EQUAL(std::size_t(500), filter.input(first));
        filter.passed(500);
        std::string rest = bytes.substr(500);
        CPPUNIT_ASSERT_EQUAL(rest.size(), filter.input(rest));
        // What was passed in part is not looked at again.
        FrameFilter slow(kFrameMax);
        std::string held = bytes + bytes;
        for (std::size_t taken = 0; taken < held.size();) {
            std::string left = held.substr(taken);
            const std::size_t some = std::min<std::size_t>(333, slow.input(left));
            slow.passed(some);
            taken += some;
        }
    }

    void whatIsNoFrameIsProtons() {
        for (const std::string& bytes :
             {std::string("\0\0\0\3garbage!", 12), std::string("\x7f\xff\xff\xff\2\0\0\0", 8),
              raw::frame(std::string("\0\x53\x12\xff", 4)), raw::frame(std::string("\0\x53", 2)),
              raw::frame(std::string("\0\x53\x12\xc0\x7f\x7f", 6)),
              raw::frame(std::string("\0\xa3\xff"
                                     "amqp",
                                     7))}) {
            FrameFilter filter(kFrameMax);
            CPPUNIT_ASSERT(pass(filter, bytes + bytes, 7) == bytes + bytes);
        }
    }

    static std::uint64_t frameMaxIn(const std::string& open) {
        std::string copy = open;
        return raw::frames(copy).at(0).fields.at(2).bits;
    }

    void leavesRoomInThePeersFrames() {
        const auto open = [](std::uint32_t max) {
            return raw::frame(0x10, {raw::text("client"), raw::null(), raw::number(max)});
        };
        FrameFilter filter(kFrameMax);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(4096 - FrameFilter::kRoom),
                             frameMaxIn(pass(filter, open(4096), 3)));
        CPPUNIT_ASSERT(filter.canResume());
        FrameFilter small(kFrameMax);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(512), frameMaxIn(pass(small, open(512), 3)));
        CPPUNIT_ASSERT(!small.canResume());
    }

    static Unsettled mapOf(std::size_t entries) {
        Unsettled map;
        for (std::size_t i = 0; i < entries; ++i)
            map.entries.push_back({"tag" + std::to_string(i), i % 2 == 0 ? 0u : 0x24u});
        return map;
    }

    void writesMapsIntoAttaches() {
        FrameFilter filter(kFrameMax);
        CPPUNIT_ASSERT(!filter.rewrites());
        filter.answer("l", false, mapOf(2));
        filter.answer("empty", true, {});
        CPPUNIT_ASSERT(filter.rewrites());
        std::string out;
        filter.output(attach("l", 0, false) + attach("l", 1, true) + attach("empty", 2, false),
                      out);
        CPPUNIT_ASSERT(!filter.rewrites() && !filter.takeWasCut());
        const auto frames = raw::frames(out);
        CPPUNIT_ASSERT(frames[0].fields.at(7).isNull());
        CPPUNIT_ASSERT_EQUAL(std::string("tag1"),
                             std::string(frames[1].fields.at(7).items.at(2).bytes));
        CPPUNIT_ASSERT(frames[1].fields.at(7).items.at(1).isNull());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(0x24), frames[1].fields.at(7).items.at(3).at(0).bits);
        CPPUNIT_ASSERT(!frames[1].fields.at(8).isTrue());
        CPPUNIT_ASSERT(frames[2].fields.at(7).type == Type::map);
    }

    void mapsThatDoNotFitAreCut() {
        FrameFilter filter(kFrameMax);
        pass(filter, raw::frame(0x10, {raw::text("c"), raw::null(), raw::number(1024)}), 100);
        filter.answer("l", false, mapOf(500));
        std::string out;
        filter.output(attach("l", 0, true), out);
        CPPUNIT_ASSERT(filter.takeWasCut() && !filter.takeWasCut());
        CPPUNIT_ASSERT(out.size() <= 1024 && out.size() > 900);
        const auto frames = raw::frames(out);
        CPPUNIT_ASSERT(frames.at(0).fields.at(8).isTrue());
        CPPUNIT_ASSERT(frames[0].fields.at(7).items.size() > 100);
    }

    void marksTheFirstTransferOfEachTag() {
        FrameFilter filter(kFrameMax);
        filter.answer("l", true, mapOf(2));
        std::string out;
        const std::string plain = transfer(5, "tag0", false);
        filter.output(attach("l", 5, false) + transfer(4, "tag0", false) + plain + plain, out);
        CPPUNIT_ASSERT_MESSAGE("one is to come", filter.rewrites());
        filter.output(transfer(5, "tag1", false), out);
        CPPUNIT_ASSERT(!filter.rewrites());
        const auto frames = raw::frames(out);
        const bool expected[] = {false, false, true, false, true};
        for (std::size_t i = 1; i < 5; ++i) {
            CPPUNIT_ASSERT_EQUAL(expected[i], frames.at(i).fields.at(8).isTrue());
            CPPUNIT_ASSERT_EQUAL(std::string("message"), frames[i].payload);
            CPPUNIT_ASSERT_EQUAL(std::uint64_t(7), frames[i].fields.at(1).bits);
        }
        filter.answer("l", true, mapOf(2));
        filter.output(attach("l", 5, false) + raw::frame(0x16, {raw::number(5)}), out);
        CPPUNIT_ASSERT_MESSAGE("detached", !filter.rewrites());
    }

    void outputInPiecesOfAnySize() {
        const std::string bytes = attach("l", 0, false) + transfer(0, "tag0", false) +
                                  transfer(0, "x", false, std::string(300, 'x')) + raw::frame("") +
                                  transfer(0, "tag1", false);
        std::string expected;
        FrameFilter whole(kFrameMax);
        whole.answer("l", true, mapOf(2));
        whole.output(bytes, expected);
        for (std::size_t piece = 1; piece < bytes.size(); ++piece) {
            FrameFilter filter(kFrameMax);
            filter.answer("l", true, mapOf(2));
            std::string out;
            for (std::size_t at = 0; at < bytes.size(); at += piece)
                filter.output(bytes.substr(at, piece), out);
            CPPUNIT_ASSERT(out == expected);
            CPPUNIT_ASSERT(!filter.rewrites());
        }
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(AmqpFrameFilterTest);
