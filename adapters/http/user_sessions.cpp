#include "adapters/http/user_sessions.h"

#include <type_traits>

namespace busbar::http {
namespace {

void stamp(Command& command, SessionId session, RequestId request) {
    std::visit(
        [&](auto& c) {
            c.session = session;
            if constexpr (requires { c.request; }) c.request = request;
        },
        command);
}

RequestId requestOf(const Effect& effect) {
    return std::visit(
        [](const auto& e) {
            if constexpr (requires { e.request; })
                return e.request;
            else
                return RequestId{};
        },
        effect);
}

}  // namespace

const Error* errorOf(const Effect& effect) {
    return std::visit(
        [](const auto& e) -> const Error* {
            if constexpr (requires { e.error.has_value(); })
                return e.error ? &*e.error : nullptr;
            else if constexpr (requires { e.error.text; })
                return &e.error;
            else
                return nullptr;
        },
        effect);
}

/// One user's session on one loop. Kept alive by its own tasks while it goes away.
class UserSessions::Session final : public SessionListener {
  public:
    using Ended = std::function<void()>;

    Session(BusPort& port, std::string user, const std::string& protocol)
        : port_(port), id_(port.newSession(*this)) {
        OpenSession open{id_, RequestId(kOpening), std::move(user), {}, protocol, {}};
        port_.submit(std::move(open));
    }

    SessionId id() const { return id_; }
    void onEnd(Ended handler) { ended_ = std::move(handler); }

    void ask(Command command, Answer answer) {
        const RequestId request(++last_);
        waiting_.emplace(request, std::move(answer));
        stamp(command, id_, request);
        port_.submit(std::move(command));
    }

    void tell(Command command) {
        stamp(command, id_, RequestId{});
        port_.submit(std::move(command));
    }

    void onEffect(Effect& effect) override {
        const bool ended = std::holds_alternative<SessionEnded>(effect);
        const auto request = requestOf(effect);
        if (ended || (request.value == kOpening && errorOf(effect) != nullptr)) return end(effect);
        const auto at = waiting_.find(request);
        if (at == waiting_.end()) return;
        const auto answer = std::move(at->second);
        waiting_.erase(at);
        answer(effect);
    }
    void onEffectsEnd() override {}

    void close() {
        if (!closed_) port_.close(id_);
        closed_ = true;
    }

  private:
    static constexpr std::uint64_t kOpening = 1;

    /// Tells everyone who waits why, and lets the next request open another session.
    void end(Effect& effect) {
        auto waiting = std::move(waiting_);
        waiting_.clear();
        if (ended_) ended_();
        for (auto& [request, answer] : waiting) answer(effect);
    }

    BusPort& port_;
    const SessionId id_;
    std::uint64_t last_ = kOpening;
    bool closed_ = false;
    std::unordered_map<RequestId, Answer> waiting_;
    Ended ended_;
};

UserSessions::UserSessions(std::string protocol) : protocol_(std::move(protocol)) {}
UserSessions::~UserSessions() = default;

std::shared_ptr<UserSessions::Session> UserSessions::find(BusPort& port, std::string_view user) {
    Users* users = nullptr;
    {
        const std::lock_guard lock(mutex_);
        auto& slot = loops_[&port];
        if (!slot) slot = std::make_unique<Users>();
        users = slot.get();
    }
    const std::string name(user);
    auto& session = (*users)[name];
    if (!session) {
        session = std::make_shared<Session>(port, name, protocol_);
        session->onEnd([this, &port, name, which = session.get()] { forget(port, name, which); });
    }
    return session;
}

void UserSessions::forget(BusPort& port, const std::string& user, const Session* session) {
    Users* users = nullptr;
    {
        const std::lock_guard lock(mutex_);
        users = loops_[&port].get();
    }
    const auto at = users->find(user);
    if (at == users->end() || at->second.get() != session) return;
    // The session is inside its own onEffect: it must live until the port is done with it.
    port.executor().post([keep = std::move(at->second)] { keep->close(); });
    users->erase(at);
}

SessionId UserSessions::sessionOf(BusPort& port, std::string_view user) {
    return find(port, user)->id();
}

void UserSessions::ask(BusPort& port, std::string_view user, Command command, Answer answer) {
    find(port, user)->ask(std::move(command), std::move(answer));
}

void UserSessions::tell(BusPort& port, std::string_view user, Command command) {
    find(port, user)->tell(std::move(command));
}

void UserSessions::closeAll(BusPort& port) {
    std::unique_ptr<Users> users;
    {
        const std::lock_guard lock(mutex_);
        users = std::move(loops_[&port]);
        loops_.erase(&port);
    }
    if (!users) return;
    for (auto& [name, session] : *users) session->close();
}

}  // namespace busbar::http
