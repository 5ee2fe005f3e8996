// One SOAP service of the bus: calls come in over HTTP, are checked against the contract, become
// request messages on NAME.request, and the reply message goes back in the caller's SOAP version.
#pragma once

#include "adapters/http/user_sessions.h"
#include "adapters/soap/envelope.h"
#include "adapters/soap/fault.h"
#include "adapters/soap/wsdl.h"
#include "adapters/transport/http.h"
#include "bus/base/worker_pool.h"
#include "xml-schemas/xml.h"

#include <memory>
#include <string>
#include <vector>

namespace busbar::soap {

struct ServiceOptions {
    std::string name;  ///< in URLs and queue names: letters, digits, '_', '-', '.'
    std::shared_ptr<const Wsdl> wsdl;
    Version providerVersion = Version::v11;  ///< what NAME.request carries
    Milliseconds timeout{30'000};            ///< of one call
    /// Namespaces of header blocks that the provider understands; others with mustUnderstand are
    /// refused.
    std::vector<std::string> understood;
    xml::Limits limits;
    std::size_t inlineBytesMax = 256u << 10;  ///< larger documents are checked on a worker thread
};

/// Checks and calls one service. Shared by all loops, immutable: any thread. What it refers to
/// outlives it and every call under way.
class SoapService {
  public:
    /// Compiles the contract's schemas; malformed where they are wrong. Blocks for milliseconds: at
    /// start and on reload.
    static Result<std::shared_ptr<const SoapService>> make(ServiceOptions options,
                                                           http::UserSessions& sessions,
                                                           WorkerPool& workers);

    const ServiceOptions& options() const { return options_; }

    /// POST: one call. Answers 200, 202 (one-way), 415, or a fault (500; 400 for Sender faults of
    /// SOAP 1.2). `Idempotency-Key` or wsa:MessageID makes the call repeatable: see Call in
    /// bus/core/commands.h.
    void call(http::Request request, const http::ResponderPtr& responder) const;

    /// GET: the WSDL (?wsdl, ?wsdl=N), a schema (?xsd=N), or a small JSON page.
    void describe(const http::Request& request, const http::ResponderPtr& responder) const;

  private:
    class Exchange;
    friend class Exchange;

    /// A request that may go to the provider.
    struct Accepted {
        Version version = Version::v11;  ///< the caller's
        const Operation* operation = nullptr;
        std::string text;  ///< in the provider's version
        std::string messageId;
    };
    struct Refused {
        Version version = Version::v11;
        Fault fault;
    };

    SoapService(ServiceOptions options, const std::shared_ptr<const xml::SchemaSet>& schemas,
                http::UserSessions& sessions, WorkerPool& workers);

    std::variant<Accepted, Refused> accept(std::string_view body, const MediaType& media,
                                           std::string_view action) const;
    std::variant<Accepted, Refused> admit(Envelope envelope, std::string_view action) const;
    Refused refusal(std::string_view body, Version version, const Error& error) const;
    http::Response answer(std::string_view reply, const Operation& operation,
                          Version version) const;
    std::shared_ptr<Message> messageOf(const Accepted& accepted, const http::Request& request,
                                       WallTime now) const;

    const ServiceOptions options_;
    const xml::Validator validator_;
    http::UserSessions& sessions_;
    WorkerPool& workers_;
};

/// The answer that carries `fault`.
http::Response faultResponse(const Fault& fault, Version version);

}  // namespace busbar::soap
