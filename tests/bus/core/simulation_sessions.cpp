// The simulation: sessions that end or come back, what is theirs, credit.
#include "tests/bus/core/simulation.h"

#include <cppunit/TestAssert.h>

#include <algorithm>
#include <utility>

namespace busbar::test {

/// Ends the client's session, as it says or because it came back; a new one takes its place.
void Simulation::replace(Client& client, bool takesOver) {
    flush();
    for (auto& [id, what] : client.held) {
        if (!what.tag.empty()) cameBack(what);
    }
    const SessionId old = client.session;
    std::erase_if(asks_, [&](const auto& asked) { return asked.first.first == old; });
    std::erase_if(temporaries_, [&](const auto& known) { return known.second.owner == old; });
    answersOfBranchesAreLost(old);
    if (!takesOver) submit(CloseSession{old});
    const bool me = &client == &clients_[1];
    Client fresh;
    fresh.session = SessionId(nextSession_++);
    client = fresh;
    submit(
        OpenSession{client.session, {}, "user", me ? "me" : "", "sim", {}, takesOver, {"admin"}});
}

void Simulation::close(Client& client) {
    replace(client, false);
    requests_.clear();
    if (&client == &clients_[0]) subscribeWorker();
    flush();
    crash();  // the answers to the closed session's commands are lost with it: only the disk knows
}

/// The client connects again before its lost connection was noticed.
void Simulation::takeOver() {
    Client& client = clients_[1];
    const bool inPeace = pick(2) == 0;
    if (inPeace) {
        const bool full = store_.full();
        store_.setFull(false);
        settleDown();
        store_.setFull(full);
    }
    flush();
    ending_ = client.session;
    // What is still on its way after all that waits for a full queue: it ends with its session.
    const auto waiting = inPeace ? preparingOf(client.session) : std::vector<std::uint64_t>{};
    replace(client, true);
    for (const std::uint64_t number : waiting) endBranch(number, false);
    for (const char* name : {"me.all", "me.red"}) attachSubscription(client, name);
    flush();
    CPPUNIT_ASSERT_MESSAGE("the lost connection is not ended", !ending_);
    if (!inPeace) crash();  // only the disk knows what became of its commands
}

// ---- credit ----

/// Where settling gives none back, what a consumer may get is known exactly.
void Simulation::credit(Client& client) {
    for (auto& [consumer, attached] : client.consumers) {
        if (!attached.credit || pick(2) == 0) continue;
        if (pick(3) == 0) return drainCredit(client, consumer, static_cast<std::uint32_t>(pick(6)));
        const auto change = static_cast<std::int32_t>(pick(12)) - 3;
        const std::uint64_t id = consumer;
        flush();  // what is taken back depends on what was given before
        const auto at = client.consumers.find(id);
        if (at == client.consumers.end()) return;
        std::uint64_t& left = *at->second.credit;
        const auto less = static_cast<std::uint64_t>(change < 0 ? -change : 0);
        left = change < 0 ? left - std::min(left, less) : left + static_cast<std::uint64_t>(change);
        submit(AddCredit{client.session, ConsumerId(id), change});
        return;
    }
}

/// Asked before the last one was answered it ends that one: so each goes alone.
void Simulation::drainCredit(Client& client, std::uint64_t consumer, std::uint32_t more) {
    flush();
    if (!client.consumers.contains(consumer)) return;
    AddCredit command{client.session, ConsumerId(consumer), static_cast<std::int32_t>(more)};
    *client.consumers.at(consumer).credit += more;
    command.drain = true;
    const RequestId request(nextRequest_ + 1);
    command.request =
        ask(client.session, [this, consumer, session = client.session, request](const auto& c) {
            drains_.insert(request);
            Client* of = clientOf(session);
            const auto at = of ? of->consumers.find(consumer) : decltype(of->consumers.end()){};
            if (!of || at == of->consumers.end()) return;  // it has gone
            CPPUNIT_ASSERT_EQUAL_MESSAGE("what lapsed", *at->second.credit, c.count);
            at->second.credit = 0;
        });
    submit(std::move(command));
    flush();
}

// ---- temporary destinations ----

void Simulation::temporary(Client& client) {
    if (temporaries_.empty() || pick(10) == 0) return makeTemporary(client);
    auto at = temporaries_.begin();
    std::advance(at, static_cast<long>(pick(temporaries_.size())));
    if (!at->second.made) return;
    if (pick(10) == 0) return deleteTemporary(at->first);
    if (!at->second.consumer && pick(4) == 0) return consumeTemporary(client, at->second);
    sendToTemporary(client, at->second);
}

void Simulation::makeTemporary(Client& client) {
    const bool topic = pick(2) == 0;
    const std::string name = "temp" + std::to_string(++made_);
    Temporary& made = temporaries_[name];
    made.owner = client.session;
    made.destination = {topic ? DestinationKind::temporaryTopic : DestinationKind::temporaryQueue,
                        name};
    const auto request = ask(client.session, [this, name](const Completed& c) {
        CPPUNIT_ASSERT(!c.error);
        temporaries_.at(name).made = true;
    });
    submit(MakeTemporary{client.session, request, made.destination});
}

void Simulation::sendToTemporary(Client& client, const Temporary& to) {
    auto message = std::make_shared<Message>();
    message->destination = to.destination;
    message->correlationId = "e" + std::to_string(++made_);
    message->persistent = pick(2) == 0;
    const auto request = ask(client.session, [](const Completed&) {});
    submit(Send{client.session, request, std::move(message)});
}

/// Only the session that made it may consume from it.
void Simulation::consumeTemporary(Client& client, Temporary& from) {
    const bool own = client.session == from.owner;
    Subscribe command;
    command.session = client.session;
    command.consumer = ConsumerId(++nextConsumer_);
    command.source = from.destination;
    command.credit = static_cast<std::uint32_t>(1 + pick(5));
    command.request = ask(client.session, [own](const Completed& c) {
        CPPUNIT_ASSERT_MESSAGE("only its own session may consume", own == !c.error);
    });
    if (own) {
        from.consumer = command.consumer.value;
        client.consumers[command.consumer.value] = {from.destination.name, -1, false, false, {}};
    }
    submit(std::move(command));
}

void Simulation::deleteTemporary(const std::string& name) {
    flush();
    const auto at = temporaries_.find(name);
    if (at == temporaries_.end()) return;
    const Temporary known = at->second;
    Client& owner = *clientOf(known.owner);
    const bool busy = owner.consumers.contains(known.consumer);
    const auto request = ask(owner.session, [busy](const Completed& c) {
        CPPUNIT_ASSERT_MESSAGE("deleted while somebody consumes it",
                               busy == (c.error && c.error->code == ErrorCode::inUse));
    });
    submit(DeleteTemporary{owner.session, request, known.destination});
    if (!busy) temporaries_.erase(at);
    flush();
    if (busy && pick(2) == 0) {
        forget(owner, known.consumer);
        submit(Unsubscribe{owner.session, {}, ConsumerId(known.consumer)});
        temporaries_.at(name).consumer = 0;
    }
}

// ---- producers that number what they send ----

/// Its numbers may begin again then, and are taken.
void Simulation::forgetProducer(Client& client) {
    flush();
    const bool waits = std::any_of(asks_.begin(), asks_.end(), [&](const auto& asked) {
        return asked.first.first == client.session;
    });
    if (waits) return;
    submit(ForgetProducer{client.session, "p" + std::to_string(client.session.value)});
    client.sequence = 0;
}

}  // namespace busbar::test
