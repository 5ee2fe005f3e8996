// One port for several protocols: the first bytes of a connection say which one it is.
#pragma once

#include "adapters/transport/engine.h"

#include <string>
#include <vector>

namespace busbar {

/// How one protocol's connections begin: behind `offset` bytes of any value, with one of
/// `beginnings`. No two protocols of a port may have beginnings that fit the same bytes.
struct DetectedProtocol {
    std::string name;  ///< "amqp": for errors
    std::size_t offset = 0;
    std::vector<std::string> beginnings;
    EngineFactory factory;
    /// The engine's EngineHost::outputHighMark(); the listener's own is 0 (as HTTP wants it).
    std::size_t outputHighMark = 1u << 20;
};

/// Waits for the first bytes, then makes the engine that they belong to and is not seen any more.
/// Bytes that fit none, or fewer than needed within `timeout`, end the connection: nothing can be
/// said in a protocol that is not known. No more bytes are kept than the longest beginning has.
EngineFactory makeDetecting(std::vector<DetectedProtocol> protocols, Milliseconds timeout);

}  // namespace busbar
