// A client of the real listeners that speaks TLS.
#pragma once

#include "tests/support/certificates.h"
#include "tests/support/loop_fixture.h"

#include <cppunit/extensions/HelperMacros.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <memory>
#include <string>

namespace busbar::test {

/// A blocking TLS client that trusts the CA of `files`; shows the certificate `name` where given.
class TlsClient {
  public:
    TlsClient(std::uint16_t port, const Certificates& files, const std::string& name = {},
              const Certificates* namesFiles = nullptr)
        : client_(port), context_(SSL_CTX_new(TLS_client_method()), &SSL_CTX_free) {
        SSL_CTX_load_verify_locations(context_.get(), files.file("ca.pem").c_str(), nullptr);
        SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
        const auto& own = namesFiles ? *namesFiles : files;
        if (!name.empty()) {
            CPPUNIT_ASSERT_EQUAL(
                1, SSL_CTX_use_certificate_file(context_.get(), own.file(name + ".pem").c_str(),
                                                SSL_FILETYPE_PEM));
            CPPUNIT_ASSERT_EQUAL(
                1, SSL_CTX_use_PrivateKey_file(context_.get(), own.file(name + ".key").c_str(),
                                               SSL_FILETYPE_PEM));
        }
        ssl_.reset(SSL_new(context_.get()));
        SSL_set_fd(ssl_.get(), client_.socket());
        connected_ = SSL_connect(ssl_.get()) == 1;
    }
    bool connected() const { return connected_; }
    /// The CN of the server's certificate.
    std::string serverName() const {
        const std::unique_ptr<X509, decltype(&X509_free)> shown(
            SSL_get1_peer_certificate(ssl_.get()), &X509_free);
        char name[256] = "";
        if (shown)
            X509_NAME_get_text_by_NID(X509_get_subject_name(shown.get()), NID_commonName, name,
                                      sizeof name);
        return name;
    }
    void send(std::string_view bytes) {
        SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()));
    }
    /// Sends close_notify; the server may still send.
    void endSending() { SSL_shutdown(ssl_.get()); }
    std::string readUntil(char end) {
        std::string got;
        while (got.empty() || got.back() != end) {
            const auto next = readBytes(1);
            if (next.empty()) break;
            got += next;
        }
        return got;
    }
    /// Less where the server ends before.
    std::string readBytes(std::size_t size) {
        std::string got;
        char bytes[65536];
        while (got.size() < size) {
            const int n = SSL_read(ssl_.get(), bytes,
                                   static_cast<int>(std::min(sizeof bytes, size - got.size())));
            if (n <= 0) break;
            got.append(bytes, static_cast<std::size_t>(n));
        }
        return got;
    }

  private:
    Client client_;
    std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
    std::unique_ptr<SSL, decltype(&SSL_free)> ssl_{nullptr, &SSL_free};
    bool connected_ = false;
};

}  // namespace busbar::test
