// The one writer: drives the Broker and the Store from one event loop, and joins the I/O loops to
// it.
#pragma once

#include "bus/core/broker.h"
#include "bus/loop/bus_port.h"
#include "bus/store/store.h"

#include <functional>
#include <memory>

namespace busbar {

/// Owns the broker; drives the store. Life: construct -> recover (blocks) -> addPort for each I/O
/// loop -> run by the executor -> stop -> destroy after the loops have ended. A port whose loop is
/// the core's own hands over without locks or wake-ups; others through one mutex-protected batch
/// each way.
class CoreLoop {
  public:
    /// `executor` is the core's loop; `store`, `clock` and it outlive this object.
    CoreLoop(Executor& executor, Store& store, const Clock& clock, BrokerOptions options);
    ~CoreLoop();

    /// Loads what is stored. Before the loops run, on the caller's thread; `progress` is told the
    /// share done, 0 to 1, now and then.
    Result<void> recover(std::function<void(double)> progress = {});

    /// A port for the I/O loop `executor`. Before the loops run. Owned by this object.
    BusPort& addPort(Executor& executor);

    /// Called on the core loop when the store has failed for good. The daemon stops on it.
    void onStoreFailure(std::function<void(const Error&)> handler);

    /// Broker::setAccess, on the core loop, soon. Any thread, while the loop runs.
    void setAccess(AccessChange change);

    StoreStats storeStats() const;

  private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace busbar
