// The simulation: what the bus tells its clients.
#include "tests/bus/core/simulation.h"

#include <cppunit/TestAssert.h>

#include <algorithm>
#include <utility>

namespace busbar::test {

void Simulation::on(Completed& c) {
    CPPUNIT_ASSERT_MESSAGE("a drain answered twice", !drains_.contains(c.request));
    const auto found = asks_.find({c.session, c.request});
    if (found == asks_.end()) return;
    const auto answered = std::move(found->second);
    asks_.erase(found);
    answered(c);
}

Client* Simulation::clientOf(SessionId session) {
    for (Client& client : clients_) {
        if (client.session == session) return &client;
    }
    return nullptr;
}

void Simulation::on(Delivered& d) {
    if (draining_) return drainOne(d);
    Client* client = clientOf(d.session);
    if (!client) return;
    if (d.consumer == kWorker)
        requests_.emplace_back(d.delivery.id, d.delivery.message);
    else
        take(*client, d.delivery, d.consumer, d.consumer.value);
}

void Simulation::on(Received& r) {
    Client* client = clientOf(r.session);
    for (const Delivery& delivery : r.deliveries) {
        if (client) take(*client, delivery, ConsumerId(), (1ull << 60) + r.request.value);
        const auto selector = fetchSelectors_.find(r.request);
        const std::uint64_t number = std::stoull(delivery.message->correlationId.substr(1));
        CPPUNIT_ASSERT_MESSAGE("fetched, but not selected",
                               selector == fetchSelectors_.end() ||
                                   selects(static_cast<std::size_t>(selector->second), number));
    }
    fetchSelectors_.erase(r.request);
}

void Simulation::on(Replied& r) {
    const auto found = callAsks_.find({r.session, r.request});
    CPPUNIT_ASSERT_MESSAGE("a call answered twice", found != callAsks_.end());
    const std::string key = found->second;
    callAsks_.erase(found);
    if (r.error) return;
    ++callsAnswered_;
    const std::string text(r.reply->body.view());
    CPPUNIT_ASSERT_MESSAGE("crossed: " + text, text.ends_with("question " + key));
    const auto [first, fresh] = answers_.try_emplace(key, text);
    CPPUNIT_ASSERT_EQUAL_MESSAGE("another answer than the first", first->second, text);
}

void Simulation::on(Browsed& b) {
    for (const auto& entry : b.entries) {
        if (entry.deliverAt != WallTime{}) delayed_.push_back(entry.id);
    }
}

void Simulation::on(SessionEnded& e) {
    CPPUNIT_ASSERT_MESSAGE("a session that was to stay has ended", e.session == ending_);
    ending_ = SessionId();
}

/// What it held may be with somebody else already; what it says of it is refused.
void Simulation::on(LeaseEnded& e) {
    Client* client = clientOf(e.session);
    const auto held =
        client ? client->held.find(e.delivery) : std::map<DeliveryId, Held>::iterator();
    if (!client || held == client->held.end()) return;  // its settlement has crossed with the end
    CPPUNIT_ASSERT_MESSAGE("nobody settles by tokens here", e.lapsed);
    ++lapsed_;
    if (!held->second.tag.empty()) cameBack(held->second);
    client->held.erase(held);
    if (pick(2) == 0) return;  // stuck: it gets nothing in its place
    Settle late;
    late.session = e.session;
    late.deliveries = {e.delivery};
    late.request = ask(e.session, [](const Completed& c) {
        CPPUNIT_ASSERT_MESSAGE("a stale holder was heard",
                               c.error && c.error->code == ErrorCode::lockLost);
    });
    submit(std::move(late));
}

void Simulation::on(ConsumerChanged& c) {
    if (!c.active || c.fencingToken == 0) return;
    CPPUNIT_ASSERT_MESSAGE("a token that does not rise", c.fencingToken > lastToken_);
    lastToken_ = c.fencingToken;
}

}  // namespace busbar::test
