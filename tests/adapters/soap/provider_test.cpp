#include "adapters/soap/provider.h"

#include "tests/adapters/soap/soap_test_support.h"

namespace busbar::soap {
namespace {

/// Keeps requests; the test answers.
class FakeClient final : public HttpClient {
  public:
    void send(HttpClientRequest request, Done done) override {
        requests.push_back(std::move(request));
        waiting.push_back(std::move(done));
    }
    void answer(Result<http::Response> response) {
        auto done = std::move(waiting.front());
        waiting.erase(waiting.begin());
        done(std::move(response));
    }
    void answer(unsigned status, std::string body, const std::string& type = "text/xml") {
        http::Response response;
        response.status = status;
        response.headers = {{"Content-Type", type}};
        response.body = std::move(body);
        answer(std::move(response));
    }
    std::vector<HttpClientRequest> requests;
    std::vector<Done> waiting;
};

}  // namespace

class ProviderTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ProviderTest);
    CPPUNIT_TEST(consumesTheRequestQueue);
    CPPUNIT_TEST(storesReplyAndAcknowledgementTogether);
    CPPUNIT_TEST(passesSoapFaultsOn);
    CPPUNIT_TEST(triesAgainLaterAndLater);
    CPPUNIT_TEST(aProviderThatIsNotThereIsWaitedFor);
    CPPUNIT_TEST(answersHopelessRequestsWithAFault);
    CPPUNIT_TEST(triesAgainWhenTheCommitFails);
    CPPUNIT_TEST(neverCallsBeyondExpiration);
    CPPUNIT_TEST(ignoresAnswersAfterClose);
    CPPUNIT_TEST_SUITE_END();

    test::FakeBus bus_;
    FakeClient client_;
    std::unique_ptr<HttpProvider> provider_;

  public:
    void setUp() override {
        ProviderOptions options;
        options.service = "orders";
        options.url = "http://p/orders";
        provider_ = std::make_unique<HttpProvider>(bus_, client_, options);
        provider_->start();
    }

  private:
    void deliver(std::uint32_t count = 1, WallTime expiration = {}) {
        auto message = std::make_shared<Message>();
        message->id = "ID:1";
        message->correlationId = "c1";
        message->replyTo = Destination::queue("orders.reply");
        message->expiration = expiration;
        message->contentType = "text/xml; charset=utf-8";
        message->body = Buffer::of(envelope(Version::v11, kStateRequest));
        message->properties.set("SOAPJMS_soapAction", std::string("\"urn:a\""));
        Delivered delivered;
        delivered.consumer = ConsumerId(1);
        delivered.delivery = {DeliveryId(9), message, count};
        bus_.tell(std::move(delivered));
    }

    void consumesTheRequestQueue() {
        CPPUNIT_ASSERT_EQUAL(std::string("orders"), bus_.take<DefineService>().service);
        CPPUNIT_ASSERT_EQUAL(0u, bus_.take<DefineQueue>().options.deliveriesMax);
        const auto subscribe = bus_.take<Subscribe>();
        CPPUNIT_ASSERT(subscribe.source == Destination::queue("orders.request"));
        CPPUNIT_ASSERT_EQUAL(16u, subscribe.credit);
        CPPUNIT_ASSERT(subscribe.windowed);
    }
    void storesReplyAndAcknowledgementTogether() {
        deliver();
        const auto& request = client_.requests.at(0);
        CPPUNIT_ASSERT_EQUAL(std::string("\"urn:a\""),
                             std::string(http::find(request.headers, "soapaction")));
        CPPUNIT_ASSERT_EQUAL(std::string("ID:1"),
                             std::string(http::find(request.headers, "idempotency-key")));
        client_.answer(200, envelope(Version::v11, kStateReply));
        const auto commit = bus_.take<CommitTransaction>();
        CPPUNIT_ASSERT(commit.accepts == std::vector{DeliveryId(9)});
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), commit.sends.size());
        CPPUNIT_ASSERT(commit.sends[0]->destination == Destination::queue("orders.reply"));
        CPPUNIT_ASSERT_EQUAL(std::string("c1"), commit.sends[0]->correlationId);
        CPPUNIT_ASSERT(commit.sends[0]->persistent);
        bus_.complete(commit.request);
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), bus_.count<Settle>());
    }
    void passesSoapFaultsOn() {
        deliver();
        client_.answer(500, golden("fault-11.xml"));
        CPPUNIT_ASSERT_EQUAL(golden("fault-11.xml"),
                             std::string(bus_.take<CommitTransaction>().sends[0]->body.view()));
    }
    void triesAgainLaterAndLater() {
        const std::pair<std::uint32_t, std::int64_t> rows[] = {
            {1, 100}, {2, 200}, {3, 400}, {7, 5000}, {4'000'000, 5000}};
        for (const auto& [count, delay] : rows) {
            deliver(count);
            client_.answer(Result<http::Response>(ErrorCode::closed, "no answer"));
            const auto settle = bus_.take<Settle>();
            CPPUNIT_ASSERT(settle.outcome == Outcome::failed);
            CPPUNIT_ASSERT_EQUAL(delay, std::int64_t(settle.delay.count()));
        }
        for (const unsigned status : {500u, 502u, 503u, 408u, 429u}) {
            deliver();
            client_.answer(status, "<html/>", "text/html");
            CPPUNIT_ASSERT(bus_.take<Settle>().outcome == Outcome::failed);
        }
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), bus_.count<CommitTransaction>());
    }
    void aProviderThatIsNotThereIsWaitedFor() {
        for (const std::int64_t delay : {100, 200, 400, 800}) {
            deliver();
            client_.answer(Result<http::Response>(ErrorCode::unavailable, "connection refused"));
            const auto settle = bus_.take<Settle>();
            CPPUNIT_ASSERT_MESSAGE("no failed try", settle.outcome == Outcome::released);
            CPPUNIT_ASSERT_EQUAL(delay, std::int64_t(settle.delay.count()));
        }
        deliver();
        client_.answer(503, "<html/>", "text/html");  // it is there again
        bus_.take<Settle>();
        deliver();
        client_.answer(Result<http::Response>(ErrorCode::unavailable, "connection refused"));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{100}, std::int64_t(bus_.take<Settle>().delay.count()));
    }
    void answersHopelessRequestsWithAFault() {
        for (const unsigned status : {404u, 400u, 301u}) {
            deliver();
            client_.answer(status, "no", "text/plain");
            const std::string body(bus_.take<CommitTransaction>().sends[0]->body.view());
            assertContains(body, "soap:Server");
            assertContains(body, "HTTP status " + std::to_string(status));
        }
    }
    void triesAgainWhenTheCommitFails() {
        deliver();
        client_.answer(200, envelope(Version::v11, kStateReply));
        bus_.refuse(bus_.take<CommitTransaction>().request, ErrorCode::transactionAborted,
                    "storage full");
        CPPUNIT_ASSERT(bus_.take<Settle>().deliveries == std::vector{DeliveryId(9)});
    }
    void neverCallsBeyondExpiration() {
        deliver(1, bus_.time.now().wall + Milliseconds(1500));
        CPPUNIT_ASSERT_EQUAL(std::int64_t(1500),
                             std::int64_t(client_.requests.at(0).timeout.count()));
    }
    void ignoresAnswersAfterClose() {
        deliver();
        provider_.reset();
        bus_.loop.run();
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), bus_.closed.size());
        client_.answer(200, envelope(Version::v11, kStateReply));
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), bus_.count<CommitTransaction>());
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(ProviderTest);

}  // namespace busbar::soap
