#include "adapters/transport/websocket.h"

#include "tests/support/fake_bus.h"
#include "tests/support/loop_fixture.h"

#include <cppunit/extensions/HelperMacros.h>

using namespace busbar;
using namespace busbar::transport;
using namespace std::string_literals;

namespace {

/// A client's frame; masked with bytes that change every one of the payload.
std::string frame(unsigned first, const std::string& payload, bool masked = true) {
    std::string out(1, static_cast<char>(first));
    const auto mark = static_cast<unsigned char>(masked ? 0x80 : 0);
    if (payload.size() < 126) {
        out += static_cast<char>(mark | payload.size());
    } else if (payload.size() < 65536) {
        out += static_cast<char>(mark | 126);
        out += static_cast<char>(payload.size() >> 8);
        out += static_cast<char>(payload.size());
    } else {
        out += static_cast<char>(mark | 127);
        for (int shift = 56; shift >= 0; shift -= 8)
            out += static_cast<char>(static_cast<std::uint64_t>(payload.size()) >> shift);
    }
    if (!masked) return out + payload;
    const std::string mask = "\x01\x82\x43\xf4";
    out += mask;
    for (std::size_t i = 0; i < payload.size(); ++i)
        out += static_cast<char>(payload[i] ^ mask[i % 4]);
    return out;
}

constexpr unsigned kText = 0x81, kBinary = 0x82, kClose = 0x88, kPing = 0x89, kPong = 0x8a;

/// Gives back what it gets, in brackets; "end" ends it.
class Echo final : public Engine {
  public:
    explicit Echo(EngineHost& host) : host_(host) {}
    void receive(std::string_view bytes) override {
        if (bytes == "end") return host_.close("as asked");
        if (bytes == "big") return host_.outputShared(Buffer::of(std::string(70'000, 'x')));
        host_.output().append("[").append(bytes).append("]");
    }
    bool wantsInput() const override { return true; }
    void onTick() override {}
    void onOutputDrained() override {}
    void onDisconnect() override {}
    void onDrain(std::string_view why) override { host_.close(why); }

  private:
    EngineHost& host_;
};

/// Everything that a reader makes of these bytes, given in pieces of this size.
std::string readAll(const std::string& bytes, std::size_t piece) {
    WebSocketReader reader;
    std::string seen;
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
        std::string_view input = std::string_view(bytes).substr(at, piece);
        for (bool more = true; more;) {
            switch (reader.next(input)) {
                case WebSocketReader::Event::more:
                    more = false;
                    break;
                case WebSocketReader::Event::data:
                    seen += reader.payload();
                    break;
                case WebSocketReader::Event::ping:
                    seen += "<ping " + std::string(reader.payload()) + ">";
                    break;
                case WebSocketReader::Event::close:
                    seen += "<close>";
                    break;
                case WebSocketReader::Event::broken:
                    return seen + "<" + reader.error() + ">";
            }
        }
    }
    return seen;
}

}  // namespace

class WebSocketTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(WebSocketTest);
    CPPUNIT_TEST(readsFramesOfAllLengthsInPiecesOfAnySize);
    CPPUNIT_TEST(putsControlFramesBetweenFragments);
    CPPUNIT_TEST(refusesWhatTheStandardForbids);
    CPPUNIT_TEST(opensWithTheKeyOfTheStandard);
    CPPUNIT_TEST(refusesOtherUpgrades);
    CPPUNIT_TEST(carriesAnEngine);
    CPPUNIT_TEST(answersPingsAndCloses);
    CPPUNIT_TEST(saysWhyItEnds);
    CPPUNIT_TEST(sendsBinaryWhatIsNoText);
    CPPUNIT_TEST_SUITE_END();

    std::unique_ptr<test::RunningLoop> loop_;
    std::unique_ptr<http::Router> router_;
    std::unique_ptr<Listener> listener_;
    test::FakeAuthenticator authenticator_;

    static std::string request(const std::string& headers = "", const std::string& path = "/ws") {
        return "GET " + path +
               " HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
               "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
               headers + "\r\n";
    }
    std::string exchange(const std::string& bytes) {
        test::Client client(listener_->port());
        client.send(bytes);
        return client.readAll();
    }
    /// What comes behind the answer to the upgrade.
    std::string converse(const std::string& frames) {
        const std::string all = exchange(request() + frames);
        return all.substr(std::min(all.size(), all.find("\r\n\r\n") + 4));
    }
    static bool has(const std::string& text, const std::string& part) {
        return text.find(part) != text.npos;
    }

  public:
    void setUp() override {
        loop_ = std::make_unique<test::RunningLoop>();
        router_ = std::make_unique<http::Router>();
        HttpOptions options;
        options.webSockets.push_back({"/ws", {"v2.echo", "v1.echo"}, true, [](EngineHost& host) {
                                          return std::make_unique<Echo>(host);
                                      }});
        auto made = listenHttp({loop_->port()}, {}, options, *router_, authenticator_);
        CPPUNIT_ASSERT(made.ok());
        listener_ = std::move(*made);
    }
    void tearDown() override {
        listener_.reset();
        loop_.reset();
    }

    void readsFramesOfAllLengthsInPiecesOfAnySize() {
        std::string bytes, expected;
        for (const std::size_t size : {0u, 1u, 125u, 126u, 65'535u, 65'536u, 300'000u}) {
            const std::string payload(size, static_cast<char>('a' + size % 26));
            bytes += frame(kBinary, payload);
            expected += payload;
        }
        for (const std::size_t piece : {1u, 2u, 7u, 1000u, 1'000'000u})
            CPPUNIT_ASSERT(expected == readAll(bytes, piece));
    }

    void putsControlFramesBetweenFragments() {
        const std::string bytes = frame(0x01, "one ") + frame(kPing, "p") + frame(0x00, "two ") +
                                  frame(kPong, "") + frame(0x80, "three") + frame(kClose, "");
        for (const std::size_t piece : {1u, 3u, 1000u}) {
            CPPUNIT_ASSERT_EQUAL("one <ping p>two three<close>"s, readAll(bytes, piece));
        }
    }

    void refusesWhatTheStandardForbids() {
        const auto refused = [](const std::string& bytes, const std::string& why) {
            const std::string seen = readAll(bytes, 1000);
            CPPUNIT_ASSERT_MESSAGE(seen, has(seen, why));
        };
        refused(frame(kText, "x", false), "not masked");
        refused(frame(0xc1, "x"), "extension");
        refused(frame(0x83, "x"), "opcode 3");
        refused(frame(0x8b, "x"), "opcode 11");
        refused(frame(0x80, "x"), "continues none");
        refused(frame(0x01, "x") + frame(kText, "y"), "within another");
        refused(frame(0x09, "x"), "control frame");
        refused(frame(kPing, std::string(126, 'x')), "control frame");
        refused("\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x02\x03\x04"s, "2^63");
    }

    void opensWithTheKeyOfTheStandard() {
        const std::string answer =
            exchange(request("Sec-WebSocket-Protocol: other, v1.echo\r\n") + frame(kText, "end"));
        CPPUNIT_ASSERT(answer.starts_with("HTTP/1.1 101 "));
        CPPUNIT_ASSERT(has(answer, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
        CPPUNIT_ASSERT(has(answer, "Sec-WebSocket-Protocol: v1.echo\r\n"));
    }

    void refusesOtherUpgrades() {
        const auto status = [&](const std::string& bytes) {
            return exchange(bytes + "GET /end HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
                .substr(9, 3);
        };
        CPPUNIT_ASSERT_EQUAL("400"s, status(request("Sec-WebSocket-Protocol: other\r\n")));
        CPPUNIT_ASSERT_EQUAL("404"s, status(request("", "/elsewhere")));
        std::string old = request();
        old.replace(old.find("13\r\n"), 2, "8 ");
        CPPUNIT_ASSERT_EQUAL("426"s, status(old));
        std::string keyless = request();
        keyless.replace(keyless.find("dGhl"), 4, "dG!l");
        CPPUNIT_ASSERT_EQUAL("400"s, status(keyless));
        CPPUNIT_ASSERT_EQUAL("400"s, status(request("Content-Length: 1\r\n")));
    }

    void carriesAnEngine() {
        const std::string answer = converse(frame(kText, "a") + frame(kText, "end"));
        CPPUNIT_ASSERT_MESSAGE(answer, answer.starts_with("\x81\x03[a]"));
    }

    void answersPingsAndCloses() {
        const std::string answer =
            converse(frame(kPing, "hello") + frame(kText, "b") + frame(kClose, "\x03\xe8"));
        CPPUNIT_ASSERT(answer.starts_with("\x8a\x05hello"));
        CPPUNIT_ASSERT(has(answer, "\x81\x03[b]"));
        CPPUNIT_ASSERT(answer.ends_with("\x88\x02\x03\xe8"));
    }

    void saysWhyItEnds() {
        CPPUNIT_ASSERT(has(converse(frame(kText, "end")), "\x03\xe8" + "as asked"s));
        CPPUNIT_ASSERT(has(converse(frame(kText, "x", false)), "\x03\xea" + "a client's frame"s));
    }

    void sendsBinaryWhatIsNoText() {
        const std::string answer =
            converse(frame(kBinary, "\xff") + frame(kText, "big") + frame(kText, "end"));
        CPPUNIT_ASSERT(answer.starts_with("\x82\x03[\xff]"));
        const auto big = answer.find("\x81\x7f"s);
        CPPUNIT_ASSERT(big != answer.npos);
        CPPUNIT_ASSERT_EQUAL("\0\0\0\0\0\x01\x11\x70xxx"s, answer.substr(big + 2, 11));
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(WebSocketTest);
