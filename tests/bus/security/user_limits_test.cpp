#include "bus/security/user_limits.h"

#include <cppunit/extensions/HelperMacros.h>

#include <optional>
#include <thread>
#include <vector>

using namespace busbar;

class UserLimitsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(UserLimitsTest);
    CPPUNIT_TEST(withoutLimitsNothingIsCounted);
    CPPUNIT_TEST(connectionsAreCountedUntilTheyEnd);
    CPPUNIT_TEST(seatsMayBeMovedAndReplaced);
    CPPUNIT_TEST(aSecondsWorthMayComeAtOnceThenThePaceHolds);
    CPPUNIT_TEST(allConnectionsOfAUserShareItsPace);
    CPPUNIT_TEST(pausesAreNotSavedUpBeyondASecond);
    CPPUNIT_TEST(whatIsHeldIsBoundedInSum);
    CPPUNIT_TEST(oneAfterTheOtherGoesOnBeyondTheLimit);
    CPPUNIT_TEST(seatsOutliveTheAccounts);
    CPPUNIT_TEST(countsFromSeveralThreads);
    CPPUNIT_TEST_SUITE_END();

    static SteadyTime at(std::int64_t ms) {
        return SteadyTime(std::chrono::hours(1)) + Milliseconds(ms);
    }
    static constexpr SteadyTime kGoOn{};

  public:
    void withoutLimitsNothingIsCounted() {
        UserAccounts accounts({});
        std::vector<UserSeat> seats;
        for (int i = 0; i < 100; ++i) seats.push_back(std::move(*accounts.admit("anna")));
        CPPUNIT_ASSERT(seats.front().spend(1'000'000, at(0)) == kGoOn);
        CPPUNIT_ASSERT(UserSeat().spend(1, at(0)) == kGoOn);
    }

    void connectionsAreCountedUntilTheyEnd() {
        UserAccounts accounts({2, 0});
        auto first = accounts.admit("anna");
        std::optional<UserSeat> second(std::move(*accounts.admit("anna")));
        const auto third = accounts.admit("anna");
        CPPUNIT_ASSERT(!third && third.error().code == ErrorCode::limitReached);
        CPPUNIT_ASSERT(third.error().text.find("'anna' has 2") != std::string::npos);
        CPPUNIT_ASSERT(accounts.admit("bert").ok());  // others have their own
        second.reset();
        CPPUNIT_ASSERT(accounts.admit("anna").ok());  // and given back at once
        CPPUNIT_ASSERT(accounts.admit("anna").ok());
    }

    void seatsMayBeMovedAndReplaced() {
        UserAccounts accounts({1, 0});
        UserSeat seat = std::move(*accounts.admit("anna"));
        UserSeat other = std::move(seat);
        CPPUNIT_ASSERT(!accounts.admit("anna").ok());
        other = std::move(*accounts.admit("bert"));
        CPPUNIT_ASSERT(accounts.admit("anna").ok());
        CPPUNIT_ASSERT(!accounts.admit("bert").ok());
        other = {};
        CPPUNIT_ASSERT(accounts.admit("bert").ok());
    }

    void whatIsHeldIsBoundedInSum() {
        UserAccounts accounts({0, 0, 100'000});
        UserSeat a = std::move(*accounts.admit("anna"));
        auto b = std::make_unique<UserSeat>(std::move(*accounts.admit("anna")));
        UserSeat other = std::move(*accounts.admit("bert"));
        CPPUNIT_ASSERT(a.hold(60'000, at(0)));
        CPPUNIT_ASSERT(a.hold(60'000, at(0)));  // in place of what was said before
        CPPUNIT_ASSERT(b->hold(40'000, at(0)));
        CPPUNIT_ASSERT(b->hold(50'000, at(0)));  // the first beyond it has its turn
        CPPUNIT_ASSERT(!a.hold(60'001, at(0)));
        CPPUNIT_ASSERT(other.hold(60'000, at(0)));
        CPPUNIT_ASSERT(a.hold(4'096, at(0)));  // holds next to nothing
        CPPUNIT_ASSERT(!a.hold(60'000, at(0)));
        b.reset();  // with all it held
        CPPUNIT_ASSERT(a.hold(100'000, at(0)));
        CPPUNIT_ASSERT(UserSeat().hold(~0ull, at(0)));
        UserAccounts none({1, 0, 0});
        CPPUNIT_ASSERT(none.admit("anna")->hold(~0ull, at(0)));
    }

    void oneAfterTheOtherGoesOnBeyondTheLimit() {
        UserAccounts accounts({0, 0, 10'000});
        UserSeat a = std::move(*accounts.admit("anna")), b = std::move(*accounts.admit("anna"));
        CPPUNIT_ASSERT(a.hold(10'000, at(0)));
        CPPUNIT_ASSERT(b.hold(10'000, at(0)));
        CPPUNIT_ASSERT(!a.hold(10'000, at(0)));
        CPPUNIT_ASSERT(b.hold(20'000, at(4'999)));
        CPPUNIT_ASSERT(!a.hold(10'000, at(4'999)));
        CPPUNIT_ASSERT(!b.hold(20'000, at(5'000)));  // long enough
        CPPUNIT_ASSERT(a.hold(11'000, at(5'001)));
        CPPUNIT_ASSERT(!b.hold(20'000, at(5'001)));
        CPPUNIT_ASSERT(a.hold(0, at(5'002)));  // its message is whole
        CPPUNIT_ASSERT(b.hold(20'000, at(5'003)));
        CPPUNIT_ASSERT(!a.hold(10'000, at(5'003)));
        b = {};  // a peer that goes leaves no turn behind
        CPPUNIT_ASSERT(a.hold(10'000, at(5'004)));
    }

    void aSecondsWorthMayComeAtOnceThenThePaceHolds() {
        UserAccounts accounts({0, 10});
        UserSeat seat = std::move(*accounts.admit("anna"));
        for (int i = 0; i < 10; ++i) CPPUNIT_ASSERT(seat.spend(1, at(0)) == kGoOn);
        CPPUNIT_ASSERT(seat.spend(1, at(0)) == at(100));
        CPPUNIT_ASSERT(seat.spend(1, at(0)) == at(200));
        CPPUNIT_ASSERT(seat.spend(0, at(0)) == at(200));  // only asked
        CPPUNIT_ASSERT(seat.spend(0, at(200)) == kGoOn);
        CPPUNIT_ASSERT(seat.spend(1, at(200)) == at(300));
        CPPUNIT_ASSERT(seat.spend(1, at(400)) == kGoOn);
    }

    void allConnectionsOfAUserShareItsPace() {
        UserAccounts accounts({0, 10});
        UserSeat one = std::move(*accounts.admit("anna")), two = std::move(*accounts.admit("anna")),
                 other = std::move(*accounts.admit("bert"));
        CPPUNIT_ASSERT(one.spend(15, at(0)) == at(500));
        CPPUNIT_ASSERT(two.spend(0, at(0)) == at(500));
        CPPUNIT_ASSERT(other.spend(1, at(0)) == kGoOn);
        one = {};
        two = {};  // to come again pays no debt
        CPPUNIT_ASSERT(accounts.admit("anna")->spend(0, at(0)) == at(500));
    }

    void pausesAreNotSavedUpBeyondASecond() {
        UserAccounts accounts({0, 10});
        UserSeat seat = std::move(*accounts.admit("anna"));
        CPPUNIT_ASSERT(seat.spend(1, at(0)) == kGoOn);
        CPPUNIT_ASSERT(seat.spend(11, at(60'000)) == at(60'100));
    }

    void seatsOutliveTheAccounts() {
        std::optional<UserAccounts> accounts(std::in_place, UserLimits{1, 10});
        UserSeat seat = std::move(*accounts->admit("anna"));
        accounts.reset();
        CPPUNIT_ASSERT(seat.spend(1, at(0)) == kGoOn);
    }

    void countsFromSeveralThreads() {
        UserAccounts accounts({0, 1000});
        std::vector<std::thread> threads;
        for (int i = 0; i < 4; ++i) {
            threads.emplace_back([&] {
                UserSeat seat = std::move(*accounts.admit("anna"));
                for (int n = 0; n < 1000; ++n) seat.spend(1, at(0));
            });
        }
        for (auto& thread : threads) thread.join();
        CPPUNIT_ASSERT(accounts.admit("anna")->spend(0, at(0)) == at(3000));
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(UserLimitsTest);
