#include "adapters/openwire/destinations.h"

#include <cppunit/extensions/HelperMacros.h>

using namespace busbar;
using namespace busbar::openwire;
using namespace std::string_literals;

namespace {

std::string shown(const Result<Target>& target) {
    if (!target) return "!" + std::string(name(target.error().code));
    std::string out;
    for (const auto& destination : target->destinations) out += toUri(destination) + " ";
    for (const auto& [key, value] : target->options) out += key + "=" + value + " ";
    return out;
}

std::string queue(const std::string& name) {
    return shown(toTarget({100, name}));
}

}  // namespace

class DestinationsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(DestinationsTest);
    CPPUNIT_TEST(typesAreKindsBothWays);
    CPPUNIT_TEST(compositeNamesAreSeveral);
    CPPUNIT_TEST(optionsAreTakenOff);
    CPPUNIT_TEST(consumerOptionsAreApplied);
    CPPUNIT_TEST(badNamesAreRefused);
    CPPUNIT_TEST(advisoryTopicsAreKnown);
    CPPUNIT_TEST_SUITE_END();

  public:
    void typesAreKindsBothWays() {
        for (std::uint8_t type = 100; type <= 103; ++type) {
            const auto made = toDestination({type, "ID:host-1-2:1:1"});
            CPPUNIT_ASSERT(made.ok());
            CPPUNIT_ASSERT_EQUAL("ID:host-1-2:1:1"s, made->name);
            CPPUNIT_ASSERT(toWire(*made) == (WireDestination{type, "ID:host-1-2:1:1"}));
        }
        CPPUNIT_ASSERT(toDestination({103, "x"})->kind == DestinationKind::temporaryTopic);
    }

    void compositeNamesAreSeveral() {
        CPPUNIT_ASSERT_EQUAL("queue://first queue://second topic://third temp-queue://t "s,
                             queue("first, queue://second,topic://third ,temp-queue://t"));
        CPPUNIT_ASSERT_EQUAL("queue://a "s, queue("a,queue://a,,a"));
        const auto one = toDestination({100, "a,b"});
        CPPUNIT_ASSERT_EQUAL(name(ErrorCode::invalidArgument), name(one.error().code));
        std::string many = "q0";
        for (int i = 1; i < 64; ++i) many += ",q" + std::to_string(i);
        CPPUNIT_ASSERT(queue(many).front() != '!');
        CPPUNIT_ASSERT_EQUAL("!too-large"s, queue(many + ",q64"));
    }

    void optionsAreTakenOff() {
        CPPUNIT_ASSERT_EQUAL("queue://N consumer.prefetchSize=10 consumer.exclusive=true "s,
                             queue("N?consumer.prefetchSize=10&consumer.exclusive=true"));
        CPPUNIT_ASSERT_EQUAL("queue://N a=b c d= "s, queue("N?a=b%20c&&d"));
        CPPUNIT_ASSERT_EQUAL("queue://N a=1+1 "s, queue("N?a=1%2B1"));
        for (const auto& bad : {"N?a=%"s, "N?a=%4"s, "N?a=%zz"s}) {
            CPPUNIT_ASSERT_EQUAL("!malformed"s, queue(bad));
        }
    }

    void consumerOptionsAreApplied() {
        ConsumerInfo info;
        const auto apply = [&](const std::string& options) {
            return applyConsumerOptions(*toTarget({100, "N?" + options}), info).ok();
        };
        CPPUNIT_ASSERT(
            apply("consumer.prefetchSize=10&consumer.exclusive=true&consumer.priority=-5"));
        CPPUNIT_ASSERT(
            apply("consumer.selector=a%3D1&consumer.noLocal=true&consumer.retroactive=true"));
        CPPUNIT_ASSERT(apply("consumer.dispatchAsync=false&consumer.maximumPendingMessageLimit=7"));
        CPPUNIT_ASSERT(apply("consumer.browser=true&producer.x=1"));
        CPPUNIT_ASSERT_EQUAL(10, int{info.prefetchSize});
        CPPUNIT_ASSERT(info.exclusive && info.noLocal && info.retroactive && info.browser);
        CPPUNIT_ASSERT_EQUAL(-5, int{info.priority});
        CPPUNIT_ASSERT_EQUAL("a=1"s, *info.selector);
        for (const auto& bad :
             {"consumer.prefetchSize=ten"s, "consumer.prefetchSize=-1"s, "consumer.exclusive=1"s,
              "consumer.priority=300"s, "consumer.x=1"s}) {
            CPPUNIT_ASSERT_MESSAGE(bad, !apply(bad));
        }
    }

    void badNamesAreRefused() {
        for (const auto& bad : {""s, ","s, "?a=b"s, "a\nb"s, "queue://"s, std::string(256, 'x')}) {
            CPPUNIT_ASSERT_EQUAL("!invalid-argument"s, queue(bad));
        }
        CPPUNIT_ASSERT(!toTarget({100, {}}));
    }

    void advisoryTopicsAreKnown() {
        CPPUNIT_ASSERT(isAdvisory(Destination::topic("ActiveMQ.Advisory.TempQueue")));
        CPPUNIT_ASSERT(!isAdvisory(Destination::queue("ActiveMQ.Advisory.TempQueue")));
        CPPUNIT_ASSERT(!isAdvisory(Destination::topic("prices")));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(DestinationsTest);
