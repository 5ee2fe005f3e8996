// Qpid Proton's C++ client (Debian's libqpid-proton-cpp12, 0.37) through what every client must do
// against the bus.
//
//     proton_client URL USER PASSWORD CA-FILE SCENARIO...
//
// An empty CA-FILE where the URL is amqp:. Says "ok", or on one line what is wrong with exit code
// 1; "kill" when the bus may be killed (tests/integration/client_scenarios.py). This version has no
// transactions.
#include "client.h"

#include <proton/codec/vector.hpp>
#include <proton/error_condition.hpp>
#include <proton/reconnect_options.hpp>
#include <proton/source.hpp>
#include <proton/source_options.hpp>
#include <proton/target.hpp>
#include <proton/transport.hpp>
#include <proton/types.hpp>

#include <chrono>
#include <cstdio>
#include <exception>
#include <set>
#include <vector>

namespace busbar::clients {
namespace {

void same(const std::string& actual, const std::string& expected, const char* what) {
    if (actual != expected)
        throw Failure(std::string(what) + ": '" + actual + "' instead of '" + expected + "'");
}

std::string text(const proton::message& message) {
    return proton::get<std::string>(message.body());
}

proton::message durable(const proton::value& body) {
    proton::message message(body);
    message.durable(true);
    return message;
}

void sendAll(Client& client, const std::string& address, const std::vector<std::string>& bodies) {
    for (const auto& body : bodies)
        same(client.send(address, durable(body)), "accepted", "outcome of a send");
}

/// Takes and accepts `count` messages; their texts.
std::string texts(Client& client, int count) {
    std::string all;
    for (int i = 0; i < count; ++i) {
        all += text(client.next()) + " ";
        client.settle(&proton::delivery::accept);
    }
    return all;
}

/// What a receiver that is opened now gets is `expected` and no more: a last message comes right
/// after it.
void holds(Client& client, const std::string& address, const std::string& expected, int count) {
    sendAll(client, address, {"end"});
    client.receive(address);
    same(texts(client, count + 1), expected + "end ", address.c_str());
    client.endReceiver(false);
}

void login(const Login& right) {
    Login wrong = right;
    wrong.password = "wrong";
    std::string why = "it was not refused";
    try {
        const Client client(wrong);
    } catch (const Failure& refused) {
        why = refused.what();
    }
    if (why.find("uthenticat") == std::string::npos &&
        why.find("unauthorized-access") == std::string::npos)
        throw Failure("a wrong password: " + why);
    const Client client(right);
}

void sendReceive(const Login& login) {
    Client client(login);
    client.receive("cpp.many", {}, 100);
    constexpr int kCount = 500;
    for (int i = 0; i < kCount; ++i) {
        auto message = durable("message " + std::to_string(i));
        message.properties().put("number", i);
        message.correlation_id(proton::message_id(static_cast<std::uint64_t>(i)));
        same(client.send("cpp.many", message), "accepted", "outcome");
    }
    for (int i = 0; i < kCount; ++i) {
        const auto got = client.next();
        same(text(got), "message " + std::to_string(i), "body");
        same(proton::to_string(got.properties().get("number")), std::to_string(i), "property");
        same(proton::to_string(got.correlation_id()), std::to_string(i), "correlation id");
        client.settle(&proton::delivery::accept);
    }
    const proton::binary bytes(std::string("\0\1\xfe\xff", 4));
    same(client.send("cpp.many", durable(bytes)), "accepted", "outcome");
    if (proton::get<proton::binary>(client.next().body()) != bytes) throw Failure("other bytes");
}

/// AMQP's acknowledgement modes are the outcomes, and settling first or not.
void acknowledgements(const Login& login) {
    Client client(login);
    sendAll(client, "cpp.o", {"one"});
    client.receive("cpp.o", {}, 1);
    for (const auto how :
         {&proton::delivery::release, &proton::delivery::modify, &proton::delivery::reject}) {
        const auto got = client.next();
        same(text(got), "one", "what was given back");
        same(std::to_string(got.delivery_count()), "0", "count of failures");
        client.settle(how);
    }
    client.endReceiver(false);
    client.receive("DLQ.cpp.o");
    same(texts(client, 1), "one ", "the rejected");
    client.endReceiver(false);

    {
        Client lost(login);
        sendAll(lost, "cpp.a", {"1", "2", "3"});
        lost.receive("cpp.a");
        same(texts(lost, 1), "1 ", "accepted");
        same(text(lost.next()), "2", "seen and not accepted");
    }
    holds(client, "cpp.a", "2 3 ", 2);

    same(client.send("cpp.p", durable("at most once"), true), "settled", "a settled send");
    client.receive("cpp.p",
                   proton::receiver_options().delivery_mode(proton::delivery_mode::AT_MOST_ONCE));
    same(text(client.next()), "at most once", "pre-settled");
    if (!client.takeSettled())
        throw Failure("the bus waits for the outcome of a pre-settled delivery");
    client.endReceiver(false);
    holds(client, "cpp.p", "", 0);
}

proton::receiver_options from(proton::source_options source) {
    return proton::receiver_options().source(source);
}

void selector(const Login& login) {
    Client client(login);
    for (int i = 0; i < 6; ++i) {
        auto message = durable(std::to_string(i));
        message.properties().put("kind", i % 2 ? "odd" : "even");
        same(client.send("cpp.s", message), "accepted", "outcome");
    }
    // The legacy form of the AMQP filter registry, as Proton's examples write it.
    proton::source::filter_map filters;
    proton::value filter;
    proton::codec::encoder(filter)
        << proton::codec::start::described() << proton::symbol("apache.org:selector-filter:string")
        << "kind = 'odd'" << proton::codec::finish();
    filters.put("selector", filter);
    client.receive("cpp.s", from(proton::source_options().filters(filters)));
    same(texts(client, 3), "1 3 5 ", "the selected");
    client.endReceiver(false);
    holds(client, "cpp.s", "0 2 4 ", 3);
}

void browse(const Login& login) {
    Client client(login);
    sendAll(client, "cpp.b", {"1", "2"});
    client.receive("cpp.b", from(proton::source_options().distribution_mode(proton::source::COPY)));
    same(texts(client, 2), "1 2 ", "browsed");
    client.endReceiver(false);
    holds(client, "cpp.b", "1 2 ", 2);
}

void durableSubscription(const Login& login) {
    const auto who = proton::connection_options().container_id("cpp-durable");
    const auto subscription = from(proton::source_options()
                                       .durability_mode(proton::source::UNSETTLED_STATE)
                                       .expiry_policy(proton::source::NEVER))
                                  .name("sub");
    {
        Client away(login, who);
        away.receive("topic://cpp.news", subscription);
        away.endReceiver(true);
    }
    Client other(login);
    sendAll(other, "topic://cpp.news", {"meanwhile"});
    Client back(login, who);
    back.receive("topic://cpp.news", subscription);
    same(texts(back, 1), "meanwhile ", "durable subscription");
    back.endReceiver(false);
}

void requestReply(const Login& login) {
    Client caller(login), server(login);
    server.receive("cpp.service");
    const auto answers = caller.receive("", from(proton::source_options().dynamic(true)));
    auto question = durable("why");
    question.reply_to(answers);
    question.correlation_id(proton::message_id(std::uint64_t{7}));
    same(caller.send("cpp.service", question), "accepted", "outcome");
    const auto asked = server.next();
    proton::message reply(text(asked) + "!");
    reply.correlation_id(asked.correlation_id());
    same(server.send(asked.reply_to(), reply), "accepted", "outcome");
    const auto got = caller.next();
    same(text(got) + proton::to_string(got.correlation_id()), "why!7", "reply");
}

void large(const Login& login) {
    Client client(login);
    std::string body;
    while (body.size() < (8U << 20)) body += std::to_string(body.size()) + " ";
    sendAll(client, "cpp.large", {body});
    client.receive("cpp.large");
    if (text(client.next()) != body) throw Failure("a large body came other than it was");
}

/// The bus ends what is silent for 2 s (the test says so), and Proton too.
void idle(const Login& login) {
    Client client(login, proton::connection_options().idle_timeout(proton::duration(2000)));
    client.receive("cpp.silent");
    std::this_thread::sleep_for(std::chrono::seconds(8));
    if (client.closes() != 0 || client.opens() != 1)
        throw Failure("the silent connection was lost");
    sendAll(client, "cpp.silent", {"still-here"});
    same(texts(client, 1), "still-here ", "after the silence");
}

void reconnect(const Login& login) {
    Client client(login,
                  proton::connection_options().reconnect(proton::reconnect_options()
                                                             .delay(proton::duration(50))
                                                             .max_delay(proton::duration(200))));
    std::set<int> twice;
    int count = 0;
    for (int after = 0; after < 20; ++count) {
        if (count == 20) {
            std::puts("kill");
            std::fflush(stdout);
        }
        while (!client.trySend("cpp.numbers", durable(std::to_string(count)))) twice.insert(count);
        if (client.opens() > 1) ++after;
    }
    client.receive("cpp.numbers");
    std::set<int> seen;
    while (static_cast<int>(seen.size()) < count) {
        const int number = std::stoi(text(client.next()));
        client.settle(&proton::delivery::accept);
        if (!seen.insert(number).second && !twice.contains(number))
            throw Failure(std::to_string(number) + " came twice");
    }
    if (*seen.rbegin() != count - 1) throw Failure("a number that was not sent");
}

/// A thousand connections in one container: each sends to a queue of its own and gets that message,
/// while all are open.
class Crowd final : public proton::messaging_handler {
  public:
    explicit Crowd(const Login& login) : login_(login) {}

    void on_container_start(proton::container& container) override {
        for (int i = 0; i < kCount; ++i) {
            const auto queue = "cpp.crowd." + std::to_string(i);
            auto connection =
                connections_.emplace_back(container.connect(login_.url, options(login_)));
            connection.open_sender(queue);
            connection.open_receiver(queue);
        }
    }
    void on_sendable(proton::sender& sender) override {
        if (sent_.insert(sender.target().address()).second)
            sender.send(durable(sender.target().address()));
    }
    void on_message(proton::delivery& delivery, proton::message& message) override {
        if (text(message) == delivery.receiver().source().address()) ++served_;
        if (served_ == kCount) end();
    }
    void on_transport_error(proton::transport& transport) override { fail(transport.error()); }
    void on_error(const proton::error_condition& error) override { fail(error); }

    void run() {
        proton::container(*this).run();
        if (!failure_.empty()) throw Failure(failure_);
        std::printf("%d served\n", served_);
    }

  private:
    static constexpr int kCount = 1000;

    void fail(const proton::error_condition& error) {
        if (!failure_.empty()) return;
        failure_ = error.what();
        end();
    }
    void end() {
        for (auto& connection : connections_) connection.close();
    }

    const Login login_;
    std::vector<proton::connection> connections_;
    std::set<std::string> sent_;
    int served_ = 0;
    std::string failure_;
};

void thousand(const Login& login) {
    Crowd(login).run();
}

const std::map<std::string, void (*)(const Login&)> kScenarios{
    {"login", login},
    {"sendReceive", sendReceive},
    {"acknowledgements", acknowledgements},
    {"selector", selector},
    {"browse", browse},
    {"durable", durableSubscription},
    {"requestReply", requestReply},
    {"large", large},
    {"idle", idle},
    {"reconnect", reconnect},
    {"thousand", thousand},
};

}  // namespace
}  // namespace busbar::clients

int main(int argc, char** argv) try {
    if (argc < 6) {
        std::fputs("usage: proton_client URL USER PASSWORD CA-FILE SCENARIO...\n", stderr);
        return 2;
    }
    const busbar::clients::Login login{argv[1], argv[2], argv[3], argv[4]};
    for (int i = 5; i < argc; ++i) busbar::clients::kScenarios.at(argv[i])(login);
    std::puts("ok");
    return 0;
} catch (const std::exception& error) {
    std::printf("failed: %s\n", error.what());
    return 1;
}
