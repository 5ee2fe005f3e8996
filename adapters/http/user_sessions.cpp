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

std::vector<std::string> Caller::roleList() const {
    std::vector<std::string> out;
    for (std::string_view rest = roles; !rest.empty();) {
        const auto comma = rest.find(',');
        out.emplace_back(rest.substr(0, comma));
        rest.remove_prefix(comma == rest.npos ? rest.size() : comma + 1);
    }
    return out;
}

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

    Session(BusPort& port, const Caller& caller, const std::string& protocol)
        : port_(port), id_(port.newSession(*this)) {
        OpenSession open{id_, RequestId(kOpening), caller.user, {}, protocol, {}};
        open.roles = caller.roleList();
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

std::shared_ptr<UserSessions::Session> UserSessions::find(BusPort& port, const Caller& caller) {
    Users* users = nullptr;
    {
        const std::lock_guard lock(mutex_);
        auto& slot = loops_[&port];
        if (!slot) slot = std::make_unique<Users>();
        users = slot.get();
    }
    auto& session = (*users)[caller];
    if (!session) {
        session = std::make_shared<Session>(port, caller, protocol_);
        session->onEnd(
            [this, &port, caller, which = session.get()] { forget(port, caller, which); });
    }
    return session;
}

void UserSessions::forget(BusPort& port, const Caller& caller, const Session* session) {
    Users* users = nullptr;
    {
        const std::lock_guard lock(mutex_);
        users = loops_[&port].get();
    }
    const auto at = users->find(caller);
    if (at == users->end() || at->second.get() != session) return;
    // The session is inside its own onEffect: it must live until the port is done with it.
    port.executor().post([keep = std::move(at->second)] { keep->close(); });
    users->erase(at);
}

SessionId UserSessions::sessionOf(BusPort& port, const Caller& caller) {
    return find(port, caller)->id();
}

void UserSessions::ask(BusPort& port, const Caller& caller, Command command, Answer answer) {
    find(port, caller)->ask(std::move(command), std::move(answer));
}

void UserSessions::tell(BusPort& port, const Caller& caller, Command command) {
    find(port, caller)->tell(std::move(command));
}

void UserSessions::closeAll(BusPort& port) {
    std::unique_ptr<Users> users;
    {
        const std::lock_guard lock(mutex_);
        users = std::move(loops_[&port]);
        loops_.erase(&port);
    }
    if (!users) return;
    for (auto& [caller, session] : *users) session->close();
}

}  // namespace busbar::http
