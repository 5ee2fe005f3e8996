#include "adapters/transport/tls_context.h"

#include "adapters/transport/tls_native.h"

#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/stat.h>

namespace busbar::transport {
namespace {

using boost::system::error_code;

/// A key behind a passphrase would ask at the terminal, which nobody sits at.
int noPassphrase(char*, int, int, void*) {
    return 0;
}

Error cannotLoad(const char* what, const std::string& file, const std::string& why) {
    return {ErrorCode::invalidArgument, std::string("TLS: cannot load the ") + what + " from '" +
                                            file + "': " + why + " (PEM expected)"};
}

Result<void> loadPair(asio::ssl::context& context, const TlsOptions& options) {
    error_code failed;
    SSL_CTX_set_default_passwd_cb(context.native_handle(), noPassphrase);
    if (context.use_certificate_chain_file(options.certificateFile, failed); failed)
        return cannotLoad("certificate", options.certificateFile, failed.message());
    // Says so itself where the key is not that of the certificate.
    if (context.use_private_key_file(options.keyFile, asio::ssl::context::pem, failed); failed)
        return cannotLoad("private key", options.keyFile, failed.message());
    if (SSL_CTX_check_private_key(context.native_handle()) != 1) {
        return {ErrorCode::invalidArgument, "TLS: the key in '" + options.keyFile +
                                                "' does not belong to the certificate in '" +
                                                options.certificateFile + "'"};
    }
    return {};
}

/// Sessions are not resumed where clients show certificates: each handshake checks anew whether the
/// certificate is still good.
void forgetSessions(SSL_CTX* context) {
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(context, 0);
}

Result<void> loadClients(asio::ssl::context& context, const TlsOptions& options) {
    error_code failed;
    if (context.load_verify_file(options.clientCaFile, failed); failed)
        return cannotLoad("clients' CA", options.clientCaFile, failed.message());
    context.set_verify_mode(asio::ssl::verify_peer | asio::ssl::verify_fail_if_no_peer_cert,
                            failed);
    forgetSessions(context.native_handle());
    return {};
}

/// "YYYYMMDD" and so on, of UTC, as seconds since 1970.
std::int64_t toSeconds(const ASN1_TIME* time) {
    std::tm parts{};
    if (!time || ASN1_TIME_to_tm(time, &parts) != 1) return 0;
    return static_cast<std::int64_t>(::timegm(&parts));
}

}  // namespace

Result<std::shared_ptr<TlsContext>> loadTls(const TlsOptions& options) {
    auto tls = std::make_shared<TlsContext>();
    asio::ssl::context& context = tls->context;
    SSL_CTX_set_min_proto_version(context.native_handle(), TLS1_2_VERSION);
    SSL_CTX_set_mode(context.native_handle(),
                     SSL_MODE_RELEASE_BUFFERS);  // idle connections hold none
    if (auto loaded = loadPair(context, options); !loaded) return loaded.error();
    if (options.clientCaFile.empty()) return tls;
    if (auto loaded = loadClients(context, options); !loaded) return loaded.error();
    return tls;
}

std::int64_t expiryOf(TlsContext& context) {
    const X509* own = SSL_CTX_get0_certificate(context.context.native_handle());
    return own ? toSeconds(X509_get0_notAfter(own)) : 0;
}

// ---- the keeper

TlsKeeper::Stamp TlsKeeper::stampOf(const std::string& file) {
    struct stat found {};
    if (file.empty() || ::stat(file.c_str(), &found) != 0) return {};
    return {found.st_mtim.tv_sec, found.st_mtim.tv_nsec, found.st_ino, found.st_size};
}

TlsKeeper::Stamps TlsKeeper::look() const {
    return {stampOf(options_.certificateFile),
            stampOf(options_.keyFile),
            stampOf(options_.clientCaFile),
            {}};
}

Result<std::shared_ptr<TlsKeeper>> TlsKeeper::make(TlsOptions options) {
    auto keeper = std::shared_ptr<TlsKeeper>(new TlsKeeper(std::move(options)));
    keeper->seen_ = keeper->look();
    auto loaded = loadTls(keeper->options_);
    if (!loaded) return loaded.error();
    keeper->state_.expiresAt = expiryOf(**loaded);
    keeper->current_ = std::move(*loaded);
    return keeper;
}

std::shared_ptr<TlsContext> TlsKeeper::current() const {
    const std::lock_guard lock(mutex_);
    return current_;
}

TlsState TlsKeeper::state() const {
    const std::lock_guard lock(mutex_);
    return state_;
}

/// What is written while it is read here has another stamp next time, and is read again.
Result<bool> TlsKeeper::reload(bool always) {
    const std::lock_guard loading(loading_);
    const Stamps now = look();
    if (!always && now == seen_) return false;
    seen_ = now;
    auto loaded = loadTls(options_);
    const std::lock_guard lock(mutex_);
    if (!loaded) {
        ++state_.failures;
        return loaded.error();
    }
    ++state_.reloads;
    state_.expiresAt = expiryOf(**loaded);
    current_ = std::move(*loaded);
    return true;
}

}  // namespace busbar::transport
