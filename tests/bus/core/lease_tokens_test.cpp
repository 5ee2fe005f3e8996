#include "bus/core/lease_tokens.h"

#include "bus/base/base64.h"

#include <cppunit/extensions/HelperMacros.h>

namespace busbar {

class LeaseTokensTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(LeaseTokensTest);
    CPPUNIT_TEST(readsWhatItMade);
    CPPUNIT_TEST(refusesEveryChangedCharacter);
    CPPUNIT_TEST(tellsMalformedFromStale);
    CPPUNIT_TEST(encodesBase64);
    CPPUNIT_TEST_SUITE_END();

    const LeaseTokens tokens_;

    void readsWhatItMade() {
        const auto lease =
            tokens_.read("q", tokens_.make("q", {SessionId(1ull << 60), DeliveryId(42)}));
        CPPUNIT_ASSERT(lease.ok());
        CPPUNIT_ASSERT(lease->session == SessionId(1ull << 60));
        CPPUNIT_ASSERT(lease->delivery == DeliveryId(42));
    }
    void refusesEveryChangedCharacter() {
        const auto token = tokens_.make("q", {SessionId(1), DeliveryId(2)});
        for (std::size_t i = 0; i < token.size(); ++i) {
            auto changed = token;
            changed[i] = changed[i] == 'A' ? 'B' : 'A';
            CPPUNIT_ASSERT(!tokens_.read("q", changed));
        }
    }
    void tellsMalformedFromStale() {
        CPPUNIT_ASSERT(tokens_.read("q", "").error().code == ErrorCode::malformed);
        CPPUNIT_ASSERT(tokens_.read("q", "!!!").error().code == ErrorCode::malformed);
        const auto other = LeaseTokens().make("q", {SessionId(1), DeliveryId(2)});
        CPPUNIT_ASSERT(tokens_.read("q", other).error().code == ErrorCode::lockLost);
    }
    void encodesBase64() {
        CPPUNIT_ASSERT_EQUAL(std::string("Zm9vYg=="), base64("foob"));
        CPPUNIT_ASSERT_EQUAL(std::string("Zm9vYmE="), base64("fooba"));
        CPPUNIT_ASSERT_EQUAL(std::string("_-4"), base64Url("\xff\xee"));
        CPPUNIT_ASSERT(*fromBase64Url("_-4") == "\xff\xee");
        CPPUNIT_ASSERT(!fromBase64Url("_-5"));  // unused bits are set
        CPPUNIT_ASSERT(!fromBase64Url("A"));
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(LeaseTokensTest);

}  // namespace busbar
