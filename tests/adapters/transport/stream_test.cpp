#include "tests/support/certificates.h"
#include "tests/support/loop_fixture.h"
#include "tests/support/tls_client.h"

#include <cppunit/extensions/HelperMacros.h>

#include <algorithm>
#include <atomic>
#include <mutex>

using namespace busbar;
using busbar::test::TlsClient;
using namespace std::string_literals;

namespace {

/// What the engines of a test saw, read by the test after the loop did.
struct Seen {
    std::atomic<int> disconnects{0}, destroyed{0}, drained{0}, ticks{0};
    std::atomic<bool> wants{true};
    std::atomic<bool> cameWhileHeld{false}, firstGulp{false};
    std::atomic<bool> answersEnd{false};  ///< 8 MiB and "end" for a peer that sends no more
};

/// Echoes; "big\n" asks for 16 MiB, "close\n" and "tick\n" for what they say.
class EchoEngine final : public Engine {
  public:
    EchoEngine(EngineHost& host, Seen& seen) : host_(host), seen_(seen) {}
    ~EchoEngine() override { ++seen_.destroyed; }

    void receive(std::string_view bytes) override {
        if (bytes == "close\n") {
            host_.output() += "bye\n";
            return host_.close("asked");
        }
        if (bytes == "big\n") {
            for (int i = 0; i < 16; ++i) {
                host_.output() += "<";
                host_.outputShared(Buffer::of(std::string(1 << 20, 'x')));
                host_.output() += ">";
            }
            return;
        }
        if (host_.now().steady < heldUntil_) seen_.cameWhileHeld = true;
        if (std::exchange(wasHeld_, false) && bytes.size() > 1024) seen_.firstGulp = true;
        if (bytes == "hold\n") {
            host_.output() += "held\n";
            heldUntil_ = host_.now().steady + Milliseconds(50);
            wasHeld_ = true;
            return host_.holdInput(heldUntil_);
        }
        if (bytes == "who\n") {
            const auto* peer = host_.peerCertificate();
            host_.output() += peer ? peer->subject + "|" + peer->commonName : "nobody";
            for (std::size_t i = 0; peer && i < peer->names.size(); ++i)
                host_.output() += "|" + peer->names[i];
            host_.output() += "\n";
            return;
        }
        if (bytes == "huge\n") return host_.outputShared(Buffer::of(std::string(200 << 20, 'x')));
        if (bytes == "throw\n") throw std::runtime_error("engines should not");
        if (bytes == "tick\n") {
            host_.wakeAt(host_.now().steady + std::chrono::hours(1));
            return host_.wakeAt(host_.now().steady + Milliseconds(5));
        }
        host_.output() += bytes;
    }
    bool wantsInput() const override { return seen_.wants; }
    void onTick() override {
        ++seen_.ticks;
        host_.output() += "tock\n";
    }
    void onOutputDrained() override {
        ++seen_.drained;
        host_.output() += "drained\n";
    }
    bool onInputEnd() override {
        if (!seen_.answersEnd) return false;
        host_.postToEngine([this] {  // as an answer that comes later
            host_.outputShared(Buffer::of(std::string(8 << 20, 'y')));
            host_.output() += "end\n";
            host_.close("answered");
        });
        return true;
    }
    void onDisconnect() override { ++seen_.disconnects; }
    void onDrain(std::string_view why) override {
        host_.output() += why;
        host_.close(why);
    }

  private:
    EngineHost& host_;
    Seen& seen_;
    SteadyTime heldUntil_{};
    bool wasHeld_ = false;
};

}  // namespace

class StreamTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(StreamTest);
    CPPUNIT_TEST(echoes);
    CPPUNIT_TEST(echoesMoreThanTheSocketsHold);
    CPPUNIT_TEST(slowPeerIsToldOfAndDrains);
    CPPUNIT_TEST(peerTooFarBehindIsCutOff);
    CPPUNIT_TEST(closeWritesWhatIsThere);
    CPPUNIT_TEST(endOfInputDisconnects);
    CPPUNIT_TEST(halfClosedPeerGetsWhatTheEngineStillSays);
    CPPUNIT_TEST(halfClosedPeerGetsWhatIsPending);
    CPPUNIT_TEST(halfClosedTlsPeerGetsWhatTheEngineStillSays);
    CPPUNIT_TEST(throwingEngineCostsItsConnectionOnly);
    CPPUNIT_TEST(wakesTheEngine);
    CPPUNIT_TEST(takenPortIsNamed);
    CPPUNIT_TEST(connectionsAreLimited);
    CPPUNIT_TEST(drainTellsEveryEngine);
    CPPUNIT_TEST(loopMayEndWithOpenConnections);
    CPPUNIT_TEST(spreadsConnectionsOverLoops);
    CPPUNIT_TEST(heldInputIsReadLaterAndInSips);
    CPPUNIT_TEST(heldInputOverTlsIsReadLaterAndInSips);
    CPPUNIT_TEST(speaksTls);
    CPPUNIT_TEST(speaksTlsOrNot);
    CPPUNIT_TEST(asksForClientCertificates);
    CPPUNIT_TEST(tellsWhatTheClientsCertificateSays);
    CPPUNIT_TEST(clientsMayDoWithoutACertificateButNotWithABadOne);
    CPPUNIT_TEST(expiredCertificatesAreRefused);
    CPPUNIT_TEST(revokedCertificatesAreRefused);
    CPPUNIT_TEST(refusesBadTlsFiles);
    CPPUNIT_TEST(newHandshakesGetTheRenewedCertificate);
    CPPUNIT_TEST(badTlsFilesLeaveTheOldCertificateInForce);
    CPPUNIT_TEST(renewedClientCaCountsForNewConnections);
    CPPUNIT_TEST_SUITE_END();

    std::unique_ptr<test::RunningLoop> loop_;
    std::unique_ptr<Listener> listener_;
    Seen seen_;

    EngineFactory factory() {
        return [this](EngineHost& host) { return std::make_unique<EchoEngine>(host, seen_); };
    }
    std::uint16_t listen(ListenerOptions options = {}) {
        auto made = listenStream({loop_->port()}, std::move(options), factory());
        CPPUNIT_ASSERT_MESSAGE(made.ok() ? "" : made.error().text, made.ok());
        listener_ = std::move(*made);
        return listener_->port();
    }
    /// Waits by turns of the loop, not by time; bounded by the test's own timeout.
    template <class Condition>
    void until(Condition condition) {
        while (!condition()) loop_->on([] {});
    }

    std::uint16_t listenTls(const test::Certificates& files, bool askClients = false,
                            bool optional = false) {
        ListenerOptions options;
        options.tlsOptional = optional;
        options.tls =
            std::make_unique<TlsOptions>(TlsOptions{files.file("server.pem"),
                                                    files.file("server.key"),
                                                    askClients ? files.file("ca.pem") : "",
                                                    {}});
        return listen(std::move(options));
    }

  public:
    void setUp() override {
        loop_ = std::make_unique<test::RunningLoop>();
        seen_.disconnects = seen_.destroyed = seen_.drained = seen_.ticks = 0;
        seen_.wants = true;
        seen_.cameWhileHeld = seen_.firstGulp = false;
        seen_.answersEnd = false;
    }
    void tearDown() override {
        listener_.reset();
        loop_.reset();
    }

    void echoes() {
        test::Client client(listen());
        client.send("hello\n");
        CPPUNIT_ASSERT_EQUAL("hello\n"s, client.readUntil("\n"));
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), listener_->connections());
    }

    void echoesMoreThanTheSocketsHold() {
        ListenerOptions options;
        options.outputHighMark = 64u << 20;
        test::Client client(listen(std::move(options)));
        std::string sent;
        for (int i = 0; sent.size() < (8u << 20); ++i) sent += std::to_string(i) + ",";
        std::thread writer([&] { client.send(sent); });
        const auto got = client.readBytes(sent.size());
        writer.join();
        CPPUNIT_ASSERT(got == sent);
    }

    void slowPeerIsToldOfAndDrains() {
        ListenerOptions options;
        options.outputHighMark = 100'000;
        test::Client client(listen(std::move(options)), 4096);
        client.send("big\n");
        const std::size_t size = 16 * ((1u << 20) + 2);
        const auto got = client.readBytes(size);
        CPPUNIT_ASSERT_EQUAL(size, got.size());
        CPPUNIT_ASSERT_EQUAL('<', got[(1u << 20) + 2]);
        CPPUNIT_ASSERT_EQUAL("drained\n"s, client.readUntil("\n"));
        CPPUNIT_ASSERT_EQUAL(1, seen_.drained.load());
    }

    void peerTooFarBehindIsCutOff() {
        test::Client client(listen(), 4096);
        client.send("huge\n");
        until([&] { return seen_.destroyed == 1; });
        CPPUNIT_ASSERT_EQUAL(1, seen_.disconnects.load());
    }

    void closeWritesWhatIsThere() {
        test::Client client(listen());
        client.send("close\n");
        CPPUNIT_ASSERT_EQUAL("bye\n"s, client.readAll());
        client.endSending();
        until([&] { return seen_.destroyed == 1; });
        CPPUNIT_ASSERT_EQUAL(1, seen_.disconnects.load());
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), listener_->connections());
    }

    void endOfInputDisconnects() {
        test::Client client(listen());
        client.send("x\n");
        client.readUntil("\n");
        client.endSending();
        until([&] { return seen_.destroyed == 1; });
        CPPUNIT_ASSERT_EQUAL(1, seen_.disconnects.load());
    }

    void halfClosedPeerGetsWhatTheEngineStillSays() {
        seen_.answersEnd = true;
        test::Client client(listen(), 4096);
        client.send("x\n");
        client.endSending();
        const auto got = client.readAll();
        CPPUNIT_ASSERT_EQUAL(std::size_t((8 << 20) + 6), got.size());
        CPPUNIT_ASSERT(got.starts_with("x\ny") && got.ends_with("yend\n"));
        until([&] { return seen_.destroyed == 1; });
        CPPUNIT_ASSERT_EQUAL(1, seen_.disconnects.load());
    }

    void halfClosedPeerGetsWhatIsPending() {
        // The end of input comes while a closing connection still writes.
        test::Client client(listen(), 4096);
        client.send("big\n");
        client.readBytes(1);
        client.send("close\n");
        client.endSending();
        CPPUNIT_ASSERT(client.readAll().ends_with("x>bye\n"));
    }

    void halfClosedTlsPeerGetsWhatTheEngineStillSays() {
        seen_.answersEnd = true;
        test::Certificates files;
        files.issue("server");
        TlsClient client(listenTls(files), files);
        client.send("x\n");
        client.endSending();
        const auto got = client.readBytes(1u << 30);
        CPPUNIT_ASSERT_EQUAL(std::size_t((8 << 20) + 6), got.size());
        CPPUNIT_ASSERT(got.starts_with("x\ny") && got.ends_with("yend\n"));
    }

    void throwingEngineCostsItsConnectionOnly() {
        const auto port = listen();
        test::Client client(port);
        test::Client other(port);
        client.send("throw\n");
        CPPUNIT_ASSERT_EQUAL(""s, client.readAll());
        other.send("x\n");
        CPPUNIT_ASSERT_EQUAL("x\n"s, other.readUntil("\n"));
    }

    void wakesTheEngine() {
        test::Client client(listen());
        client.send("tick\n");
        CPPUNIT_ASSERT_EQUAL("tock\n"s, client.readUntil("\n"));
        CPPUNIT_ASSERT_EQUAL(1, seen_.ticks.load());
    }

    void takenPortIsNamed() {
        ListenerOptions options;
        options.port = listen();
        const auto second = listenStream({loop_->port()}, std::move(options), factory());
        CPPUNIT_ASSERT(!second.ok());
        CPPUNIT_ASSERT(second.error().code == ErrorCode::inUse);
        const auto name = "127.0.0.1:" + std::to_string(listener_->port());
        CPPUNIT_ASSERT(second.error().text.find(name) != std::string::npos);
        ListenerOptions odd;
        odd.address = "no address";
        CPPUNIT_ASSERT(!listenStream({loop_->port()}, std::move(odd), factory()).ok());
    }

    void connectionsAreLimited() {
        ListenerOptions options;
        options.connectionsMax = 1;
        const auto port = listen(std::move(options));
        test::Client first(port);
        first.send("x\n");
        first.readUntil("\n");
        test::Client second(port);
        CPPUNIT_ASSERT_EQUAL(""s, second.readAll());
        first.send("y\n");
        CPPUNIT_ASSERT_EQUAL("y\n"s, first.readUntil("\n"));
    }

    void drainTellsEveryEngine() {
        const auto port = listen();
        test::Client one(port);
        test::Client two(port);
        one.send("x\n");
        one.readUntil("\n");
        two.send("x\n");
        two.readUntil("\n");
        listener_->drain("stopping");
        CPPUNIT_ASSERT_EQUAL("stopping"s, one.readAll());
        CPPUNIT_ASSERT_EQUAL("stopping"s, two.readAll());
        CPPUNIT_ASSERT_THROW(test::Client{port}, std::runtime_error);
    }

    void loopMayEndWithOpenConnections() {
        test::Client client(listen());
        client.send("x\n");
        client.readUntil("\n");
        loop_->stop();
        loop_->loop.reset();
        CPPUNIT_ASSERT_EQUAL(1, seen_.destroyed.load());
        CPPUNIT_ASSERT_EQUAL(""s, client.readAll());
        loop_->loop = EventLoop::make();
        (void)listener_.release();  // its loop is gone: the daemon destroys listeners before loops
    }

    void spreadsConnectionsOverLoops() {
        test::RunningLoop second;
        std::mutex mutex;
        std::vector<BusPort*> used;
        auto made = listenStream({loop_->port(), second.port()}, {}, [&](EngineHost& host) {
            const std::lock_guard lock(mutex);
            used.push_back(&host.bus());
            return std::make_unique<EchoEngine>(host, seen_);
        });
        CPPUNIT_ASSERT(made.ok());
        for (int i = 0; i < 4; ++i) {
            test::Client client((*made)->port());
            client.send("x\n");
            CPPUNIT_ASSERT_EQUAL("x\n"s, client.readUntil("\n"));
        }
        CPPUNIT_ASSERT_EQUAL(std::ptrdiff_t(2), std::count(used.begin(), used.end(), &second.bus));
        made->reset();
        loop_->stop();  // connections of the second loop go before the first loop's acceptor
    }

    void heldInputIsReadLaterAndInSips() {
        test::Client client(listen());
        client.send("hold\n");
        CPPUNIT_ASSERT_EQUAL("held\n"s, client.readUntil("\n"));
        client.send(std::string(3000, 'x'));
        CPPUNIT_ASSERT_EQUAL(std::string(3000, 'x'), client.readBytes(3000));
        CPPUNIT_ASSERT(!seen_.cameWhileHeld);
        CPPUNIT_ASSERT(!seen_.firstGulp);
        client.send("hold\n");
        CPPUNIT_ASSERT_EQUAL("held\n"s, client.readUntil("\n"));
        client.endSending();
        CPPUNIT_ASSERT_EQUAL(""s, client.readAll());  // also the end is seen, later
    }

    void heldInputOverTlsIsReadLaterAndInSips() {
        test::Certificates files;
        files.issue("server");
        TlsClient client(listenTls(files), files);
        client.send("hold\n");
        CPPUNIT_ASSERT_EQUAL("held\n"s, client.readBytes(5));
        client.send(std::string(3000, 'x'));
        CPPUNIT_ASSERT_EQUAL(std::string(3000, 'x'), client.readBytes(3000));
        CPPUNIT_ASSERT(!seen_.cameWhileHeld);
        CPPUNIT_ASSERT(!seen_.firstGulp);
    }

    void speaksTls() {
        test::Certificates files;
        files.issue("server");
        const auto port = listenTls(files);
        TlsClient client(port, files);
        CPPUNIT_ASSERT(client.connected());
        client.send("hello\n");
        CPPUNIT_ASSERT_EQUAL("hello\n"s, client.readBytes(6));
        client.send("big\n");
        const std::size_t size = 16 * ((1u << 20) + 2);
        const std::string got = client.readBytes(size);
        CPPUNIT_ASSERT_EQUAL(size, got.size());
        CPPUNIT_ASSERT_EQUAL('<', got.front());
        CPPUNIT_ASSERT_EQUAL('>', got.back());
        test::Client plain(port);  // not TLS at all: cut off
        plain.send("GET / HTTP/1.1\r\n\r\n");
        plain.readAll();
    }

    void speaksTlsOrNot() {
        test::Certificates files;
        files.issue("server");
        const auto port = listenTls(files, false, true);
        TlsClient client(port, files);
        client.send("hello\n");
        CPPUNIT_ASSERT_EQUAL("hello\n"s, client.readBytes(6));
        test::Client plain(port);
        plain.send("hello\n");
        CPPUNIT_ASSERT_EQUAL("hello\n"s, plain.readBytes(6));
        test::Client silent(port);
        listener_->drain("test");
        CPPUNIT_ASSERT_EQUAL(""s, silent.readAll());
    }

    void asksForClientCertificates() {
        test::Certificates files, others;
        files.issue("server");
        files.issue("alice");
        others.issue("mallory");
        const auto port = listenTls(files, true);
        const auto echo = [&](TlsClient client) {
            client.send("hello\n");
            return client.readBytes(6);
        };
        CPPUNIT_ASSERT_EQUAL("hello\n"s, echo(TlsClient(port, files, "alice")));
        // TLS 1.3: these believe to be connected until they read.
        CPPUNIT_ASSERT_EQUAL(""s, echo(TlsClient(port, files)));
        CPPUNIT_ASSERT_EQUAL(""s, echo(TlsClient(port, files, "mallory", &others)));
        until([&] { return listener_->connections() == 0; });
        CPPUNIT_ASSERT_EQUAL(1, seen_.destroyed.load());
    }

    std::uint16_t listenFor(const test::Certificates& files, bool mayDoWithout,
                            const std::string& revocations = {}) {
        ListenerOptions options;
        options.tls = std::make_unique<TlsOptions>(
            TlsOptions{files.file("server.pem"), files.file("server.key"), files.file("ca.pem"),
                       revocations, mayDoWithout});
        return listen(std::move(options));
    }
    static std::string who(TlsClient client) {
        client.send("who\n");
        return client.readUntil('\n');
    }

    void tellsWhatTheClientsCertificateSays() {
        test::Certificates files;
        files.issue("server");
        files.issueTo(
            "alice", "/O=Busbar, Ltd/CN=alice",
            "DNS:a.example,email:alice@example.com,URI:spiffe://example/alice,IP:10.0.0.1");
        files.issueTo("two", "/CN=alice/CN=bob", "DNS:two");
        files.issueTo("none", "/O=Busbar", "DNS:none");
        const auto port = listenFor(files, false);
        CPPUNIT_ASSERT_EQUAL(
            "CN=alice,O=Busbar\\, Ltd|alice|DNS:a.example|email:alice@example.com|"
            "URI:spiffe://example/alice\n"s,
            who(TlsClient(port, files, "alice")));
        CPPUNIT_ASSERT_EQUAL("CN=bob,CN=alice||DNS:two\n"s, who(TlsClient(port, files, "two")));
        CPPUNIT_ASSERT_EQUAL("O=Busbar||DNS:none\n"s, who(TlsClient(port, files, "none")));
    }

    void clientsMayDoWithoutACertificateButNotWithABadOne() {
        test::Certificates files, others;
        files.issue("server");
        files.issue("alice");
        others.issue("mallory");
        auto port = listenFor(files, true);
        CPPUNIT_ASSERT_EQUAL("CN=alice|alice|DNS:localhost\n"s,
                             who(TlsClient(port, files, "alice")));
        CPPUNIT_ASSERT_EQUAL("nobody\n"s, who(TlsClient(port, files)));
        CPPUNIT_ASSERT_EQUAL(""s, who(TlsClient(port, files, "mallory", &others)));
        port = listenTls(files);  // not asked for: nobody, whatever the client has
        CPPUNIT_ASSERT_EQUAL("nobody\n"s, who(TlsClient(port, files, "alice")));
    }

    void expiredCertificatesAreRefused() {
        test::Certificates files;
        files.issue("server");
        files.issueTo("late", "/CN=alice", "DNS:late", -1);
        CPPUNIT_ASSERT_EQUAL(""s, who(TlsClient(listenFor(files, true), files, "late")));
    }

    void revokedCertificatesAreRefused() {
        test::Certificates files;
        files.issue("server");
        files.issue("alice");
        files.issue("bob");
        files.revoke({});
        const auto port = listenFor(files, false, files.file("crl.pem"));
        CPPUNIT_ASSERT_EQUAL("CN=bob|bob|DNS:localhost\n"s, who(TlsClient(port, files, "bob")));
        files.revoke("bob");
        CPPUNIT_ASSERT_EQUAL(true, *listener_->reloadTls(false));
        CPPUNIT_ASSERT_EQUAL(""s, who(TlsClient(port, files, "bob")));
        CPPUNIT_ASSERT_EQUAL("CN=alice|alice|DNS:localhost\n"s,
                             who(TlsClient(port, files, "alice")));
        files.write("crl.pem", "nothing");
        CPPUNIT_ASSERT(!listener_->reloadTls(false).ok());
        CPPUNIT_ASSERT_EQUAL(""s, who(TlsClient(port, files, "bob")));
    }

    void refusesBadTlsFiles() {
        ListenerOptions options;
        options.tls = std::make_unique<TlsOptions>(
            TlsOptions{"/nonexistent/cert.pem", "/nonexistent/key.pem", {}, {}});
        const auto made = listenStream({loop_->port()}, std::move(options), factory());
        CPPUNIT_ASSERT(!made.ok());
        CPPUNIT_ASSERT(made.error().text.find("/nonexistent/cert.pem") != std::string::npos);
    }

    void newHandshakesGetTheRenewedCertificate() {
        test::Certificates files;
        files.issue("server");
        files.issue("renewed");
        const auto port = listenTls(files);
        TlsClient before(port, files);
        CPPUNIT_ASSERT_EQUAL("server"s, before.serverName());
        CPPUNIT_ASSERT_EQUAL(false, *listener_->reloadTls(false));  // nothing has changed
        files.put("renewed.pem", "server.pem");
        files.put("renewed.key", "server.key");
        CPPUNIT_ASSERT_EQUAL(true, *listener_->reloadTls(false));
        CPPUNIT_ASSERT_EQUAL("renewed"s, TlsClient(port, files).serverName());
        before.send("hello\n");
        CPPUNIT_ASSERT_EQUAL("hello\n"s, before.readBytes(6));
        CPPUNIT_ASSERT_EQUAL(true, *listener_->reloadTls(true));  // asked for: also without change
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(2), listener_->tlsState()->reloads);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(0), listener_->tlsState()->failures);
        CPPUNIT_ASSERT(listener_->tlsState()->expiresAt > 1'700'000'000);
    }

    void badTlsFilesLeaveTheOldCertificateInForce() {
        test::Certificates files;
        files.issue("server");
        files.issue("renewed");
        const auto port = listenTls(files);
        files.put("renewed.pem", "server.pem");  // its key is not there yet
        const auto half = listener_->reloadTls(false);
        CPPUNIT_ASSERT(!half.ok());
        CPPUNIT_ASSERT(half.error().text.find("server.key") != std::string::npos);
        CPPUNIT_ASSERT_EQUAL("server"s, TlsClient(port, files).serverName());
        CPPUNIT_ASSERT_EQUAL(false, *listener_->reloadTls(false));  // said once, not each time
        files.write("server.key", "-----BEGIN PRIVATE KEY-----\nMIGH");
        CPPUNIT_ASSERT(!listener_->reloadTls(false).ok());
        CPPUNIT_ASSERT_EQUAL("server"s, TlsClient(port, files).serverName());
        files.put("renewed.key", "server.key");
        CPPUNIT_ASSERT_EQUAL(true, *listener_->reloadTls(false));
        CPPUNIT_ASSERT_EQUAL("renewed"s, TlsClient(port, files).serverName());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(2), listener_->tlsState()->failures);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), listener_->tlsState()->reloads);
    }

    void renewedClientCaCountsForNewConnections() {
        test::Certificates files, others;
        files.issue("server");
        files.issue("alice");
        others.issue("bob");
        const auto port = listenTls(files, true);
        const auto echo = [&](TlsClient client) {
            client.send("hello\n");
            return client.readBytes(6);
        };
        TlsClient before(port, files, "alice");
        CPPUNIT_ASSERT_EQUAL(""s, echo(TlsClient(port, files, "bob", &others)));
        test::Certificates trusted;  // what clients trust must stay what it is
        trusted.copy(files.file("ca.pem"), "ca.pem");
        files.copy(others.file("ca.pem"), "ca.pem");
        CPPUNIT_ASSERT_EQUAL(true, *listener_->reloadTls(false));
        CPPUNIT_ASSERT_EQUAL("hello\n"s, echo(TlsClient(port, trusted, "bob", &others)));
        CPPUNIT_ASSERT_EQUAL(""s, echo(TlsClient(port, trusted, "alice", &files)));
        before.send("hello\n");
        CPPUNIT_ASSERT_EQUAL("hello\n"s, before.readBytes(6));
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(StreamTest);
