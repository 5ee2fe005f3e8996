// The command line of busbar-load.
#pragma once

#include "bus/base/result.h"

#include <cstdint>
#include <string>
#include <vector>

namespace busbar::bench {

struct LoadOptions {
    enum class Mode { send, requestReply, transaction };
    Mode mode = Mode::send;

    std::string host = "127.0.0.1";
    std::uint16_t port = 61613;
    std::string login = "admin";
    std::string passcode = "admin";

    unsigned producers = 1;
    unsigned consumers = 1;
    unsigned queues = 1;
    bool topic = false;
    std::string prefix;  ///< "/queue/" or "/topic/" where not given.
    std::string name = "bench";
    std::vector<std::string> headers;  ///< "name:value" lines for SEND and SUBSCRIBE.

    double seconds = 3;
    std::uint64_t drain = 0;     ///< Take so many that an earlier run left; send nothing.
    std::uint32_t run = 0;       ///< Of that run, chosen for both; 0: any.
    std::uint64_t messages = 0;  ///< All producers together; 0: `seconds` decide.
    std::size_t size = 1024;
    bool persistent = true;
    bool receipts = true;
    bool receiptsGiven = false;
    unsigned window = 1000;
    unsigned backlog = 20000;
    unsigned prefetch = 1000;
    std::string ack = "client-individual";
    unsigned ackEvery = 1;
    double rate = 0;
    unsigned sessions = 1;
    unsigned keys = 0;     ///< Consumer i takes only messages of key i; 0: no keys.
    unsigned delayMs = 0;  ///< Of each message; latencies then count from when it is due.
    unsigned idle = 0;
    double drainSeconds = 10;
    int serverPid = 0;
};

extern const char* const kLoadHelp;

/// What the words of a command line say; an Error names the word that makes no sense.
Result<LoadOptions> parseLoadOptions(const std::vector<std::string>& words);

}  // namespace busbar::bench
