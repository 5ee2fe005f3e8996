#include "adapters/http/message_endpoints.h"

#include "adapters/http/answers.h"
#include "adapters/http/errors.h"
#include "adapters/http/event_stream.h"
#include "adapters/http/message_mapping.h"
#include "adapters/http/parameters.h"
#include "adapters/http/results.h"
#include "bus/base/check.h"

#include <functional>

namespace busbar::http {
namespace {

const std::string& destinationName(const Request& request) {
    return request.segments.at(1);
}
const std::string& groupName(const Request& request) {
    return request.segments.at(3);
}
const std::string& leaseText(const Request& request) {
    return request.segments.at(3);
}

std::string browsedJson(const Browsed& browsed) {
    JsonWriter json;
    json.beginObject().key("messages").beginArray();
    for (const auto& entry : browsed.entries) {
        writeMessage(json, *entry.message, [&](JsonWriter& out) {
            out.key("position").number(entry.id.value);
            out.key("deliveryCount").number(entry.deliveryCount);
            out.key("held").boolean(entry.held);
            if (entry.deliverAt != WallTime{})
                out.key("dueAt").signedNumber(entry.deliverAt.time_since_epoch().count());
        });
    }
    json.endArray().key("more").boolean(browsed.more).endObject();
    return json.take();
}

using Field = std::function<std::string_view(const char* name)>;

/// What nack, and an element of settle, may carry.
Result<void> readFailure(const Field& field, Settle& command) {
    const auto delay =
        durationOf("delay", field("delay"), Milliseconds(0), Milliseconds(24 * 3600 * 1000));
    if (!delay) return delay.error();
    command.delay = *delay;
    command.reason = std::string(field("reason").substr(0, 1024));
    return {};
}

std::string_view fieldOf(const FlatObject& fields, const char* name) {
    const auto at = fields.find(name);
    return at == fields.end() ? std::string_view{} : at->second;
}

/// In the query or as a JSON object.
Result<void> readNack(const Request& request, Settle& command) {
    FlatObject fields;
    if (!request.body.empty()) {
        auto read = readFlatObject(request.body.view());
        if (!read) return read.error();
        fields = std::move(*read);
    }
    const Field field = [&](const char* name) {
        return request.parameter(name, fieldOf(fields, name));
    };
    const auto reject = booleanOf("reject", field("reject"), false);
    if (!reject) return reject.error();
    command.outcome = *reject ? Outcome::rejected : Outcome::failed;
    return readFailure(field, command);
}

Result<Outcome> outcomeOf(std::string_view text) {
    if (text.empty() || text == "accepted") return Outcome::accepted;
    if (text == "released") return Outcome::released;
    if (text == "failed") return Outcome::failed;
    if (text == "rejected") return Outcome::rejected;
    return {ErrorCode::invalidArgument, "outcome: '" + std::string(text.substr(0, 64)) +
                                            "' is not accepted, released, failed or rejected"};
}

}  // namespace

MessageEndpoints::MessageEndpoints(UserSessions& sessions, MessageEndpointOptions options)
    : sessions_(sessions), options_(std::move(options)) {
    BUSBAR_CHECK(options_.leaseTokens, "leases need the broker's tokens");
}

void MessageEndpoints::install(Router& router) {
    using Access = Router::Access;
    const auto add = [&](const char* method, const char* pattern, Access access, auto member) {
        router.add(
            method, pattern, access,
            [this, member](const Request& request, const ResponderPtr& responder) {
                (this->*member)(request, responder);
            },
            options_.bodyBytesMax);
    };
    add("GET", "/queues/*/messages", Access::login, &MessageEndpoints::receiveOrBrowse);
    add("POST", "/queues/*/settle", Access::login, &MessageEndpoints::settleMany);
    for (const char* method : {"GET", "PUT", "DELETE"})
        add(method, "/queues/*/groups/*/state", Access::login, &MessageEndpoints::groupState);
    router.add(
        "DELETE", "/queues/*/leases/*", Access::login,
        [this](const Request& q, const ResponderPtr& r) { settle(q, r, Outcome::accepted); });
    router.add("POST", "/queues/*/leases/*/nack", Access::login,
               [this](const Request& q, const ResponderPtr& r) { settle(q, r, Outcome::failed); });
    add("POST", "/queues/*/leases/*/extend", Access::login, &MessageEndpoints::extend);
    add("GET", "/queues/*/leases/*/body", Access::login, &MessageEndpoints::body);
    add("GET", "/topics/*/events", Access::login, &MessageEndpoints::events);
}

void MessageEndpoints::receiveOrBrowse(const Request& request, const ResponderPtr& responder) {
    const auto look = booleanOf("browse", request.parameter("browse"), false);
    if (!look) return answerError(responder, look.error());
    return *look ? browse(request, responder) : receive(request, responder);
}

void MessageEndpoints::receive(const Request& request, const ResponderPtr& responder) {
    const auto max = numberOf("max", request.parameter("max"), 1, 1, options_.maxMax);
    if (!max) return answerError(responder, max.error());
    const auto wait =
        durationOf("wait", request.parameter("wait"), Milliseconds(0), options_.waitMax);
    if (!wait) return answerError(responder, wait.error());
    const auto lease =
        durationOf("lease", request.parameter("lease"), options_.leaseDefault, kLeaseMax);
    if (!lease) return answerError(responder, lease.error());
    const auto oneGroup = booleanOf("oneGroup", request.parameter("oneGroup"), false);
    if (!oneGroup) return answerError(responder, oneGroup.error());
    Receive command;
    command.queue = destinationName(request);
    command.max = static_cast<std::uint32_t>(*max);
    command.wait = *wait;
    command.lease = *lease;
    command.oneGroup = *oneGroup;
    command.selector = selectorOf(request);
    command.make = false;  // a GET makes nothing
    const auto caller = callerOf(request);
    auto& bus = responder->bus();
    const auto session = sessions_.sessionOf(bus, caller);
    // Who closes while it waits for messages is rather gone than half-closed: its messages are
    // better with somebody else now than when their lease ends.
    const bool waits = command.wait > Milliseconds(0);
    sessions_.ask(bus, caller, std::move(command),
                  [=, this, &bus, queue = destinationName(request)](Effect& effect) {
                      if (const auto* error = errorOf(effect))
                          return answerError(responder, *error);
                      const auto* received = std::get_if<Received>(&effect);
                      if (received == nullptr) return;
                      if (!responder->gone() && !(waits && responder->inputEnded())) {
                          return responder->send(
                              Response::json(200, receivedJson(queue, session, *received)));
                      }
                      responder->send(Response::json(200, "[]"));
                      Settle back;  // nobody is there to take them: not tried
                      for (const auto& delivery : received->deliveries)
                          back.deliveries.push_back(delivery.id);
                      back.outcome = Outcome::released;
                      back.holder = session;
                      if (!back.deliveries.empty()) sessions_.tell(bus, caller, std::move(back));
                  });
}

std::string MessageEndpoints::receivedJson(const std::string& queue, SessionId session,
                                           const Received& received) {
    JsonWriter json;
    json.beginArray();
    for (const auto& delivery : received.deliveries) {
        writeMessage(json, *delivery.message, [&](JsonWriter& out) {
            const std::string& token = delivery.lease->token;
            out.key("lease").string(token);
            if (const auto& large = delivery.message->large) {
                bodies_.add({session, delivery.id}, large, delivery.lease->length);
                out.key("bodyPath")
                    .string("/queues/" + encodeSegment(queue) + "/leases/" + token + "/body");
            }
            out.key("position").number(delivery.stored.value);
            out.key("deliveryCount").number(delivery.count);
            out.key("fencingToken").number(delivery.fencingToken);
        });
    }
    json.endArray();
    return json.take();
}

void MessageEndpoints::browse(const Request& request, const ResponderPtr& responder) {
    const auto max = numberOf("max", request.parameter("max"), 100, 1, options_.maxMax);
    if (!max) return answerError(responder, max.error());
    const auto after = numberOf("after", request.parameter("after"), 0, 0, ~std::uint64_t{0});
    if (!after) return answerError(responder, after.error());
    Browse command;
    command.queue = destinationName(request);
    command.after = StoredId(*after);
    command.max = static_cast<std::uint32_t>(*max);
    const auto delayed = booleanOf("delayed", request.parameter("delayed"), false);
    if (!delayed) return answerError(responder, delayed.error());
    command.delayedOnly = *delayed;
    command.selector = selectorOf(request);
    sessions_.ask(responder->bus(), callerOf(request), std::move(command),
                  [responder](Effect& effect) {
                      if (const auto* error = errorOf(effect))
                          return answerError(responder, *error);
                      if (const auto* browsed = std::get_if<Browsed>(&effect)) {
                          responder->send(Response::json(200, browsedJson(*browsed)));
                      }
                  });
}

void MessageEndpoints::settle(const Request& request, const ResponderPtr& responder,
                              Outcome outcome) {
    const auto lease = options_.leaseTokens->read(destinationName(request), leaseText(request));
    if (!lease) return answerError(responder, lease.error());
    Settle command;
    command.deliveries = {lease->delivery};
    command.holder = lease->session;
    command.outcome = outcome;
    if (outcome == Outcome::failed) {
        if (auto read = readNack(request, command); !read)
            return answerError(responder, read.error());
    }
    sessions_.ask(responder->bus(), callerOf(request), std::move(command), noContent(responder));
}

void MessageEndpoints::extend(const Request& request, const ResponderPtr& responder) {
    const auto lease = options_.leaseTokens->read(destinationName(request), leaseText(request));
    if (!lease) return answerError(responder, lease.error());
    const auto length =
        durationOf("lease", request.parameter("lease"), options_.leaseDefault, kLeaseMax);
    if (!length) return answerError(responder, length.error());
    ExtendLease command;
    command.deliveries = {lease->delivery};
    command.lease = *length;
    command.holder = lease->session;
    sessions_.ask(responder->bus(), callerOf(request), std::move(command), noContent(responder));
}

/// Reading renews the lease: who takes long is not overtaken at once.
void MessageEndpoints::body(const Request& request, const ResponderPtr& responder) {
    const auto lease = options_.leaseTokens->read(destinationName(request), leaseText(request));
    if (!lease) return answerError(responder, lease.error());
    const auto leased = bodies_.find(*lease);
    if (!leased.body) {
        return answerError(responder, {ErrorCode::notFound,
                                       "there is no large body under this lease: it is over, or "
                                       "the body came with the message"});
    }
    const auto range = rangeOf(request.header("range"), leased.body->size);
    if (!range) return answerError(responder, range.error());
    ExtendLease command;
    command.deliveries = {lease->delivery};
    command.lease = leased.lease;
    command.holder = lease->session;
    sessions_.ask(responder->bus(), callerOf(request), std::move(command),
                  [responder, leased, range = *range](Effect& effect) {
                      if (const auto* error = errorOf(effect))
                          return answerError(responder, *error);
                      BodyAnswer::start(responder, leased.body, range);
                  });
}

/// All of a body are checked before any is settled; they become durable together, and each is
/// answered on its own.
void MessageEndpoints::settleMany(const Request& request, const ResponderPtr& responder) {
    const auto elements = readFlatObjects(request.body.view(), options_.maxMax);
    if (!elements) return answerError(responder, elements.error());
    std::vector<Settle> commands;
    std::vector<std::string> leases;
    for (const auto& element : *elements) {
        leases.emplace_back(fieldOf(element, "lease"));
        const auto lease = options_.leaseTokens->read(destinationName(request), leases.back());
        if (!lease && lease.error().code != ErrorCode::lockLost)
            return answerError(responder, lease.error());
        const auto outcome = outcomeOf(fieldOf(element, "outcome"));
        if (!outcome) return answerError(responder, outcome.error());
        Settle& command = commands.emplace_back();
        command.outcome = *outcome;
        const Field field = [&](const char* name) { return fieldOf(element, name); };
        if (auto read = readFailure(field, command); !read)
            return answerError(responder, read.error());
        if (!lease) continue;
        command.deliveries = {lease->delivery};
        command.holder = lease->session;
    }
    const auto results = std::make_shared<Results>(responder, leases.size());
    const Error lost{ErrorCode::lockLost, "this lease is not of this queue and run of the bus"};
    for (std::size_t i = 0; i < commands.size(); ++i) {
        const auto done = [results, i, lease = leases[i]](const Error* error) {
            const auto write = [&](JsonWriter& json) { json.key("lease").string(lease); };
            if (error)
                results->refused(i, *error, write);
            else
                results->done(i, 204, write);
        };
        if (commands[i].deliveries.empty()) {
            done(&lost);
            continue;
        }
        sessions_.ask(responder->bus(), callerOf(request), std::move(commands[i]),
                      [done](Effect& effect) { done(errorOf(effect)); });
    }
}

void MessageEndpoints::groupState(const Request& request, const ResponderPtr& responder) {
    GroupState command;
    command.queue = destinationName(request);
    command.group = groupName(request);
    if (request.method == "PUT") command.value = std::string(request.body.view());
    if (request.method == "DELETE") command.value = std::string();
    if (command.value) {
        return sessions_.ask(responder->bus(), callerOf(request), std::move(command),
                             noContent(responder));
    }
    sessions_.ask(responder->bus(), callerOf(request), std::move(command),
                  [responder](Effect& effect) {
                      if (const auto* error = errorOf(effect))
                          return answerError(responder, *error);
                      auto* completed = std::get_if<Completed>(&effect);
                      if (!completed) return;
                      Response response;
                      response.headers = {{"Content-Type", "application/octet-stream"}};
                      response.body = std::move(completed->value);
                      responder->send(std::move(response));
                  });
}

void MessageEndpoints::events(const Request& request, const ResponderPtr& responder) {
    EventStream::start(responder, callerOf(request), request.remote,
                       Destination::topic(destinationName(request)), options_.keepAlive);
}

}  // namespace busbar::http
