// A bus and a stream without either: what an engine submits is kept, what the test says comes back.
#pragma once

#include "adapters/transport/engine.h"
#include "bus/security/authenticator.h"

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace busbar::test {

/// Time that moves when told.
class ManualClock final : public Clock {
  public:
    Now now() const override { return now_; }
    void advance(Milliseconds by) {
        now_.wall += by;
        now_.steady += by;
    }

  private:
    Now now_{WallTime(Milliseconds(1'700'000'000'000)), SteadyTime(std::chrono::hours(1))};
};

/// Runs what was posted when run() is called.
class ManualExecutor final : public Executor {
  public:
    void post(Task task) override { tasks_.push_back(std::move(task)); }
    void postAfter(Milliseconds, Task task) override { tasks_.push_back(std::move(task)); }
    bool here() const override { return true; }
    void run() {
        while (!tasks_.empty()) {
            Task task = std::move(tasks_.front());
            tasks_.pop_front();
            task();
        }
    }

  private:
    std::deque<Task> tasks_;
};

/// Large bodies in memory; work for the workers is run by the loop.
class FakeBodies final : public BodyStore {
  public:
    explicit FakeBodies(ManualExecutor& loop) : loop_(loop) {}

    Result<std::unique_ptr<BodyWriter>> begin() override {
        if (failure) return *failure;
        return std::unique_ptr<BodyWriter>(std::make_unique<Writer>(*this, ++last_));
    }
    Result<std::unique_ptr<BodyReader>> open(const LargeBodyPtr& body) override {
        if (failure) return *failure;
        return std::unique_ptr<BodyReader>(std::make_unique<Reader>(contents[body->id]));
    }
    LargeBodyPtr pin(const LargeBody& body) override {
        return std::make_shared<const LargeBody>(body);
    }
    bool run(std::function<void()> task) override {
        loop_.post(std::move(task));
        return true;
    }

    /// A finished body.
    LargeBodyPtr add(std::string content) {
        LargeBody body{++last_, content.size(), 0};
        contents[body.id] = std::move(content);
        return pin(body);
    }

    std::map<std::uint64_t, std::string> contents;  ///< by id; also of those being written
    std::optional<Error> failure;                   ///< what every call answers

  private:
    class Writer final : public BodyWriter {
      public:
        Writer(FakeBodies& store, std::uint64_t id) : store_(store), id_(id) {
            store_.contents[id_];
        }
        ~Writer() override { abandon(); }
        Result<void> append(std::string_view bytes) override {
            if (store_.failure) return *store_.failure;
            store_.contents[id_] += bytes;
            return {};
        }
        Result<LargeBodyPtr> finish() override {
            if (store_.failure) return *store_.failure;
            finished_ = true;
            return store_.pin({id_, size(), 0});
        }
        void abandon() override {
            if (!std::exchange(finished_, true)) store_.contents.erase(id_);
        }
        std::uint64_t size() const override { return store_.contents[id_].size(); }

      private:
        FakeBodies& store_;
        const std::uint64_t id_;
        bool finished_ = false;
    };
    class Reader final : public BodyReader {
      public:
        explicit Reader(std::string content) : content_(std::move(content)) {}
        Result<std::size_t> read(std::uint64_t offset, std::span<char> into) const override {
            return content_.copy(into.data(), into.size(), offset);
        }

      private:
        const std::string content_;
    };

    ManualExecutor& loop_;
    std::uint64_t last_ = 0;
};

/// Keeps commands; one session.
class FakeBus final : public BusPort {
  public:
    SessionId newSession(SessionListener& given) override {
        listener = &given;
        return session = SessionId(session.value + 1);
    }
    void submit(Command command) override { commands.push_back(std::move(command)); }
    void close(SessionId id) override {
        if (id == session) listener = nullptr;
        closed.push_back(id);
    }
    BodyStore* bodies() override { return largeBodies; }
    Executor& executor() override { return loop; }
    const Clock& clock() const override { return time; }

    /// Tells the session one effect, as a turn of its own.
    template <class E>
    void tell(E effect) {
        if (!listener) return;
        effect.session = session;
        Effect any = std::move(effect);
        listener->onEffect(any);
        if (listener) listener->onEffectsEnd();
    }
    /// The oldest kept command of that type, taken out; the test fails by exception where there is
    /// none.
    template <class C>
    C take() {
        for (auto at = commands.begin(); at != commands.end(); ++at) {
            if (auto* found = std::get_if<C>(&*at)) {
                C command = std::move(*found);
                commands.erase(at);
                return command;
            }
        }
        throw std::runtime_error("no such command was submitted");
    }
    template <class C>
    std::size_t count() const {
        std::size_t n = 0;
        for (const auto& command : commands) n += std::holds_alternative<C>(command);
        return n;
    }
    void complete(RequestId request) {
        Completed effect;
        effect.request = request;
        tell(std::move(effect));
    }
    /// Says yes to a command that has no richer answer, where it wants one.
    void agree(Command& command) {
        std::visit(
            [this](auto& any) {
                if constexpr (requires { any.request; }) {
                    if (any.request) complete(any.request);
                }
            },
            command);
    }
    void refuse(RequestId request, ErrorCode code, std::string text) {
        Completed effect;
        effect.request = request;
        effect.error = Error{code, std::move(text)};
        tell(std::move(effect));
    }

    std::deque<Command> commands;
    std::vector<SessionId> closed;
    SessionListener* listener = nullptr;
    SessionId session;
    ManualExecutor loop;
    ManualClock time;
    BodyStore* largeBodies = nullptr;
};

/// Keeps output; the peer takes all of it at each flush unless `stuck`.
class FakeHost final : public EngineHost {
  public:
    explicit FakeHost(FakeBus& bus) : bus_(bus) {}

    std::string& output() override { return out_; }
    void outputShared(const Buffer& bytes) override { out_ += bytes.view(); }
    void flush() override {
        if (stuck) return;
        taken += out_;
        out_.clear();
    }
    std::size_t outputPending() const override { return out_.size(); }
    std::size_t outputHighMark() const override { return highMark; }
    void close(std::string_view why) override {
        flush();
        closed = true;
        closeReason = why;
    }
    void wakeAt(SteadyTime when) override { wake = when; }
    Now now() const override { return bus_.clock().now(); }
    BusPort& bus() override { return bus_; }
    const std::string& remote() const override { return remote_; }
    bool secure() const override { return false; }
    void holdInput(SteadyTime until) override {
        if (until != SteadyTime{}) heldUntil = until;
    }
    bool inputHeld() const override { return heldUntil > now().steady; }
    const PeerCertificate* peerCertificate() const override {
        return certificate ? &*certificate : nullptr;
    }
    void postToEngine(std::function<void()> task) override { bus_.loop.post(std::move(task)); }

    /// What the peer got since the last call.
    std::string read() {
        flush();
        return std::exchange(taken, {});
    }

    std::optional<PeerCertificate> certificate;
    SteadyTime heldUntil{};
    std::string taken;
    std::size_t highMark = 1u << 20;
    bool stuck = false;
    bool closed = false;
    std::string closeReason;
    SteadyTime wake{};

  private:
    FakeBus& bus_;
    std::string out_;
    std::string remote_ = "127.0.0.1:50000";
};

/// Knows one user, "alice" with password "secret"; answers at once on the caller's thread.
class FakeAuthenticator final : public Authenticator {
  public:
    void authenticate(std::string user, std::string password, Answer answer) override {
        ++checks;
        if (yesToAll || (user == "alice" && password == "secret"))
            return answer(Identity{user, {"admin"}});
        if (user == "bob" && password == "secret") return answer(Identity{user, {}});
        answer(Error{ErrorCode::unauthenticated, "wrong user or password"});
    }
    /// The common name, where it is one of the two.
    Result<Identity> identify(const PeerCertificate& certificate) override {
        if (certificate.commonName == "alice") return Identity{"alice", {"admin"}};
        if (certificate.commonName == "bob") return Identity{"bob", {}};
        return Error{ErrorCode::unauthenticated, "the certificate stands for nobody"};
    }
    Result<UserSeat> admit(const std::string& user) override {
        return accounts ? accounts->admit(user) : UserSeat();
    }
    bool offersScram() const override { return scram; }
    ScramLogin scramLogin(const std::string& user) override {
        if (user != "alice") return {decoyScramKeys(user, "fake"), {}};
        return {deriveScramKeys("secret", "0123456789abcdef", 4096), {"alice", {"admin"}}};
    }
    int checks = 0;
    bool scram = false;
    std::optional<UserAccounts> accounts;  ///< none: no limits
    bool yesToAll = false;
};

}  // namespace busbar::test
