// Who may do what with which destination: one answer for every protocol.
//
// Problem: each door (STOMP, AMQP, OpenWire, HTTP, SOAP) has its own verbs, and a right that one of
// them forgets to check is no right. So the core asks here, at its commands, whatever they came by.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace busbar {

enum class Right : std::uint8_t {
    send = 1,     ///< to a queue or topic; to a service: to NAME.request
    receive = 2,  ///< consume, fetch, subscribe; also look
    browse = 4,   ///< look at messages without taking them
    create = 8,   ///< have a queue made by its first use; make or delete a durable subscription
    manage = 16,  ///< define, delete, purge, move, put back, pause, change schedules
};

inline constexpr std::array kEveryRight{Right::send, Right::receive, Right::browse, Right::create,
                                        Right::manage};

/// "send", "receive", ...
std::string_view name(Right right);

/// A set of rights.
class Rights {
  public:
    constexpr Rights() = default;
    constexpr Rights(std::initializer_list<Right> rights) {
        for (const Right right : rights) bits_ |= static_cast<std::uint8_t>(right);
    }
    static constexpr Rights all() {
        return {Right::send, Right::receive, Right::browse, Right::create, Right::manage};
    }
    constexpr bool has(Right right) const { return bits_ & static_cast<std::uint8_t>(right); }
    constexpr void add(Rights more) { bits_ |= more.bits_; }
    bool operator==(const Rights&) const = default;

  private:
    std::uint8_t bits_ = 0;
};

/// Gives rights; nothing takes them away. A rule is for a role or for one user.
struct PermissionRule {
    std::string role;  ///< "*": everyone who is logged in; empty: `user` counts
    std::string user;
    bool topics = false;    ///< else queues
    std::string pattern{};  ///< of names, with the wildcards of topics; ">": all
    Rights rights{};

    bool operator==(const PermissionRule&) const = default;
};

/// What holds where nobody configured anything: role "user" may do all but manage, everywhere.
/// Someone without a role may do nothing.
std::vector<PermissionRule> defaultPermissions();

inline constexpr std::string_view kAdminRole = "admin";      ///< may do everything
inline constexpr std::string_view kMonitorRole = "monitor";  ///< may see pictures and metrics

/// Who may do what from a moment on (Broker::setAccess).
struct AccessChange {
    std::vector<PermissionRule> permissions;
    /// All users that are known, with their roles. They count for open sessions and, instead of
    /// what OpenSession says, for those to come; of others the roles of their login do.
    std::map<std::string, std::vector<std::string>> roles{};
    std::set<std::string> gone{};  ///< users that are known no more
};

/// What one session may do, by the rules that are its own. Remembers what it has looked up, so that
/// a producer pays one look-up in a hash table a message; an administrator pays nothing. Belongs to
/// one thread.
class Access {
  public:
    Access() = default;  ///< nothing
    Access(const std::vector<PermissionRule>& rules, const std::string& user,
           const std::vector<std::string>& roles);

    bool mayAll() const { return all_; }
    /// May it see what the whole bus does?
    bool mayWatch() const { return all_ || watches_; }
    /// Has it any right at all? Who has may have temporary destinations of its own, and answer to
    /// those of others.
    bool any() const { return all_ || !rules_.empty(); }

    /// `destination` may be a pattern, where one subscribes: then the right must be given for all
    /// that it stands for by one rule.
    bool may(Right right, bool topic, const std::string& destination);

  private:
    struct Rule {
        bool topics;
        std::string pattern;
        Rights rights;
    };
    Rights lookUp(bool topic, std::string_view destination) const;

    bool all_ = false;
    bool watches_ = false;
    std::vector<Rule> rules_;
    std::array<std::unordered_map<std::string, Rights>, 2> known_;  ///< queues, topics
};

}  // namespace busbar
