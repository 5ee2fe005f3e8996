// Everything that can be set: one structure with every default, filled from file, environment and
// command line.
#pragma once

#include "bus/base/clock.h"
#include "bus/base/result.h"
#include "bus/core/broker.h"
#include "bus/security/certificate_users.h"
#include "bus/security/user_limits.h"
#include "bus/store/journal/journal.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace busbar {

/// Whether a login by SCRAM is offered; automatic: where every user has keys for it.
enum class OfferScram { automatic, always, never };

/// Of clients, where a listener has a clients' CA.
enum class ClientCertificate { required, wanted };

struct ListenerConfiguration {
    bool enabled = true;
    std::string address = "127.0.0.1";
    std::uint16_t port = 0;  ///< 0: any free one
    std::uint64_t connectionsMax = 20'000;
    std::string certificate;  ///< PEM files; TLS where certificate and key are set
    std::string key;
    std::string clientCa;
    std::string clientCrl;
    ClientCertificate clientCertificate = ClientCertificate::required;

    bool tls() const { return !certificate.empty(); }
    bool operator==(const ListenerConfiguration&) const = default;
};

struct StompConfiguration : ListenerConfiguration {
    std::uint64_t bodyBytesMax = 64u << 20;
    std::uint64_t prefetch = 1000;

    StompConfiguration() { port = 61613; }
    bool operator==(const StompConfiguration&) const = default;
};

struct OpenWireConfiguration : ListenerConfiguration {
    std::uint64_t bodyBytesMax = 64u << 20;
    Milliseconds inactivity{30'000};

    OpenWireConfiguration() { port = 61616; }
    bool operator==(const OpenWireConfiguration&) const = default;
};

struct AmqpConfiguration : ListenerConfiguration {
    std::uint64_t bodyBytesMax = 64u << 20;
    std::uint64_t credit = 1000;
    Milliseconds idleTimeout{60'000};
    bool anonymous = false;
    OfferScram scram = OfferScram::automatic;

    AmqpConfiguration() { port = 5672; }
    bool operator==(const AmqpConfiguration&) const = default;
};

struct HttpConfiguration : ListenerConfiguration {
    std::uint64_t bodyBytesMax = 16u << 20;
    std::uint64_t headerBytesMax = 16u << 10;
    Milliseconds idleTimeout{75'000};

    HttpConfiguration() { port = 8080; }
    bool operator==(const HttpConfiguration&) const = default;
};

/// One port for all protocols; their own sections say the rest.
struct OnePortConfiguration : ListenerConfiguration {
    bool tlsOptional = false;  ///< with a certificate: clients may do without TLS

    OnePortConfiguration() {
        enabled = false;
        port = 7070;
    }
    bool operator==(const OnePortConfiguration&) const = default;
};

struct QueueConfiguration {
    std::string name;  ///< or, in queuePatterns, a pattern with the wildcards of topics
    QueueOptions options;

    bool operator==(const QueueConfiguration&) const = default;
};

struct ServiceConfiguration {
    std::string name;
    std::string wsdl;      ///< path, resolved against the configuration file
    std::string provider;  ///< URL; empty: workers consume NAME.request
    std::string providerSoap = "1.1";
    Milliseconds timeout{30'000};
    std::uint32_t concurrency = 16;
    std::vector<std::string> understands;  ///< namespaces of headers that the provider understands

    bool operator==(const ServiceConfiguration&) const = default;
};

struct UserConfiguration {
    std::string name;
    std::string passwordHash;
    std::vector<std::string> roles;

    bool operator==(const UserConfiguration&) const = default;
};

/// docs/configuration.md and xml-schemas/busbar.xsd say what each value means. Default-constructed
/// it is what the daemon runs with when nobody says anything.
struct Configuration {
    std::string dataDirectory = "./data";
    std::uint32_t ioThreads = 1;
    std::string logLevel = "info";
    StompConfiguration stomp;
    OpenWireConfiguration openwire;
    AmqpConfiguration amqp;
    HttpConfiguration http;
    OnePortConfiguration onePort;
    Milliseconds tlsWatch{5'000};  ///< how often certificate files are looked at; 0: never
    CertificateUsers certificateUsers;
    std::uint64_t memoryBytesMax = 256ull << 20;
    std::uint64_t readAheadBytes = 4ull << 20;
    std::uint64_t largeBodyBytes = 4ull << 20;     ///< larger bodies are files of their own
    std::uint64_t largeBodyBytesMax = 2ull << 30;  ///< and larger ones are refused
    std::uint64_t unconfirmedBytesMax = 64ull << 20;
    std::uint64_t groupsMax = 100'000;
    std::uint64_t subscriptionBytesMax = 64ull << 20;
    std::uint64_t queuesMax = 100'000;
    std::uint64_t temporaryQueuesMax = 1'000;
    UserLimits userLimits;
    std::uint64_t preparedMax = 1'000;
    std::uint64_t preparedBytesMax = 256ull << 20;
    std::uint64_t schedulesMax = 100'000;
    std::uint64_t userSchedulesMax = 10'000;
    Milliseconds schedulePeriodMin{100};
    JournalOptions journal;
    Milliseconds dedupWindow{600'000};
    std::uint64_t dedupMax = 1'000'000;
    AbandonedLimits abandoned;
    QueueOptions queueDefaults;
    std::vector<QueueConfiguration> queues;
    std::vector<QueueConfiguration> queuePatterns;  ///< the first that matches counts
    std::vector<ServiceConfiguration> services;
    std::vector<UserConfiguration> users;
    std::vector<PermissionRule> permissions = defaultPermissions();
    std::string adminPassword;  ///< only from BUSBAR_ADMIN_PASSWORD; never printed
};

/// Looks up an environment variable; nothing where it is not set.
using Environment = std::function<std::optional<std::string>(const std::string&)>;

/// Defaults, then the file at `path` (empty: none), then BUSBAR_DATA, BUSBAR_STOMP_PORT,
/// BUSBAR_AMQP_PORT, BUSBAR_OPENWIRE_PORT, BUSBAR_HTTP_PORT and BUSBAR_ADMIN_PASSWORD, then
/// `settings` ("KEY=VALUE" with the keys of settingKeys()), each winning over the one before. The
/// error names file, line, column and what was expected, or the variable or key; for an unknown
/// key, those that are spelled nearly so. Blocks on the file.
Result<Configuration> loadConfiguration(const std::string& path, const Environment& environment,
                                        std::span<const std::string> settings);

/// The same from text: `name` is what errors call it, `directory` what relative paths start from.
Result<void> readConfigurationText(std::string_view text, const std::string& name,
                                   const std::string& directory, Configuration& into);

/// Sets one value by its key, such as "stomp.port" or "data".
Result<void> setConfigurationValue(Configuration& into, std::string_view key,
                                   std::string_view value);

/// All keys of --set, in the order of the documentation.
std::vector<std::string> settingKeys();

/// The options that a queue of this name is made with where it is not configured by name.
QueueOptions optionsOfNewQueue(const Configuration& configuration, std::string_view queue);

/// The configuration as a file that gives the same again. Users' hashes are left out, as secrets
/// are.
std::string printConfiguration(const Configuration& configuration);

}  // namespace busbar
