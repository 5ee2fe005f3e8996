#include "transactions/local_transaction.h"

#include <utility>

namespace busbar {

Result<void> LocalTransaction::room(std::size_t bytes) const {
    if (sends_.size() + accepts_.size() >= limits_.operationsMax) {
        return {ErrorCode::limitReached, "a transaction holds at most " +
                                             std::to_string(limits_.operationsMax) +
                                             " sends and acknowledgements: commit more often"};
    }
    if (bytes > limits_.bytesMax - bytes_) {
        return {ErrorCode::limitReached, "the messages of a transaction take at most " +
                                             std::to_string(limits_.bytesMax) +
                                             " bytes: commit more often"};
    }
    return {};
}

Result<void> LocalTransaction::send(std::shared_ptr<Message> message) {
    const std::size_t bytes = footprint(*message);
    if (auto fits = room(bytes); !fits) return fits;
    bytes_ += bytes;
    sends_.push_back(std::move(message));
    return {};
}

Result<void> LocalTransaction::accept(DeliveryId delivery) {
    if (auto fits = room(0); !fits) return fits;
    if (!enlisted_.insert(delivery).second) {
        return {ErrorCode::conflict, "this delivery is acknowledged in the transaction already"};
    }
    accepts_.push_back(delivery);
    return {};
}

CommitTransaction LocalTransaction::commit(SessionId session, RequestId request) {
    CommitTransaction command{session, request, std::exchange(sends_, {}),
                              std::exchange(accepts_, {})};
    enlisted_.clear();
    bytes_ = 0;
    return command;
}

PrepareTransaction LocalTransaction::prepare(SessionId session, RequestId request,
                                             BranchId branch) {
    CommitTransaction all = commit(session, request);
    return {session, request, std::move(branch), std::move(all.sends), std::move(all.accepts)};
}

Settle LocalTransaction::rollback(SessionId session, RequestId request) {
    Settle command;
    command.session = session;
    command.request = request;
    command.deliveries = std::exchange(accepts_, {});
    command.outcome = Outcome::failed;
    sends_.clear();
    enlisted_.clear();
    bytes_ = 0;
    return command;
}

}  // namespace busbar
