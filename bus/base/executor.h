// The event loop as the bus sees it: a place where work runs one piece at a time.
#pragma once

#include "bus/base/clock.h"

#include <functional>
#include <memory>

namespace busbar {

/// A loop with one thread. Everything that belongs to a loop is touched on that loop only; other
/// threads `post` to it. `adapters/transport` implements it over Boost.Asio, tests by hand.
class Executor {
  public:
    using Task = std::function<void()>;

    virtual ~Executor() = default;

    /// Runs `task` on the loop, after what is waiting there now. Any thread; never blocks, never
    /// runs inline. After the loop has stopped, tasks are dropped.
    virtual void post(Task task) = 0;

    /// Runs `task` on the loop once `delay` has passed. Any thread. There is no way to cancel: the
    /// task must find out by itself whether it is still wanted (hold a weak_ptr or compare a
    /// generation).
    virtual void postAfter(Milliseconds delay, Task task) = 0;

    /// True on the loop's own thread.
    virtual bool here() const = 0;
};

}  // namespace busbar
