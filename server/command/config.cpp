// `busbar config`
#include "adapters/http/json.h"
#include "server/command/command.h"
#include "server/command/table.h"
#include "server/settings.h"

#include <ostream>

namespace busbar::command {
namespace {

std::string jsonOf(const Configuration& configuration) {
    http::JsonWriter json;
    json.beginObject().key("settings").beginObject();
    for (const auto& setting : allSettings())
        json.key(setting.key).string(setting.get(configuration));
    json.endObject().key("xml").string(printConfiguration(configuration)).endObject();
    return json.take() + "\n";
}

std::string keysOf(const Configuration& configuration) {
    Table table({{"KEY"}, {"VALUE"}});
    for (const auto& setting : allSettings()) table.add({setting.key, setting.get(configuration)});
    return table.text();
}

Result<int> runConfig(const Invocation& invocation, Surroundings& surroundings) {
    std::vector<std::string> settings;
    if (invocation.has("data")) settings.push_back("data=" + invocation.text("data"));
    for (const auto& setting : invocation.all("set")) settings.push_back(setting);
    const auto configuration =
        loadConfiguration(invocation.text("config"), surroundings.environment, settings);
    if (!configuration) return configuration.error();
    if (invocation.json())
        surroundings.out << jsonOf(*configuration);
    else if (invocation.has("keys"))
        surroundings.out << keysOf(*configuration);
    else
        surroundings.out << printConfiguration(*configuration);
    return kOk;
}

}  // namespace

Command configCommand() {
    Command command;
    command.name = "config";
    command.summary = "Prints the configuration that busbard would run with";
    command.details =
        "Defaults, then the file, then BUSBAR_* variables, then --set. Users' hashes are left out.";
    command.examples =
        "busbar config > busbar.xml                        a file to start from\n"
        "busbar config --config busbar.xml --set http.port=0\n"
        "busbar config --keys";
    command.online = false;
    command.options = {{"config", "FILE", "configuration file to read", Option::Kind::file},
                       {"set", "KEY=VALUE", "one setting; may be repeated", Option::Kind::text},
                       {"keys", "", "all keys of --set with their values"}};
    command.run = runConfig;
    return command;
}

}  // namespace busbar::command
