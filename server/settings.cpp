#include "server/settings.h"

#include <array>
#include <charconv>
#include <cmath>
#include <type_traits>

namespace busbar {
namespace {

Error wrong(std::string_view value, const std::string& expected) {
    return {ErrorCode::invalidArgument,
            "'" + std::string(value.substr(0, 80)) + "' is not " + expected};
}

/// Bounds of the numbers that need them; the schema says the same for files.
struct Bounds {
    std::uint64_t min = 0;
    std::uint64_t max = ~std::uint64_t{0};
};
constexpr Bounds kLeaseBounds{0, static_cast<std::uint64_t>(kLeaseMax.count())};

template <class T>
Result<void> parseNumber(T& into, std::string_view text, Bounds bounds) {
    const std::uint64_t max = std::min<std::uint64_t>(bounds.max, std::numeric_limits<T>::max());
    std::uint64_t number = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (code != std::errc{} || end != text.data() + text.size() || number < bounds.min ||
        number > max) {
        return wrong(text, "a whole number from " + std::to_string(bounds.min) + " to " +
                               std::to_string(max));
    }
    into = static_cast<T>(number);
    return {};
}

Result<void> parse(bool& into, std::string_view text, Bounds) {
    if (text != "true" && text != "false" && text != "1" && text != "0")
        return wrong(text, "true or false");
    into = text == "true" || text == "1";
    return {};
}
Result<void> parse(std::string& into, std::string_view text, Bounds) {
    into = text;
    return {};
}
Result<void> parse(double& into, std::string_view text, Bounds) {
    double number = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
    const bool whole = code == std::errc{} && end == text.data() + text.size();
    if (!whole || !std::isfinite(number) || number < 1.1)
        return wrong(text, "a number of 1.1 or more");
    into = number;
    return {};
}
/// Up to ten years.
Result<void> parse(Milliseconds& into, std::string_view text, Bounds bounds) {
    std::uint64_t number = 0;
    bounds.max = std::min<std::uint64_t>(bounds.max, 3650ull * 24 * 3600 * 1000);
    auto done = parseNumber(number, text, bounds);
    if (done) into = Milliseconds(static_cast<std::int64_t>(number));
    return done;
}
Result<void> parse(std::vector<Milliseconds>& into, std::string_view text, Bounds) {
    std::vector<Milliseconds> delays;
    for (std::size_t at = text.find_first_not_of(' '); at != std::string_view::npos;) {
        const std::size_t end = std::min(text.find(' ', at), text.size());
        std::uint32_t number = 0;
        auto done = parseNumber(number, text.substr(at, end - at), {});
        if (!done) return done;
        delays.emplace_back(number);
        at = text.find_first_not_of(' ', end);
    }
    into = std::move(delays);
    return {};
}

constexpr std::array<std::pair<std::string_view, WhenFull>, 4> kWhenFull{
    {{"reject", WhenFull::reject},
     {"block", WhenFull::block},
     {"drop-oldest", WhenFull::dropOldest},
     {"spill", WhenFull::spill}}};
constexpr std::array<std::pair<std::string_view, Keep>, 3> kKeep{
    {{"fsync", Keep::synced}, {"os", Keep::written}, {"none", Keep::memory}}};

constexpr std::array<std::pair<std::string_view, OfferScram>, 3> kOfferScram{
    {{"auto", OfferScram::automatic},
     {"always", OfferScram::always},
     {"never", OfferScram::never}}};
constexpr std::array<std::pair<std::string_view, ClientCertificate>, 2> kClientCertificate{
    {{"required", ClientCertificate::required}, {"wanted", ClientCertificate::wanted}}};

template <class E, std::size_t N>
Result<void> parseName(E& into, std::string_view text,
                       const std::array<std::pair<std::string_view, E>, N>& names) {
    std::string expected;
    for (const auto& [name, value] : names) {
        if (text == name) {
            into = value;
            return {};
        }
        expected += (expected.empty() ? "" : " or ") + std::string(name);
    }
    return wrong(text, expected);
}
template <class E, std::size_t N>
std::string printName(E value, const std::array<std::pair<std::string_view, E>, N>& names) {
    for (const auto& [name, known] : names) {
        if (known == value) return std::string(name);
    }
    return {};
}
Result<void> parse(WhenFull& into, std::string_view text, Bounds) {
    return parseName(into, text, kWhenFull);
}
Result<void> parse(Keep& into, std::string_view text, Bounds) {
    return parseName(into, text, kKeep);
}

template <class T>
requires std::is_unsigned_v<T> Result<void> parse(T& into, std::string_view text, Bounds bounds) {
    return parseNumber(into, text, bounds);
}

Result<void> parse(OfferScram& into, std::string_view text, Bounds) {
    return parseName(into, text, kOfferScram);
}
std::string print(OfferScram value) {
    return printName(value, kOfferScram);
}
Result<void> parse(ClientCertificate& into, std::string_view text, Bounds) {
    return parseName(into, text, kClientCertificate);
}
std::string print(ClientCertificate value) {
    return printName(value, kClientCertificate);
}
std::string print(WhenFull value) {
    return printName(value, kWhenFull);
}
std::string print(Keep value) {
    return printName(value, kKeep);
}
std::string print(const std::vector<Milliseconds>& delays) {
    std::string out;
    for (const Milliseconds delay : delays)
        out += (out.empty() ? "" : " ") + std::to_string(delay.count());
    return out;
}
std::string print(bool value) {
    return value ? "true" : "false";
}
std::string print(const std::string& value) {
    return value;
}
std::string print(double value) {
    char text[64];
    return {text, std::to_chars(text, text + sizeof text, value, std::chars_format::fixed).ptr};
}
std::string print(Milliseconds value) {
    return std::to_string(value.count());
}
template <class T>
requires std::is_unsigned_v<T> std::string print(T value) {
    return std::to_string(value);
}

/// A setting for the value that `member` finds in a configuration.
template <class Member>
Setting setting(std::string key, Member member, Bounds bounds = {}) {
    return {
        std::move(key),
        [member, bounds](Configuration& c, std::string_view text) {
            return parse(member(c), text, bounds);
        },
        [member](const Configuration& c) { return print(member(const_cast<Configuration&>(c))); }};
}

template <class Listener>
void addListener(std::vector<Setting>& out, const std::string& section, Listener listener) {
    out.push_back(setting(section + ".enabled",
                          [=](Configuration& c) -> bool& { return listener(c).enabled; }));
    out.push_back(setting(section + ".address",
                          [=](Configuration& c) -> std::string& { return listener(c).address; }));
    out.push_back(setting(section + ".port",
                          [=](Configuration& c) -> std::uint16_t& { return listener(c).port; }));
    out.push_back(
        setting(section + ".connections-max",
                [=](Configuration& c) -> std::uint64_t& { return listener(c).connectionsMax; },
                {1, ~std::uint64_t{0}}));
    out.push_back(setting(section + ".certificate", [=](Configuration& c) -> std::string& {
        return listener(c).certificate;
    }));
    out.push_back(setting(section + ".key",
                          [=](Configuration& c) -> std::string& { return listener(c).key; }));
    out.push_back(setting(section + ".client-ca",
                          [=](Configuration& c) -> std::string& { return listener(c).clientCa; }));
    out.push_back(setting(section + ".client-crl",
                          [=](Configuration& c) -> std::string& { return listener(c).clientCrl; }));
    out.push_back(setting(
        section + ".client-certificate",
        [=](Configuration& c) -> ClientCertificate& { return listener(c).clientCertificate; }));
}

// One line a setting: the key, and where the value is.
#define BUSBAR_AT(member) [](Configuration& c) -> decltype((c.member)) { return c.member; }

void addLimits(std::vector<Setting>& out) {
    const Bounds some{1, ~std::uint64_t{0}};
    out.push_back(setting("stomp.body-bytes-max", BUSBAR_AT(stomp.bodyBytesMax), some));
    out.push_back(setting("stomp.prefetch", BUSBAR_AT(stomp.prefetch), some));
    out.push_back(setting("openwire.body-bytes-max", BUSBAR_AT(openwire.bodyBytesMax), some));
    out.push_back(setting("openwire.inactivity-ms", BUSBAR_AT(openwire.inactivity)));
    out.push_back(setting("amqp.body-bytes-max", BUSBAR_AT(amqp.bodyBytesMax), some));
    out.push_back(setting("amqp.credit", BUSBAR_AT(amqp.credit), {1, 1'000'000}));
    out.push_back(setting("amqp.idle-timeout-ms", BUSBAR_AT(amqp.idleTimeout), {0, 0x7fff'ffff}));
    out.push_back(setting("amqp.anonymous", BUSBAR_AT(amqp.anonymous)));
    out.push_back(setting("amqp.scram", BUSBAR_AT(amqp.scram)));
    out.push_back(setting("http.body-bytes-max", BUSBAR_AT(http.bodyBytesMax), some));
    out.push_back(setting("http.header-bytes-max", BUSBAR_AT(http.headerBytesMax), some));
    out.push_back(setting("http.idle-timeout-ms", BUSBAR_AT(http.idleTimeout), some));
    out.push_back(setting("limits.memory-bytes-max", BUSBAR_AT(memoryBytesMax), some));
    out.push_back(setting("limits.read-ahead-bytes", BUSBAR_AT(readAheadBytes), some));
    out.push_back(setting("limits.large-body-bytes", BUSBAR_AT(largeBodyBytes), some));
    out.push_back(setting("limits.large-body-bytes-max", BUSBAR_AT(largeBodyBytesMax), some));
    out.push_back(setting("limits.unconfirmed-bytes-max", BUSBAR_AT(unconfirmedBytesMax), some));
    out.push_back(setting("limits.subscription-bytes-max", BUSBAR_AT(subscriptionBytesMax), some));
    out.push_back(setting("limits.groups-max", BUSBAR_AT(groupsMax), some));
    out.push_back(setting("limits.queues-max", BUSBAR_AT(queuesMax), some));
    out.push_back(setting("limits.temporary-queues-max", BUSBAR_AT(temporaryQueuesMax), some));
    out.push_back(setting("limits.user-connections-max", BUSBAR_AT(userLimits.connectionsMax)));
    out.push_back(setting("limits.user-sends-per-second", BUSBAR_AT(userLimits.sendsPerSecond),
                          {0, 1'000'000'000}));
    out.push_back(setting("limits.user-bytes-max", BUSBAR_AT(userLimits.bytesMax)));
    out.push_back(setting("limits.prepared-max", BUSBAR_AT(preparedMax), some));
    out.push_back(setting("limits.prepared-bytes-max", BUSBAR_AT(preparedBytesMax), some));
    out.push_back(setting("limits.schedules-max", BUSBAR_AT(schedulesMax)));
    out.push_back(setting("limits.user-schedules-max", BUSBAR_AT(userSchedulesMax)));
    out.push_back(setting("limits.schedule-period-min-ms", BUSBAR_AT(schedulePeriodMin), some));
}

void addStorage(std::vector<Setting>& out) {
    out.push_back(
        setting("journal.segment-bytes", BUSBAR_AT(journal.segmentBytes), {65'536, 4ull << 30}));
    out.push_back(setting("journal.spares-max", BUSBAR_AT(journal.sparesMax)));
    out.push_back(setting("journal.live-factor", BUSBAR_AT(journal.liveFactor)));
    out.push_back(setting("journal.slack-bytes", BUSBAR_AT(journal.slackBytes)));
    out.push_back(setting("journal.lazy-sync-ms", BUSBAR_AT(journal.lazySyncDelay)));
    out.push_back(setting("journal.reserve-bytes", BUSBAR_AT(journal.reserveBytes)));
    out.push_back(setting("journal.bytes-max", BUSBAR_AT(journal.bytesMax)));
    out.push_back(setting("dedup.window-ms", BUSBAR_AT(dedupWindow)));
    out.push_back(setting("dedup.max", BUSBAR_AT(dedupMax), {1, ~std::uint64_t{0}}));
    out.push_back(setting("abandoned-subscriptions.unused-ms", BUSBAR_AT(abandoned.unusedMax)));
    out.push_back(
        setting("abandoned-subscriptions.messages-max", BUSBAR_AT(abandoned.messagesMax)));
    out.push_back(setting("abandoned-subscriptions.bytes-max", BUSBAR_AT(abandoned.bytesMax)));
    out.push_back(setting("queue-defaults.deliveries-max", BUSBAR_AT(queueDefaults.deliveriesMax)));
    out.push_back(setting("queue-defaults.messages-max", BUSBAR_AT(queueDefaults.messagesMax)));
    out.push_back(setting("queue-defaults.bytes-max", BUSBAR_AT(queueDefaults.bytesMax)));
    out.push_back(setting("queue-defaults.age-max-ms", BUSBAR_AT(queueDefaults.ageMax)));
    out.push_back(setting("queue-defaults.when-full", BUSBAR_AT(queueDefaults.whenFull)));
    out.push_back(setting("queue-defaults.durability", BUSBAR_AT(queueDefaults.keep)));
    out.push_back(
        setting("queue-defaults.park-failed-groups", BUSBAR_AT(queueDefaults.parkFailedGroups)));
    out.push_back(
        setting("queue-defaults.redelivery-delays-ms", BUSBAR_AT(queueDefaults.redeliveryDelays)));
    out.push_back(setting("queue-defaults.lease-ms", BUSBAR_AT(queueDefaults.lease), kLeaseBounds));
}

std::vector<Setting> makeSettings() {
    std::vector<Setting> out;
    out.push_back(setting("data", BUSBAR_AT(dataDirectory)));
    out.push_back(setting("io-threads", BUSBAR_AT(ioThreads), {1, 64}));
    out.push_back({"log-level",
                   [](Configuration& c, std::string_view text) -> Result<void> {
                       const bool known = text == "debug" || text == "info" || text == "warning" ||
                                          text == "error";
                       if (!known) return wrong(text, "debug, info, warning or error");
                       c.logLevel = text;
                       return {};
                   },
                   [](const Configuration& c) { return c.logLevel; }});
    addListener(out, "stomp", [](Configuration& c) -> ListenerConfiguration& { return c.stomp; });
    addListener(out, "openwire",
                [](Configuration& c) -> ListenerConfiguration& { return c.openwire; });
    addListener(out, "amqp", [](Configuration& c) -> ListenerConfiguration& { return c.amqp; });
    addListener(out, "http", [](Configuration& c) -> ListenerConfiguration& { return c.http; });
    addListener(out, "one-port",
                [](Configuration& c) -> ListenerConfiguration& { return c.onePort; });
    out.push_back(setting("one-port.tls-optional", BUSBAR_AT(onePort.tlsOptional)));
    out.push_back(setting("tls.watch-ms", BUSBAR_AT(tlsWatch)));
    out.push_back(setting("tls.common-name-is-user", BUSBAR_AT(certificateUsers.commonNameIsUser)));
    addLimits(out);
    addStorage(out);
    return out;
}

#undef BUSBAR_AT

}  // namespace

const std::vector<Setting>& allSettings() {
    static const std::vector<Setting> kSettings = makeSettings();
    return kSettings;
}

Result<void> setQueueOption(QueueOptions& options, std::string_view name, std::string_view value) {
    if (name == "deliveries-max") return parse(options.deliveriesMax, value, {});
    if (name == "messages-max") return parse(options.messagesMax, value, {});
    if (name == "bytes-max") return parse(options.bytesMax, value, {});
    if (name == "age-max-ms") return parse(options.ageMax, value, {});
    if (name == "when-full") return parse(options.whenFull, value, {});
    if (name == "durability") return parse(options.keep, value, {});
    if (name == "park-failed-groups") return parse(options.parkFailedGroups, value, {});
    if (name == "redelivery-delays-ms") return parse(options.redeliveryDelays, value, {});
    if (name == "lease-ms") return parse(options.lease, value, kLeaseBounds);
    return {ErrorCode::notFound, "queues have no option '" + std::string(name) + "'"};
}

std::vector<std::pair<std::string, std::string>> queueOptionAttributes(
    const QueueOptions& options) {
    return {{"deliveries-max", print(options.deliveriesMax)},
            {"messages-max", print(options.messagesMax)},
            {"bytes-max", print(options.bytesMax)},
            {"age-max-ms", print(options.ageMax)},
            {"when-full", print(options.whenFull)},
            {"durability", print(options.keep)},
            {"park-failed-groups", print(options.parkFailedGroups)},
            {"redelivery-delays-ms", print(options.redeliveryDelays)},
            {"lease-ms", print(options.lease)}};
}

}  // namespace busbar
