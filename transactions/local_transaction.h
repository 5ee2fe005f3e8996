// A session's local transaction: collected beside the session, made real as one unit of work.
#pragma once

#include "bus/core/commands.h"

#include <memory>
#include <unordered_set>
#include <vector>

namespace busbar {

/// What a client does between BEGIN and COMMIT. Nothing of it reaches the core before commit, so an
/// open transaction costs the bus only the memory that is counted here; the deliveries it
/// acknowledges stay locked by their session. One per open transaction of a session; its I/O loop
/// only. Dropping it rolls back the sends; the acknowledged deliveries are then given back by
/// rollback() or by the end of the session.
class LocalTransaction {
  public:
    struct Limits {
        std::size_t operationsMax = 100'000;
        std::size_t bytesMax = 64u << 20;  ///< footprint of the messages
    };

    explicit LocalTransaction(Limits limits) : limits_(limits) {}

    /// Adds a send. limitReached where the transaction would grow over its limits: it stays as it
    /// was.
    Result<void> send(std::shared_ptr<Message> message);
    /// Enlists an acknowledgement. conflict where this delivery is enlisted already; limitReached
    /// as above.
    Result<void> accept(DeliveryId delivery);

    /// The whole as one command, answered when durable. The transaction is empty afterwards.
    CommitTransaction commit(SessionId session, RequestId request);
    /// The first of two phases, as one command, answered when durable: from then on it is the
    /// core's. The transaction is empty afterwards.
    PrepareTransaction prepare(SessionId session, RequestId request, BranchId branch);
    /// The acknowledged deliveries return to their queues, their count raised. The sends are
    /// forgotten.
    Settle rollback(SessionId session, RequestId request);

    std::size_t sends() const { return sends_.size(); }
    std::size_t accepts() const { return accepts_.size(); }

    /// What its messages take in memory.
    std::size_t bytes() const { return bytes_; }

  private:
    Result<void> room(std::size_t bytes) const;

    Limits limits_;
    std::size_t bytes_ = 0;
    std::vector<std::shared_ptr<Message>> sends_;
    std::vector<DeliveryId> accepts_;
    std::unordered_set<DeliveryId> enlisted_;
};

}  // namespace busbar
