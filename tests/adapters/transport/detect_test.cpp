#include "adapters/transport/detect.h"

#include "tests/support/fake_bus.h"

#include <cppunit/extensions/HelperMacros.h>

using namespace busbar;
using namespace std::string_literals;

namespace {

/// Says its name and what it got.
class Named final : public Engine {
  public:
    Named(EngineHost& host, std::string name) : host_(host), name_(std::move(name)) {}
    void receive(std::string_view bytes) override {
        host_.output().append(name_).append("(").append(bytes).append(")");
        if (host_.outputHighMark() == 77) host_.output() += "!";
    }
    bool wantsInput() const override { return true; }
    void onTick() override { host_.output() += "tick"; }
    void onOutputDrained() override {}
    void onDisconnect() override { host_.output() += "gone"; }
    void onDrain(std::string_view why) override { host_.close(why); }

  private:
    EngineHost& host_;
    std::string name_;
};

}  // namespace

class DetectTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(DetectTest);
    CPPUNIT_TEST(givesEachBeginningToItsProtocol);
    CPPUNIT_TEST(waitsForAsManyBytesAsItNeeds);
    CPPUNIT_TEST(endsWhatIsOfNoProtocol);
    CPPUNIT_TEST(endsWhatDoesNotBegin);
    CPPUNIT_TEST(thenPassesEverythingOn);
    CPPUNIT_TEST_SUITE_END();

    test::FakeBus bus_;
    test::FakeHost host_{bus_};
    std::unique_ptr<Engine> engine_;

    static EngineFactory named(std::string name) {
        return [name = std::move(name)](EngineHost& host) {
            return std::make_unique<Named>(host, name);
        };
    }

  public:
    void setUp() override {
        host_.highMark = 0;
        engine_ = makeDetecting({{"amqp", 0, {"AMQP"}, named("amqp"), 77},
                                 {"openwire",
                                  4,
                                  {"\x01"
                                   "ActiveMQ"},
                                  named("openwire")},
                                 {"stomp", 0, {"CONNECT\n", "STOMP\n", "\n"}, named("stomp")}},
                                Milliseconds(1000))(host_);
    }

    void givesEachBeginningToItsProtocol() {
        engine_->receive("\0\0\1\0\1ActiveMQ rest"s);
        CPPUNIT_ASSERT_EQUAL("openwire(\0\0\1\0\1ActiveMQ rest)"s, host_.read());
    }

    void waitsForAsManyBytesAsItNeeds() {
        for (const char c : "AMQ"s) engine_->receive(std::string(1, c));
        CPPUNIT_ASSERT_EQUAL(""s, host_.read());
        CPPUNIT_ASSERT(engine_->wantsInput() && !engine_->onInputEnd());
        engine_->receive("P");
        CPPUNIT_ASSERT_EQUAL("amqp(AMQP)!"s, host_.read());
    }

    void endsWhatIsOfNoProtocol() {
        engine_->receive("SSH-2.0-x");
        CPPUNIT_ASSERT(host_.closed && !engine_->wantsInput());
        CPPUNIT_ASSERT_EQUAL(""s, host_.read());
    }

    void endsWhatDoesNotBegin() {
        engine_->receive("STO");
        bus_.time.advance(Milliseconds(999));
        engine_->onTick();
        CPPUNIT_ASSERT(!host_.closed);
        bus_.time.advance(Milliseconds(1));
        engine_->onTick();
        CPPUNIT_ASSERT(host_.closed);
    }

    void thenPassesEverythingOn() {
        engine_->receive("STOMP\nx");
        engine_->receive("more");
        engine_->onTick();
        engine_->onDisconnect();
        CPPUNIT_ASSERT_EQUAL("stomp(STOMP\nx)stomp(more)tickgone"s, host_.read());
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(DetectTest);
