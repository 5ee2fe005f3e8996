// Private to adapters/transport: the Asio side of EventLoop.
#pragma once

#include "adapters/transport/transport.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <atomic>
#include <memory>
#include <thread>
#include <unordered_map>

namespace busbar::transport {

namespace asio = boost::asio;

/// What lives on a loop until it is done or the loop ends: connections.
class LoopObject {
  public:
    virtual ~LoopObject() = default;
};

/// The only EventLoop there is. Owns its connections, so that they end before the io_context does.
class AsioLoop final : public EventLoop {
  public:
    AsioLoop();
    ~AsioLoop() override;

    void post(Task task) override;
    void postAfter(Milliseconds delay, Task task) override;
    bool here() const override { return runner_.load() == std::this_thread::get_id(); }
    void run() override;
    void stop() override;

    asio::io_context& context() { return context_; }
    /// True while a thread is inside run().
    bool running() const { return runner_.load() != std::thread::id(); }

    /// Keeps `object` alive until release(). On the loop.
    void adopt(std::shared_ptr<LoopObject> object);
    /// Lets go of it. The object may be destroyed by this call: only from a handler that holds it.
    void release(LoopObject* object);

    /// Bytes that a connection reads into while it is called; never held across handlers.
    static constexpr std::size_t kReadBytes = 64 * 1024;
    char* readBuffer() { return readBuffer_.get(); }

    /// Spare output strings with memory for a piece of about this size, so that idle connections
    /// hold none. On the loop.
    static constexpr std::size_t kPieceBytes = 64 * 1024;
    std::string takeSpare();
    void giveSpare(std::string spare);

  private:
    asio::io_context context_{1};
    asio::executor_work_guard<asio::io_context::executor_type> work_;
    std::atomic<std::thread::id> runner_{};
    std::unique_ptr<char[]> readBuffer_;
    std::vector<std::string> spares_;
    std::unordered_map<LoopObject*, std::shared_ptr<LoopObject>> objects_;
};

/// Every EventLoop is made by EventLoop::make().
inline AsioLoop& asioLoop(EventLoop& loop) {
    return static_cast<AsioLoop&>(loop);
}

}  // namespace busbar::transport
