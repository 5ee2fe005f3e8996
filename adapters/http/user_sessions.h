// Bus sessions for requests: HTTP has none of its own.
//
// The bus speaks with sessions: they say who sends and they hold leases. So each I/O loop keeps one
// session for each user who has asked something there, opened by the first request and kept (leases
// belong to it).
#pragma once

#include "bus/loop/bus_port.h"

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace busbar::http {

/// The error that an effect carries, SessionEnded's included; nullptr where it tells of success.
const Error* errorOf(const Effect& effect);

/// Who asks: a login, and the roles that it came with, separated by commas. Someone whose roles
/// have changed is another caller.
struct Caller {
    std::string user;
    std::string roles{};

    std::vector<std::string> roleList() const;

    bool operator==(const Caller&) const = default;
};

/// All users' sessions over all loops. Calls are made on the loop of the port that they name;
/// different loops may call at the same time. Destroy it after the loops have ended, or after
/// closeAll on each.
class UserSessions {
  public:
    /// Called on the port's loop once, with the effect that answers, or with SessionEnded.
    using Answer = std::function<void(Effect&)>;

    /// `protocol` is what the console shows for these sessions.
    explicit UserSessions(std::string protocol);
    ~UserSessions();
    UserSessions(const UserSessions&) = delete;
    UserSessions& operator=(const UserSessions&) = delete;

    /// The caller's session on this loop; opened where it is not there yet.
    SessionId sessionOf(BusPort& port, const Caller& caller);

    /// Submits `command` in the caller's session; its session and request are filled in here.
    void ask(BusPort& port, const Caller& caller, Command command, Answer answer);
    /// The same for commands whose outcome nobody waits for.
    void tell(BusPort& port, const Caller& caller, Command command);

    /// Closes the sessions of one loop: on that loop, when no more requests come. Open questions
    /// stay unanswered.
    void closeAll(BusPort& port);

  private:
    class Session;
    struct CallerHash {
        std::size_t operator()(const Caller& caller) const {
            return std::hash<std::string>{}(caller.user);
        }
    };
    using Users = std::unordered_map<Caller, std::shared_ptr<Session>, CallerHash>;

    std::shared_ptr<Session> find(BusPort& port, const Caller& caller);
    void forget(BusPort& port, const Caller& caller, const Session* session);

    const std::string protocol_;
    std::mutex mutex_;  // guards the outer map only; each inner map belongs to its loop
    std::unordered_map<BusPort*, std::unique_ptr<Users>> loops_;
};

}  // namespace busbar::http
