// Qpid Proton's C++ client against the bus, over TLS.
//
//     proton_client amqps://127.0.0.1:PORT USER PASSWORD CA-FILE QUEUE COUNT
//
// Sends COUNT persistent messages, takes them all and says "ok". What fails is said on one line
// with exit code 1.
#include <proton/connection.hpp>
#include <proton/connection_options.hpp>
#include <proton/container.hpp>
#include <proton/delivery.hpp>
#include <proton/error_condition.hpp>
#include <proton/message.hpp>
#include <proton/messaging_handler.hpp>
#include <proton/sender.hpp>
#include <proton/ssl.hpp>
#include <proton/tracker.hpp>
#include <proton/transport.hpp>

#include <cstdio>
#include <exception>
#include <string>

namespace {

struct Order {
    std::string url, user, password, authority, queue;
    int count = 0;
};

class Client final : public proton::messaging_handler {
  public:
    explicit Client(Order order) : order_(std::move(order)) {}

    void on_container_start(proton::container& container) override {
        proton::connection_options options;
        options.user(order_.user).password(order_.password).sasl_allowed_mechs("PLAIN");
        options.ssl_client_options(
            proton::ssl_client_options(order_.authority, proton::ssl::VERIFY_PEER_NAME));
        container.connect(order_.url, options);
    }
    void on_connection_open(proton::connection& connection) override {
        connection.open_sender(order_.queue);
        connection.open_receiver(order_.queue);
    }
    void on_sendable(proton::sender& sender) override {
        for (; sent_ < order_.count && sender.credit() > 0; ++sent_) {
            proton::message message("message " + std::to_string(sent_));
            message.durable(true);
            message.properties().put("number", sent_);
            sender.send(message);
        }
    }
    void on_tracker_accept(proton::tracker& tracker) override {
        ++accepted_;
        closeWhenDone(tracker.connection());
    }
    void on_message(proton::delivery& delivery, proton::message& message) override {
        const auto expected = "message " + std::to_string(received_);
        if (proton::get<std::string>(message.body()) != expected ||
            proton::get<int>(message.properties().get("number")) != received_)
            failure_ = "got another message than '" + expected + "'";
        ++received_;
        delivery.accept();
        closeWhenDone(delivery.connection());
    }
    void on_transport_error(proton::transport& transport) override {
        failure_ = transport.error().what();
    }
    void on_error(const proton::error_condition& error) override { failure_ = error.what(); }

    const std::string& failure() const { return failure_; }
    bool done() const { return accepted_ == order_.count && received_ == order_.count; }

  private:
    void closeWhenDone(proton::connection connection) const {
        if (done() || !failure_.empty()) connection.close();
    }

    const Order order_;
    int sent_ = 0, accepted_ = 0, received_ = 0;
    std::string failure_;
};

}  // namespace

int main(int argc, char** argv) try {
    if (argc != 7) {
        std::fputs("usage: proton_client URL USER PASSWORD CA-FILE QUEUE COUNT\n", stderr);
        return 2;
    }
    Client client({argv[1], argv[2], argv[3], argv[4], argv[5], std::stoi(argv[6])});
    proton::container(client).run();
    const bool good = client.done() && client.failure().empty();
    std::puts(good ? "ok" : ("failed: " + client.failure()).c_str());
    return good ? 0 : 1;
} catch (const std::exception& error) {
    std::printf("failed: %s\n", error.what());
    return 1;
}
