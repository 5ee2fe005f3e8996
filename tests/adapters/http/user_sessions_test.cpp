#include "adapters/http/user_sessions.h"

#include "tests/adapters/http/http_test_support.h"

namespace busbar::http {

class UserSessionsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(UserSessionsTest);
    CPPUNIT_TEST(opensOneSessionForAUser);
    CPPUNIT_TEST(answersEachQuestionOnce);
    CPPUNIT_TEST(tellsAllWhoWaitWhenTheSessionEnds);
    CPPUNIT_TEST(reopensAfterARefusedOpening);
    CPPUNIT_TEST_SUITE_END();

    test::FakeBus bus_;
    UserSessions sessions_{"http"};

    void opensOneSessionForAUser() {
        const auto first = sessions_.sessionOf(bus_, {"alice", "user"});
        CPPUNIT_ASSERT(first == sessions_.sessionOf(bus_, {"alice", "user"}));
        CPPUNIT_ASSERT(first != sessions_.sessionOf(bus_, {"bob", "user"}));
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), bus_.count<OpenSession>());
    }
    void answersEachQuestionOnce() {
        int answers = 0;
        sessions_.ask(bus_, {"alice", "user"}, TakePicture{}, [&](Effect&) { ++answers; });
        const auto request = bus_.take<TakePicture>().request;
        bus_.complete(request);
        bus_.complete(request);
        CPPUNIT_ASSERT_EQUAL(1, answers);
    }
    void tellsAllWhoWaitWhenTheSessionEnds() {
        std::string text;
        sessions_.ask(bus_, {"alice", "user"}, TakePicture{},
                      [&](Effect& effect) { text += errorOf(effect)->text; });
        sessions_.ask(bus_, {"alice", "user"}, TakePicture{},
                      [&](Effect& effect) { text += errorOf(effect)->text; });
        SessionEnded ended;
        ended.error = {ErrorCode::closed, "bye "};
        bus_.tell(std::move(ended));
        CPPUNIT_ASSERT_EQUAL(std::string("bye bye "), text);
        bus_.loop.run();
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), bus_.closed.size());
        sessions_.tell(bus_, {"alice", "user"}, Purge{});
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), bus_.count<OpenSession>());
    }
    void reopensAfterARefusedOpening() {
        std::string text;
        sessions_.ask(bus_, {"alice", "user"}, TakePicture{},
                      [&](Effect& effect) { text = errorOf(effect)->text; });
        bus_.refuse(bus_.take<OpenSession>().request, ErrorCode::limitReached, "too many sessions");
        CPPUNIT_ASSERT_EQUAL(std::string("too many sessions"), text);
        sessions_.sessionOf(bus_, {"alice", "user"});
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), bus_.count<OpenSession>());
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(UserSessionsTest);

}  // namespace busbar::http
