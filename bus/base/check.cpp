#include "bus/base/check.h"

#include <cstdio>
#include <cstdlib>

namespace busbar {

void checkFailed(const char* expression, const char* file, int line, std::string_view text) {
    std::fprintf(stderr, "busbar: broken invariant: %s (%s:%d): %.*s\n", expression, file, line,
                 static_cast<int>(text.size()), text.data());
    std::fflush(stderr);
    std::abort();
}

}  // namespace busbar
