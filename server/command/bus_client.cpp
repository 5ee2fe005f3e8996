#include "server/command/bus_client.h"

#include "adapters/http/parameters.h"
#include "bus/base/base64.h"
#include "server/command/table.h"

#include <Poco/Net/Context.h>
#include <Poco/Net/HTTPRequest.h>
#include <Poco/Net/HTTPResponse.h>
#include <Poco/Net/HTTPSClientSession.h>
#include <Poco/Net/NetException.h>
#include <Poco/Net/SSLException.h>
#include <Poco/Net/SSLManager.h>
#include <Poco/StreamCopier.h>

#include <istream>

namespace busbar::command {
namespace {

using Poco::Net::HTTPClientSession;

std::unique_ptr<HTTPClientSession> makeSession(const Target& target) {
    if (!target.tls) return std::make_unique<HTTPClientSession>(target.host, target.port);
    using Poco::Net::Context;
    Context::Ptr context = new Context(Context::TLS_CLIENT_USE, "", "", target.caFile,
                                       Context::VERIFY_STRICT, 9, target.caFile.empty());
    context->requireMinimumProtocol(Context::PROTO_TLSV1_2);
    return std::make_unique<Poco::Net::HTTPSClientSession>(target.host, target.port, context);
}

ErrorCode codeNamed(std::string_view word) {
    for (int i = 0; i <= static_cast<int>(ErrorCode::internal); ++i) {
        if (name(static_cast<ErrorCode>(i)) == word) return static_cast<ErrorCode>(i);
    }
    return ErrorCode::internal;
}

}  // namespace

class BusClient::Connection {
  public:
    explicit Connection(const Target& target) : session_(makeSession(target)) {
        session_->setKeepAlive(true);
    }

    Reply exchange(Poco::Net::HTTPRequest& request, std::string_view body, Milliseconds timeout) {
        session_->setTimeout(Poco::Timespan(timeout.count() * 1000));
        auto& out = session_->sendRequest(request);
        out.write(body.data(), static_cast<std::streamsize>(body.size()));
        out.flush();
        Poco::Net::HTTPResponse response;
        auto& in = session_->receiveResponse(response);
        Reply reply;
        reply.status = response.getStatus();
        reply.contentType = response.getContentType();
        reply.replayed = response.get("Idempotent-Replayed", "") == "true";
        Poco::StreamCopier::copyToString(in, reply.body);
        return reply;
    }

  private:
    std::unique_ptr<HTTPClientSession> session_;
};

BusClient::BusClient(Target target) : target_(std::move(target)) {}
BusClient::BusClient(BusClient&&) noexcept = default;
BusClient::~BusClient() = default;

Result<BusClient> BusClient::connect(const Invocation& invocation,
                                     const Surroundings& surroundings) {
    auto target = findTarget(invocation, surroundings);
    if (!target) return target.error();
    return BusClient(std::move(*target));
}

Error BusClient::unreachable(const std::string& why) const {
    return {ErrorCode::unavailable,
            "cannot reach the bus at " + target_.url + " (" + target_.origin + "): " + why +
                ". Is it running? Start it with: busbard --data " + target_.dataDirectory};
}

Result<Reply> BusClient::request(const std::string& method, const std::string& path,
                                 const Headers& headers, std::string_view body,
                                 Milliseconds timeout) {
    Poco::Net::HTTPRequest request(method, path, Poco::Net::HTTPMessage::HTTP_1_1);
    for (const auto& [header, value] : headers) request.set(header, value);
    request.set("Authorization", "Basic " + base64(target_.user + ":" + target_.password));
    if (!body.empty() || method == "POST" || method == "PUT") {
        request.setContentLength64(static_cast<Poco::Int64>(body.size()));
    }
    Error error;
    try {
        if (!connection_) connection_ = std::make_unique<Connection>(target_);
        return connection_->exchange(request, body, timeout);
    } catch (const Poco::Net::SSLException& e) {
        error = {ErrorCode::unavailable, "no TLS with " + target_.url + ": " + e.displayText() +
                                             " (--ca FILE names the certificates to trust)"};
    } catch (const Poco::TimeoutException&) {
        error = {ErrorCode::timeout, "no answer from " + target_.url + " within " +
                                         readableTime(timeout) +
                                         "; what was asked may have happened"};
    } catch (const Poco::Net::ConnectionRefusedException&) {
        error = unreachable("the connection was refused");
    } catch (const Poco::Net::HostNotFoundException&) {
        error = unreachable("there is no host '" + target_.host + "'");
    } catch (const Poco::Exception& e) {
        error = unreachable(e.displayText());
        if (body.size() > (1u << 20)) {
            error.text = "the bus ended the connection while " + readableBytes(body.size()) +
                         " were sent: is that more than its http.body-bytes-max?";
        }
    }
    connection_.reset();
    return error;
}

Result<JsonView> BusClient::json(const std::string& method, const std::string& path,
                                 Milliseconds timeout, std::string_view body) {
    Headers headers;
    if (!body.empty()) headers.emplace_back("Content-Type", "application/json");
    auto reply = request(method, path, headers, body, timeout);
    if (!reply) return reply.error();
    if (!reply->ok()) return errorOf(*reply);
    if (reply->body.empty()) return JsonView();
    auto value = JsonView::parse(std::move(reply->body));
    if (value) return value;
    return Error{ErrorCode::malformed,
                 "what answers at " + target_.url + " is not a bus: " + value.error().text};
}

Error BusClient::errorOf(const Reply& reply) const {
    if (reply.status == 401) {
        return {ErrorCode::unauthenticated, "the bus refuses user '" + target_.user +
                                                "' with the password of " + target_.passwordOrigin +
                                                ": set BUSBAR_PASSWORD, or use --password-file"};
    }
    const auto body = JsonView::parse(reply.body);
    const std::string message = body ? (*body)["error"]["message"].text() : std::string();
    const ErrorCode code = body ? codeNamed((*body)["error"]["code"].text()) : ErrorCode::internal;
    if (reply.status == 403)
        return {code, "user '" + target_.user + "' may not do this: " + message};
    if (!message.empty()) return {code, message};
    return {ErrorCode::internal, "HTTP " + std::to_string(reply.status) + " from " + target_.url +
                                     (reply.body.empty() ? "" : ": " + oneLine(reply.body, 200))};
}

std::string queuePath(std::string_view queue, std::string_view rest) {
    return "/queues/" + http::encodeSegment(queue) + std::string(rest);
}

}  // namespace busbar::command
