// What operators and the `busbar` command read: state as JSON, health, metrics.
#pragma once

#include "adapters/http/user_sessions.h"
#include "adapters/transport/http.h"
#include "bus/store/store.h"

#include <functional>
#include <memory>

namespace busbar::http {

/// Routes: GET /api/v1/queues, /api/v1/queues/N, /api/v1/sessions, /api/v1/services,
/// /api/v1/notices (admin); POST and GET /api/v1/journal/backup (admin);
/// /metrics (login); /healthz (open: the process answers) and /readyz (open: 200 where it may get
/// work, else 503).
class ManagementEndpoints {
  public:
    /// All are asked on any loop and must not block.
    struct Sources {
        std::function<bool()> ready;
        std::function<StoreStats()> store;
        /// Store::backup; the handler may be called on any thread. Empty: backups are not offered.
        std::function<void(std::string to, Store::BackupHandler)> backup{};
        /// More of /metrics. Empty: there is no more.
        std::function<std::string()> metrics{};
    };

    ManagementEndpoints(UserSessions& sessions, Sources sources);
    ~ManagementEndpoints();
    void install(Router& router);

  private:
    using Render = std::function<Response(const Request&, const Picture&)>;
    class Backup;
    Handler pictured(Render render);
    void startBackup(const Request& request, const ResponderPtr& responder);

    UserSessions& sessions_;
    const Sources sources_;
    const std::shared_ptr<Backup> backup_;
};

}  // namespace busbar::http
