#include "bus/security/scrypt.h"

#include <cppunit/extensions/HelperMacros.h>

#include <set>

using namespace busbar;

class ScryptTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ScryptTest);
    CPPUNIT_TEST(hashesVerifyAndDiffer);
    CPPUNIT_TEST(agreesWithTheRfcVector);
    CPPUNIT_TEST(refusesMalformedAndCostlyHashes);
    CPPUNIT_TEST(tokensAreRandomText);
    CPPUNIT_TEST_SUITE_END();

  public:
    void hashesVerifyAndDiffer() {
        const auto one = hashPassword("secret");
        const auto two = hashPassword("secret");
        CPPUNIT_ASSERT(one.ok() && two.ok());
        CPPUNIT_ASSERT(*one != *two);
        CPPUNIT_ASSERT(one->starts_with("$scrypt$ln=14,r=8,p=1$"));
        CPPUNIT_ASSERT(verifyPassword("secret", *one).value());
        CPPUNIT_ASSERT(!verifyPassword("Secret", *one).value());
        CPPUNIT_ASSERT(!verifyPassword("", *one).value());
    }

    // RFC 7914 section 12: scrypt("pleaseletmein", "SodiumChloride", 16384, 8, 1, 64)
    void agreesWithTheRfcVector() {
        const std::string hash =
            "$scrypt$ln=14,r=8,p=1$U29kaXVtQ2hsb3JpZGU$"
            "cCO9yzr9c0hGHAbNgf046/"
            "2o+7qQT44+qbVD9lRdofLVQylVYT8Pz2LUlwUkKpr55h6F3A1lHkDfzwF7RVdYhw";
        CPPUNIT_ASSERT(verifyPassword("pleaseletmein", hash).value());
        CPPUNIT_ASSERT(!verifyPassword("pleaseletmeIn", hash).value());
    }

    void refusesMalformedAndCostlyHashes() {
        for (const char* hash : {"", "secret", "$scrypt$", "$scrypt$ln=14,r=8$AAAA$AAAA",
                                 "$scrypt$ln=14,r=8,p=1$AAAA", "$scrypt$ln=14,r=8,p=1$AAAA$AAAA",
                                 "$scrypt$ln=14,r=8,p=1$A*AA$AAAAAAAAAAAAAAAAAAAAAAAA",
                                 "$scrypt$ln=24,r=64,p=16$AAAA$AAAAAAAAAAAAAAAAAAAAAAAA",
                                 "$scrypt$ln=99999999999,r=8,p=1$AAAA$AAAAAAAAAAAAAAAAAAAAAAAA"}) {
            const auto verdict = verifyPassword("x", hash);
            CPPUNIT_ASSERT_MESSAGE(hash, !verdict.ok());
            CPPUNIT_ASSERT(verdict.error().code == ErrorCode::malformed);
        }
    }

    void tokensAreRandomText() {
        std::set<std::string> tokens;
        for (int i = 0; i < 100; ++i) tokens.insert(randomToken(10));
        CPPUNIT_ASSERT_EQUAL(std::size_t{100}, tokens.size());
        for (const auto& token : tokens) {
            CPPUNIT_ASSERT_EQUAL(std::size_t{16}, token.size());
            CPPUNIT_ASSERT(token.find_first_not_of("abcdefghijklmnopqrstuvwxyz234567") ==
                           std::string::npos);
        }
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(ScryptTest);
