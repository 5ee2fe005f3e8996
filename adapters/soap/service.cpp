#include "adapters/soap/service.h"

#include "adapters/http/answers.h"
#include "adapters/http/errors.h"
#include "adapters/http/json.h"
#include "adapters/http/parameters.h"

#include <algorithm>

namespace busbar::soap {
namespace {

constexpr std::string_view kInvalidReply = "the provider's reply does not follow its contract: ";

std::string unquoted(std::string_view text) {
    if (text.size() >= 2 && text.front() == '"' && text.back() == '"')
        text = text.substr(1, text.size() - 2);
    return std::string(text);
}

/// The address that the client itself used: Host, or what a proxy says in X-Forwarded-*. Only
/// harmless characters.
std::string addressOf(const http::Request& request, const std::string& service) {
    const auto forwardedHost = request.header("x-forwarded-host");
    std::string host(forwardedHost.empty() ? request.header("host") : forwardedHost);
    const bool safe = !host.empty() && std::all_of(host.begin(), host.end(), [](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '-' || c == ':' ||
               c == '[' || c == ']';
    });
    if (!safe) host = "localhost";
    const auto forwarded = request.header("x-forwarded-proto");
    const bool secure = forwarded.empty() ? request.secure : forwarded == "https";
    return (secure ? "https://" : "http://") + host + "/services/" + service;
}

http::Response xmlResponse(unsigned status, std::string body, const std::string& type) {
    http::Response response;
    response.status = status;
    response.headers.emplace_back("Content-Type", type);
    response.body = std::move(body);
    return response;
}

http::Response unsupportedType(const MediaType& media) {
    return http::Response::text(
        415, "expected Content-Type text/xml (SOAP 1.1) or application/soap+xml (SOAP 1.2), got '" +
                 media.type + "'\n");
}

Fault invalidReply(const Error& error) {
    Fault fault;
    fault.code = FaultCode::receiver;
    fault.reason = std::string(kInvalidReply) + error.text;
    return fault;
}

std::string operationNames(const Wsdl& wsdl) {
    std::string out;
    for (const auto& operation : wsdl.operations())
        out += (out.empty() ? "" : ", ") + toText(operation.input);
    return out;
}

}  // namespace

http::Response faultResponse(const Fault& fault, Version version) {
    return xmlResponse(httpStatusOf(fault.code, version), faultText(fault, version),
                       contentTypeOf(version));
}

/// One call, from request to answer. Kept alive by the callbacks that it waits for.
class SoapService::Exchange : public std::enable_shared_from_this<SoapService::Exchange> {
  public:
    Exchange(const SoapService& service, http::Request request, http::ResponderPtr responder)
        : service_(service),
          request_(std::move(request)),
          responder_(std::move(responder)),
          media_(parseMediaType(request_.header("content-type"))) {}

    void begin() {
        if (media_.type != "text/xml" && media_.type != "application/soap+xml") {
            return responder_->send(unsupportedType(media_));
        }
        auto action =
            media_.action.empty() ? unquoted(request_.header("soapaction")) : media_.action;
        elsewhere(
            request_.body.size(),
            [self = shared_from_this(), action = std::move(action)] {
                return self->service_.accept(self->request_.body.view(), self->media_, action);
            },
            [self = shared_from_this()](std::variant<Accepted, Refused> outcome) {
                self->onChecked(std::move(outcome));
            });
    }

  private:
    /// Runs `work` here or, where there are many bytes, on a worker; `then` with its result here.
    template <class Work, class Then>
    void elsewhere(std::size_t bytes, Work work, Then then) {
        if (bytes <= service_.options_.inlineBytesMax) return then(work());
        // Only the loop may touch, and free, the responder: the worker hands all it has back to the
        // loop.
        struct Job {
            Work work;
            Then then;
        };
        auto job = std::make_shared<Job>(Job{std::move(work), std::move(then)});
        auto& executor = responder_->executor();
        const bool taken = service_.workers_.submit([job, &executor]() mutable {
            auto result = std::make_shared<decltype(job->work())>(job->work());
            executor.post([job = std::move(job), result] { job->then(std::move(*result)); });
        });
        if (!taken)
            fail({ErrorCode::limitReached,
                  "too many large documents are being checked: try again later"});
    }

    Version mediaVersion() const { return media_.type == "text/xml" ? Version::v11 : Version::v12; }

    void fail(const Error& error) {
        const auto version = accepted_.operation ? accepted_.version : mediaVersion();
        auto response = faultResponse(faultOf(error), version);
        if (error.code == ErrorCode::unavailable || error.code == ErrorCode::limitReached) {
            response.headers.emplace_back("Retry-After", "1");
        }
        responder_->send(std::move(response));
    }

    void onChecked(std::variant<Accepted, Refused> outcome) {
        if (const auto* refused = std::get_if<Refused>(&outcome)) {
            return responder_->send(faultResponse(refused->fault, refused->version));
        }
        accepted_ = std::move(std::get<Accepted>(outcome));
        auto& bus = responder_->bus();
        const http::Caller caller = http::callerOf(request_);
        auto message = service_.messageOf(accepted_, request_, bus.clock().now().wall);
        const auto self = shared_from_this();
        if (accepted_.operation->oneWay) {
            Send send;
            send.message = std::move(message);
            return service_.sessions_.ask(bus, caller, std::move(send),
                                          [self](Effect& effect) { self->onSent(effect); });
        }
        Call call;
        call.service = service_.options_.name;
        call.message = std::move(message);
        call.timeout = service_.options_.timeout;
        service_.sessions_.ask(bus, caller, std::move(call),
                               [self](Effect& effect) { self->onReplied(effect); });
    }

    void onSent(const Effect& effect) {
        if (const auto* error = http::errorOf(effect)) return fail(*error);
        http::Response response;
        response.status = 202;
        responder_->send(std::move(response));
    }

    void onReplied(const Effect& effect) {
        if (const auto* error = http::errorOf(effect)) return fail(*error);
        const auto* replied = std::get_if<Replied>(&effect);
        if (replied == nullptr || !replied->reply)
            return fail({ErrorCode::internal, "the reply is missing"});
        elsewhere(
            replied->reply->body.size(),
            [self = shared_from_this(), reply = replied->reply] {
                return self->service_.answer(reply->body.view(), *self->accepted_.operation,
                                             self->accepted_.version);
            },
            [self = shared_from_this(), repeated = replied->repeated](http::Response response) {
                if (repeated) response.headers.emplace_back("Idempotent-Replayed", "true");
                self->responder_->send(std::move(response));
            });
    }

    const SoapService& service_;
    const http::Request request_;
    const http::ResponderPtr responder_;
    const MediaType media_;
    Accepted accepted_;
};

SoapService::SoapService(ServiceOptions options,
                         const std::shared_ptr<const xml::SchemaSet>& schemas,
                         http::UserSessions& sessions, WorkerPool& workers)
    : options_(std::move(options)),
      validator_(schemas, options_.limits),
      sessions_(sessions),
      workers_(workers) {}

Result<std::shared_ptr<const SoapService>> SoapService::make(ServiceOptions options,
                                                             http::UserSessions& sessions,
                                                             WorkerPool& workers) {
    auto sources = options.wsdl->schemas();
    for (const char* name : {"soap11-envelope.xsd", "soap12-envelope.xsd"}) {
        sources.push_back({name, std::string(xml::schemaText(name).value())});
    }
    auto schemas = xml::SchemaSet::build(std::move(sources));
    if (!schemas)
        return {schemas.error().code, "service " + options.name + ": " + schemas.error().text};
    return std::shared_ptr<const SoapService>(
        new SoapService(std::move(options), *schemas, sessions, workers));
}

std::variant<SoapService::Accepted, SoapService::Refused> SoapService::accept(
    std::string_view body, const MediaType& media, std::string_view action) const {
    const auto guess = media.type == "text/xml" ? Version::v11 : Version::v12;
    if (auto valid = validator_.validate(body, media.charset); !valid)
        return refusal(body, guess, valid.error());
    auto envelope = Envelope::parse(body);
    if (!envelope) return refusal(body, guess, envelope.error());
    return admit(std::move(*envelope), action);
}

/// Why a document was refused, in its own version where that can be told.
SoapService::Refused SoapService::refusal(std::string_view body, Version version,
                                          const Error& error) const {
    Refused refused{version, faultOf(error)};
    if (const auto peeked = Envelope::peekVersion(body)) {
        refused.version = *peeked;
    } else if (peeked.error().code == ErrorCode::unsupported) {
        refused.fault = faultOf(peeked.error());
    }
    if (refused.fault.code == FaultCode::sender) refused.fault.detail = error.text;
    return refused;
}

std::variant<SoapService::Accepted, SoapService::Refused> SoapService::admit(
    Envelope envelope, std::string_view action) const {
    const auto version = envelope.version();
    if (auto unknown = envelope.notUnderstood(options_.understood); !unknown.empty()) {
        Fault fault;
        fault.code = FaultCode::mustUnderstand;
        fault.reason = "header not understood: " + toText(unknown.front());
        fault.notUnderstood = std::move(unknown);
        return Refused{version, std::move(fault)};
    }
    const auto payload = envelope.payload();
    const auto* operation = options_.wsdl->find(payload, action);
    if (operation == nullptr) {
        Fault fault;
        fault.code = FaultCode::sender;
        fault.reason = "service " + options_.name + " has no operation for the body '" +
                       toText(payload) + "': expected one of " + operationNames(*options_.wsdl);
        fault.detail = "unknown operation";
        return Refused{version, std::move(fault)};
    }
    envelope.dropNextHeaders();
    return Accepted{version, operation, envelope.text(options_.providerVersion),
                    envelope.messageId()};
}

std::shared_ptr<Message> SoapService::messageOf(const Accepted& accepted,
                                                const http::Request& request, WallTime now) const {
    const auto& operation = *accepted.operation;
    auto message = std::make_shared<Message>();
    message->destination = Destination::queue(options_.name + ".request");
    message->expiration = now + options_.timeout;
    message->contentType = contentTypeOf(options_.providerVersion, operation.action);
    message->bodyKind = BodyKind::text;
    message->body = Buffer::of(accepted.text);
    const auto key = request.header("idempotency-key");
    message->dedupId = key.empty() ? accepted.messageId : std::string(key);
    // SOAP over JMS 1.0, section 2.2.
    message->properties.append("SOAPJMS_soapAction", "\"" + operation.action + "\"");
    message->properties.append("SOAPJMS_contentType", message->contentType);
    message->properties.append("SOAPJMS_requestURI", "jms:queue:" + message->destination.name +
                                                         "?targetService=" + options_.name);
    message->properties.append("SOAPJMS_bindingVersion", std::string("1.0"));
    message->properties.append("SOAPJMS_targetService", options_.name);
    message->properties.append("x-operation", operation.name);
    return message;
}

/// Checks the provider's reply and turns it into the caller's answer.
http::Response SoapService::answer(std::string_view reply, const Operation& operation,
                                   Version version) const {
    auto envelope = Envelope::parse(reply);
    std::string wrapped;
    if (!envelope) {
        envelope = Envelope::wrap(reply, options_.providerVersion);
        if (!envelope) return faultResponse(invalidReply(envelope.error()), version);
        wrapped = envelope->text(options_.providerVersion);
        reply = wrapped;
    }
    if (auto valid = validator_.validate(reply); !valid)
        return faultResponse(invalidReply(valid.error()), version);
    if (!envelope->isFault() && envelope->payload() != operation.output) {
        return faultResponse(invalidReply({ErrorCode::malformed,
                                           "expected '" + toText(operation.output) + "', got '" +
                                               toText(envelope->payload()) + "'"}),
                             version);
    }
    unsigned status = 200;
    if (envelope->isFault()) {
        status = httpStatusOf(envelope->isSenderFault() ? FaultCode::sender : FaultCode::receiver,
                              version);
    }
    return xmlResponse(status, envelope->text(version), contentTypeOf(version));
}

void SoapService::call(http::Request request, const http::ResponderPtr& responder) const {
    std::make_shared<Exchange>(*this, std::move(request), responder)->begin();
}

void SoapService::describe(const http::Request& request,
                           const http::ResponderPtr& responder) const {
    const auto address = addressOf(request, options_.name);
    for (const auto& [rawName, value] : request.query) {
        std::string name = rawName;
        std::transform(name.begin(), name.end(), name.begin(),
                       [](unsigned char c) { return std::tolower(c); });
        if (name != "wsdl" && name != "xsd") continue;
        const auto number = http::numberOf(name, value, 0, 0, 1'000'000);
        if (!number) return responder->send(http::errorResponse(number.error()));
        const auto text = name == "wsdl" ? options_.wsdl->wsdlText(*number, address)
                                         : options_.wsdl->xsdText(*number, address);
        if (!text) {
            return responder->send(http::errorResponse(
                {ErrorCode::notFound, "there is no such document: " + name + "=" + value}));
        }
        return responder->send(xmlResponse(200, *text, "text/xml; charset=utf-8"));
    }
    http::JsonWriter json;
    json.beginObject().key("service").string(options_.name).key("wsdl").string(address + "?wsdl");
    json.key("requestQueue").string(options_.name + ".request").key("operations").beginArray();
    for (const auto& operation : options_.wsdl->operations()) {
        json.beginObject()
            .key("name")
            .string(operation.name)
            .key("input")
            .string(toText(operation.input));
        json.key("output")
            .string(toText(operation.output))
            .key("oneWay")
            .boolean(operation.oneWay)
            .endObject();
    }
    json.endArray().endObject();
    responder->send(http::Response::json(200, json.take()));
}

}  // namespace busbar::soap
