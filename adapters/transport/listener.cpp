#include "adapters/transport/stream.h"
#include "bus/base/log.h"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <limits>
#include <set>

namespace busbar::transport {
namespace {

constexpr Milliseconds kAcceptPause{100};
constexpr char kTlsHandshake = 22;
constexpr int kUserTimeoutMs = 60'000;  // unacknowledged bytes for so long: the peer is gone

/// The store must be able to open its files, however many clients there are: a journal that cannot
/// ends the daemon.
constexpr rlim_t kDescriptorsKept = 64;

std::uint64_t descriptorsForClients() {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return std::numeric_limits<std::uint64_t>::max();
    return limit.rlim_cur > 2 * kDescriptorsKept ? limit.rlim_cur - kDescriptorsKept
                                                 : limit.rlim_cur / 2;
}

std::string toText(const Tcp::endpoint& endpoint) {
    const auto address = endpoint.address();
    const std::string host =
        address.is_v6() ? "[" + address.to_string() + "]" : address.to_string();
    return host + ":" + std::to_string(endpoint.port());
}

/// Accepts on the first loop and hands sockets round to all. Held by its pending accept, so that
/// the public Listener may be destroyed on any thread.
class Acceptor : public StreamShared, public std::enable_shared_from_this<Acceptor> {
  public:
    Acceptor(std::vector<LoopPort> loopPorts, std::shared_ptr<TlsKeeper> tlsKeeper)
        : loops(std::move(loopPorts)),
          tls(std::move(tlsKeeper)),
          open_(loops.size()),
          undecided_(loops.size()),
          acceptor_(asioLoop(*loops.front().loop).context()) {}

    Result<void> listen() {
        error_code failed;
        const auto address = asio::ip::make_address(options.address, failed);
        if (failed) {
            return {ErrorCode::invalidArgument, "cannot listen on '" + options.address +
                                                    "': an IPv4 or IPv6 address is expected"};
        }
        const Tcp::endpoint endpoint(address, options.port);
        acceptor_.open(endpoint.protocol(), failed);
        if (!failed) acceptor_.set_option(Tcp::acceptor::reuse_address(true), failed);
        if (!failed) acceptor_.bind(endpoint, failed);
        if (!failed) acceptor_.listen(4096, failed);
        if (failed) {
            const bool taken = failed == asio::error::address_in_use;
            return {taken ? ErrorCode::inUse : ErrorCode::unavailable,
                    "cannot listen on " + toText(endpoint) + ": " + failed.message()};
        }
        port = acceptor_.local_endpoint(failed).port();
        return {};
    }

    void accept() {
        if (!acceptor_.is_open()) return;
        const std::size_t at = next_++ % loops.size();
        AsioLoop& target = asioLoop(*loops[at].loop);
        acceptor_.async_accept(target.context(), [self = shared_from_this(), at](
                                                     error_code failed, Tcp::socket socket) {
            self->onAccept(failed, std::move(socket), at);
        });
    }

    void closeListening() {
        error_code ignored;
        acceptor_.close(ignored);
    }

    /// Any thread: runs `task` on the accepting loop, or here where that loop does not run.
    void onFirstLoop(std::function<void()> task) {
        AsioLoop& first = asioLoop(*loops.front().loop);
        first.here() || !first.running() ? task() : first.post(std::move(task));
    }

    void drainAll(const std::string& why) {
        for (std::size_t i = 0; i < loops.size(); ++i) {
            loops[i].loop->post([self = shared_from_this(), i, why] {
                for (const auto& weak : self->open_[i]) {
                    if (const auto stream = weak.second.lock()) stream->drain(why);
                }
                error_code ignored;
                for (const auto& waiting : self->undecided_[i]) waiting->socket.close(ignored);
            });
        }
    }

    std::vector<LoopPort> loops;
    const std::shared_ptr<TlsKeeper> tls;
    std::uint16_t port = 0;

  private:
    void onAccept(error_code failed, Tcp::socket socket, std::size_t at) {
        if (failed == asio::error::operation_aborted) return;
        if (failed) {
            // Out of descriptors, as a rule: the connection stays in the backlog until some are
            // free again.
            log::warning("transport", "cannot accept connections now: " + failed.message());
            loops.front().loop->postAfter(kAcceptPause,
                                          [self = shared_from_this()] { self->accept(); });
            return;
        }
        if (const auto why = refusal(socket); !why.empty()) {
            log::warning("transport", "connection refused: " + why);
        } else {
            ++connections;  // counted while it is handed over, so that a burst cannot pass the
                            // limit
            asioLoop(*loops[at].loop)
                .post([self = shared_from_this(), at,
                       moved = std::make_shared<Tcp::socket>(std::move(socket))] {
                    self->startStream(std::move(*moved), at);
                    --self->connections;
                });
        }
        accept();
    }

    /// Why the connection is not taken; empty where it is.
    std::string refusal(Tcp::socket& socket) const {
        if (connections >= options.connectionsMax)
            return std::to_string(options.connectionsMax) + " are open on port " +
                   std::to_string(port);
        // Descriptors are given out from the lowest on: this one says how many are in use.
        const std::uint64_t most = descriptorsForClients();
        if (static_cast<std::uint64_t>(socket.native_handle()) < most) return {};
        return "all of the " + std::to_string(most) +
               " open files that clients may have are in use; raise the limit (ulimit -n, "
               "LimitNOFILE)";
    }

    void startStream(Tcp::socket socket, std::size_t at) {
        error_code failed;
        const auto remote = socket.remote_endpoint(failed);
        if (failed) return;  // gone already
        socket.set_option(Tcp::no_delay(true), failed);
        socket.set_option(asio::socket_base::keep_alive(true), failed);
        ::setsockopt(socket.native_handle(), IPPROTO_TCP, TCP_USER_TIMEOUT, &kUserTimeoutMs,
                     sizeof(int));
        socket.non_blocking(true, failed);
        if (tls && options.tlsOptional) return lookFirst(std::move(socket), at, toText(remote));
        carry(std::move(socket), at, toText(remote), tls != nullptr);
    }

    /// A socket of which the first byte is not known yet.
    struct Undecided {
        Undecided(Tcp::socket accepted, Milliseconds limit)
            : socket(std::move(accepted)), timer(socket.get_executor(), limit) {}
        Tcp::socket socket;
        asio::steady_timer timer;
    };

    /// RFC 8446, 5.1: TLS begins with a record of type handshake; no protocol of ours does.
    void lookFirst(Tcp::socket socket, std::size_t at, std::string remote) {
        auto waiting = std::make_shared<Undecided>(std::move(socket), options.loginTimeout);
        ++connections;
        undecided_[at].insert(waiting);
        waiting->timer.async_wait([waiting](error_code failed) {
            error_code ignored;
            if (!failed) waiting->socket.close(ignored);
        });
        waiting->socket.async_wait(
            Tcp::socket::wait_read, [self = shared_from_this(), waiting, at,
                                     remote = std::move(remote)](error_code failed) {
                --self->connections;
                self->undecided_[at].erase(waiting);
                waiting->timer.cancel();
                char first = 0;
                const auto got =
                    failed ? -1 : ::recv(waiting->socket.native_handle(), &first, 1, MSG_PEEK);
                if (got == 1)
                    self->carry(std::move(waiting->socket), at, remote, first == kTlsHandshake);
            });
    }

    void carry(Tcp::socket socket, std::size_t at, const std::string& remote, bool secure) {
        AsioLoop& loop = asioLoop(*loops[at].loop);
        auto stream = secure ? makeTlsStream(tls->current(), std::move(socket), loop,
                                             *loops[at].bus, shared_from_this(), remote)
                             : makeTcpStream(std::move(socket), loop, *loops[at].bus,
                                             shared_from_this(), remote);
        remember(at, stream);
        loop.adopt(stream);
        stream->start();
    }

    /// Streams that are gone are swept when as many were added as were there.
    void remember(std::size_t at, const std::shared_ptr<Stream>& stream) {
        auto& open = open_[at];
        open[stream.get()] = stream;
        if (open.size() < 64 || open.size() < 2 * connections) return;
        std::erase_if(open, [](const auto& entry) { return entry.second.expired(); });
    }

    /// By loop; each touched on its loop only.
    std::vector<std::unordered_map<Stream*, std::weak_ptr<Stream>>> open_;
    std::vector<std::set<std::shared_ptr<Undecided>>> undecided_;
    Tcp::acceptor acceptor_;
    std::size_t next_ = 0;
};

class StreamListener final : public Listener {
  public:
    explicit StreamListener(std::shared_ptr<Acceptor> acceptor) : acceptor_(std::move(acceptor)) {}
    ~StreamListener() override { closeListening(); }

    std::uint16_t port() const override { return acceptor_->port; }
    std::size_t connections() const override { return acceptor_->connections; }
    void drain(std::string_view why) override {
        closeListening();
        acceptor_->drainAll(std::string(why));
    }
    Result<bool> reloadTls(bool always) override {
        if (!acceptor_->tls) return false;
        return acceptor_->tls->reload(always);
    }
    std::optional<TlsState> tlsState() const override {
        if (!acceptor_->tls) return {};
        return acceptor_->tls->state();
    }

  private:
    void closeListening() {
        acceptor_->onFirstLoop([acceptor = acceptor_] { acceptor->closeListening(); });
    }

    std::shared_ptr<Acceptor> acceptor_;
};

}  // namespace
}  // namespace busbar::transport

namespace busbar {

Result<std::unique_ptr<Listener>> listenStream(std::vector<LoopPort> loops, ListenerOptions options,
                                               EngineFactory factory) {
    using namespace transport;
    std::shared_ptr<TlsKeeper> tls;
    if (options.tls) {
        auto loaded = TlsKeeper::make(*options.tls);
        if (!loaded) return loaded.error();
        tls = *loaded;
    }
    auto acceptor = std::make_shared<Acceptor>(std::move(loops), std::move(tls));
    acceptor->options = std::move(options);
    acceptor->factory = std::move(factory);
    if (auto listening = acceptor->listen(); !listening) return listening.error();
    acceptor->onFirstLoop([acceptor] { acceptor->accept(); });
    return std::unique_ptr<Listener>(std::make_unique<StreamListener>(std::move(acceptor)));
}

}  // namespace busbar
