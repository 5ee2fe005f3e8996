#include "adapters/http/answers.h"

#include "adapters/http/errors.h"
#include "adapters/http/json.h"

namespace busbar::http {

Caller callerOf(const Request& request) {
    return {std::string(request.header(kUserHeader)), std::string(request.header(kRolesHeader))};
}

void answerError(const ResponderPtr& responder, const Error& error) {
    responder->send(errorResponse(error));
}

UserSessions::Answer noContent(const ResponderPtr& responder) {
    return [responder](Effect& effect) {
        if (const auto* error = errorOf(effect)) return answerError(responder, *error);
        Response response;
        response.status = 204;
        responder->send(std::move(response));
    };
}

UserSessions::Answer counted(const ResponderPtr& responder) {
    return [responder](Effect& effect) {
        if (const auto* error = errorOf(effect)) return answerError(responder, *error);
        const auto* completed = std::get_if<Completed>(&effect);
        JsonWriter json;
        json.beginObject().key("count").number(completed ? completed->count : 0).endObject();
        responder->send(Response::json(200, json.take()));
    };
}

}  // namespace busbar::http
