#include "adapters/soap/provider.h"

#include "adapters/http/user_sessions.h"
#include "adapters/soap/envelope.h"
#include "adapters/soap/fault.h"
#include "bus/base/log.h"
#include "bus/core/permissions.h"

#include <algorithm>

namespace busbar::soap {
namespace {

constexpr ConsumerId kConsumer{1};

std::string propertyText(const Message& message, std::string_view name) {
    const auto* value = message.properties.find(name);
    return value ? toText(*value) : std::string{};
}

bool isXmlType(std::string_view header) {
    const auto type = parseMediaType(header).type;
    return type == "text/xml" || type == "application/xml" || type.ends_with("+xml");
}

/// What an answer means for the request.
enum class Verdict { reply, tryAgain, hopeless };

Verdict judge(const http::Response& response) {
    const auto type = http::find(response.headers, "content-type");
    const bool success = response.status >= 200 && response.status < 300;
    if (success && (isXmlType(type) || response.body.empty())) return Verdict::reply;
    // Faults come with 500; those of SOAP 1.2's Sender with 400.
    if ((response.status == 500 || response.status == 400) && isXmlType(type)) {
        const auto envelope = Envelope::parse(response.body);
        if (envelope && envelope->isFault()) return Verdict::reply;
    }
    if (response.status >= 500 || response.status == 408 || response.status == 429)
        return Verdict::tryAgain;
    return Verdict::hopeless;
}

}  // namespace

class HttpProvider::Impl final : public SessionListener,
                                 public std::enable_shared_from_this<HttpProvider::Impl> {
  public:
    Impl(BusPort& port, HttpClient& client, ProviderOptions options)
        : port_(port), client_(client), options_(std::move(options)) {}

    void start() {
        self_ = shared_from_this();
        session_ = port_.newSession(*this);
        open_ = true;
        OpenSession open{session_, {}, {}, {}, "provider", options_.url};
        open.roles = {std::string(kAdminRole)};  // the bus's own hands
        port_.submit(std::move(open));
        port_.submit(DefineService{session_, {}, options_.service});
        if (options_.requestQueue)
            port_.submit(DefineQueue{session_, {}, requestQueue(), *options_.requestQueue});
        subscribe();
    }

    void close() {
        if (!open_) return;
        open_ = false;
        commits_.clear();
        // The call may come from within onEffect: the listener goes later.
        port_.executor().post([self = std::move(self_)] { self->port_.close(self->session_); });
    }

    void onEffect(Effect& effect) override {
        if (!open_) return;
        if (auto* delivered = std::get_if<Delivered>(&effect))
            return onDelivery(delivered->delivery);
        if (const auto* completed = std::get_if<Completed>(&effect)) return onCompleted(*completed);
        if (std::holds_alternative<ConsumerEnded>(effect)) return subscribeLater();
        if (const auto* ended = std::get_if<SessionEnded>(&effect)) {
            log::warning("provider",
                         options_.service + ": the bus ended the session: " + ended->error.text);
            close();
        }
    }
    void onEffectsEnd() override {}

  private:
    std::string requestQueue() const { return options_.service + ".request"; }

    void subscribe() {
        Subscribe subscribe;
        subscribe.session = session_;
        subscribe.consumer = kConsumer;
        subscribe.source = Destination::queue(requestQueue());
        subscribe.credit = options_.concurrency;
        port_.submit(std::move(subscribe));
    }

    /// The queue was deleted under us: a new one is consumed again, a moment later.
    void subscribeLater() {
        port_.executor().postAfter(options_.retryMax, [weak = weak_from_this()] {
            const auto self = weak.lock();
            if (self && self->open_) self->subscribe();
        });
    }

    void onDelivery(const Delivery& delivery) {
        const auto& message = *delivery.message;
        if (message.large) {  // an XML document is not of this size
            Settle settle;
            settle.session = session_;
            settle.deliveries = {delivery.id};
            settle.outcome = Outcome::rejected;
            settle.reason = "the body has " + std::to_string(message.large->size) +
                            " bytes: too many for an HTTP provider";
            port_.submit(std::move(settle));
            return;
        }
        HttpClientRequest request;
        request.url = options_.url;
        request.headers = headersOf(message);
        request.body = message.body;
        request.timeout = timeLeft(message);
        request.responseBytesMax = options_.responseBytesMax;
        client_.send(std::move(request),
                     [weak = weak_from_this(), delivery](Result<http::Response> answer) {
                         const auto self = weak.lock();
                         if (self && self->open_) self->onAnswer(delivery, answer);
                     });
    }

    static http::Headers headersOf(const Message& message) {
        http::Headers headers;
        const auto type = propertyText(message, "SOAPJMS_contentType");
        headers.emplace_back("Content-Type", !type.empty() ? type
                                             : !message.contentType.empty()
                                                 ? message.contentType
                                                 : contentTypeOf(Version::v11));
        if (parseMediaType(headers.back().second).type == "text/xml") {
            const auto action = propertyText(message, "SOAPJMS_soapAction");
            headers.emplace_back("SOAPAction", action.empty() ? "\"\"" : action);
        }
        headers.emplace_back("Idempotency-Key", message.id);
        return headers;
    }

    Milliseconds timeLeft(const Message& message) const {
        if (message.expiration == WallTime{}) return options_.timeout;
        const auto left = message.expiration - port_.clock().now().wall;
        return std::clamp(Milliseconds(left), Milliseconds(1), options_.timeout);
    }

    void onAnswer(const Delivery& delivery, Result<http::Response>& answer) {
        if (!answer) {
            const bool hopeless = answer.error().code == ErrorCode::tooLarge;
            if (hopeless) return replyFault(delivery, answer.error().text);
            if (answer.error().code == ErrorCode::unavailable)
                return waitForIt(delivery, answer.error().text);
            return tryAgain(delivery, answer.error().text);
        }
        unreached_ = 0;
        switch (judge(*answer)) {
            case Verdict::reply:
                return reply(delivery, *answer);
            case Verdict::tryAgain:
                return tryAgain(delivery, "HTTP status " + std::to_string(answer->status));
            case Verdict::hopeless:
                return replyFault(delivery, "the provider refused the request with HTTP status " +
                                                std::to_string(answer->status));
        }
    }

    void reply(const Delivery& delivery, http::Response& response) {
        auto message = std::make_shared<Message>();
        message->contentType = http::find(response.headers, "content-type");
        message->body = Buffer::of(std::move(response.body));
        message->bodyKind = BodyKind::text;
        message->properties.append("SOAPJMS_contentType", message->contentType);
        message->properties.append("SOAPJMS_isFault", response.status >= 400);
        commit(delivery, std::move(message));
    }

    void replyFault(const Delivery& delivery, const std::string& why) {
        Fault fault;
        fault.reason = "service " + options_.service + ": " + why;
        http::Response response;
        response.status = 500;
        response.headers.emplace_back("Content-Type", contentTypeOf(options_.version));
        response.body = faultText(fault, options_.version);
        log::warning("provider", fault.reason);
        reply(delivery, response);
    }

    /// The reply is stored and the request is done, or neither.
    void commit(const Delivery& delivery, std::shared_ptr<Message> reply) {
        const auto& request = *delivery.message;
        CommitTransaction transaction;
        transaction.session = session_;
        transaction.request = RequestId(++lastRequest_);
        transaction.accepts = {delivery.id};
        if (request.replyTo) {
            reply->destination = *request.replyTo;
            reply->correlationId =
                request.correlationId.empty() ? request.id : request.correlationId;
            transaction.sends.push_back(std::move(reply));
        }
        commits_.emplace(transaction.request, delivery);
        port_.submit(std::move(transaction));
    }

    void onCompleted(const Completed& completed) {
        const auto at = commits_.find(completed.request);
        if (at == commits_.end()) return;
        const auto delivery = std::move(at->second);
        commits_.erase(at);
        if (completed.error) tryAgain(delivery, completed.error->text);
    }

    /// The provider has not seen it: that is no failed try of the request, which waits until the
    /// provider is there or its own time is over.
    void waitForIt(const Delivery& delivery, const std::string& why) {
        log::warning("provider", options_.service + ": " + why);
        Settle settle;
        settle.session = session_;
        settle.deliveries = {delivery.id};
        settle.outcome = Outcome::released;
        settle.delay = pause(unreached_++);
        port_.submit(std::move(settle));
    }

    Milliseconds pause(std::uint32_t before) const {
        return std::min(options_.retryMin * (std::int64_t{1} << std::min(before, 16u)),
                        options_.retryMax);
    }

    /// Back to the queue for a while that doubles with each try, up to the limit of deliveries.
    void tryAgain(const Delivery& delivery, const std::string& why) {
        log::warning("provider",
                     options_.service + ": try " + std::to_string(delivery.count) + ": " + why);
        Settle settle;
        settle.session = session_;
        settle.deliveries = {delivery.id};
        settle.outcome = Outcome::failed;
        settle.delay = pause(delivery.count > 0 ? delivery.count - 1 : 0);
        settle.reason = why;
        port_.submit(std::move(settle));
    }

    BusPort& port_;
    HttpClient& client_;
    const ProviderOptions options_;
    std::shared_ptr<Impl> self_;  // the bus holds a plain reference until the session is closed
    SessionId session_;
    bool open_ = false;
    std::uint64_t lastRequest_ = 0;
    std::uint32_t unreached_ = 0;  ///< times in a row that the provider was not there
    std::unordered_map<RequestId, Delivery> commits_;
};

HttpProvider::HttpProvider(BusPort& port, HttpClient& client, ProviderOptions options)
    : impl_(std::make_shared<Impl>(port, client, std::move(options))) {}
HttpProvider::~HttpProvider() {
    close();
}
void HttpProvider::start() {
    impl_->start();
}
void HttpProvider::close() {
    impl_->close();
}

}  // namespace busbar::soap
