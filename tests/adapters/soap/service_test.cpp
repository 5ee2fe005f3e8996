#include "tests/adapters/soap/soap_test_support.h"

#include <future>

namespace busbar::soap {

class ServiceTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ServiceTest);
    CPPUNIT_TEST(callsTheServiceAndReturnsItsReply);
    CPPUNIT_TEST(convertsForCallersOfTheOtherVersion);
    CPPUNIT_TEST(wrapsABarePayloadOfAWorker);
    CPPUNIT_TEST(refusesOtherMediaTypes);
    CPPUNIT_TEST(faultsSayLineAndColumn);
    CPPUNIT_TEST(faultsOnUnknownVersion);
    CPPUNIT_TEST(faultsOnHeadersThatMustBeUnderstood);
    CPPUNIT_TEST(faultsOnUnknownOperation);
    CPPUNIT_TEST(faultsOnCharsetContradiction);
    CPPUNIT_TEST(faultsOnHostileDocuments);
    CPPUNIT_TEST(faultsOnTimeout);
    CPPUNIT_TEST(faultsOnInvalidReply);
    CPPUNIT_TEST(passesProviderFaultsOn);
    CPPUNIT_TEST(takesDedupIdFromHeaderOrAddressing);
    CPPUNIT_TEST(checksLargeDocumentsOnAWorker);
    CPPUNIT_TEST(servesItsDescription);
    CPPUNIT_TEST(unknownServiceIs404);
    CPPUNIT_TEST_SUITE_END();

    test::FakeBus bus_;
    http::UserSessions sessions_{"soap"};
    std::unique_ptr<WorkerPool> workers_ = std::make_unique<WorkerPool>(1, 4);
    SoapServices services_;
    http::Router router_;

  public:
    void setUp() override {
        ServiceOptions options;
        options.name = "orders";
        options.wsdl = orders();
        options.understood = {"urn:understood"};
        auto service = SoapService::make(std::move(options), sessions_, *workers_);
        CPPUNIT_ASSERT_MESSAGE(service ? "" : service.error().text, service.ok());
        services_.add(*service);
        services_.install(router_, 1u << 20);
    }

  private:
    std::shared_ptr<test::FakeResponder> post(std::string body,
                                              const std::string& type = "text/xml; charset=utf-8",
                                              http::Headers headers = {}) {
        headers.emplace_back("Content-Type", type);
        return test::serve(
            router_, bus_,
            test::makeRequest("POST", "/services/orders", std::move(body), std::move(headers)));
    }
    void reply(const Call& call, const std::string& body) {
        auto message = std::make_shared<Message>();
        message->body = Buffer::of(body);
        Replied replied;
        replied.request = call.request;
        replied.reply = std::move(message);
        bus_.tell(std::move(replied));
    }
    static void assertFault(const test::FakeResponder& client, unsigned status,
                            const std::string& code, const std::string& text) {
        CPPUNIT_ASSERT(client.response.has_value());
        CPPUNIT_ASSERT_EQUAL_MESSAGE(client.response->body, status, client.response->status);
        assertContains(client.response->body, "soap:" + code + "<");
        assertContains(client.response->body, text);
    }

    void callsTheServiceAndReturnsItsReply() {
        const auto text = envelope(Version::v11, kStateRequest);
        const auto client = post(text, "text/xml", {{"SOAPAction", "\"\""}});
        const auto call = bus_.take<Call>();
        CPPUNIT_ASSERT_EQUAL(std::string("orders"), call.service);
        CPPUNIT_ASSERT_EQUAL(text, std::string(call.message->body.view()));
        CPPUNIT_ASSERT(call.message->persistent);
        CPPUNIT_ASSERT(call.message->bodyKind == BodyKind::text);
        CPPUNIT_ASSERT_EQUAL(std::string("text/xml; charset=utf-8"), call.message->contentType);
        CPPUNIT_ASSERT_EQUAL(std::string("\"urn:busbar:sample:orders:GetOrderState\""),
                             toText(*call.message->properties.find("SOAPJMS_soapAction")));
        CPPUNIT_ASSERT_EQUAL(std::string("GetOrderState"),
                             toText(*call.message->properties.find("x-operation")));
        CPPUNIT_ASSERT(!client->response);
        reply(call, envelope(Version::v11, kStateReply));
        CPPUNIT_ASSERT_EQUAL(200u, client->response->status);
        CPPUNIT_ASSERT_EQUAL(envelope(Version::v11, kStateReply), client->response->body);
        CPPUNIT_ASSERT_EQUAL(std::string("text/xml; charset=utf-8"),
                             std::string(http::find(client->response->headers, "content-type")));
    }
    void convertsForCallersOfTheOtherVersion() {
        const auto client =
            post(envelope(Version::v12, kStateRequest), "application/soap+xml; action=\"x\"");
        const auto call = bus_.take<Call>();
        assertContains(std::string(call.message->body.view()), std::string(kEnvelope11));
        reply(call, envelope(Version::v11, kStateReply));
        CPPUNIT_ASSERT_EQUAL(200u, client->response->status);
        assertContains(client->response->body, std::string(kEnvelope12));
        assertContains(std::string(http::find(client->response->headers, "content-type")),
                       "application/soap+xml");
    }
    void wrapsABarePayloadOfAWorker() {
        const auto client = post(envelope(Version::v11, kStateRequest));
        reply(bus_.take<Call>(), kStateReply);
        CPPUNIT_ASSERT_EQUAL(200u, client->response->status);
        assertContains(client->response->body, "Envelope");
    }
    void refusesOtherMediaTypes() {
        CPPUNIT_ASSERT_EQUAL(415u, post("{}", "application/json")->response->status);
        CPPUNIT_ASSERT_EQUAL(415u, post("x", "")->response->status);
    }
    void faultsSayLineAndColumn() {
        const std::string bad =
            "\n<GetOrderState xmlns='urn:busbar:sample:orders'>\n<wrong/></GetOrderState>";
        assertFault(*post(envelope(Version::v11, bad)), 500, "Client", "line 3, column ");
        assertFault(*post(envelope(Version::v12, bad), "application/soap+xml"), 400, "Sender",
                    "orderId");
        assertFault(*post("<not closed"), 500, "Client", "line 1");
        assertFault(*post(""), 500, "Client", "");
    }
    void faultsOnUnknownVersion() {
        const auto client = post("<Envelope xmlns='urn:soap-3'><Body/></Envelope>");
        assertFault(*client, 500, "VersionMismatch", "SupportedEnvelope");
    }
    void faultsOnHeadersThatMustBeUnderstood() {
        const auto header = [](const std::string& ns) {
            return "<h xmlns='" + ns + "' s:mustUnderstand='1'/>";
        };
        assertFault(*post(envelope(Version::v11, kStateRequest, header("urn:h"))), 500,
                    "MustUnderstand", "{urn:h}h");
        assertFault(
            *post(envelope(Version::v12, kStateRequest, header("urn:h")), "application/soap+xml"),
            500, "MustUnderstand", "NotUnderstood");
        post(envelope(Version::v11, kStateRequest, header("urn:understood")));
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), bus_.count<Call>());
    }
    void faultsOnUnknownOperation() {
        assertFault(*post(envelope(Version::v11, "<Nothing xmlns='urn:n'/>")), 500, "Client",
                    "GetOrderState");
        assertFault(*post(envelope(Version::v11, "")), 500, "Client", "no operation");
    }
    void faultsOnCharsetContradiction() {
        assertFault(*post("<?xml version='1.0' encoding='UTF-16'?>" +
                          envelope(Version::v11, kStateRequest)),
                    500, "Client", "UTF-16");
    }
    void faultsOnHostileDocuments() {
        assertFault(*post("<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>" +
                          envelope(Version::v11, "&x;")),
                    500, "Client", "DOCTYPE");
        std::string deep;
        for (int i = 0; i < 1000; ++i) deep += "<a>";
        assertFault(*post(envelope(Version::v11, deep)), 500, "Client", "deeper");
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), bus_.count<Call>());
    }
    void faultsOnTimeout() {
        const auto client = post(envelope(Version::v11, kStateRequest));
        Replied replied;
        replied.request = bus_.take<Call>().request;
        replied.error = Error{ErrorCode::timeout, "no reply within 30000 ms"};
        bus_.tell(std::move(replied));
        assertFault(*client, 500, "Server", "no reply within");
    }
    void faultsOnInvalidReply() {
        const auto client = post(envelope(Version::v11, kStateRequest));
        reply(bus_.take<Call>(), envelope(Version::v11,
                                          "<GetOrderStateResponse xmlns='urn:busbar:sample:orders'>"
                                          "<state>lost</state></GetOrderStateResponse>"));
        assertFault(*client, 500, "Server",
                    "the provider's reply does not follow its contract: line 1");
        const auto other = post(envelope(Version::v11, kStateRequest));
        reply(bus_.take<Call>(), envelope(Version::v11, kStateRequest));
        assertFault(*other, 500, "Server", "expected");
        const auto garbage = post(envelope(Version::v11, kStateRequest));
        reply(bus_.take<Call>(), "oops");
        assertFault(*garbage, 500, "Server", "contract");
    }
    void passesProviderFaultsOn() {
        const auto old = post(envelope(Version::v11, kStateRequest));
        reply(bus_.take<Call>(), golden("fault-11.xml"));
        CPPUNIT_ASSERT_EQUAL(500u, old->response->status);
        CPPUNIT_ASSERT_EQUAL(golden("fault-11.xml"), old->response->body);
        const auto client = post(envelope(Version::v12, kStateRequest), "application/soap+xml");
        reply(bus_.take<Call>(), golden("fault-11.xml"));
        CPPUNIT_ASSERT_EQUAL(400u, client->response->status);
        CPPUNIT_ASSERT_EQUAL(golden("fault-11-as-12.xml"), client->response->body);
    }
    void takesDedupIdFromHeaderOrAddressing() {
        const std::string id =
            "<w:MessageID xmlns:w='http://www.w3.org/2005/08/addressing'>urn:1</w:MessageID>";
        post(envelope(Version::v11, kStateRequest, id));
        CPPUNIT_ASSERT_EQUAL(std::string("urn:1"), bus_.take<Call>().message->dedupId);
        const auto client =
            post(envelope(Version::v11, kStateRequest, id), "text/xml", {{"Idempotency-Key", "k"}});
        const auto call = bus_.take<Call>();
        CPPUNIT_ASSERT_EQUAL(std::string("k"), call.message->dedupId);
        Replied replied;
        replied.request = call.request;
        replied.repeated = true;
        auto message = std::make_shared<Message>();
        message->body = Buffer::of(envelope(Version::v11, kStateReply));
        replied.reply = message;
        bus_.tell(std::move(replied));
        CPPUNIT_ASSERT_EQUAL(std::string("true"), std::string(http::find(client->response->headers,
                                                                         "idempotent-replayed")));
    }
    void checksLargeDocumentsOnAWorker() {
        const auto client =
            post(envelope(Version::v11, kStateRequest + std::string(300u << 10, ' ')));
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), bus_.count<Call>());
        workers_.reset();  // waits for the worker; what it posted runs now
        bus_.loop.run();
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), bus_.count<Call>());
        CPPUNIT_ASSERT(!client->response);
    }
    void servesItsDescription() {
        const auto get = [&](const std::string& target) {
            return test::serve(router_, bus_, test::makeRequest("GET", target))->response.value();
        };
        assertContains(get("/services/orders?wsdl").body,
                       "http://bus.example:8080/services/orders?xsd=0");
        assertContains(get("/services/orders?WSDL").body, "definitions");
        assertContains(get("/services/orders?xsd=0").body, "PlaceOrder");
        CPPUNIT_ASSERT_EQUAL(404u, get("/services/orders?xsd=9").status);
        CPPUNIT_ASSERT_EQUAL(400u, get("/services/orders?xsd=x").status);
        assertContains(get("/services/orders").body, "\"name\":\"PlaceOrder\"");
        CPPUNIT_ASSERT_EQUAL(std::string("[\"orders\"]"), get("/services").body);
    }
    void unknownServiceIs404() {
        CPPUNIT_ASSERT_EQUAL(
            404u,
            test::serve(router_, bus_, test::makeRequest("GET", "/services/x"))->response->status);
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(ServiceTest);

}  // namespace busbar::soap
