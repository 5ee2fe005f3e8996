// Does the core keep its promises under random work, and over crashes?
// Steps: BUSBAR_SIM_STEPS (default 1 000 000), seed: BUSBAR_SIM_SEED (default: from the time;
// printed).
#include "tests/bus/core/simulation.h"

#include <cppunit/extensions/HelperMacros.h>

#include <cstdio>
#include <cstdlib>

namespace busbar::test {
namespace {

std::uint64_t setting(const char* name, std::uint64_t fallback) {
    const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): one thread
    return value ? std::strtoull(value, nullptr, 10) : fallback;
}

}  // namespace

class SimulationTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(SimulationTest);
    CPPUNIT_TEST(keepsItsPromisesUnderRandomWorkAndCrashes);
    CPPUNIT_TEST_SUITE_END();

  public:
    void keepsItsPromisesUnderRandomWorkAndCrashes() {
        const std::uint64_t seed = setting("BUSBAR_SIM_SEED", std::random_device{}());
        std::printf("seed: BUSBAR_SIM_SEED=%llu\n", static_cast<unsigned long long>(seed));
        std::fflush(stdout);
        const std::uint64_t steps = setting("BUSBAR_SIM_STEPS", 1'000'000);
        constexpr std::uint64_t kStepsEach =
            25'000;  // many short lives: what a life leaves behind slows the next step
        for (std::uint64_t life = 0; life * kStepsEach < steps; ++life) {
            Simulation simulation(seed + life, kStepsEach);
            simulation.run();
            std::printf("life %llu:%s\n", static_cast<unsigned long long>(life),
                        simulation.summary().c_str());
            std::fflush(stdout);
        }
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(SimulationTest);

}  // namespace busbar::test
