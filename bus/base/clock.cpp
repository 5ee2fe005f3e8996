#include "bus/base/clock.h"

namespace busbar {

Now SystemClock::now() const {
    using namespace std::chrono;
    return Now{time_point_cast<milliseconds>(system_clock::now()),
               time_point_cast<microseconds>(steady_clock::now())};
}

}  // namespace busbar
