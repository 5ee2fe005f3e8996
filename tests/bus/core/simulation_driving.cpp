// The simulation: time, the disk, crashes, and the bus between them.
#include "tests/bus/core/simulation.h"

#include <cppunit/TestAssert.h>

#include <algorithm>
#include <utility>

namespace busbar::test {

void Simulation::run() {
    for (std::uint64_t step = 0; step < steps_; ++step) {
        act();
        if (random_() % 4 == 0) flush();
        if (random_() % 2000 == 0) broker_->checkInvariants();
        if (random_() % 20'000 == 0) crash();
    }
    store_.setFull(false);
    finishAll();
    crash();
    decideAll();
    finishAll();
    store_.clearCorrupt();
    cancelAllSchedules();
    endLinks();
    crash();
    drain();
    CPPUNIT_ASSERT(confirmed_ > steps_ / 100 && accepted_ > steps_ / 200 &&
                   callsAnswered_ > steps_ / 1000 && branchesCommitted_ > steps_ / 1000 &&
                   copiesSent_ > 3 && linksResumed_ > steps_ / 1000);
}

std::string Simulation::summary() const {
    std::string out;
    for (const std::uint64_t count :
         {made_, confirmed_, accepted_, crashes_, calls_, callsAnswered_, answersMade_,
          nextRequest_, nextConsumer_, branchesCommitted_, copiesSent_, linksResumed_, lapsed_})
        out += " " + std::to_string(count);
    return out;
}

void Simulation::flush() {
    now_.wall += Milliseconds(pick(20));
    now_.steady += std::chrono::microseconds(pick(20'000));
    broker_->apply(batch_, now_, step_);
    batch_.clear();
    carryOut();
    if (pick(3) != 0) {
        const StoreProgress progress =
            store_.sync(pick(4) == 0 ? pick(store_.waiting() + 1) : store_.waiting());
        if (progress.done) broker_->progress(progress, now_, step_);
        carryOut();
    }
    if (store_.reading() > 0 && pick(3) != 0) {
        if (pick(2) == 0) store_.shuffleReads(random_);
        broker_->loaded(store_.answer(1 + pick(store_.reading())), now_, step_);
        carryOut();
    }
    if (const auto next = broker_->nextTick(now_); next && *next <= now_.steady) {
        broker_->tick(now_, step_);
        carryOut();
    }
}

void Simulation::carryOut() {
    store_.append(std::exchange(step_.units, {}));
    store_.read(std::exchange(step_.reads, {}));
    step_.notices.clear();
    for (Effect& effect : step_.effects) {
        std::visit([this](auto& e) { on(e); }, effect);
    }
    step_.effects.clear();
}

void Simulation::restart() {
    BrokerOptions options;
    options.instance = "sim";
    options.queueDefaults.deliveriesMax = kDeliveriesMax;
    options.unconfirmedMax = pick(3) == 0 ? 10'000 : 1 << 20;
    options.groupsMax = 3;
    options.dedupWindow = 10000h;
    // Little enough memory that messages leave it and come back all the time.
    options.memoryMax = pick(2) == 0 ? 20'000 : 1 << 20;
    options.readAheadBytes = 2'000;
    broker_ = std::make_unique<Broker>(options);
    store_.content().tell(broker_->recovery());
    broker_->start(now_, step_);
    carryOut();
    clients_.clear();
    asks_.clear();
    callAsks_.clear();
    lastOrdered_.clear();
    outstanding_.clear();
    groups_.clear();
    lastToken_ = 0;
    delayed_.clear();
    temporaries_.clear();
    fetchSelectors_.clear();
    requests_.clear();
    for (int i = 0; i < kSessions; ++i) openClient();
    checkRecoveredBranches();
    submit(DefineService{clients_[0].session, {}, "svc"});
    subscribeWorker();
    define("drop", WhenFull::dropOldest, 10);
    define("block", WhenFull::block, 10);
    define("reject", WhenFull::reject, 10);
    define("spill", WhenFull::spill, 10);
    define("ticks.full", WhenFull::reject, 5);
    // The subscriptions are there before anything is sent to the topic.
    for (const auto& name : kSubscriptions) attachSubscription(clients_[1], name);
    const bool full = store_.full();
    store_.setFull(false);
    flush();
    settleDown();
    store_.setFull(full);
}

void Simulation::define(const std::string& queue, WhenFull whenFull, std::uint64_t max) {
    QueueOptions options;
    options.deliveriesMax = kDeliveriesMax;
    options.messagesMax = max;
    options.whenFull = whenFull;
    submit(DefineQueue{clients_[0].session, {}, queue, options});
}

void Simulation::attachSubscription(Client& client, const std::string& name) {
    Subscribe command;
    command.session = client.session;
    command.consumer = ConsumerId(++nextConsumer_);
    command.source = Destination::topic("t");
    command.shared = name[0] == '.';
    command.durableName = name.substr(name.find('.') + 1);
    if (name == "me.red") command.selector = kSelectors[0];
    command.credit = static_cast<std::uint32_t>(1 + pick(10));
    client.consumers[command.consumer.value] = {name, -1, false, true};
    submit(std::move(command));
}

/// Lets the disk and the clock catch up.
void Simulation::settleDown() {
    for (int i = 0; i < 100'000; ++i) {
        broker_->apply(batch_, now_, step_);
        batch_.clear();
        carryOut();
        const auto next = broker_->nextTick(now_);
        const bool due = next && *next <= now_.steady;
        if (store_.idle() && store_.reading() == 0 && !due && batch_.empty()) return;
        now_.steady += 1ms;  // a fetch of one group reads until its wait is over
        if (const StoreProgress p = store_.sync(store_.waiting()); p.done)
            broker_->progress(p, now_, step_);
        carryOut();
        broker_->loaded(store_.answer(store_.reading()), now_, step_);
        carryOut();
        broker_->tick(now_, step_);
        carryOut();
    }
    CPPUNIT_FAIL("the bus does not come to rest: " + std::to_string(store_.waiting()) + " units, " +
                 std::to_string(store_.reading()) + " reads, " + std::to_string(batch_.size()) +
                 " commands");
}

/// Every command is answered in the end.
void Simulation::finishAll() {
    settleDown();
    for (int i = 0; i < 1000 && !asks_.empty(); ++i) {
        for (Client& client : clients_) giveBackAll(client);
        submit(Purge{clients_[0].session, {}, "block"});
        now_.steady += 1s;
        settleDown();
    }
    std::string state;
    for (const auto& queue : broker_->picture(now_).queues) {
        if (queue.blockedSends > 0)
            state += " " + queue.name + " blocks " + std::to_string(queue.blockedSends) +
                     " with depth " + std::to_string(queue.depth) + ", held " +
                     std::to_string(queue.held);
    }
    CPPUNIT_ASSERT_MESSAGE("a command was never answered:" + state, asks_.empty());
    broker_->checkInvariants();
}

void Simulation::giveBackAll(Client& client) {
    while (!client.consumers.empty()) {
        const std::uint64_t consumer = client.consumers.begin()->first;
        forget(client, consumer);
        submit(Unsubscribe{client.session, {}, ConsumerId(consumer)});
    }
    for (const auto& [id, held] : std::exchange(client.held, {})) {
        cameBack(held);
        Settle command;
        command.session = client.session;
        command.deliveries = {id};
        command.outcome = Outcome::released;
        submit(std::move(command));
    }
}

void Simulation::openClient() {
    Client client;
    client.session = SessionId(nextSession_++);
    submit(OpenSession{
        client.session, {}, "user", clients_.size() == 1 ? "me" : "", "sim", {}, false, {"admin"}});
    clients_.push_back(std::move(client));
}

void Simulation::subscribeWorker() {
    Subscribe subscribe;
    subscribe.session = clients_[0].session;
    subscribe.consumer = kWorker;
    subscribe.source = Destination::queue("svc.request");
    subscribe.credit = 3;
    submit(std::move(subscribe));
}

void Simulation::crash() {
    ++crashes_;
    batch_.clear();
    store_.crash(random_);
    afterCrash();
    restart();
}

}  // namespace busbar::test
