// busbar-load: a load generator over STOMP that checks what it measures.
#include "bench/load_options.h"
#include "bench/load_run.h"
#include "bench/stream.h"

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

int main(int argc, char** argv) {
    const std::vector<std::string> words(argv + 1, argv + argc);
    if (std::find(words.begin(), words.end(), "--help") != words.end())
        return std::fputs(busbar::bench::kLoadHelp, stdout) < 0;
    const auto options = busbar::bench::parseLoadOptions(words);
    if (!options) {
        std::fprintf(stderr, "busbar-load: %s Try --help\n", options.error().text.c_str());
        return 2;
    }
    busbar::bench::raiseFileLimit();
    const auto report = busbar::bench::runLoad(*options);
    std::puts(report.json.c_str());
    return report.exitCode;
}
