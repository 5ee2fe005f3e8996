// Batches; single sends are in message_endpoints_test.cpp.
#include "adapters/http/send_endpoints.h"

#include "tests/adapters/http/http_test_support.h"

namespace busbar::http {

class SendEndpointsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(SendEndpointsTest);
    CPPUNIT_TEST(answersABatchWhenAllOfItIsDurable);
    CPPUNIT_TEST(sendsNothingOfAMalformedBatch);
    CPPUNIT_TEST(anAtomicBatchIsOneTransaction);
    CPPUNIT_TEST(anAtomicBatchThatIsRefusedNamesTheElement);
    CPPUNIT_TEST(whoMaySendNothingGets403);
    CPPUNIT_TEST(publishesBatchesToTopics);
    CPPUNIT_TEST(anEmptyBatchIsAnsweredAtOnce);
    CPPUNIT_TEST(aSessionThatEndsAnswersAllOfABatch);
    CPPUNIT_TEST_SUITE_END();

    test::FakeBus bus_;
    UserSessions sessions_{"http"};
    SendEndpoints endpoints_{sessions_, {}};
    Router router_;

  public:
    void setUp() override { endpoints_.install(router_); }

  private:
    std::shared_ptr<test::FakeResponder> post(const std::string& target, std::string body) {
        return test::serve(router_, bus_, test::makeRequest("POST", target, std::move(body)));
    }
    void sent(RequestId request, std::string id, bool repeated = false) {
        Completed done;
        done.request = request;
        done.value = std::move(id);
        done.repeated = repeated;
        bus_.tell(std::move(done));
    }

    void answersABatchWhenAllOfItIsDurable() {
        const auto client = post("/queues/q/messages/batch",
                                 R"([{"body":"a"},{"body":"b","idempotencyKey":"k"},{"body":"c"},
                                     {"body":"d","cron":"@daily"}])");
        const auto a = bus_.take<Send>(), b = bus_.take<Send>(), c = bus_.take<Send>(),
                   d = bus_.take<Send>();
        CPPUNIT_ASSERT(a.message->body.view() == "a" && b.message->dedupId == "k");
        CPPUNIT_ASSERT(a.message->destination == Destination::queue("q"));
        sent(d.request, "ID:b-9");
        bus_.refuse(c.request, ErrorCode::limitReached, "full");
        sent(b.request, "ID:b-1", true);
        CPPUNIT_ASSERT(!client->response);
        sent(a.request, "ID:b-2");
        CPPUNIT_ASSERT_EQUAL(200u, client->response->status);
        CPPUNIT_ASSERT_EQUAL(
            std::string(R"({"results":[{"id":"ID:b-2","status":201},)"
                        R"({"id":"ID:b-1","repeated":true,"status":200},)"
                        R"({"status":429,"error":{"code":"limit-reached","message":"full"}},)"
                        R"({"id":"ID:b-9","schedule":9,"status":201}]})"),
            client->response->body);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(3), client->sendsCounted);
    }
    void sendsNothingOfAMalformedBatch() {
        for (const auto* atomic : {"", "?atomic=true"}) {
            const auto client = post(std::string("/queues/q/messages/batch") + atomic,
                                     R"([{"body":"a"},{"body":"b","priority":11}])");
            CPPUNIT_ASSERT_EQUAL(400u, client->response->status);
            assertContains(client->response->body, "[1].priority: '11' is not");
        }
        CPPUNIT_ASSERT_EQUAL(400u,
                             post("/queues/q/messages/batch?atomic=maybe", "[]")->response->status);
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), bus_.commands.size());
    }
    void anAtomicBatchIsOneTransaction() {
        const auto client = post("/queues/q/messages/batch?atomic=true",
                                 R"([{"body":"a"},{"body":"b"},{"body":"c"}])");
        auto commit = bus_.take<CommitTransaction>();
        CPPUNIT_ASSERT_EQUAL(std::size_t(3), commit.sends.size());
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), bus_.count<Send>());
        for (std::size_t i = 0; i < 3; ++i) commit.sends[i]->id = "ID:b-" + std::to_string(i);
        sent(commit.request, "2");  // the second was sent before
        CPPUNIT_ASSERT_EQUAL(std::string(R"({"results":[{"id":"ID:b-0","status":201},)"
                                         R"({"id":"ID:b-1","repeated":true,"status":200},)"
                                         R"({"id":"ID:b-2","status":201}]})"),
                             client->response->body);
    }
    void anAtomicBatchThatIsRefusedNamesTheElement() {
        const auto client =
            post("/queues/q/messages/batch?atomic=true", R"([{"body":"a"},{"body":"b"}])");
        Completed refused;
        refused.request = bus_.take<CommitTransaction>().request;
        refused.error = Error{ErrorCode::transactionAborted, "nothing was done: full"};
        refused.count = 2;
        bus_.tell(std::move(refused));
        CPPUNIT_ASSERT_EQUAL(409u, client->response->status);
        assertContains(client->response->body, R"("message":"[1]: nothing was done: full")");
    }
    void whoMaySendNothingGets403() {
        const auto client = post("/queues/q/messages/batch", R"([{"body":"a"},{"body":"b"}])");
        bus_.refuse(bus_.take<Send>().request, ErrorCode::notAuthorized, "no right");
        CPPUNIT_ASSERT(!client->response);
        bus_.refuse(bus_.take<Send>().request, ErrorCode::notAuthorized, "no right");
        CPPUNIT_ASSERT_EQUAL(403u, client->response->status);
        const auto atomic = post("/queues/q/messages/batch?atomic=true", R"([{"body":"a"}])");
        bus_.refuse(bus_.take<CommitTransaction>().request, ErrorCode::notAuthorized, "no right");
        CPPUNIT_ASSERT_EQUAL(403u, atomic->response->status);
    }
    void publishesBatchesToTopics() {
        post("/topics/t/messages/batch", R"([{"body":"a"}])");
        CPPUNIT_ASSERT(bus_.take<Send>().message->destination == Destination::topic("t"));
    }
    void anEmptyBatchIsAnsweredAtOnce() {
        for (const auto* atomic : {"", "?atomic=true"}) {
            const auto client = post(std::string("/queues/q/messages/batch") + atomic, "[]");
            CPPUNIT_ASSERT_EQUAL(std::string(R"({"results":[]})"), client->response->body);
        }
    }
    void aSessionThatEndsAnswersAllOfABatch() {
        const auto client = post("/queues/q/messages/batch", R"([{"body":"a"},{"body":"b"}])");
        bus_.tell(SessionEnded{{}, {ErrorCode::closed, "the bus stops"}});
        CPPUNIT_ASSERT_EQUAL(200u, client->response->status);
        assertContains(client->response->body, R"({"status":503,"error":{"code":"closed")");
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(SendEndpointsTest);

}  // namespace busbar::http
