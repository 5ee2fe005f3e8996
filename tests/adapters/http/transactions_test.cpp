#include "adapters/http/transaction_endpoints.h"
#include "tests/adapters/http/http_test_support.h"

namespace busbar::http {

class TransactionEndpointsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(TransactionEndpointsTest);
    CPPUNIT_TEST(listsBranches);
    CPPUNIT_TEST(decidesInPlaceOfTheCoordinator);
    CPPUNIT_TEST(tellsWhatIsWrong);
    CPPUNIT_TEST_SUITE_END();

    test::FakeBus bus_;
    UserSessions sessions_{"http"};
    TransactionEndpoints endpoints_{sessions_};
    Router router_;

    std::shared_ptr<test::FakeResponder> ask(const std::string& method, const std::string& target) {
        return test::serve(router_, bus_, test::makeRequest(method, target));
    }

  public:
    void setUp() override { endpoints_.install(router_); }

    void listsBranches() {
        const auto client = ask("GET", "/api/v1/transactions");
        Picture picture;
        BranchPicture branch;
        branch.branch = {4711, "t1\xff", "\x02"};
        branch.state = "committed";
        branch.user = "alice";
        branch.messages = 3;
        branch.accepts = 2;
        branch.decidedBy = "admin";
        picture.branches.push_back(branch);
        Pictured pictured;
        pictured.request = bus_.take<TakePicture>().request;
        pictured.picture = std::make_shared<const Picture>(std::move(picture));
        bus_.tell(std::move(pictured));
        const auto& body = client->response->body;
        assertContains(body, "\"id\":\"4711:7431ff:02\"");
        assertContains(body, "\"global\":\"t1?\"");
        assertContains(body, "\"state\":\"committed\",\"user\":\"alice\"");
        assertContains(body, "\"messages\":3");
        assertContains(body, "\"acknowledgements\":2");
        assertContains(body, "\"decidedBy\":\"admin\"");
    }

    void decidesInPlaceOfTheCoordinator() {
        for (const bool commit : {true, false}) {
            const auto client = ask("POST", std::string("/api/v1/transactions/4711:7431:02/") +
                                                (commit ? "commit" : "rollback"));
            const auto command = bus_.take<DecidePrepared>();
            CPPUNIT_ASSERT(command.force && command.commit == commit);
            CPPUNIT_ASSERT(command.branch == (BranchId{4711, "t1", "\x02"}));
            bus_.complete(command.request);
            CPPUNIT_ASSERT_EQUAL(204u, client->response->status);
        }
        ask("POST", "/api/v1/transactions/4711:7431:02/forget");
        CPPUNIT_ASSERT(bus_.take<ForgetPrepared>().force);
    }

    void tellsWhatIsWrong() {
        CPPUNIT_ASSERT_EQUAL(400u, ask("POST", "/api/v1/transactions/t1/commit")->response->status);
        const auto client = ask("POST", "/api/v1/transactions/4711:7431:02/commit");
        Completed completed;
        completed.request = bus_.take<DecidePrepared>().request;
        completed.error = Error{ErrorCode::notFound, "no transaction"};
        bus_.tell(std::move(completed));
        CPPUNIT_ASSERT_EQUAL(404u, client->response->status);
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(TransactionEndpointsTest);

}  // namespace busbar::http
