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

    bool operator==(const UserLimits&) const = default;
};

/// One connection's place among those of its user: counted until it is destroyed. Without limits it
/// is empty and costs nothing. Belongs to one loop; what it shares with others is thread-safe.
class UserSeat {
  public:
    UserSeat() = default;

    /// False: spend() would say "go on" each time.
    bool limited() const { return account_ != nullptr; }

    /// Counts messages that were sent: with more than the user may, the next ones have to wait.
    /// Returns until when no more should be read of this connection; zero: go on. A second's worth
    /// may come at once. With 0 sends it only asks.
    SteadyTime spend(std::uint64_t sends, SteadyTime now);

  private:
    friend class UserAccounts;
    struct Account;
    std::shared_ptr<Account> account_;  ///< its end is the connection's; null: no limits
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
