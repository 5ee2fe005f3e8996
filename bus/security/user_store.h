// The users that this bus knows by itself: a small file, and what the configuration adds.
#pragma once

#include "bus/base/file_system.h"
#include "bus/security/authenticator.h"

#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace busbar {

/// A user as people see it; the password's hash never leaves the store.
struct UserInfo {
    std::string name;
    std::vector<std::string> roles;
    bool configured = false;  ///< given by the configuration: cannot be changed here
};

/// Users with their roles, scrypt hashes and SCRAM keys.
///
/// The file has one user a line: name, roles (comma between them), hash, and SCRAM keys where there
/// are any (older files have none), with a tab between them; it is replaced as a whole (written
/// beside it, synced, renamed, directory synced; mode 0600), so a crash leaves the old or the new
/// one. A configured user hides one of the same name in the file.
///
/// Thread-safe. Changes (add, setPassword, setRoles, remove) block on the disk, and on scrypt for
/// about 40 ms: not for a loop's thread. Passwords are checked on one thread of the store's own,
/// started with the first check; 64 may wait. Its memory (16 MiB a check) goes back to the system
/// when nothing waits any more.
class UserStore final : public Authenticator {
  public:
    /// Names: 1 to 255 bytes without control characters. Roles: 1 to 64 letters, digits, `-`, `_`,
    /// `.`. Reads `path`; a missing file is an empty store. malformed names the line. `files` must
    /// outlive it.
    static Result<std::unique_ptr<UserStore>> open(FileSystem& files, std::string path);
    /// Waiting checks are answered with `closed`.
    ~UserStore() override;

    void authenticate(std::string user, std::string password, Answer answer) override;
    bool offersScram() const override;
    ScramLogin scramLogin(const std::string& user) override;

    /// Adds or replaces a user of the configuration, in memory only. `hash` as hashPassword makes
    /// it.
    Result<void> configure(const std::string& name, std::vector<std::string> roles,
                           std::string hash);

    struct Configured {
        std::string name;
        std::vector<std::string> roles;
        std::string hash;
    };
    /// Reads the file again, and takes `configured` in place of all earlier users of the
    /// configuration; where anything is wrong, all stays as it is. Blocks on the disk.
    Result<void> reload(const std::vector<Configured>& configured);

    /// alreadyExists, invalidArgument (name, role, empty password), or what the disk says.
    Result<void> add(const std::string& name, std::string_view password,
                     std::vector<std::string> roles);
    /// notFound; conflict where the configuration gives this user. The same holds for the next two.
    Result<void> setPassword(const std::string& name, std::string_view password);
    Result<void> setRoles(const std::string& name, std::vector<std::string> roles);
    Result<void> remove(const std::string& name);

    /// The user as whoever has shown to be it; nothing where there is none.
    std::optional<Identity> find(std::string_view name) const;
    /// Ascending by name.
    std::vector<UserInfo> list() const;
    bool empty() const;

  private:
    struct User {
        std::vector<std::string> roles;
        std::string hash;
        std::string scram;  ///< as printScramKeys; empty: there are none
    };
    using Users = std::map<std::string, User, std::less<>>;
    struct Check {
        std::string user;
        std::string password;
        Answer answer;
    };

    UserStore(FileSystem& files, std::string path) : files_(files), path_(std::move(path)) {}
    Result<void> load();
    Result<void> readUser(std::string_view row);
    static Result<void> setSecrets(User& user, std::string_view password);
    Result<void> save(const Users& users);
    Result<void> requireOwn(const std::string& name) const;
    void run();
    Result<Identity> decide(const Check& check) const;
    std::optional<User> copyOf(std::string_view name) const;

    FileSystem& files_;
    std::string path_;
    std::string decoySecret_;   ///< in the file too: a user whom there is not must stay the same
    std::mutex changing_;       ///< one change of the file at a time; taken before mutex_
    mutable std::mutex mutex_;  ///< guards what follows
    Users own_;
    Users configured_;
    std::deque<Check> checks_;
    std::vector<Answer> refused_;
    bool closing_ = false;
    std::condition_variable wake_;
    std::thread thread_;
};

}  // namespace busbar
