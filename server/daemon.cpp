#include "server/daemon.h"

#include "adapters/http/management.h"
#include "adapters/http/message_endpoints.h"
#include "adapters/http/operations.h"
#include "adapters/http/schedule_endpoints.h"
#include "adapters/http/send_endpoints.h"
#include "adapters/http/transaction_endpoints.h"
#include "adapters/http/user_sessions.h"
#include "adapters/soap/provider.h"
#include "adapters/soap/services.h"
#include "adapters/transport/transport.h"
#include "bus/base/log.h"
#include "bus/core/call_table.h"
#include "bus/loop/core_loop.h"
#include "bus/schedule/zones.h"
#include "bus/security/cached_authenticator.h"
#include "bus/security/logins.h"
#include "bus/security/scrypt.h"
#include "bus/security/user_store.h"
#include "bus/store/journal/journal.h"
#include "server/first_user.h"
#include "server/listeners.h"
#include "server/settings.h"

#include <algorithm>
#include <atomic>
#include <thread>

namespace busbar {
namespace {

constexpr Milliseconds kDrainMax{10'000};
constexpr Milliseconds kDrainLook{20};
constexpr std::size_t kWorkers = 2;
constexpr std::size_t kWorkerTasksMax = 256;

BrokerOptions brokerOptions(const Configuration& c, FileSystem& files,
                            std::shared_ptr<const LeaseTokens> leaseTokens) {
    BrokerOptions options;
    options.leaseTokens = std::move(leaseTokens);
    options.zones = std::make_shared<SystemZones>(files);
    options.instance = randomToken(5);  // what the store remembers from its first start wins
    options.queueDefaults = c.queueDefaults;
    options.dedupWindow = c.dedupWindow;
    options.dedupMax = c.dedupMax;
    options.queuesMax = c.queuesMax;
    options.temporariesPerSessionMax = c.temporaryQueuesMax;
    options.preparedMax = c.preparedMax;
    options.preparedBytesMax = c.preparedBytesMax;
    options.schedulesMax = c.schedulesMax;
    options.userSchedulesMax = c.userSchedulesMax;
    options.schedulePeriodMin = c.schedulePeriodMin;
    options.memoryMax = c.memoryBytesMax;
    options.readAheadBytes = c.readAheadBytes;
    options.unconfirmedMax = c.unconfirmedBytesMax;
    options.transientSubscriptionBytesMax = c.subscriptionBytesMax;
    options.groupsMax = c.groupsMax;
    options.abandoned = c.abandoned;
    options.permissions = c.permissions;
    for (const auto& pattern : c.queuePatterns)
        options.queuePatterns.emplace_back(pattern.name, pattern.options);
    return options;
}

/// "; these need a restart: stomp.port, services"; empty where none differs.
std::string needingRestart(const Configuration& running, const Configuration& next) {
    std::string out;
    const auto add = [&](const std::string& what) { out += (out.empty() ? "" : ", ") + what; };
    for (const auto& setting : allSettings()) {
        if (setting.key != "log-level" && setting.get(running) != setting.get(next))
            add(setting.key);
    }
    if (!(running.services == next.services)) add("services");
    if (!(running.queuePatterns == next.queuePatterns)) add("queues by 'match'");
    if (!(running.certificateUsers.rules == next.certificateUsers.rules)) add("certificate rules");
    return out.empty() ? out : "; these need a restart: " + out;
}

soap::Version versionOf(const ServiceConfiguration& c) {
    return c.providerSoap == "1.2" ? soap::Version::v12 : soap::Version::v11;
}

Result<soap::ServiceOptions> serviceOptions(const ServiceConfiguration& c) {
    auto wsdl = soap::Wsdl::load(c.wsdl);
    if (!wsdl) return Error{wsdl.error().code, "service '" + c.name + "': " + wsdl.error().text};
    soap::ServiceOptions options;
    options.name = c.name;
    options.wsdl = std::move(*wsdl);
    options.providerVersion = versionOf(c);
    options.timeout = c.timeout;
    options.understood = c.understands;
    return options;
}

/// Submits what the configuration defines, and says on the log where the bus refuses it.
class Definitions final : public SessionListener {
  public:
    explicit Definitions(BusPort& port) : port_(port), session_(port.newSession(*this)) {
        OpenSession open{session_, {}, "busbar", {}, "internal", {}};
        open.roles = {std::string(kAdminRole)};
        port_.submit(std::move(open));
    }
    void define(const Configuration& c) {
        for (const auto& q : c.queues)
            port_.submit(DefineQueue{session_, RequestId(1), q.name, q.options});
        for (const auto& s : c.services)
            port_.submit(DefineService{session_, RequestId(2), s.name});
    }
    /// Only what is configured otherwise: options that were changed while the bus ran stay.
    void redefine(const std::vector<QueueConfiguration>& before,
                  const std::vector<QueueConfiguration>& now) {
        for (const auto& q : now) {
            if (std::find(before.begin(), before.end(), q) == before.end())
                port_.submit(DefineQueue{session_, RequestId(1), q.name, q.options});
        }
    }
    void onEffect(Effect& effect) override {
        if (const Error* error = http::errorOf(effect)) log::error("configuration", error->text);
    }
    void onEffectsEnd() override {}

  private:
    BusPort& port_;
    SessionId session_;
};

}  // namespace

class Daemon::Impl {
  public:
    explicit Impl(Configuration c)
        : configuration_(std::move(c)),
          files_(makePosixFileSystem()),
          sessions_("http"),
          sends_(sessions_, sendOptions(configuration_)),
          endpoints_(sessions_, endpointOptions(configuration_, leaseTokens_)),
          operations_(
              sessions_,
              [this](std::string_view queue) { return optionsOfNewQueue(configuration_, queue); }),
          management_(sessions_,
                      {[this] { return ready_.load(); }, [this] { return store_->stats(); },
                       [this](std::string to, Store::BackupHandler handler) {
                           backup(std::move(to), std::move(handler));
                       },
                       [this] { return http::tlsMetrics(listeners_->tls()); }}) {}

    ~Impl() {
        if (store_) store_->close();  // its thread reports to the core loop
        // What speaks with the bus goes before the bus, the bus before the loops and the store.
        listeners_.reset();
        providers_.clear();
        client_.reset();
    }

    Result<void> open() {
        if (auto made = files_->makeDirectory(configuration_.dataDirectory); !made) return made;
        auto journal = openJournal(*files_, path("journal"), configuration_.journal);
        if (!journal) return journal.error();
        store_ = std::move(*journal);
        makeLoops();
        if (auto ready = openUsers(); !ready) return ready;
        core_ = std::make_unique<CoreLoop>(*loops_[0], *store_, clock_,
                                           brokerOptions(configuration_, *files_, leaseTokens_));
        if (auto recovered = recover(); !recovered) return recovered;
        core_->setAccess({configuration_.permissions, rolesOfAll()});
        core_->onStoreFailure([this](const Error& error) { fail("journal", error); });
        for (auto& loop : loops_) ports_.push_back({loop.get(), &core_->addPort(*loop)});
        definitions_ = std::make_unique<Definitions>(*ports_[0].bus);
        definitions_->define(configuration_);
        if (auto made = makeServices(); !made) return made;
        sends_.install(router_);
        endpoints_.install(router_);
        operations_.install(router_);
        management_.install(router_);
        transactions_.install(router_);
        schedules_.install(router_);
        listeners_ = std::make_unique<Listeners>(configuration_, router_, *logins_);
        if (auto listening = listeners_->open(ports_); !listening) return listening;
        return writePorts();
    }

    std::string portsJson() const {
        std::string out = "{";
        for (const auto& [name, listener] : listeners_->all()) {
            if (out.size() > 1) out += ',';
            out += '"' + name + "\":" + std::to_string(listener->port());
        }
        return out + "}";
    }

    int run() {
        for (auto& provider : providers_) loops_[0]->post([p = provider.get()] { p->start(); });
        loops_[0]->post([this] { ready_ = true; });
        std::vector<std::jthread> threads;
        for (std::size_t i = 1; i < loops_.size(); ++i)
            threads.emplace_back([this, i] { loops_[i]->run(); });
        loops_[0]->run();
        for (std::size_t i = 1; i < loops_.size(); ++i) loops_[i]->stop();
        threads.clear();
        store_->close();
        return exitCode_;
    }

    void stop() {
        loops_[0]->post([this] { drain(); });
    }

    std::map<std::string, std::vector<std::string>> rolesOfAll() const {
        std::map<std::string, std::vector<std::string>> out;
        for (const auto& user : users_->list()) out[user.name] = user.roles;
        return out;
    }

    void reload(Configuration next) {
        const auto before = users_->list();
        std::vector<UserStore::Configured> configured;
        for (const auto& user : next.users)
            configured.push_back({user.name, user.roles, user.passwordHash});
        if (auto read = users_->reload(configured); !read) {
            log::error("configuration", "nothing was changed: " + read.error().text);
            return;
        }
        passwords_->forget();
        AccessChange change;
        change.permissions = next.permissions;
        change.roles = rolesOfAll();
        for (const auto& user : before) {
            if (!change.roles.contains(user.name)) change.gone.insert(user.name);
        }
        log::info("configuration", "read again: " + std::to_string(change.roles.size()) +
                                       " users, " + std::to_string(change.permissions.size()) +
                                       " rules of permissions" +
                                       needingRestart(configuration_, next));
        core_->setAccess(std::move(change));
        loops_[0]->post([this, next = std::move(next)]() mutable {
            definitions_->redefine(queues_, next.queues);
            queues_ = std::move(next.queues);
        });
    }

    /// The listeners are the same from open() to the end.
    void reloadTls(bool always) { listeners_->reloadTls(always); }
    Milliseconds tlsWatch() const {
        return listeners_->tls().empty() ? Milliseconds(0) : configuration_.tlsWatch;
    }

  private:
    static http::MessageEndpointOptions endpointOptions(
        const Configuration& c, std::shared_ptr<const LeaseTokens> leaseTokens) {
        http::MessageEndpointOptions options;
        options.leaseTokens = std::move(leaseTokens);
        options.bodyBytesMax = c.http.bodyBytesMax;
        return options;
    }
    static http::SendEndpointOptions sendOptions(const Configuration& c) {
        http::SendEndpointOptions options;
        options.bodyBytesMax = c.http.bodyBytesMax;
        options.largeBytesMax = c.largeBodyBytesMax;
        return options;
    }

    /// The store is the core loop's.
    void backup(std::string to, Store::BackupHandler handler) {
        loops_[0]->post([this, to = std::move(to), handler = std::move(handler)] {
            log::info("journal", "backup to " + to + " begins");
            store_->backup(to, [to, handler](double share, const Result<void>* ended) {
                if (ended && ended->ok()) log::info("journal", "backup to " + to + " is complete");
                if (ended && !ended->ok())
                    log::error("journal", "backup to " + to + ": " + ended->error().text);
                handler(share, ended);
            });
        });
    }

    std::string path(const std::string& name) const {
        return configuration_.dataDirectory + "/" + name;
    }

    /// A line each second while the journal is read: silence would look like a hang.
    Result<void> recover() {
        SteadyTime said = clock_.now().steady;
        return core_->recover([this, said](double share) mutable {
            const SteadyTime now = clock_.now().steady;
            if (now - said < std::chrono::seconds(1)) return;
            said = now;
            log::info("journal", "reading what is stored: " +
                                     std::to_string(static_cast<int>(share * 100)) + " %");
        });
    }

    Result<void> openUsers() {
        auto users = UserStore::open(*files_, path("users"));
        if (!users) return users.error();
        users_ = std::move(*users);
        for (const auto& user : configuration_.users) {
            if (auto added = users_->configure(user.name, user.roles, user.passwordHash); !added)
                return added;
        }
        auto first = FirstUser::begin(*users_, *files_, configuration_.adminPassword,
                                      path("admin.password"), [this](const Error& error) {
                                          loops_[0]->post([this, error] { fail("users", error); });
                                      });
        if (!first) return first.error();
        firstUser_ = std::move(*first);
        passwords_ = std::make_unique<CachedAuthenticator>(*firstUser_, clock_);
        logins_ = std::make_unique<Logins>(*passwords_, *users_, configuration_.certificateUsers,
                                           configuration_.userLimits);
        return {};
    }

    void makeLoops() {
        for (std::uint32_t i = 0; i < configuration_.ioThreads; ++i)
            loops_.push_back(EventLoop::make());
    }

    Result<void> makeServices() {
        for (const auto& c : configuration_.services) {
            auto options = serviceOptions(c);
            if (!options) return options.error();
            auto service = soap::SoapService::make(std::move(*options), sessions_, workers_);
            if (!service)
                return Error{service.error().code,
                             "service '" + c.name + "': " + service.error().text};
            services_.add(std::move(*service));
            if (c.provider.empty()) continue;
            if (!client_) client_ = HttpClient::make(*loops_[0]);
            soap::ProviderOptions provider;
            provider.service = c.name;
            provider.url = c.provider;
            provider.version = versionOf(c);
            provider.timeout = c.timeout;
            provider.concurrency = c.concurrency;
            provider.requestQueue = requestQueueOf(c);
            providers_.push_back(std::make_unique<soap::HttpProvider>(*ports_[0].bus, *client_,
                                                                      std::move(provider)));
        }
        services_.install(router_, configuration_.http.bodyBytesMax);
        return {};
    }

    std::optional<QueueOptions> requestQueueOf(const ServiceConfiguration& service) const {
        const std::string name = service.name + std::string(kRequestSuffix);
        for (const auto& queue : configuration_.queues) {
            if (queue.name == name) return std::nullopt;
        }
        return soap::ProviderOptions::withoutLimit(optionsOfNewQueue(configuration_, name));
    }

    Result<void> writePorts() {
        const std::string temporary = path("ports.json.tmp");
        const std::string text = portsJson() + "\n";
        {
            auto file = files_->open(temporary, FileSystem::Mode::create);
            if (!file) return file.error();
            if (auto cut = (*file)->truncate(0); !cut) return cut;
            if (auto written = (*file)->write(0, text); !written) return written;
        }
        return files_->rename(temporary, path("ports.json"));
    }

    // ---- stopping, on the core's loop ----

    void drain() {
        if (draining_) return;
        draining_ = true;
        ready_ = false;
        log::info("daemon", "stopping: connections get " +
                                std::to_string(kDrainMax.count() / 1000) + " s to end");
        for (const auto& [name, listener] : listeners_->all())
            listener->drain("the bus is stopping");
        for (auto& provider : providers_) provider->close();
        drainUntil_ = clock_.now().steady + kDrainMax;
        lookAgain();
    }

    void lookAgain() {
        std::size_t open = 0;
        for (const auto& [name, listener] : listeners_->all()) open += listener->connections();
        if (open > 0 && clock_.now().steady < drainUntil_) {
            loops_[0]->postAfter(kDrainLook, [this] { lookAgain(); });
            return;
        }
        if (open > 0)
            log::warning("daemon", std::to_string(open) + " connections did not end in time");
        // One more turn, so that what the last connections gave back is stored too.
        loops_[0]->postAfter(kDrainLook, [this] { loops_[0]->stop(); });
    }

    void fail(std::string_view part, const Error& error) {
        log::error(part, error.text + ". Stopping: mend the cause, then start again");
        ready_ = false;
        exitCode_ = 1;
        loops_[0]->stop();
    }

    // Destroyed from the last to the first.
    const Configuration configuration_;                               ///< as it was at the start
    std::vector<QueueConfiguration> queues_ = configuration_.queues;  ///< as they are now
    SystemClock clock_;
    std::unique_ptr<FileSystem> files_;
    std::unique_ptr<Store> store_;
    std::vector<std::unique_ptr<EventLoop>> loops_;
    std::unique_ptr<UserStore> users_;  // ends before the loops: its answers are posted there
    std::unique_ptr<FirstUser> firstUser_;
    std::unique_ptr<CachedAuthenticator> passwords_;
    std::unique_ptr<Logins> logins_;
    std::unique_ptr<CoreLoop> core_;
    std::vector<LoopPort> ports_;
    std::unique_ptr<Definitions> definitions_;
    http::Router router_;
    http::UserSessions sessions_;
    WorkerPool workers_{kWorkers, kWorkerTasksMax};
    soap::SoapServices services_;
    const std::shared_ptr<const LeaseTokens> leaseTokens_ = std::make_shared<LeaseTokens>();
    http::SendEndpoints sends_;
    http::MessageEndpoints endpoints_;
    http::OperationEndpoints operations_;
    http::ManagementEndpoints management_;
    http::TransactionEndpoints transactions_{sessions_};
    http::ScheduleEndpoints schedules_{sessions_};
    std::unique_ptr<HttpClient> client_;
    std::vector<std::unique_ptr<soap::HttpProvider>> providers_;
    std::unique_ptr<Listeners> listeners_;
    std::atomic<bool> ready_ = false;
    bool draining_ = false;
    SteadyTime drainUntil_{};
    int exitCode_ = 0;
};

Result<void> Daemon::check(const Configuration& configuration) {
    for (const auto& c : configuration.services) {
        auto options = serviceOptions(c);
        if (!options) return options.error();
        http::UserSessions sessions("check");
        WorkerPool workers(kWorkers, kWorkerTasksMax);
        auto service = soap::SoapService::make(std::move(*options), sessions, workers);
        if (!service)
            return Error{service.error().code, "service '" + c.name + "': " + service.error().text};
    }
    return {};
}

Result<std::unique_ptr<Daemon>> Daemon::open(Configuration configuration) {
    auto impl = std::make_unique<Impl>(std::move(configuration));
    if (auto opened = impl->open(); !opened) return opened.error();
    return std::unique_ptr<Daemon>(new Daemon(std::move(impl)));
}

Daemon::Daemon(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Daemon::~Daemon() = default;
std::string Daemon::portsJson() const {
    return impl_->portsJson();
}
int Daemon::run() {
    return impl_->run();
}
void Daemon::stop() {
    impl_->stop();
}
void Daemon::reload(Configuration next) {
    impl_->reload(std::move(next));
}
void Daemon::reloadTls(bool always) {
    impl_->reloadTls(always);
}
Milliseconds Daemon::tlsWatch() const {
    return impl_->tlsWatch();
}

}  // namespace busbar
