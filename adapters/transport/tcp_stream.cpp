#include "adapters/transport/stream.h"

#include <boost/asio/buffer.hpp>

#include <array>
#include <span>

namespace busbar::transport {
namespace {

constexpr int kReadsPerTurn = 4;  // then the loop's other connections have their turn
constexpr std::size_t kSegmentsPerWrite = 64;

/// Waits for readiness and then reads into the loop's one buffer: an idle connection owns no buffer
/// at all.
class TcpStream final : public Stream {
  public:
    TcpStream(Tcp::socket socket, AsioLoop& loop, BusPort& bus,
              std::shared_ptr<StreamShared> shared, std::string remote)
        : Stream(loop, bus, std::move(shared), std::move(remote)), socket_(std::move(socket)) {}

    bool secure() const override { return false; }
    void start() override { open(); }

  protected:
    void armRead() override {
        socket_.async_wait(Tcp::socket::wait_read, [self = self()](error_code failed) {
            self->reading_ = false;
            if (!failed) self->readAll();
        });
    }

    void startWrite() override {
        while (outputPending() > 0) {
            error_code failed;
            Buffers buffers;
            const std::size_t count = gather(buffers);
            const std::size_t written =
                socket_.write_some(std::span(buffers.data(), count), failed);
            if (failed == asio::error::would_block || failed == asio::error::try_again)
                return waitToWrite();
            if (failed == asio::error::interrupted) continue;
            if (failed) return onWriteFailed();
            consume(written);
        }
        onAllWritten();
    }

    void sendEnd() override {
        error_code ignored;
        socket_.shutdown(Tcp::socket::shutdown_send, ignored);
    }

    void closeSocket() override {
        error_code ignored;
        socket_.close(ignored);
    }

  private:
    std::shared_ptr<TcpStream> self() {
        return std::static_pointer_cast<TcpStream>(shared_from_this());
    }

    void readAll() {
        for (int i = 0; i < kReadsPerTurn && !over_; ++i) {
            error_code failed;
            const std::size_t most = readBytesMax(AsioLoop::kReadBytes);
            const std::size_t size =
                socket_.read_some(asio::buffer(loop_.readBuffer(), most), failed);
            if (failed == asio::error::would_block || failed == asio::error::try_again) break;
            if (failed) return onEnd(failed == asio::error::eof);
            if (!onBytes({loop_.readBuffer(), size})) return;
            if (size < most) break;
        }
        readOn();
    }

    using Buffers = std::array<asio::const_buffer, kSegmentsPerWrite>;

    std::size_t gather(Buffers& buffers) const {
        std::size_t count = 0;
        std::size_t skip = frontWritten_;
        for (const Segment& segment : queue_) {
            if (count == kSegmentsPerWrite - 1) break;
            const auto part = segment.view().substr(std::exchange(skip, 0));
            buffers[count++] = asio::buffer(part.data(), part.size());
        }
        if (count < kSegmentsPerWrite && count == queue_.size() && !out_.empty()) {
            buffers[count++] = asio::buffer(out_.data(), out_.size());
        }
        return count;
    }

    void waitToWrite() {
        socket_.async_wait(Tcp::socket::wait_write, [self = self()](error_code failed) {
            if (failed || self->over_) return;
            self->startWrite();
            self->onOutputProgress();
        });
    }

    Tcp::socket socket_;
};

}  // namespace

std::shared_ptr<Stream> makeTcpStream(Tcp::socket socket, AsioLoop& loop, BusPort& bus,
                                      std::shared_ptr<StreamShared> shared, std::string remote) {
    return std::make_shared<TcpStream>(std::move(socket), loop, bus, std::move(shared),
                                       std::move(remote));
}

}  // namespace busbar::transport
