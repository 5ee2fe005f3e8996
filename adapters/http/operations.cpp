#include "adapters/http/operations.h"

#include "adapters/http/answers.h"
#include "adapters/http/parameters.h"
#include "adapters/http/queue_options.h"

namespace busbar::http {
namespace {

constexpr Milliseconds kInMax{std::int64_t{3650} * 24 * 3600 * 1000};

/// The position of a message in /queues/N/messages/ID...
Result<StoredId> positionOf(const Request& request) {
    const auto number = numberOf("position", request.segments.at(3), 0, 1, ~std::uint64_t{0});
    if (!number) return number.error();
    return StoredId(*number);
}

/// How many a second at most; 0: as fast as it goes.
Result<std::uint32_t> rateOf(const Request& request) {
    const auto rate = numberOf("rate", request.parameter("rate"), 0, 1, ~std::uint32_t{0});
    if (!rate) return rate.error();
    return static_cast<std::uint32_t>(*rate);
}

}  // namespace

OperationEndpoints::OperationEndpoints(UserSessions& sessions, Defaults defaults)
    : sessions_(sessions), defaults_(std::move(defaults)) {}

void OperationEndpoints::install(Router& router) {
    const auto add = [&](const char* method, const char* pattern, auto member) {
        router.add(method, pattern, Router::Access::login,
                   [this, member](const Request& request, const ResponderPtr& responder) {
                       (this->*member)(request, responder);
                   });
    };
    add("PUT", "/api/v1/queues/*", &OperationEndpoints::define);
    add("DELETE", "/api/v1/queues/*", &OperationEndpoints::remove);
    add("DELETE", "/queues/*/messages", &OperationEndpoints::purge);
    add("DELETE", "/queues/*/messages/*", &OperationEndpoints::cancel);
    add("POST", "/queues/*/move", &OperationEndpoints::move);
    add("POST", "/queues/*/copy", &OperationEndpoints::move);
    add("POST", "/queues/*/messages/*/schedule", &OperationEndpoints::reschedule);
    add("POST", "/queues/*/groups/*/pause", &OperationEndpoints::pause);
    add("POST", "/queues/*/groups/*/resume", &OperationEndpoints::pause);
}

/// Answers with what the queue is defined with now, defaults included.
void OperationEndpoints::define(const Request& request, const ResponderPtr& responder) {
    DefineQueue command;
    command.queue = request.segments.at(3);
    if (auto checked = checkDestinationName(command.queue); !checked)
        return answerError(responder, checked.error());
    FlatObject fields;
    if (!request.body.empty()) {
        auto read = readFlatObject(request.body.view());
        if (!read) return answerError(responder, read.error());
        fields = std::move(*read);
    }
    auto options = readQueueOptions(fields, defaults_(command.queue));
    if (!options) return answerError(responder, options.error());
    command.options = *options;
    JsonWriter json;
    json.beginObject().key("name").string(command.queue).key("options").beginObject();
    writeQueueOptions(json, command.options);
    json.endObject().endObject();
    sessions_.ask(responder->bus(), callerOf(request), std::move(command),
                  [responder, page = json.take()](Effect& effect) {
                      if (const auto* error = errorOf(effect))
                          return answerError(responder, *error);
                      responder->send(Response::json(200, page));
                  });
}

void OperationEndpoints::remove(const Request& request, const ResponderPtr& responder) {
    DeleteQueue command;
    command.queue = request.segments.at(3);
    sessions_.ask(responder->bus(), callerOf(request), std::move(command), noContent(responder));
}

void OperationEndpoints::purge(const Request& request, const ResponderPtr& responder) {
    auto selection = selectionOf(request);
    if (!selection) return answerError(responder, selection.error());
    const auto rate = rateOf(request);
    if (!rate) return answerError(responder, rate.error());
    Purge command;
    command.queue = request.segments.at(1);
    command.selection = std::move(*selection);
    command.perSecondMax = *rate;
    sessions_.ask(responder->bus(), callerOf(request), std::move(command), counted(responder));
}

void OperationEndpoints::cancel(const Request& request, const ResponderPtr& responder) {
    const auto position = positionOf(request);
    if (!position) return answerError(responder, position.error());
    Purge command;
    command.queue = request.segments.at(1);
    command.selection.ids = {*position};
    sessions_.ask(responder->bus(), callerOf(request), std::move(command),
                  [responder](Effect& effect) {
                      const auto* completed = std::get_if<Completed>(&effect);
                      if (completed && !completed->error && completed->count == 0) {
                          return answerError(
                              responder, {ErrorCode::notFound,
                                          "no such message waits on this queue (any more): it was "
                                          "delivered, or a consumer holds it"});
                      }
                      noContent(responder)(effect);
                  });
}

void OperationEndpoints::move(const Request& request, const ResponderPtr& responder) {
    auto selection = selectionOf(request);
    if (!selection) return answerError(responder, selection.error());
    const auto rate = rateOf(request);
    if (!rate) return answerError(responder, rate.error());
    MoveMessages command;
    command.queue = request.segments.at(1);
    command.target = request.parameter("to");
    command.selection = std::move(*selection);
    command.copy = request.segments.at(2) == "copy";
    command.perSecondMax = *rate;
    if (command.copy && command.target.empty()) {
        return answerError(responder, {ErrorCode::invalidArgument, "copy needs the parameter to"});
    }
    if (!command.target.empty()) {
        if (auto checked = checkDestinationName(command.target); !checked) {
            return answerError(responder, {checked.error().code, "to: " + checked.error().text});
        }
    }
    sessions_.ask(responder->bus(), callerOf(request), std::move(command), counted(responder));
}

void OperationEndpoints::reschedule(const Request& request, const ResponderPtr& responder) {
    const auto position = positionOf(request);
    if (!position) return answerError(responder, position.error());
    const bool at = !request.parameter("at").empty();
    if (at == !request.parameter("in").empty()) {
        return answerError(responder,
                           {ErrorCode::invalidArgument,
                            "either at (ms since 1970) or in (a duration; 0: now) is expected"});
    }
    Reschedule command;
    command.queue = request.segments.at(1);
    command.id = *position;
    if (at) {
        const auto ms = numberOf("at", request.parameter("at"), 0, 1, 253'402'300'799'999);
        if (!ms) return answerError(responder, ms.error());
        command.deliverAt = WallTime(Milliseconds(*ms));
    } else {
        const auto in = durationOf("in", request.parameter("in"), Milliseconds(0), kInMax);
        if (!in) return answerError(responder, in.error());
        command.deliverAt = responder->bus().clock().now().wall + *in;
    }
    sessions_.ask(responder->bus(), callerOf(request), std::move(command), noContent(responder));
}

void OperationEndpoints::pause(const Request& request, const ResponderPtr& responder) {
    PauseGroup command;
    command.queue = request.segments.at(1);
    command.group = request.segments.at(3);
    command.paused = request.segments.at(4) == "pause";
    sessions_.ask(responder->bus(), callerOf(request), std::move(command), noContent(responder));
}

}  // namespace busbar::http
