// An OpenWire client for tests: frames made by the codec, over an engine with a fake bus.
#pragma once

#include "adapters/openwire/connection.h"
#include "tests/support/fake_bus.h"

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace busbar::openwire::test {

class Client {
  public:
    explicit Client(const Options& given = {}) : options(given) {
        engine = std::make_unique<Connection>(host, options, authenticator);
    }

    // ---- sending

    template <class C>
    std::string bytes(C command) {
        Structure structure;
        structure.value = std::move(command);
        std::string out;
        if (!encoder_.append(structure, out)) throw std::runtime_error("cannot be encoded");
        return out;
    }
    /// Returns the command's id.
    template <class C>
    std::int32_t send(C command, bool wanted = true) {
        command.commandId = ++last_;
        command.responseRequired = wanted;
        engine->receive(bytes(std::move(command)));
        return last_;
    }

    // ---- what came

    /// All that came since the last call.
    std::vector<Structure> read() {
        const std::string got = host.read();
        std::string_view input = got;
        std::vector<Structure> all;
        while (true) {
            auto next = decoder_.next(input);
            if (!next) throw std::runtime_error(next.error().text);
            if (!*next) return all;
            if (const auto* info = (*next)->as<WireFormatInfo>()) {
                agree(*info);
            }
            all.push_back(std::move(**next));
        }
    }
    template <class C>
    static const C* find(const std::vector<Structure>& all) {
        for (const auto& one : all) {
            if (const auto* found = one.as<C>()) return found;
        }
        return nullptr;
    }
    /// The response to a command, which must be the only one there.
    bool answered(std::int32_t id) {
        const auto all = read();
        const auto* response = find<Response>(all);
        return response && response->correlationId == id && !find<ExceptionResponse>(all);
    }
    /// The exception's class and text that a command was answered with.
    std::string refused(std::int32_t id) {
        const auto all = read();
        const auto* response = find<ExceptionResponse>(all);
        if (!response || response->correlationId != id) return "not refused";
        return *response->exception->className + " " + *response->exception->message;
    }

    // ---- conversations

    void greet(const FormatOffer& offer = {}) {
        offer_ = offer;
        engine->receive(bytes(makeInfo(offer)));
        read();
        encoder_.setFormat(agreement_.format);
    }
    ConnectionInfo connectionInfo(bool failover = false) const {
        ConnectionInfo info;
        info.connectionId = connection;
        info.clientId = "client-1";
        info.userName = "alice";
        info.password = "secret";
        info.faultTolerant = info.failoverReconnect = failover;
        return info;
    }
    OpenSession login(bool failover = false) {
        greet();
        send(connectionInfo(failover));
        bus.loop.run();
        auto open = bus.take<OpenSession>();
        bus.complete(open.request);
        return open;
    }
    ConsumerInfo consumerInfo(const std::string& name, std::int64_t number = 1,
                              std::uint8_t type = 100) const {
        ConsumerInfo info;
        info.consumerId = makeRef(consumerId(number));
        info.destination = makeRef(WireDestination{type, name});
        info.prefetchSize = 10;
        return info;
    }
    static ConsumerId consumerId(std::int64_t number) { return {"c1", 1, number}; }
    busbar::ConsumerId subscribe(const ConsumerInfo& info) {
        send(info);
        auto command = bus.take<Subscribe>();
        bus.complete(command.request);
        read();
        return command.consumer;
    }
    busbar::ConsumerId subscribe(const std::string& name = "a", std::int64_t number = 1) {
        return subscribe(consumerInfo(name, number));
    }
    static std::shared_ptr<Message> message(std::uint64_t id) {
        auto made = std::make_shared<Message>();
        made->id = "ID:other-" + std::to_string(id);
        made->destination = Destination::queue("a");
        made->bodyKind = BodyKind::text;
        made->body = Buffer::copyOf("hello");
        return made;
    }
    /// Stored under its number; its delivery has that number plus 1000.
    void deliver(busbar::ConsumerId consumer, std::uint64_t id, std::uint32_t count = 1,
                 const std::shared_ptr<Message>& given = nullptr) {
        Delivered effect;
        effect.consumer = consumer;
        effect.delivery = {DeliveryId(1000 + id), given ? given : message(id), count, StoredId(id)};
        bus.tell(std::move(effect));
    }
    MessageAck ack(std::int8_t kind, std::int64_t first, std::int64_t last, std::int32_t count = 1,
                   std::int64_t consumer = 1) const {
        MessageAck made;
        made.consumerId = makeRef(consumerId(consumer));
        made.ackKind = kind;
        made.messageCount = count;
        MessageId id;
        id.brokerSequenceId = last;
        made.lastMessageId = makeRef(id);
        id.brokerSequenceId = first;
        if (first > 0) made.firstMessageId = makeRef(id);
        return made;
    }
    WireMessage textMessage(const std::string& to, std::int64_t number = 1,
                            std::uint8_t type = 100) const {
        WireMessage made = WireMessage::make(WireMessage::kText);
        made.destination = makeRef(WireDestination{type, to});
        made.producerId = makeRef(ProducerId{"c1", 1, 1});
        MessageId id;
        id.producerId = made.producerId;
        id.producerSequenceId = number;
        made.messageId = makeRef(id);
        made.persistent = true;
        made.content = Buffer::copyOf(std::string("\0\0\0\x02hi", 6));
        return made;
    }
    Ref<TransactionId> transaction(std::int64_t number) const {
        return makeRef(TransactionId{LocalTransactionId{number, connection}});
    }
    TransactionInfo transact(std::int8_t operation, Ref<TransactionId> id) const {
        TransactionInfo info;
        info.connectionId = connection;
        info.transactionId = std::move(id);
        info.operation = operation;
        return info;
    }

    Options options;
    busbar::test::FakeBus bus;
    busbar::test::FakeHost host{bus};
    busbar::test::FakeAuthenticator authenticator;
    std::unique_ptr<Connection> engine;
    Ref<ConnectionId> connection = makeRef(ConnectionId{"c1"});

  private:
    void agree(const WireFormatInfo& info) {
        const auto theirs = readInfo(info);
        auto agreed = openwire::agree(offer_, *theirs);
        if (!agreed) return;
        agreement_ = *agreed;
        decoder_.setFormat(agreement_.format);
    }

    Encoder encoder_;
    Decoder decoder_{DecoderLimits{64u << 20, 65'535, 1024, 20, 1u << 20}};
    FormatOffer offer_;
    Agreement agreement_;
    std::int32_t last_ = 0;
};

}  // namespace busbar::openwire::test
