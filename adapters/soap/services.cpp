#include "adapters/soap/services.h"

#include "adapters/http/errors.h"
#include "adapters/http/json.h"

namespace busbar::soap {

void SoapServices::add(std::shared_ptr<const SoapService> service) {
    auto name = service->options().name;
    services_[std::move(name)] = std::move(service);
}

const SoapService* SoapServices::find(const http::Request& request,
                                      const http::ResponderPtr& responder) const {
    const auto& name = request.segments.at(1);
    const auto at = services_.find(name);
    if (at != services_.end()) return at->second.get();
    responder->send(
        http::errorResponse({ErrorCode::notFound, "there is no service '" + name + "'"}));
    return nullptr;
}

void SoapServices::install(http::Router& router, std::uint64_t bodyBytesMax) {
    using Access = http::Router::Access;
    router.add(
        "POST", "/services/*", Access::login,
        [this](http::Request request, const http::ResponderPtr& responder) {
            if (const auto* service = find(request, responder))
                service->call(std::move(request), responder);
        },
        bodyBytesMax, 0, true);
    router.add("GET", "/services/*", Access::login,
               [this](const http::Request& request, const http::ResponderPtr& responder) {
                   if (const auto* service = find(request, responder))
                       service->describe(request, responder);
               });
    router.add("GET", "/services", Access::login,
               [this](const http::Request&, const http::ResponderPtr& responder) {
                   http::JsonWriter json;
                   json.beginArray();
                   for (const auto& [name, service] : services_) json.string(name);
                   responder->send(http::Response::json(200, json.endArray().take()));
               });
}

}  // namespace busbar::soap
