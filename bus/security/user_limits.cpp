#include "bus/security/user_limits.h"

#include <algorithm>
#include <atomic>

namespace busbar {
namespace {

constexpr std::uint64_t kLittle = 4096;  // a connection that holds no more is always read
constexpr std::chrono::seconds kTurn{5};

}  // namespace

/// The rate is kept as the time at which all that was sent would have been sent at the allowed pace
/// (the "theoretical arrival time" of ATM's GCRA): one number, no timer.
struct UserSeat::Account {
    explicit Account(UserLimits given) : limits(given) {}

    /// Whether `who` is the one that is read beyond the limit.
    bool mayGoOn(const Share* who, SteadyTime now) {
        const std::lock_guard lock(mutex);
        if (turn != who && turn && now < turnUntil) return false;
        if (turn != who) turnUntil = now + kTurn;
        // Its time is over: somebody else's turn, if anybody asks before it does again.
        if (turn == who && now >= turnUntil) {
            turn = nullptr;
            return false;
        }
        turn = who;
        return true;
    }
    void endTurn(const Share* who) {
        const std::lock_guard lock(mutex);
        if (turn == who) turn = nullptr;
    }

    const UserLimits limits;
    std::atomic<std::uint64_t> connections{0};
    std::atomic<SteadyTime::rep> paidUntil{0};
    std::atomic<std::uint64_t> bytes{0};
    std::mutex mutex;  ///< guards what follows
    const Share* turn = nullptr;
    SteadyTime turnUntil{};
};

struct UserSeat::Share {
    explicit Share(std::shared_ptr<Account> of) : account(std::move(of)) {
        account->connections.fetch_add(1);
    }
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;
    ~Share() {
        account->connections.fetch_sub(1);
        account->bytes.fetch_sub(bytes);
        if (account->limits.bytesMax > 0) account->endTurn(this);
    }

    const std::shared_ptr<Account> account;
    std::uint64_t bytes = 0;  ///< of the account's; the connection's loop alone
};

SteadyTime UserSeat::spend(std::uint64_t sends, SteadyTime now) {
    if (!share_ || share_->account->limits.sendsPerSecond == 0) return {};
    Account& account = *share_->account;
    using Duration = SteadyTime::duration;
    constexpr Duration kBurst = std::chrono::seconds(1);
    const auto cost = kBurst.count() * static_cast<Duration::rep>(sends) /
                      static_cast<Duration::rep>(account.limits.sendsPerSecond);
    const auto present = now.time_since_epoch().count();
    auto before = account.paidUntil.load();
    Duration::rep after = 0;
    do {
        after = std::max(before, present) + cost;
    } while (!account.paidUntil.compare_exchange_weak(before, after));
    if (after <= present + kBurst.count()) return {};
    return SteadyTime(Duration(after) - kBurst);
}

bool UserSeat::hold(std::uint64_t bytes, SteadyTime now) {
    if (!share_ || share_->account->limits.bytesMax == 0) return true;
    Account& account = *share_->account;
    // Unsigned arithmetic takes away as well as it adds.
    const std::uint64_t sum =
        account.bytes.fetch_add(bytes - share_->bytes) + bytes - share_->bytes;
    share_->bytes = bytes;
    if (sum <= account.limits.bytesMax || bytes <= kLittle) {
        account.endTurn(share_.get());
        return true;
    }
    return account.mayGoOn(share_.get(), now);
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
    seat.share_ = std::make_shared<UserSeat::Share>(account);
    return seat;
}

}  // namespace busbar
