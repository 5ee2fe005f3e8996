// ProducerInfo and messages.
#include "adapters/openwire/connection.h"
#include "adapters/transport/pace.h"

#include <algorithm>

namespace busbar::openwire {
namespace {

/// What ActiveMQ counts a message as, in a producer's window.
constexpr std::size_t kWindowHead = 1024;

std::int32_t windowBytesOf(const WireMessage& wire) {
    std::size_t bytes = kWindowHead;
    if (wire.content) bytes += wire.content->size();
    if (wire.marshalledProperties) bytes += wire.marshalledProperties->size();
    return static_cast<std::int32_t>(std::min<std::size_t>(bytes, 0x7fffffff));
}

std::string nameOf(const ProducerId& id) {
    return id.connectionId.value_or("") + ":" + std::to_string(id.sessionId) + ":" +
           std::to_string(id.value);
}

}  // namespace

void Connection::on(ProducerInfo& info) {
    const Answer answer = answerTo(info);
    if (!info.producerId) {
        return refuse(answer, {ErrorCode::invalidArgument, "ProducerInfo needs an id"});
    }
    if (producers_.size() >= options_.producersMax) {
        return refuse(answer, {ErrorCode::limitReached, "a connection may have at most " +
                                                            std::to_string(options_.producersMax) +
                                                            " producers"});
    }
    if (info.destination) {
        if (const auto target = toTarget(*info.destination); !target)
            return refuse(answer, target.error());
    }
    producers_[{info.producerId->sessionId, info.producerId->value}].windowSize = info.windowSize;
    reply(answer);
}

Result<std::vector<std::shared_ptr<Message>>> Connection::toMessages(const WireMessage& wire) {
    keepPace(host_, seat_, 1);
    if (!wire.destination) {
        return {ErrorCode::invalidArgument, "a message needs a destination"};
    }
    const auto target = toTarget(*wire.destination);
    if (!target) return target.error();
    std::vector<std::shared_ptr<Message>> messages;
    for (const auto& destination : target->destinations) {
        if (isAdvisory(destination)) {
            return {ErrorCode::notAuthorized,
                    "'" + destination.name + "' is for the bus alone to send to"};
        }
        if (messages.empty()) {
            MappingLimits limits;
            limits.bodyBytesMax = static_cast<std::size_t>(options_.bodyBytesMax);
            auto made = toBus(wire, destination, host_.now().wall, limits);
            if (!made) return made.error();
            messages.push_back(std::move(*made));
        } else {
            auto copy = std::make_shared<Message>(*messages.front());
            copy->destination = destination;
            messages.push_back(std::move(copy));
        }
    }
    return messages;
}

/// A client that fails over sends what was not answered again, under the same numbers: the bus
/// keeps the last one of each producer, so that the repeat is stored nowhere. One name for each
/// destination of several, since each of them sees the number.
void Connection::number(const WireMessage& wire, Outgoing& outgoing) {
    const MessageId* id = wire.messageId.get();
    if (!faultTolerant_ || !wire.persistent || !id || !id->producerId) return;
    if (id->producerSequenceId <= 0) return;
    const std::string name = nameOf(*id->producerId);
    const auto known = producers_.find({id->producerId->sessionId, id->producerId->value});
    for (Send& send : outgoing.sends) {
        send.producer = name;
        if (outgoing.sends.size() > 1) send.producer += "|" + toUri(send.message->destination);
        send.sequence = static_cast<std::uint64_t>(id->producerSequenceId);
        if (known != producers_.end()) known->second.numbered.insert(send.producer);
    }
}

void Connection::on(WireMessage& wire) {
    Outgoing outgoing;
    outgoing.answer = answerTo(wire);
    if (wire.transactionId) {
        auto transaction = findTransaction(wire.transactionId);
        if (!transaction) return refuse(outgoing.answer, transaction.error());
        outgoing.transaction = std::move(*transaction);
    }
    auto messages = toMessages(wire);
    if (!messages) {
        if (outgoing.transaction && !outgoing.answer.wanted) {
            outgoing.transaction->failed = messages.error();
            return;
        }
        return refuse(outgoing.answer, messages.error());
    }
    if (isSchedulerManagement(messages->front()->destination))
        return manageSchedules(*messages->front(), outgoing.answer);
    for (auto& message : *messages) {
        outgoing.sends.emplace_back();
        outgoing.sends.back().message = std::move(message);
    }
    if (!outgoing.transaction) number(wire, outgoing);
    if (wire.producerId && !outgoing.answer.wanted) {
        const auto producer = producers_.find({wire.producerId->sessionId, wire.producerId->value});
        if (producer != producers_.end() && producer->second.windowSize > 0) {
            outgoing.producer = wire.producerId;
            outgoing.windowBytes = windowBytesOf(wire);
        }
    }
    const std::size_t bytes = outgoing.sends.front().message->body.size();
    if (host_.bus().bodies() && bytes > options_.largeBodyBytes) return upload(std::move(outgoing));
    submit(std::move(outgoing));
}

void Connection::upload(Outgoing outgoing) {
    const Buffer body = outgoing.sends.front().message->body;
    for (Send& send : outgoing.sends) send.message->body = Buffer();
    upload_ = std::make_unique<Upload>();
    upload_->outgoing = std::move(outgoing);
    // A failure is told by finish().
    upload_->body =
        std::make_unique<BodyUpload>(*host_.bus().bodies(), host_.bus().executor(), [] {});
    upload_->body->append(body.view());
    upload_->body->finish([this](Result<LargeBodyPtr> stored) { onUploaded(std::move(stored)); });
}

void Connection::onUploaded(Result<LargeBodyPtr> body) {
    const auto upload = std::exchange(upload_, nullptr);
    Outgoing& outgoing = upload->outgoing;
    if (body) {
        for (Send& send : outgoing.sends) send.message->large = *body;
        submit(std::move(outgoing));
    } else if (outgoing.transaction && !outgoing.answer.wanted) {
        outgoing.transaction->failed = body.error();
    } else {
        refuse(outgoing.answer, body.error());
    }
    process(std::exchange(held_, {}));
    leaveWhenDone();
    host_.flush();
}

void Connection::submit(Outgoing outgoing) {
    if (outgoing.transaction) {
        for (Send& send : outgoing.sends) {
            auto added = outgoing.transaction->work.send(std::move(send.message));
            if (!added) outgoing.transaction->failed = added.error();
        }
        return reply(outgoing.answer);
    }
    std::shared_ptr<Together> together;
    if (outgoing.sends.size() > 1) {
        together = std::make_shared<Together>();
        together->open = outgoing.sends.size();
    }
    for (Send& send : outgoing.sends) {
        send.session = session_;
        Pending& pending = expectPending(send.request);
        pending.kind = Pending::Kind::send;
        pending.answer = outgoing.answer;
        pending.together = together;
        pending.bytes = send.message->body.size() + 256;
        pending.producer = outgoing.producer;
        pending.windowBytes = outgoing.windowBytes;
        ++sendsInFlight_;
        bytesInFlight_ += pending.bytes;
        host_.bus().submit(std::move(send));
    }
}

/// In an orderly way: nothing of it will be sent again.
void Connection::removeProducer(ProducerKey key) {
    const auto found = producers_.find(key);
    if (found == producers_.end()) return;
    for (const auto& name : found->second.numbered)
        host_.bus().submit(ForgetProducer{session_, name});
    producers_.erase(found);
}

}  // namespace busbar::openwire
