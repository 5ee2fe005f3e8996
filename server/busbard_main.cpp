// busbard: the daemon's command line and signals.
#include "bus/base/log.h"
#include "server/daemon.h"
#include "server/notify.h"
#include "server/open_files.h"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

// jemalloc reads it when the process begins. Two arenas are enough for the few threads that
// allocate, and each costs memory also when it is idle (docs/adr/0008-allocator.md).
extern "C" const char* malloc_conf;
const char* malloc_conf = "narenas:1";

namespace {

constexpr const char* kHelp =
    R"(usage: busbard [--config FILE] [--data DIR] [--set KEY=VALUE]... [--check]

The Busbar daemon: message broker and service bus. Every setting has a default; no file is needed.

  --config FILE     configuration, checked against busbar.xsd (docs/configuration.md)
  --data DIR        data directory (default ./data, or BUSBAR_DATA)
  --set KEY=VALUE   one setting, such as --set stomp.port=0; 'busbar config --keys' lists the keys
  --check           load configuration and contracts, say what is wrong, and end
  --version, --help

On start one line of JSON with the ports in use goes to standard output, and to DIR/ports.json.
The first start makes user 'admin' with a random password in DIR/admin.password, or with
BUSBAR_ADMIN_PASSWORD. SIGTERM ends in an orderly way, exit code 0.

example:  BUSBAR_ADMIN_PASSWORD=secret busbard --data /var/lib/busbar --set http.port=8081
)";

struct Arguments {
    std::string config;
    std::vector<std::string> settings;
    bool check = false;
};

// NOLINTBEGIN(concurrency-mt-unsafe): exit, before any thread.
/// Exits for --help, --version and what cannot be understood.
Arguments parse(int argc, char** argv) {
    Arguments out;
    for (int i = 1; i < argc; ++i) {
        std::string argument = argv[i];
        std::string value;
        const auto equals = argument.find('=');
        const bool joined = argument.starts_with("--") && equals != std::string::npos;
        if (joined) {
            value = argument.substr(equals + 1);
            argument.resize(equals);
        }
        const auto take = [&]() -> std::string {
            if (joined) return value;
            if (i + 1 < argc) return argv[++i];
            std::fprintf(stderr, "busbard: %s needs a value\n", argument.c_str());
            std::exit(2);
        };
        if (argument == "--config")
            out.config = take();
        else if (argument == "--data")
            out.settings.push_back("data=" + take());
        else if (argument == "--set")
            out.settings.push_back(take());
        else if (argument == "--check")
            out.check = true;
        else if (argument == "--help" || argument == "-h")
            std::exit(std::fputs(kHelp, stdout) < 0);
        else if (argument == "--version")
            std::exit(std::puts("busbard " BUSBAR_VERSION) < 0);
        else {
            std::fprintf(stderr, "busbard: what is '%s'? Try busbard --help\n", argv[i]);
            std::exit(2);
        }
    }
    return out;
}
// NOLINTEND(concurrency-mt-unsafe)

int fail(const busbar::Error& error) {
    std::fprintf(stderr, "busbard: %s\n", error.text.c_str());
    return 1;
}

/// Waits for one of `signals`, at most so long: then 0. A `limit` of 0 is none.
int nextSignal(const sigset_t& signals, busbar::Milliseconds limit) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(limit);
    const timespec wait{seconds.count(), std::chrono::nanoseconds(limit - seconds).count()};
    for (;;) {
        const int signal = limit.count() > 0 ? sigtimedwait(&signals, nullptr, &wait)
                                             : sigwaitinfo(&signals, nullptr);
        if (signal > 0) return signal;
        if (errno == EAGAIN) return 0;
        if (errno != EINTR) return SIGUSR1;
    }
}

}  // namespace

int main(int argc, char** argv) {
    setenv("XERCES_DISABLE_DTD", "1", 1);  // NOLINT(concurrency-mt-unsafe): before any thread
    std::signal(SIGPIPE, SIG_IGN);
    const Arguments arguments = parse(argc, argv);
    const auto environment = [](const std::string& name) -> std::optional<std::string> {
        const char* value =
            std::getenv(name.c_str());  // NOLINT(concurrency-mt-unsafe): nobody sets any
        return value ? std::optional<std::string>(value) : std::nullopt;
    };
    auto configuration =
        busbar::loadConfiguration(arguments.config, environment, arguments.settings);
    if (!configuration) return fail(configuration.error());
    busbar::log::setLevel(configuration->logLevel);
    if (arguments.check) {
        if (auto fine = busbar::Daemon::check(*configuration); !fine) return fail(fine.error());
        std::puts("busbard: the configuration is fine");
        return 0;
    }

    busbar::raiseOpenFilesLimit();
    sigset_t signals;
    sigemptyset(&signals);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR1}) sigaddset(&signals, signal);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);  // before any thread: all inherit it

    auto daemon = busbar::Daemon::open(std::move(*configuration));
    if (!daemon) return fail(daemon.error());
    std::thread waiter([&] {
        const auto watch = (*daemon)->tlsWatch();
        for (int signal = 0; (signal = nextSignal(signals, watch)) != SIGUSR1;) {
            if (signal == 0) {
                (*daemon)->reloadTls(false);
            } else if (signal == SIGHUP) {
                auto again =
                    busbar::loadConfiguration(arguments.config, environment, arguments.settings);
                if (again) {
                    busbar::log::setLevel(again->logLevel);
                    (*daemon)->reload(std::move(*again));
                } else {
                    busbar::log::error("configuration",
                                       "wrong, nothing was changed: " + again.error().text);
                }
                (*daemon)->reloadTls(true);
            } else {
                (*daemon)->stop();
            }
        }
    });
    std::puts((*daemon)->portsJson().c_str());
    std::fflush(stdout);
    busbar::notifyServiceManager("READY=1");
    const int code = (*daemon)->run();
    busbar::notifyServiceManager("STOPPING=1");
    pthread_kill(waiter.native_handle(), SIGUSR1);  // ends the waiter
    waiter.join();
    return code;
}
