#include "server/first_user.h"

#include "bus/base/log.h"
#include "bus/security/scrypt.h"

#include <algorithm>
#include <condition_variable>
#include <optional>
#include <utility>

namespace busbar {
namespace {

constexpr const char* kAdmin = "admin";
constexpr std::size_t kPasswordBytes = 15;
constexpr std::size_t kWaitingMax = 1'000;

Result<void> writeSecret(FileSystem& files, const std::string& path, const std::string& text) {
    auto file = files.open(path, FileSystem::Mode::create);
    if (!file) return file.error();
    if (auto cut = (*file)->truncate(0); !cut) return cut;
    if (auto written = (*file)->write(0, text); !written) return written;
    return (*file)->sync();
}

bool passwordIs(UserStore& users, const std::string& password) {
    std::mutex mutex;
    std::condition_variable told;
    std::optional<bool> right;
    users.authenticate(kAdmin, password, [&](const Result<Identity>& answer) {
        const std::lock_guard lock(mutex);
        right = answer.ok();
        told.notify_one();
    });
    std::unique_lock lock(mutex);
    told.wait(lock, [&] { return right.has_value(); });
    return *right;
}

}  // namespace

Result<std::unique_ptr<FirstUser>> FirstUser::begin(UserStore& users, FileSystem& files,
                                                    const std::string& adminPassword,
                                                    const std::string& passwordFile,
                                                    std::function<void(const Error&)> failed) {
    auto made = std::unique_ptr<FirstUser>(new FirstUser(users));
    const auto known = users.list();
    const bool add = known.empty();
    const bool own = std::any_of(known.begin(), known.end(), [](const UserInfo& user) {
        return user.name == kAdmin && !user.configured;
    });
    if (!add && (adminPassword.empty() || !own)) return made;
    std::string password = adminPassword;
    if (password.empty()) {
        password = randomToken(kPasswordBytes);
        if (auto written = writeSecret(files, passwordFile, password + "\n"); !written) {
            return written.error();
        }
        log::info("users", "the password of 'admin' is in " + passwordFile);
    }
    made->done_ = false;
    made->thread_ =
        std::thread([self = made.get(), add, password = std::move(password),
                     failed = std::move(failed)] { self->work(add, password, failed); });
    return made;
}

FirstUser::~FirstUser() {
    if (thread_.joinable()) thread_.join();
}

void FirstUser::work(bool add, const std::string& password,
                     const std::function<void(const Error&)>& failed) {
    Result<void> stored;
    if (add) {
        stored = users_.add(kAdmin, password, {"admin"});
    } else if (!passwordIs(users_, password)) {
        log::info("users", "the password of 'admin' is now that of BUSBAR_ADMIN_PASSWORD");
        stored = users_.setPassword(kAdmin, password);
    }
    letIn();
    if (!stored) failed(stored.error());
}

void FirstUser::letIn() {
    std::vector<Login> waiting;
    {
        const std::lock_guard lock(mutex_);
        done_ = true;
        waiting.swap(waiting_);
    }
    for (auto& login : waiting) {
        users_.authenticate(std::move(login.user), std::move(login.password),
                            std::move(login.answer));
    }
}

bool FirstUser::offersScram() const {
    {
        const std::lock_guard lock(mutex_);
        if (!done_) return false;
    }
    return users_.offersScram();
}

void FirstUser::authenticate(std::string user, std::string password, Answer answer) {
    {
        const std::lock_guard lock(mutex_);
        if (!done_ && waiting_.size() < kWaitingMax) {
            waiting_.push_back({std::move(user), std::move(password), std::move(answer)});
            return;
        }
    }
    users_.authenticate(std::move(user), std::move(password), std::move(answer));
}

}  // namespace busbar
