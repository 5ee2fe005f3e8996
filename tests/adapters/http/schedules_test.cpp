// Recurring schedules over HTTP.
#include "adapters/http/schedule_endpoints.h"
#include "adapters/http/send_endpoints.h"
#include "tests/adapters/http/http_test_support.h"

namespace busbar::http {

class SchedulesTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(SchedulesTest);
    CPPUNIT_TEST(makesThemBySending);
    CPPUNIT_TEST(refusesWrongHeaders);
    CPPUNIT_TEST(listsThem);
    CPPUNIT_TEST(showsOne);
    CPPUNIT_TEST(changesTheRule);
    CPPUNIT_TEST(pausesResumesAndCancels);
    CPPUNIT_TEST_SUITE_END();

    test::FakeBus bus_;
    UserSessions sessions_{"http"};
    SendEndpoints sends_{sessions_, {}};
    ScheduleEndpoints endpoints_{sessions_};
    Router router_;

  public:
    void setUp() override {
        sends_.install(router_);
        endpoints_.install(router_);
    }

  private:
    std::shared_ptr<test::FakeResponder> serve(
        const std::string& method, const std::string& target, std::string body = {},
        std::vector<std::pair<std::string, std::string>> headers = {}) {
        auto request = test::makeRequest(method, target, std::move(body));
        for (auto& header : headers) request.headers.push_back(std::move(header));
        return test::serve(router_, bus_, std::move(request));
    }
    static SchedulePicture picture() {
        SchedulePicture s;
        s.id = StoredId(42);
        s.name = "ID:bus-42";
        s.destination = Destination::topic("news");
        s.owner = "ann";
        s.rule.cron = "0 3 * * *";
        s.rule.zone = "Europe/Berlin";
        s.state = "waiting";
        s.trouble = "full";
        s.next = WallTime(Milliseconds(77));
        s.sent = 5;
        return s;
    }
    void answer(RequestId request, std::vector<SchedulePicture> schedules, bool more = false) {
        auto picture = std::make_shared<Picture>();
        picture->schedules = std::move(schedules);
        picture->moreSchedules = more;
        Pictured pictured;
        pictured.request = request;
        pictured.picture = std::move(picture);
        bus_.tell(std::move(pictured));
    }

    void makesThemBySending() {
        const auto client = serve("POST", "/queues/q/messages", "x",
                                  {{"X-Cron", "*/5 * * * *"}, {"X-Cron-Zone", "Europe/Berlin"}});
        auto send = bus_.take<Send>();
        CPPUNIT_ASSERT(
            (*send.message->recurrence ==
             Recurrence{"*/5 * * * *", "Europe/Berlin", Milliseconds(0), Milliseconds(0), 0}));
        Completed done;
        done.request = send.request;
        done.value = "ID:bus-42";
        bus_.tell(std::move(done));
        CPPUNIT_ASSERT_EQUAL(201u, client->response->status);
        CPPUNIT_ASSERT_EQUAL(std::string("{\"id\":\"ID:bus-42\",\"schedule\":42}"),
                             client->response->body);
        serve("POST", "/queues/q/messages", "x", {{"X-Period-Ms", "500"}});
        CPPUNIT_ASSERT_EQUAL(kRepeatForever, bus_.take<Send>().message->recurrence->repeats);
        serve("POST", "/topics/t/messages", "x",
              {{"X-Period-Ms", "500"}, {"X-Repeat", "3"}, {"X-Delay-Ms", "70"}});
        send = bus_.take<Send>();
        CPPUNIT_ASSERT((*send.message->recurrence ==
                        Recurrence{"", "UTC", Milliseconds(70), Milliseconds(500), 3}));
        CPPUNIT_ASSERT(send.message->deliverAt == WallTime{});
    }
    void refusesWrongHeaders() {
        for (const char* header : {"X-Period-Ms", "X-Repeat"}) {
            for (const char* value : {"0.5", "-1", "often"}) {
                const auto client = serve("POST", "/queues/q/messages", "x", {{header, value}});
                CPPUNIT_ASSERT_EQUAL(400u, client->response->status);
                assertContains(client->response->body, header);
            }
        }
    }
    void listsThem() {
        const auto client = serve("GET", "/api/v1/schedules?after=7&max=2");
        const auto list = bus_.take<ListSchedules>();
        CPPUNIT_ASSERT(list.after == StoredId(7) && list.max == 2 && !list.only);
        answer(list.request, {picture()}, true);
        CPPUNIT_ASSERT_EQUAL(
            std::string("{\"schedules\":[{\"id\":42,\"scheduledJobId\":\"ID:bus-42\","
                        "\"destination\":\"topic://news\",\"owner\":\"ann\",\"state\":\"waiting\","
                        "\"trouble\":\"full\",\"cron\":\"0 3 * * *\",\"zone\":\"Europe/Berlin\","
                        "\"delayMs\":0,\"periodMs\":0,\"repeats\":0,\"left\":0,\"next\":77,"
                        "\"sent\":5,\"bytes\":0}],\"more\":true}"),
            client->response->body);
        CPPUNIT_ASSERT_EQUAL(400u, serve("GET", "/api/v1/schedules?max=0")->response->status);
    }
    void showsOne() {
        for (const char* id : {"42", "ID:bus-42"}) {
            const auto client = serve("GET", "/api/v1/schedules/" + std::string(id));
            const auto list = bus_.take<ListSchedules>();
            CPPUNIT_ASSERT(list.only == StoredId(42));
            answer(list.request, {picture()});
            assertContains(client->response->body, "{\"id\":42,");
        }
        const auto client = serve("GET", "/api/v1/schedules/43");
        answer(bus_.take<ListSchedules>().request, {});
        CPPUNIT_ASSERT_EQUAL(404u, client->response->status);
        for (const char* id : {"x", "0", "ID:", "ID:bus-", "-1", "99999999999999999999"}) {
            CPPUNIT_ASSERT_EQUAL(
                400u, serve("GET", "/api/v1/schedules/" + std::string(id))->response->status);
        }
    }
    void changesTheRule() {
        serve("PUT", "/api/v1/schedules/42",
              "{\"cron\":\"0 4 * * *\",\"zone\":\"Europe/Paris\",\"delayMs\":5}");
        auto change = bus_.take<ChangeSchedule>();
        CPPUNIT_ASSERT(change.id == StoredId(42) && !change.paused);
        CPPUNIT_ASSERT((*change.rule == Recurrence{"0 4 * * *", "Europe/Paris", Milliseconds(5),
                                                   Milliseconds(0), 0}));
        serve("PUT", "/api/v1/schedules/42", "{\"periodMs\":500}");
        CPPUNIT_ASSERT_EQUAL(kRepeatForever, bus_.take<ChangeSchedule>().rule->repeats);
        serve("PUT", "/api/v1/schedules/42", "{\"periodMs\":500,\"repeats\":0}");
        CPPUNIT_ASSERT_EQUAL(std::int64_t(0), bus_.take<ChangeSchedule>().rule->repeats);
        for (const char* wrong : {"{\"corn\":\"* * * * *\"}", "{\"periodMs\":-1}", "[]",
                                  "{\"repeats\":-2}", "{\"delayMs\":\"soon\"}"}) {
            const auto client = serve("PUT", "/api/v1/schedules/42", wrong);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(wrong, 400u, client->response->status);
        }
    }
    void pausesResumesAndCancels() {
        serve("POST", "/api/v1/schedules/42/pause");
        CPPUNIT_ASSERT(bus_.take<ChangeSchedule>().paused == true);
        serve("POST", "/api/v1/schedules/42/resume");
        CPPUNIT_ASSERT(bus_.take<ChangeSchedule>().paused == false);
        const auto one = serve("DELETE", "/api/v1/schedules/42");
        const auto cancel = bus_.take<CancelSchedules>();
        CPPUNIT_ASSERT((cancel.ids == std::vector{StoredId(42)}));
        bus_.complete(cancel.request);
        CPPUNIT_ASSERT_EQUAL(204u, one->response->status);
        const auto all = serve("DELETE", "/api/v1/schedules");
        const auto every = bus_.take<CancelSchedules>();
        CPPUNIT_ASSERT(every.ids.empty());
        Completed done;
        done.request = every.request;
        done.count = 3;
        bus_.tell(std::move(done));
        assertContains(all->response->body, "\"count\":3");
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(SchedulesTest);

}  // namespace busbar::http
