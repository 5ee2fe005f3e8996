#include "server/open_files.h"

#include "bus/base/log.h"

#include <sys/resource.h>

#include <string>

namespace busbar {
namespace {

constexpr rlim_t kLittle = 4096;

}  // namespace

void raiseOpenFilesLimit() {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    if (limit.rlim_cur < limit.rlim_max) {
        rlimit raised = limit;
        raised.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
    }
    if (limit.rlim_cur < kLittle) {
        log::warning("daemon", "at most " + std::to_string(limit.rlim_cur) +
                                   " open files are allowed (ulimit -n), and each connection is "
                                   "one: raise the hard limit for more clients");
    }
}

}  // namespace busbar
