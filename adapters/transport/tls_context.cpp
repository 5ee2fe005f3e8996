#include "adapters/transport/tls_context.h"

#include "adapters/transport/tls_native.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <algorithm>

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

Result<void> loadRevocations(SSL_CTX* context, const std::string& file) {
    X509_STORE* store = SSL_CTX_get_cert_store(context);
    X509_LOOKUP* lookup = X509_STORE_add_lookup(store, X509_LOOKUP_file());
    if (!lookup || X509_load_crl_file(lookup, file.c_str(), X509_FILETYPE_PEM) < 1) {
        ERR_clear_error();
        return cannotLoad("certificates taken back (CRL)", file, "no list is in it");
    }
    X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
    return {};
}

Result<void> loadClients(asio::ssl::context& context, const TlsOptions& options) {
    error_code failed;
    if (context.load_verify_file(options.clientCaFile, failed); failed)
        return cannotLoad("clients' CA", options.clientCaFile, failed.message());
    // Clients with several certificates choose by the names that they are told.
    SSL_CTX_set_client_CA_list(context.native_handle(),
                               SSL_load_client_CA_file(options.clientCaFile.c_str()));
    auto mode = asio::ssl::verify_peer;
    if (!options.clientsMayDoWithout) mode |= asio::ssl::verify_fail_if_no_peer_cert;
    context.set_verify_mode(mode, failed);
    forgetSessions(context.native_handle());
    if (options.clientCrlFile.empty()) return {};
    return loadRevocations(context.native_handle(), options.clientCrlFile);
}

/// "YYYYMMDD" and so on, of UTC, as seconds since 1970.
std::int64_t toSeconds(const ASN1_TIME* time) {
    std::tm parts{};
    if (!time || ASN1_TIME_to_tm(time, &parts) != 1) return 0;
    return static_cast<std::int64_t>(::timegm(&parts));
}

// ---- what a certificate says

std::string toText(const ASN1_STRING* string) {
    unsigned char* utf8 = nullptr;
    const int size = ASN1_STRING_to_UTF8(&utf8, string);
    if (size < 0) return {};
    std::string text(reinterpret_cast<const char*>(utf8), static_cast<std::size_t>(size));
    OPENSSL_free(utf8);
    return text;
}

/// As `openssl x509 -noout -subject -nameopt RFC2253` prints it.
std::string subjectOf(const X509_NAME* name) {
    const std::unique_ptr<BIO, decltype(&BIO_free)> out(BIO_new(BIO_s_mem()), &BIO_free);
    if (!out || X509_NAME_print_ex(out.get(), name, 0, XN_FLAG_RFC2253) < 0) return {};
    char* bytes = nullptr;
    const long size = BIO_get_mem_data(out.get(), &bytes);
    return {bytes, static_cast<std::size_t>(std::max(0L, size))};
}

std::string commonNameOf(const X509_NAME* name) {
    const int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
    if (at < 0 || X509_NAME_get_index_by_NID(name, NID_commonName, at) >= 0) return {};
    return toText(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
}

std::string alternativeOf(const GENERAL_NAME* name) {
    int type = 0;
    const void* value = GENERAL_NAME_get0_value(name, &type);
    const char* const prefix = type == GEN_DNS     ? "DNS:"
                               : type == GEN_EMAIL ? "email:"
                               : type == GEN_URI   ? "URI:"
                                                   : nullptr;
    return prefix ? prefix + toText(static_cast<const ASN1_STRING*>(value)) : std::string();
}

std::vector<std::string> alternativesOf(const X509* certificate) {
    std::vector<std::string> out;
    const std::unique_ptr<GENERAL_NAMES, decltype(&GENERAL_NAMES_free)> names(
        static_cast<GENERAL_NAMES*>(
            X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)),
        &GENERAL_NAMES_free);
    for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
        auto text = alternativeOf(sk_GENERAL_NAME_value(names.get(), i));
        if (!text.empty()) out.push_back(std::move(text));
    }
    return out;
}

}  // namespace

std::optional<PeerCertificate> peerCertificateOf(ssl_st* connection) {
    if (SSL_get_verify_mode(connection) == SSL_VERIFY_NONE) return {};
    const X509* shown = SSL_get0_peer_certificate(connection);
    if (!shown || SSL_get_verify_result(connection) != X509_V_OK) return {};
    const X509_NAME* subject = X509_get_subject_name(shown);
    return PeerCertificate{subjectOf(subject), commonNameOf(subject), alternativesOf(shown)};
}

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
    return {stampOf(options_.certificateFile), stampOf(options_.keyFile),
            stampOf(options_.clientCaFile), stampOf(options_.clientCrlFile)};
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
