// STOMP 1.2 (and 1.1, 1.0 as far as they differ) as an Engine.
#pragma once

#include "adapters/transport/engine.h"
#include "bus/security/authenticator.h"
#include "transactions/local_transaction.h"

namespace busbar::stomp {

struct Options {
    std::size_t headerBytesMax = 16u << 10;  ///< of one frame: command and all header lines
    std::size_t headersMax = 128;            ///< header lines of one frame
    std::size_t headerBytesBeforeLoginMax = 4u << 10;
    std::uint64_t bodyBytesMax = 64u << 20;
    /// A SEND whose content-length is over this goes to the BodyStore, up to largeBytesMax.
    std::uint64_t largeBodyBytes = 4u << 20;
    std::uint64_t largeBytesMax = 2ull << 30;
    std::uint32_t prefetchDefault = 1000;      ///< unsettled deliveries of a subscription at a time
    std::size_t sendsInFlightMax = 4096;       ///< unanswered sends before reading stops
    std::size_t bytesInFlightMax = 32u << 20;  ///< ... or their bytes
    std::size_t transactionsMax = 64;          ///< open at a time in one connection
    std::size_t subscriptionsMax = 1024;
    Milliseconds loginTimeout{10'000};
    Milliseconds heartBeatMin{1'000};  ///< what the server offers and asks for at the least
    LocalTransaction::Limits transaction;
};

/// The factory that `server/` registers. `authenticator` and `options` outlive the engines.
EngineFactory makeFactory(const Options& options, Authenticator& authenticator);

}  // namespace busbar::stomp
