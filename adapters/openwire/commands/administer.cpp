// DestinationInfo and RemoveSubscriptionInfo.
#include "adapters/openwire/connection.h"
#include "bus/core/schedules.h"

#include <charconv>

namespace busbar::openwire {
namespace {

std::string propertyOf(const Message& message, std::string_view name) {
    const Value* value = message.properties.find(name);
    return value ? busbar::toText(*value) : std::string();
}

/// Nothing where the property is absent or no number.
std::optional<WallTime> timeOf(const Message& message, std::string_view name) {
    const std::string text = propertyOf(message, name);
    std::int64_t ms = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), ms);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return WallTime(Milliseconds(ms));
}

/// ActiveMQ looks at both or at none.
struct Within {
    WallTime from = WallTime::min(), to = WallTime::max();

    explicit Within(const Message& order) {
        const auto start = timeOf(order, "ACTION_START_TIME");
        const auto end = timeOf(order, "ACTION_END_TIME");
        if (start && end) from = *start, to = *end;
    }
};

/// A schedule as a message without a body. Sent by the bus itself, so that its properties make no
/// new one.
std::shared_ptr<Message> describe(const SchedulePicture& schedule, const Destination& to) {
    auto message = std::make_shared<Message>();
    message->destination = to;
    message->persistent = false;
    auto& properties = message->properties;
    properties.set("scheduledJobId", schedule.name);
    if (!schedule.rule.cron.empty()) {
        properties.set("AMQ_SCHEDULED_CRON", schedule.rule.cron);
        properties.set("busbar_cronZone", schedule.rule.zone);
    }
    properties.set("AMQ_SCHEDULED_DELAY", std::int64_t{schedule.rule.delay.count()});
    properties.set("AMQ_SCHEDULED_PERIOD", std::int64_t{schedule.rule.period.count()});
    properties.set("AMQ_SCHEDULED_REPEAT", static_cast<std::int32_t>(schedule.rule.repeats));
    properties.set("busbar_destination", toUri(schedule.destination));
    properties.set("busbar_nextTime", std::int64_t{schedule.next.time_since_epoch().count()});
    return message;
}

}  // namespace

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

/// What ActiveMQ's clients ask of its scheduler: schedules of this user, or that he may manage.
void Connection::manageSchedules(const Message& order, const Answer& answer) {
    const std::string action = propertyOf(order, "AMQ_SCHEDULER_ACTION");
    if (action == "REMOVE" || action == "REMOVEALL")
        return cancelSchedules(order, answer, action == "REMOVEALL");
    if (action == "BROWSE" && order.replyTo)
        return browseSchedules(std::make_shared<const Message>(order), answer, StoredId());
    refuse(answer, {ErrorCode::invalidArgument,
                    "AMQ_SCHEDULER_ACTION '" + action.substr(0, 60) +
                        "': REMOVE, REMOVEALL, or BROWSE with a JMSReplyTo is expected"});
}

void Connection::cancelSchedules(const Message& order, const Answer& answer, bool all) {
    CancelSchedules command;
    command.session = session_;
    if (!all) {
        const auto id = scheduleNumber(propertyOf(order, "scheduledJobId"));
        if (!id) return reply(answer);  // none of ours, so it is not there
        command.ids = {*id};
    }
    const Within within(order);
    command.from = within.from;
    command.to = within.to;
    command.request = expect([this, answer](Completed& done) {
        // One that is over is as good as removed.
        if (done.error && done.error->code != ErrorCode::notFound)
            return refuse(answer, *done.error);
        reply(answer);
    });
    host_.bus().submit(std::move(command));
}

/// Page by page; answered when all were sent.
void Connection::browseSchedules(std::shared_ptr<const Message> order, const Answer& answer,
                                 StoredId after) {
    ListSchedules command;
    command.session = session_;
    command.after = after;
    expectPending(command.request).pictured = [this, order = std::move(order),
                                               answer](const Picture& picture) {
        const Within within(*order);
        for (const auto& schedule : picture.schedules) {
            if (schedule.next < within.from || schedule.next > within.to) continue;
            Send send;
            send.session = session_;
            send.message = describe(schedule, *order->replyTo);
            host_.bus().submit(std::move(send));
        }
        if (picture.moreSchedules)
            return browseSchedules(order, answer, picture.schedules.back().id);
        reply(answer);
    };
    host_.bus().submit(command);
}

}  // namespace busbar::openwire
