// Transactions (AMQP 1.0 part 4). What one is: transactions/local_transaction.h.
#include "adapters/amqp/connection.h"

#include <proton/disposition.h>

#include <utility>

namespace busbar::amqp {
namespace {

constexpr std::uint64_t kDeclare = 0x31;
constexpr std::uint64_t kDischarge = 0x32;
constexpr std::uint64_t kDeclared = 0x33;
constexpr std::uint64_t kTransactionalState = 0x34;
constexpr std::uint64_t kValueSection = 0x77;

bool isDescribed(const Item& item, std::uint64_t code, std::string_view symbol) {
    if (item.type != Type::described) return false;
    const Item& descriptor = item.at(0);
    return descriptor.isText() ? descriptor.bytes == symbol
                               : descriptor.type == Type::ulongType && descriptor.bits == code;
}

std::uint64_t outcomeCode(const Item& outcome) {
    constexpr std::pair<std::string_view, std::uint64_t> kOutcomes[] = {
        {"amqp:accepted:list", PN_ACCEPTED},
        {"amqp:rejected:list", PN_REJECTED},
        {"amqp:released:list", PN_RELEASED},
        {"amqp:modified:list", PN_MODIFIED}};
    for (const auto& [symbol, code] : kOutcomes) {
        if (isDescribed(outcome, code, symbol)) return code;
    }
    return 0;
}

void putOutcome(pn_delivery_t* delivery, std::string_view id, bool accepted) {
    std::string encoded;
    Compound list(encoded, Compound::Kind::list);
    putBinary(encoded, id);
    if (accepted) {
        putDescriptor(encoded, PN_ACCEPTED);
        Compound(encoded, Compound::Kind::list).end(0);
    }
    list.end(accepted ? 2 : 1);
    assign(pn_disposition_data(pn_delivery_local(delivery)), encoded);
}

}  // namespace

Connection::TransactionalState Connection::readState(pn_disposition_t* disposition) {
    TransactionalState state;
    if (pn_disposition_type(disposition) != kTransactionalState) return state;
    const Held data = read(pn_disposition_data(disposition));
    state.id = data.item.at(0).bytes;
    if (state.id.empty()) state.id.assign(1, '\0');  // never one of ours
    state.outcome = outcomeCode(data.item.at(1));
    return state;
}

/// A transfer within a transaction has arrived.
void Connection::answer(pn_delivery_t* delivery, std::string_view id) {
    if (!pn_delivery_settled(delivery)) {
        putOutcome(delivery, id, true);
        pn_delivery_update(delivery, kTransactionalState);
    }
    pn_delivery_settle(delivery);
}

void Connection::coordinate(Link& link, pn_delivery_t* delivery, std::string_view encoded) {
    Reader reader(encoded);
    while (!reader.atEnd()) {
        const auto section = reader.next();
        if (!section) return reject(delivery, section.error());
        if (!isDescribed(*section, kValueSection, "amqp:amqp-value:*")) continue;
        const Item& body = section->at(1);
        if (isDescribed(body, kDeclare, "amqp:declare:list")) return declare(link, delivery);
        if (isDescribed(body, kDischarge, "amqp:discharge:list"))
            return discharge(link, delivery, body.at(1));
    }
    reject(delivery, {ErrorCode::unsupported, "a coordinator takes declare and discharge"});
}

void Connection::declare(Link& link, pn_delivery_t* delivery) {
    if (transactions_.size() >= options_.transactionsMax) {
        return reject(delivery,
                      {ErrorCode::limitReached, "a connection may have at most " +
                                                    std::to_string(options_.transactionsMax) +
                                                    " open transactions"});
    }
    std::string id;
    const std::uint64_t number = ++lastTransaction_;
    for (int shift = 56; shift >= 0; shift -= 8) id += static_cast<char>(number >> shift);
    const auto made = transactions_.emplace(id, Transaction(options_.transaction)).first;
    made->second.coordinator = link.id;
    putOutcome(delivery, id, false);
    settle(delivery, kDeclared);
}

void Connection::discharge(Link& link, pn_delivery_t* delivery, const Item& body) {
    const auto found = transactions_.find(body.at(0).bytes);
    if (found == transactions_.end()) {
        return reject(delivery,
                      {ErrorCode::transactionUnknown, "no transaction of this id is open"});
    }
    Transaction transaction = std::move(found->second);
    transactions_.erase(found);
    if (!body.at(1).isTrue()) return commit(link, delivery, std::move(transaction));
    rollback(transaction);
    settle(delivery, PN_ACCEPTED);
}

/// Answered when it is durable. Where it fails, what was acknowledged within it comes again.
void Connection::commit(Link& link, pn_delivery_t* delivery, Transaction transaction) {
    flushSettles();
    CommitTransaction command = transaction.work.commit(session_, {});
    command.request = expect([this, link = link.id, delivery, accepts = command.accepts,
                              others = std::move(transaction.others)](Completed& done) {
        if (done.error && !accepts.empty()) {
            Settle back;
            back.session = session_;
            back.deliveries = accepts;
            back.outcome = Outcome::failed;
            host_.bus().submit(std::move(back));
        }
        for (Settle other : others) {
            other.session = session_;
            if (done.error) other.outcome = Outcome::failed;
            host_.bus().submit(std::move(other));
        }
        if (!find(link)) return;
        if (!done.error) return settle(delivery, PN_ACCEPTED);
        reject(delivery, {ErrorCode::transactionAborted, done.error->text});
    });
    host_.bus().submit(std::move(command));
}

void Connection::rollback(Transaction& transaction) {
    if (transaction.work.accepts() > 0) host_.bus().submit(transaction.work.rollback(session_, {}));
    for (Settle& other : transaction.others) {
        other.session = session_;
        other.outcome = Outcome::failed;
        host_.bus().submit(std::move(other));
    }
}

/// AMQP 1.0 section 4.3: with its coordinator an open transaction ends.
void Connection::rollbackAll(LinkId coordinator) {
    for (auto at = transactions_.begin(); at != transactions_.end();) {
        if (at->second.coordinator != coordinator) {
            ++at;
            continue;
        }
        rollback(at->second);
        at = transactions_.erase(at);
    }
}

}  // namespace busbar::amqp
