// What a server used, read from /proc while it runs.
#pragma once

#include <cstdint>

namespace busbar::bench {

struct ProcessUsage {
    std::uint64_t cpuUs =
        0;  ///< User and system time of all threads, of the process and its living descendants.
    std::uint64_t rssBytes = 0;  ///< Resident memory of the same processes together.
};

/// Zeros when there is no such process.
ProcessUsage processUsage(int pid);

}  // namespace busbar::bench
