#include "adapters/amqp/connection.h"

#include "adapters/transport/pace.h"
#include "bus/base/log.h"

#include <proton/connection.h>
#include <proton/transport.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace busbar::amqp {
namespace {

std::int64_t millis(SteadyTime time) {
    return std::chrono::duration_cast<Milliseconds>(time.time_since_epoch()).count();
}

}  // namespace

EngineFactory makeFactory(const Options& options, Authenticator& authenticator) {
    return [&options, &authenticator](EngineHost& host) {
        return std::make_unique<Connection>(host, options, authenticator);
    };
}

Connection::Connection(EngineHost& host, const Options& options, Authenticator& authenticator)
    : host_(host),
      options_(options),
      authenticator_(authenticator),
      login_(offersFor(host, options, authenticator)),
      filter_(options.frameBytesMax),
      loginUntil_(host.now().steady + options.loginTimeout) {
    pn_transport_t* transport = driver_.transport();
    pn_transport_set_server(transport);
    pn_transport_set_max_frame(transport, options.frameBytesMax);
    pn_transport_set_channel_max(transport, options.channelMax);
    pn_transport_set_idle_timeout(transport, static_cast<pn_millis_t>(options.idleTimeout.count()));
    login_.install(transport);
    host_.wakeAt(loginUntil_);
}

Connection::~Connection() = default;

// ---- bytes

void Connection::receive(std::string_view bytes) {
    if (state_ == State::ended) return;
    if (state_ == State::login) {
        bytesBeforeLogin_ += bytes.size();
        if (!login_.accepted() && bytesBeforeLogin_ > options_.bytesBeforeLoginMax)
            return end("more bytes before login than allowed");
    }
    feed(bytes);
    flushSettles();
    pump();
    tellHeld();
}

/// What is in memory for this connection's user.
void Connection::tellHeld() {
    if (!seat_.limited()) return;
    std::uint64_t bytes = held_.size() + bytesInFlight_ + host_.outputPending();
    for (const auto& [id, link] : links_) bytes += link->gathered.size();
    keepRoom(host_, seat_, bytes);
}

/// Gives Proton what it takes; the rest is held. Before login it gets one piece after the other: a
/// client may send what follows the login along with it, which Proton would take for a part of it.
void Connection::feed(std::string_view bytes) {
    held_ += bytes;
    std::string all = std::exchange(held_, {});
    bytes = all;
    stalled_ = false;
    while (!bytes.empty() && (state_ == State::login || state_ == State::open)) {
        const bool before = !login_.accepted();
        const std::size_t size =
            before ? loginPiece(bytes)
                   : filter_.input(std::span(all).subspan(all.size() - bytes.size()));
        if (size == 0) break;
        const std::size_t taken =
            authenticating_ || holdsEvents() ? 0 : give(bytes.substr(0, size));
        if (taken == 0) {
            stalled_ = true;
            break;
        }
        if (!before) filter_.passed(taken);
        bytes.remove_prefix(taken);
        if (before) write();
        dispatch();
    }
    if (state_ == State::opening && !bytes.empty()) stalled_ = true;
    held_ = bytes;
}

/// How long the header or frame at the front is; 0: it is not whole. What cannot be a frame of a
/// login goes to Proton, which says so.
std::size_t Connection::loginPiece(std::string_view bytes) const {
    if (bytes.size() < 4) return 0;
    std::size_t size = 0;
    for (const char c : bytes.substr(0, 4)) size = size << 8 | static_cast<unsigned char>(c);
    if (bytes.starts_with("AMQP")) size = 8;
    if (size < 8 || size > options_.bytesBeforeLoginMax) return bytes.size();
    return bytes.size() < size ? 0 : size;
}

std::size_t Connection::give(std::string_view bytes) {
    const pn_rwbytes_t room = pn_connection_driver_read_buffer(driver_.get());
    if (room.size == 0 && pn_connection_driver_read_closed(driver_.get())) return bytes.size();
    const std::size_t size = std::min(room.size, bytes.size());
    if (size == 0) return 0;
    std::memcpy(room.start, bytes.data(), size);
    pn_connection_driver_read_done(driver_.get(), size);
    return size;
}

bool Connection::wantsInput() const {
    return (state_ == State::login || state_ == State::open) && !authenticating_ &&
           !holdsEvents() && !stalled_ && bytesInFlight_ <= options_.bytesInFlightMax &&
           host_.outputPending() <= host_.outputHighMark();
}

void Connection::write() {
    if (state_ == State::ended) return;
    for (;;) {
        const pn_bytes_t bytes = pn_connection_driver_write_buffer(driver_.get());
        if (bytes.size == 0) break;
        if (filter_.rewrites())
            filter_.output({bytes.start, bytes.size}, host_.output());
        else
            host_.output().append(bytes.start, bytes.size);
        pn_connection_driver_write_done(driver_.get(), bytes.size);
    }
}

/// Everything that may have become possible: events, held input, waiting deliveries, output.
void Connection::pump() {
    if (dispatching_ || state_ == State::ended) return;
    dispatch();
    write();  // proton makes room for input, and raises events, when its output is taken
    dispatch();
    for (std::size_t before = 0; !held_.empty() && held_.size() != before;) {
        before = held_.size();
        feed({});
        write();
    }
    flushSettles();
    writeWaiting();
    tellDrained();
    write();
    dispatch();
    write();
    if (state_ != State::ended && pn_connection_driver_finished(driver_.get()))
        return end(describe(pn_transport_condition(driver_.transport())));
    host_.flush();
    fetchOutflow();
}

// ---- Proton's events

void Connection::dispatch() {
    if (dispatching_) return;
    dispatching_ = true;
    while ((state_ == State::login || state_ == State::open) && !holdsEvents()) {
        pn_event_t* event = pn_connection_driver_next_event(driver_.get());
        if (!event) break;
        handle(event);
    }
    dispatching_ = false;
    if (login_.takeAttempt()) authenticate();
}

void Connection::handle(pn_event_t* event) {
    switch (pn_event_type(event)) {
        case PN_CONNECTION_REMOTE_OPEN:
            return openConnection();
        case PN_CONNECTION_REMOTE_CLOSE:
            pn_connection_close(driver_.connection());
            return;
        case PN_SESSION_REMOTE_OPEN:
            return openSession(pn_event_session(event));
        case PN_SESSION_REMOTE_CLOSE:
            return closeSession(pn_event_session(event));
        case PN_LINK_REMOTE_OPEN:
            return attach(pn_event_link(event));
        case PN_LINK_REMOTE_DETACH:
            return onDetach(pn_event_link(event), false);
        case PN_LINK_REMOTE_CLOSE:
            return onDetach(pn_event_link(event), true);
        case PN_LINK_FLOW:
            if (Link* link = linkOf(pn_event_link(event)); link && !link->isIncoming())
                onFlow(*link);
            return;
        case PN_DELIVERY: {
            Link* link = linkOf(pn_event_link(event));
            if (!link) return discard(pn_event_link(event));
            if (link->isIncoming()) return onTransfer(*link, pn_event_delivery(event));
            return onDisposition(*link, pn_event_delivery(event));
        }
        case PN_TRANSPORT_ERROR:
            log::debug("amqp", host_.remote() + ": " +
                                   describe(pn_transport_condition(driver_.transport())));
            return;
        default:
            return;
    }
}

// ---- requests

RequestId Connection::expect(Pending pending) {
    return pending_.add(std::move(pending));
}

RequestId Connection::expect(std::function<void(Completed&)> then) {
    Pending pending;
    pending.then = std::move(then);
    return expect(std::move(pending));
}

void Connection::onCompleted(Completed& effect) {
    const auto pending = pending_.take(effect.request);
    if (!pending) return;
    if (pending->kind == Pending::Kind::send) return onSent(*pending, effect.error);
    if (pending->then) pending->then(effect);
}

// ---- effects

void Connection::onEffect(Effect& effect) {
    if (state_ == State::ended) return;
    if (auto* delivered = std::get_if<Delivered>(&effect)) return deliver(*delivered);
    if (auto* completed = std::get_if<Completed>(&effect)) return onCompleted(*completed);
    if (auto* browsed = std::get_if<Browsed>(&effect)) return onBrowsed(*browsed);
    if (auto* resumed = std::get_if<LinkResumed>(&effect)) return onResumed(*resumed);
    if (auto* lease = std::get_if<LeaseEnded>(&effect)) return endLease(*lease);
    if (auto* blocked = std::get_if<ProducerBlocked>(&effect)) {
        blocked_ = blocked->blocked;
        return topUpAll();
    }
    if (auto* ended = std::get_if<ConsumerEnded>(&effect)) {
        if (Link* link = find(ended->consumer.value)) {
            link->granted = 0;
            detach(*link, ended->error);
        }
        return;
    }
    if (auto* over = std::get_if<SessionEnded>(&effect)) fail(over->error);
}

void Connection::onEffectsEnd() {
    pump();
    tellHeld();
}

void Connection::onOutputDrained() {
    fetchOutflow();
    pump();
    tellHeld();
}

// ---- time

void Connection::onTick() {
    if (state_ == State::ended) return;
    const SteadyTime now = host_.now().steady;
    if (state_ != State::open) {
        if (now >= loginUntil_) {
            return end("no login within " + std::to_string(options_.loginTimeout.count()) + " ms");
        }
        return host_.wakeAt(loginUntil_);
    }
    tick();
    pump();
}

/// AMQP 1.0 section 2.4.5. Proton says when it wants to be asked again.
void Connection::tick() {
    const std::int64_t now = millis(host_.now().steady);
    const std::int64_t next = pn_transport_tick(driver_.transport(), now);
    if (next > now) host_.wakeAt(host_.now().steady + Milliseconds(next - now));
}

// ---- the end

/// AMQP 1.0 section 2.4.3: close with an error, then the end of the stream.
void Connection::fail(const Error& error) {
    if (state_ == State::ended) return;
    pn_connection_t* connection = driver_.connection();
    if (state_ == State::login) return end(error.text);
    pn_connection_open(connection);
    set(pn_connection_condition(connection), error);
    pn_connection_close(connection);
    state_ = State::open;  // what is still to be written goes out
    if (session_) host_.bus().close(std::exchange(session_, SessionId()));
    write();
    end(error.text);
}

void Connection::end(std::string_view why) {
    if (std::exchange(state_, State::ended) == State::ended) return;
    waiting_.clear();
    browsed_.clear();
    accepted_.clear();
    outflow_.reset();
    upload_.reset();
    transactions_.clear();
    links_.clear();
    held_.clear();
    if (session_) host_.bus().close(std::exchange(session_, SessionId()));
    seat_ = {};  // free at once, not when the peer has read the rest
    host_.close(why);
}

void Connection::onDisconnect() {
    if (state_ == State::open) flushSettles();
    end({});
}

void Connection::onDrain(std::string_view why) {
    if (state_ == State::ended) return;
    if (state_ == State::open) flushSettles();
    fail({ErrorCode::unavailable, std::string(why)});
}

}  // namespace busbar::amqp
