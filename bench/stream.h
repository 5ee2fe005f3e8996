// A non-blocking TCP stream with its buffers, and the poller that says which are ready.
#pragma once

#include "bus/base/result.h"

#include <sys/epoll.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace busbar::bench {

/// Monotonic, in nanoseconds.
std::uint64_t nowNs();

/// Owns a connected socket (Nagle off, non-blocking). The read buffer starts small and grows with
/// use, so that thousands of idle streams are cheap. One thread.
class Stream {
  public:
    explicit Stream(int fd);
    ~Stream();
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;

    /// Blocks until the connection stands. `host` is an IPv4 address.
    static Result<std::unique_ptr<Stream>> connectTo(const std::string& host, std::uint16_t port);

    int fd() const { return fd_; }

    /// Reads once. False: the other side closed, or an error; what came before stays in unread().
    bool read();
    /// What came and was not consumed; views stay good until the next read().
    std::string_view unread() const { return {in_.get() + inBegin_, inEnd_ - inBegin_}; }
    void consume(std::size_t bytes) { inBegin_ += bytes; }

    /// Bytes to write: append, then flush(). False: the connection is broken.
    std::string& out() { return out_; }
    std::size_t unwritten() const { return out_.size() - outBegin_; }
    bool flush();
    /// Writes once past the buffer (which has to be empty); returns how much went, -1: broken.
    long writeDirect(std::string_view bytes);

  private:
    int fd_;
    std::unique_ptr<char[]> in_;
    std::size_t inBytes_ = 0;
    std::size_t inBegin_ = 0;
    std::size_t inEnd_ = 0;
    std::string out_;
    std::size_t outBegin_ = 0;
};

/// Level-triggered epoll. Tags are handed back as they were given. One thread.
class Poller {
  public:
    Poller();
    ~Poller();
    Poller(const Poller&) = delete;
    Poller& operator=(const Poller&) = delete;

    void add(int fd, void* tag, std::uint32_t events = EPOLLIN);
    void change(int fd, void* tag, std::uint32_t events);
    void remove(int fd);
    /// Waits at most `timeoutNs`; the span is good until the next call.
    std::span<const epoll_event> wait(std::uint64_t timeoutNs);

  private:
    int fd_;
    std::vector<epoll_event> events_;
};

/// Lets the process open as many files as the system allows.
void raiseFileLimit();

}  // namespace busbar::bench
