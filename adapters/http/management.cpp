#include "adapters/http/management.h"

#include "adapters/http/answers.h"
#include "adapters/http/errors.h"
#include "adapters/http/json.h"
#include "adapters/http/metrics.h"
#include "adapters/http/queue_options.h"

#include <algorithm>
#include <mutex>
#include <optional>

namespace busbar::http {
namespace {

void writeQueue(JsonWriter& json, const QueuePicture& queue, bool withOptions) {
    struct Field {
        std::string_view key;
        std::uint64_t QueuePicture::*value;
    };
    static constexpr Field kFields[] = {
        {"depth", &QueuePicture::depth},
        {"held", &QueuePicture::held},
        {"delayed", &QueuePicture::delayed},
        {"parked", &QueuePicture::parked},
        {"waiting", &QueuePicture::waiting},
        {"waitingBytes", &QueuePicture::waitingBytes},
        {"bytes", &QueuePicture::bytes},
        {"inMemory", &QueuePicture::inMemory},
        {"consumers", &QueuePicture::consumers},
        {"groups", &QueuePicture::groups},
        {"blockedSends", &QueuePicture::blockedSends},
        {"in", &QueuePicture::in},
        {"out", &QueuePicture::out},
        {"expired", &QueuePicture::expired},
        {"dead", &QueuePicture::dead},
        {"purged", &QueuePicture::purged},
        {"moved", &QueuePicture::moved},
        {"evicted", &QueuePicture::evicted},
        {"redelivered", &QueuePicture::redelivered},
        {"dropped", &QueuePicture::dropped},
        {"prepared", &QueuePicture::prepared},
    };
    json.beginObject().key("name").string(queue.name).key("kind").string(queue.kind);
    for (const auto& [key, value] : kFields) json.key(key).number(queue.*value);
    json.key("oldestAgeMs").signedNumber(queue.oldestAgeMs);
    json.key("inRate").real(queue.inRate).key("outRate").real(queue.outRate);
    json.key("drainSeconds");
    queue.drainSeconds < 0 ? json.null() : json.real(queue.drainSeconds);
    if (!queue.activeConsumer.empty()) {
        json.key("activeConsumer").string(queue.activeConsumer);
        json.key("fencingToken").number(queue.fencingToken);
    }
    if (withOptions) {
        json.key("options").beginObject();
        writeQueueOptions(json, queue.options);
        json.endObject();
    }
    json.endObject();
}

Response queuesPage(const Request&, const Picture& picture) {
    JsonWriter json;
    json.beginObject().key("queues").beginArray();
    for (const auto& queue : picture.queues) writeQueue(json, queue, false);
    json.endArray();
    json.key("messagesIn").number(picture.messagesIn).key("deliveries").number(picture.deliveries);
    json.key("duplicates").number(picture.duplicates).key("unroutable").number(picture.unroutable);
    json.key("unitsPending").number(picture.unitsPending);
    json.key("memory").number(picture.memory).key("memoryMax").number(picture.memoryMax);
    json.endObject();
    return Response::json(200, json.take());
}

Response queuePage(const Request& request, const Picture& picture) {
    const auto& name = request.segments.at(3);
    const auto at = std::find_if(picture.queues.begin(), picture.queues.end(),
                                 [&](const QueuePicture& queue) { return queue.name == name; });
    if (at == picture.queues.end())
        return errorResponse({ErrorCode::notFound, "there is no queue '" + name + "'"});
    JsonWriter json;
    writeQueue(json, *at, true);
    return Response::json(200, json.take());
}

Response sessionsPage(const Request&, const Picture& picture) {
    JsonWriter json;
    json.beginObject().key("sessions").beginArray();
    for (const auto& session : picture.sessions) {
        json.beginObject().key("id").number(session.id).key("user").string(session.user);
        json.key("clientId").string(session.clientId).key("protocol").string(session.protocol);
        json.key("remote").string(session.remote).key("consumers").number(session.consumers);
        json.key("held").number(session.held).key("sent").number(session.sent);
        if (!session.blocked.empty()) json.key("blocked").string(session.blocked);
        json.endObject();
    }
    json.endArray().endObject();
    return Response::json(200, json.take());
}

/// Newest last.
Response noticesPage(const Request&, const Picture& picture) {
    JsonWriter json;
    json.beginObject().key("notices").beginArray();
    for (const auto& notice : picture.notices) json.string(isUtf8(notice) ? notice : "?");
    json.endArray().endObject();
    return Response::json(200, json.take());
}

Response servicesPage(const Request&, const Picture& picture) {
    JsonWriter json;
    json.beginObject().key("services").beginArray();
    for (const auto& service : picture.services) {
        json.beginObject()
            .key("name")
            .string(service.name)
            .key("openCalls")
            .number(service.openCalls);
        json.key("calls").number(service.calls).key("replies").number(service.replies);
        json.key("timeouts")
            .number(service.timeouts)
            .key("lateReplies")
            .number(service.lateReplies);
        json.key("duplicateReplies").number(service.duplicateReplies).endObject();
    }
    json.endArray().endObject();
    return Response::json(200, json.take());
}

}  // namespace

/// How the last backup of this run stands. Any thread: the store tells from its own.
class ManagementEndpoints::Backup {
  public:
    /// False where one is running.
    bool begin(std::string to) {
        const std::lock_guard lock(mutex_);
        if (state_ == "running") return false;
        to_ = std::move(to);
        state_ = "running";
        share_ = 0;
        error_.reset();
        return true;
    }

    void report(double share, const Result<void>* ended) {
        const std::lock_guard lock(mutex_);
        share_ = share;
        if (!ended) return;
        state_ = ended->ok() ? "done" : "failed";
        if (!ended->ok()) error_ = ended->error();
    }

    std::string json() {
        const std::lock_guard lock(mutex_);
        JsonWriter json;
        json.beginObject().key("state").string(state_).key("to").string(to_);
        json.key("share").real(share_);
        if (error_) {
            json.key("code").string(name(error_->code));
            json.key("message").string(error_->text);
        }
        json.endObject();
        return json.take();
    }

  private:
    std::mutex mutex_;
    std::string to_;
    std::string state_ = "none";
    double share_ = 0;
    std::optional<Error> error_;
};

ManagementEndpoints::ManagementEndpoints(UserSessions& sessions, Sources sources)
    : sessions_(sessions), sources_(std::move(sources)), backup_(std::make_shared<Backup>()) {}
ManagementEndpoints::~ManagementEndpoints() = default;

/// Answered when it has begun; GET tells how it goes on.
void ManagementEndpoints::startBackup(const Request& request, const ResponderPtr& responder) {
    const auto refuse = [&](const Error& error) { responder->send(errorResponse(error)); };
    if (!sources_.backup) return refuse({ErrorCode::unsupported, "this store has no backup"});
    const auto body = readFlatObject(request.body.view());
    if (!body) return refuse(body.error());
    const auto to = body->find("to");
    if (to == body->end() || !to->second.starts_with("/")) {
        return refuse({ErrorCode::invalidArgument,
                       "to: an absolute path on the machine of the bus is expected"});
    }
    if (!backup_->begin(to->second))
        return refuse({ErrorCode::inUse, "a backup is running: GET tells how far it is"});
    sources_.backup(to->second, [backup = backup_](double share, const Result<void>* ended) {
        backup->report(share, ended);
    });
    responder->send(Response::json(202, backup_->json()));
}

Handler ManagementEndpoints::pictured(Render render) {
    return [this, render = std::move(render)](Request request, const ResponderPtr& responder) {
        const Caller caller = callerOf(request);
        sessions_.ask(responder->bus(), caller, TakePicture{},
                      [responder, render, request = std::move(request)](Effect& effect) {
                          if (const auto* error = errorOf(effect))
                              return responder->send(errorResponse(*error));
                          const auto* pictured = std::get_if<Pictured>(&effect);
                          if (pictured) responder->send(render(request, *pictured->picture));
                      });
    };
}

void ManagementEndpoints::install(Router& router) {
    using Access = Router::Access;
    router.add("GET", "/api/v1/queues", Access::login, pictured(queuesPage));
    router.add("GET", "/api/v1/queues/*", Access::login, pictured(queuePage));
    router.add("GET", "/api/v1/sessions", Access::login, pictured(sessionsPage));
    router.add("GET", "/api/v1/services", Access::login, pictured(servicesPage));
    router.add("GET", "/api/v1/notices", Access::login, pictured(noticesPage));
    router.add("POST", "/api/v1/journal/backup", Access::admin,
               [this](const Request& request, const ResponderPtr& responder) {
                   startBackup(request, responder);
               });
    router.add("GET", "/api/v1/journal/backup", Access::admin,
               [this](const Request&, const ResponderPtr& responder) {
                   responder->send(Response::json(200, backup_->json()));
               });
    router.add(
        "GET", "/metrics", Access::login, pictured([this](const Request&, const Picture& picture) {
            auto response =
                Response::text(200, prometheusText(picture, sources_.store()) +
                                        (sources_.metrics ? sources_.metrics() : std::string()));
            response.headers = {{"Content-Type", "text/plain; version=0.0.4; charset=utf-8"}};
            return response;
        }));
    router.add("GET", "/healthz", Access::open, [](const Request&, const ResponderPtr& responder) {
        responder->send(Response::text(200, "ok\n"));
    });
    router.add(
        "GET", "/readyz", Access::open, [this](const Request&, const ResponderPtr& responder) {
            const bool ready = sources_.ready();
            responder->send(Response::text(ready ? 200 : 503, ready ? "ready\n" : "not ready\n"));
        });
}

}  // namespace busbar::http
