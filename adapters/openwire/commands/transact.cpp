// TransactionInfo. What a transaction is: transactions/local_transaction.h.
#include "adapters/openwire/connection.h"
#include "adapters/openwire/errors.h"

namespace busbar::openwire {
namespace {

constexpr std::int32_t kReadOnly = 3;  // XA_RDONLY

std::string part(const Blob& bytes) {
    const std::string_view view = bytes ? bytes->view() : std::string_view();
    return std::to_string(view.size()) + ":" + std::string(view);
}

std::string keyOf(const TransactionId& id) {
    if (const auto* local = std::get_if<LocalTransactionId>(&id.id))
        return "local:" + std::to_string(local->value);
    const auto& xa = std::get<XaTransactionId>(id.id);
    return "xa:" + std::to_string(xa.formatId) + ":" + part(xa.globalTransactionId) +
           part(xa.branchQualifier);
}

bool isXa(const Ref<TransactionId>& id) {
    return id && id->id.index() == 1;
}

Ref<Throwable> unknown(const Ref<TransactionId>& id) {
    constexpr std::string_view kText = "this transaction is not open here";
    if (isXa(id)) return toXaThrowable(XaCode::notKnown, kText);
    // It ended with the connection that it was begun on.
    return toThrowable({ErrorCode::transactionAborted, std::string(kText)});
}

}  // namespace

Result<Connection::TransactionPtr> Connection::findTransaction(const Ref<TransactionId>& id) {
    if (id) {
        const auto found = transactions_.find(keyOf(*id));
        if (found != transactions_.end()) return found->second;
    }
    return {ErrorCode::transactionUnknown, "this transaction is not open here"};
}

void Connection::on(TransactionInfo& info) {
    const Answer answer = answerTo(info);
    if (info.operation == TransactionInfo::kRecover) {
        DataArrayResponse response;  // nothing is ever left prepared
        response.correlationId = answer.commandId;
        response.data.emplace();
        return write(std::move(response));
    }
    if (!info.transactionId) {
        return refuse(answer, {ErrorCode::invalidArgument, "TransactionInfo without an id"});
    }
    switch (info.operation) {
        case TransactionInfo::kBegin:
            return begin(info);
        case TransactionInfo::kPrepare:
            return prepare(info);
        case TransactionInfo::kCommitOnePhase:
            return commit(info);
        case TransactionInfo::kCommitTwoPhase:
            return refuse(answer, toXaThrowable(transactions_.contains(keyOf(*info.transactionId))
                                                    ? XaCode::protocol
                                                    : XaCode::notKnown,
                                                "the transaction was not prepared"));
        case TransactionInfo::kRollback:
            if (const auto found = transactions_.find(keyOf(*info.transactionId));
                found != transactions_.end()) {
                rollback(*found->second);
                transactions_.erase(found);
            }
            return reply(answer);
        case TransactionInfo::kForget:
        case TransactionInfo::kEnd:
            return reply(answer);
        default:
            refuse(answer, {ErrorCode::malformed, "TransactionInfo of an unknown kind"});
    }
}

void Connection::begin(const TransactionInfo& info) {
    const Answer answer = answerTo(info);
    if (transactions_.size() >= options_.transactionsMax) {
        return refuse(answer,
                      {ErrorCode::limitReached, "a connection may have at most " +
                                                    std::to_string(options_.transactionsMax) +
                                                    " open transactions"});
    }
    // A join of an XA transaction begins it again: it goes on.
    transactions_.try_emplace(keyOf(*info.transactionId),
                              std::make_shared<Transaction>(options_.transaction));
    reply(answer);
}

/// Nothing can be kept prepared yet: it is rolled back, which a branch may answer. One that did
/// nothing is done.
void Connection::prepare(const TransactionInfo& info) {
    const Answer answer = answerTo(info);
    const auto found = transactions_.find(keyOf(*info.transactionId));
    if (found == transactions_.end()) return refuse(answer, unknown(info.transactionId));
    const TransactionPtr transaction = found->second;
    transactions_.erase(found);
    const bool empty = transaction->work.sends() == 0 && transaction->work.accepts() == 0 &&
                       transaction->early.empty() && !transaction->failed;
    if (empty) {
        IntegerResponse response;
        response.correlationId = answer.commandId;
        response.result = kReadOnly;
        return write(response);
    }
    rollback(*transaction);
    refuse(answer, toXaThrowable(XaCode::rolledBack,
                                 "two-phase commit is not offered: the branch was rolled back"));
}

/// Acknowledgements that came before their messages (played back after a failover).
Result<void> Connection::matchEarly(const TransactionPtr& transaction) {
    for (const auto& ack : std::exchange(transaction->early, {})) {
        Consumer* consumer = findConsumer(ack.consumerId);
        if (!consumer || !acknowledge(ack, *consumer, transaction, Answer{})) {
            return {ErrorCode::lockLost,
                    "'" + toText(*ack.lastMessageId) + "' has not come again on this connection"};
        }
    }
    return {};
}

void Connection::commit(const TransactionInfo& info) {
    const Answer answer = answerTo(info);
    const auto found = transactions_.find(keyOf(*info.transactionId));
    if (found == transactions_.end()) return refuse(answer, unknown(info.transactionId));
    const TransactionPtr transaction = found->second;
    transactions_.erase(found);
    if (auto matched = matchEarly(transaction); !matched) transaction->failed = matched.error();
    if (transaction->failed) {
        rollback(*transaction);
        return refuse(answer, {ErrorCode::transactionAborted,
                               "nothing was done: " + transaction->failed->text});
    }
    if (transaction->work.sends() == 0 && transaction->work.accepts() == 0) return reply(answer);
    flushAccepts();
    const RequestId request = expect([this, answer, transaction](Completed& done) {
        accepted(*transaction, !done.error);
        if (done.error) return refuse(answer, *done.error);
        reply(answer);
    });
    host_.bus().submit(transaction->work.commit(session_, request));
}

/// The sends are forgotten; the deliveries stay with the client, which delivers them again itself.
void Connection::rollback(Transaction& transaction) {
    accepted(transaction, false);
}

void Connection::accepted(const Transaction& transaction, bool yes) {
    for (const auto& [key, position] : transaction.enlisted) {
        const auto found = consumers_.find(key);
        if (found == consumers_.end() || !found->second->window.holds(position)) continue;
        Window& window = found->second->window;
        window.at(position).state = yes ? Window::State::settled : Window::State::open;
        window.trim();
    }
}

}  // namespace busbar::openwire
