// A wire protocol without its wire: bytes in, bytes out, and nothing else of the outside world.
//
// Protocol and transport are two axes. An Engine knows no socket, TLS, WebSocket, clock or thread,
// so the same code runs under a TCP stream, a TLS stream, a WebSocket, a test and a fuzzer.
#pragma once

#include "bus/base/buffer.h"
#include "bus/base/clock.h"
#include "bus/loop/bus_port.h"
#include "bus/security/peer_certificate.h"

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace busbar {

/// What a stream gives to the engine that it carries. All on the stream's I/O loop. Outlives the
/// engine.
class EngineHost {
  public:
    virtual ~EngineHost() = default;

    /// Where outgoing bytes are collected; written to the peer with one call after the engine
    /// returns (or after flush()). The engine only appends.
    virtual std::string& output() = 0;
    /// Appends a shared buffer without copying it (worth it from about 16 KiB on), after what is in
    /// output().
    virtual void outputShared(const Buffer& bytes) = 0;
    /// Starts writing now, and asks wantsInput() again: for engines that were called by the bus and
    /// not by the stream.
    virtual void flush() = 0;
    /// Bytes handed over and not yet taken by the operating system: what the peer is behind.
    virtual std::size_t outputPending() const = 0;
    /// From how many pending bytes on the engine should hold back; see Engine::onOutputDrained.
    virtual std::size_t outputHighMark() const = 0;

    /// Writes out what is there, then closes the connection. The engine gets no more bytes. The
    /// engine is destroyed later, from the loop, never inside this call. Calling it twice is fine.
    virtual void close(std::string_view why) = 0;

    /// onTick will be called at about this time (replaces an earlier wish).
    virtual void wakeAt(SteadyTime when) = 0;

    virtual Now now() const = 0;
    virtual BusPort& bus() = 0;
    /// "127.0.0.1:52110"
    virtual const std::string& remote() const = 0;
    /// True over TLS.
    virtual bool secure() const = 0;
    /// The peer sends faster than it may: until then its input is read in sips with pauses between
    /// them, and no further than that. A later time replaces an earlier one.
    virtual void holdInput(SteadyTime until) { static_cast<void>(until); }
    /// True while it is held: silence is not the peer's fault.
    virtual bool inputHeld() const { return false; }
    /// What the peer's verified certificate says; null where it has shown none. Stays the same.
    virtual const PeerCertificate* peerCertificate() const { return nullptr; }
    /// Runs `task` on this loop unless the connection is gone by then. Any thread: how an answer
    /// that was made elsewhere (a password check) comes back.
    virtual void postToEngine(std::function<void()> task) = 0;
};

/// One connection's protocol state machine.
class Engine {
  public:
    virtual ~Engine() = default;

    /// All bytes that came in, in order; the engine keeps what it cannot use yet (and bounds it).
    /// Must not throw on any input: protocol errors are answered and end in host.close().
    virtual void receive(std::string_view bytes) = 0;
    /// False: stop reading the socket (too much in flight). Asked after every call into the engine.
    virtual bool wantsInput() const = 0;
    /// The time that was asked for by wakeAt.
    virtual void onTick() = 0;
    /// Output went down to half of the high mark or less, after it had been above the mark.
    virtual void onOutputDrained() = 0;
    /// The peer sends no more, in an orderly way, but may still read (TCP half-close, TLS
    /// close_notify). Called at most once, after all its bytes. True: the engine goes on with what
    /// it has, and ends by host.close(). False: nobody waits for an answer; onDisconnect follows.
    virtual bool onInputEnd() { return false; }
    /// The connection is over: the peer closed, it broke, or host.close() has run its course.
    /// Nothing can be written any more. Close sessions here. Called exactly once before the engine
    /// is destroyed, except when the whole loop is destroyed (then the bus is not there any more
    /// either).
    virtual void onDisconnect() = 0;
    /// The daemon is stopping: end in an orderly way by host.close(), now or after the running
    /// work.
    virtual void onDrain(std::string_view why) = 0;
};

/// Makes the engine of a new connection. Registered by name in `server/`.
using EngineFactory = std::function<std::unique_ptr<Engine>(EngineHost& host)>;

}  // namespace busbar
