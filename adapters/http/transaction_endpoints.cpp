#include "adapters/http/transaction_endpoints.h"

#include "adapters/http/answers.h"
#include "adapters/http/json.h"
#include "bus/base/utf8.h"

#include <algorithm>

namespace busbar::http {
namespace {

void writeBranch(JsonWriter& json, const BranchPicture& branch, WallTime now) {
    const auto ms = [](WallTime time) {
        return static_cast<std::int64_t>(time.time_since_epoch().count());
    };
    json.beginObject().key("id").string(toText(branch.branch));
    json.key("format").signedNumber(branch.branch.format);
    json.key("global").string(showable(branch.branch.global));
    json.key("branch").string(showable(branch.branch.branch));
    json.key("state").string(branch.state).key("user").string(branch.user);
    json.key("preparedAt").signedNumber(ms(branch.preparedAt));
    json.key("ageMs").signedNumber(std::max<std::int64_t>(0, ms(now) - ms(branch.preparedAt)));
    json.key("messages").number(branch.messages).key("bytes").number(branch.bytes);
    json.key("acknowledgements").number(branch.accepts);
    if (!branch.decidedBy.empty()) {
        json.key("decidedBy").string(branch.decidedBy);
        json.key("decidedAt").signedNumber(ms(branch.decidedAt));
    }
    json.endObject();
}

}  // namespace

void TransactionEndpoints::install(Router& router) {
    const auto admin = Router::Access::admin;
    router.add("GET", "/api/v1/transactions", admin,
               [this](const Request& request, const ResponderPtr& responder) {
                   list(request, responder);
               });
    for (const char* what : {"commit", "rollback", "forget"}) {
        router.add("POST", std::string("/api/v1/transactions/*/") + what, admin,
                   [this](const Request& request, const ResponderPtr& responder) {
                       decide(request, responder);
                   });
    }
}

void TransactionEndpoints::list(const Request& request, const ResponderPtr& responder) {
    sessions_.ask(responder->bus(), callerOf(request), TakePicture{}, [responder](Effect& effect) {
        if (const auto* error = errorOf(effect)) return answerError(responder, *error);
        const auto* pictured = std::get_if<Pictured>(&effect);
        if (!pictured) return;
        const auto now =
            std::chrono::time_point_cast<Milliseconds>(std::chrono::system_clock::now());
        JsonWriter json;
        json.beginObject().key("transactions").beginArray();
        for (const auto& branch : pictured->picture->branches) writeBranch(json, branch, now);
        json.endArray().endObject();
        responder->send(Response::json(200, json.take()));
    });
}

void TransactionEndpoints::decide(const Request& request, const ResponderPtr& responder) {
    auto branch = parseBranchId(request.segments.at(3));
    if (!branch) return answerError(responder, branch.error());
    const std::string& what = request.segments.at(4);
    Command command;
    if (what == "forget")
        command = ForgetPrepared{{}, {}, std::move(*branch), true};
    else
        command = DecidePrepared{{}, {}, std::move(*branch), what == "commit", true};
    sessions_.ask(responder->bus(), callerOf(request), std::move(command), noContent(responder));
}

}  // namespace busbar::http
