#pragma once
// A blocking client over Qpid Proton's C++ API, so that a scenario reads from top to bottom.
#include <proton/connection.hpp>
#include <proton/connection_options.hpp>
#include <proton/container.hpp>
#include <proton/delivery.hpp>
#include <proton/message.hpp>
#include <proton/messaging_handler.hpp>
#include <proton/receiver.hpp>
#include <proton/receiver_options.hpp>
#include <proton/sender.hpp>
#include <proton/sender_options.hpp>
#include <proton/tracker.hpp>

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

namespace busbar::clients {

struct Login {
    std::string url, user, password;
    std::string authority;  ///< the file of certificates that are trusted; empty without TLS
};

/// How to log in, for one connection.
proton::connection_options options(const Login& login);

/// What was expected and did not come, or what the bus refused, with its reason.
class Failure : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

/// One connection, in a container and a thread of its own. Used by one thread, which each call
/// blocks until the bus has answered; throws Failure where it refuses, or says nothing for a
/// minute. Proton's objects stay in the container's thread.
class Client final : proton::messaging_handler {
  public:
    explicit Client(const Login& login, proton::connection_options more = {});
    ~Client() override;  ///< closes the connection
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    /// Sends one message; the bus's outcome: "accepted", "rejected", "released", "modified".
    /// Nothing where the connection was lost meanwhile and came back. Where `settled`, it does not
    /// wait: "settled".
    std::optional<std::string> trySend(const std::string& address, const proton::message& message,
                                       bool settled = false);
    /// The same where the connection must not be lost.
    std::string send(const std::string& address, const proton::message& message,
                     bool settled = false);

    /// Opens a receiver and gives it credit; its address as the bus says it. What it gets is
    /// accepted by hand.
    std::string receive(const std::string& address, proton::receiver_options more = {},
                        int credit = 10);
    /// The oldest message of all receivers that was not yet taken.
    proton::message next();
    /// Settles the delivery of the oldest message that next() gave and that is not settled.
    void settle(void (proton::delivery::*how)());
    /// Whether the bus had settled that one before it was sent here; forgets it.
    bool takeSettled();
    /// Ends the receiver that was opened last: detaches it, or closes it.
    void endReceiver(bool detach);

    int opens() const;   ///< how often the connection was opened
    int closes() const;  ///< how often it was lost

  private:
    struct Arrived {
        proton::message message;
        bool settled;
    };

    void on_container_start(proton::container& container) override;
    void on_connection_open(proton::connection& connection) override;
    void on_receiver_open(proton::receiver& receiver) override;
    void on_receiver_close(proton::receiver& receiver) override;
    void on_receiver_detach(proton::receiver& receiver) override;
    void on_sendable(proton::sender& sender) override;
    void on_tracker_settle(proton::tracker& tracker) override;
    void on_message(proton::delivery& delivery, proton::message& message) override;
    void on_transport_close(proton::transport& transport) override;
    void on_transport_error(proton::transport& transport) override;
    void on_error(const proton::error_condition& error) override;

    void flush();
    void await(const char* what, const std::function<bool()>& come);
    void inLoop(const std::function<void()>& work);
    void change(const std::function<void()>& what);

    const std::string url_;
    const proton::connection_options options_;

    // In the container's thread alone.
    proton::connection connection_;
    proton::receiver receiver_;
    using Target =
        std::pair<std::string, bool>;  ///< its address, and whether its messages are sent settled
    std::map<Target, proton::sender> senders_;
    std::deque<proton::delivery> unsettled_;

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    // Guarded by mutex_.
    std::optional<std::pair<Target, proton::message>> outgoing_;  ///< waits for credit
    std::optional<std::string> outcome_, source_;
    bool receiverEnded_ = false;
    std::deque<Arrived> arrived_;
    std::deque<bool> taken_;  ///< of unsettled_, in the same order: settled by the bus
    int opens_ = 0, closes_ = 0;
    std::string failure_;

    proton::container container_;
    std::thread thread_;
};

}  // namespace busbar::clients
