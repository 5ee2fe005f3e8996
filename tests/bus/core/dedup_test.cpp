// Is a repeated send taken once?
#include "tests/bus/core/core_fixture.h"

#include <cppunit/extensions/HelperMacros.h>

namespace busbar::test {

using namespace std::chrono_literals;
using std::string;

class DedupTest : public CoreFixture {
    CPPUNIT_TEST_SUITE(DedupTest);
    CPPUNIT_TEST(answersARepeatedSendWithTheFirstOutcome);
    CPPUNIT_TEST(remembersDedupIdsOverARestart);
    CPPUNIT_TEST(refusesTheSameIdForAnotherBody);
    CPPUNIT_TEST(takesEachNumberOfAProducerOnce);
    CPPUNIT_TEST(aForgottenProducerMayBeginAgain);
    CPPUNIT_TEST(aNumberThatTheDiskRefusedMayComeAgain);
    CPPUNIT_TEST(knowsARepeatedLargeBodyByItsChecksum);
    CPPUNIT_TEST_SUITE_END();

  public:
    void answersARepeatedSendWithTheFirstOutcome() {
        const auto s = h.open();
        string first;
        for (std::uint64_t i = 1; i <= 100; ++i) {
            auto message = h.text("q", "once");
            message->dedupId = "key";
            h.apply(Send{s, RequestId(i), message});
            if (i % 7 == 0) h.sync();
        }
        h.sync();
        int answers = 0;
        while (const auto done = h.take<Completed>()) {
            if (answers++ == 0) first = done->value;
            CPPUNIT_ASSERT_EQUAL(first, done->value);
            CPPUNIT_ASSERT_EQUAL(answers > 1, done->repeated);
        }
        CPPUNIT_ASSERT_EQUAL(100, answers);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), h.queue("q").depth);
    }

    void remembersDedupIdsOverARestart() {
        auto s = h.open();
        auto message = h.text("q", "once");
        message->dedupId = "key";
        h.run(Send{s, RequestId(1), std::make_shared<Message>(*message)});
        const string id = h.take<Completed>()->value;
        h.restart();
        s = h.open();
        h.run(Send{s, RequestId(2), std::make_shared<Message>(*message)});
        const auto again = h.take<Completed>();
        CPPUNIT_ASSERT(again->repeated);
        CPPUNIT_ASSERT_EQUAL(id, again->value);
        h.wait(11min);
        h.run(Send{s, RequestId(3), std::make_shared<Message>(*message)});
        CPPUNIT_ASSERT_MESSAGE("the window is over", !h.take<Completed>()->repeated);
    }

    void refusesTheSameIdForAnotherBody() {
        const auto s = h.open();
        for (const char* text : {"one", "two"}) {
            auto message = h.text("q", text);
            message->dedupId = "key";
            h.run(Send{s, RequestId(1), message});
        }
        CPPUNIT_ASSERT(!h.take<Completed>()->error);
        CPPUNIT_ASSERT(h.take<Completed>()->error->code == ErrorCode::conflict);
    }

    Send numbered(SessionId s, std::uint64_t number, std::uint64_t request) {
        Send c{s, RequestId(request), h.text("q", std::to_string(number))};
        c.producer = "p";
        c.sequence = number;
        return c;
    }

    void aForgottenProducerMayBeginAgain() {
        auto s = h.open();
        h.run(numbered(s, 5, 1));
        const string name = std::get<Send>(Command(numbered(s, 5, 1))).producer;
        h.run(ForgetProducer{h.open("stranger"), name});
        h.run(ForgetProducer{s, "another"});
        h.effects.clear();
        h.run(numbered(s, 5, 2));
        CPPUNIT_ASSERT_MESSAGE("not by others", h.take<Completed>()->repeated);
        h.run(ForgetProducer{s, name});
        for (const bool first : {true, false}) {
            h.run(numbered(s, 1, 3));
            CPPUNIT_ASSERT_EQUAL(!first, h.take<Completed>()->repeated);
        }
        h.run(ForgetProducer{s, name});
        h.restart();
        s = h.open();
        h.run(numbered(s, 1, 4));
        CPPUNIT_ASSERT_MESSAGE("nor is it found at a restart", !h.take<Completed>()->repeated);
    }

    void takesEachNumberOfAProducerOnce() {
        auto s = h.open();
        h.run(numbered(s, 1, 1));
        h.run(numbered(s, 5, 2));
        h.take<Completed>();
        const string id = h.take<Completed>()->value;
        for (int life = 0; life < 2; ++life) {
            h.run(numbered(s, 5, 3));
            const auto again = *h.take<Completed>();
            CPPUNIT_ASSERT(again.repeated && !again.error);
            CPPUNIT_ASSERT_EQUAL(id, again.value);
            h.run(numbered(s, 4, 4));
            CPPUNIT_ASSERT_MESSAGE("lower ones are repeats too", h.take<Completed>()->repeated);
            h.restart();
            s = h.open();
        }
        h.run(numbered(s, 6, 5));
        CPPUNIT_ASSERT(!h.take<Completed>()->repeated);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(3), h.queue("q").depth);
        const auto stranger = h.open("stranger");
        h.run(numbered(stranger, 1, 6));
        CPPUNIT_ASSERT_MESSAGE("names are each user's own", !h.take<Completed>()->repeated);
    }

    void aNumberThatTheDiskRefusedMayComeAgain() {
        auto s = h.open();
        h.run(numbered(s, 1, 1));
        h.take<Completed>();
        h.store.setFull(true);
        h.apply(numbered(s, 2, 2));
        h.broker->progress(h.store.sync(1), h.now, h.step());
        h.store.setFull(false);
        h.carryOut();
        h.run(numbered(s, 3, 3));
        CPPUNIT_ASSERT(h.take<Completed>()->error);
        CPPUNIT_ASSERT(!h.take<Completed>()->error);
        h.run(numbered(s, 2, 4));
        CPPUNIT_ASSERT(!h.take<Completed>()->repeated);
        h.run(numbered(s, 2, 5));
        CPPUNIT_ASSERT(h.take<Completed>()->repeated);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(3), h.queue("q").depth);
    }

    void knowsARepeatedLargeBodyByItsChecksum() {
        const auto s = h.open();
        for (const auto& [id, checksum] :
             std::vector<std::pair<int, int>>{{1, 5}, {2, 5}, {3, 6}}) {
            auto message =
                h.large("q", static_cast<std::uint64_t>(id), static_cast<std::uint32_t>(checksum));
            message->dedupId = "key";
            const std::weak_ptr<const LargeBody> pin = message->large;
            h.run(Send{s, RequestId(1), std::move(message)});
            const auto done = h.take<Completed>();
            CPPUNIT_ASSERT_EQUAL(id == 2, done->repeated);
            CPPUNIT_ASSERT_EQUAL(id == 3, done->error && done->error->code == ErrorCode::conflict);
            CPPUNIT_ASSERT_EQUAL(id != 1, pin.expired());
        }
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(DedupTest);

}  // namespace busbar::test
