#include "bus/security/cached_authenticator.h"

#include "bus/base/check.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

namespace busbar {
namespace {

constexpr std::chrono::seconds kRememberFor{60};
constexpr std::size_t kKnownMax = 10'000;

}  // namespace

/// What is known, shared with the checks under way.
class CachedAuthenticator::Memory {
  public:
    Memory() {
        BUSBAR_CHECK(RAND_bytes(secret_.data(), static_cast<int>(secret_.size())) == 1,
                     "no random numbers");
    }

    std::string keyOf(const std::string& user, const std::string& password) const {
        const std::string text = std::to_string(user.size()) + ":" + user + password;
        unsigned char digest[EVP_MAX_MD_SIZE];
        unsigned size = 0;
        HMAC(EVP_sha256(), secret_.data(), static_cast<int>(secret_.size()),
             reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest, &size);
        return {reinterpret_cast<const char*>(digest), size};
    }

    /// Answers where the key is known; else notes who waits. True: the caller starts the check.
    bool ask(const std::string& key, SteadyTime now, Answer& answer) {
        std::unique_lock lock(mutex_);
        const auto known = known_.find(key);
        if (known != known_.end() && known->second.until > now) {
            const Identity identity = known->second.identity;
            lock.unlock();
            answer(identity);
            return false;
        }
        auto& waiters = checking_[key];
        waiters.push_back(std::move(answer));
        return waiters.size() == 1;
    }

    void finish(const std::string& key, const Result<Identity>& who, SteadyTime now,
                std::uint64_t generation) {
        std::vector<Answer> waiters;
        {
            const std::lock_guard lock(mutex_);
            if (const auto found = checking_.find(key); found != checking_.end()) {
                waiters = std::move(found->second);
                checking_.erase(found);
            }
            if (who && generation == generation_) remember(key, *who, now);
        }
        for (auto& answer : waiters) answer(who);
    }

    std::uint64_t generation() {
        const std::lock_guard lock(mutex_);
        return generation_;
    }

    void forget() {
        const std::lock_guard lock(mutex_);
        known_.clear();
        ++generation_;
    }

  private:
    struct Known {
        Identity identity;
        SteadyTime until;
    };

    void remember(const std::string& key, const Identity& identity, SteadyTime now) {
        if (known_.size() >= kKnownMax) {
            std::erase_if(known_, [&](const auto& k) { return k.second.until <= now; });
        }
        if (known_.size() >= kKnownMax) known_.clear();
        known_.insert_or_assign(key, Known{identity, now + kRememberFor});
    }

    std::array<unsigned char, 32> secret_{};
    std::mutex mutex_;
    std::uint64_t generation_ = 0;
    std::unordered_map<std::string, Known> known_;
    std::unordered_map<std::string, std::vector<Answer>> checking_;
};

CachedAuthenticator::CachedAuthenticator(Authenticator& authenticator, const Clock& clock)
    : authenticator_(authenticator), clock_(clock), memory_(std::make_shared<Memory>()) {}

CachedAuthenticator::~CachedAuthenticator() = default;

void CachedAuthenticator::forget() {
    memory_->forget();
}

void CachedAuthenticator::authenticate(std::string user, std::string password, Answer answer) {
    const SteadyTime now = clock_.now().steady;
    const std::uint64_t generation = memory_->generation();
    // A check that began before something was forgotten answers nobody who came behind it.
    std::string key = std::to_string(generation) + ":" + memory_->keyOf(user, password);
    if (!memory_->ask(key, now, answer)) return;
    authenticator_.authenticate(
        std::move(user), std::move(password),
        [memory = memory_, key = std::move(key), now, generation](const Result<Identity>& who) {
            memory->finish(key, who, now, generation);
        });
}

}  // namespace busbar
