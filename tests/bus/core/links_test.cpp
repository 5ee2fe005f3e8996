// Links that clients resume: is what was taken known, and nothing taken twice?
#include "bus/core/link_memory.h"
#include "tests/bus/core/core_fixture.h"

#include <cppunit/extensions/HelperMacros.h>

#include <algorithm>

namespace busbar::test {

using namespace std::chrono_literals;
using std::string;

class LinksTest : public CoreFixture {
    CPPUNIT_TEST_SUITE(LinksTest);
    CPPUNIT_TEST(knowsWhatWasTakenOverARestart);
    CPPUNIT_TEST(forgetsWhatTheClientDoesNotAskFor);
    CPPUNIT_TEST(forgetsWhatTheClientKnows);
    CPPUNIT_TEST(ofTwoSendsWithOneTagTheLaterCounts);
    CPPUNIT_TEST(onlyTheLastSessionSends);
    CPPUNIT_TEST(answersWhenNothingIsOnItsWay);
    CPPUNIT_TEST(whatTheDiskRefusedIsNotKnown);
    CPPUNIT_TEST(linksAreTheirUsers);
    CPPUNIT_TEST(keepsOnlyTheLastOnes);
    CPPUNIT_TEST(linksThatNobodyComesBackToAreForgotten);
    CPPUNIT_TEST(resumedConsumersGetNothingTwice);
    CPPUNIT_TEST_SUITE_END();

    SessionId attach(const std::vector<string>& tags = {}, bool all = true,
                     const string& user = "user") {
        const auto s = h.open(user);
        h.run(ResumeLink{s, RequestId(7), "link", tags, all});
        return s;
    }
    string known() {
        const auto answer = h.take<LinkResumed>();
        CPPUNIT_ASSERT(answer && !answer->error);
        std::vector<string> tags;
        for (const auto& k : answer->known) tags.push_back(k.tag);
        std::sort(tags.begin(), tags.end());
        string out;
        for (const auto& tag : tags) out += tag + " ";
        return out;
    }
    Send over(SessionId s, const string& tag, const string& body = "body",
              std::uint64_t request = 1) {
        Send c{s, RequestId(request), h.text("q", body)};
        c.link = "link";
        c.tag = tag;
        return c;
    }

  public:
    void knowsWhatWasTakenOverARestart() {
        auto s = attach();
        CPPUNIT_ASSERT_EQUAL(string(), known());
        for (const char* tag : {"a", "b", "c"}) h.run(over(s, tag));
        const string id = h.take<Completed>()->value;
        for (int life = 0; life < 2; ++life) {
            attach({"a", "x", "c"}, false);
            const auto answer = h.take<LinkResumed>();
            CPPUNIT_ASSERT_EQUAL(std::size_t(2), answer->known.size());
            for (const auto& k : answer->known) {
                if (k.tag == "a") CPPUNIT_ASSERT_EQUAL(id, k.messageId);
            }
            h.restart();
        }
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(3), h.queue("q").depth);
    }

    void forgetsWhatTheClientDoesNotAskFor() {
        const auto s = attach();
        for (const char* tag : {"a", "b"}) h.run(over(s, tag));
        h.take<LinkResumed>();
        attach({"a"}, false);
        CPPUNIT_ASSERT_EQUAL(string("a "), known());
        attach({"a", "b"}, true);
        CPPUNIT_ASSERT_EQUAL_MESSAGE("not while its list is not complete", string("a b "), known());
        attach({"b"});
        CPPUNIT_ASSERT_EQUAL(string("b "), known());
        h.restart();
        attach({"a", "b"});
        CPPUNIT_ASSERT_EQUAL(string("b "), known());
    }

    void forgetsWhatTheClientKnows() {
        const auto s = attach();
        for (const char* tag : {"a", "b", "c"}) h.run(over(s, tag));
        h.run(ForgetSends{s, "link", {"a", "nothing"}});
        h.take<LinkResumed>();
        attach({"a", "b", "c"}, false);
        CPPUNIT_ASSERT_EQUAL(string("b c "), known());
        h.run(ForgetSends{s, "link", {"b"}});
        const auto t = attach({"a", "b", "c"}, false);
        CPPUNIT_ASSERT_EQUAL_MESSAGE("not by a session that is over", string("b c "), known());
        h.run(ForgetSends{t, "link", {}});
        h.restart();
        attach({"a", "b", "c"});
        CPPUNIT_ASSERT_EQUAL(string(), known());
    }

    void ofTwoSendsWithOneTagTheLaterCounts() {
        const auto s = attach();
        h.run(over(s, "a", "one"));
        h.run(over(s, "a", "two"));
        h.take<Completed>();
        const string second = h.take<Completed>()->value;
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(2), h.queue("q").depth);
        h.restart();
        attach({"a"});
        CPPUNIT_ASSERT_EQUAL(second, h.take<LinkResumed>()->known.at(0).messageId);
    }

    void onlyTheLastSessionSends() {
        const auto first = attach();
        const auto second = attach();
        h.run(over(first, "a"));
        CPPUNIT_ASSERT(h.take<Completed>()->error->code == ErrorCode::conflict);
        h.run(over(second, "a"));
        CPPUNIT_ASSERT(!h.take<Completed>()->error);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), h.queue("q").depth);
        Send nowhere = over(second, "b");
        nowhere.link = "never attached";
        h.run(std::move(nowhere));
        CPPUNIT_ASSERT(h.take<Completed>()->error->code == ErrorCode::conflict);
    }

    void answersWhenNothingIsOnItsWay() {
        const auto s = attach();
        h.take<LinkResumed>();
        h.apply(over(s, "a"));
        const auto again = h.open();
        h.apply(ResumeLink{again, RequestId(8), "link", {"a"}});
        CPPUNIT_ASSERT(!h.take<LinkResumed>());
        const auto third = h.open();
        h.apply(ResumeLink{third, RequestId(9), "link", {"a"}});
        const auto overtaken = h.take<LinkResumed>();
        CPPUNIT_ASSERT(overtaken->request == RequestId(8) && overtaken->error);
        h.sync();
        CPPUNIT_ASSERT_EQUAL(string("a "), known());
    }

    void whatTheDiskRefusedIsNotKnown() {
        const auto s = attach();
        h.run(over(s, "a"));
        h.take<LinkResumed>();
        h.take<Completed>();
        h.store.setFull(true);
        h.apply(over(s, "b"));
        h.apply(ResumeLink{h.open(), RequestId(8), "link", {"a", "b"}});
        h.broker->progress(h.store.sync(1), h.now, h.step());
        h.store.setFull(false);
        h.carryOut();
        h.sync();
        CPPUNIT_ASSERT(h.take<Completed>()->error);
        CPPUNIT_ASSERT_EQUAL(string("a "), known());
    }

    void linksAreTheirUsers() {
        const auto s = attach();
        h.run(over(s, "a"));
        h.take<LinkResumed>();
        attach({"a"}, true, "stranger");
        CPPUNIT_ASSERT_EQUAL(string(), known());
        h.take<Completed>();
        h.run(over(s, "b"));
        CPPUNIT_ASSERT_MESSAGE("and go on", !h.take<Completed>()->error);
    }

    void keepsOnlyTheLastOnes() {
        h.checkAlways = false;
        const auto t = attach();
        h.take<LinkResumed>();
        for (std::size_t i = 0; i < LinkMemory::kSendsMax + 10; ++i)
            h.apply(over(t, std::to_string(i)));
        h.sync();
        h.restart();
        attach({"9", "10", std::to_string(LinkMemory::kSendsMax + 9)}, false);
        CPPUNIT_ASSERT_EQUAL("10 " + std::to_string(LinkMemory::kSendsMax + 9) + " ", known());
    }

    void linksThatNobodyComesBackToAreForgotten() {
        const auto s = attach();
        h.run(over(s, "a"));
        h.take<LinkResumed>();
        h.wait(25h);
        h.run(over(s, "b"));
        h.run(CloseSession{s});
        h.wait(23h);
        const auto t = attach({"a", "b"}, false);
        CPPUNIT_ASSERT_EQUAL_MESSAGE("as long as one was attached", string("a b "), known());
        h.run(CloseSession{t});
        h.wait(25h);
        attach({"a", "b"});
        CPPUNIT_ASSERT_EQUAL(string(), known());
    }

    /// What a client says that it has accepted leaves the queue, as far as nobody else has it.
    void resumedConsumersGetNothingTwice() {
        auto s = h.open();
        const auto other = h.open("other");
        h.subscribe(s, 1, Destination::queue("q"), 3);
        for (const char* text : {"a", "b", "c", "d", "e"}) send(s, "q", text);
        std::vector<StoredId> ids;
        while (const auto d = h.take<Delivered>()) ids.push_back(d->delivery.stored);
        CPPUNIT_ASSERT_EQUAL(std::size_t(3), ids.size());
        h.subscribe(other, 1, Destination::queue("q"), 1);
        const StoredId others = h.take<Delivered>()->delivery.stored;
        h.effects.clear();
        // Its old connection is not seen to be lost yet: it still holds what it had.
        const auto back = h.open();
        Subscribe c = h.subscription(back, 2, Destination::queue("q"), 0);
        c.resumes = true;
        c.exclusive = true;
        c.processed = {ids[0], others, StoredId(999'999)};
        c.inHands = {ids[1], ids[0], StoredId(888'888)};
        h.run(std::move(c));
        const auto answer = *h.take<Completed>();
        CPPUNIT_ASSERT(!answer.error);
        CPPUNIT_ASSERT_EQUAL(std::to_string(ids[1].value), answer.value);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(4), h.queue("q").depth);
        h.run(CloseSession{s});
        h.run(AddCredit{back, ConsumerId(2), 10});
        std::vector<StoredId> again;
        while (const auto d = h.take<Delivered>()) again.push_back(d->delivery.stored);
        CPPUNIT_ASSERT_EQUAL(std::size_t(3), again.size());
        CPPUNIT_ASSERT(again[0] == ids[1] && again[1] == ids[2]);
        h.restart();
        CPPUNIT_ASSERT_EQUAL_MESSAGE("durably", std::uint64_t(4), h.queue("q").depth);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(LinksTest);

}  // namespace busbar::test
