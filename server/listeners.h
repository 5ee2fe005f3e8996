// Which protocols are spoken on which ports.
#pragma once

#include "adapters/amqp/amqp.h"
#include "adapters/http/metrics.h"
#include "adapters/openwire/openwire.h"
#include "adapters/stomp/stomp.h"
#include "adapters/transport/transport.h"
#include "server/configuration.h"

#include <string>
#include <utility>
#include <vector>

namespace busbar {

/// The configured listeners, and the options that their connections share: must outlive the loops'
/// connections. `configuration`, `router` and `logins` outlive it.
class Listeners {
  public:
    Listeners(const Configuration& configuration, http::Router& router, Authenticator& logins);

    /// Opens them all; the error says which one and why.
    Result<void> open(const std::vector<LoopPort>& loops);

    /// Loads their TLS files again (Listener::reloadTls), and says on the log what came of it. Any
    /// thread; blocks on the disk.
    void reloadTls(bool always) const;
    /// Those that speak TLS.
    std::vector<http::TlsNumbers> tls() const;

    /// In the order in which ports.json names them: "stomp", "openwire", "amqp", "http",
    /// "one-port".
    const std::vector<std::pair<std::string, std::unique_ptr<Listener>>>& all() const {
        return listeners_;
    }

  private:
    Result<void> add(const std::string& name, const ListenerConfiguration& configuration,
                     const std::vector<LoopPort>& loops, EngineFactory factory,
                     std::size_t outputHighMark);
    HttpOptions httpOptions() const;
    EngineFactory detecting() const;

    const Configuration& configuration_;
    http::Router& router_;
    Authenticator& logins_;
    stomp::Options stomp_;
    openwire::Options openwire_;
    amqp::Options amqp_;
    std::vector<std::pair<std::string, std::unique_ptr<Listener>>> listeners_;
};

}  // namespace busbar
