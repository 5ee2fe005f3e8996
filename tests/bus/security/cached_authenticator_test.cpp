#include "bus/security/cached_authenticator.h"

#include <cppunit/extensions/HelperMacros.h>

namespace busbar::test {
namespace {

/// Keeps its checks until the test lets them end.
class SlowAuthenticator final : public Authenticator {
  public:
    void authenticate(std::string user, std::string password, Answer answer) override {
        checks.push_back({user, password == "right", std::move(answer)});
        ++count;
    }
    void endAll() {
        for (auto& check : std::exchange(checks, {})) {
            if (check.right)
                check.answer(Identity{check.user, {}});
            else
                check.answer(Error{ErrorCode::unauthenticated, "no"});
        }
    }
    struct Check {
        std::string user;
        bool right;
        Answer answer;
    };
    std::vector<Check> checks;
    int count = 0;
};

class HandClock final : public Clock {
  public:
    Now now() const override { return time; }
    Now time;
};

}  // namespace

class CachedAuthenticatorTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(CachedAuthenticatorTest);
    CPPUNIT_TEST(remembersWhoWasRightForAMinute);
    CPPUNIT_TEST(doesNotRememberWhoWasWrong);
    CPPUNIT_TEST(forgetsAlsoWhatIsBeingChecked);
    CPPUNIT_TEST(sharesOneCheckOfTheSameCredentials);
    CPPUNIT_TEST(tellsNamesAndPasswordsApart);
    CPPUNIT_TEST_SUITE_END();

    SlowAuthenticator slow_;
    HandClock clock_;
    CachedAuthenticator cached_{slow_, clock_};
    int right_ = 0, wrong_ = 0;

    void ask(const std::string& user, const std::string& password) {
        cached_.authenticate(user, password,
                             [this](const Result<Identity>& who) { ++(who ? right_ : wrong_); });
    }

  public:
    void remembersWhoWasRightForAMinute() {
        ask("a", "right");
        slow_.endAll();
        for (int i = 0; i < 10; ++i) ask("a", "right");
        CPPUNIT_ASSERT_EQUAL(11, right_);
        CPPUNIT_ASSERT_EQUAL(1, slow_.count);
        clock_.time.steady += std::chrono::seconds(61);
        ask("a", "right");
        CPPUNIT_ASSERT_EQUAL(2, slow_.count);
    }

    void forgetsAlsoWhatIsBeingChecked() {
        ask("a", "right");
        slow_.endAll();
        ask("b", "right");  // begins before, ends after
        cached_.forget();
        ask("a", "right");
        ask("b", "right");
        CPPUNIT_ASSERT_EQUAL(4, slow_.count);
        slow_.endAll();
        CPPUNIT_ASSERT_EQUAL(4, right_);
        ask("b", "right");
        CPPUNIT_ASSERT_EQUAL(4, slow_.count);
    }

    void doesNotRememberWhoWasWrong() {
        for (int i = 1; i <= 3; ++i) {
            ask("a", "wrong");
            slow_.endAll();
            CPPUNIT_ASSERT_EQUAL(i, slow_.count);
        }
        CPPUNIT_ASSERT_EQUAL(3, wrong_);
    }

    void sharesOneCheckOfTheSameCredentials() {
        for (int i = 0; i < 1000; ++i) ask("a", "right");
        CPPUNIT_ASSERT_EQUAL(1, slow_.count);
        CPPUNIT_ASSERT_EQUAL(0, right_);
        slow_.endAll();
        CPPUNIT_ASSERT_EQUAL(1000, right_);
    }

    void tellsNamesAndPasswordsApart() {
        ask("a", "right");
        slow_.endAll();
        ask("ar", "ight");
        ask("a", "righ");
        ask("", "aright");
        CPPUNIT_ASSERT_EQUAL(4, slow_.count);
        slow_.endAll();
        CPPUNIT_ASSERT_EQUAL(1, right_);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(CachedAuthenticatorTest);

}  // namespace busbar::test
