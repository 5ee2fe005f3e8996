// What one user may take of the bus, over all of its connections and wires.
#pragma once

#include "bus/base/clock.h"
#include "bus/base/result.h"

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace busbar {

/// 0: no limit.
struct UserLimits {
    std::uint64_t connectionsMax = 0;
    std::uint64_t sendsPerSecond = 0;
    std::uint64_t bytesMax = 0;  ///< held for all of its connections together; see UserSeat::hold

    bool operator==(const UserLimits&) const = default;
};

/// One connection's place among those of its user: counted until it is destroyed. Without limits it
/// is empty and costs nothing. Belongs to one loop; what it shares with others is thread-safe.
class UserSeat {
  public:
    UserSeat() = default;

    /// False: spend() and hold() would say "go on" each time.
    bool limited() const { return share_ != nullptr; }

    /// Counts messages that were sent: with more than the user may, the next ones have to wait.
    /// Returns until when no more should be read of this connection; zero: go on. A second's worth
    /// may come at once. With 0 sends it only asks.
    SteadyTime spend(std::uint64_t sends, SteadyTime now);

    /// Says what this connection has in memory for its user now (input that is not whole yet,
    /// unanswered sends, output that the peer is behind with), in place of what it said before.
    /// False: the user has more than it may, and this connection is one of those that hold some of
    /// it: read no more of it now, and ask again soon.
    ///
    /// Input that is not whole does not go away by waiting. So one connection of the user after the
    /// other may be read on all the same, until it holds nothing more or for five seconds: the user
    /// holds at most its limit and what one connection may hold.
    bool hold(std::uint64_t bytes, SteadyTime now);

  private:
    friend class UserAccounts;
    struct Account;
    struct Share;
    std::shared_ptr<Share> share_;  ///< its end is the connection's; null: no limits
};

/// All users' accounts. Thread-safe; may go before its seats.
class UserAccounts {
  public:
    explicit UserAccounts(UserLimits limits) : limits_(limits) {}

    /// limitReached where the user has as many connections as it may.
    Result<UserSeat> admit(const std::string& user);

  private:
    const UserLimits limits_;
    std::mutex mutex_;  ///< guards accounts_: one for each user who has ever logged in
    std::map<std::string, std::shared_ptr<UserSeat::Account>, std::less<>> accounts_;
};

}  // namespace busbar
