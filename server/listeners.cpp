#include "server/listeners.h"

#include "adapters/transport/detect.h"
#include "bus/base/log.h"
#include "bus/security/scrypt.h"

#include <algorithm>

namespace busbar {
namespace {

constexpr std::size_t kHighMark = 1u << 20;
constexpr std::size_t kFrameRoom = 1u << 20;  // of an OpenWire frame beside its body

ListenerOptions listenerOptions(const ListenerConfiguration& c) {
    ListenerOptions options;
    options.address = c.address;
    options.port = c.port;
    options.connectionsMax = static_cast<std::uint32_t>(c.connectionsMax);
    if (c.tls()) {
        options.tls = std::make_unique<TlsOptions>(
            TlsOptions{c.certificate, c.key, c.clientCa, c.clientCrl,
                       c.clientCertificate == ClientCertificate::wanted});
    }
    return options;
}

}  // namespace

Listeners::Listeners(const Configuration& c, http::Router& router, Authenticator& logins)
    : configuration_(c), router_(router), logins_(logins) {
    stomp_.bodyBytesMax = c.stomp.bodyBytesMax;
    stomp_.largeBodyBytes = c.largeBodyBytes;
    stomp_.largeBytesMax = c.largeBodyBytesMax;
    stomp_.prefetchDefault = static_cast<std::uint32_t>(c.stomp.prefetch);
    openwire_.brokerId = "busbar-" + randomToken(8);
    openwire_.bodyBytesMax = c.openwire.bodyBytesMax;
    openwire_.frameBytesMax =
        std::max<std::size_t>(openwire_.frameBytesMax, c.openwire.bodyBytesMax + kFrameRoom);
    openwire_.largeBodyBytes = c.largeBodyBytes;
    openwire_.inactivity = c.openwire.inactivity;
    amqp_.messageBytesMax = c.amqp.bodyBytesMax;
    amqp_.largeBodyBytes = c.largeBodyBytes;
    amqp_.largeBytesMax = c.largeBodyBytesMax;
    amqp_.producerCredit = static_cast<std::uint32_t>(c.amqp.credit);
    amqp_.idleTimeout = c.amqp.idleTimeout;
    amqp_.anonymous = c.amqp.anonymous;
    amqp_.scram = c.amqp.scram == OfferScram::always  ? amqp::Options::Scram::always
                  : c.amqp.scram == OfferScram::never ? amqp::Options::Scram::never
                                                      : amqp::Options::Scram::automatic;
}

HttpOptions Listeners::httpOptions() const {
    HttpOptions options;
    options.headerBytesMax = configuration_.http.headerBytesMax;
    options.bodyBytesMax = configuration_.http.bodyBytesMax;
    options.largeBodyBytes = configuration_.largeBodyBytes;
    options.idleTimeout = configuration_.http.idleTimeout;
    if (configuration_.stomp.enabled) {
        options.webSockets.push_back({"/ws/stomp",
                                      {"v12.stomp", "v11.stomp", "v10.stomp", "stomp"},
                                      true,
                                      stomp::makeFactory(stomp_, logins_)});
    }
    if (configuration_.amqp.enabled)
        options.webSockets.push_back(
            {"/ws/amqp", {"amqp"}, false, amqp::makeFactory(amqp_, logins_)});
    return options;
}

/// How connections of each protocol begin: AMQP 1.0 section 2.2; OpenWire: a WireFormatInfo behind
/// its size; STOMP: CONNECT or STOMP, perhaps behind line ends; HTTP: a method.
EngineFactory Listeners::detecting() const {
    return makeDetecting({{"amqp", 0, {"AMQP"}, amqp::makeFactory(amqp_, logins_)},
                          {"openwire",
                           4,
                           {"\x01"
                            "ActiveMQ"},
                           openwire::makeFactory(openwire_, logins_)},
                          {"stomp",
                           0,
                           {"CONNECT\n", "CONNECT\r", "STOMP\n", "STOMP\r", "\n", "\r"},
                           stomp::makeFactory(stomp_, logins_)},
                          {"http",
                           0,
                           {"GET ", "HEAD ", "POST ", "PUT ", "DELETE ", "PATCH ", "OPTIONS "},
                           makeHttpFactory(httpOptions(), router_, logins_),
                           0}},
                         ListenerOptions{}.loginTimeout);
}

Result<void> Listeners::add(const std::string& name, const ListenerConfiguration& configuration,
                            const std::vector<LoopPort>& loops, EngineFactory factory,
                            std::size_t outputHighMark) {
    if (!configuration.enabled) return {};
    ListenerOptions options = listenerOptions(configuration);
    options.outputHighMark = outputHighMark;
    options.tlsOptional = name == "one-port" && configuration_.onePort.tlsOptional;
    auto listener = listenStream(loops, std::move(options), std::move(factory));
    if (!listener) return listener.error();
    listeners_.emplace_back(name, std::move(*listener));
    return {};
}

Result<void> Listeners::open(const std::vector<LoopPort>& loops) {
    const Configuration& c = configuration_;
    auto done = add("stomp", c.stomp, loops, stomp::makeFactory(stomp_, logins_), kHighMark);
    if (done)
        done = add("openwire", c.openwire, loops, openwire::makeFactory(openwire_, logins_),
                   kHighMark);
    if (done) done = add("amqp", c.amqp, loops, amqp::makeFactory(amqp_, logins_), kHighMark);
    if (done)
        done = add("http", c.http, loops, makeHttpFactory(httpOptions(), router_, logins_), 0);
    if (done) done = add("one-port", c.onePort, loops, detecting(), 0);
    return done;
}

void Listeners::reloadTls(bool always) const {
    for (const auto& [name, listener] : listeners_) {
        const auto loaded = listener->reloadTls(always);
        if (!loaded)
            log::warning("tls", name + ": the certificate in force stays: " + loaded.error().text);
        else if (*loaded)
            log::info("tls", name + ": new connections get the certificate that was just loaded");
    }
}

std::vector<http::TlsNumbers> Listeners::tls() const {
    std::vector<http::TlsNumbers> out;
    for (const auto& [name, listener] : listeners_) {
        if (const auto state = listener->tlsState()) out.push_back({name, *state});
    }
    return out;
}

}  // namespace busbar
