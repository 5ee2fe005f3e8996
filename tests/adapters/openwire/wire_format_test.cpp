#include "adapters/openwire/wire_format.h"

#include "adapters/openwire/primitive.h"

#include <cppunit/extensions/HelperMacros.h>

using namespace busbar;
using namespace busbar::openwire;
using namespace std::string_literals;

namespace {

WireFormatInfo infoWith(const BodyMap& map) {
    std::string bytes;
    CPPUNIT_ASSERT(appendPrimitiveMap(bytes, map).ok());
    WireFormatInfo info;
    info.marshalledProperties = Buffer::of(bytes);
    return info;
}

}  // namespace

class WireFormatTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(WireFormatTest);
    CPPUNIT_TEST(offersComeBack);
    CPPUNIT_TEST(agreesOnWhatBothWant);
    CPPUNIT_TEST(refusesVersionsBeforeNine);
    CPPUNIT_TEST(newerPeersAreAnsweredWithTwelve);
    CPPUNIT_TEST(missingAndUnknownPropertiesAreFine);
    CPPUNIT_TEST(refusesForeignMagicAndHostileProperties);
    CPPUNIT_TEST_SUITE_END();

  public:
    void offersComeBack() {
        FormatOffer offer;
        offer.version = 11;
        offer.cacheSize = 77;
        offer.stackTraces = true;
        offer.inactivity = Milliseconds(5000);
        offer.frameBytesMax = std::int64_t{1} << 33;
        offer.host = "h";
        offer.providerName = "Busbar";
        const auto read = readInfo(makeInfo(offer));
        CPPUNIT_ASSERT(read.ok());
        CPPUNIT_ASSERT_EQUAL(11, int{read->version});
        CPPUNIT_ASSERT_EQUAL(77, int{read->cacheSize});
        CPPUNIT_ASSERT(read->stackTraces && read->cache && read->tightEncoding);
        CPPUNIT_ASSERT(!read->sizePrefixDisabled);
        CPPUNIT_ASSERT(read->inactivity == Milliseconds(5000));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1} << 33, read->frameBytesMax);
        CPPUNIT_ASSERT_EQUAL("h"s, read->host);
        CPPUNIT_ASSERT_EQUAL("Busbar"s, read->providerName);
    }

    void agreesOnWhatBothWant() {
        FormatOffer ours;
        FormatOffer theirs;
        theirs.tightEncoding = false;
        theirs.cacheSize = 500;
        theirs.stackTraces = true;
        theirs.inactivity = Milliseconds(0);
        ours.frameBytesMax = 1000;
        auto agreed = agree(ours, theirs);
        CPPUNIT_ASSERT(agreed.ok());
        CPPUNIT_ASSERT_EQUAL(12, int{agreed->format.version});
        CPPUNIT_ASSERT(!agreed->format.tight && agreed->format.cache &&
                       !agreed->format.stackTraces);
        CPPUNIT_ASSERT_EQUAL(std::size_t{500}, agreed->format.cacheSize);
        CPPUNIT_ASSERT(agreed->inactivity == Milliseconds(0));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1000}, agreed->frameBytesMax);
        theirs.cache = false;
        agreed = agree(ours, theirs);
        CPPUNIT_ASSERT(!agreed->format.cache);
        theirs.cache = true;
        theirs.cacheSize = 0;
        CPPUNIT_ASSERT_EQUAL(std::size_t{16'383}, agree(ours, theirs)->format.cacheSize);
    }

    void refusesVersionsBeforeNine() {
        FormatOffer theirs;
        for (const int version : {8, 1, 0, -1}) {
            theirs.version = version;
            const auto agreed = agree({}, theirs);
            CPPUNIT_ASSERT(!agreed);
            CPPUNIT_ASSERT_EQUAL(name(ErrorCode::unsupported), name(agreed.error().code));
        }
    }

    void newerPeersAreAnsweredWithTwelve() {
        FormatOffer theirs;
        theirs.version = 13;
        CPPUNIT_ASSERT_EQUAL(12, int{agree({}, theirs)->format.version});
    }

    void missingAndUnknownPropertiesAreFine() {
        const auto bare = readInfo(WireFormatInfo{});
        CPPUNIT_ASSERT(bare.ok());
        CPPUNIT_ASSERT(!bare->cache && !bare->tightEncoding);
        const auto odd = readInfo(infoWith({{"Colour", {Value("blue"s)}},
                                            {"CacheEnabled", {Value("yes"s)}},
                                            {"MaxInactivityDuration", {Value(std::int64_t{-5})}}}));
        CPPUNIT_ASSERT(odd.ok());
        CPPUNIT_ASSERT(!odd->cache);
        CPPUNIT_ASSERT(odd->inactivity == Milliseconds(0));
    }

    void refusesForeignMagicAndHostileProperties() {
        WireFormatInfo info;
        info.magic[0] = 'a';
        CPPUNIT_ASSERT(!readInfo(info));
        BodyMap many;
        for (int i = 0; i < 65; ++i) many.push_back({"p" + std::to_string(i), {Value(true)}});
        CPPUNIT_ASSERT_EQUAL(name(ErrorCode::tooLarge),
                             name(readInfo(infoWith(many)).error().code));
        CPPUNIT_ASSERT(!readInfo(infoWith({{"m", {BodyMap{}}}})));
        WireFormatInfo cut;
        cut.marshalledProperties = Buffer::of("\x7f\xff\xff\xff"s);
        CPPUNIT_ASSERT_EQUAL(name(ErrorCode::malformed), name(readInfo(cut).error().code));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(WireFormatTest);
