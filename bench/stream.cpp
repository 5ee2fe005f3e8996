#include "bench/stream.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <system_error>

namespace busbar::bench {
namespace {

constexpr std::size_t kInBytesFirst = 4 << 10;
constexpr std::size_t kInBytesUsual = 256 << 10;

}  // namespace

std::uint64_t nowNs() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U +
           static_cast<std::uint64_t>(now.tv_nsec);
}

Stream::Stream(int fd) : fd_(fd) {
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

Stream::~Stream() {
    close(fd_);
}

Result<std::unique_ptr<Stream>> Stream::connectTo(const std::string& host, std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    if (inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1)
        return Error{ErrorCode::invalidArgument, "not an IPv4 address: " + host};
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return Error{ErrorCode::limitReached, "socket: " + std::generic_category().message(errno)};
    if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        const std::string text = std::generic_category().message(errno);
        close(fd);
        return Error{ErrorCode::unavailable,
                     "connect to " + host + ":" + std::to_string(port) + ": " + text};
    }
    return std::make_unique<Stream>(fd);
}

bool Stream::read() {
    if (inBegin_ != 0) {
        std::memmove(in_.get(), in_.get() + inBegin_, inEnd_ - inBegin_);
        inEnd_ -= inBegin_;
        inBegin_ = 0;
    }
    if (inEnd_ == inBytes_) {
        const std::size_t bytes =
            inBytes_ == 0 ? kInBytesFirst : std::max(kInBytesUsual, inBytes_ * 2);
        auto grown = std::make_unique_for_overwrite<char[]>(bytes);
        std::copy_n(in_.get(), inEnd_, grown.get());
        in_ = std::move(grown);
        inBytes_ = bytes;
    }
    const ssize_t got = recv(fd_, in_.get() + inEnd_, inBytes_ - inEnd_, 0);
    if (got > 0) inEnd_ += static_cast<std::size_t>(got);
    return got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
}

long Stream::writeDirect(std::string_view bytes) {
    const ssize_t put = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (put >= 0) return put;
    return errno == EAGAIN || errno == EINTR ? 0 : -1;
}

bool Stream::flush() {
    if (unwritten() == 0) return true;
    const long put = writeDirect(std::string_view(out_).substr(outBegin_));
    if (put < 0) return false;
    outBegin_ += static_cast<std::size_t>(put);
    if (outBegin_ == out_.size()) {
        out_.clear();
        outBegin_ = 0;
    } else if (outBegin_ > kInBytesUsual) {
        out_.erase(0, outBegin_);
        outBegin_ = 0;
    }
    return true;
}

Poller::Poller() : fd_(epoll_create1(EPOLL_CLOEXEC)), events_(256) {}
Poller::~Poller() {
    close(fd_);
}

void Poller::add(int fd, void* tag, std::uint32_t events) {
    epoll_event event{.events = events, .data = {.ptr = tag}};
    epoll_ctl(fd_, EPOLL_CTL_ADD, fd, &event);
}

void Poller::change(int fd, void* tag, std::uint32_t events) {
    epoll_event event{.events = events, .data = {.ptr = tag}};
    epoll_ctl(fd_, EPOLL_CTL_MOD, fd, &event);
}

void Poller::remove(int fd) {
    epoll_ctl(fd_, EPOLL_CTL_DEL, fd, nullptr);
}

std::span<const epoll_event> Poller::wait(std::uint64_t timeoutNs) {
    const timespec timeout{.tv_sec = static_cast<time_t>(timeoutNs / 1'000'000'000U),
                           .tv_nsec = static_cast<long>(timeoutNs % 1'000'000'000U)};
    const int count =
        epoll_pwait2(fd_, events_.data(), static_cast<int>(events_.size()), &timeout, nullptr);
    return {events_.data(), static_cast<std::size_t>(std::max(count, 0))};
}

void raiseFileLimit() {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace busbar::bench
