#include "bus/security/scram.h"

#include <cppunit/extensions/HelperMacros.h>
#include <openssl/evp.h>

using namespace busbar;
using namespace std::string_literals;

namespace {

// The example of RFC 7677, section 3.
constexpr const char* kClientFirst = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
constexpr const char* kServerNonce = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
constexpr const char* kServerFirst =
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
constexpr const char* kClientFinal =
    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
    "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
constexpr const char* kServerFinal = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

ScramKeys keysOfTheExample(std::string_view password = "pencil") {
    std::string salt(18, '\0');
    EVP_DecodeBlock(reinterpret_cast<unsigned char*>(salt.data()),
                    reinterpret_cast<const unsigned char*>("W22ZaJ0SNY7soEsUEjb6gQ=="), 24);
    salt.resize(16);
    return deriveScramKeys(password, salt, 4096);
}

bool refusesFirst(std::string_view message) {
    ScramExchange exchange;
    const auto user = exchange.first(message);
    return !user && user.error().code == ErrorCode::unauthenticated;
}

}  // namespace

class ScramTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ScramTest);
    CPPUNIT_TEST(speaksTheExampleOfTheRfc);
    CPPUNIT_TEST(refusesAnotherPassword);
    CPPUNIT_TEST(refusesAnyChangedByteOfTheLastMessage);
    CPPUNIT_TEST(bindsTheFirstMessageToTheLast);
    CPPUNIT_TEST(readsNamesAndHeaders);
    CPPUNIT_TEST(refusesChannelBindingAndBadMessages);
    CPPUNIT_TEST(keysSurviveAsText);
    CPPUNIT_TEST(everyPasswordGetsItsOwnSalt);
    CPPUNIT_TEST(decoysAreTheSameEachTimeAndFitNothing);
    CPPUNIT_TEST_SUITE_END();

  public:
    void speaksTheExampleOfTheRfc() {
        ScramExchange exchange;
        CPPUNIT_ASSERT_EQUAL("user"s, *exchange.first(kClientFirst));
        CPPUNIT_ASSERT_EQUAL(std::string(kServerFirst),
                             exchange.challenge(keysOfTheExample(), kServerNonce));
        CPPUNIT_ASSERT_EQUAL(std::string(kServerFinal), *exchange.finish(kClientFinal));
    }

    void refusesAnotherPassword() {
        ScramExchange exchange;
        CPPUNIT_ASSERT(exchange.first(kClientFirst).ok());
        exchange.challenge(keysOfTheExample("Pencil"), kServerNonce);
        const auto answer = exchange.finish(kClientFinal);
        CPPUNIT_ASSERT(answer.error().code == ErrorCode::unauthenticated);
        CPPUNIT_ASSERT_EQUAL("unknown user or wrong password"s, answer.error().text);
    }

    void refusesAnyChangedByteOfTheLastMessage() {
        const std::string right = kClientFinal;
        for (std::size_t at = 0; at < right.size(); ++at) {
            ScramExchange exchange;
            CPPUNIT_ASSERT(exchange.first(kClientFirst).ok());
            exchange.challenge(keysOfTheExample(), kServerNonce);
            std::string wrong = right;
            wrong[at] = static_cast<char>(wrong[at] ^ 1);
            CPPUNIT_ASSERT_MESSAGE(wrong, !exchange.finish(wrong).ok());
            CPPUNIT_ASSERT_MESSAGE("cut", !exchange.finish(right.substr(0, at)).ok());
        }
    }

    void bindsTheFirstMessageToTheLast() {
        ScramExchange exchange;  // said "y", which the last message contradicts
        CPPUNIT_ASSERT(exchange.first("y,,n=user,r=rOprNGfwEbeRWgbNEkqO").ok());
        exchange.challenge(keysOfTheExample(), kServerNonce);
        CPPUNIT_ASSERT(!exchange.finish(kClientFinal).ok());
        ScramExchange early;
        CPPUNIT_ASSERT(early.first(kClientFirst).ok());
        CPPUNIT_ASSERT(!early.finish(kClientFinal).ok());
    }

    void readsNamesAndHeaders() {
        CPPUNIT_ASSERT_EQUAL("a,b=c"s, *ScramExchange().first("n,,n=a=2Cb=3Dc,r=x"));
        CPPUNIT_ASSERT_EQUAL("user"s, *ScramExchange().first("y,a=user,n=user,r=x,e=1"));
        CPPUNIT_ASSERT_EQUAL("J\xc3\xbcrgen"s, *ScramExchange().first("n,,n=J\xc3\xbcrgen,r=x"));
    }

    void refusesChannelBindingAndBadMessages() {
        for (const std::string_view message :
             {"p=tls-unique,,n=user,r=x", "n,a=other,n=user,r=x", "n,b=user,n=user,r=x", "", "n",
              "n,", "n,,", "n,,n=user", "n,,n=user,", "n,,n=user,r=", "n,,n=,r=x", "n,,n=a=b,r=x",
              "n,,n=a=2,r=x", "n,,m=ext,n=user,r=x", "n,,r=x,n=user", "x,,n=user,r=x",
              "n,,n=user,r=a b", "n,,n=user,r=\x01"}) {
            CPPUNIT_ASSERT_MESSAGE(std::string(message), refusesFirst(message));
        }
        CPPUNIT_ASSERT(refusesFirst("n,,n=user,r=" + std::string(5000, 'x')));
        CPPUNIT_ASSERT(refusesFirst("n,,n=us\0er,r=x"s));
    }

    void keysSurviveAsText() {
        const auto keys = keysOfTheExample();
        const auto again = parseScramKeys(printScramKeys(keys));
        CPPUNIT_ASSERT(again.has_value());
        CPPUNIT_ASSERT_EQUAL(printScramKeys(keys), printScramKeys(*again));
        CPPUNIT_ASSERT_EQUAL(keys.storedKey, again->storedKey);
        const std::string right = printScramKeys(keys);
        for (std::size_t size = 0; size < right.size(); ++size)
            CPPUNIT_ASSERT(!parseScramKeys(right.substr(0, size)));
        CPPUNIT_ASSERT(!parseScramKeys(right + "="));
        std::string few = right;
        few.replace(few.find("4096"), 4, "4095");
        CPPUNIT_ASSERT(!parseScramKeys(few));
    }

    void everyPasswordGetsItsOwnSalt() {
        const auto one = makeScramKeys("secret"), two = makeScramKeys("secret");
        CPPUNIT_ASSERT(one && two && one->salt != two->salt && one->storedKey != two->storedKey);
        CPPUNIT_ASSERT(one->iterations >= 4096);
        CPPUNIT_ASSERT(makeScramKeys(" a~"));
        for (const char* other : {"", "J\xc3\xbcrgen", "a\tb", "a\x7f"})
            CPPUNIT_ASSERT(!makeScramKeys(other));
    }

    void decoysAreTheSameEachTimeAndFitNothing() {
        const auto one = decoyScramKeys("nobody", "secret");
        CPPUNIT_ASSERT_EQUAL(printScramKeys(one),
                             printScramKeys(decoyScramKeys("nobody", "secret")));
        CPPUNIT_ASSERT(one.salt != decoyScramKeys("nobody", "other").salt);
        CPPUNIT_ASSERT(one.salt != decoyScramKeys("somebody", "secret").salt);
        const auto real = makeScramKeys("secret");  // nothing tells them apart
        CPPUNIT_ASSERT_EQUAL(real->iterations, one.iterations);
        CPPUNIT_ASSERT_EQUAL(printScramKeys(*real).size(), printScramKeys(one).size());
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(ScramTest);
