#include "bench/load_run.h"

#include "bench/load_clients.h"

#include <unistd.h>

#include <algorithm>

namespace busbar::bench {

using namespace std::string_view_literals;

RunState::RunState(const LoadOptions& chosen)
    : options(chosen),
      id(chosen.run != 0
             ? chosen.run
             : static_cast<std::uint32_t>(getpid()) ^ static_cast<std::uint32_t>(nowNs() >> 10)),
      ledger(chosen.producers,
             chosen.mode == LoadOptions::Mode::requestReply ? 1 : chosen.consumers, chosen.topic),
      copies(chosen.topic ? chosen.consumers : std::min(chosen.consumers, 1U)) {}

std::uint64_t RunState::room() {
    if (options.backlog == 0 || copies == 0) return UINT64_MAX;
    const std::uint64_t waiting = sent - std::min(sent, ledger.fresh() / copies);
    const std::uint64_t room = options.backlog - std::min<std::uint64_t>(options.backlog, waiting);
    // In bursts: the food of transactions costs few syncs of its own, and a full pipe is not filled
    // up in drops.
    const std::uint64_t burst =
        options.backlog / (options.mode == LoadOptions::Mode::transaction ? 2 : 16);
    refilling = room != 0 && (refilling || room >= burst);
    return refilling ? room : 0;
}

bool RunState::arrived(unsigned consumer, std::string_view body) {
    Stamp stamp;
    if (!readStamp(body, stamp) || stamp.run != id || stamp.producer >= options.producers) {
        ++foreign;
        return false;
    }
    if (first == 0) first = now;
    last = now;
    if (!ledger.received(consumer, stamp.producer, stamp.sequence)) return false;
    const std::uint64_t due = stamp.sentNs + std::uint64_t{options.delayMs} * 1'000'000;
    constexpr std::uint64_t kGrainNs = 1'000'000;  // delivery times are whole milliseconds
    early += now + kGrainNs < due ? 1 : 0;
    endToEndNs.record(now - std::min(now, due));
    return true;
}

std::string RunState::destination(unsigned number, const char* what) const {
    return options.prefix + options.name + "." + std::to_string(id) + "." + what +
           std::to_string(number);
}

std::string RunState::sharedHeaders() const {
    std::string lines;
    for (const std::string& header : options.headers) lines += header + "\n";
    return lines;
}

void Client::open(Poller& poller) {
    poller_ = &poller;
    poller.add(stream_->fd(), this);
    stream_->out() =
        "CONNECT\naccept-version:1.2\nhost:/\nheart-beat:0,0\nlogin:" + options().login +
        "\npasscode:" + options().passcode + "\n\n" + '\0';
    write();
}

void Client::subscribe(const std::string& destination, const std::string& ack, unsigned prefetch,
                       const std::string& headers) {
    const std::string count = std::to_string(prefetch);
    // Each broker reads its own word for the prefetch; RabbitMQ reads one with `auto` as "push
    // without limit".
    stream_->out() += "SUBSCRIBE\nid:0\ndestination:" + destination + "\nack:" + ack +
                      "\nprefetch-count:" + count + "\nactivemq.prefetchSize:" + count +
                      "\nreceipt:subscribed\n" + headers + run_.sharedHeaders() + "\n" + '\0';
}

void Client::onEvents(std::uint32_t events) {
    if (closed_) return;
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
        const bool alive = stream_->read();
        Frame frame;
        for (std::size_t used; (used = scanFrame(stream_->unread(), frame)) != 0 && !closed_;) {
            if (used == kBroken) return broken("the server sent something that is no STOMP");
            onFrame(frame);
            stream_->consume(used);
        }
        if (!alive && !closed_) broken("the server closed the connection");
    }
    if (!closed_) write();
}

void Client::onFrame(const Frame& frame) {
    switch (frame.kind) {
        case Frame::Kind::connected:
            return onConnected();
        case Frame::Kind::message:
            return onMessage(frame);
        case Frame::Kind::receipt:
            if (frame.receipt != "bye") return onReceipt(frame.receipt);
            poller_->remove(stream_->fd());
            closed_ = true;
            return;
        case Frame::Kind::error:
            return broken("ERROR: " + std::string(frame.text) + " " +
                          std::string(frame.body.substr(0, 200)));
        default:
            return;
    }
}

void Client::pump() {
    if (waitsToWrite_ || closed_ || leaving_) return;
    send();
    write();
}

void Client::write() {
    if (!stream_->flush()) return broken("connection lost while writing");
    const bool more = !writeOwn() || stream_->unwritten() != 0;
    if (more == waitsToWrite_ || closed_) return;
    waitsToWrite_ = more;
    poller_->change(stream_->fd(), this, more ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

void Client::disconnect() {
    if (closed_) return;
    leaving_ = true;
    stream_->out().append("DISCONNECT\nreceipt:bye\n\n\0"sv);
    write();
}

void Client::broken(const std::string& why) {
    poller_->remove(stream_->fd());
    closed_ = true;
    if (!leaving_) run_.fail(why);
}

namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

/// The loop and the phases of a run.
class LoadRun {
  public:
    explicit LoadRun(const LoadOptions& options) : run_(options), options_(options) {}
    RunReport go();

  private:
    bool connectAll();
    bool allReady() {
        return turnUntil([this] { return all(&Client::ready); }, 30);
    }
    template <class T, class... Arguments>
    bool add(Arguments&&... arguments);
    void turn();
    /// Turns until `condition` holds; false: `seconds` passed without anything arriving, or the run
    /// failed.
    template <class Condition>
    bool turnUntil(Condition condition, double seconds);
    bool all(bool (Client::*question)() const) const {
        return std::all_of(clients_.begin(), clients_.end(),
                           [question](const auto& c) { return (c.get()->*question)(); });
    }
    bool drained() const {
        return all(&Client::done) && run_.ledger.fresh() == run_.sent * run_.copies;
    }
    RunReport report() const;

    RunState run_;
    const LoadOptions& options_;
    Poller poller_;
    std::vector<std::unique_ptr<Client>> clients_;
    std::vector<Client*> pumped_;
    ProcessUsage before_;
    ProcessUsage after_;
    ProcessUsage ownBefore_;
    ProcessUsage ownAfter_;
};

template <class T, class... Arguments>
bool LoadRun::add(Arguments&&... arguments) {
    auto stream = Stream::connectTo(options_.host, options_.port);
    if (!stream) {
        run_.fail(stream.error().text);
        return false;
    }
    clients_.push_back(
        std::make_unique<T>(run_, std::move(*stream), std::forward<Arguments>(arguments)...));
    clients_.back()->open(poller_);
    return true;
}

bool LoadRun::connectAll() {
    using Mode = LoadOptions::Mode;
    bool ok = true;
    // Readers one after the other: RabbitMQ refuses to make one quorum queue for two at a time.
    for (unsigned i = 0; i < options_.consumers && ok; ++i) {
        if (options_.mode == Mode::requestReply) {
            ok = add<Responder>(i) && allReady();
            continue;
        }
        const bool moved = options_.mode == Mode::transaction;
        ok = add<Consumer>(
                 i, moved ? run_.destination(0, "out") : run_.destination(i % options_.queues)) &&
             allReady();
    }
    const unsigned sessions = options_.mode == Mode::transaction ? options_.sessions : 0;
    for (unsigned i = 0; i < sessions && ok; ++i) ok = add<TransactionSession>() && allReady();
    // The others in handfuls: servers bound how many may be logging in.
    for (unsigned i = 0; i < options_.producers && options_.drain == 0 && ok; ++i) {
        ok = add<Producer>(i) && (i % 16 != 15 || allReady());
        if (ok) pumped_.push_back(clients_.back().get());
    }
    for (unsigned i = 0; i < options_.idle && ok; ++i) {
        ok = add<Client>() && (i % 16 != 15 || allReady());
    }
    return ok && allReady();
}

void LoadRun::turn() {
    run_.now = nowNs();
    std::uint64_t due = run_.now + kSecond / 10;
    if (run_.start != 0) {
        for (Client* client : pumped_) {
            client->pump();
            due = std::min(due, client->due());
        }
    }
    const auto events = poller_.wait(due - std::min(due, run_.now));
    for (const epoll_event& event : events) {
        run_.now = nowNs();
        static_cast<Client*>(event.data.ptr)->onEvents(event.events);
    }
}

template <class Condition>
bool LoadRun::turnUntil(Condition condition, double seconds) {
    const auto patience = static_cast<std::uint64_t>(seconds * kSecond);
    run_.last = nowNs();
    while (!condition()) {
        if (!run_.failure.empty() || nowNs() > run_.last + patience) return false;
        turn();
    }
    return true;
}

RunReport LoadRun::go() {
    // What waits already comes while the later ones of many consumers still connect.
    before_ = processUsage(options_.serverPid);
    ownBefore_ = processUsage(getpid());
    if (!connectAll()) {
        run_.fail("not all connections were ready after 30 s");
        return report();
    }
    run_.now = nowNs();
    run_.start = options_.drain > 0 && run_.first != 0 ? run_.first : run_.now;
    if (options_.drain == 0) {
        before_ = processUsage(options_.serverPid);
        ownBefore_ = processUsage(getpid());
    }
    run_.stop = options_.messages > 0
                    ? UINT64_MAX
                    : run_.start + static_cast<std::uint64_t>(options_.seconds * kSecond);
    if (options_.drain > 0) {
        run_.sent = options_.drain;
        turnUntil([this] { return run_.ledger.fresh() >= run_.sent * run_.copies; },
                  options_.drainSeconds);
    } else if (options_.producers == 0) {
        turnUntil([this] { return nowNs() > run_.stop; }, options_.seconds + 1);
        run_.last = nowNs();
    } else {
        turnUntil([this] { return drained(); },
                  options_.drainSeconds + (options_.rate > 0 ? 1 / options_.rate : 0));
    }
    const std::uint64_t last = run_.last;
    after_ = processUsage(options_.serverPid);
    ownAfter_ = processUsage(getpid());
    for (const auto& client : clients_) client->disconnect();
    turnUntil([this] { return all(&Client::closed); },
              2);  // late duplicates arrive before the answer to DISCONNECT
    run_.last = last;
    return report();
}

/// Builds one flat JSON object.
class JsonLine {
  public:
    void text(const char* key, const std::string& value) {
        std::string clean;
        for (const char c : value)
            clean += c == '"' || c == '\\' || static_cast<unsigned char>(c) < ' ' ? ' ' : c;
        raw(key, "\"" + clean + "\"");
    }
    void whole(const char* key, std::uint64_t value) { raw(key, std::to_string(value)); }
    void decimal(const char* key, double value) {
        char digits[32];
        std::snprintf(digits, sizeof digits, "%.4g", value);
        raw(key, value >= 10000 ? std::to_string(static_cast<std::uint64_t>(value)) : digits);
    }
    void latency(const std::string& key, const Histogram& ns) {
        if (ns.count() == 0) return;
        decimal((key + "_p50_ms").c_str(), static_cast<double>(ns.quantile(0.5)) / 1e6);
        decimal((key + "_p99_ms").c_str(), static_cast<double>(ns.quantile(0.99)) / 1e6);
        decimal((key + "_p999_ms").c_str(), static_cast<double>(ns.quantile(0.999)) / 1e6);
        decimal((key + "_max_ms").c_str(), static_cast<double>(ns.max()) / 1e6);
    }
    std::string line() const { return "{" + out_ + "}"; }

  private:
    void raw(const char* key, const std::string& value) {
        out_ += (out_.empty() ? "\"" : ",\"") + std::string(key) + "\":" + value;
    }
    std::string out_;
};

RunReport LoadRun::report() const {
    using Mode = LoadOptions::Mode;
    std::uint64_t lost = 0;
    unsigned producer = 0;
    for (const Client* client : pumped_)
        lost += run_.copies == 0 ? 0 : run_.ledger.missing(producer++, client->sent());
    if (options_.drain > 0) lost = run_.sent - std::min(run_.sent, run_.ledger.fresh());
    const std::uint64_t unconfirmed =
        options_.receipts && options_.drain == 0 ? run_.sent - run_.confirmed : 0;
    const std::uint64_t received = run_.ledger.fresh();
    const std::uint64_t done = run_.copies == 0 ? run_.confirmed : received;
    const double seconds =
        run_.start == 0 ? 0
                        : static_cast<double>(run_.last - std::min(run_.last, run_.start)) / 1e9;
    const bool ordered = options_.mode == Mode::send ||
                         (options_.mode == Mode::transaction && options_.sessions == 1);

    JsonLine json;
    json.text("mode", options_.mode == Mode::send          ? "send"
                      : options_.mode == Mode::transaction ? "transaction"
                                                           : "request-reply");
    json.whole("sent", run_.sent);
    json.whole("confirmed", run_.confirmed);
    json.whole("received", received);
    json.whole("lost", lost);
    json.whole("duplicates", run_.ledger.duplicates());
    if (ordered) json.whole("out_of_order", run_.ledger.outOfOrder());
    if (options_.delayMs > 0) json.whole("early", run_.early);
    if (run_.foreign != 0) json.whole("foreign", run_.foreign);
    json.decimal("seconds", seconds);
    json.decimal("msgs_per_s", seconds > 0 ? static_cast<double>(done) / seconds : 0);
    json.latency(options_.mode == Mode::requestReply ? "round_trip" : "confirm", run_.confirmNs);
    json.latency("e2e", run_.endToEndNs);
    if (seconds > 0)
        json.decimal("client_cpu_share",
                     static_cast<double>(ownAfter_.cpuUs - ownBefore_.cpuUs) / 1e6 / seconds);
    if (options_.serverPid != 0) {
        const double cpuUs =
            static_cast<double>(after_.cpuUs - std::min(after_.cpuUs, before_.cpuUs));
        if (done > 0) json.decimal("server_cpu_us_per_msg", cpuUs / static_cast<double>(done));
        json.decimal("server_rss_mib", static_cast<double>(after_.rssBytes) / (1 << 20));
    }
    if (options_.idle > 0) json.whole("connections_idle", options_.idle);
    if (!run_.failure.empty()) json.text("error", run_.failure);

    RunReport report{json.line(), 0};
    if (lost + unconfirmed + run_.ledger.duplicates() != 0) report.exitCode = 1;
    if (!run_.failure.empty()) report.exitCode = 3;
    return report;
}

}  // namespace

RunReport runLoad(const LoadOptions& options) {
    return LoadRun(options).go();
}

}  // namespace busbar::bench
