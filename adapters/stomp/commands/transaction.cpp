// BEGIN, COMMIT and ABORT. What a transaction is: transactions/local_transaction.h.
#include "adapters/stomp/connection.h"

namespace busbar::stomp {

LocalTransaction* Connection::findTransaction(const Frame& frame) {
    const auto id = frame.get("transaction");
    const auto found = transactions_.find(id);
    if (found != transactions_.end()) return &found->second;
    refuse(frame, {ErrorCode::transactionUnknown,
                   "no transaction '" + std::string(id.substr(0, 100)) +
                       "' is open: the header 'transaction' of a BEGIN is expected"});
    return nullptr;
}

void Connection::begin(const Frame& frame) {
    const auto id = frame.get("transaction");
    if (id.empty()) {
        return refuse(frame, {ErrorCode::invalidArgument, "BEGIN needs a 'transaction' header"});
    }
    if (transactions_.size() >= options_.transactionsMax) {
        return refuse(frame, {ErrorCode::limitReached,
                              "a connection may have at most " +
                                  std::to_string(options_.transactionsMax) + " open transactions"});
    }
    if (!transactions_.emplace(id, LocalTransaction(options_.transaction)).second) {
        return refuse(frame,
                      {ErrorCode::conflict,
                       "transaction '" + std::string(id.substr(0, 100)) + "' is open already"});
    }
    receiptNow(frame);
}

void Connection::commit(const Frame& frame) {
    LocalTransaction* transaction = findTransaction(frame);
    if (!transaction) return;
    RequestId request;
    expect(Pending::Kind::command, frame.get("receipt"), request).what =
        "COMMIT transaction:" + std::string(frame.get("transaction").substr(0, 100));
    host_.bus().submit(transaction->commit(session_, request));
    transactions_.erase(transactions_.find(frame.get("transaction")));
}

void Connection::abort(const Frame& frame) {
    LocalTransaction* transaction = findTransaction(frame);
    if (!transaction) return;
    if (transaction->accepts() == 0) {
        receiptNow(frame);
    } else {
        RequestId request;
        expect(Pending::Kind::command, frame.get("receipt"), request).what =
            "ABORT transaction:" + std::string(frame.get("transaction").substr(0, 100));
        host_.bus().submit(transaction->rollback(session_, request));
    }
    transactions_.erase(transactions_.find(frame.get("transaction")));
}

}  // namespace busbar::stomp
