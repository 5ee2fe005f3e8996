// Private to adapters/transport: a listener's certificate, key and clients' CA, and their exchange
// while it runs.
#pragma once

#include "adapters/transport/transport.h"

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>

struct ssl_st;

namespace busbar::transport {

/// What handshakes need, loaded. Opaque, so that only tls_context.cpp and tls_stream.cpp compile
/// asio/ssl. Connections hold the one that they began with.
class TlsContext;
Result<std::shared_ptr<TlsContext>> loadTls(const TlsOptions& options);
/// Seconds since 1970 until which the certificate is valid.
std::int64_t expiryOf(TlsContext& context);

/// The peer's certificate after the handshake; nothing where none was shown and verified.
std::optional<PeerCertificate> peerCertificateOf(ssl_st* connection);

/// Problem: certificates are renewed every few weeks, connections last for months. So new
/// handshakes take the newest pair that could be loaded, and nothing else changes. Any thread.
class TlsKeeper {
  public:
    /// Loads for the first time.
    static Result<std::shared_ptr<TlsKeeper>> make(TlsOptions options);

    std::shared_ptr<TlsContext> current() const;
    /// As Listener::reloadTls.
    Result<bool> reload(bool always);
    TlsState state() const;

  private:
    /// Of one file: what changes when it is written or replaced.
    struct Stamp {
        std::int64_t seconds = 0;
        std::int64_t nanoseconds = 0;
        std::uint64_t inode = 0;
        std::int64_t size = -1;  ///< -1: there is none
        bool operator==(const Stamp&) const = default;
    };
    using Stamps = std::array<Stamp, 4>;

    explicit TlsKeeper(TlsOptions options) : options_(std::move(options)) {}
    static Stamp stampOf(const std::string& file);
    Stamps look() const;

    const TlsOptions options_;
    std::mutex loading_;        ///< one load at a time; taken before mutex_
    Stamps seen_{};             ///< guarded by loading_
    mutable std::mutex mutex_;  ///< guards what follows
    std::shared_ptr<TlsContext> current_;
    TlsState state_;
};

}  // namespace busbar::transport
