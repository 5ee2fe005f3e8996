#include "bench/load_clients.h"

#include <algorithm>

namespace busbar::bench {

using namespace std::string_view_literals;
namespace {

constexpr unsigned kOpenLoopWindow = 1U << 16;
constexpr unsigned kSessionPrefetch = 10;

std::string sendHeaders(const RunState& run, const std::string& destination) {
    return "destination:" + destination + "\n" +
           (run.options.persistent ? "persistent:true\n" : "") + run.sharedHeaders();
}

std::string replyQueue(const RunState& run, unsigned number) {
    return run.destination(number, "reply");
}

std::string producerHeaders(const RunState& run, unsigned number) {
    std::string headers = sendHeaders(run, run.destination(number % run.options.queues));
    if (run.options.mode == LoadOptions::Mode::requestReply)
        headers += "reply-to:" + replyQueue(run, number) + "\n";
    if (run.options.delayMs > 0)
        headers += "AMQ_SCHEDULED_DELAY:" + std::to_string(run.options.delayMs) + "\n";
    return headers;
}

/// The share of producer `number` of what all send together.
std::uint64_t quotaOf(const LoadOptions& o, unsigned number) {
    return o.messages == 0 ? UINT64_MAX
                           : o.messages / o.producers + (number < o.messages % o.producers ? 1 : 0);
}

}  // namespace

Producer::Producer(RunState& run, std::unique_ptr<Stream> stream, unsigned number)
    : Client(run, std::move(stream)),
      number_(number),
      block_(producerHeaders(run, number), run.options.size, run.options.receipts,
             run.options.keys),
      quota_(quotaOf(run.options, number)),
      sentNs_(run.options.rate > 0 ? kOpenLoopWindow : run.options.window) {}

void Producer::onConnected() {
    if (requester())
        subscribe(replyQueue(run(), number_), "auto", options().prefetch);
    else
        setReady();
}

bool Producer::exhausted() const {
    return sent_ >= quota_ || (options().messages == 0 &&
                               (options().rate > 0 ? intendedNs(sent_) : run().now) >= run().stop);
}

std::uint64_t Producer::intendedNs(std::uint64_t sequence) const {
    const double spacing =
        1e9 / options().rate;  // of all producers together; each has its own phase
    return run().start +
           static_cast<std::uint64_t>(
               spacing * (static_cast<double>(sequence) * options().producers + number_));
}

std::uint64_t Producer::due() const {
    return options().rate > 0 && !exhausted() ? intendedNs(sent_) : UINT64_MAX;
}

std::uint64_t Producer::allowed() {
    if (exhausted()) return 0;
    std::uint64_t count = std::min<std::uint64_t>(block_.slots(), quota_ - sent_);
    if (answered()) count = std::min(count, sentNs_.size() - (sent_ - confirmed_));
    if (options().rate > 0) {
        std::uint64_t dueNow = 0;
        while (dueNow < count && intendedNs(sent_ + dueNow) <= run().now) ++dueNow;
        return dueNow;
    }
    return std::min(count, run().room());
}

void Producer::send() {
    while (block_.rest().empty()) {
        const auto count = static_cast<unsigned>(allowed());
        if (count == 0) return;
        const std::uint64_t now = nowNs();
        for (unsigned slot = 0; slot < count; ++slot) {
            const std::uint64_t time = options().rate > 0 ? intendedNs(sent_) : now;
            block_.fill(slot, Stamp{run().id, number_, sent_, time});
            if (answered()) sentNs_[sent_ % sentNs_.size()] = time;
            ++sent_;
        }
        run().sent += count;
        block_.launch(count);
        if (!writeOwn()) return;
    }
}

bool Producer::writeOwn() {
    while (!block_.rest().empty()) {
        const long put = stream().writeDirect(block_.rest());
        if (put < 0) broken("connection lost while sending");
        if (put <= 0) return false;
        block_.wrote(static_cast<std::size_t>(put));
    }
    return true;
}

void Producer::confirm(std::uint64_t sequence) {
    if (sequence >= sent_ || confirmed_ == sent_) return;  // no answer to anything of ours
    run().confirmNs.record(run().now - std::min(run().now, sentNs_[sequence % sentNs_.size()]));
    ++confirmed_;
    ++run().confirmed;
    run().last = run().now;
}

void Producer::onReceipt(std::string_view receipt) {
    if (receipt == "subscribed")
        setReady();
    else
        confirm(SendBlock::receiptNumber(receipt));
}

void Producer::onMessage(const Frame& frame) {
    Stamp stamp;
    if (run().arrived(0, frame.body) && readStamp(frame.body, stamp)) confirm(stamp.sequence);
}

Consumer::Consumer(RunState& run, std::unique_ptr<Stream> stream, unsigned number,
                   std::string destination)
    : Client(run, std::move(stream)),
      number_(number),
      destination_(std::move(destination)),
      acks_(run.options.ack != "auto") {}

void Consumer::onConnected() {
    const unsigned keys = options().keys;
    subscribe(destination_, options().ack, options().prefetch,
              keys == 0 ? std::string()
                        : "selector:key = '" + SendBlock::keyText(number_ % keys) + "'\n");
}

void Consumer::onReceipt(std::string_view) {
    setReady();
}

void Consumer::onMessage(const Frame& frame) {
    run().arrived(number_, frame.body);
    if (!acks_) return;
    // After the time is up each one is acknowledged: few are left when the count is no multiple.
    if (++unacknowledged_ < options().ackEvery && run().now < run().stop) return;
    unacknowledged_ = 0;
    stream().out().append("ACK\nid:").append(frame.id).append("\n\n\0"sv);
}

Responder::Responder(RunState& run, std::unique_ptr<Stream> stream, unsigned number)
    : Client(run, std::move(stream)), number_(number) {}

void Responder::onConnected() {
    subscribe(run().destination(number_ % options().queues), "auto", options().prefetch);
}

void Responder::onMessage(const Frame& frame) {
    if (frame.replyTo.empty()) return broken("a request came without reply-to");
    stream().out().append("SEND\ndestination:").append(frame.replyTo).append("\n");
    if (options().persistent) stream().out().append("persistent:true\n");
    stream()
        .out()
        .append("content-length:")
        .append(std::to_string(frame.body.size()))
        .append("\n\n")
        .append(frame.body)
        .push_back('\0');
}

TransactionSession::TransactionSession(RunState& run, std::unique_ptr<Stream> stream)
    : Client(run, std::move(stream)),
      sendHeaders_("SEND\n" + sendHeaders(run, run.destination(0, "out"))) {}

void TransactionSession::onConnected() {
    subscribe(run().destination(0), "client-individual", kSessionPrefetch);
}

void TransactionSession::onMessage(const Frame& frame) {
    if (begunNs_ == 0) return move(frame.id, frame.body);
    waiting_.push_back({std::string(frame.id), std::string(frame.body)});
}

void TransactionSession::move(std::string_view ack, std::string_view body) {
    begunNs_ = run().now;
    const std::string transaction = "transaction:t" + std::to_string(++transaction_) + "\n";
    std::string& out = stream().out();
    out.append("BEGIN\n").append(transaction).append("\n\0"sv);
    out.append("ACK\nid:").append(ack).append("\n").append(transaction).append("\n\0"sv);
    out.append(sendHeaders_)
        .append(transaction)
        .append("content-length:")
        .append(std::to_string(body.size()))
        .append("\n\n");
    out.append(body).push_back('\0');
    out.append("COMMIT\n").append(transaction).append("receipt:commit\n\n\0"sv);
}

void TransactionSession::onReceipt(std::string_view receipt) {
    if (receipt != "commit") return setReady();
    run().confirmNs.record(run().now - begunNs_);
    run().last = run().now;
    begunNs_ = 0;
    if (waiting_.empty()) return;
    const Waiting next = std::move(waiting_.front());
    waiting_.pop_front();
    move(next.ack, next.body);
}

}  // namespace busbar::bench
