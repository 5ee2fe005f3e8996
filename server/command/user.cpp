// `busbar user ...`: offline, on the users file of the data directory.
#include "adapters/http/json.h"
#include "bus/security/scrypt.h"
#include "bus/security/user_store.h"
#include "server/command/bus_client.h"
#include "server/command/table.h"

#include <filesystem>
#include <istream>
#include <ostream>

namespace busbar::command {
namespace {

/// The store with the file system that it needs.
struct Users {
    std::unique_ptr<FileSystem> files;
    std::unique_ptr<UserStore> store;
};

Result<Users> openUsers(const Invocation& invocation, const Surroundings& surroundings) {
    const auto directory = dataDirectory(invocation, surroundings);
    std::error_code ignored;
    if (!std::filesystem::is_directory(directory, ignored)) {
        return Error{
            ErrorCode::notFound,
            "there is no data directory " + directory +
                ": name the bus's (--data DIR, or BUSBAR_DATA); busbard makes it when it starts"};
    }
    Users users{makePosixFileSystem(), nullptr};
    auto store = UserStore::open(*users.files, directory + "/users");
    if (!store) return store.error();
    users.store = std::move(*store);
    return users;
}

Result<std::string> newPassword(Surroundings& surroundings) {
    std::string password;
    if (const auto given = surroundings.environment("BUSBAR_NEW_PASSWORD")) {
        password = *given;
    } else if (surroundings.inIsTerminal) {
        password = surroundings.askSecret("new password: ");
        if (surroundings.askSecret("once more: ") != password) {
            return Error{ErrorCode::invalidArgument,
                         "the two passwords differ: nothing was changed"};
        }
    } else {
        std::getline(surroundings.in, password);
        if (password.ends_with('\r')) password.pop_back();
    }
    if (password.empty()) {
        return Error{ErrorCode::invalidArgument,
                     "the password is empty: give it on standard input, or in BUSBAR_NEW_PASSWORD"};
    }
    return password;
}

std::string joined(const std::vector<std::string>& words) {
    std::string out;
    for (const auto& word : words) out += (out.empty() ? "" : ", ") + word;
    return out;
}

int changed(const Invocation& invocation, Surroundings& surroundings, const std::string& sentence) {
    if (invocation.json()) {
        http::JsonWriter json;
        json.beginObject()
            .key("user")
            .string(invocation.argument(0))
            .key("done")
            .boolean(true)
            .endObject();
        surroundings.out << json.take() << "\n";
        return kOk;
    }
    surroundings.out << sentence << "\n";
    surroundings.err << "note: a bus that runs reads its users when it starts, and on SIGHUP\n";
    return kOk;
}

Result<int> runAdd(const Invocation& invocation, Surroundings& surroundings) {
    auto users = openUsers(invocation, surroundings);
    if (!users) return users.error();
    const auto name = invocation.argument(0);
    for (const auto& user : users->store->list()) {
        if (user.name == name) {
            return Error{ErrorCode::alreadyExists,
                         "there is a user '" + name +
                             "' already ('busbar user password' changes its password)"};
        }
    }
    auto password = newPassword(surroundings);
    if (!password) return password.error();
    auto roles = invocation.all("role");
    if (roles.empty()) roles.emplace_back("user");
    const std::string as = "' as " + joined(roles);
    if (auto added = users->store->add(name, *password, std::move(roles)); !added)
        return added.error();
    return changed(invocation, surroundings, "added user '" + name + as);
}

Result<int> runRemove(const Invocation& invocation, Surroundings& surroundings) {
    auto users = openUsers(invocation, surroundings);
    if (!users) return users.error();
    const auto name = invocation.argument(0);
    if (auto removed = users->store->remove(name); !removed) return removed.error();
    return changed(invocation, surroundings, "removed user '" + name + "'");
}

Result<int> runPassword(const Invocation& invocation, Surroundings& surroundings) {
    auto users = openUsers(invocation, surroundings);
    if (!users) return users.error();
    const auto name = invocation.argument(0);
    bool known = false;
    for (const auto& user : users->store->list()) known |= user.name == name;
    if (!known)
        return Error{ErrorCode::notFound,
                     "there is no user '" + name + "' ('busbar user list' shows them)"};
    auto password = newPassword(surroundings);
    if (!password) return password.error();
    if (auto set = users->store->setPassword(name, *password); !set) return set.error();
    return changed(invocation, surroundings, "changed the password of '" + name + "'");
}

Result<int> runList(const Invocation& invocation, Surroundings& surroundings) {
    auto users = openUsers(invocation, surroundings);
    if (!users) return users.error();
    Table table({{"USER"}, {"ROLES"}});
    http::JsonWriter json;
    json.beginObject().key("users").beginArray();
    for (const auto& user : users->store->list()) {
        table.add({user.name, user.roles.empty() ? "-" : joined(user.roles)});
        json.beginObject().key("name").string(user.name).key("roles").beginArray();
        for (const auto& role : user.roles) json.string(role);
        json.endArray().endObject();
    }
    json.endArray().endObject();
    if (invocation.json())
        surroundings.out << json.take() << "\n";
    else
        surroundings.out << (table.empty()
                                 ? "no users yet: the first start of busbard makes 'admin'\n"
                                 : table.text());
    return kOk;
}

Result<int> runHash(const Invocation& invocation, Surroundings& surroundings) {
    auto password = newPassword(surroundings);
    if (!password) return password.error();
    const auto hash = hashPassword(*password);
    if (!hash) return hash.error();
    if (!invocation.json()) {
        surroundings.out << *hash << "\n";
        return kOk;
    }
    http::JsonWriter json;
    json.beginObject().key("hash").string(*hash).endObject();
    surroundings.out << json.take() << "\n";
    return kOk;
}

Command command(std::string_view name, std::string_view summary, std::string_view examples,
                Command::Run run) {
    Command made = makeCommand(name, "NAME", {1, 1}, summary, examples, run);
    made.details =
        "Works on DATA/users; a bus that runs reads it when it starts. Run it as the bus's own "
        "system user.\n"
        "A new password is asked for, or is the first line of standard input, or "
        "BUSBAR_NEW_PASSWORD.";
    made.online = false;
    return made;
}

}  // namespace

std::vector<Command> userCommands() {
    auto add = command("user add", "Adds a user",
                       "busbar user add shop\nbusbar user add operator --role admin < password.txt",
                       runAdd);
    add.options = {{"role", "ROLE",
                    "a role, such as admin or monitor; may be repeated; default: user",
                    Option::Kind::text}};
    auto list = command("user list", "Shows the users of the data directory",
                        "busbar user list --data /var/lib/busbar", runList);
    list.arguments = {};
    list.argumentsMin = list.argumentsMax = 0;
    list.details = "Users of the configuration file are not among them.";
    auto hash =
        command("user hash",
                "Prints the hash of a password, for <user password-hash=...> in the configuration",
                "busbar user hash < password.txt", runHash);
    hash.arguments = {};
    hash.argumentsMin = hash.argumentsMax = 0;
    hash.details =
        "The password is asked for, or is the first line of standard input, or "
        "BUSBAR_NEW_PASSWORD.";
    return {add, command("user remove", "Removes a user", "busbar user remove shop", runRemove),
            command("user password", "Changes a user's password", "busbar user password admin",
                    runPassword),
            list, hash};
}

}  // namespace busbar::command
