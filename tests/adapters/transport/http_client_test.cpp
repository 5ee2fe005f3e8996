#include "tests/support/certificates.h"
#include "tests/support/loop_fixture.h"

#include <cppunit/extensions/HelperMacros.h>

using namespace busbar;
using namespace std::string_literals;

namespace {

/// Answers every read with what the test says, and counts connections.
class ScriptedServer final : public Engine {
  public:
    struct Script {
        std::string answer;
        bool close = false;
        std::atomic<int> connections{0}, requests{0};
        std::string lastRequest;  // loop only
        EngineHost* host = nullptr;
    };
    ScriptedServer(EngineHost& host, Script& script) : host_(host), script_(script) {
        ++script_.connections;
        script_.host = &host;
    }
    void receive(std::string_view bytes) override {
        ++script_.requests;
        script_.lastRequest = bytes;
        host_.output() += script_.answer;
        if (script_.close) host_.close({});
    }
    bool wantsInput() const override { return true; }
    void onTick() override {}
    void onOutputDrained() override {}
    void onDisconnect() override { script_.host = nullptr; }
    void onDrain(std::string_view) override {}

  private:
    EngineHost& host_;
    Script& script_;
};

}  // namespace

class HttpClientTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(HttpClientTest);
    CPPUNIT_TEST(exchangesAndKeepsTheConnection);
    CPPUNIT_TEST(readsChunkedAndCloseDelimitedBodies);
    CPPUNIT_TEST(staleConnectionIsReplaced);
    CPPUNIT_TEST(freshConnectionThatFailsIsNotRetried);
    CPPUNIT_TEST(timesOutOverTheWholeExchange);
    CPPUNIT_TEST(reportsWhatIsWrong);
    CPPUNIT_TEST(exchangesOverTls);
    CPPUNIT_TEST(refusesServersThatItCannotTrust);
    CPPUNIT_TEST_SUITE_END();

    std::unique_ptr<test::RunningLoop> loop_;
    std::unique_ptr<Listener> listener_;
    std::unique_ptr<HttpClient> client_;
    ScriptedServer::Script script_;

    Result<http::Response> call(const std::string& path = "/x", std::string method = "POST",
                                Milliseconds timeout = Milliseconds(10'000)) {
        return callUrl("http://u:p@127.0.0.1:" + std::to_string(listener_->port()) + path,
                       std::move(method), timeout);
    }
    Result<http::Response> callUrl(std::string url, std::string method = "POST",
                                   Milliseconds timeout = Milliseconds(10'000)) {
        std::promise<Result<http::Response>> promise;
        auto answer = promise.get_future();
        loop_->on([&] {
            HttpClientRequest request;
            request.url = std::move(url);
            request.method = std::move(method);
            request.body = Buffer::copyOf("body");
            request.timeout = timeout;
            request.responseBytesMax = 1000;
            client_->send(std::move(request),
                          [&](Result<http::Response> r) { promise.set_value(std::move(r)); });
        });
        return answer.get();
    }

    /// Listens with the certificate "server" of `files`; a new client trusts what `trusted` issued.
    void useTls(const test::Certificates& files, const test::Certificates& trusted) {
        ListenerOptions options;
        options.tls = std::make_unique<TlsOptions>(
            TlsOptions{files.file("server.pem"), files.file("server.key"), {}, {}});
        listener_ =
            std::move(*listenStream({loop_->port()}, std::move(options), [this](EngineHost& host) {
                return std::make_unique<ScriptedServer>(host, script_);
            }));
        loop_->on([&] {  // OpenSSL's own variable in place of the system's authorities
            ::setenv("SSL_CERT_FILE", trusted.file("ca.pem").c_str(), 1);
            client_ = HttpClient::make(*loop_->loop);
            ::unsetenv("SSL_CERT_FILE");
        });
    }
    std::string secureUrl(const std::string& host) const {
        return "https://" + host + ":" + std::to_string(listener_->port()) + "/x";
    }

  public:
    void setUp() override {
        loop_ = std::make_unique<test::RunningLoop>();
        script_.answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: b\r\n\r\nok";
        script_.close = false;
        script_.connections = script_.requests = 0;
        listener_ = std::move(*listenStream({loop_->port()}, {}, [this](EngineHost& host) {
            return std::make_unique<ScriptedServer>(host, script_);
        }));
        client_ = loop_->on([this] { return HttpClient::make(*loop_->loop); });
    }
    void tearDown() override {
        loop_->on([this] { client_.reset(); });
        listener_.reset();
        loop_.reset();
    }

    void exchangesAndKeepsTheConnection() {
        for (int i = 0; i < 3; ++i) {
            const auto answer = call("/x?y=1");
            CPPUNIT_ASSERT_MESSAGE(answer.ok() ? "" : answer.error().text, answer.ok());
            CPPUNIT_ASSERT_EQUAL(200u, answer->status);
            CPPUNIT_ASSERT_EQUAL("ok"s, answer->body);
            CPPUNIT_ASSERT_EQUAL("b"s, std::string(http::find(answer->headers, "x-a")));
        }
        CPPUNIT_ASSERT_EQUAL(1, script_.connections.load());
        const auto request = loop_->on([this] { return script_.lastRequest; });
        CPPUNIT_ASSERT(request.starts_with("POST /x?y=1 HTTP/1.1\r\nHost: 127.0.0.1:"));
        CPPUNIT_ASSERT(request.find("Authorization: Basic dTpw\r\n") != request.npos);
        CPPUNIT_ASSERT(request.ends_with("Content-Length: 4\r\n\r\nbody"));
    }

    void readsChunkedAndCloseDelimitedBodies() {
        script_.answer =
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n"
            "3\r\nabc\r\n0\r\n\r\n";
        CPPUNIT_ASSERT_EQUAL("abc"s, call()->body);
        script_.answer = "HTTP/1.1 200 OK\r\n\r\nuntil the end";
        script_.close = true;
        CPPUNIT_ASSERT_EQUAL("until the end"s, call()->body);
    }

    void staleConnectionIsReplaced() {
        CPPUNIT_ASSERT(call().ok());
        loop_->on([this] { script_.host->close("idle"); });
        CPPUNIT_ASSERT(call().ok());
        CPPUNIT_ASSERT_EQUAL(2, script_.connections.load());
        script_.answer
            .clear();  // the reused one fails after it took the request: once more, then no more
        script_.close = true;
        CPPUNIT_ASSERT(call().error().code == ErrorCode::closed);
        CPPUNIT_ASSERT_EQUAL(3, script_.connections.load());
    }

    void freshConnectionThatFailsIsNotRetried() {
        script_.answer.clear();
        script_.close = true;
        CPPUNIT_ASSERT(call().error().code == ErrorCode::closed);
        CPPUNIT_ASSERT_EQUAL(1, script_.requests.load());
        script_.answer = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf";
        CPPUNIT_ASSERT(call().error().code == ErrorCode::malformed);
        CPPUNIT_ASSERT_EQUAL(2, script_.requests.load());
    }

    void timesOutOverTheWholeExchange() {
        script_.answer = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n";
        const auto answer = call("/slow", "POST", Milliseconds(30));
        CPPUNIT_ASSERT(answer.error().code == ErrorCode::timeout);
        CPPUNIT_ASSERT(answer.error().text.find("/slow") != std::string::npos);
        CPPUNIT_ASSERT(answer.error().text.find("u:p") == std::string::npos);
    }

    void reportsWhatIsWrong() {
        script_.answer = "HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n";
        CPPUNIT_ASSERT(call().error().code == ErrorCode::tooLarge);
        script_.answer = "SSH-2.0\r\n\r\n";
        CPPUNIT_ASSERT(call().error().code == ErrorCode::malformed);
        script_.answer =
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
        CPPUNIT_ASSERT(call().error().code == ErrorCode::malformed);
        for (const std::string url : {"ftp://h/", "http://", "http://h:0/", "http://h:99999/",
                                      "http://[::1/", "http://h/ x"}) {
            CPPUNIT_ASSERT_MESSAGE(url, callUrl(url).error().code == ErrorCode::invalidArgument);
        }
        script_.answer = "HTTP/1.1 200 OK\r\n\r\n";  // no TLS there
        CPPUNIT_ASSERT(
            callUrl("https://127.0.0.1:" + std::to_string(listener_->port()) + "/").error().code ==
            ErrorCode::unavailable);
    }

    void exchangesOverTls() {
        test::Certificates files;
        files.issue("server", "localhost");
        useTls(files, files);
        for (int i = 0; i < 3; ++i) {
            const auto answer = callUrl(secureUrl("localhost"));
            CPPUNIT_ASSERT_MESSAGE(answer.ok() ? "" : answer.error().text, answer.ok());
            CPPUNIT_ASSERT_EQUAL("ok"s, answer->body);
        }
        CPPUNIT_ASSERT_EQUAL(1, script_.connections.load());
        const auto request = loop_->on([this] { return script_.lastRequest; });
        CPPUNIT_ASSERT(request.starts_with("POST /x HTTP/1.1\r\nHost: localhost:"));
        script_.answer = "HTTP/1.1 200 OK\r\n\r\nuntil the end";
        script_.close = true;
        CPPUNIT_ASSERT_EQUAL("until the end"s, callUrl(secureUrl("localhost"))->body);
    }

    void refusesServersThatItCannotTrust() {
        test::Certificates files, others;
        files.issue("server", "localhost");
        useTls(files, files);
        const auto otherName = callUrl(secureUrl("127.0.0.1"));  // the certificate says localhost
        CPPUNIT_ASSERT(otherName.error().code == ErrorCode::unavailable);
        useTls(files, others);
        const auto otherIssuer = callUrl(secureUrl("localhost"));
        CPPUNIT_ASSERT(otherIssuer.error().code == ErrorCode::unavailable);
        CPPUNIT_ASSERT(otherIssuer.error().text.find("TLS handshake failed") != std::string::npos);
        CPPUNIT_ASSERT_EQUAL(0, script_.requests.load());
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(HttpClientTest);
