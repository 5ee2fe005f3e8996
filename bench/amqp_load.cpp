// AMQP 1.0 load by Qpid Proton's C++ client: one connection that sends durable messages to a queue
// and takes them again, each accepted.
//
//     busbar-amqp-load PORT USER PASSWORD QUEUE MESSAGES [BODY-BYTES]
//
// Prints one line of JSON. Exit code 0: each message came once and in order; 1: not so; 2: usage.
#include <proton/connection.hpp>
#include <proton/connection_options.hpp>
#include <proton/container.hpp>
#include <proton/delivery.hpp>
#include <proton/error_condition.hpp>
#include <proton/message.hpp>
#include <proton/messaging_handler.hpp>
#include <proton/receiver_options.hpp>
#include <proton/sender.hpp>
#include <proton/tracker.hpp>
#include <proton/transport.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <string>

namespace {

using Clock = std::chrono::steady_clock;

struct Order {
    std::string url, user, password, queue;
    std::uint64_t messages = 0;
    std::size_t bytes = 1024;
};

class Load final : public proton::messaging_handler {
  public:
    explicit Load(Order order) : order_(std::move(order)), body_(order_.bytes, 'x') {}

    void on_container_start(proton::container& container) override {
        proton::connection_options options;
        options.user(order_.user).password(order_.password).sasl_allowed_mechs("PLAIN");
        options.sasl_allow_insecure_mechs(true);
        container.connect(order_.url, options);
    }
    void on_connection_open(proton::connection& connection) override {
        connection.open_receiver(order_.queue, proton::receiver_options().credit_window(1000));
        connection.open_sender(order_.queue);
        began_ = Clock::now();
    }
    void on_sendable(proton::sender& sender) override {
        for (; sent_ < order_.messages && sender.credit() > 0; ++sent_) {
            std::memcpy(body_.data(), &sent_, sizeof sent_);
            proton::message message{proton::binary(body_)};
            message.durable(true);
            sender.send(message);
        }
    }
    void on_tracker_accept(proton::tracker& tracker) override {
        ++accepted_;
        closeWhenDone(tracker.connection());
    }
    void on_message(proton::delivery& delivery, proton::message& message) override {
        const auto& body = proton::get<proton::binary>(message.body());
        std::uint64_t number = 0;
        std::memcpy(&number, body.data(), sizeof number);
        if (number != received_) ++misplaced_;
        ++received_;
        delivery.accept();
        closeWhenDone(delivery.connection());
    }
    void on_transport_error(proton::transport& transport) override {
        failure_ = transport.error().what();
    }
    void on_error(const proton::error_condition& error) override { failure_ = error.what(); }

    int report() const {
        const double seconds = std::chrono::duration<double>(Clock::now() - began_).count();
        const bool good = accepted_ == order_.messages && received_ == order_.messages &&
                          misplaced_ == 0 && failure_.empty();
        std::printf(
            "{\"sent\":%llu,\"confirmed\":%llu,\"received\":%llu,\"misplaced\":%llu,\"seconds\":%."
            "3f,"
            "\"msgs_per_s\":%.0f,\"error\":\"%s\"}\n",
            static_cast<unsigned long long>(sent_), static_cast<unsigned long long>(accepted_),
            static_cast<unsigned long long>(received_), static_cast<unsigned long long>(misplaced_),
            seconds, static_cast<double>(received_) / seconds, failure_.c_str());
        return good ? 0 : 1;
    }

  private:
    void closeWhenDone(proton::connection connection) const {
        if (accepted_ == order_.messages && received_ == order_.messages) connection.close();
    }

    const Order order_;
    std::string body_;
    Clock::time_point began_;
    std::uint64_t sent_ = 0, accepted_ = 0, received_ = 0, misplaced_ = 0;
    std::string failure_;
};

}  // namespace

int main(int argc, char** argv) try {
    if (argc < 6) {
        std::fputs("usage: busbar-amqp-load PORT USER PASSWORD QUEUE MESSAGES [BODY-BYTES]\n",
                   stderr);
        return 2;
    }
    Order order{"127.0.0.1:" + std::string(argv[1]), argv[2], argv[3], argv[4],
                std::stoull(argv[5])};
    if (argc > 6) order.bytes = std::max<std::size_t>(8, std::stoul(argv[6]));
    Load load(std::move(order));
    proton::container(load).run();
    return load.report();
} catch (const std::exception& error) {
    std::printf("{\"error\":\"%s\"}\n", error.what());
    return 1;
}
