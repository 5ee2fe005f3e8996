// The core loop with real threads: I/O loops of their own, the journal's thread, a disk in memory.
// Worth most under ThreadSanitizer (scripts/test --sanitize thread).
#include "bus/loop/core_loop.h"

#include "adapters/transport/transport.h"
#include "bus/store/journal/journal.h"
#include "tests/support/memory_file_system.h"

#include <cppunit/extensions/HelperMacros.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>

namespace busbar::test {
namespace {

constexpr int kMessages = 2000;

/// A client on an I/O loop: sends kMessages, receives and acknowledges what comes, counts.
class Client final : public SessionListener {
  public:
    Client(BusPort& port, std::string sendTo, std::string receiveFrom)
        : port_(port), sendTo_(std::move(sendTo)), receiveFrom_(std::move(receiveFrom)) {}

    void start() {
        session_ = port_.newSession(*this);
        port_.submit(OpenSession{session_, {}, "user", {}, "test", {}, false, {"admin"}});
        Subscribe subscribe;
        subscribe.session = session_;
        subscribe.consumer = ConsumerId(1);
        subscribe.source = Destination::queue(receiveFrom_);
        subscribe.credit = 50;
        port_.submit(std::move(subscribe));
        for (int i = 0; i < kMessages; ++i) {
            auto message = std::make_shared<Message>();
            message->destination = Destination::queue(sendTo_);
            message->persistent = i % 3 != 0;
            message->body = Buffer::of(std::to_string(i));
            port_.submit(
                Send{session_, RequestId(static_cast<std::uint64_t>(i) + 1), std::move(message)});
        }
    }

    void onEffect(Effect& effect) override {
        if (const auto* done = std::get_if<Completed>(&effect)) {
            if (done->error) ++errors;
            if (done->request.value <= kMessages) ++confirmed;
        } else if (auto* delivered = std::get_if<Delivered>(&effect)) {
            if (!seen_.insert(std::string(delivered->delivery.message->body.view())).second)
                ++errors;
            ++received;
            Settle settle;
            settle.session = session_;
            settle.deliveries = {delivered->delivery.id};
            port_.submit(std::move(settle));
        }
    }
    void onEffectsEnd() override { ++turns; }

    bool done() const { return confirmed == kMessages && received == kMessages; }

    std::atomic<int> confirmed = 0, received = 0, errors = 0, turns = 0;

  private:
    BusPort& port_;
    std::string sendTo_, receiveFrom_;
    SessionId session_;
    std::set<std::string> seen_;
};

}  // namespace

class CoreLoopTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(CoreLoopTest);
    CPPUNIT_TEST(carriesMessagesBetweenLoops);
    CPPUNIT_TEST(tellsOfAFailedStore);
    CPPUNIT_TEST_SUITE_END();

    /// Waits until `condition`, looked at from this thread; bounded.
    template <class Condition>
    static bool eventually(Condition condition) {
        for (int i = 0; i < 30'000; ++i) {
            if (condition()) return true;
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
        return false;
    }

  public:
    void carriesMessagesBetweenLoops() {
        MemoryFileSystem files;
        SystemClock clock;
        auto store = openJournal(files, "journal", JournalOptions{});
        CPPUNIT_ASSERT(store);
        auto coreLoop = EventLoop::make();
        auto ioLoop = EventLoop::make();
        CoreLoop core(*coreLoop, **store, clock, BrokerOptions{});
        CPPUNIT_ASSERT(core.recover());
        Client a(core.addPort(*coreLoop), "to-b", "to-a");
        Client b(core.addPort(*ioLoop), "to-a", "to-b");
        coreLoop->post([&] { a.start(); });
        ioLoop->post([&] { b.start(); });
        std::thread one([&] { coreLoop->run(); });
        std::thread two([&] { ioLoop->run(); });
        const bool done = eventually([&] { return a.done() && b.done(); });
        coreLoop->stop();
        ioLoop->stop();
        one.join();
        two.join();
        (*store)->close();
        CPPUNIT_ASSERT_MESSAGE("confirmed " + std::to_string(a.confirmed) + "/" +
                                   std::to_string(b.confirmed) + ", received " +
                                   std::to_string(a.received) + "/" + std::to_string(b.received),
                               done);
        CPPUNIT_ASSERT_EQUAL(0, a.errors + b.errors);
        CPPUNIT_ASSERT_MESSAGE("effects come in batches",
                               a.turns < 2 * kMessages && b.turns < 2 * kMessages);
    }

    void tellsOfAFailedStore() {
        MemoryFileSystem files;
        SystemClock clock;
        auto store = openJournal(files, "journal", JournalOptions{});
        auto loop = EventLoop::make();
        CoreLoop core(*loop, **store, clock, BrokerOptions{});
        CPPUNIT_ASSERT(core.recover());
        std::atomic<bool> failed = false;
        core.onStoreFailure(
            [&](const Error& error) { failed = error.code == ErrorCode::storageFailed; });
        Client a(core.addPort(*loop), "q", "q");
        loop->post([&] {
            files.failSync(1);
            a.start();
        });
        std::thread thread([&] { loop->run(); });
        // The sync that fails may be one of the start, before the first send was looked at: then it
        // is the sends after the failure that are refused. The loop goes on until they are.
        const bool told = eventually([&] { return failed.load(); });
        const bool refused = eventually([&] { return a.errors > 0; });
        loop->stop();
        thread.join();
        (*store)->close();
        CPPUNIT_ASSERT(told);
        CPPUNIT_ASSERT_MESSAGE("senders were told", refused);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(CoreLoopTest);

}  // namespace busbar::test
