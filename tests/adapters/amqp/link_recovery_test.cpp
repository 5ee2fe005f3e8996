// Links that are resumed, by a client that writes its frames by hand.
#include "adapters/amqp/amqp.h"
#include "tests/adapters/amqp/raw_frames.h"
#include "tests/support/fake_bus.h"

#include <cppunit/extensions/HelperMacros.h>

#include <memory>
#include <optional>

using namespace busbar;
using namespace busbar::test;

namespace {

constexpr std::uint8_t kAttach = 0x12, kFlow = 0x13, kTransfer = 0x14, kDisposition = 0x15,
                       kDetach = 0x16;

class RawClient {
  public:
    explicit RawClient(std::uint32_t frameMax = 65'536) : host(bus) {
        engine = amqp::makeFactory(options, authenticator)(host);
        engine->receive(
            std::string("AMQP\3\1\0\0", 8) +
            raw::frame(raw::described(0x41, {raw::symbol("PLAIN"),
                                             raw::binary(std::string("\0alice\0secret", 13))}),
                       {}, '\1') +
            std::string("AMQP\0\1\0\0", 8));
        bus.loop.run();
        say(0x10, {raw::text("client"), raw::null(), raw::number(frameMax)});
        bus.complete(bus.take<OpenSession>().request);
        say(0x11, {raw::null(), raw::number(0), raw::number(1000), raw::number(1000)});
        came();
    }

    void say(std::uint8_t code, const std::vector<std::string>& fields,
             std::string_view payload = {}) {
        engine->receive(raw::frame(code, fields, payload));
        bus.loop.run();
    }
    /// Frames that have come since, of that performative; 0: of all.
    std::vector<raw::Read> came(std::uint64_t code = 0) {
        taken_ += host.read();
        auto all = raw::frames(taken_);
        std::erase_if(all, [&](const raw::Read& r) { return code != 0 && r.code != code; });
        return all;
    }

    static std::string terminus(std::uint8_t code, const char* address, std::uint32_t durable) {
        return raw::described(code, {raw::text(address), raw::number(durable)});
    }
    /// Attaches a sender with this map.
    void attachSender(const std::string& map, bool second = true, std::uint32_t durable = 2,
                      bool incomplete = false, const char* name = "out") {
        say(kAttach, {raw::text(name), raw::number(0), raw::yes(false), raw::ubyte(0),
                      raw::ubyte(second ? 1 : 0), terminus(0x28, "me", 0),
                      terminus(0x29, "q", durable), map, raw::yes(incomplete), raw::number(0)});
    }
    void attachReceiver(const std::string& map, bool incomplete = false) {
        say(kAttach, {raw::text("in"), raw::number(0), raw::yes(true), raw::ubyte(0), raw::ubyte(0),
                      terminus(0x28, "q", 2), terminus(0x29, "me", 0), map, raw::yes(incomplete)});
    }
    /// The bus says what it knows of the link: tags and message ids.
    ResumeLink resumed(std::vector<LinkResumed::Known> known = {}) {
        auto command = bus.take<ResumeLink>();
        LinkResumed effect;
        effect.request = command.request;
        effect.known = std::move(known);
        bus.tell(std::move(effect));
        bus.loop.run();
        return command;
    }
    void transfer(std::uint32_t id, const std::string& tag, const std::string& messageId,
                  bool resume = false, bool settled = false) {
        std::string message;
        if (!messageId.empty()) message += raw::described(0x73, {raw::text(messageId)});
        amqp::putDescriptor(message, 0x77);
        amqp::putString(message, "body");
        say(kTransfer,
            {raw::number(0), raw::number(id), raw::binary(tag), raw::number(0), raw::yes(settled),
             raw::yes(false), raw::null(), raw::null(), raw::yes(resume)},
            message);
    }
    /// The client settles a delivery of its own.
    void settle(std::uint32_t id) {
        say(kDisposition, {raw::yes(false), raw::number(id), raw::number(id), raw::yes()});
    }
    void deliver(std::uint64_t consumer, std::uint64_t id, std::uint64_t stored) {
        Delivered effect;
        effect.consumer = ConsumerId(consumer);
        auto message = std::make_shared<Message>();
        message->destination = Destination::queue("q");
        message->bodyKind = BodyKind::text;
        message->body = Buffer::copyOf("text");
        effect.delivery = {DeliveryId(id), message, 1, StoredId(stored), 0, false};
        bus.tell(std::move(effect));
        bus.loop.run();
    }
    static std::string tag(char last) { return std::string(7, '\0') + last; }
    /// The tags of a map.
    static std::string tagsOf(const amqp::Item& map) {
        std::string out;
        for (std::size_t i = 0; i + 1 < map.items.size(); i += 2) out += map.items[i].bytes;
        return out;
    }

    amqp::Options options;
    FakeBus bus;
    FakeHost host;
    FakeAuthenticator authenticator;
    std::unique_ptr<Engine> engine;

  private:
    std::string taken_;
};

struct Answer {
    std::uint64_t outcome = 0;
    bool settled = false;
    bool operator==(const Answer&) const = default;
};

/// What the first disposition that came says.
std::optional<Answer> answerIn(RawClient& c) {
    const auto frames = c.came(kDisposition);
    if (frames.empty()) return std::nullopt;
    return Answer{frames[0].fields.at(4).at(0).bits, frames[0].fields.at(3).isTrue()};
}

}  // namespace

class AmqpLinkRecoveryTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(AmqpLinkRecoveryTest);
    CPPUNIT_TEST(plainLinksAreNotRemembered);
    CPPUNIT_TEST(sendsOfDurableTargetsAreRemembered);
    CPPUNIT_TEST(whatWasTakenIsInOurMap);
    CPPUNIT_TEST(resumedSendsAreAnsweredAndNotStored);
    CPPUNIT_TEST(resumedSendsThatWeDoNotKnowAreReleased);
    CPPUNIT_TEST(settledFirstIsKnownByItsMessageId);
    CPPUNIT_TEST(aTagMayBeUsedAgain);
    CPPUNIT_TEST(settleModeSecondWaitsForTheClient);
    CPPUNIT_TEST(closeForgetsAndDetachDoesNot);
    CPPUNIT_TEST(aLinkResumedElsewhereIsRefused);
    CPPUNIT_TEST(incompleteMapsOfProducers);
    CPPUNIT_TEST(acceptedDeliveriesAreProcessed);
    CPPUNIT_TEST(whatIsInHandsIsResumed);
    CPPUNIT_TEST(incompleteMapsHoldDeliveries);
    CPPUNIT_TEST(smallFramesOfConsumers);
    CPPUNIT_TEST_SUITE_END();

  public:
    void plainLinksAreNotRemembered() {
        RawClient c;
        c.attachSender(raw::null(), false, 0);
        const auto attach = c.came(kAttach);
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), attach.size());
        CPPUNIT_ASSERT(attach[0].fields.at(7).isNull());
        c.transfer(0, "a", "id");
        CPPUNIT_ASSERT(c.bus.take<Send>().link.empty());
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), c.bus.count<ResumeLink>());
    }

    void sendsOfDurableTargetsAreRemembered() {
        RawClient c;
        c.attachSender(raw::null(), false);
        CPPUNIT_ASSERT_MESSAGE("not before the bus has answered", c.came(kAttach).empty());
        const auto command = c.resumed();
        CPPUNIT_ASSERT_EQUAL(std::string("amqp:client:out"), command.link);
        CPPUNIT_ASSERT(command.tags.empty() && command.all);
        CPPUNIT_ASSERT(c.came(kAttach).at(0).fields.at(7).isNull());
        c.transfer(0, "a", "id");
        const auto send = c.bus.take<Send>();
        CPPUNIT_ASSERT_EQUAL(command.link, send.link);
        CPPUNIT_ASSERT_EQUAL(std::string("a"), send.tag);
        c.bus.complete(send.request);
        CPPUNIT_ASSERT(answerIn(c) == (Answer{0x24, true}));
        c.transfer(1, "b", "id", false, true);
        CPPUNIT_ASSERT_MESSAGE("at most once", c.bus.take<Send>().link.empty());
    }

    void whatWasTakenIsInOurMap() {
        RawClient c;
        c.attachSender(raw::unsettled({{"a", raw::null()}, {"b", raw::null()}}));
        const auto command = c.resumed({{"b", "id"}});
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), command.tags.size());
        const auto attach = c.came(kAttach).at(0);
        const auto& map = attach.fields.at(7);
        CPPUNIT_ASSERT_EQUAL(std::string("b"), RawClient::tagsOf(map));
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(0x24), map.items.at(1).at(0).bits);
        CPPUNIT_ASSERT(!attach.fields.at(8).isTrue());
    }

    void resumedSendsAreAnsweredAndNotStored() {
        RawClient c;
        c.attachSender(raw::unsettled({{"a", raw::null()}, {"b", raw::null()}}));
        c.resumed({{"a", "id"}, {"b", "id2"}});
        c.came();
        c.transfer(0, "a", "id", true);
        CPPUNIT_ASSERT(answerIn(c) == (Answer{0x24, false}));
        c.transfer(1, "b", "", true, true);  // settled already: nothing is to be said
        c.settle(0);
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), c.bus.count<Send>());
        CPPUNIT_ASSERT(c.bus.take<ForgetSends>().tags == std::vector<std::string>{"b"});
        CPPUNIT_ASSERT(c.bus.take<ForgetSends>().tags == std::vector<std::string>{"a"});
        c.transfer(2, "a", "id3");
        CPPUNIT_ASSERT_EQUAL_MESSAGE("the tag is free", std::size_t(1), c.bus.count<Send>());
    }

    void resumedSendsThatWeDoNotKnowAreReleased() {
        RawClient c;
        c.attachSender(raw::unsettled({{"a", raw::null()}}));
        c.transfer(0, "a", "id", true);  // before it has seen our map
        c.resumed();
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), c.bus.count<Send>());
        CPPUNIT_ASSERT(answerIn(c) == (Answer{0x26, true}));
        c.transfer(1, "a", "id");
        CPPUNIT_ASSERT_EQUAL(std::string("a"), c.bus.take<Send>().tag);
    }

    void settledFirstIsKnownByItsMessageId() {
        RawClient c;
        c.attachSender(raw::unsettled({{"a", raw::null()}, {"b", raw::null()}}), false);
        c.resumed({{"a", "id"}, {"b", "id2"}});
        const auto attach = c.came(kAttach).at(0);
        CPPUNIT_ASSERT(attach.fields.at(7).type == amqp::Type::map);
        CPPUNIT_ASSERT(attach.fields.at(7).items.empty());
        c.transfer(0, "a", "id");
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), c.bus.count<Send>());
        CPPUNIT_ASSERT(answerIn(c) == (Answer{0x24, true}));
        c.transfer(1, "b", "another");
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), c.bus.count<Send>());
    }

    void aTagMayBeUsedAgain() {
        RawClient c;
        c.attachSender(raw::unsettled({{"a", raw::null()}}), false);
        c.resumed({{"a", "id"}});
        for (std::uint32_t i = 0; i < 3; ++i) c.transfer(i, "a", "id");
        CPPUNIT_ASSERT_EQUAL_MESSAGE("only the first is the old one", std::size_t(2),
                                     c.bus.count<Send>());
    }

    void settleModeSecondWaitsForTheClient() {
        RawClient c;
        c.attachSender(raw::null());
        c.resumed();
        const auto credit = [&] { return c.came(kFlow); };
        credit();
        c.transfer(0, "a", "id");
        c.transfer(1, "b", "id");
        c.settle(1);  // without waiting
        const auto first = c.bus.take<Send>();
        const auto second = c.bus.take<Send>();
        c.bus.complete(first.request);
        CPPUNIT_ASSERT(answerIn(c) == (Answer{0x24, false}));
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), c.bus.count<ForgetSends>());
        c.settle(0);
        CPPUNIT_ASSERT_EQUAL(std::string("a"), c.bus.take<ForgetSends>().tags.at(0));
        c.bus.complete(second.request);
        CPPUNIT_ASSERT_EQUAL(std::string("b"), c.bus.take<ForgetSends>().tags.at(0));
        CPPUNIT_ASSERT(!c.host.closed);
        // A refusal is the end of it.
        c.transfer(2, "c", "id");
        c.bus.refuse(c.bus.take<Send>().request, ErrorCode::limitReached, "full");
        CPPUNIT_ASSERT(answerIn(c) == (Answer{0x25, true}));
    }

    void closeForgetsAndDetachDoesNot() {
        RawClient c;
        c.attachSender(raw::null());
        c.resumed();
        c.say(kDetach, {raw::number(0), raw::yes(false)});
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), c.bus.count<ForgetSends>());
        c.attachSender(raw::null());
        c.resumed();
        c.say(kDetach, {raw::number(0), raw::yes(true)});
        const auto forget = c.bus.take<ForgetSends>();
        CPPUNIT_ASSERT(forget.tags.empty() && forget.link == "amqp:client:out");
    }

    void aLinkResumedElsewhereIsRefused() {
        RawClient c;
        c.attachSender(raw::null());
        const auto command = c.bus.take<ResumeLink>();
        LinkResumed effect;
        effect.request = command.request;
        effect.error = Error{ErrorCode::conflict, "elsewhere"};
        c.bus.tell(std::move(effect));
        const auto frames = c.came();
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(kDetach), frames.back().code);
        CPPUNIT_ASSERT_EQUAL(std::string("amqp:resource-locked"),
                             std::string(frames.back().fields.at(2).at(1).at(0).bytes));
    }

    void incompleteMapsOfProducers() {
        RawClient c;
        c.attachSender(raw::unsettled({{"a", raw::null()}}), true, 2, true);
        CPPUNIT_ASSERT_MESSAGE("theirs: nothing is forgotten", !c.resumed().all);
        // Ours: nothing new may come before it is complete.
        RawClient small(512);
        std::vector<std::pair<std::string, std::string>> theirs;
        std::vector<LinkResumed::Known> known;
        for (int i = 100; i < 200; ++i) {
            theirs.emplace_back("tag" + std::to_string(i), raw::null());
            known.push_back({"tag" + std::to_string(i), "id"});
        }
        small.attachSender(raw::unsettled(theirs));
        small.resumed(known);
        const auto attach = small.came(kAttach).at(0);
        CPPUNIT_ASSERT(attach.bytes->size() + 8 <= 512);
        CPPUNIT_ASSERT(attach.fields.at(8).isTrue());
        small.transfer(0, "tag100", "", true, true);
        CPPUNIT_ASSERT(small.came(kDetach).empty());
        small.transfer(1, "new", "id");
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), small.came(kDetach).size());
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), small.bus.count<Send>());
    }

    void acceptedDeliveriesAreProcessed() {
        RawClient c;
        c.attachReceiver(
            raw::unsettled({{RawClient::tag(5), raw::accepted()}, {"not ours", raw::accepted()}}));
        const auto command = c.bus.take<Subscribe>();
        CPPUNIT_ASSERT(command.resumes && !command.exactlyOnce);
        CPPUNIT_ASSERT(command.processed.at(0) == StoredId(5));
        CPPUNIT_ASSERT(command.inHands.empty());
        c.bus.complete(command.request);
        const auto attach = c.came(kAttach).at(0);
        CPPUNIT_ASSERT(attach.fields.at(7).type == amqp::Type::map);
        CPPUNIT_ASSERT(attach.fields.at(7).items.empty());
    }

    void whatIsInHandsIsResumed() {
        RawClient c;
        c.attachReceiver(raw::unsettled({{RawClient::tag(5), raw::null()},
                                         {RawClient::tag(6), raw::described(0x23, {})},
                                         {RawClient::tag(7), raw::null()}}));
        const auto command = c.bus.take<Subscribe>();
        CPPUNIT_ASSERT_EQUAL(std::size_t(3), command.inHands.size());
        Completed answer;
        answer.request = command.request;
        answer.value = "5,6";
        c.bus.tell(std::move(answer));
        const auto attach = c.came(kAttach).at(0);
        CPPUNIT_ASSERT_EQUAL(RawClient::tag(5) + RawClient::tag(6),
                             RawClient::tagsOf(attach.fields.at(7)));
        c.say(kFlow, {raw::number(0), raw::number(100), raw::number(0), raw::number(100),
                      raw::number(0), raw::number(0), raw::number(10)});
        CPPUNIT_ASSERT_EQUAL(10, c.bus.take<AddCredit>().credit);
        for (const char stored : {5, 8, 6, 5})
            c.deliver(command.consumer.value, static_cast<std::uint64_t>(10 + stored),
                      static_cast<std::uint64_t>(stored));
        const auto transfers = c.came(kTransfer);
        const bool resumed[] = {true, false, true, false};
        for (std::size_t i = 0; i < 4; ++i) {
            CPPUNIT_ASSERT_EQUAL(resumed[i], transfers.at(i).fields.at(8).isTrue());
            CPPUNIT_ASSERT(transfers[i].payload.ends_with("text"));
        }
        CPPUNIT_ASSERT(!c.host.closed);
    }

    void incompleteMapsHoldDeliveries() {
        RawClient c;
        c.attachReceiver(raw::unsettled({{RawClient::tag(5), raw::accepted()}}), true);
        const auto command = c.bus.take<Subscribe>();
        CPPUNIT_ASSERT(command.processed.at(0) == StoredId(5));
        c.bus.complete(command.request);
        c.say(kFlow, {raw::number(0), raw::number(100), raw::number(0), raw::number(100),
                      raw::number(0), raw::number(0), raw::number(10), raw::null(), raw::yes()});
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), c.bus.count<AddCredit>());
        CPPUNIT_ASSERT_MESSAGE("a drain is answered", !c.came(kFlow).empty());
    }

    void smallFramesOfConsumers() {
        RawClient c(512);
        c.attachReceiver(raw::unsettled({{RawClient::tag(5), raw::null()}}));
        const auto command = c.bus.take<Subscribe>();
        Completed answer;
        answer.request = command.request;
        answer.value = "5";
        c.bus.tell(std::move(answer));
        const auto attach = c.came(kAttach).at(0);
        CPPUNIT_ASSERT_MESSAGE("there is no room for the flag", attach.fields.at(7).items.empty());
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(AmqpLinkRecoveryTest);
