#include "adapters/http/send_endpoints.h"

#include "adapters/http/answers.h"
#include "adapters/http/batch_reader.h"
#include "adapters/http/message_mapping.h"
#include "adapters/http/parameters.h"
#include "adapters/http/results.h"
#include "bus/base/id_list.h"
#include "bus/core/schedules.h"

#include <utility>

namespace busbar::http {
namespace {

unsigned statusOfSend(bool repeated) {
    return repeated ? 200 : 201;
}

std::uint64_t numberOfSchedule(const std::string& id) {
    return scheduleNumber(id).value_or(StoredId()).value;
}

/// "id", and "schedule" where that was made instead of sending.
void writeSent(JsonWriter& json, const std::string& id, bool recurring) {
    json.key("id").string(id);
    if (recurring) json.key("schedule").number(numberOfSchedule(id));
}

Response sent(const std::string& collection, const Completed& completed, bool recurring) {
    JsonWriter json;
    json.beginObject();
    writeSent(json, completed.value, recurring);
    json.endObject();
    auto response = Response::json(statusOfSend(completed.repeated), json.take());
    response.headers.emplace_back(
        "Location", recurring
                        ? "/api/v1/schedules/" + std::to_string(numberOfSchedule(completed.value))
                        : collection + encodeSegment(completed.value));
    if (completed.repeated) response.headers.emplace_back("Idempotent-Replayed", "true");
    return response;
}

/// One of a batch.
void addSent(Results& results, std::size_t at, const std::string& id, bool recurring,
             bool repeated) {
    results.done(at, statusOfSend(repeated), [&](JsonWriter& json) {
        writeSent(json, id, recurring);
        if (repeated) json.key("repeated").boolean(true);
    });
}

}  // namespace

void SendEndpoints::install(Router& router) {
    const auto add = [&](std::string_view root, Destination (*named)(std::string)) {
        const std::string messages = "/" + std::string(root) + "/*/messages";
        router.add(
            "POST", messages, Router::Access::login,
            [this, named](const Request& q, const ResponderPtr& r) {
                send(q, r, named(q.segments.at(1)));
            },
            options_.bodyBytesMax, options_.largeBytesMax, true);
        router.add(
            "POST", messages + "/batch", Router::Access::login,
            [this, named](const Request& q, const ResponderPtr& r) {
                sendBatch(q, r, named(q.segments.at(1)));
            },
            options_.bodyBytesMax, 0, true);
    };
    add("queues", Destination::queue);
    add("topics", Destination::topic);
}

void SendEndpoints::send(const Request& request, const ResponderPtr& responder,
                         Destination destination) {
    const bool topic = destination.isTopic();
    const auto name = encodeSegment(destination.name);
    auto message = messageOf(request, std::move(destination), responder->bus().clock().now().wall);
    if (!message) return answerError(responder, message.error());
    const auto collection = (topic ? "/topics/" : "/queues/") + name + "/messages/";
    Send command;
    command.message = std::move(*message);
    const bool recurring = command.message->recurrence != nullptr;
    sessions_.ask(responder->bus(), callerOf(request), std::move(command),
                  [responder, collection, recurring](Effect& effect) {
                      if (const auto* error = errorOf(effect))
                          return answerError(responder, *error);
                      if (const auto* completed = std::get_if<Completed>(&effect))
                          responder->send(sent(collection, *completed, recurring));
                  });
}

void SendEndpoints::sendBatch(const Request& request, const ResponderPtr& responder,
                              const Destination& destination) {
    const auto atomic = booleanOf("atomic", request.parameter("atomic"), false);
    if (!atomic) return answerError(responder, atomic.error());
    auto messages = messagesOf(request.body.view(), destination,
                               responder->bus().clock().now().wall, options_.batchMax);
    if (!messages) return answerError(responder, messages.error());
    if (messages->size() > 1) responder->countSends(messages->size() - 1);
    if (*atomic && !messages->empty())
        return sendAllOrNone(request, responder, std::move(*messages));
    sendEach(request, responder, std::move(*messages));
}

void SendEndpoints::sendEach(const Request& request, const ResponderPtr& responder,
                             Messages messages) {
    const auto results = std::make_shared<Results>(responder, messages.size());
    for (std::size_t i = 0; i < messages.size(); ++i) {
        Send command;
        command.message = std::move(messages[i]);
        const bool recurring = command.message->recurrence != nullptr;
        sessions_.ask(responder->bus(), callerOf(request), std::move(command),
                      [results, i, recurring](Effect& effect) {
                          if (const auto* error = errorOf(effect))
                              return results->refused(i, *error);
                          if (const auto* completed = std::get_if<Completed>(&effect))
                              addSent(*results, i, completed->value, recurring,
                                      completed->repeated);
                      });
    }
}

void SendEndpoints::sendAllOrNone(const Request& request, const ResponderPtr& responder,
                                  Messages messages) {
    CommitTransaction command;
    command.sends = messages;
    std::vector<bool> recurring;
    for (const auto& message : messages) recurring.push_back(message->recurrence != nullptr);
    // The core completes the messages and then leaves them alone: their ids are read here.
    sessions_.ask(responder->bus(), callerOf(request), std::move(command),
                  [responder, recurring, messages = std::move(messages)](Effect& effect) {
                      const auto* completed = std::get_if<Completed>(&effect);
                      if (const auto* error = errorOf(effect)) {
                          const auto number = completed ? completed->count : 0;
                          const auto which =
                              number > 0 ? "[" + std::to_string(number - 1) + "]: " : "";
                          return answerError(responder, {error->code, which + error->text});
                      }
                      if (!completed) return;
                      std::vector<bool> repeated(messages.size());
                      if (const auto repeats = parseIdList(completed->value, messages.size())) {
                          for (const StoredId number : *repeats)
                              repeated.at(number.value - 1) = true;
                      }
                      Results results(responder, messages.size());
                      for (std::size_t i = 0; i < messages.size(); ++i)
                          addSent(results, i, messages[i]->id, recurring[i], repeated[i]);
                  });
}

}  // namespace busbar::http
