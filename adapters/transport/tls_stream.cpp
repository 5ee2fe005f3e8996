#include "adapters/transport/stream.h"
#include "adapters/transport/tls_native.h"
#include "bus/base/log.h"

#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>

namespace busbar::transport {

namespace {

constexpr std::size_t kRecordBytes = 16 * 1024;
constexpr std::size_t kWriteBytesMax = 256 * 1024;

/// Reads into a buffer of its own and writes a stable copy: OpenSSL's asynchronous operations need
/// both.
class TlsStream final : public Stream {
  public:
    TlsStream(std::shared_ptr<TlsContext> tls, Tcp::socket socket, AsioLoop& loop, BusPort& bus,
              std::shared_ptr<StreamShared> shared, std::string remote)
        : Stream(loop, bus, std::move(shared), std::move(remote)),
          tls_(std::move(tls)),
          socket_(std::move(socket), tls_->context) {}

    bool secure() const override { return true; }
    const PeerCertificate* peerCertificate() const override { return peer_ ? &*peer_ : nullptr; }

    void start() override {
        limitTo(shared_->options.loginTimeout);
        socket_.async_handshake(asio::ssl::stream_base::server, [self = self()](error_code failed) {
            if (self->over_) return;
            if (failed) {
                log::info("transport",
                          self->remote() + ": TLS handshake failed: " + failed.message());
                return self->abandon();
            }
            self->peer_ = peerCertificateOf(self->socket_.native_handle());
            self->open();
        });
    }

  protected:
    void armRead() override {
        if (!input_) input_ = std::make_unique_for_overwrite<char[]>(kRecordBytes);
        socket_.async_read_some(asio::buffer(input_.get(), readBytesMax(kRecordBytes)),
                                [self = self()](error_code failed, std::size_t size) {
                                    self->reading_ = false;
                                    if (self->over_) return;
                                    if (failed) return self->onEnd(failed == asio::error::eof);
                                    if (self->onBytes({self->input_.get(), size})) self->readOn();
                                });
    }

    void startWrite() override {
        queueOutput();
        writingBytes_.clear();
        std::size_t skip = frontWritten_;
        for (const Segment& segment : queue_) {
            writingBytes_ += segment.view().substr(std::exchange(skip, 0));
            if (writingBytes_.size() >= kWriteBytesMax) break;
        }
        asio::async_write(socket_, asio::buffer(writingBytes_),
                          [self = self()](error_code failed, std::size_t size) {
                              if (self->over_) return;
                              if (failed) return self->onWriteFailed();
                              self->consume(size);
                              self->outputPending() > 0 ? self->startWrite() : self->onAllWritten();
                              self->onOutputProgress();
                          });
    }

    void sendEnd() override {
        // close_notify goes out; the peer's is not waited for beyond the linger time.
        socket_.async_shutdown([self = self()](error_code) {
            error_code ignored;
            self->socket_.lowest_layer().shutdown(Tcp::socket::shutdown_send, ignored);
            self->abandon();
        });
    }

    void closeSocket() override {
        error_code ignored;
        socket_.lowest_layer().close(ignored);
    }

  private:
    std::shared_ptr<TlsStream> self() {
        return std::static_pointer_cast<TlsStream>(shared_from_this());
    }

    std::shared_ptr<TlsContext> tls_;
    asio::ssl::stream<Tcp::socket> socket_;
    std::optional<PeerCertificate> peer_;
    std::unique_ptr<char[]> input_;
    std::string writingBytes_;
};

}  // namespace

std::shared_ptr<Stream> makeTlsStream(std::shared_ptr<TlsContext> tls, Tcp::socket socket,
                                      AsioLoop& loop, BusPort& bus,
                                      std::shared_ptr<StreamShared> shared, std::string remote) {
    return std::make_shared<TlsStream>(std::move(tls), std::move(socket), loop, bus,
                                       std::move(shared), std::move(remote));
}

}  // namespace busbar::transport
