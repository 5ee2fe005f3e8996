// Threads for work that is too long for an event loop.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace busbar {

/// A few threads and a bounded queue of tasks. Threads start with the first task, so an idle pool
/// costs nothing. Any thread may submit. The destructor runs what was taken and joins.
class WorkerPool {
  public:
    WorkerPool(std::size_t threads, std::size_t tasksMax);
    ~WorkerPool();
    WorkerPool(const WorkerPool&) = delete;
    WorkerPool& operator=(const WorkerPool&) = delete;

    /// False where tasksMax are waiting, or after the end began: the task was not taken. Tasks must
    /// not throw.
    [[nodiscard]] bool submit(std::function<void()> task);

  private:
    void work();

    const std::size_t threadsMax_;
    const std::size_t tasksMax_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::function<void()>> tasks_;
    bool ending_ = false;
    std::vector<std::thread> threads_;
};

}  // namespace busbar
