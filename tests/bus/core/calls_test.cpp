// Request-reply.
#include "tests/bus/core/core_fixture.h"

#include <cppunit/extensions/HelperMacros.h>

namespace busbar::test {

using namespace std::chrono_literals;
using std::string;

class CallsTest : public CoreFixture {
    CPPUNIT_TEST_SUITE(CallsTest);
    CPPUNIT_TEST(answersACall);
    CPPUNIT_TEST(timesOutACallAndParksTheLateReply);
    CPPUNIT_TEST(collectsAReplyAfterARestart);
    CPPUNIT_TEST(dropsASecondReply);
    CPPUNIT_TEST_SUITE_END();

  public:
    struct Service {
        SessionId caller, worker;
    };
    Service service() {
        Service out{h.open("caller"), h.open("worker")};
        h.run(DefineService{out.worker, {}, "svc"});
        h.subscribe(out.worker, 1, Destination::queue("svc.request"));
        return out;
    }
    void call(SessionId caller, std::uint64_t request, const string& key = {}) {
        auto message = h.text("", "question");
        message->correlationId = "mine";
        message->dedupId = key;
        h.run(Call{caller, RequestId(request), "svc", message, 5000ms});
    }
    void reply(SessionId worker, const Delivered& request, const string& text) {
        auto message = h.text(request.delivery.message->replyTo->name, text);
        message->correlationId = request.delivery.message->correlationId;
        h.run(CommitTransaction{worker, RequestId(50), {message}, {request.delivery.id}});
    }

    void answersACall() {
        const auto s = service();
        call(s.caller, 1);
        reply(s.worker, *h.take<Delivered>(), "answer");
        const auto replied = h.take<Replied>();
        CPPUNIT_ASSERT(replied && !replied->error && replied->request == RequestId(1));
        CPPUNIT_ASSERT_EQUAL(string("answer"), string(replied->reply->body.view()));
        CPPUNIT_ASSERT_EQUAL_MESSAGE("the caller's own id comes back", string("mine"),
                                     replied->reply->correlationId);
        CPPUNIT_ASSERT_MESSAGE("nothing is left", h.store.content().messages.empty());
    }

    void timesOutACallAndParksTheLateReply() {
        const auto s = service();
        call(s.caller, 1);
        const auto request = *h.take<Delivered>();
        h.wait(5000ms);
        CPPUNIT_ASSERT(h.take<Replied>()->error->code == ErrorCode::timeout);
        reply(s.worker, request, "too late");
        CPPUNIT_ASSERT(!h.take<Replied>());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), h.queue("DLQ.svc.reply").depth);
    }

    void collectsAReplyAfterARestart() {
        auto s = service();
        call(s.caller, 1, "order-77");
        reply(s.worker, *h.take<Delivered>(), "answer");
        h.restart();
        s = service();
        call(s.caller, 2, "order-77");
        CPPUNIT_ASSERT_MESSAGE("not executed again", !h.take<Delivered>());
        const auto replied = h.take<Replied>();
        CPPUNIT_ASSERT(replied->repeated);
        CPPUNIT_ASSERT_EQUAL(string("answer"), string(replied->reply->body.view()));
        // and a call that was open at the crash
        call(s.caller, 3, "order-78");
        h.take<Delivered>();
        h.restart();
        s = service();
        call(s.caller, 4, "order-78");
        reply(s.worker, *h.take<Delivered>(), "second answer");
        CPPUNIT_ASSERT_EQUAL(string("second answer"),
                             string(h.take<Replied>()->reply->body.view()));
        CPPUNIT_ASSERT(!h.take<Delivered>());
    }

    void dropsASecondReply() {
        const auto s = service();
        call(s.caller, 1, "key");
        const auto request = *h.take<Delivered>();
        reply(s.worker, request, "first");
        auto second = h.text("svc.reply", "second");
        second->correlationId = request.delivery.message->correlationId;
        h.run(Send{s.worker, {}, second});
        CPPUNIT_ASSERT_EQUAL(string("first"), string(h.take<Replied>()->reply->body.view()));
        CPPUNIT_ASSERT(!h.take<Replied>());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1),
                             h.broker->picture(h.now).services.at(0).duplicateReplies);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(CallsTest);

}  // namespace busbar::test
