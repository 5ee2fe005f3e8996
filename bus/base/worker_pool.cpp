#include "bus/base/worker_pool.h"

namespace busbar {

WorkerPool::WorkerPool(std::size_t threads, std::size_t tasksMax)
    : threadsMax_(threads), tasksMax_(tasksMax) {}

WorkerPool::~WorkerPool() {
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
    }
    changed_.notify_all();
    for (auto& thread : threads_) thread.join();
}

bool WorkerPool::submit(std::function<void()> task) {
    {
        const std::lock_guard lock(mutex_);
        if (ending_ || tasks_.size() >= tasksMax_) return false;
        tasks_.push_back(std::move(task));
        if (threads_.size() < threadsMax_) threads_.emplace_back([this] { work(); });
    }
    changed_.notify_one();
    return true;
}

void WorkerPool::work() {
    std::unique_lock lock(mutex_);
    while (true) {
        changed_.wait(lock, [this] { return ending_ || !tasks_.empty(); });
        if (tasks_.empty()) return;
        const auto task = std::move(tasks_.front());
        tasks_.pop_front();
        lock.unlock();
        task();
        lock.lock();
    }
}

}  // namespace busbar
