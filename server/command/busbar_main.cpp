// busbar: the process around the commands.
#include "server/command/command.h"

#include <Poco/Net/NetSSL.h>
#include <termios.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <iostream>

namespace {

/// Reads a line from the terminal without showing it.
std::string askSecret(const std::string& prompt) {
    std::cerr << prompt << std::flush;
    termios before{};
    const bool known = tcgetattr(STDIN_FILENO, &before) == 0;
    if (known) {
        termios silent = before;
        silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
    }
    std::string line;
    std::getline(std::cin, line);
    if (known) tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    std::cerr << "\n";
    return line;
}

}  // namespace

int main(int argc, char** argv) {
    setenv("XERCES_DISABLE_DTD", "1", 1);  // NOLINT(concurrency-mt-unsafe): before any thread
    std::signal(SIGPIPE, SIG_IGN);
    std::ios::sync_with_stdio(false);
    const std::vector<std::string> line(argv + 1, argv + argc);
    if (line == std::vector<std::string>{"--version"}) {
        std::cout << "busbar " BUSBAR_VERSION "\n";
        return 0;
    }
    if (line.empty()) {
        std::cerr << "usage: busbar COMMAND ... (busbar --help lists the commands)\n";
        return busbar::command::kUsage;
    }
    const auto environment = [](const std::string& name) -> std::optional<std::string> {
        const char* value =
            std::getenv(name.c_str());  // NOLINT(concurrency-mt-unsafe): nobody sets any
        return value ? std::optional<std::string>(value) : std::nullopt;
    };
    busbar::command::Surroundings surroundings{std::cin,
                                               std::cout,
                                               std::cerr,
                                               environment,
                                               isatty(STDIN_FILENO) == 1,
                                               isatty(STDOUT_FILENO) == 1,
                                               isatty(STDERR_FILENO) == 1,
                                               askSecret};
    Poco::Net::initializeSSL();
    return busbar::command::runCommandLine(line, surroundings);
}
