// A bus that nobody can log in to is of no use, one that everybody can is worse: the first start
// makes `admin`.
#pragma once

#include "bus/security/user_store.h"

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace busbar {

/// Makes the first user, beside the start of the daemon: hashing a password takes longer than all
/// the rest of it. Logins that come before it is done wait for it; afterwards they go straight to
/// the store. Any thread may authenticate.
class FirstUser final : public Authenticator {
  public:
    /// Where the store has no user at all, `admin` with role "admin" is added with `adminPassword`,
    /// or with a random one that is written to `passwordFile` (mode 0600) before this returns, for
    /// the operator and for the `busbar` command. Where `admin` is there and `adminPassword` is
    /// given and not its password, it is changed. `failed` is called on a thread of this object's
    /// own where that cannot be stored; logins that wait are then refused.
    static Result<std::unique_ptr<FirstUser>> begin(UserStore& users, FileSystem& files,
                                                    const std::string& adminPassword,
                                                    const std::string& passwordFile,
                                                    std::function<void(const Error&)> failed);
    /// Waits for the work to end.
    ~FirstUser() override;

    void authenticate(std::string user, std::string password, Answer answer) override;
    /// Not before the work is done: until then the password may be an old one.
    bool offersScram() const override;
    ScramLogin scramLogin(const std::string& user) override { return users_.scramLogin(user); }

  private:
    struct Login {
        std::string user;
        std::string password;
        Answer answer;
    };

    explicit FirstUser(UserStore& users) : users_(users) {}
    void work(bool add, const std::string& password,
              const std::function<void(const Error&)>& failed);
    void letIn();

    UserStore& users_;
    mutable std::mutex mutex_;  ///< guards what follows
    bool done_ = true;
    std::vector<Login> waiting_;
    std::thread thread_;
};

}  // namespace busbar
