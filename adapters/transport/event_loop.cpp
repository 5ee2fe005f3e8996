#include "adapters/transport/asio_loop.h"
#include "bus/base/log.h"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

namespace busbar {

std::unique_ptr<EventLoop> EventLoop::make() {
    return std::make_unique<transport::AsioLoop>();
}

namespace transport {
namespace {

constexpr std::size_t kSparesMax = 32;
constexpr std::size_t kSpareBytesMax = 256 * 1024;

}  // namespace

AsioLoop::AsioLoop()
    : work_(asio::make_work_guard(context_)),
      readBuffer_(std::make_unique_for_overwrite<char[]>(kReadBytes)) {}

AsioLoop::~AsioLoop() {
    context_.stop();
    // Moved out first: a connection that is destroyed may still call release().
    const auto objects = std::move(objects_);
    objects_.clear();
}

void AsioLoop::post(Task task) {
    asio::post(context_, std::move(task));
}

void AsioLoop::postAfter(Milliseconds delay, Task task) {
    // The timer is made on the loop: Asio's timer queue takes its lock anyway, but the object is
    // not shared.
    asio::post(context_, [this, delay, task = std::move(task)]() mutable {
        auto timer = std::make_shared<asio::steady_timer>(context_, delay);
        timer->async_wait([timer, task = std::move(task)](boost::system::error_code failed) {
            if (!failed) task();
        });
    });
}

void AsioLoop::run() {
    runner_ = std::this_thread::get_id();
    while (!context_.stopped()) {
        try {
            context_.run();
        } catch (const std::exception& e) {
            // Out of memory, at worst: the piece of work is lost, its connection's limits bound the
            // damage.
            log::error("loop", std::string("a task failed: ") + e.what());
        }
    }
    runner_ = std::thread::id();
}

void AsioLoop::stop() {
    context_.stop();
}

void AsioLoop::adopt(std::shared_ptr<LoopObject> object) {
    LoopObject* key = object.get();
    objects_.emplace(key, std::move(object));
}

void AsioLoop::release(LoopObject* object) {
    objects_.erase(object);
}

std::string AsioLoop::takeSpare() {
    if (spares_.empty()) return {};  // grows by itself: most connections never need a whole piece
    std::string spare = std::move(spares_.back());
    spares_.pop_back();
    return spare;
}

void AsioLoop::giveSpare(std::string spare) {
    if (spares_.size() >= kSparesMax || spare.capacity() > kSpareBytesMax) return;
    spare.clear();
    spares_.push_back(std::move(spare));
}

}  // namespace transport
}  // namespace busbar
