// The simulation: what is known of each message, and whether the bus kept its promises.
#include "bus/core/rows.h"
#include "tests/bus/core/simulation.h"

#include <cppunit/TestAssert.h>

#include <algorithm>
#include <utility>

namespace busbar::test {

/// What a stored message is called in the ledger: of a topic's, once for each subscription.
std::vector<std::string> Simulation::keysOf(const StoreContent::Stored& stored) const {
    const Message& m = *stored.message;
    if (m.correlationId.starts_with("k")) return {};  // of a schedule: simulation_schedules.cpp
    if (m.destination.name.ends_with("copies") || !m.persistent) return {};
    if (m.destination.isTemporary()) return {};  // was spilled, and ends with its session
    if (!m.correlationId.starts_with("t")) return {m.correlationId};
    if (const Value* of = m.properties.find("BusbarSubscription"))
        return {m.correlationId + "@" + toText(*of)};
    std::vector<std::string> keys;
    for (const auto& [queue, entry] : stored.entries) {
        const auto row = store_.content().rows.find({Table::subscriptions, rows::idKey(queue)});
        if (row == store_.content().rows.end()) continue;
        keys.push_back(
            m.correlationId + "@" +
            rows::readDefinition(Table::subscriptions, row->first.second, row->second)->name);
    }
    return keys;
}

/// What was asked for and not answered may have happened or not; transactions wholly.
void Simulation::afterCrash() {
    std::set<std::string> stored;
    for (const auto& [id, message] : store_.content().messages) {
        for (auto& key : keysOf(message)) stored.insert(std::move(key));
    }
    for (auto& [id, tx] : transactions_) {
        if (tx.state != Transaction::State::asked) continue;
        std::size_t there = 0;
        for (const auto& tag : tx.sends) there += stored.contains(tag);
        const bool losable = std::any_of(tx.sends.begin(), tx.sends.end(),
                                         [&](const auto& tag) { return sent_[tag].losable; });
        CPPUNIT_ASSERT_MESSAGE("half of a transaction's sends",
                               losable || there == 0 || there == tx.sends.size());
        if (losable) {
            for (const auto& tag : tx.accepts) sent_[tag].fate = Fate::acceptAsked;
            continue;
        }
        std::size_t gone = 0;
        for (const auto& tag : tx.accepts) gone += !stored.contains(tag);
        const bool happened = tx.sends.empty() ? gone > 0 : there > 0;
        CPPUNIT_ASSERT_MESSAGE("half of a transaction", gone == (happened ? tx.accepts.size() : 0));
        for (const auto& tag : tx.sends)
            sent_[tag].fate = happened ? Fate::confirmed : Fate::refused;
        for (const auto& tag : tx.accepts)
            sent_[tag].fate = happened ? Fate::accepted : Fate::confirmed;
    }
    transactions_.clear();
    branchesAfterCrash(stored);
    schedulesAfterCrash();
    linksAfterCrash();
    for (auto& [tag, sent] : sent_) {
        if (sent.fate == Fate::confirmed && sent.persistent && !sent.losable) {
            CPPUNIT_ASSERT_MESSAGE("confirmed and lost: " + tag, stored.contains(tag));
        }
        if (sent.fate == Fate::accepted) {
            CPPUNIT_ASSERT_MESSAGE("acknowledged and back: " + tag, !stored.contains(tag));
        }
    }
    for (auto it = sent_.begin(); it != sent_.end();) {
        Sent& sent = it->second;
        sent.ordered = false;
        const bool there = stored.contains(it->first);
        if (sent.fate == Fate::inBranch) {
            CPPUNIT_ASSERT_MESSAGE("prepared and lost: " + it->first, there);
            ++it;
            continue;
        }
        if (sent.fate == Fate::sent) sent.fate = there ? Fate::confirmed : Fate::refused;
        if (sent.fate == Fate::acceptAsked) sent.fate = there ? Fate::confirmed : Fate::accepted;
        const bool over = sent.fate == Fate::accepted || sent.fate == Fate::refused ||
                          !sent.persistent || (sent.losable && !there);
        it = over ? sent_.erase(it) : std::next(it);
    }
}

/// Everything that is left must be found, exactly once, on its queue or where it was put away;
/// and when that is taken nothing is left.
void Simulation::drain() {
    std::map<std::string, int> found;
    for (const auto& [id, stored] : store_.content().messages) {
        for (const auto& key : keysOf(stored)) ++found[key];
    }
    for (const auto& [tag, sent] : sent_) {
        if (sent.fate != Fate::confirmed || sent.losable) continue;
        CPPUNIT_ASSERT_EQUAL_MESSAGE("confirmed, not acknowledged: " + tag, 1, found[tag]);
    }
    for (const auto& [tag, times] : found)
        CPPUNIT_ASSERT_MESSAGE("doubled: " + tag, times == 1 || tag.empty());
    now_.wall += 5000h;
    draining_ = true;
    for (const Client& client : clients_) submit(CloseSession{client.session});
    clients_.clear();
    submit(OpenSession{SessionId(1ull << 50), {}, "user", "me", "sim", {}, false, {"admin"}});
    settleDown();
    drained_.clear();
    for (int round = 0; round < 3; ++round) {  // dead letters make new queues
        for (const auto& queue : broker_->picture(now_).queues) {
            Subscribe command;
            command.session = SessionId(1ull << 50);
            command.consumer = ConsumerId(++nextConsumer_);
            command.source = Destination::queue(queue.name);
            if (queue.kind == "subscription") {
                command.source = Destination::topic("t");
                command.shared = queue.name[0] == '.';
                command.durableName = queue.name.substr(queue.name.find('.') + 1);
                if (queue.name == "me.red") command.selector = kSelectors[0];
            }
            command.credit = 1'000'000;
            if (queue.kind == "subscription") subscriptionOf_[command.consumer] = queue.name;
            if (queue.consumers == 0) submit(std::move(command));
        }
        settleDown();
    }
    for (const auto& [tag, times] : found) {
        if (tag.empty()) continue;
        CPPUNIT_ASSERT_EQUAL_MESSAGE("cannot be consumed: " + tag, 1, drained_[tag]);
    }
    CPPUNIT_ASSERT_MESSAGE("the store keeps what is nowhere else",
                           store_.content().messages.empty());
    broker_->checkInvariants();
    draining_ = false;
}

void Simulation::sendAnswered(const std::string& tag, const Completed& c) {
    const auto found = sent_.find(tag);
    if (found == sent_.end()) return;  // accepted and forgotten before a repeated send was answered
    if (found->second.fate != Fate::sent) return;
    if (c.error && --found->second.answersDue > 0) return;
    found->second.fate = c.error ? Fate::refused : Fate::confirmed;
    if (!c.error) ++confirmed_;
    if (c.error) sent_.erase(found);
}

/// The consumer goes; what it held returns.
void Simulation::forget(Client& client, std::uint64_t consumer) {
    std::erase_if(client.held, [&](auto& known) {
        if (known.second.consumer != consumer) return false;
        if (!known.second.tag.empty()) cameBack(known.second);
        return true;
    });
    client.consumers.erase(consumer);
}

/// It is nobody's any more.
void Simulation::letGo(const Held& held) {
    outstanding_.erase(held.tag);
    if (held.group.empty()) return;
    GroupOf& group = groups_[held.group];
    --group.out;
}

/// It is to be delivered again, before what follows it in its group.
void Simulation::cameBack(const Held& held) {
    letGo(held);
    Sent& sent = sent_[held.tag];
    if (!held.group.empty() && sent.ordered && held.count < kDeliveriesMax)
        groups_[held.group].returned.insert(std::stoull(held.tag.substr(1)));
    sent.returned = true;
}

void Simulation::take(Client& client, const Delivery& delivery, ConsumerId consumer,
                      std::uint64_t holder) {
    const Message& message = *delivery.message;
    std::string tag = message.correlationId;
    const auto attached = client.consumers.find(consumer.value);
    if (consumer && attached == client.consumers.end()) return;  // ended meanwhile
    if (consumer) {
        Attached& of = attached->second;
        if (of.credit) {
            CPPUNIT_ASSERT_MESSAGE("more than the credit: " + tag, *of.credit > 0);
            --*of.credit;
        }
        if (message.destination.isTemporary()) takeTemporary(client, delivery, consumer.value);
        if (!of.counted) {
            client.held[delivery.id] = {{}, consumer.value, delivery.count, {}, 0};
            return;
        }
        if (tag[0] == 't' && message.destination.isTopic()) tag += "@" + of.source;
        const std::uint64_t number = std::stoull(tag.substr(1));
        CPPUNIT_ASSERT_MESSAGE(
            "not selected: " + tag,
            of.selector < 0 || selects(static_cast<std::size_t>(of.selector), number));
        CPPUNIT_ASSERT_MESSAGE("not selected: " + tag, of.source != "me.red" || selects(0, number));
        CPPUNIT_ASSERT_MESSAGE("a token of nobody",
                               of.exclusive || delivery.lease || delivery.fencingToken == 0);
    }
    if (delivery.lease) {
        CPPUNIT_ASSERT_MESSAGE("a token that does not rise", delivery.fencingToken > lastToken_);
        lastToken_ = delivery.fencingToken;
    }
    const auto known = sent_.find(tag);
    CPPUNIT_ASSERT_MESSAGE("delivered, though gone: " + tag, known != sent_.end());
    Sent& sent = known->second;
    CPPUNIT_ASSERT_MESSAGE("acknowledged and back: " + tag, sent.fate != Fate::accepted);
    CPPUNIT_ASSERT_MESSAGE("of a prepared branch: " + tag, sent.fate != Fate::inBranch);
    CPPUNIT_ASSERT_MESSAGE(
        "held twice: " + tag + " in " + message.destination.name + " group " + message.groupId,
        !outstanding_.contains(tag));
    const auto fetch = fetchSelectors_.find(RequestId(holder & ~(1ull << 60)));
    const int selector = consumer                         ? attached->second.selector
                         : fetch != fetchSelectors_.end() ? fetch->second
                                                          : -1;
    if (sent.ordered && !sent.returned && delivery.count == 1 && tag[0] == 'm')
        checkOrder(tag, message, selector, "/" + std::to_string(consumer.value));
    if (!delivery.id) {  // at most once: this was it
        sent.fate = Fate::accepted;
        return;
    }
    outstanding_.insert(tag);
    Held held{tag, consumer.value, delivery.count, {}, holder};
    if (!message.groupId.empty() && grouped(message.destination.name)) {
        held.group = message.destination.name + "/" + message.groupId;
        checkGroup(held, tag, sent);
    }
    client.held[delivery.id] = std::move(held);
}

void Simulation::takeTemporary(const Client& client, const Delivery& delivery,
                               std::uint64_t consumer) {
    const Message& message = *delivery.message;
    const auto found = temporaries_.find(message.destination.name);
    CPPUNIT_ASSERT_MESSAGE("delivered of what was deleted", found != temporaries_.end());
    Temporary& of = found->second;
    CPPUNIT_ASSERT_MESSAGE("of another session",
                           of.owner == client.session && of.consumer == consumer);
    if (delivery.count > 1) return;
    const std::uint64_t number = std::stoull(message.correlationId.substr(1));
    CPPUNIT_ASSERT_MESSAGE("out of order, or twice", number > of.last);
    of.last = number;
}

void Simulation::checkOrder(const std::string& tag, const Message& message, int selector,
                            const std::string& consumer) {
    const std::uint64_t number = std::stoull(tag.substr(1));
    const std::string lane = message.destination.name + (message.persistent ? "/p" : "/t") +
                             message.groupId + "/" + std::to_string(selector) +
                             (message.destination.name == "once" ? consumer : "");
    // Groups and selectors let others pass; among their own they keep the order.
    if (grouped(message.destination.name) && message.groupId.empty()) return;
    CPPUNIT_ASSERT_MESSAGE(
        "out of order: " + tag + " in " + lane + " after " + std::to_string(lastOrdered_[lane]),
        number > lastOrdered_[lane]);
    lastOrdered_[lane] = number;
}

void Simulation::checkGroup(const Held& held, const std::string& tag, const Sent& sent) {
    GroupOf& group = groups_[held.group];
    CPPUNIT_ASSERT_MESSAGE("two hold group " + held.group,
                           group.out == 0 || group.holder == held.holder);
    group.holder = held.holder;
    ++group.out;
    const std::uint64_t number = std::stoull(tag.substr(1));
    group.returned.erase(number);
    if (!sent.ordered) return;
    CPPUNIT_ASSERT_MESSAGE(
        "before " + std::to_string(group.returned.empty() ? 0 : *group.returned.begin()) +
            " that was returned: " + tag + " in " + held.group,
        group.returned.empty() || *group.returned.begin() > number);
}

void Simulation::drainOne(const Delivered& d) {
    std::string tag = d.delivery.message->correlationId;
    if (tag.starts_with("t")) {
        const Value* of = d.delivery.message->properties.find("BusbarSubscription");
        const auto queue = subscriptionOf_.find(d.consumer);
        tag += "@" + (of ? toText(*of) : queue == subscriptionOf_.end() ? "" : queue->second);
    }
    if (!d.delivery.message->destination.name.ends_with("copies")) ++drained_[tag];
    Settle taken;
    taken.session = d.session;
    taken.deliveries = {d.delivery.id};
    submit(std::move(taken));
}

}  // namespace busbar::test
