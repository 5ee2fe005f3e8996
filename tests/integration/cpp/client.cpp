#include "client.h"

#include <proton/error_condition.hpp>
#include <proton/source.hpp>
#include <proton/ssl.hpp>
#include <proton/transport.hpp>
#include <proton/work_queue.hpp>

#include <chrono>
#include <future>
#include <utility>

namespace busbar::clients {
namespace {

// The machine may be busy.
constexpr std::chrono::seconds kSoon{60};

}  // namespace

proton::connection_options options(const Login& login) {
    proton::connection_options options;
    options.user(login.user).password(login.password).sasl_allowed_mechs("PLAIN");
    if (login.authority.empty())
        options.sasl_allow_insecure_mechs(true);
    else
        options.ssl_client_options(
            proton::ssl_client_options(login.authority, proton::ssl::VERIFY_PEER_NAME));
    return options;
}

Client::Client(const Login& login, proton::connection_options more)
    : url_(login.url), options_(options(login).update(more)), container_(*this) {
    thread_ = std::thread([this] { container_.run(); });
    try {
        await("connection", [this] { return opens_ > 0; });
    } catch (...) {
        container_.stop();
        thread_.join();
        throw;
    }
}

Client::~Client() {
    try {
        inLoop([this] { connection_.close(); });
    } catch (const std::exception&) {
        container_.stop();  // it was lost
    }
    thread_.join();
}

std::optional<std::string> Client::trySend(const std::string& address,
                                           const proton::message& message, bool settled) {
    int before = 0;
    change([&] {
        outgoing_.emplace(std::pair{address, settled}, message);
        outcome_.reset();
        before = opens_;
    });
    inLoop([&] {
        auto& sender = senders_[{address, settled}];
        if (!sender)
            sender = connection_.open_sender(address,
                                             proton::sender_options().delivery_mode(
                                                 settled ? proton::delivery_mode::AT_MOST_ONCE
                                                         : proton::delivery_mode::AT_LEAST_ONCE));
        flush();
    });
    await("outcome of a send", [&] { return outcome_ || opens_ > before; });
    const std::lock_guard lock(mutex_);
    outgoing_.reset();
    return outcome_;
}

std::string Client::send(const std::string& address, const proton::message& message, bool settled) {
    const auto outcome = trySend(address, message, settled);
    if (!outcome) throw Failure("the connection was lost");
    return *outcome;
}

std::string Client::receive(const std::string& address, proton::receiver_options more, int credit) {
    change([this] { source_.reset(); });
    inLoop([&] {
        more.auto_accept(false).credit_window(credit);
        receiver_ = connection_.open_receiver(address, more);
    });
    await("receiver", [this] { return source_.has_value(); });
    const std::lock_guard lock(mutex_);
    return *source_;
}

proton::message Client::next() {
    await("message", [this] { return !arrived_.empty(); });
    const std::lock_guard lock(mutex_);
    auto first = std::move(arrived_.front());
    arrived_.pop_front();
    taken_.push_back(first.settled);
    return std::move(first.message);
}

void Client::settle(void (proton::delivery::*how)()) {
    inLoop([this, how] {
        (unsettled_.front().*how)();
        unsettled_.pop_front();
    });
    change([this] { taken_.pop_front(); });
}

bool Client::takeSettled() {
    inLoop([this] { unsettled_.pop_front(); });
    const std::lock_guard lock(mutex_);
    const bool settled = taken_.front();
    taken_.pop_front();
    return settled;
}

void Client::endReceiver(bool detach) {
    change([this] { receiverEnded_ = false; });
    inLoop([this, detach] { detach ? receiver_.detach() : receiver_.close(); });
    await("end of a receiver", [this] { return receiverEnded_; });
}

int Client::opens() const {
    const std::lock_guard lock(mutex_);
    return opens_;
}

int Client::closes() const {
    const std::lock_guard lock(mutex_);
    return closes_;
}

// ---- in the container's thread

void Client::on_container_start(proton::container& container) {
    connection_ = container.connect(url_, options_);
}

void Client::on_connection_open(proton::connection&) {
    change([this] { ++opens_; });
}

void Client::on_receiver_open(proton::receiver& receiver) {
    change([&] { source_ = receiver.source().address(); });
}

void Client::on_receiver_close(proton::receiver&) {
    change([this] { receiverEnded_ = true; });
}

void Client::on_receiver_detach(proton::receiver&) {
    change([this] { receiverEnded_ = true; });
}

void Client::on_sendable(proton::sender&) {
    flush();
}

/// Sends what waits, where its link has credit.
void Client::flush() {
    change([this] {
        if (!outgoing_) return;
        auto& sender = senders_[outgoing_->first];
        if (!sender || sender.credit() < 1) return;
        sender.send(outgoing_->second);
        if (outgoing_->first.second) outcome_ = "settled";
        outgoing_.reset();
    });
}

void Client::on_tracker_settle(proton::tracker& tracker) {
    change([&] { outcome_ = proton::to_string(tracker.state()); });
}

void Client::on_message(proton::delivery& delivery, proton::message& message) {
    unsettled_.push_back(delivery);
    change([&] { arrived_.push_back({message, delivery.settled()}); });
}

void Client::on_transport_close(proton::transport&) {
    change([this] { ++closes_; });
}

/// What was open and is lost may come back: closes_ tells it.
void Client::on_transport_error(proton::transport& transport) {
    if (opens() == 0) on_error(transport.error());
}

void Client::on_error(const proton::error_condition& error) {
    change([&] { failure_ = error.what(); });
}

// ---- between the threads

void Client::change(const std::function<void()>& what) {
    {
        const std::lock_guard lock(mutex_);
        what();
    }
    changed_.notify_all();
}

void Client::await(const char* what, const std::function<bool()>& come) {
    std::unique_lock lock(mutex_);
    const bool done = changed_.wait_for(lock, kSoon, [&] { return come() || !failure_.empty(); });
    if (!failure_.empty() && !come()) throw Failure(failure_);
    if (!done) throw Failure(std::string("no ") + what);
}

void Client::inLoop(const std::function<void()>& work) {
    auto done = std::make_shared<std::promise<void>>();
    auto answer = done->get_future();
    const bool taken = connection_.work_queue().add([work, done] {
        try {
            work();
            done->set_value();
        } catch (...) {
            done->set_exception(std::current_exception());
        }
    });
    if (!taken || answer.wait_for(kSoon) != std::future_status::ready)
        throw Failure("the connection is closed");
    answer.get();
}

}  // namespace busbar::clients
