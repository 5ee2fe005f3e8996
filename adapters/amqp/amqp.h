// AMQP 1.0 (ISO 19464) as an Engine: links, transactions and the JMS mapping, on Qpid Proton's
// connection driver.
#pragma once

#include "adapters/transport/engine.h"
#include "bus/security/authenticator.h"
#include "transactions/local_transaction.h"

namespace busbar::amqp {

struct Options {
    std::uint32_t frameBytesMax = 64u << 10;      ///< what the server takes as one frame
    std::size_t bytesBeforeLoginMax = 8u << 10;   ///< headers and SASL frames together
    std::uint64_t messageBytesMax = 64u << 20;    ///< all sections of one message in memory
    std::uint64_t gatheredBytesMax = 128u << 20;  ///< messages of a connection that are not whole
    /// A larger body goes to the BodyStore while it arrives, up to largeBytesMax.
    std::uint64_t largeBodyBytes = 4u << 20;
    std::uint64_t largeBytesMax = 2ull << 30;
    std::uint16_t channelMax = 255;            ///< sessions of a connection, less one
    std::size_t linksMax = 1024;               ///< of a connection
    std::uint32_t producerCredit = 1000;       ///< unanswered transfers of one link
    std::size_t bytesInFlightMax = 32u << 20;  ///< unanswered transfers of a connection
    std::size_t transactionsMax = 64;          ///< open at a time in one connection
    std::size_t itemsMax = 100'000;            ///< values within one message, nested included
    Milliseconds loginTimeout{10'000};
    Milliseconds idleTimeout{60'000};  ///< a silent client is cut off after this; 0: never
    /// Whether SASL SCRAM-SHA-256 is offered; automatic: where every user has keys for it.
    enum class Scram { automatic, always, never };
    Scram scram = Scram::automatic;
    bool anonymous = false;  ///< offers SASL ANONYMOUS; the user is then "anonymous"
    /// What an address without prefix and capability names.
    DestinationKind defaultKind = DestinationKind::queue;
    LocalTransaction::Limits transaction;
};

/// The factory that `server/` registers. `authenticator` and `options` outlive the engines.
EngineFactory makeFactory(const Options& options, Authenticator& authenticator);

}  // namespace busbar::amqp
