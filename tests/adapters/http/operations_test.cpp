#include "adapters/http/operations.h"

#include "tests/adapters/http/http_test_support.h"

namespace busbar::http {

class OperationsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(OperationsTest);
    CPPUNIT_TEST(definesWithDefaultsForWhatIsLeftOut);
    CPPUNIT_TEST(takesEveryOption);
    CPPUNIT_TEST(namesUnknownAndWrongOptions);
    CPPUNIT_TEST(deletesQueues);
    CPPUNIT_TEST(purgesWhatIsSelected);
    CPPUNIT_TEST(cancelsOneMessage);
    CPPUNIT_TEST(movesAndCopies);
    CPPUNIT_TEST(reschedules);
    CPPUNIT_TEST(pausesGroups);
    CPPUNIT_TEST(everythingNeedsALogin);
    CPPUNIT_TEST_SUITE_END();

    test::FakeBus bus_;
    UserSessions sessions_{"http"};
    OperationEndpoints endpoints_{sessions_, [](std::string_view queue) {
                                      QueueOptions options;
                                      options.deliveriesMax = queue == "orders" ? 3 : 10;
                                      return options;
                                  }};
    Router router_;

  public:
    void setUp() override { endpoints_.install(router_); }

  private:
    std::shared_ptr<test::FakeResponder> serve(const std::string& method, const std::string& target,
                                               std::string body = {}) {
        return test::serve(router_, bus_, test::makeRequest(method, target, std::move(body)));
    }
    void answerCount(RequestId request, std::uint64_t count) {
        Completed done;
        done.request = request;
        done.count = count;
        bus_.tell(std::move(done));
    }

    void definesWithDefaultsForWhatIsLeftOut() {
        const auto client = serve("PUT", "/api/v1/queues/orders", "{\"messagesMax\":7}");
        const auto define = bus_.take<DefineQueue>();
        CPPUNIT_ASSERT_EQUAL(3u, define.options.deliveriesMax);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(7), define.options.messagesMax);
        CPPUNIT_ASSERT(!client->response);
        bus_.complete(define.request);
        assertContains(client->response->body, "\"deliveriesMax\":3,\"messagesMax\":7");
        serve("PUT", "/api/v1/queues/orders");
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(0), bus_.take<DefineQueue>().options.messagesMax);
    }
    void takesEveryOption() {
        const std::string options =
            "{\"deliveriesMax\":1,\"messagesMax\":2,\"bytesMax\":3,\"ageMaxMs\":4,"
            "\"whenFull\":\"drop-oldest\",\"durability\":\"os\",\"parkFailedGroups\":true,"
            "\"redeliveryDelaysMs\":[5,600,70000],\"leaseMs\":80000}";
        const auto client = serve("PUT", "/api/v1/queues/a", options);
        const auto define = bus_.take<DefineQueue>();
        QueueOptions expected;
        expected.deliveriesMax = 1;
        expected.messagesMax = 2;
        expected.bytesMax = 3;
        expected.ageMax = Milliseconds(4);
        expected.whenFull = WhenFull::dropOldest;
        expected.keep = Keep::written;
        expected.parkFailedGroups = true;
        expected.redeliveryDelays = {Milliseconds(5), Milliseconds(600), Milliseconds(70'000)};
        expected.lease = Milliseconds(80'000);
        CPPUNIT_ASSERT(define.options == expected);
        bus_.complete(define.request);
        CPPUNIT_ASSERT_EQUAL("{\"name\":\"a\",\"options\":" + options + "}",
                             client->response->body);
    }
    void namesUnknownAndWrongOptions() {
        for (const std::string body :
             {"{\"maxMessages\":1}", "{\"whenFull\":\"explode\"}", "{\"deliveriesMax\":-1}",
              "{\"redeliveryDelaysMs\":[1,\"x\"]}", "{\"parkFailedGroups\":\"maybe\"}"}) {
            const auto client = serve("PUT", "/api/v1/queues/a", body);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(body, 400u, client->response->status);
            assertContains(client->response->body, body.substr(2, body.find('"', 2) - 2));
        }
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), bus_.count<DefineQueue>());
    }
    void deletesQueues() {
        const auto client = serve("DELETE", "/api/v1/queues/a");
        bus_.refuse(bus_.take<DeleteQueue>().request, ErrorCode::inUse, "it has consumers");
        CPPUNIT_ASSERT_EQUAL(409u, client->response->status);
    }
    void purgesWhatIsSelected() {
        const auto client = serve("DELETE", "/queues/orders/messages");
        auto purge = bus_.take<Purge>();
        CPPUNIT_ASSERT(purge.selection.selector.empty() && purge.selection.ids.empty() &&
                       purge.selection.max == 0);
        answerCount(purge.request, 3);
        CPPUNIT_ASSERT_EQUAL(std::string("{\"count\":3}"), client->response->body);
        serve("DELETE", "/queues/orders/messages?selector=n>5&ids=4,7-9&max=2");
        purge = bus_.take<Purge>();
        CPPUNIT_ASSERT_EQUAL(std::string("convert_string_expressions:n>5"),
                             purge.selection.selector);
        CPPUNIT_ASSERT((purge.selection.ids ==
                        std::vector{StoredId(4), StoredId(7), StoredId(8), StoredId(9)}));
        CPPUNIT_ASSERT_EQUAL(2u, purge.selection.max);
        for (const std::string bad : {"ids=0", "ids=x", "ids=5-4", "ids=1-99999999", "max=-1"}) {
            const auto refused = serve("DELETE", "/queues/orders/messages?" + bad);
            CPPUNIT_ASSERT_MESSAGE(bad, refused->response && refused->response->status >= 400);
        }
    }
    void cancelsOneMessage() {
        auto client = serve("DELETE", "/queues/orders/messages/17");
        const auto purge = bus_.take<Purge>();
        CPPUNIT_ASSERT(purge.selection.ids == std::vector{StoredId(17)});
        answerCount(purge.request, 1);
        CPPUNIT_ASSERT_EQUAL(204u, client->response->status);
        client = serve("DELETE", "/queues/orders/messages/17");
        answerCount(bus_.take<Purge>().request, 0);
        CPPUNIT_ASSERT_EQUAL(404u, client->response->status);
    }
    void movesAndCopies() {
        serve("POST", "/queues/DLQ.orders/move?max=7&rate=50");
        auto move = bus_.take<MoveMessages>();
        CPPUNIT_ASSERT(move.target.empty() && !move.copy);
        CPPUNIT_ASSERT_EQUAL(7u, move.selection.max);
        CPPUNIT_ASSERT_EQUAL(50u, move.perSecondMax);
        serve("POST", "/queues/orders/copy?to=audit&ids=3");
        move = bus_.take<MoveMessages>();
        CPPUNIT_ASSERT(move.copy && move.target == "audit" && move.selection.ids.size() == 1);
        CPPUNIT_ASSERT_EQUAL(400u, serve("POST", "/queues/orders/copy")->response->status);
    }
    void reschedules() {
        serve("POST", "/queues/orders/messages/17/schedule?at=1800000000000");
        auto command = bus_.take<Reschedule>();
        CPPUNIT_ASSERT(command.id == StoredId(17));
        CPPUNIT_ASSERT(command.deliverAt == WallTime(Milliseconds(1'800'000'000'000)));
        serve("POST", "/queues/orders/messages/17/schedule?in=5s");
        command = bus_.take<Reschedule>();
        CPPUNIT_ASSERT(command.deliverAt == bus_.time.now().wall + Milliseconds(5000));
        for (const std::string bad : {"", "?at=1&in=1", "?in=x"}) {
            const auto client = serve("POST", "/queues/orders/messages/17/schedule" + bad);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(bad, 400u, client->response->status);
        }
    }
    void pausesGroups() {
        serve("POST", "/queues/orders/groups/g1/pause");
        CPPUNIT_ASSERT(bus_.take<PauseGroup>().paused);
        serve("POST", "/queues/orders/groups/g1/resume");
        const auto resume = bus_.take<PauseGroup>();
        CPPUNIT_ASSERT(!resume.paused && resume.group == "g1");
    }
    void everythingNeedsALogin() {
        for (const auto& [method, target] : {std::pair{"DELETE", "/queues/q/messages"},
                                             {"DELETE", "/queues/q/messages/1"},
                                             {"POST", "/queues/q/move"},
                                             {"POST", "/queues/q/copy"},
                                             {"PUT", "/api/v1/queues/q"},
                                             {"DELETE", "/api/v1/queues/q"},
                                             {"POST", "/queues/q/messages/1/schedule"},
                                             {"POST", "/queues/q/groups/g/pause"}}) {
            const auto request = test::makeRequest(method, target);
            CPPUNIT_ASSERT(router_.match(method, request.segments).route->access ==
                           Router::Access::login);  // the right to manage is the core's to check
        }
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(OperationsTest);

}  // namespace busbar::http
