#include "adapters/http/errors.h"
#include "tests/adapters/http/http_test_support.h"

namespace busbar::http {

class MessageEndpointsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(MessageEndpointsTest);
    CPPUNIT_TEST(answersSendOnlyAfterCompletion);
    CPPUNIT_TEST(answersRepeatedSendWith200);
    CPPUNIT_TEST(mapsRefusedSendByTheTable);
    CPPUNIT_TEST(publishesToTopics);
    CPPUNIT_TEST(receivesUnderLeases);
    CPPUNIT_TEST(answersEmptyReceiveWithEmptyArray);
    CPPUNIT_TEST(releasesWhatNobodyWaitsFor);
    CPPUNIT_TEST(releasesWhatAClientThatClosedWaitedFor);
    CPPUNIT_TEST(acknowledgesByToken);
    CPPUNIT_TEST(nacksWithDelay);
    CPPUNIT_TEST(extendsLeases);
    CPPUNIT_TEST(refusesTokensOfAnotherQueueOrProcess);
    CPPUNIT_TEST(browsesWithoutTaking);
    CPPUNIT_TEST(namesWrongParameters);
    CPPUNIT_TEST(receivingMakesNoQueue);
    CPPUNIT_TEST(receivesOneGroup);
    CPPUNIT_TEST(browsesBySelectorAndDelay);
    CPPUNIT_TEST(settlesManyEachWithItsOwnOutcome);
    CPPUNIT_TEST(settlesNoneOfAMalformedBatch);
    CPPUNIT_TEST(keepsTheStateOfAGroup);
    CPPUNIT_TEST(sendsDelayedAndGroupedMessages);
    CPPUNIT_TEST_SUITE_END();

    test::FakeBus bus_;
    UserSessions sessions_{"http"};
    const std::shared_ptr<const LeaseTokens> tokens_ = std::make_shared<LeaseTokens>();
    MessageEndpoints endpoints_{sessions_, optionsWith(tokens_)};
    SendEndpoints sends_{sessions_, {}};
    Router router_;

  public:
    void setUp() override {
        endpoints_.install(router_);
        sends_.install(router_);
    }

  private:
    std::shared_ptr<test::FakeResponder> serve(const std::string& method, const std::string& target,
                                               std::string body = {}, Headers headers = {}) {
        return test::serve(router_, bus_,
                           test::makeRequest(method, target, std::move(body), std::move(headers)));
    }
    Delivery leased(DeliveryId id, MessagePtr message, std::uint32_t count = 1) {
        Delivery out{id, std::move(message), count};
        out.lease = std::make_shared<LeaseGrant>(
            LeaseGrant{tokens_->make("orders", {bus_.session, id}), Milliseconds(30'000)});
        out.fencingToken = 99;
        return out;
    }
    /// Takes one message from "orders" and gives its token.
    std::string lease(std::uint64_t delivery = 77) {
        const auto client = serve("GET", "/queues/orders/messages");
        Received received;
        received.request = bus_.take<Receive>().request;
        received.deliveries = {leased(DeliveryId(delivery), textMessage("x"))};
        bus_.tell(std::move(received));
        return field(client->response->body, "lease");
    }

    void answersSendOnlyAfterCompletion() {
        const auto client = serve("POST", "/queues/orders/messages", "{\"a\":1}",
                                  {{"Content-Type", "application/json"}, {"X-Priority", "7"}});
        const auto open = bus_.take<OpenSession>();
        CPPUNIT_ASSERT_EQUAL(std::string("alice"), open.user);
        auto send = bus_.take<Send>();
        CPPUNIT_ASSERT(!client->response);
        CPPUNIT_ASSERT(send.message->destination == Destination::queue("orders"));
        CPPUNIT_ASSERT(send.message->persistent);
        CPPUNIT_ASSERT(send.message->bodyKind == BodyKind::text);
        CPPUNIT_ASSERT_EQUAL(7, int(send.message->priority));
        Completed done;
        done.request = send.request;
        done.value = "ID:b-1";
        bus_.tell(std::move(done));
        CPPUNIT_ASSERT_EQUAL(201u, client->response->status);
        CPPUNIT_ASSERT_EQUAL(std::string("{\"id\":\"ID:b-1\"}"), client->response->body);
        CPPUNIT_ASSERT_EQUAL(std::string("/queues/orders/messages/ID:b-1"),
                             headerOf(*client->response, "location"));
    }
    void answersRepeatedSendWith200() {
        const auto client =
            serve("POST", "/queues/orders/messages", "x", {{"Idempotency-Key", "k1"}});
        auto send = bus_.take<Send>();
        CPPUNIT_ASSERT_EQUAL(std::string("k1"), send.message->dedupId);
        Completed done;
        done.request = send.request;
        done.value = "ID:b-1";
        done.repeated = true;
        bus_.tell(std::move(done));
        CPPUNIT_ASSERT_EQUAL(200u, client->response->status);
        CPPUNIT_ASSERT_EQUAL(std::string("true"),
                             headerOf(*client->response, "idempotent-replayed"));
    }
    void mapsRefusedSendByTheTable() {
        const auto client = serve("POST", "/queues/orders/messages", "x");
        bus_.refuse(bus_.take<Send>().request, ErrorCode::storageFull, "no room");
        CPPUNIT_ASSERT_EQUAL(507u, client->response->status);
        CPPUNIT_ASSERT_EQUAL(
            std::string("{\"error\":{\"code\":\"storage-full\",\"message\":\"no room\"}}"),
            client->response->body);
        for (int code = 0; code <= int(ErrorCode::internal); ++code) {
            const auto status = statusOf(ErrorCode(code));
            CPPUNIT_ASSERT(status >= 400 && status < 600);
        }
        CPPUNIT_ASSERT_EQUAL(410u, statusOf(ErrorCode::lockLost));
        CPPUNIT_ASSERT_EQUAL(413u, statusOf(ErrorCode::tooLarge));
    }
    void publishesToTopics() {
        serve("POST", "/topics/prices.eur/messages", "x");
        CPPUNIT_ASSERT(bus_.take<Send>().message->destination == Destination::topic("prices.eur"));
    }
    void receivesUnderLeases() {
        const auto client = serve("GET", "/queues/orders/messages?max=10&wait=5&lease=90s");
        auto receive = bus_.take<Receive>();
        CPPUNIT_ASSERT_EQUAL(10u, receive.max);
        CPPUNIT_ASSERT_EQUAL(std::int64_t(5000), std::int64_t(receive.wait.count()));
        CPPUNIT_ASSERT_EQUAL(std::int64_t(90'000), std::int64_t(receive.lease.count()));
        CPPUNIT_ASSERT(!client->response);
        Received received;
        received.request = receive.request;
        received.deliveries = {leased(DeliveryId(5), textMessage("a\"b"), 2)};
        bus_.tell(std::move(received));
        CPPUNIT_ASSERT_EQUAL(200u, client->response->status);
        assertContains(client->response->body, "\"deliveryCount\":2");
        assertContains(client->response->body, "\"body\":\"a\\\"b\"");
        CPPUNIT_ASSERT_EQUAL(std::size_t(43), field(client->response->body, "lease").size());
    }
    void answersEmptyReceiveWithEmptyArray() {
        const auto client = serve("GET", "/queues/orders/messages");
        Received received;
        received.request = bus_.take<Receive>().request;
        bus_.tell(std::move(received));
        CPPUNIT_ASSERT_EQUAL(std::string("[]"), client->response->body);
    }
    void releasesWhatNobodyWaitsFor() {
        const auto client = serve("GET", "/queues/orders/messages?wait=60");
        const auto receive = bus_.take<Receive>();
        client->leave();
        Received received;
        received.request = receive.request;
        received.deliveries = {leased(DeliveryId(5), textMessage("x"))};
        bus_.tell(std::move(received));
        const auto settle = bus_.take<Settle>();
        CPPUNIT_ASSERT(settle.outcome == Outcome::released);
        CPPUNIT_ASSERT(settle.deliveries == std::vector{DeliveryId(5)});
    }
    void releasesWhatAClientThatClosedWaitedFor() {
        for (const bool waits : {true, false}) {
            const auto client =
                serve("GET", std::string("/queues/orders/messages") + (waits ? "?wait=60" : ""));
            client->inputIsEnded = true;
            Received received;
            received.request = bus_.take<Receive>().request;
            received.deliveries = {leased(DeliveryId(5), textMessage("x"))};
            bus_.tell(std::move(received));
            // Without waiting it is somebody who closes its half early, and reads.
            CPPUNIT_ASSERT_EQUAL(std::size_t(waits ? 1 : 0), bus_.count<Settle>());
            CPPUNIT_ASSERT_EQUAL(waits, client->response->body == "[]");
            if (waits) CPPUNIT_ASSERT(bus_.take<Settle>().outcome == Outcome::released);
        }
    }
    void acknowledgesByToken() {
        const auto token = lease(77);
        const auto client = serve("DELETE", "/queues/orders/leases/" + token);
        const auto settle = bus_.take<Settle>();
        CPPUNIT_ASSERT(settle.outcome == Outcome::accepted);
        CPPUNIT_ASSERT(settle.deliveries == std::vector{DeliveryId(77)});
        CPPUNIT_ASSERT(settle.holder == bus_.session);
        bus_.complete(settle.request);
        CPPUNIT_ASSERT_EQUAL(204u, client->response->status);
        const auto again = serve("DELETE", "/queues/orders/leases/" + token);
        bus_.refuse(bus_.take<Settle>().request, ErrorCode::lockLost, "the lease ended");
        CPPUNIT_ASSERT_EQUAL(410u, again->response->status);
    }
    void nacksWithDelay() {
        serve("POST", "/queues/orders/leases/" + lease() + "/nack?delay=250ms");
        CPPUNIT_ASSERT_EQUAL(std::int64_t(250), std::int64_t(bus_.take<Settle>().delay.count()));
        serve("POST", "/queues/orders/leases/" + lease() + "/nack",
              "{\"delay\":2,\"reason\":\"busy\"}");
        auto settle = bus_.take<Settle>();
        CPPUNIT_ASSERT(settle.outcome == Outcome::failed);
        CPPUNIT_ASSERT_EQUAL(std::int64_t(2000), std::int64_t(settle.delay.count()));
        CPPUNIT_ASSERT_EQUAL(std::string("busy"), settle.reason);
        serve("POST", "/queues/orders/leases/" + lease() + "/nack", "{\"reject\":true}");
        CPPUNIT_ASSERT(bus_.take<Settle>().outcome == Outcome::rejected);
        const auto bad = serve("POST", "/queues/orders/leases/" + lease() + "/nack", "[1]");
        CPPUNIT_ASSERT_EQUAL(400u, bad->response->status);
    }
    void extendsLeases() {
        serve("POST", "/queues/orders/leases/" + lease() + "/extend?lease=2m");
        const auto extend = bus_.take<ExtendLease>();
        CPPUNIT_ASSERT_EQUAL(std::int64_t(120'000), std::int64_t(extend.lease.count()));
        CPPUNIT_ASSERT(extend.holder == bus_.session);
    }
    void refusesTokensOfAnotherQueueOrProcess() {
        const auto token = lease();
        CPPUNIT_ASSERT_EQUAL(410u,
                             serve("DELETE", "/queues/other/leases/" + token)->response->status);
        CPPUNIT_ASSERT_EQUAL(400u, serve("DELETE", "/queues/orders/leases/abc")->response->status);
        const auto earlier = LeaseTokens().make("orders", {bus_.session, DeliveryId(77)});
        const auto refused = serve("DELETE", "/queues/orders/leases/" + earlier);
        CPPUNIT_ASSERT_EQUAL(410u, refused->response->status);
        assertContains(refused->response->body, "lock-lost");
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), bus_.count<Settle>());
    }
    void browsesWithoutTaking() {
        const auto client = serve("GET", "/queues/orders/messages?browse=true&max=5&after=9");
        const auto browse = bus_.take<Browse>();
        CPPUNIT_ASSERT(browse.after == StoredId(9));
        Browsed browsed;
        browsed.request = browse.request;
        browsed.entries = {{StoredId(12), textMessage("x"), 3, true}};
        browsed.more = true;
        bus_.tell(std::move(browsed));
        assertContains(client->response->body, "\"position\":12");
        assertContains(client->response->body, "\"held\":true");
        assertContains(client->response->body, "\"more\":true");
    }
    void namesWrongParameters() {
        for (const std::string query :
             {"max=0", "max=1001", "max=x", "wait=61", "wait=5h", "lease=-1", "browse=maybe"}) {
            const auto client = serve("GET", "/queues/orders/messages?" + query);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(query, 400u, client->response->status);
            assertContains(client->response->body, query.substr(0, query.find('=')));
        }
        const auto bad = serve("POST", "/queues/orders/messages", "x", {{"X-Priority", "11"}});
        assertContains(bad->response->body, "X-Priority");
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), bus_.count<Send>());
    }
    void receivingMakesNoQueue() {
        const auto client = serve("GET", "/queues/none/messages?wait=5");
        const auto receive = bus_.take<Receive>();
        CPPUNIT_ASSERT_EQUAL(std::string("none"), receive.queue);
        CPPUNIT_ASSERT(!receive.make);
        Received missing;
        missing.request = receive.request;
        missing.error = Error{ErrorCode::notFound, "no queue 'none'"};
        bus_.tell(std::move(missing));
        CPPUNIT_ASSERT_EQUAL(404u, client->response->status);
    }
    void receivesOneGroup() {
        serve("GET", "/queues/orders/messages?oneGroup=true&max=100");
        const auto receive = bus_.take<Receive>();
        CPPUNIT_ASSERT(receive.oneGroup && receive.max == 100);
        serve("GET", "/queues/orders/messages");
        CPPUNIT_ASSERT(!bus_.take<Receive>().oneGroup);
        serve("GET", "/queues/orders/messages?selector=n>5");
        CPPUNIT_ASSERT_EQUAL(std::string("convert_string_expressions:n>5"),
                             bus_.take<Receive>().selector);
    }
    void browsesBySelectorAndDelay() {
        const auto client =
            serve("GET", "/queues/orders/messages?browse=true&selector=n>5&delayed=true");
        const auto browse = bus_.take<Browse>();
        CPPUNIT_ASSERT_EQUAL(std::string("convert_string_expressions:n>5"), browse.selector);
        CPPUNIT_ASSERT(browse.delayedOnly);
        Browsed browsed;
        browsed.request = browse.request;
        browsed.entries = {
            {StoredId(12), textMessage("x"), 0, false, WallTime(Milliseconds(1'800'000'000'000))}};
        bus_.tell(std::move(browsed));
        assertContains(client->response->body, "\"dueAt\":1800000000000");
        serve("GET", "/queues/orders/messages?browse=true");
        const auto plain = bus_.take<Browse>();
        CPPUNIT_ASSERT(plain.selector.empty() && !plain.delayedOnly);
    }
    void settlesManyEachWithItsOwnOutcome() {
        const auto a = lease(1), b = lease(2), c = lease(3);
        const auto foreign = LeaseTokens().make("orders", {bus_.session, DeliveryId(9)});
        const auto client =
            serve("POST", "/queues/orders/settle",
                  "[{\"lease\":\"" + a + "\"},{\"lease\":\"" + b +
                      "\",\"outcome\":\"failed\",\"delay\":2,\"reason\":\"busy\"},{\"lease\":\"" +
                      foreign + "\"},{\"lease\":\"" + c + "\",\"outcome\":\"rejected\"}]");
        auto first = bus_.take<Settle>(), second = bus_.take<Settle>(), third = bus_.take<Settle>();
        CPPUNIT_ASSERT(first.outcome == Outcome::accepted &&
                       first.deliveries == std::vector{DeliveryId(1)});
        CPPUNIT_ASSERT(second.outcome == Outcome::failed && second.delay == Milliseconds(2000) &&
                       second.reason == "busy");
        CPPUNIT_ASSERT(third.outcome == Outcome::rejected && third.holder == bus_.session);
        bus_.complete(third.request);
        bus_.complete(first.request);
        CPPUNIT_ASSERT(!client->response);
        bus_.refuse(second.request, ErrorCode::lockLost, "the lease ended");
        const auto& body = client->response->body;
        assertContains(body, "{\"results\":[{\"lease\":\"" + a + "\",\"status\":204},");
        assertContains(
            body,
            "\"status\":410,\"error\":{\"code\":\"lock-lost\",\"message\":\"the lease ended\"}");
        assertContains(body, "{\"lease\":\"" + foreign + "\",\"status\":410");
        assertContains(body, "{\"lease\":\"" + c + "\",\"status\":204}]");
    }
    void settlesNoneOfAMalformedBatch() {
        const auto good = "{\"lease\":\"" + lease(1) + "\"}";
        for (const std::string& bad : {std::string("{\"lease\":\"x\"}"),
                                       good.substr(0, good.size() - 1) + ",\"outcome\":\"no\"}",
                                       std::string("7"), std::string("{\"lease\":{}}")}) {
            const auto client =
                serve("POST", "/queues/orders/settle", "[" + good + "," + bad + "]");
            CPPUNIT_ASSERT_EQUAL_MESSAGE(bad, 400u, client->response->status);
        }
        CPPUNIT_ASSERT_EQUAL(400u, serve("POST", "/queues/orders/settle", "{}")->response->status);
        CPPUNIT_ASSERT_EQUAL(200u, serve("POST", "/queues/orders/settle", "[]")->response->status);
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), bus_.count<Settle>());
    }
    void keepsTheStateOfAGroup() {
        const auto put = serve("PUT", "/queues/orders/groups/g1/state", "at step 3");
        const auto set = bus_.take<GroupState>();
        CPPUNIT_ASSERT_EQUAL(std::string("at step 3"), set.value.value());
        CPPUNIT_ASSERT_EQUAL(std::string("g1"), set.group);
        bus_.complete(set.request);
        CPPUNIT_ASSERT_EQUAL(204u, put->response->status);
        const auto get = serve("GET", "/queues/orders/groups/g1/state");
        const auto asked = bus_.take<GroupState>();
        CPPUNIT_ASSERT(!asked.value);
        Completed answer;
        answer.request = asked.request;
        answer.value = "at step 3";
        bus_.tell(std::move(answer));
        CPPUNIT_ASSERT_EQUAL(std::string("at step 3"), get->response->body);
        serve("DELETE", "/queues/orders/groups/g1/state");
        CPPUNIT_ASSERT(bus_.take<GroupState>().value.value().empty());
    }
    void sendsDelayedAndGroupedMessages() {
        serve("POST", "/queues/orders/messages", "x",
              {{"X-Delay-Ms", "5000"}, {"X-Group-Id", "g"}, {"X-Group-Seq", "-1"}});
        const auto send = bus_.take<Send>();
        CPPUNIT_ASSERT(send.message->deliverAt == bus_.time.now().wall + Milliseconds(5000));
        CPPUNIT_ASSERT_EQUAL(-1, send.message->groupSequence);
        serve("POST", "/queues/orders/messages", "x", {{"X-Deliver-At", "1800000000000"}});
        CPPUNIT_ASSERT(bus_.take<Send>().message->deliverAt ==
                       WallTime(Milliseconds(1'800'000'000'000)));
        const auto bad = serve("POST", "/queues/orders/messages", "x", {{"X-Delay-Ms", "soon"}});
        assertContains(bad->response->body, "X-Delay-Ms");
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(MessageEndpointsTest);

}  // namespace busbar::http
