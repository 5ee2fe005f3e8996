// OpenWire 12 to 9 as an Engine: what ActiveMQ's own clients speak.
#pragma once

#include "adapters/transport/engine.h"
#include "bus/security/authenticator.h"
#include "transactions/local_transaction.h"

namespace busbar::openwire {

struct Options {
    std::string brokerId = "busbar";  ///< by which clients tell one resource manager from another
    std::size_t frameBytesMax = 100u << 20;            ///< after login; told to the client
    std::size_t frameBytesBeforeLoginMax = 16u << 10;  ///< all that a stranger may have us keep
    std::uint64_t bodyBytesMax = 64u << 20;            ///< of a message, after inflating
    /// Larger bodies go to the BodyStore, where there is one.
    std::uint64_t largeBodyBytes = 4u << 20;
    std::uint32_t prefetchMax = 1'000'000;     ///< whatever a consumer asks for
    std::size_t sendsInFlightMax = 4096;       ///< unanswered sends before reading stops
    std::size_t bytesInFlightMax = 32u << 20;  ///< ... or their bytes
    std::size_t transactionsMax = 64;          ///< open at a time in one connection
    std::size_t consumersMax = 1024;           ///< of a connection
    std::size_t producersMax = 4096;
    std::size_t temporariesKnownMax = 4096;  ///< of other connections, remembered as advised of
    Milliseconds loginTimeout{10'000};
    Milliseconds inactivity{30'000};  ///< what we offer; 0: no keep-alive
    LocalTransaction::Limits transaction{};
};

/// The factory that `server/` registers. `authenticator` and `options` outlive the engines.
EngineFactory makeFactory(const Options& options, Authenticator& authenticator);

}  // namespace busbar::openwire
