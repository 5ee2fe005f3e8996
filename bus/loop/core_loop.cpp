#include "bus/loop/core_loop.h"

#include "bus/base/check.h"
#include "bus/base/log.h"

#include <mutex>
#include <unordered_map>
#include <utility>
#include <vector>

namespace busbar {
namespace {

constexpr int kPortShift = 48;

/// One I/O loop's side. Its own members belong to that loop; the two batches are what crosses.
class Port final : public BusPort {
  public:
    using Flush = std::function<void(std::vector<Command>&)>;

    Port(std::uint64_t number, Executor& executor, const Clock& clock, BodyStore* bodies,
         Flush flush)
        : number_(number),
          executor_(executor),
          clock_(clock),
          bodies_(bodies),
          flush_(std::move(flush)) {}

    SessionId newSession(SessionListener& listener) override {
        const SessionId id(number_ << kPortShift | ++sessionsMade_);
        listeners_[id] = &listener;
        return id;
    }

    void submit(Command command) override {
        outgoing_.push_back(std::move(command));
        if (scheduled_) return;
        scheduled_ = true;
        executor_.post([this] {
            scheduled_ = false;
            flush_(outgoing_);
        });
    }

    void close(SessionId session) override {
        listeners_.erase(session);
        submit(CloseSession{session});
    }

    BodyStore* bodies() override { return bodies_; }
    Executor& executor() override { return executor_; }
    const Clock& clock() const override { return clock_; }

    /// On the port's loop: tells the listeners, then lets each of them write once.
    void deliver(std::vector<Effect>& effects) {
        told_.clear();
        for (Effect& effect : effects) {
            const SessionId session = std::visit([](const auto& e) { return e.session; }, effect);
            const auto found = listeners_.find(session);
            if (found == listeners_.end()) continue;
            if (told_.empty() || told_.back() != session) told_.push_back(session);
            found->second->onEffect(effect);
        }
        for (const SessionId session : told_) {
            // A listener may close its own or other sessions here.
            if (const auto found = listeners_.find(session); found != listeners_.end())
                found->second->onEffectsEnd();
        }
        effects.clear();
    }

    /// Core loop: adds to the batch that crosses to this port's loop, and wakes it if it was empty.
    void send(std::vector<Effect>& effects) {
        bool wake = false;
        {
            const std::lock_guard lock(mutex_);
            wake = incoming_.empty();
            incoming_.insert(incoming_.end(), std::make_move_iterator(effects.begin()),
                             std::make_move_iterator(effects.end()));
        }
        effects.clear();
        if (wake) {
            executor_.post([this] {
                std::vector<Effect> batch;
                {
                    const std::lock_guard lock(mutex_);
                    batch.swap(incoming_);
                }
                deliver(batch);
            });
        }
    }

  private:
    const std::uint64_t number_;
    Executor& executor_;
    const Clock& clock_;
    BodyStore* const bodies_;
    Flush flush_;
    std::unordered_map<SessionId, SessionListener*> listeners_;
    std::uint64_t sessionsMade_ = 0;
    std::vector<Command> outgoing_;
    bool scheduled_ = false;
    std::vector<SessionId> told_;

    std::mutex mutex_;
    std::vector<Effect> incoming_;  ///< guarded by mutex_
};

/// The broker's recovery, with somebody looking on.
class WatchedRecovery final : public RecoveryListener {
  public:
    WatchedRecovery(RecoveryListener& broker, std::function<void(double)> progress)
        : broker_(broker), progress_(std::move(progress)) {}

    void onRow(Table table, std::string_view key, std::string_view value) override {
        broker_.onRow(table, key, value);
    }
    void onMessage(const MessageSummary& message, std::span<const Entry> entries) override {
        broker_.onMessage(message, entries);
    }
    void onProgress(double share) override {
        if (progress_) progress_(share);
    }

  private:
    RecoveryListener& broker_;
    std::function<void(double)> progress_;
};

}  // namespace

class CoreLoop::Impl {
  public:
    Impl(Executor& executor, Store& store, const Clock& clock, BrokerOptions options)
        : executor_(executor), store_(store), clock_(clock), broker_(std::move(options)) {
        store_.onProgress([this](StoreProgress progress) { crossProgress(std::move(progress)); });
        store_.onRead([this](std::vector<StoredMessage> read) { crossRead(std::move(read)); });
    }

    Result<void> recover(std::function<void(double)> progress) {
        WatchedRecovery watched(broker_.recovery(), std::move(progress));
        if (auto loaded = store_.recover(watched); !loaded) return loaded;
        broker_.start(clock_.now(), step_);
        carryOut();
        return {};
    }

    BusPort& addPort(Executor& executor) {
        const std::size_t index = ports_.size();
        const bool same = &executor == &executor_;
        ports_.push_back(std::make_unique<Port>(index + 1, executor, clock_, store_.bodies(),
                                                [this, same](std::vector<Command>& batch) {
                                                    if (same)
                                                        process(batch);
                                                    else
                                                        crossCommands(batch);
                                                }));
        same_.push_back(same);
        outgoing_.emplace_back();
        return *ports_.back();
    }

    void setAccess(AccessChange change) {
        executor_.post([this, change = std::move(change)]() mutable {
            broker_.setAccess(std::move(change), clock_.now(), step_);
            carryOut();
        });
    }

    std::function<void(const Error&)> onFailure;
    Store& store() const { return store_; }

  private:
    // ---- crossing to the core's loop ----

    void crossCommands(std::vector<Command>& batch) {
        bool wake = false;
        {
            const std::lock_guard lock(mutex_);
            wake = commands_.empty();
            commands_.insert(commands_.end(), std::make_move_iterator(batch.begin()),
                             std::make_move_iterator(batch.end()));
        }
        batch.clear();
        if (wake) {
            executor_.post([this] {
                std::vector<Command> crossed;
                {
                    const std::lock_guard lock(mutex_);
                    crossed.swap(commands_);
                }
                process(crossed);
            });
        }
    }

    /// The store's thread: merges with what the core has not looked at yet.
    void crossProgress(StoreProgress progress) {
        bool wake = false;
        {
            const std::lock_guard lock(mutex_);
            wake = !progressWaits_;
            progressWaits_ = true;
            progress_.done = std::max(progress_.done, progress.done);
            for (auto& refused : progress.refused) progress_.refused.push_back(std::move(refused));
            if (progress.failed) progress_.failed = std::move(progress.failed);
        }
        if (wake) executor_.post([this] { takeProgress(); });
    }

    /// A reading thread of the store.
    void crossRead(std::vector<StoredMessage> read) {
        bool wake = false;
        {
            const std::lock_guard lock(mutex_);
            wake = read_.empty();
            read_.insert(read_.end(), std::make_move_iterator(read.begin()),
                         std::make_move_iterator(read.end()));
        }
        if (wake) executor_.post([this] { takeRead(); });
    }

    // ---- on the core's loop ----

    void takeRead() {
        std::vector<StoredMessage> read;
        {
            const std::lock_guard lock(mutex_);
            read.swap(read_);
        }
        broker_.loaded(std::move(read), clock_.now(), step_);
        carryOut();
    }

    void takeProgress() {
        StoreProgress progress;
        {
            const std::lock_guard lock(mutex_);
            progress = std::exchange(progress_, {});
            progressWaits_ = false;
        }
        broker_.progress(progress, clock_.now(), step_);
        carryOut();
        if (progress.failed && onFailure) onFailure(*progress.failed);
    }

    void process(std::vector<Command>& batch) {
        batch_.swap(batch);  // what the listeners submit meanwhile goes to a fresh batch
        broker_.apply(batch_, clock_.now(), step_);
        batch_.clear();
        carryOut();
    }

    void carryOut() {
        if (!step_.units.empty()) store_.append(std::exchange(step_.units, {}));
        if (!step_.reads.empty()) store_.read(std::exchange(step_.reads, {}));
        for (const Notice& notice : step_.notices) {
            const std::string text = notice.subject + ": " + notice.text;
            if (notice.level == Notice::Level::info)
                log::info("core", text);
            else if (notice.level == Notice::Level::warning)
                log::warning("core", text);
            else
                log::error("core", text);
        }
        step_.notices.clear();
        for (Effect& effect : step_.effects) {
            const SessionId session = std::visit([](const auto& e) { return e.session; }, effect);
            const std::uint64_t port = session.value >> kPortShift;
            if (port == 0 || port > ports_.size()) continue;
            outgoing_[port - 1].push_back(std::move(effect));
        }
        step_.effects.clear();
        for (std::size_t i = 0; i < ports_.size(); ++i) {
            if (outgoing_[i].empty()) continue;
            if (same_[i])
                ports_[i]->deliver(outgoing_[i]);
            else
                ports_[i]->send(outgoing_[i]);
        }
        setTimer();
    }

    void setTimer() {
        const Now now = clock_.now();
        const auto next = broker_.nextTick(now);
        if (!next) return;
        if (timerAt_ && *timerAt_ <= *next) return;  // an earlier look is coming
        timerAt_ = *next;
        const auto delay =
            std::max(Milliseconds(0), std::chrono::ceil<Milliseconds>(*next - now.steady));
        const std::uint64_t generation = ++timerGeneration_;
        executor_.postAfter(delay, [this, generation] {
            if (generation != timerGeneration_) return;
            timerAt_.reset();
            broker_.tick(clock_.now(), step_);
            carryOut();
        });
    }

    Executor& executor_;
    Store& store_;
    const Clock& clock_;
    Broker broker_;
    Step step_;
    std::vector<Command> batch_;
    std::vector<std::unique_ptr<Port>> ports_;
    std::vector<bool> same_;
    std::vector<std::vector<Effect>> outgoing_;
    std::optional<SteadyTime> timerAt_;
    std::uint64_t timerGeneration_ = 0;

    std::mutex mutex_;
    std::vector<Command> commands_;    ///< guarded by mutex_
    StoreProgress progress_;           ///< guarded by mutex_
    bool progressWaits_ = false;       ///< guarded by mutex_
    std::vector<StoredMessage> read_;  ///< guarded by mutex_
};

CoreLoop::CoreLoop(Executor& executor, Store& store, const Clock& clock, BrokerOptions options)
    : impl_(std::make_unique<Impl>(executor, store, clock, std::move(options))) {}
CoreLoop::~CoreLoop() = default;
Result<void> CoreLoop::recover(std::function<void(double)> progress) {
    return impl_->recover(std::move(progress));
}
BusPort& CoreLoop::addPort(Executor& executor) {
    return impl_->addPort(executor);
}
void CoreLoop::onStoreFailure(std::function<void(const Error&)> handler) {
    impl_->onFailure = std::move(handler);
}
void CoreLoop::setAccess(AccessChange change) {
    impl_->setAccess(std::move(change));
}

StoreStats CoreLoop::storeStats() const {
    return impl_->store().stats();
}

}  // namespace busbar
