// TransactionInfo. What a transaction is: transactions/local_transaction.h; what becomes of one in
// two phases: docs/transactions.md.
#include "adapters/openwire/connection.h"
#include "adapters/openwire/errors.h"

#include <algorithm>

namespace busbar::openwire {
namespace {

constexpr std::int32_t kPrepared = 0;  // XA_OK
constexpr std::int32_t kReadOnly = 3;  // XA_RDONLY

std::string bytesOf(const Blob& bytes) {
    return bytes ? std::string(bytes->view()) : std::string();
}

std::string part(const Blob& bytes) {
    const std::string text = bytesOf(bytes);
    return std::to_string(text.size()) + ":" + text;
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

BranchId branchOf(const TransactionId& id) {
    const auto& xa = std::get<XaTransactionId>(id.id);
    return {xa.formatId, bytesOf(xa.globalTransactionId), bytesOf(xa.branchQualifier)};
}

Ref<Structure> toWire(const BranchId& branch) {
    XaTransactionId xa;
    xa.formatId = branch.format;
    xa.globalTransactionId = Buffer::copyOf(branch.global);
    xa.branchQualifier = Buffer::copyOf(branch.branch);
    return makeRef(Structure{TransactionId{std::move(xa)}});
}

/// What the second phase, or forgetting it, met.
XaCode xaCodeOf(const Completed& done) {
    switch (done.error->code) {
        case ErrorCode::notFound:
            return XaCode::notKnown;
        case ErrorCode::conflict:
            return done.value == "committed" ? XaCode::heuristicCommit : XaCode::heuristicBack;
        case ErrorCode::inUse:
            return XaCode::protocol;
        case ErrorCode::storageFailed:
        case ErrorCode::closed:
            return XaCode::resourceFailure;
        default:
            return XaCode::resourceError;
    }
}

Error replayedInPart() {
    return {ErrorCode::lockLost,
            "the connection was lost since the branch was begun, and with it perhaps what it has "
            "acknowledged"};
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
    if (info.operation == TransactionInfo::kRecover) return recover(answer);
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
            if (transactions_.contains(keyOf(*info.transactionId))) {
                return refuse(answer,
                              toXaThrowable(XaCode::protocol, "the transaction was not prepared"));
            }
            return decide(info, true);
        case TransactionInfo::kRollback:
            if (const auto found = transactions_.find(keyOf(*info.transactionId));
                found != transactions_.end()) {
                rollback(*found->second);
                transactions_.erase(found);
                return reply(answer);
            }
            return isXa(info.transactionId) ? decide(info, false) : reply(answer);
        case TransactionInfo::kForget:
            return forget(info);
        case TransactionInfo::kEnd:
            if (auto found = findTransaction(info.transactionId)) (*found)->ended = true;
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
    const auto [at, fresh] = transactions_.try_emplace(
        keyOf(*info.transactionId), std::make_shared<Transaction>(options_.transaction));
    // ActiveMQ's client plays back what a branch sent, but not what it acknowledged when it ended.
    if (fresh && isXa(info.transactionId) && replaying_ && !consumers_.empty())
        at->second->replayed = true;
    reply(answer);
}

/// A branch that did nothing is done. What cannot be prepared is rolled back, which a branch may
/// answer.
void Connection::prepare(const TransactionInfo& info) {
    const Answer answer = answerTo(info);
    if (!isXa(info.transactionId)) {
        return refuse(answer,
                      {ErrorCode::unsupported, "a local transaction is committed in one phase"});
    }
    const BranchId branch = branchOf(*info.transactionId);
    const auto found = transactions_.find(keyOf(*info.transactionId));
    if (found == transactions_.end()) {
        // Played back twice, under one id: as part of its transaction, and as what was not
        // answered.
        if (faultTolerant_ && preparing_.contains(branch)) return;
        if (faultTolerant_ && prepared_.contains(branch))
            return onPrepared(answer, branch, std::nullopt);
        return refuse(answer, unknown(info.transactionId));
    }
    const TransactionPtr transaction = found->second;
    transactions_.erase(found);
    if (transaction->replayed) transaction->failed = replayedInPart();
    if (auto matched = matchEarly(transaction); !matched) transaction->failed = matched.error();
    if (transaction->failed) {
        rollback(*transaction);
        return refusePrepare(answer, branch, *transaction->failed);
    }
    if (transaction->work.sends() == 0 && transaction->work.accepts() == 0) {
        IntegerResponse response;
        response.correlationId = answer.commandId;
        response.result = kReadOnly;
        return write(response);
    }
    flushAccepts();
    preparing_.insert(branch);
    const RequestId request = expect([this, answer, transaction, branch](Completed& done) {
        preparing_.erase(branch);
        if (done.error)
            rollback(*transaction);
        else
            prepared_[branch] = transaction;
        onPrepared(answer, branch, done.error);
    });
    host_.bus().submit(transaction->work.prepare(session_, request, branch));
}

void Connection::onPrepared(const Answer& answer, const BranchId& branch,
                            const std::optional<Error>& error) {
    if (error) return refusePrepare(answer, branch, *error);
    IntegerResponse response;
    response.correlationId = answer.commandId;
    response.result = kPrepared;
    write(response);
}

/// A client that has failed over plays its transactions back, prepared ones too: those are here.
void Connection::refusePrepare(const Answer& answer, const BranchId& branch, const Error& why) {
    const auto refuseIt = [this, answer, why] {
        const XaCode code = why.code == ErrorCode::storageFailed   ? XaCode::resourceFailure
                            : why.code == ErrorCode::alreadyExists ? XaCode::duplicate
                                                                   : XaCode::rolledBack;
        refuse(answer, toXaThrowable(code, why.text));
    };
    if (!faultTolerant_ || !session_) return refuseIt();
    listPrepared([this, answer, branch, refuseIt](const Picture& picture) {
        const bool here = std::any_of(
            picture.branches.begin(), picture.branches.end(), [&](const BranchPicture& known) {
                return known.branch == branch && known.state == "prepared";
            });
        here ? onPrepared(answer, branch, std::nullopt) : refuseIt();
    });
}

void Connection::listPrepared(std::function<void(const Picture&)> then) {
    RequestId request;
    expectPending(request).pictured = std::move(then);
    host_.bus().submit(ListPrepared{session_, request});
}

/// Also what other connections of the user prepared: that is what a coordinator comes back for.
void Connection::recover(const Answer& answer) {
    listPrepared([this, answer](const Picture& picture) {
        DataArrayResponse response;
        response.correlationId = answer.commandId;
        response.data.emplace();
        for (const auto& known : picture.branches) response.data->push_back(toWire(known.branch));
        write(std::move(response));
    });
}

/// Rolled back, the deliveries that this connection prepared stay with the client, which delivers
/// them again itself.
void Connection::decide(const TransactionInfo& info, bool commit) {
    const Answer answer = answerTo(info);
    if (!isXa(info.transactionId)) return refuse(answer, unknown(info.transactionId));
    const BranchId branch = branchOf(*info.transactionId);
    const RequestId request = expect([this, answer, branch, commit](Completed& done) {
        onDecided(answer, branch, commit, done);
    });
    host_.bus().submit(DecidePrepared{session_, request, branch, commit});
}

void Connection::onDecided(const Answer& answer, const BranchId& branch, bool commit,
                           Completed& done) {
    const bool over = !done.error || done.error->code == ErrorCode::notFound ||
                      done.error->code == ErrorCode::conflict;
    if (const auto found = prepared_.find(branch); over && found != prepared_.end()) {
        // Where somebody else has decided they are not in our hands any more.
        accepted(*found->second, commit || done.error);
        prepared_.erase(found);
    }
    if (done.error) return refuse(answer, toXaThrowable(xaCodeOf(done), done.error->text));
    reply(answer);
}

void Connection::forget(const TransactionInfo& info) {
    const Answer answer = answerTo(info);
    if (!isXa(info.transactionId)) return reply(answer);
    const RequestId request = expect([this, answer](Completed& done) {
        if (done.error) return refuse(answer, toXaThrowable(xaCodeOf(done), done.error->text));
        reply(answer);
    });
    host_.bus().submit(ForgetPrepared{session_, request, branchOf(*info.transactionId)});
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
    if (transaction->replayed) transaction->failed = replayedInPart();
    if (auto matched = matchEarly(transaction); !matched) transaction->failed = matched.error();
    if (transaction->failed) {
        rollback(*transaction);
        return refuseCommit(info, {ErrorCode::transactionAborted,
                                   "nothing was done: " + transaction->failed->text});
    }
    if (transaction->work.sends() == 0 && transaction->work.accepts() == 0) return reply(answer);
    flushAccepts();
    const RequestId request = expect([this, info, answer, transaction](Completed& done) {
        accepted(*transaction, !done.error);
        if (done.error) return refuseCommit(info, *done.error);
        reply(answer);
    });
    host_.bus().submit(transaction->work.commit(session_, request));
}

void Connection::refuseCommit(const TransactionInfo& info, const Error& why) {
    if (!isXa(info.transactionId)) {
        // What JMS's commit throws says that it was rolled back; the text says why.
        const bool denied = why.code == ErrorCode::notAuthorized;
        return refuse(answerTo(info),
                      denied ? Error{ErrorCode::transactionAborted, why.text} : why);
    }
    refuse(answerTo(info),
           toXaThrowable(
               why.code == ErrorCode::storageFailed ? XaCode::resourceFailure : XaCode::rolledBack,
               why.text));
}

/// The sends are forgotten; the deliveries stay with the client, which delivers them again itself.
void Connection::rollback(Transaction& transaction) {
    accepted(transaction, false);
}

void Connection::accepted(const Transaction& transaction, bool yes) {
    for (const auto& [key, position] : transaction.enlisted) {
        const auto found = consumers_.find(key);
        if (found == consumers_.end() || !found->second->window.holds(position)) continue;
        Consumer& consumer = *found->second;
        consumer.window.at(position).state = yes ? Window::State::settled : Window::State::open;
        trim(consumer);
    }
}

}  // namespace busbar::openwire
