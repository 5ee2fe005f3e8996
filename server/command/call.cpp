// `busbar call`
#include "adapters/http/json.h"
#include "adapters/http/parameters.h"
#include "adapters/soap/envelope.h"
#include "server/command/bus_client.h"

#include <fstream>
#include <iostream>
#include <iterator>

namespace busbar::command {
namespace {

struct Body {
    std::string text;
    std::string contentType;
    soap::Version version = soap::Version::v11;
};

Result<std::string> read(const Invocation& invocation, Surroundings& surroundings) {
    const auto path = invocation.argument(1);
    if (path.empty() || path == "-") {
        return std::string(std::istreambuf_iterator<char>(surroundings.in), {});
    }
    std::ifstream file(path, std::ios::binary);
    if (file.peek(); !file && !file.eof()) return {ErrorCode::notFound, "cannot read " + path};
    return std::string(std::istreambuf_iterator<char>(file), {});
}

/// An envelope goes as it is; any other element becomes the payload of one.
Result<Body> bodyOf(std::string text, bool soap12) {
    Body body;
    auto envelope = soap::Envelope::parse(text);
    if (envelope) {
        body.version = envelope->version();
        body.text = std::move(text);
        body.contentType = body.version == soap::Version::v12 ? "application/soap+xml" : "text/xml";
        return body;
    }
    if (envelope.error().code == ErrorCode::unsupported) return envelope.error();
    body.version = soap12 ? soap::Version::v12 : soap::Version::v11;
    const auto wrapped = soap::Envelope::wrap(text, body.version);
    if (!wrapped) return wrapped.error();
    body.text = wrapped->text(body.version);
    body.contentType = soap12 ? "application/soap+xml; charset=utf-8" : "text/xml; charset=utf-8";
    return body;
}

void addAction(const std::string& action, Body& body, BusClient::Headers& headers) {
    if (body.version == soap::Version::v11) {
        headers.emplace_back("SOAPAction", "\"" + action + "\"");
    } else if (!action.empty()) {
        body.contentType += "; action=\"" + action + "\"";
    }
}

void print(const Reply& reply, bool fault, const Invocation& invocation,
           Surroundings& surroundings) {
    if (invocation.json()) {
        http::JsonWriter json;
        json.beginObject().key("status").number(static_cast<std::uint64_t>(reply.status));
        json.key("fault").boolean(fault).key("replayed").boolean(reply.replayed);
        json.key("contentType")
            .string(reply.contentType)
            .key("body")
            .string(reply.body)
            .endObject();
        surroundings.out << json.take() << "\n";
        return;
    }
    surroundings.out << reply.body << (reply.body.ends_with('\n') ? "" : "\n");
}

bool isOneLine(const std::string& text) {
    return text.find_first_of("\r\n\"") == text.npos;
}

Result<int> runCall(const Invocation& invocation, Surroundings& surroundings) {
    const auto action = invocation.text("action");
    const auto key = invocation.text("idempotency-key");
    if (!isOneLine(action) || !isOneLine(key)) {
        return usageError(invocation, surroundings,
                          "--action and --idempotency-key hold no quotes and no line ends");
    }
    auto bus = BusClient::connect(invocation, surroundings);
    if (!bus) return bus.error();
    auto text = read(invocation, surroundings);
    if (!text) return text.error();
    auto body = bodyOf(std::move(*text), invocation.has("soap12"));
    if (!body) return body.error();
    BusClient::Headers headers;
    addAction(action, *body, headers);
    headers.emplace_back("Content-Type", body->contentType);
    if (!key.empty()) headers.emplace_back("Idempotency-Key", key);
    const auto reply =
        bus->request("POST", "/services/" + http::encodeSegment(invocation.argument(0)), headers,
                     body->text, invocation.duration("timeout", Milliseconds(60'000)));
    if (!reply) return reply.error();
    const auto envelope = soap::Envelope::parse(reply->body);
    if (!reply->ok() && !envelope) return bus->errorOf(*reply);
    const bool fault = envelope && envelope->isFault();
    print(*reply, fault, invocation, surroundings);
    if (!fault) return kOk;
    if (!invocation.json())
        surroundings.err << "busbar: the answer is a fault (HTTP " << reply->status << ")\n";
    return kFailed;
}

}  // namespace

Command callCommand() {
    using Kind = Option::Kind;
    Command command;
    command.name = "call";
    command.arguments = "SERVICE [FILE|-]";
    command.summary = "Calls a SOAP service and prints its answer";
    command.details =
        "FILE (or standard input) is a SOAP envelope, or just the payload element, which is "
        "wrapped.\n"
        "A fault is printed and exits 1.";
    command.examples =
        "busbar call orders order.xml\n"
        "busbar call orders order.xml --soap12 --idempotency-key order-17\n"
        "echo '<GetOrderState "
        "xmlns=\"urn:busbar:sample:orders\"><orderId>O-1</orderId></GetOrderState>' "
        "| busbar call orders";
    command.argumentsMin = 1;
    command.argumentsMax = 2;
    command.options = {
        {"action", "URI", "the SOAP action", Kind::text},
        {"soap12", "", "wrap the payload in SOAP 1.2 (1.1)"},
        {"idempotency-key", "KEY", "a repeat with this key gets the first answer", Kind::text},
        {"timeout", "TIME", "wait this long for the answer (60)", Kind::duration, 0, 86'400'000}};
    command.run = runCall;
    return command;
}

}  // namespace busbar::command
