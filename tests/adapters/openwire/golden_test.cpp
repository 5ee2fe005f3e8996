// Conversations that ActiveMQ's Java client and broker had: each frame of them is read, and written
// again byte for byte.
#include "adapters/openwire/codec.h"
#include "tests/adapters/openwire/golden_frames.h"

#include <cppunit/extensions/HelperMacros.h>

#include <map>
#include <set>

using namespace busbar;
using namespace busbar::openwire;

namespace {

constexpr DecoderLimits kLimits{1u << 20, 65'535, 1024, 12, 1u << 20};

/// One end's frames: what it wrote is read and written again.
struct Direction {
    Decoder decoder{kLimits};
    Encoder encoder;
};

/// One connection.
class Conversation {
  public:
    explicit Conversation(std::string where) : where_(std::move(where)) {}

    std::uint8_t take(char who, const std::string& frame) {
        Direction& direction = directions_[who];
        std::string_view input = frame;
        auto decoded = direction.decoder.next(input);
        const std::string at = where_ + ", frame " + std::to_string(++frames_) + " from " + who;
        CPPUNIT_ASSERT_MESSAGE(at + ": " + (decoded ? "" : decoded.error().text), decoded.ok());
        CPPUNIT_ASSERT_MESSAGE(at + " is incomplete", *decoded != nullptr);
        std::string again;
        const auto written = direction.encoder.append(**decoded, again);
        CPPUNIT_ASSERT_MESSAGE(at, written.ok());
        const std::uint8_t type = (*decoded)->type();
        CPPUNIT_ASSERT_MESSAGE(at + ": " + typeName(type) + " is not written as it was read",
                               again == frame);
        if (auto* info = (*decoded)->as<WireFormatInfo>()) negotiate(who, *info);
        return type;
    }

    /// Cuts and spoils the frame before it is taken: none of that may be taken for a frame, or
    /// worse.
    void refuseCut(char who, const std::string& frame) {
        for (std::size_t size = 1; size + 4 < frame.size(); ++size) {
            Decoder decoder = directions_[who].decoder;
            std::string cut{static_cast<char>(size >> 24), static_cast<char>(size >> 16),
                            static_cast<char>(size >> 8), static_cast<char>(size)};
            cut += frame.substr(4, size);
            std::string_view input = cut;
            const auto decoded = decoder.next(input);
            CPPUNIT_ASSERT_MESSAGE(where_ + ": a cut frame was taken", !decoded);
            CPPUNIT_ASSERT_EQUAL(name(ErrorCode::malformed), name(decoded.error().code));
        }
        for (std::size_t i = 4; i < frame.size(); ++i) {
            Decoder decoder = directions_[who].decoder;
            std::string spoilt = frame;
            spoilt[i] = static_cast<char>(spoilt[i] ^ (1 << (i % 8)));
            std::string_view input = spoilt;
            (void)decoder.next(input);  // an error or another frame; no more than that
        }
    }

  private:
    void negotiate(char who, const WireFormatInfo& info) {
        auto offer = readInfo(info);
        CPPUNIT_ASSERT(offer.ok());
        offers_[who] = *offer;
        if (offers_.size() < 2) return;
        const auto agreed = agree(offers_['S'], offers_['C']);
        CPPUNIT_ASSERT_MESSAGE(where_, agreed.ok());
        for (auto& [end, direction] : directions_) {
            direction.decoder.setFormat(agreed->format);
            direction.encoder.setFormat(agreed->format);
        }
    }

    std::string where_;
    std::map<char, Direction> directions_;
    std::map<char, FormatOffer> offers_;
    int frames_ = 0;
};

}  // namespace

class GoldenTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(GoldenTest);
    CPPUNIT_TEST(everyRecordedFrameIsReadAndWrittenAgainByteForByte);
    CPPUNIT_TEST(framesThatAreCutOrSpoiltAreNotTaken);
    CPPUNIT_TEST_SUITE_END();

  public:
    void everyRecordedFrameIsReadAndWrittenAgainByteForByte() {
        std::map<std::uint8_t, int> seen;
        for (const auto& file : openwire::test::readAllGolden()) {
            std::optional<Conversation> conversation;
            for (const auto& [who, bytes] : file.frames) {
                if (who == 'N')
                    conversation.emplace(file.name);
                else
                    ++seen[conversation->take(who, bytes)];
            }
        }
        for (const int type :
             {1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 14, 15, 16, 17, 18, 19,
              20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 55, 90, 92}) {
            const auto code = static_cast<std::uint8_t>(type);
            CPPUNIT_ASSERT_MESSAGE("no recorded " + typeName(code), seen[code] > 0);
        }
    }

    void framesThatAreCutOrSpoiltAreNotTaken() {
        for (const auto& file : openwire::test::readAllGolden()) {
            std::optional<Conversation> conversation;
            std::set<std::pair<char, std::uint8_t>> seen;
            for (const auto& [who, bytes] : file.frames) {
                if (who == 'N') {
                    conversation.emplace(file.name);
                    continue;
                }
                // One of each type is enough: it is quadratic in the size.
                const bool isNew = seen.emplace(who, static_cast<std::uint8_t>(bytes[4])).second;
                if (isNew) conversation->refuseCut(who, bytes);
                conversation->take(who, bytes);
            }
        }
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(GoldenTest);
