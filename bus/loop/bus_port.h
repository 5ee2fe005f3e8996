// How an I/O loop talks with the core loop: commands over in batches, effects back in batches.
#pragma once

#include "bus/base/executor.h"
#include "bus/core/commands.h"
#include "bus/core/effects.h"
#include "bus/store/body_store.h"

#include <span>

namespace busbar {

/// A session's ear, on its I/O loop. After close() of the session it is not called again.
class SessionListener {
  public:
    virtual ~SessionListener() = default;
    /// One effect for this session; may be moved from. Must not throw.
    virtual void onEffect(Effect& effect) = 0;
    /// All effects of this turn were told: the moment to write to the socket once for all of them.
    virtual void onEffectsEnd() = 0;
};

/// The bus as seen from one I/O loop. Every method on that loop only. Obtained from
/// CoreLoop::addPort.
class BusPort {
  public:
    virtual ~BusPort() = default;

    /// A fresh session id whose effects go to `listener`, which must live until close(). The
    /// adapter then submits OpenSession with it.
    virtual SessionId newSession(SessionListener& listener) = 0;

    /// Queues a command; all of a turn's commands go over together at the end of the turn. Never
    /// blocks.
    virtual void submit(Command command) = 0;

    /// Submits CloseSession and forgets the listener: it may be destroyed right after.
    virtual void close(SessionId session) = 0;

    /// Where bodies go that are too large for memory; null where the store has no place for them.
    /// Any thread.
    virtual BodyStore* bodies() { return nullptr; }

    virtual Executor& executor() = 0;
    virtual const Clock& clock() const = 0;
};

}  // namespace busbar
