// A SOAP provider somewhere else, as the consumer of a service's request queue.
//
// Problem: a provider that is down, slow or restarting must not lose a request or answer one twice.
// So the request stays on NAME.request until its reply is stored: reply and acknowledgement are one
// unit of work (CommitTransaction), and a provider that cannot be reached is tried again, later and
// later, until the request expires.
#pragma once

#include "adapters/soap/names.h"
#include "adapters/transport/transport.h"
#include "bus/loop/bus_port.h"

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

namespace busbar::soap {

struct ProviderOptions {
    std::string service;  ///< consumes SERVICE.request
    std::string url;      ///< http:// or https://
    Version version =
        Version::v11;              ///< of the requests on the queue: for faults that the bus makes
    Milliseconds timeout{30'000};  ///< of one exchange, and never beyond the request's expiration
    std::uint32_t concurrency = 16;
    Milliseconds retryMin{100};
    Milliseconds retryMax{5'000};
    /// What the request queue is made with; nothing where it is configured by its name. Without a
    /// limit of deliveries: a provider may be down, or busy, for long.
    std::optional<QueueOptions> requestQueue = withoutLimit({});

    static QueueOptions withoutLimit(QueueOptions options) {
        options.deliveriesMax = 0;
        return options;
    }
    std::uint64_t responseBytesMax = 16u << 20;
};

/// Calls one provider URL, with header `Idempotency-Key: MESSAGE-ID` on each try. Loop-only: made,
/// started, closed and destroyed on the port's loop. `port` and `client` outlive it; the client
/// must be done with its requests, or be destroyed, before the provider's memory is given away -
/// answers that come later are ignored.
class HttpProvider {
  public:
    HttpProvider(BusPort& port, HttpClient& client, ProviderOptions options);
    ~HttpProvider();
    HttpProvider(const HttpProvider&) = delete;
    HttpProvider& operator=(const HttpProvider&) = delete;

    /// Makes the service's channel pair and subscribes to the requests. Once.
    void start();
    /// Ends the session: requests under way return to the queue. Calling it twice is fine.
    void close();

  private:
    class Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace busbar::soap
