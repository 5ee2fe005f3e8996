#include "adapters/http/management.h"

#include "adapters/http/metrics.h"
#include "tests/adapters/http/http_test_support.h"

namespace busbar::http {

class ManagementTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ManagementTest);
    CPPUNIT_TEST(showsQueues);
    CPPUNIT_TEST(tellsUnknownQueues);
    CPPUNIT_TEST(saysWhetherReady);
    CPPUNIT_TEST(writesPrometheusText);
    CPPUNIT_TEST(sumsQueuesBeyondTheLabels);
    CPPUNIT_TEST(writesTheCertificatesOfListenersWithTls);
    CPPUNIT_TEST(showsWhyASessionIsBlockedAndNotices);
    CPPUNIT_TEST(backsUpAndTellsHowFar);
    CPPUNIT_TEST(refusesASecondBackup);
    CPPUNIT_TEST_SUITE_END();

    test::FakeBus bus_;
    UserSessions sessions_{"http"};
    bool ready_ = false;
    ManagementEndpoints endpoints_{sessions_,
                                   {[this] { return ready_; }, [] { return StoreStats{}; },
                                    [this](std::string to, Store::BackupHandler handler) {
                                        backupTo_ = std::move(to);
                                        backup_ = std::move(handler);
                                    }}};
    std::string backupTo_;
    Store::BackupHandler backup_;
    Router router_;

  public:
    void setUp() override { endpoints_.install(router_); }

  private:
    static Picture picture() {
        Picture picture;
        for (const char* name : {"a", "b\"c", "d"}) {
            QueuePicture queue;
            queue.name = name;
            queue.kind = "queue";
            queue.depth = 10 + picture.queues.size();
            queue.evicted = 4;
            queue.parked = 5;
            queue.blockedSends = 6;
            queue.waiting = 7;
            queue.inRate = 2.5;
            queue.drainSeconds = picture.queues.empty() ? -1 : 60;
            picture.queues.push_back(queue);
        }
        SessionPicture session;
        session.user = "alice";
        session.blocked = "queue 'a' is full";
        picture.sessions.push_back(session);
        picture.notices = {"12:00 queue 'a' is full"};
        return picture;
    }
    std::shared_ptr<test::FakeResponder> show(const std::string& target) {
        auto client = test::serve(router_, bus_, test::makeRequest("GET", target));
        if (bus_.count<TakePicture>() > 0) {
            Pictured pictured;
            pictured.request = bus_.take<TakePicture>().request;
            pictured.picture = std::make_shared<const Picture>(picture());
            bus_.tell(std::move(pictured));
        }
        return client;
    }

    void showsQueues() {
        assertContains(show("/api/v1/queues")->response->body,
                       "{\"name\":\"a\",\"kind\":\"queue\",\"depth\":10");
        assertContains(show("/api/v1/queues/d")->response->body, "\"depth\":12");
        assertContains(show("/api/v1/queues/d")->response->body, "\"waiting\":7");
        assertContains(show("/api/v1/queues/d")->response->body,
                       "\"inRate\":2.5,\"outRate\":0,\"drainSeconds\":60");
        assertContains(show("/api/v1/queues/a")->response->body, "\"drainSeconds\":null");
        assertContains(show("/api/v1/sessions")->response->body, "\"user\":\"alice\"");
        assertContains(show("/api/v1/services")->response->body, "\"services\":[]");
    }
    void tellsUnknownQueues() {
        CPPUNIT_ASSERT_EQUAL(404u, show("/api/v1/queues/zzz")->response->status);
    }
    void saysWhetherReady() {
        CPPUNIT_ASSERT_EQUAL(200u, show("/healthz")->response->status);
        CPPUNIT_ASSERT_EQUAL(503u, show("/readyz")->response->status);
        ready_ = true;
        CPPUNIT_ASSERT_EQUAL(200u, show("/readyz")->response->status);
    }
    void writesPrometheusText() {
        const auto text = show("/metrics")->response->body;
        assertContains(
            text, "# TYPE busbar_queue_messages gauge\nbusbar_queue_messages{queue=\"a\"} 10\n");
        assertContains(text, "busbar_queue_messages{queue=\"b\\\"c\"} 11\n");
        assertContains(text, "busbar_queues 3\n");
        assertContains(text, "busbar_queue_evicted_total{queue=\"a\"} 4\n");
        assertContains(text, "busbar_queue_blocked_sends{queue=\"a\"} 6\n");
    }
    void sumsQueuesBeyondTheLabels() {
        const auto text = prometheusText(picture(), {}, 1);
        assertContains(text, "busbar_queue_messages{queue=\"d\"} 12\n");
        assertContains(text, "busbar_queue_messages{queue=\"(other)\"} 21\n");
        CPPUNIT_ASSERT(text.find("queue=\"a\"") == std::string::npos);
    }
    void writesTheCertificatesOfListenersWithTls() {
        CPPUNIT_ASSERT(tlsMetrics({}).empty());
        const auto text = tlsMetrics({{"stomp", {3, 1, 1'900'000'000}}, {"http", {}}});
        assertContains(text, "busbar_tls_reloads_total{listener=\"stomp\"} 3\n");
        assertContains(text, "busbar_tls_reload_failures_total{listener=\"stomp\"} 1\n");
        assertContains(text,
                       "busbar_tls_certificate_expiry_seconds{listener=\"stomp\"} 1900000000\n");
        assertContains(text, "busbar_tls_reloads_total{listener=\"http\"} 0\n");
    }
    void showsWhyASessionIsBlockedAndNotices() {
        assertContains(show("/api/v1/sessions")->response->body,
                       "\"blocked\":\"queue 'a' is full\"");
        assertContains(show("/api/v1/notices")->response->body,
                       "{\"notices\":[\"12:00 queue 'a' is full\"]}");
        assertContains(show("/api/v1/queues/a")->response->body, "\"parked\":5");
    }
    std::shared_ptr<test::FakeResponder> backup(const std::string& body) {
        return test::serve(router_, bus_,
                           test::makeRequest("POST", "/api/v1/journal/backup", body));
    }
    void backsUpAndTellsHowFar() {
        assertContains(show("/api/v1/journal/backup")->response->body, "\"state\":\"none\"");
        CPPUNIT_ASSERT_EQUAL(400u, backup("{\"to\":\"relative\"}")->response->status);
        CPPUNIT_ASSERT_EQUAL(400u, backup("{}")->response->status);
        CPPUNIT_ASSERT(!backup_);
        CPPUNIT_ASSERT_EQUAL(202u, backup("{\"to\":\"/b/1\"}")->response->status);
        CPPUNIT_ASSERT_EQUAL(std::string("/b/1"), backupTo_);
        backup_(0.5, nullptr);
        assertContains(show("/api/v1/journal/backup")->response->body,
                       "{\"state\":\"running\",\"to\":\"/b/1\",\"share\":0.5}");
        const Result<void> done;
        backup_(1, &done);
        assertContains(show("/api/v1/journal/backup")->response->body, "\"state\":\"done\"");
    }
    void refusesASecondBackup() {
        backup("{\"to\":\"/b/1\"}");
        CPPUNIT_ASSERT_EQUAL(409u, backup("{\"to\":\"/b/2\"}")->response->status);
        const Result<void> failed = Error{ErrorCode::alreadyExists, "/b/1 is not empty"};
        backup_(0, &failed);
        assertContains(show("/api/v1/journal/backup")->response->body, "/b/1 is not empty");
        CPPUNIT_ASSERT_EQUAL(202u, backup("{\"to\":\"/b/2\"}")->response->status);
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(ManagementTest);

}  // namespace busbar::http
