#include "bus/security/user_limits.h"

#include <algorithm>
#include <atomic>

namespace busbar {

/// The rate is kept as the time at which all that was sent would have been sent at the allowed pace
/// (the "theoretical arrival time" of ATM's GCRA): one number, no timer.
struct UserSeat::Account {
    explicit Account(UserLimits given) : limits(given) {}

    const UserLimits limits;
    std::atomic<std::uint64_t> connections{0};
    std::atomic<SteadyTime::rep> paidUntil{0};
};

SteadyTime UserSeat::spend(std::uint64_t sends, SteadyTime now) {
    if (!account_ || account_->limits.sendsPerSecond == 0) return {};
    using Duration = SteadyTime::duration;
    constexpr Duration kBurst = std::chrono::seconds(1);
    const auto cost = kBurst.count() * static_cast<Duration::rep>(sends) /
                      static_cast<Duration::rep>(account_->limits.sendsPerSecond);
    const auto present = now.time_since_epoch().count();
    auto before = account_->paidUntil.load();
    Duration::rep after = 0;
    do {
        after = std::max(before, present) + cost;
    } while (!account_->paidUntil.compare_exchange_weak(before, after));
    if (after <= present + kBurst.count()) return {};
    return SteadyTime(Duration(after) - kBurst);
}

Result<UserSeat> UserAccounts::admit(const std::string& user) {
    UserSeat seat;
    if (limits_ == UserLimits{}) return seat;
    const std::lock_guard lock(mutex_);
    auto& account = accounts_[user];
    if (!account) account = std::make_shared<UserSeat::Account>(limits_);
    if (limits_.connectionsMax > 0 && account->connections >= limits_.connectionsMax) {
        return Error{ErrorCode::limitReached, "user '" + user.substr(0, 100) + "' has " +
                                                  std::to_string(limits_.connectionsMax) +
                                                  " connections, which is as many as it may have"};
    }
    account->connections.fetch_add(1);
    seat.account_ = std::shared_ptr<UserSeat::Account>(
        account.get(),
        [account](UserSeat::Account* counted) { counted->connections.fetch_sub(1); });
    return seat;
}

}  // namespace busbar
