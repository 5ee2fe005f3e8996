// busbar-limit: the least that does a broker's socket, parsing and journal work over STOMP. Ratios
// are taken against it.
#include "bench/limit_log.h"
#include "bench/limit_server.h"
#include "bench/stream.h"

#include <sys/signalfd.h>

#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <string>

namespace {

constexpr const char* kHelp = R"(usage: busbar-limit [--port N] [--data DIR] [--file-mib N]

Takes STOMP frames, appends persistent bodies to one recycled file with group commit, answers and delivers after the
sync. Nothing of a broker is in it: it exists to be measured against. Listens on 127.0.0.1 and prints {"stomp":PORT}.

example:  busbar-limit --port 0 --data /tmp/limit
)";

/// SIGTERM and SIGINT as something to read; before any thread, so that all threads leave them
/// alone.
int signalDescriptor() {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    // NOLINTNEXTLINE(concurrency-mt-unsafe): before any thread
    sigprocmask(SIG_BLOCK, &signals, nullptr);
    return signalfd(-1, &signals, SFD_CLOEXEC);
}

bool number(const char* text, unsigned& out) {
    const char* end = text + std::strlen(text);
    return std::from_chars(text, end, out).ptr == end;
}

}  // namespace

int main(int argc, char** argv) {
    using namespace busbar::bench;
    unsigned port = 0;
    unsigned fileMib = 64;
    std::string directory = ".";
    for (int i = 1; i < argc; i += 2) {
        const std::string word = argv[i];
        if (word == "--help") return std::fputs(kHelp, stdout) < 0;
        bool good = i + 1 < argc;
        if (good && word == "--data")
            directory = argv[i + 1];
        else if (good && word == "--port")
            good = number(argv[i + 1], port) && port < 65536;
        else if (good && word == "--file-mib")
            good = number(argv[i + 1], fileMib) && fileMib > 0;
        else
            good = false;
        if (!good) {
            std::fprintf(stderr, "busbar-limit: what is '%s'? Try --help\n", word.c_str());
            return 2;
        }
    }
    const int stopFd = signalDescriptor();
    raiseFileLimit();
    auto log = LimitLog::open(directory, std::size_t{fileMib} << 20);
    if (!log) {
        std::fprintf(stderr, "busbar-limit: %s\n", log.error().text.c_str());
        return 1;
    }
    LimitServer server(**log);
    const auto bound = server.listen(static_cast<std::uint16_t>(port));
    if (!bound) {
        std::fprintf(stderr, "busbar-limit: %s\n", bound.error().text.c_str());
        return 1;
    }
    std::printf("{\"stomp\":%u}\n", unsigned{*bound});
    std::fflush(stdout);
    server.serve(stopFd);
    return 0;
}
