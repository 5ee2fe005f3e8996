#include "bus/security/user_store.h"

#include "bus/security/scrypt.h"

#include <malloc.h>

#include <algorithm>
#include <optional>

namespace busbar {
namespace {

constexpr std::size_t kChecksMax = 64;
constexpr std::size_t kDecoySecretBytes = 20;
constexpr std::uint64_t kFileBytesMax = 16 << 20;
constexpr std::string_view kHeader =
    "# Users of this Busbar: name, roles, password hash, SCRAM keys\n";
// Older versions take it for a comment.
constexpr std::string_view kDecoyLine = "#decoys ";
// Well-formed, and the hash of nothing: what an unknown user's password is compared with, for the
// time.
constexpr std::string_view kDecoy =
    "$scrypt$ln=14,r=8,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

bool isControl(char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

Result<void> checkName(std::string_view name) {
    if (name.empty() || name.size() > 255 || std::any_of(name.begin(), name.end(), isControl) ||
        name.front() == '#') {
        return {
            ErrorCode::invalidArgument,
            "a user's name must have 1 to 255 bytes, no control characters, and not begin with #"};
    }
    return {};
}

bool isRoleChar(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
}

Result<void> checkRoles(const std::vector<std::string>& roles) {
    for (const auto& role : roles) {
        if (role.empty() || role.size() > 64 ||
            !std::all_of(role.begin(), role.end(), isRoleChar)) {
            return {ErrorCode::invalidArgument,
                    "a role must have 1 to 64 letters, digits, -, _ or ."};
        }
    }
    return {};
}

std::vector<std::string> splitRoles(std::string_view text) {
    std::vector<std::string> roles;
    while (!text.empty()) {
        const auto comma = text.find(',');
        roles.emplace_back(text.substr(0, comma));
        text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
    }
    return roles;
}

std::string joinRoles(const std::vector<std::string>& roles) {
    std::string text;
    for (const auto& role : roles) {
        if (!text.empty()) text += ',';
        text += role;
    }
    return text;
}

std::string directoryOf(const std::string& path) {
    const auto slash = path.rfind('/');
    return slash == std::string::npos ? "." : path.substr(0, slash);
}

Result<std::string> readAll(FileSystem& files, const std::string& path) {
    auto file = files.open(path, FileSystem::Mode::read);
    if (!file) return std::move(file).error();
    auto size = (*file)->size();
    if (!size) return std::move(size).error();
    if (*size > kFileBytesMax)
        return Error{ErrorCode::tooLarge, path + " is too large for a file of users"};
    std::string text(*size, '\0');
    auto got = (*file)->read(0, text);
    if (!got) return std::move(got).error();
    text.resize(*got);
    return text;
}

}  // namespace

Result<std::unique_ptr<UserStore>> UserStore::open(FileSystem& files, std::string path) {
    std::unique_ptr<UserStore> store(new UserStore(files, std::move(path)));
    auto loaded = store->load();
    if (!loaded) return std::move(loaded).error();
    if (store->decoySecret_.empty()) store->decoySecret_ = randomToken(kDecoySecretBytes);
    return store;
}

UserStore::~UserStore() {
    std::deque<Check> left;
    {
        std::lock_guard lock(mutex_);
        closing_ = true;
        left.swap(checks_);
    }
    wake_.notify_one();
    if (thread_.joinable()) thread_.join();
    const Error closed{ErrorCode::closed, "the bus is stopping"};
    for (auto& check : left) check.answer(closed);
    for (auto& answer : refused_) answer(closed);
}

Result<void> UserStore::load() {
    auto text = readAll(files_, path_);
    if (!text) {
        if (text.error().code == ErrorCode::notFound) return {};
        return std::move(text).error();
    }
    std::string_view rest = *text;
    for (int line = 1; !rest.empty(); ++line) {
        const auto end = rest.find('\n');
        const auto row = rest.substr(0, end);
        rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
        if (row.starts_with(kDecoyLine)) decoySecret_ = row.substr(kDecoyLine.size());
        if (row.empty() || row.front() == '#') continue;
        if (auto read = readUser(row); !read) {
            return {read.error().code,
                    path_ + ", line " + std::to_string(line) + ": " + read.error().text};
        }
    }
    return {};
}

Result<void> UserStore::readUser(std::string_view row) {
    std::vector<std::string_view> fields;
    for (std::size_t at = 0; at <= row.size();) {
        const auto end = std::min(row.find('\t', at), row.size());
        fields.push_back(row.substr(at, end - at));
        at = end + 1;
    }
    const bool whole = (fields.size() == 3 || fields.size() == 4) && checkName(fields[0]) &&
                       (fields.size() == 3 || parseScramKeys(fields[3]));
    if (!whole) {
        return {ErrorCode::malformed,
                "expected name, roles, hash and perhaps SCRAM keys with tabs between them"};
    }
    User user{splitRoles(fields[1]), std::string(fields[2]),
              std::string(fields.size() == 4 ? fields[3] : std::string_view())};
    own_.insert_or_assign(std::string(fields[0]), std::move(user));
    return {};
}

/// Takes about a tenth of a second.
Result<void> UserStore::setSecrets(User& user, std::string_view password) {
    auto hash = hashPassword(password);
    if (!hash) return std::move(hash).error();
    const auto keys = makeScramKeys(password);
    user.hash = std::move(*hash);
    user.scram = keys ? printScramKeys(*keys) : std::string();
    return {};
}

Result<void> UserStore::save(const Users& users) {
    std::string text(kHeader);
    text += std::string(kDecoyLine) + decoySecret_ + '\n';
    for (const auto& [name, user] : users) {
        text += name + '\t' + joinRoles(user.roles) + '\t' + user.hash +
                (user.scram.empty() ? "" : "\t" + user.scram) + '\n';
    }
    const std::string directory = directoryOf(path_);
    const std::string temporary = path_ + ".tmp";
    auto done = files_.makeDirectory(directory);
    if (!done) return done;
    auto file = files_.open(temporary, FileSystem::Mode::create);
    if (!file) return std::move(file).error();
    done = (*file)->truncate(0);
    if (done) done = (*file)->write(0, text);
    if (done) done = (*file)->sync();
    if (done) done = files_.rename(temporary, path_);
    if (done) done = files_.syncDirectory(directory);
    return done;
}

void UserStore::authenticate(std::string user, std::string password, Answer answer) {
    {
        std::lock_guard lock(mutex_);
        if (checks_.size() < kChecksMax) {
            checks_.push_back({std::move(user), std::move(password), std::move(answer)});
        } else {
            refused_.push_back(
                std::move(answer));  // answered on the store's thread, before the next check
        }
        if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
    }
    wake_.notify_one();
}

void UserStore::run() {
    std::unique_lock lock(mutex_);
    while (true) {
        if (checks_.empty() && !closing_) {
            // scrypt's blocks are large enough to stay in the allocator's hands for ever.
            lock.unlock();
            malloc_trim(0);
            lock.lock();
        }
        wake_.wait(lock, [this] { return !checks_.empty() || !refused_.empty() || closing_; });
        if (closing_) return;
        if (!refused_.empty()) {
            std::vector<Answer> refused;
            refused.swap(refused_);
            lock.unlock();
            for (auto& answer : refused) {
                answer(Error{ErrorCode::limitReached, "too many logins are waiting: try again"});
            }
            lock.lock();
            continue;
        }
        Check check = std::move(checks_.front());
        checks_.pop_front();
        lock.unlock();
        check.answer(decide(check));
        lock.lock();
    }
}

/// A configured user hides one of the file.
std::optional<UserStore::User> UserStore::copyOf(std::string_view name) const {
    const std::lock_guard lock(mutex_);
    if (const auto at = configured_.find(name); at != configured_.end()) return at->second;
    if (const auto own = own_.find(name); own != own_.end()) return own->second;
    return {};
}

std::optional<Identity> UserStore::find(std::string_view name) const {
    auto user = copyOf(name);
    if (!user) return {};
    return Identity{std::string(name), std::move(user->roles)};
}

bool UserStore::offersScram() const {
    const auto has = [](const auto& user) { return !user.second.scram.empty(); };
    const std::lock_guard lock(mutex_);
    return configured_.empty() && !own_.empty() && std::all_of(own_.begin(), own_.end(), has);
}

ScramLogin UserStore::scramLogin(const std::string& user) {
    ScramLogin login{decoyScramKeys(user, decoySecret_), {}};  // made in any case, for the time
    auto known = copyOf(user);
    const auto keys = parseScramKeys(known ? std::string_view(known->scram) : std::string_view());
    if (keys) login = {*keys, {user, std::move(known->roles)}};
    return login;
}

Result<Identity> UserStore::decide(const Check& check) const {
    auto user = copyOf(check.user);
    auto right = verifyPassword(check.password, user ? std::string_view(user->hash) : kDecoy);
    if (!right) return std::move(right).error();
    if (!user || !*right)
        return Error{ErrorCode::unauthenticated, "unknown user or wrong password"};
    return Identity{check.user, std::move(user->roles)};
}

Result<void> UserStore::configure(const std::string& name, std::vector<std::string> roles,
                                  std::string hash) {
    if (auto ok = checkName(name); !ok) return ok;
    if (auto ok = checkRoles(roles); !ok) return ok;
    std::lock_guard lock(mutex_);
    configured_.insert_or_assign(name, User{std::move(roles), std::move(hash), {}});
    return {};
}

Result<void> UserStore::reload(const std::vector<Configured>& configured) {
    Users given;
    for (const auto& user : configured) {
        if (auto ok = checkName(user.name); !ok) return ok;
        if (auto ok = checkRoles(user.roles); !ok) return ok;
        given.insert_or_assign(user.name, User{user.roles, user.hash, {}});
    }
    const std::lock_guard changing(changing_);
    UserStore fresh(files_, path_);
    if (auto loaded = fresh.load(); !loaded) return loaded;
    const std::lock_guard lock(mutex_);
    own_ = std::move(fresh.own_);
    configured_ = std::move(given);
    return {};
}

Result<void> UserStore::requireOwn(const std::string& name) const {
    if (configured_.contains(name)) {
        return {ErrorCode::conflict,
                "user " + name + " is given by the configuration: change it there"};
    }
    if (!own_.contains(name)) return {ErrorCode::notFound, "no user " + name};
    return {};
}

Result<void> UserStore::add(const std::string& name, std::string_view password,
                            std::vector<std::string> roles) {
    if (auto ok = checkName(name); !ok) return ok;
    if (auto ok = checkRoles(roles); !ok) return ok;
    if (password.empty()) return {ErrorCode::invalidArgument, "a password must not be empty"};
    std::lock_guard changing(changing_);
    Users users;
    {
        std::lock_guard lock(mutex_);
        if (configured_.contains(name) || own_.contains(name)) {
            return {ErrorCode::alreadyExists, "there is a user " + name};
        }
        users = own_;
    }
    User user{std::move(roles), {}, {}};
    if (auto set = setSecrets(user, password); !set) return set;
    users[name] = std::move(user);
    if (auto saved = save(users); !saved) return saved;
    std::lock_guard lock(mutex_);
    own_ = std::move(users);
    return {};
}

Result<void> UserStore::setPassword(const std::string& name, std::string_view password) {
    if (password.empty()) return {ErrorCode::invalidArgument, "a password must not be empty"};
    std::lock_guard changing(changing_);
    Users users;
    {
        std::lock_guard lock(mutex_);
        if (auto own = requireOwn(name); !own) return own;
        users = own_;
    }
    if (auto set = setSecrets(users[name], password); !set) return set;
    if (auto saved = save(users); !saved) return saved;
    std::lock_guard lock(mutex_);
    own_ = std::move(users);
    return {};
}

Result<void> UserStore::setRoles(const std::string& name, std::vector<std::string> roles) {
    if (auto ok = checkRoles(roles); !ok) return ok;
    std::lock_guard changing(changing_);
    Users users;
    {
        std::lock_guard lock(mutex_);
        if (auto own = requireOwn(name); !own) return own;
        users = own_;
    }
    users[name].roles = std::move(roles);
    if (auto saved = save(users); !saved) return saved;
    std::lock_guard lock(mutex_);
    own_ = std::move(users);
    return {};
}

Result<void> UserStore::remove(const std::string& name) {
    std::lock_guard changing(changing_);
    Users users;
    {
        std::lock_guard lock(mutex_);
        if (auto own = requireOwn(name); !own) return own;
        users = own_;
    }
    users.erase(name);
    if (auto saved = save(users); !saved) return saved;
    std::lock_guard lock(mutex_);
    own_ = std::move(users);
    return {};
}

std::vector<UserInfo> UserStore::list() const {
    std::lock_guard lock(mutex_);
    std::map<std::string, UserInfo> all;
    for (const auto& [name, user] : own_) all[name] = {name, user.roles, false};
    for (const auto& [name, user] : configured_) all[name] = {name, user.roles, true};
    std::vector<UserInfo> users;
    users.reserve(all.size());
    for (auto& [name, info] : all) users.push_back(std::move(info));
    return users;
}

bool UserStore::empty() const {
    std::lock_guard lock(mutex_);
    return own_.empty() && configured_.empty();
}

}  // namespace busbar
