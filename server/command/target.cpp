// Where the bus is, and with which password.
#include "server/command/bus_client.h"

#include <Poco/Exception.h>
#include <Poco/URI.h>

#include <fstream>
#include <optional>
#include <sstream>

namespace busbar::command {
namespace {

std::optional<std::string> readSmallFile(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) return std::nullopt;
    std::string text(64 << 10, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(std::max<std::streamsize>(file.gcount(), 0)));
    return text;
}

std::string firstLine(const std::string& text) {
    auto line = text.substr(0, text.find('\n'));
    if (!line.empty() && line.back() == '\r') line.pop_back();
    return line;
}

void findUrl(const Invocation& invocation, Target& target) {
    target.url = invocation.text("url");
    target.origin = "--url";
    if (!target.url.empty()) return;
    const std::string path = target.dataDirectory + "/ports.json";
    if (const auto text = readSmallFile(path)) {
        const auto ports = JsonView::parse(*text);
        const auto port = ports ? (*ports)["http"].number() : 0;
        target.url = "http://127.0.0.1:" + std::to_string(port);
        target.origin = "the port is from " + path;
        if (port > 0) return;
    }
    target.url = "http://127.0.0.1:8080";
    target.origin = "the default; there is no " + path;
}

Result<void> splitUrl(Target& target) {
    const Error wrong{ErrorCode::invalidArgument,
                      "'" + target.url + "' is not an URL of a bus, such as http://127.0.0.1:8080"};
    try {
        const Poco::URI uri(target.url);
        target.tls = uri.getScheme() == "https";
        target.host = uri.getHost();
        target.port = uri.getPort();
        const bool scheme = target.tls || uri.getScheme() == "http";
        const bool path = uri.getPath().empty() || uri.getPath() == "/";
        if (!scheme || !path || target.host.empty() || !uri.getUserInfo().empty()) return wrong;
    } catch (const Poco::Exception&) {
        return wrong;
    }
    return {};
}

Result<void> findPassword(const Invocation& invocation, const Surroundings& surroundings,
                          Target& target) {
    if (const auto path = invocation.text("password-file"); !path.empty()) {
        const auto text = readSmallFile(path);
        if (!text) return {ErrorCode::notFound, "cannot read the password file " + path};
        target.password = firstLine(*text);
        target.passwordOrigin = path;
        return {};
    }
    if (const auto password = surroundings.environment("BUSBAR_PASSWORD")) {
        target.password = *password;
        target.passwordOrigin = "BUSBAR_PASSWORD";
        return {};
    }
    const std::string path = target.dataDirectory + "/admin.password";
    if (target.user == "admin") {
        if (const auto text = readSmallFile(path)) {
            target.password = firstLine(*text);
            target.passwordOrigin = path;
            return {};
        }
        if (const auto password = surroundings.environment("BUSBAR_ADMIN_PASSWORD")) {
            target.password = *password;
            target.passwordOrigin = "BUSBAR_ADMIN_PASSWORD";
            return {};
        }
    }
    const std::string also = target.user == "admin" ? ", and " + path + " cannot be read" : "";
    return {ErrorCode::unauthenticated,
            "no password for user '" + target.user + "'" + also +
                ": set BUSBAR_PASSWORD, or use --password-file" +
                (target.user == "admin" ? ", or --data with the bus's data directory" : "")};
}

}  // namespace

std::string dataDirectory(const Invocation& invocation, const Surroundings& surroundings) {
    auto directory = invocation.text("data", surroundings.environment("BUSBAR_DATA").value_or(""));
    if (directory.empty()) directory = "./data";
    while (directory.size() > 1 && directory.back() == '/') directory.pop_back();
    return directory;
}

Result<Target> findTarget(const Invocation& invocation, const Surroundings& surroundings) {
    Target target;
    target.dataDirectory = dataDirectory(invocation, surroundings);
    target.user = invocation.text("user", "admin");
    target.caFile = invocation.text("ca");
    findUrl(invocation, target);
    if (auto split = splitUrl(target); !split) return split.error();
    if (auto found = findPassword(invocation, surroundings, target); !found) return found.error();
    return target;
}

}  // namespace busbar::command
