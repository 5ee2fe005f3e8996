// Bodies that are too large for memory, over one HTTP connection.
#include "adapters/transport/http_server.h"
#include "tests/support/fake_bus.h"

#include <cppunit/extensions/HelperMacros.h>

using namespace busbar;
using namespace std::string_literals;

class HttpLargeBodiesTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(HttpLargeBodiesTest);
    CPPUNIT_TEST(aLargeBodyGoesToTheStore);
    CPPUNIT_TEST(aSmallOneStaysInMemory);
    CPPUNIT_TEST(aChunkedOneGoesThereOnceItIsLarge);
    CPPUNIT_TEST(otherRoutesKeepTheirLimit);
    CPPUNIT_TEST(overTheLimitIsRefusedAtOnce);
    CPPUNIT_TEST(theSocketIsReadNoFasterThanTheDiskTakesIt);
    CPPUNIT_TEST(aFullDiskIsAnsweredAndLeavesNothing);
    CPPUNIT_TEST(aClientThatGoesLeavesNothing);
    CPPUNIT_TEST(aLongUploadIsInTimeWhileItGoesOn);
    CPPUNIT_TEST(theNextRequestFollows);
    CPPUNIT_TEST(streamsOfKnownLengthSayIt);
    CPPUNIT_TEST(aStreamThatBreaksOffEndsTheConnection);
    CPPUNIT_TEST_SUITE_END();

    const std::string body_ = std::string(700'000, 'b') + "end";
    test::FakeBus bus_;
    test::FakeBodies bodies_{bus_.loop};
    test::FakeHost host_{bus_};
    test::FakeAuthenticator authenticator_;
    http::Router router_;
    std::unique_ptr<transport::HttpConnection> connection_;
    std::vector<http::Request> requests_;
    http::ResponderPtr responder_;

    void receive(std::string_view bytes) {
        connection_->receive(bytes);
        host_.flush();
    }
    static std::string head(std::size_t size, const std::string& path = "/large") {
        return "POST " + path + " HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(size) +
               "\r\n\r\n";
    }
    static bool has(const std::string& text, const std::string& part) {
        return text.find(part) != text.npos;
    }

  public:
    void setUp() override {
        bus_.largeBodies = &bodies_;
        const auto handler = [this](http::Request request, const http::ResponderPtr& responder) {
            requests_.push_back(std::move(request));
            responder->send({204, {}, {}});
        };
        using Access = http::Router::Access;
        router_.add("POST", "/large", Access::open, handler, 2000, 1'000'000);
        router_.add("POST", "/small", Access::open, handler, 2000);
        router_.add("GET", "/stream", Access::open,
                    [this](const http::Request&, const http::ResponderPtr& responder) {
                        responder_ = responder;
                        http::Response response;
                        response.length = 10;
                        responder->startStream(std::move(response));
                        responder->write("12345");
                    });
        HttpOptions options;
        options.largeBodyBytes = 1000;
        connection_ = std::make_unique<transport::HttpConnection>(
            host_, std::make_shared<transport::HttpShared>(options, router_, authenticator_));
    }
    void tearDown() override {
        responder_.reset();
        connection_.reset();
        bus_.loop.run();
    }

    void aLargeBodyGoesToTheStore() {
        receive(head(body_.size()));
        for (std::size_t at = 0; at < body_.size(); at += 50'000) {
            CPPUNIT_ASSERT(requests_.empty());
            receive(std::string_view(body_).substr(at, 50'000));
        }
        CPPUNIT_ASSERT(requests_.empty());
        bus_.loop.run();
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), requests_.size());
        CPPUNIT_ASSERT(requests_[0].body.empty());
        CPPUNIT_ASSERT(bodies_.contents[requests_[0].large->id] == body_);
        CPPUNIT_ASSERT(host_.read().starts_with("HTTP/1.1 204 "));
    }

    void aSmallOneStaysInMemory() {
        receive(head(1000) + std::string(1000, 's'));
        CPPUNIT_ASSERT_EQUAL(std::size_t(1000), requests_.at(0).body.size());
        CPPUNIT_ASSERT(!requests_[0].large);
    }

    void aChunkedOneGoesThereOnceItIsLarge() {
        receive("POST /large HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
        receive("3e8\r\n" + std::string(1000, 'a') + "\r\n");
        CPPUNIT_ASSERT(bodies_.contents.empty());
        receive("3e8\r\n" + std::string(1000, 'b') + "\r\n0\r\n\r\n");
        bus_.loop.run();
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(2000), requests_.at(0).large->size);
        CPPUNIT_ASSERT(bodies_.contents[requests_[0].large->id] ==
                       std::string(1000, 'a') + std::string(1000, 'b'));
    }

    void otherRoutesKeepTheirLimit() {
        receive(head(2001, "/small"));
        CPPUNIT_ASSERT(host_.read().starts_with("HTTP/1.1 413 "));
    }

    void overTheLimitIsRefusedAtOnce() {
        receive(head(1'000'001));
        CPPUNIT_ASSERT(host_.read().starts_with("HTTP/1.1 413 "));
        CPPUNIT_ASSERT(bodies_.contents.empty());
    }

    void theSocketIsReadNoFasterThanTheDiskTakesIt() {
        receive(head(body_.size()));
        std::size_t taken = 0;
        while (connection_->wantsInput()) {
            receive(std::string_view(body_).substr(taken, 65'536));
            taken += 65'536;
            CPPUNIT_ASSERT(taken <= 3 * kBodyPiece);
        }
        bus_.loop.run();
        CPPUNIT_ASSERT(connection_->wantsInput());
    }

    void aFullDiskIsAnsweredAndLeavesNothing() {
        receive(head(body_.size()) + body_.substr(0, 300'000));
        bus_.loop.run();
        bodies_.failure = Error{ErrorCode::storageFull, "no room"};
        receive(body_.substr(300'000, 300'000));
        bus_.loop.run();
        const auto answer = host_.read();
        CPPUNIT_ASSERT(answer.starts_with("HTTP/1.1 507 ") && has(answer, "storage-full"));
        CPPUNIT_ASSERT(host_.closed);
        CPPUNIT_ASSERT(requests_.empty() && bodies_.contents.empty());
    }

    void aClientThatGoesLeavesNothing() {
        receive(head(body_.size()) + body_.substr(0, 600'000));
        bus_.loop.run();
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), bodies_.contents.size());
        CPPUNIT_ASSERT(!connection_->onInputEnd());
        connection_->onDisconnect();
        bus_.loop.run();
        CPPUNIT_ASSERT(requests_.empty() && bodies_.contents.empty());
    }

    void aLongUploadIsInTimeWhileItGoesOn() {
        receive(head(body_.size()));
        for (std::size_t at = 0; at < body_.size(); at += 50'000) {
            bus_.time.advance(Milliseconds(50'000));
            connection_->onTick();
            receive(std::string_view(body_).substr(at, 50'000));
            bus_.loop.run();
        }
        CPPUNIT_ASSERT(has(host_.read(), " 204 "));
        receive(head(body_.size()));
        bus_.time.advance(Milliseconds(61'000));
        connection_->onTick();
        CPPUNIT_ASSERT(has(host_.read(), " 408 "));
    }

    void theNextRequestFollows() {
        receive(head(body_.size()) + body_ + head(3, "/small") + "abc");
        CPPUNIT_ASSERT(requests_.empty());
        bus_.loop.run();
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), requests_.size());
        CPPUNIT_ASSERT(requests_[1].body.view() == "abc");
    }

    void streamsOfKnownLengthSayIt() {
        receive("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
        responder_->write("67890");
        responder_->endStream();
        const auto answer = host_.read();
        CPPUNIT_ASSERT(has(answer, "Content-Length: 10\r\n") && !has(answer, "chunked"));
        CPPUNIT_ASSERT(answer.ends_with("\r\n\r\n1234567890"));
        CPPUNIT_ASSERT(!host_.closed);
    }

    void aStreamThatBreaksOffEndsTheConnection() {
        receive("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
        responder_->endStream();
        CPPUNIT_ASSERT(host_.closed);
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(HttpLargeBodiesTest);
