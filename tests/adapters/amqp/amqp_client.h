// An AMQP client in memory: Proton's driver at the other end of an engine with a fake bus.
#pragma once

#include "adapters/amqp/amqp.h"
#include "adapters/amqp/proton.h"
#include "tests/support/fake_bus.h"

#include <proton/connection.h>
#include <proton/delivery.h>
#include <proton/disposition.h>
#include <proton/event.h>
#include <proton/link.h>
#include <proton/sasl.h>
#include <proton/session.h>
#include <proton/transport.h>

#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace busbar::test {

/// Both ends. What the client is told is asked of Proton's objects; run() moves bytes until nothing
/// moves any more.
class AmqpClient {
  public:
    explicit AmqpClient(amqp::Options given = {}, const std::string& certificateOf = {},
                        bool scram = false)
        : options(given), host(bus) {
        authenticator.scram = scram;
        if (!certificateOf.empty())
            host.certificate = PeerCertificate{"CN=" + certificateOf, certificateOf, {}};
        engine = amqp::makeFactory(options, authenticator)(host);
    }

    pn_connection_t* connection() { return driver.connection(); }

    /// Opens the connection, and a session.
    void start(const std::string& user = "alice", const std::string& password = "secret") {
        pn_connection_set_user(connection(), user.c_str());
        pn_connection_set_password(connection(), password.c_str());
        if (view(pn_connection_get_container(connection())).empty())
            pn_connection_set_container(connection(), "client");
        pn_sasl_set_allow_insecure_mechs(pn_sasl(driver.transport()), true);
        pn_sasl_allowed_mechs(pn_sasl(driver.transport()), user.empty() ? "ANONYMOUS" : "PLAIN");
        pn_connection_open(connection());
        session = pn_session(connection());
        pn_session_open(session);
        run();
    }
    /// Says what a client says in the SASL layer, of which the client's Proton knows little: the
    /// header, an init frame with `mechanism` and `response`. Returns what comes back.
    std::string saslInit(const std::string& mechanism, const std::string& response) {
        const std::string name =
            '\xa3' + std::string(1, static_cast<char>(mechanism.size())) + mechanism;
        const std::string bytes =
            '\xa0' + std::string(1, static_cast<char>(response.size())) + response;
        engine->receive(std::string("AMQP\3\1\0\0", 8) + saslFrame('\x41', name, bytes));
        bus.loop.run();
        return host.read();
    }
    /// An answer to a challenge.
    std::string saslResponse(const std::string& response) {
        engine->receive(saslFrame(
            '\x43', '\xa0' + std::string(1, static_cast<char>(response.size())) + response, {}));
        bus.loop.run();
        return host.read();
    }
    /// The text of a challenge, or what goes with an outcome: from `begin` to the frame's end.
    static std::string textFrom(const std::string& bytes, const std::string& begin) {
        const auto at = bytes.rfind(begin);
        return at == bytes.npos ? "" : bytes.substr(at);
    }
    /// A frame with a list of up to two encoded fields; lists longer than 255 bytes are not needed.
    static std::string saslFrame(char code, const std::string& first, const std::string& second) {
        std::string list = first + second;
        const char count = second.empty() ? '\1' : '\2';
        list = std::string("\0\x53", 2) + code + '\xc0' + static_cast<char>(list.size() + 1) +
               count + list;
        return std::string("\0\0\0", 3) + static_cast<char>(8 + list.size()) +
               std::string("\2\1\0\0", 4) + list;
    }
    /// The SASL outcome's code in what came back; -1: there is none.
    static int outcomeIn(const std::string& bytes) {
        const auto at = bytes.find(std::string("\0\x53\x44", 3));
        if (at == bytes.npos) return -1;
        const auto code = bytes.find('\x50', at + 3);
        return code == bytes.npos ? -1 : bytes[code + 1];
    }

    /// start(), and the bus has opened its session.
    void open() {
        start();
        const auto command = bus.take<OpenSession>();
        bus.complete(command.request);
        run();
    }

    /// Moves bytes both ways until all is quiet.
    void run() {
        for (bool moved = true; moved;) {
            moved = false;
            while (pn_event_t* event = pn_connection_driver_next_event(driver.get())) note(event);
            for (;;) {
                const pn_bytes_t bytes = pn_connection_driver_write_buffer(driver.get());
                if (bytes.size == 0) break;
                const std::string copy(bytes.start, bytes.size);
                pn_connection_driver_write_done(driver.get(), bytes.size);
                engine->receive(copy);
                moved = true;
            }
            bus.loop.run();
            std::string_view back;
            const std::string taken = host.read();
            back = taken;
            moved = moved || !back.empty();
            while (!back.empty()) {
                const pn_rwbytes_t room = pn_connection_driver_read_buffer(driver.get());
                if (room.size == 0) break;
                const std::size_t size = std::min(room.size, back.size());
                std::memcpy(room.start, back.data(), size);
                pn_connection_driver_read_done(driver.get(), size);
                back.remove_prefix(size);
                while (pn_event_t* event = pn_connection_driver_next_event(driver.get()))
                    note(event);
            }
        }
    }

    pn_link_t* sender(const char* address, const char* name = "out") {
        pn_link_t* link = pn_sender(session, name);
        if (address) pn_terminus_set_address(pn_link_target(link), address);
        pn_link_open(link);
        run();
        return link;
    }
    /// Not opened yet.
    pn_link_t* receiverOf(const char* address, const char* name = "in") {
        pn_link_t* link = pn_receiver(session, name);
        if (address) pn_terminus_set_address(pn_link_source(link), address);
        return link;
    }
    /// Opened, and its consumer is there.
    pn_link_t* receiver(const char* address, int credit = 0) {
        pn_link_t* link = receiverOf(address);
        attach(link);
        if (credit > 0) pn_link_flow(link, credit);
        run();
        return link;
    }
    Subscribe attach(pn_link_t* link) {
        pn_link_open(link);
        run();
        auto command = bus.take<Subscribe>();
        bus.complete(command.request);
        run();
        return command;
    }

    pn_delivery_t* send(pn_link_t* link, std::string_view bytes, bool settled = false) {
        const std::string tag = std::to_string(++tags_);
        pn_delivery_t* delivery = pn_delivery(link, pn_dtag(tag.data(), tag.size()));
        pn_link_send(link, bytes.data(), bytes.size());
        pn_link_advance(link);
        if (settled) pn_delivery_settle(delivery);
        run();
        return delivery;
    }
    /// The next whole message of a receiver, settled with `outcome` (0: not yet).
    std::string next(pn_link_t* link, std::uint64_t outcome = PN_ACCEPTED) {
        current = pn_link_current(link);
        if (!current || pn_delivery_partial(current)) return {};
        std::string bytes(pn_delivery_pending(current), '\0');
        pn_link_recv(link, bytes.data(), bytes.size());
        pn_link_advance(link);
        if (outcome != 0) {
            pn_delivery_update(current, outcome);
            pn_delivery_settle(current);
        }
        run();
        return bytes;
    }

    /// The bus hands a message to the consumer of that id.
    void deliver(ConsumerId consumer, std::string body, std::uint64_t id = 1,
                 std::uint32_t count = 1) {
        auto message = std::make_shared<Message>();
        message->destination = Destination::queue("q");
        message->bodyKind = BodyKind::text;
        message->body = Buffer::of(std::move(body));
        deliver(consumer, std::move(message), id, count);
    }
    void deliver(ConsumerId consumer, MessagePtr message, std::uint64_t id, std::uint32_t count) {
        Delivered effect;
        effect.consumer = consumer;
        effect.delivery.id = DeliveryId(id);
        effect.delivery.message = std::move(message);
        effect.delivery.count = count;
        effect.delivery.stored = StoredId(100 + id);
        bus.tell(std::move(effect));
        run();
    }

    static bool remotelyClosed(pn_link_t* link) {
        return (pn_link_state(link) & PN_REMOTE_CLOSED) != 0;
    }
    static bool remotelyOpen(pn_link_t* link) {
        return (pn_link_state(link) & PN_REMOTE_ACTIVE) != 0;
    }
    static std::string_view view(const char* text) { return amqp::view(text); }
    static std::string condition(pn_link_t* link) {
        return std::string(view(pn_condition_get_name(pn_link_remote_condition(link))));
    }
    static std::string condition(pn_delivery_t* delivery) {
        return std::string(
            view(pn_condition_get_name(pn_disposition_condition(pn_delivery_remote(delivery)))));
    }
    std::string connectionCondition() {
        return std::string(
            view(pn_condition_get_name(pn_connection_remote_condition(connection()))));
    }
    bool failed() { return pn_condition_is_set(pn_transport_condition(driver.transport())); }

    /// A message of one amqp-value string.
    static std::string text(std::string_view body) {
        std::string out;
        amqp::putDescriptor(out, 0x77);
        amqp::putString(out, body);
        return out;
    }

    amqp::Options options;
    FakeBus bus;
    FakeHost host;
    FakeAuthenticator authenticator;
    std::unique_ptr<Engine> engine;
    amqp::Driver driver;
    pn_session_t* session = nullptr;
    pn_delivery_t* current = nullptr;
    std::vector<pn_event_type_t> events;

  private:
    void note(pn_event_t* event) { events.push_back(pn_event_type(event)); }

    int tags_ = 0;
};

}  // namespace busbar::test
