// The simulation: what clients and operators do at random.
#include "tests/bus/core/simulation.h"

#include <cppunit/TestAssert.h>

#include <algorithm>
#include <utility>

namespace busbar::test {

std::string Simulation::queueName() {
    return pick(4) == 0 ? kSpecial[pick(kSpecial.size())] : "q" + std::to_string(pick(kQueues));
}

void Simulation::act() {
    Client& client = clients_[pick(clients_.size())];
    switch (pick(40)) {
        case 0:
        case 1:
        case 2:
        case 3:
        case 4:
        case 5:
            return send(client);
        case 6:
        case 7:
            return subscribe(client);
        case 8:
        case 9:
        case 10:
        case 11:
            return settle(client);
        case 12:
        case 13:
        case 14:
            return transact(client);
        case 15:
            return receive(client);
        case 16:
            return call(client);
        case 17:
            return answer();
        case 18:
            if (pick(20) == 0) store_.setFull(pick(3) == 0);
            return;
        case 19:
            if (pick(50) == 0) now_.wall += 10s;
            return;
        case 20:
            if (pick(30) == 0) close(client);
            return;
        case 21:
            if (pick(10) == 0) move(client);
            return;
        case 22:
            if (!client.consumers.empty() && pick(5) == 0) unsubscribe(client);
            return;
        case 23:
            return publish(client);
        case 24:
            if (pick(8) == 0) purge(client);
            return;
        case 25:
            if (pick(8) == 0) copy(client);
            return;
        case 26:
            if (pick(8) == 0) reschedule(client);
            return;
        case 27:
            if (pick(20) == 0) pauseGroup(client);
            return;
        case 28:
            if (pick(200) == 0) corrupt();
            return;
        case 29:
            return credit(client);
        case 30:
        case 31:
            return temporary(client);
        case 32:
            if (pick(30) == 0) takeOver();
            return;
        case 33:
            if (pick(10) == 0) forgetProducer(client);
            return;
        case 34:
            if (knownBranches_.size() < 20) prepareBranch(client);
            return;
        case 35:
        case 36:
            return decideBranch(client);
        case 37:
            return scheduling(client);
        case 38:
        case 39:
            return linking();
        default:
            return flush();
    }
}

void Simulation::publish(Client& client) {
    auto message = std::make_shared<Message>();
    const std::uint64_t number = ++made_;
    const std::string tag = "t" + std::to_string(number);
    message->correlationId = tag;
    message->destination = Destination::topic("t");
    message->persistent = pick(4) != 0;
    message->properties.set("color", std::string(colorOf(number)));
    for (const auto& name : kSubscriptions) {
        if (name == "me.red" && !selects(0, number)) continue;
        Sent& sent = sent_[tag + "@" + name];
        sent.persistent = message->persistent;
    }
    const RequestId request = ask(client.session, [this, tag](const Completed& c) {
        for (const auto& name : kSubscriptions) sendAnswered(tag + "@" + name, c);
    });
    submit(Send{client.session, request, std::move(message)});
}

void Simulation::purge(Client& client) {
    Purge command{client.session, {}, "q4"};
    if (pick(2) == 0) command.selection.selector = kSelectors[pick(kSelectors.size())];
    if (pick(2) == 0) command.selection.max = static_cast<std::uint32_t>(1 + pick(20));
    command.perSecondMax = pick(3) == 0 ? 20 : 0;
    command.request = ask(client.session, [](const Completed&) {});
    submit(std::move(command));
}

void Simulation::copy(Client& client) {
    MoveMessages command;
    command.session = client.session;
    command.request = ask(client.session, [](const Completed&) {});
    command.queue = queueName();
    command.target = "copies";
    command.copy = true;
    command.selection.max = 3;
    command.perSecondMax = pick(2) == 0 ? 0 : 5;
    submit(std::move(command));
    if (pick(4) == 0) submit(Purge{client.session, {}, "copies"});
}

void Simulation::reschedule(Client& client) {
    if (delayed_.empty()) {
        Browse browse{client.session, RequestId(++nextRequest_), "q0", {}, 5};
        if (pick(2) == 0) browse.selector = kSelectors[pick(kSelectors.size())];
        browse.delayedOnly = true;
        return submit(std::move(browse));
    }
    submit(Reschedule{client.session, ask(client.session, [](const Completed&) {}), "q0",
                      delayed_.back(), now_.wall + Milliseconds(pick(1000))});
    delayed_.pop_back();
}

void Simulation::pauseGroup(Client& client) {
    const std::string queue = pick(2) == 0 ? "q2" : "q3";
    const std::string group = "g" + std::to_string(pick(6));
    submit(PauseGroup{client.session, {}, queue, group, true});
    if (pick(3) == 0) flush();
    submit(PauseGroup{client.session, {}, queue, group, false});
}

/// A message that the disk cannot give back: nobody gets it while that is so.
void Simulation::corrupt() {
    for (const auto& [id, stored] : store_.content().messages) {
        if (pick(50) != 0 || !stored.message->groupId.empty()) continue;
        store_.setCorrupt(id);
        return;
    }
}

std::shared_ptr<Message> Simulation::newMessage(std::string& tag) {
    auto message = std::make_shared<Message>();
    tag = "m" + std::to_string(++made_);
    message->correlationId = tag;
    message->destination = Destination::queue(queueName());
    message->persistent = pick(4) != 0;
    if (pick(8) == 0) message->priority = static_cast<unsigned char>(pick(10));
    if (pick(12) == 0) message->deliverAt = now_.wall + Milliseconds(pick(500));
    if (pick(12) == 0) message->expiration = now_.wall + Milliseconds(pick(3000));
    message->body = Buffer::of("body of " + tag);
    const std::string& queue = message->destination.name;
    message->properties.set("color", std::string(colorOf(made_)));
    message->properties.set("weight", static_cast<std::int32_t>(made_ % 11));
    if (grouped(queue) && pick(3) != 0) {
        message->groupId = "g" + std::to_string(pick(6));
        message->groupSequence = pick(6) == 0 ? -1 : 0;
    }
    Sent& sent = sent_[tag];
    sent.persistent = message->persistent;
    sent.losable = losable(queue);
    sent.grouped = !message->groupId.empty();
    sent.ordered = message->priority == 4 && message->deliverAt == WallTime{} &&
                   message->expiration == WallTime{};
    return message;
}

RequestId Simulation::ask(SessionId session, std::function<void(const Completed&)> answered) {
    const RequestId request(++nextRequest_);
    asks_[{session, request}] = std::move(answered);
    return request;
}

void Simulation::send(Client& client) {
    std::string tag;
    auto message = newMessage(tag);
    const bool numbered = pick(10) == 0;
    const bool twice = numbered || pick(10) == 0;
    if (numbered) ++client.sequence;
    if (twice) {
        if (!numbered) message->dedupId = tag;
        sent_[tag].ordered =
            message->persistent && sent_[tag].ordered;  // a transient one waits for its dedup row
    }
    sent_[tag].answersDue = twice ? 2 : 1;
    for (int i = 0; i < (twice ? 2 : 1); ++i) {
        auto copy = std::make_shared<Message>(*message);
        const RequestId request =
            ask(client.session, [this, tag](const Completed& c) { sendAnswered(tag, c); });
        Send command{client.session, request, std::move(copy)};
        if (numbered) {
            command.producer = "p" + std::to_string(client.session.value);
            command.sequence = client.sequence;
        }
        submit(std::move(command));
    }
}

void Simulation::subscribe(Client& client) {
    if (client.consumers.size() > 3) return;
    if (pick(8) == 0) return attachSubscription(client, ".team");
    if (pick(20) == 0) return subscribeToTopic(client);
    Subscribe command;
    command.session = client.session;
    command.consumer = ConsumerId(++nextConsumer_);
    const std::string queue = queueName();
    command.source = Destination::queue(queue);
    command.credit = static_cast<std::uint32_t>(1 + pick(pick(3) == 0 ? 2 : 20));
    command.priority = static_cast<std::int32_t>(pick(3)) - 1;
    command.exclusive = pick(10) == 0;
    Attached attached{queue, -1, command.exclusive, true};
    if (!grouped(queue) && pick(2) == 0) {
        attached.selector = static_cast<int>(pick(kSelectors.size()));
        command.selector = kSelectors[static_cast<std::size_t>(attached.selector)];
    }
    if (queue == "once") {
        command.ackMode = AckMode::none;
    } else if (pick(3) == 0) {
        command.windowed = false;
        attached.credit = command.credit;
    }
    if (pick(4) == 0) command.lease = Milliseconds(5 + pick(400));
    client.consumers[command.consumer.value] = attached;
    command.request = ask(client.session, [this, consumer = command.consumer.value,
                                           session = client.session](const Completed& c) {
        Client* of = clientOf(session);
        if (c.error && of && of->consumers.contains(consumer)) forget(*of, consumer);
    });
    submit(std::move(command));
}

/// A subscription that ends with its consumer: takes and forgets.
void Simulation::subscribeToTopic(Client& client) {
    Subscribe command;
    command.session = client.session;
    command.consumer = ConsumerId(++nextConsumer_);
    command.source = Destination::topic("*");
    command.credit = 100;
    client.consumers[command.consumer.value] = {"*", -1, false, false};
    submit(std::move(command));
}

void Simulation::unsubscribe(Client& client) {
    auto at = client.consumers.begin();
    std::advance(at, static_cast<long>(pick(client.consumers.size())));
    const std::uint64_t consumer = at->first;
    flush();
    if (!client.consumers.contains(consumer)) return;  // was refused meanwhile
    const std::string source = client.consumers.at(consumer).source;
    forget(client, consumer);
    submit(Unsubscribe{client.session, {}, ConsumerId(consumer)});
    if (source.starts_with("me.")) attachSubscription(client, source);
}

void Simulation::settle(Client& client) {
    if (client.held.empty()) return;
    auto it = client.held.begin();
    std::advance(it, static_cast<long>(pick(std::min<std::size_t>(client.held.size(), 8))));
    const auto [id, what] = *it;
    const std::string tag = what.tag;
    client.held.erase(it);
    if (tag.empty()) {  // of a subscription without a ledger
        Settle taken;
        taken.session = client.session;
        taken.deliveries = {id};
        return submit(std::move(taken));
    }
    Settle command;
    command.session = client.session;
    command.deliveries = {id};
    command.reason = "tried";
    const auto outcome = pick(10);
    Sent& sent = sent_[tag];
    if (outcome < 6) {
        letGo(what);
        const Fate before = sent.fate;
        sent.fate = Fate::acceptAsked;
        // A subscription keeps no record of what expired, nor any queue of what is not persistent.
        const bool expires = tag.find('@') != std::string::npos || !sent.persistent;
        if (outcome == 5 && expires) {
            command.outcome = Outcome::expired;
        } else if (pick(2) == 0) {
            command.request = ask(client.session, [this, tag, before](const Completed& c) {
                const auto found = sent_.find(tag);
                if (found == sent_.end()) return;
                if (c.error) {
                    found->second.fate = before;  // the lease had run out
                    return;
                }
                found->second.fate = Fate::accepted;
                ++accepted_;
            });
        }
    } else {
        // Of the queues a record of both is kept.
        const bool expires =
            outcome == 7 && pick(2) == 0 && sent.persistent && tag.find('@') == std::string::npos;
        if (outcome == 7)
            letGo(what);
        else
            cameBack(what);
        command.outcome = outcome == 6   ? Outcome::released
                          : expires      ? Outcome::expired
                          : outcome == 7 ? Outcome::rejected
                                         : Outcome::failed;
        if (pick(3) == 0) command.delay = Milliseconds(pick(200));
    }
    submit(std::move(command));
}

void Simulation::transact(Client& client) {
    const std::uint64_t id = ++nextTransaction_;
    Transaction tx;
    CommitTransaction command;
    command.session = client.session;
    for (std::uint64_t i = pick(3); i > 0 && !client.held.empty(); --i) {
        const auto it = client.held.begin();
        if (it->second.tag.empty() || !sent_[it->second.tag].persistent) break;
        command.accepts.push_back(it->first);
        tx.accepts.push_back(it->second.tag);
        sent_[it->second.tag].ordered = false;
        letGo(it->second);
        client.held.erase(it);
    }
    for (std::uint64_t i = pick(3); i > 0; --i) {
        std::string tag;
        auto message = newMessage(tag);
        message->persistent = sent_[tag].persistent = true;
        sent_[tag].ordered = false;
        if (message->destination.name == "block" || message->destination.name == "drop")
            message->destination.name = "q0";  // a commit that waits is not followed here
        sent_[tag].losable = losable(message->destination.name);
        tx.sends.push_back(tag);
        command.sends.push_back(std::move(message));
    }
    const auto accepts = command.accepts;
    const SessionId session = client.session;
    command.request = ask(session, [this, id, session, accepts](const Completed& c) {
        Transaction& known = transactions_[id];
        known.state = c.error ? Transaction::State::aborted : Transaction::State::committed;
        for (const auto& tag : known.sends) {
            if (c.error)
                sent_.erase(tag);
            else
                sent_[tag].fate = Fate::confirmed;
        }
        for (const auto& tag : known.accepts) {
            if (!c.error) sent_[tag].fate = Fate::accepted;
        }
        confirmed_ += c.error ? 0 : known.sends.size();
        accepted_ += c.error ? 0 : known.accepts.size();
        transactions_.erase(id);
        if (!c.error) return;
        Settle release;  // what an aborted transaction leaves held goes back
        release.session = session;
        release.deliveries = accepts;
        release.outcome = Outcome::failed;
        submit(std::move(release));
    });
    transactions_[id] = std::move(tx);
    submit(std::move(command));
}

void Simulation::receive(Client& client) {
    Receive command;
    command.session = client.session;
    command.request = RequestId(++nextRequest_);
    command.queue = queueName();
    if (command.queue == "once") command.queue = "q0";
    command.oneGroup = grouped(command.queue) && pick(2) == 0;
    if (!command.oneGroup && !grouped(command.queue) && pick(2) == 0) {
        const auto selector = pick(kSelectors.size());
        fetchSelectors_[command.request] = static_cast<int>(selector);
        command.selector = kSelectors[selector];
    }
    command.max = static_cast<std::uint32_t>(1 + pick(5));
    command.wait = Milliseconds(pick(100));
    command.lease = 1h;
    submit(std::move(command));
}

void Simulation::move(Client& client) {
    MoveMessages command;
    command.session = client.session;
    const bool back = pick(2) == 0;
    const std::string dead = pick(5) == 0 ? "t" : queueName();
    command.queue = back ? (pick(2) == 0 ? "EXPIRED." : "DLQ.") + dead : "q0";
    if (!back) command.target = "q1";
    if (pick(2) == 0) command.selection.selector = kSelectors[pick(kSelectors.size())];
    command.perSecondMax = pick(3) == 0 ? 20 : 0;
    command.request = ask(client.session, [](const Completed&) {});
    command.selection.max = 5;
    for (auto& [tag, sent] : sent_) sent.ordered = false;
    submit(std::move(command));
    flush();
}

void Simulation::call(Client& client) {
    const std::string key = pick(2) == 0 || calls_ == 0 ? "k" + std::to_string(++calls_)
                                                        : "k" + std::to_string(1 + pick(calls_));
    auto message = std::make_shared<Message>();
    message->dedupId = key;
    message->body = Buffer::of("question " + key);
    message->bodyKind = BodyKind::text;
    const RequestId request(++nextRequest_);
    callAsks_[{client.session, request}] = key;
    submit(Call{client.session, request, "svc", std::move(message), 20s});
}

void Simulation::answer() {
    if (requests_.empty()) return;
    const auto [id, message] = requests_.back();
    requests_.pop_back();
    CommitTransaction command;
    command.session = clients_[0].session;
    auto reply = std::make_shared<Message>();
    reply->destination = *message->replyTo;
    reply->correlationId = message->correlationId;
    reply->body = Buffer::of("answer " + std::to_string(++answersMade_) + " to " +
                             std::string(message->body.view()));
    command.sends.push_back(std::move(reply));
    command.accepts.push_back(id);
    submit(std::move(command));
}

}  // namespace busbar::test
