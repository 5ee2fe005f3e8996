// A broker with a store that is durable when the test says so, and a clock that the test moves.
#pragma once

#include "bus/core/broker.h"
#include "tests/bus/core/sim_store.h"

#include <deque>
#include <memory>
#include <optional>
#include <utility>

namespace busbar::test {

class BrokerHarness {
  public:
    explicit BrokerHarness(BrokerOptions options = {}) : options_(std::move(options)) { restart(); }

    /// A new broker over what the store kept.
    void restart() {
        store.crash(random_);
        effects.clear();
        broker = std::make_unique<Broker>(options_);
        store.content().tell(broker->recovery());
        broker->start(now, step_);
        carryOut();
        sync();
    }

    SessionId open(const std::string& user = "user", const std::string& clientId = {},
                   std::vector<std::string> roles = {"admin"}) {
        const SessionId id(nextSession_++);
        apply(OpenSession{id, {}, user, clientId, "test", "here", false, std::move(roles)});
        return id;
    }

    void apply(Command command) {
        broker->apply(std::span(&command, 1), now, step_);
        carryOut();
    }
    void setAccess(AccessChange change) {
        broker->setAccess(std::move(change), now, step_);
        carryOut();
        sync();
    }
    /// Applies, then makes it durable.
    void run(Command command) {
        apply(std::move(command));
        sync();
    }
    void sync() {
        do {
            while (!store.idle()) {
                broker->progress(store.sync(store.waiting()), now, step_);
                carryOut();
            }
            if (store.reading() > 0) {
                broker->loaded(store.answer(store.reading()), now, step_);
                carryOut();
            }
            if (const auto next = broker->nextTick(now); next && *next <= now.steady) {
                broker->tick(now, step_);
                carryOut();
            }
        } while (!store.idle() || store.reading() > 0 || busy());
    }
    bool busy() const {
        const auto next = broker->nextTick(now);
        return next && *next <= now.steady;
    }
    void wait(Milliseconds time) {
        now.wall += time;
        now.steady += time;
        broker->tick(now, step_);
        carryOut();
        sync();
    }

    /// The first waiting effect of this type, taken out; nothing where there is none.
    template <class E>
    std::optional<E> take() {
        for (auto it = effects.begin(); it != effects.end(); ++it) {
            if (auto* found = std::get_if<E>(&*it)) {
                E out = std::move(*found);
                effects.erase(it);
                return out;
            }
        }
        return std::nullopt;
    }

    static std::shared_ptr<Message> text(const Destination& to, const std::string& body,
                                         bool persistent = true) {
        auto message = std::make_shared<Message>();
        message->destination = to;
        message->persistent = persistent;
        message->bodyKind = BodyKind::text;
        message->body = Buffer::copyOf(body);
        return message;
    }
    static std::shared_ptr<Message> text(const std::string& queue, const std::string& body,
                                         bool persistent = true) {
        return text(Destination::queue(queue), body, persistent);
    }

    /// One whose body is elsewhere.
    static std::shared_ptr<Message> large(const std::string& queue, std::uint64_t id,
                                          std::uint32_t checksum) {
        auto message = text(queue, {});
        message->large = std::make_shared<const LargeBody>(LargeBody{id, 1ull << 31, checksum});
        return message;
    }

    Subscribe subscription(SessionId session, std::uint64_t consumer, Destination source,
                           std::uint32_t credit = 100) {
        Subscribe c;
        c.session = session;
        c.request = RequestId(900 + consumer);
        c.consumer = ConsumerId(consumer);
        c.source = std::move(source);
        c.credit = credit;
        return c;
    }
    void subscribe(SessionId session, std::uint64_t consumer, Destination source,
                   std::uint32_t credit = 100) {
        run(subscription(session, consumer, std::move(source), credit));
        take<Completed>();
    }
    Settle settle(SessionId session, DeliveryId id, Outcome outcome, std::uint64_t request = 0) {
        Settle c;
        c.session = session;
        c.request = RequestId(request);
        c.deliveries = {id};
        c.outcome = outcome;
        c.reason = "because";
        return c;
    }

    QueuePicture queue(const std::string& name) const {
        for (const auto& q : broker->picture(now).queues) {
            if (q.name == name) return q;
        }
        return {};
    }

    /// For tests that drive the broker themselves: where its step goes, and carrying it out.
    Step& step() { return step_; }
    void carryOut() {
        store.append(std::exchange(step_.units, {}));
        store.read(std::exchange(step_.reads, {}));
        for (auto& effect : step_.effects) effects.push_back(std::move(effect));
        step_.effects.clear();
        for (auto& notice : step_.notices) notices.push_back(std::move(notice));
        step_.notices.clear();
        if (checkAlways) broker->checkInvariants();
    }

    bool checkAlways = true;  ///< invariants after each step; a walk over everything
    Now now{WallTime(std::chrono::seconds(1'700'000'000)), SteadyTime(std::chrono::seconds(1000))};
    SimStore store;
    std::unique_ptr<Broker> broker;
    std::deque<Effect> effects;
    std::vector<Notice> notices;

  private:
    BrokerOptions options_;
    Step step_;
    std::mt19937_64 random_{1};
    std::uint64_t nextSession_ = 1;
};

}  // namespace busbar::test
