// Bodies that are too large for memory, over one STOMP connection.
#include "adapters/stomp/connection.h"
#include "tests/support/fake_bus.h"

#include <cppunit/extensions/HelperMacros.h>

using namespace busbar;
using namespace busbar::stomp;
using namespace std::string_literals;

class LargeBodiesTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(LargeBodiesTest);
    CPPUNIT_TEST(aLargeSendGoesToTheStore);
    CPPUNIT_TEST(whatFollowsWaitsForTheBody);
    CPPUNIT_TEST(theSocketIsReadNoFasterThanTheDiskTakesIt);
    CPPUNIT_TEST(aBodyInATransactionWaitsForItsCommit);
    CPPUNIT_TEST(aMissingNulIsAnError);
    CPPUNIT_TEST(aFullDiskIsAnErrorWithTheReceipt);
    CPPUNIT_TEST(aClientThatGoesLeavesNothing);
    CPPUNIT_TEST(withoutLengthTheOldLimitHolds);
    CPPUNIT_TEST(overTheLimitIsRefused);
    CPPUNIT_TEST(aLargeMessageIsOneFrame);
    CPPUNIT_TEST(whatIsSaidMeanwhileComesBehindTheFrame);
    CPPUNIT_TEST(aSlowReaderGetsNoMoreThanItTakes);
    CPPUNIT_TEST(anUnreadableBodyIsRejectedAndTheRestGoesOn);
    CPPUNIT_TEST(aBodyThatBreaksOffEndsTheConnection);
    CPPUNIT_TEST_SUITE_END();

    const std::string body_ = [] {
        std::string text;
        while (text.size() < 900'000) text += std::to_string(text.size()) + " ";
        return text;
    }();
    test::FakeBus bus_;
    test::FakeBodies bodies_{bus_.loop};
    test::FakeHost host_{bus_};
    test::FakeAuthenticator authenticator_;
    Options options_;
    std::unique_ptr<Connection> connection_;

    void receive(std::string_view bytes) {
        connection_->receive(bytes);
        host_.flush();
    }
    std::string head(const std::string& more = {}) const {
        return "SEND\ndestination:/queue/a\nreceipt:r\ncontent-length:" +
               std::to_string(body_.size()) + "\n" + more + "\n";
    }
    ConsumerId subscribe() {
        receive("SUBSCRIBE\nid:1\ndestination:/queue/a\nack:client-individual\n\n\0"s);
        auto command = bus_.take<Subscribe>();
        bus_.complete(command.request);
        return command.consumer;
    }
    void deliver(ConsumerId consumer, std::uint64_t id, LargeBodyPtr large) {
        auto message = std::make_shared<Message>();
        message->id = "ID:" + std::to_string(id);
        message->destination = Destination::queue("a");
        message->bodyKind = BodyKind::bytes;
        if (!large) message->body = Buffer::copyOf("small");
        message->large = std::move(large);
        Delivered effect;
        effect.consumer = consumer;
        effect.delivery = {DeliveryId(id), message, 1};
        bus_.tell(std::move(effect));
    }
    static bool has(const std::string& text, const std::string& part) {
        return text.find(part) != text.npos;
    }

  public:
    void setUp() override {
        bus_.largeBodies = &bodies_;
        options_.largeBodyBytes = 1000;
        options_.bodyBytesMax = 2000;
        connection_ = std::make_unique<Connection>(host_, options_, authenticator_);
        receive("CONNECT\naccept-version:1.2\nlogin:alice\npasscode:secret\n\n\0"s);
        bus_.loop.run();
        bus_.complete(bus_.take<OpenSession>().request);
        host_.read();
    }
    void tearDown() override {
        connection_.reset();
        bus_.loop.run();
    }

    void aLargeSendGoesToTheStore() {
        receive(head());
        for (std::size_t at = 0; at < body_.size(); at += 70'001) {
            receive(std::string_view(body_).substr(at, 70'001));
            bus_.loop.run();
        }
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), bus_.count<Send>());
        receive("\0"s);
        bus_.loop.run();
        const auto send = bus_.take<Send>();
        CPPUNIT_ASSERT(send.message->body.empty());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(body_.size()), send.message->large->size);
        CPPUNIT_ASSERT(bodies_.contents[send.message->large->id] == body_);
        CPPUNIT_ASSERT(!has(host_.read(), "RECEIPT"));
        bus_.complete(send.request);
        CPPUNIT_ASSERT(has(host_.read(), "RECEIPT\nreceipt-id:r\n"));
    }

    void whatFollowsWaitsForTheBody() {
        receive(head() + body_ + "\0SEND\ndestination:/queue/a\n\nx\0"s);
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), bus_.count<Send>());
        CPPUNIT_ASSERT(!connection_->wantsInput());
        receive("SEND\ndestination:/queue/a\n\ny\0"s);
        bus_.loop.run();
        CPPUNIT_ASSERT(bus_.take<Send>().message->large);
        CPPUNIT_ASSERT(bus_.take<Send>().message->body.view() == "x");
        CPPUNIT_ASSERT(bus_.take<Send>().message->body.view() == "y");
        CPPUNIT_ASSERT(connection_->wantsInput());
    }

    void theSocketIsReadNoFasterThanTheDiskTakesIt() {
        receive(head());
        std::size_t taken = 0;
        while (connection_->wantsInput()) {
            receive(std::string_view(body_).substr(taken, 65'536));
            taken += 65'536;
            CPPUNIT_ASSERT(taken <= 3 * kBodyPiece);
        }
        bus_.loop.run();
        CPPUNIT_ASSERT(connection_->wantsInput());
    }

    void aBodyInATransactionWaitsForItsCommit() {
        receive("BEGIN\ntransaction:t\n\n\0"s);
        receive(head("transaction:t\n") + body_ + "\0COMMIT\ntransaction:t\n\n\0"s);
        bus_.loop.run();
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), bus_.count<Send>());
        const auto commit = bus_.take<CommitTransaction>();
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), commit.sends.size());
        CPPUNIT_ASSERT(commit.sends[0]->large);
        CPPUNIT_ASSERT(has(host_.read(), "RECEIPT\nreceipt-id:r\n"));
    }

    void aMissingNulIsAnError() {
        receive(head() + body_ + "x");
        CPPUNIT_ASSERT(host_.closed);
        CPPUNIT_ASSERT(has(host_.read(), "NUL"));
        bus_.loop.run();
        CPPUNIT_ASSERT(bodies_.contents.empty());
    }

    void aFullDiskIsAnErrorWithTheReceipt() {
        receive(head() + body_.substr(0, 600'000));
        bodies_.failure = Error{ErrorCode::storageFull, "no room"};
        bus_.loop.run();
        CPPUNIT_ASSERT(host_.closed);
        const auto error = host_.read();
        CPPUNIT_ASSERT(has(error, "receipt-id:r\n") && has(error, "code:storage-full\n"));
        bus_.loop.run();
        CPPUNIT_ASSERT(bodies_.contents.empty());
    }

    void aClientThatGoesLeavesNothing() {
        receive(head() + body_.substr(0, 600'000));
        bus_.loop.run();
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), bodies_.contents.size());
        connection_->onDisconnect();
        bus_.loop.run();
        CPPUNIT_ASSERT(bodies_.contents.empty());
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), bus_.count<Send>());
    }

    void withoutLengthTheOldLimitHolds() {
        receive("SEND\ndestination:/queue/a\n\n" + body_.substr(0, 3000));
        CPPUNIT_ASSERT(has(host_.read(), "code:too-large\n"));
    }

    void overTheLimitIsRefused() {
        receive("SEND\ndestination:/queue/a\ncontent-length:2147483649\n\n");
        CPPUNIT_ASSERT(has(host_.read(), "code:too-large\n"));
    }

    void aLargeMessageIsOneFrame() {
        deliver(subscribe(), 1, bodies_.add(body_));
        host_.read();
        bus_.loop.run();
        const auto frame = host_.read();
        CPPUNIT_ASSERT(frame.starts_with("MESSAGE\n"));
        CPPUNIT_ASSERT(has(frame, "content-length:" + std::to_string(body_.size()) + "\n"));
        CPPUNIT_ASSERT(frame.ends_with("\n\n" + body_ + "\0"s));
    }

    void whatIsSaidMeanwhileComesBehindTheFrame() {
        const auto consumer = subscribe();
        host_.highMark = 300'000;
        host_.stuck = true;
        deliver(consumer, 1, bodies_.add(body_));
        bus_.loop.run();
        CPPUNIT_ASSERT(host_.outputPending() > host_.highMark);
        deliver(consumer, 2, nullptr);
        deliver(consumer, 3, bodies_.add("the second"));
        connection_->receive("SEND\ndestination:/queue/b\nreceipt:r2\n\nx\0"s);
        bus_.complete(bus_.take<Send>().request);
        bus_.time.advance(Milliseconds(5'000));
        connection_->onTick();
        host_.stuck = false;
        std::string all;
        for (int turn = 0; turn < 20; ++turn) {
            all += host_.read();
            connection_->onOutputDrained();
            bus_.loop.run();
        }
        const auto whole = all.find(body_ + "\0"s);
        CPPUNIT_ASSERT(whole != all.npos);
        CPPUNIT_ASSERT(all.find("RECEIPT\n") > whole && has(all, "RECEIPT\nreceipt-id:r2\n"));
        const auto second = all.find("small\0"s);
        CPPUNIT_ASSERT(second > whole && second != all.npos);
        CPPUNIT_ASSERT(all.find("the second\0"s) > second && has(all, "the second\0"s));
    }

    void aSlowReaderGetsNoMoreThanItTakes() {
        const auto consumer = subscribe();
        host_.highMark = 1000;
        host_.stuck = true;
        deliver(consumer, 1, bodies_.add(body_));
        bus_.loop.run();
        CPPUNIT_ASSERT(host_.outputPending() < kBodyPiece + 1000);
    }

    void anUnreadableBodyIsRejectedAndTheRestGoesOn() {
        const auto consumer = subscribe();
        const auto large = bodies_.add(body_);
        bodies_.failure = Error{ErrorCode::storageCorrupt, "it is missing"};
        deliver(consumer, 1, large);
        deliver(consumer, 2, nullptr);
        bus_.loop.run();
        const auto settle = bus_.take<Settle>();
        CPPUNIT_ASSERT(settle.outcome == Outcome::rejected);
        CPPUNIT_ASSERT_EQUAL("it is missing"s, settle.reason);
        const auto all = host_.read();
        CPPUNIT_ASSERT(has(all, "small\0"s) && !has(all, "ID:1\n"));
    }

    void aBodyThatBreaksOffEndsTheConnection() {
        const auto consumer = subscribe();
        host_.highMark = 1000;
        host_.stuck = true;
        deliver(consumer, 1, bodies_.add(body_));
        bus_.loop.run();
        connection_->onDrain("the bus is stopping");
        host_.stuck = false;
        CPPUNIT_ASSERT(host_.closed);
        CPPUNIT_ASSERT(!has(host_.read(), "ERROR"));
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(LargeBodiesTest);
