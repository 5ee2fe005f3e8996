// The bus over HTTP, for one command: finds it, logs in, and turns what goes wrong into an error
// with a remedy.
#pragma once

#include "server/command/command.h"
#include "server/command/json_view.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace busbar::command {

/// Where the bus is and who asks. `origin` says where the URL came from, for error messages.
struct Target {
    bool tls = false;
    std::string host;
    std::uint16_t port = 0;
    std::string url;  ///< as people know it
    std::string origin;
    std::string user;
    std::string password;
    std::string passwordOrigin;
    std::string caFile;
    std::string dataDirectory;
};

/// From the options, the environment and the data directory. Reads DATA/ports.json and the
/// password. invalidArgument where the URL is none; unauthenticated, with what to do, where there
/// is no password.
Result<Target> findTarget(const Invocation& invocation, const Surroundings& surroundings);

/// --data, BUSBAR_DATA, or ./data.
std::string dataDirectory(const Invocation& invocation, const Surroundings& surroundings);

struct Reply {
    int status = 0;
    std::string contentType;
    bool replayed = false;  ///< Idempotent-Replayed: true
    std::string body;

    bool ok() const { return status >= 200 && status < 300; }
};

/// One kept-alive connection, made with the first request. One thread at a time; calls block.
class BusClient {
  public:
    using Headers = std::vector<std::pair<std::string, std::string>>;

    static Result<BusClient> connect(const Invocation& invocation,
                                     const Surroundings& surroundings);
    explicit BusClient(Target target);
    BusClient(BusClient&&) noexcept;
    ~BusClient();

    const Target& target() const { return target_; }

    /// Any status is a Reply. unavailable or timeout where there is none. Header values must not
    /// hold line ends.
    Result<Reply> request(const std::string& method, const std::string& path,
                          const Headers& headers = {}, std::string_view body = {},
                          Milliseconds timeout = Milliseconds(30'000));
    /// The same, where all but 2xx is an error, and the body is JSON (a null value where empty).
    Result<JsonView> json(const std::string& method, const std::string& path,
                          Milliseconds timeout = Milliseconds(30'000), std::string_view body = {});

    /// What a reply that is not ok() tells.
    Error errorOf(const Reply& reply) const;

  private:
    class Connection;
    Error unreachable(const std::string& why) const;

    Target target_;
    std::unique_ptr<Connection> connection_;
};

/// "/queues/N/messages" and its kin: the name percent-encoded.
std::string queuePath(std::string_view queue, std::string_view rest);

}  // namespace busbar::command
