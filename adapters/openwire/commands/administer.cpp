// DestinationInfo and RemoveSubscriptionInfo.
#include "adapters/openwire/connection.h"

namespace busbar::openwire {

void Connection::on(DestinationInfo& info) {
    const Answer answer = answerTo(info);
    if (!info.destination) {
        return refuse(answer, {ErrorCode::invalidArgument, "DestinationInfo without one"});
    }
    const auto destination = toDestination(*info.destination);
    if (!destination) return refuse(answer, destination.error());
    const bool adds = info.operationType == DestinationInfo::kAdd;
    if (!destination->isTemporary()) {
        // Queues and topics are made where they are missing.
        if (adds) return reply(answer);
        return refuse(answer, {ErrorCode::unsupported,
                               "queues are deleted by 'busbar queue delete' or over HTTP"});
    }
    if (adds) return makeTemporary(info, *destination);
    if (!temporaries_.contains(*destination)) {
        return refuse(answer, {ErrorCode::notFound, "'" + destination->name +
                                                        "' is not a temporary destination of this "
                                                        "connection"});
    }
    flushAccepts();
    DeleteTemporary command;
    command.session = session_;
    command.destination = *destination;
    command.request = expect([this, answer, own = *destination](Completed& done) {
        if (done.error) return refuse(answer, *done.error);
        temporaries_.erase(own);
        advise(own, DestinationInfo::kRemove);
        reply(answer);
    });
    host_.bus().submit(std::move(command));
}

/// A temporary destination bears the name of its connection: nobody can take another's before it is
/// made.
void Connection::makeTemporary(const DestinationInfo& info, const Destination& destination) {
    const Answer answer = answerTo(info);
    const std::string prefix = connectionId_->value.value_or("") + ":";
    if (!destination.name.starts_with(prefix)) {
        return refuse(answer, {ErrorCode::notAuthorized,
                               "the name of a temporary destination begins with its connection's "
                               "id"});
    }
    if (temporaries_.contains(destination)) return reply(answer);
    MakeTemporary command;
    command.session = session_;
    command.destination = destination;
    temporaries_.insert(destination);  // consumers of it may come before the answer
    command.request = expect([this, answer, destination](Completed& done) {
        if (done.error) {
            temporaries_.erase(destination);
            return refuse(answer, *done.error);
        }
        advise(destination, DestinationInfo::kAdd);
        reply(answer);
    });
    host_.bus().submit(std::move(command));
}

/// Of the connection's own client id, whatever the command says (GHSA-59p6-j354-3gpj).
void Connection::on(RemoveSubscriptionInfo& info) {
    const Answer answer = answerTo(info);
    if (!info.subscriptionName || info.subscriptionName->empty()) {
        return refuse(answer,
                      {ErrorCode::invalidArgument, "RemoveSubscriptionInfo without a name"});
    }
    if (info.clientId && *info.clientId != clientId_) {
        return refuse(answer, {ErrorCode::notAuthorized,
                               "a durable subscription is removed under its own client id alone"});
    }
    flushAccepts();
    DeleteSubscription command;
    command.session = session_;
    command.name = *info.subscriptionName;
    command.request = expect([this, answer](Completed& done) {
        if (done.error) return refuse(answer, *done.error);
        reply(answer);
    });
    host_.bus().submit(std::move(command));
}

}  // namespace busbar::openwire
