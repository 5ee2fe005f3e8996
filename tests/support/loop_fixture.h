// A real event loop on a thread of its own, and a blocking socket to talk with what listens on it.
#pragma once

#include "adapters/transport/transport.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <future>
#include <stdexcept>
#include <string>
#include <thread>

namespace busbar::test {

/// A bus port that has a loop and a clock, and no bus.
class LoopOnlyBus final : public BusPort {
  public:
    explicit LoopOnlyBus(Executor& loop) : loop_(loop) {}
    SessionId newSession(SessionListener&) override { return SessionId(1); }
    void submit(Command) override {}
    void close(SessionId) override {}
    Executor& executor() override { return loop_; }
    const Clock& clock() const override { return clock_; }

  private:
    Executor& loop_;
    SystemClock clock_;
};

/// Runs from construction to stop() or destruction.
class RunningLoop {
  public:
    RunningLoop() : thread_([this] { loop->run(); }) {}
    ~RunningLoop() { stop(); }
    void stop() {
        loop->stop();
        if (thread_.joinable()) thread_.join();
    }
    LoopPort port() { return {loop.get(), &bus}; }
    /// Runs `task` on the loop and waits for it.
    template <class Task>
    auto on(Task task) -> decltype(task()) {
        std::packaged_task<decltype(task())()> packaged(std::move(task));
        auto done = packaged.get_future();
        loop->post([&packaged] { packaged(); });
        return done.get();
    }

    std::unique_ptr<EventLoop> loop = EventLoop::make();
    LoopOnlyBus bus{*loop};

  private:
    std::thread thread_;
};

/// A blocking TCP client; every read gives up after 10 s.
class Client {
  public:
    explicit Client(std::uint16_t port, int receiveBuffer = 0)
        : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
        if (receiveBuffer > 0)
            ::setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &receiveBuffer, sizeof(int));
        const timeval limit{10, 0};
        ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
            throw std::runtime_error("cannot connect");
        }
    }
    ~Client() { ::close(socket_); }
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    void send(std::string_view bytes) {
        while (!bytes.empty()) {
            const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent <= 0) return;
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        }
    }
    int socket() const { return socket_; }
    void endSending() { ::shutdown(socket_, SHUT_WR); }
    /// Until `mark` has come or the peer closed.
    std::string readUntil(std::string_view mark) {
        while (read_.find(mark) == std::string::npos && more()) {
        }
        const std::size_t end = read_.find(mark);
        return take(end == std::string::npos ? read_.size() : end + mark.size());
    }
    std::string readBytes(std::size_t size) {
        while (read_.size() < size && more()) {
        }
        return take(std::min(size, read_.size()));
    }
    /// Until the peer closes. "TIMEOUT" is appended where it does not.
    std::string readAll() {
        while (more()) {
        }
        return take(read_.size()) + (closed_ ? "" : "TIMEOUT");
    }

  private:
    bool more() {
        char bytes[16384];
        const ssize_t size = ::recv(socket_, bytes, sizeof bytes, 0);
        closed_ = size == 0 || (size < 0 && errno == ECONNRESET);
        if (size > 0) read_.append(bytes, static_cast<std::size_t>(size));
        return size > 0;
    }
    std::string take(std::size_t size) {
        std::string out = read_.substr(0, size);
        read_.erase(0, size);
        return out;
    }

    int socket_;
    std::string read_;
    bool closed_ = false;
};

}  // namespace busbar::test
