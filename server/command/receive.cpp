// `busbar receive`
#include "adapters/http/parameters.h"
#include "server/command/messages.h"

#include <chrono>
#include <ostream>
#include <thread>

namespace busbar::command {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::uint64_t kBatch = 100;
constexpr Milliseconds kWaitAtATime{20'000};
constexpr Milliseconds kLookAgain{200};

void writeHeaders(const JsonView& message, std::ostream& out) {
    for (const auto& [name, value] : message.members()) {
        if (name == "body" || name == "lease" || name == "properties" || name == "bodyEncoding")
            continue;
        if (name == "timestamp" || name == "expiration" || name == "deliverAt") {
            out << name << ": " << readableDate(static_cast<std::int64_t>(value.number())) << "\n";
        } else {
            out << name << ": " << value.text() << "\n";
        }
    }
    for (const auto& [name, value] : message["properties"].members()) {
        out << "property " << name << ": " << value["value"].text() << "\n";
    }
    out << "\n";
}

void writeMessage(const JsonView& message, const Invocation& invocation, std::ostream& out) {
    if (invocation.json()) {
        out << message.raw() << "\n";
        return;
    }
    if (invocation.has("headers")) writeHeaders(message, out);
    const auto body = bodyOf(message);
    out << body;
    if (!body.ends_with('\n') && !invocation.has("raw")) out << "\n";
}

/// Takes messages, prints each, and only then acknowledges it.
class Receiver {
  public:
    Receiver(BusClient& bus, const Invocation& invocation, Surroundings& surroundings)
        : bus_(bus),
          invocation_(invocation),
          out_(surroundings.out),
          queue_(invocation.argument(0)),
          max_(invocation.number("max", 1)),
          wait_(invocation.duration("wait", Milliseconds(0))) {}

    Result<std::uint64_t> take() {
        auto until = Clock::now() + wait_;
        while (wanted() > 0) {
            const auto left = std::chrono::duration_cast<Milliseconds>(until - Clock::now());
            const auto wait = std::clamp(left, Milliseconds(0), kWaitAtATime);
            const auto batch = bus_.json(
                "GET",
                queuePath(queue_, "/messages?max=" + std::to_string(std::min(kBatch, wanted())) +
                                      "&wait=" + std::to_string(wait.count()) + "ms" +
                                      (invocation_.has("one-group") ? "&oneGroup=true" : "") +
                                      selector()),
                wait + Milliseconds(30'000));
            if (!batch && batch.error().code == ErrorCode::notFound && left > Milliseconds(0)) {
                std::this_thread::sleep_for(kLookAgain);  // somebody may make it yet
                continue;
            }
            if (!batch) return batch.error();
            if (batch->elements().empty()) {
                if (left <= wait) break;
                continue;
            }
            if (auto done = settle(batch->elements()); !done) return done.error();
            until = Clock::now() + wait_;
        }
        return count_;
    }

    /// --keep: as they are, what others hold or what is delayed left out.
    Result<std::uint64_t> look() {
        const auto until = Clock::now() + wait_;
        while (true) {
            auto done = browseQueue(
                bus_, queue_, 0,
                [&](const JsonView& message) {
                    if (message["held"].boolean()) return true;
                    writeMessage(message, invocation_, out_);
                    ++count_;
                    return wanted() > 0;
                },
                browseFilter(invocation_));
            if (!done && done.error().code != ErrorCode::notFound) return done.error();
            if (!done && wait_ == Milliseconds(0)) return done.error();
            if (count_ > 0 || Clock::now() >= until) return count_;
            std::this_thread::sleep_for(kLookAgain);
        }
    }

  private:
    std::string selector() const {
        const auto text = invocation_.text("selector");
        return text.empty() ? std::string() : "&selector=" + http::encodeSegment(text);
    }
    std::uint64_t wanted() const { return max_ == 0 ? kBatch : max_ - count_; }

    Result<void> settle(const std::vector<JsonView>& messages) {
        for (const auto& message : messages) {
            if (out_) writeMessage(message, invocation_, out_);
            out_.flush();
            const bool printed = bool(out_);
            auto reply = bus_.request(
                printed ? "DELETE" : "POST",
                queuePath(queue_, "/leases/" + message["lease"].text() + (printed ? "" : "/nack")));
            if (!reply) return reply.error();
            if (!reply->ok()) return bus_.errorOf(*reply);
            if (printed) ++count_;
        }
        if (!out_)
            return {ErrorCode::closed, "the output could not be written: the message went back"};
        return {};
    }

    BusClient& bus_;
    const Invocation& invocation_;
    std::ostream& out_;
    const std::string queue_;
    const std::uint64_t max_;
    const Milliseconds wait_;
    std::uint64_t count_ = 0;
};

Result<int> runReceive(const Invocation& invocation, Surroundings& surroundings) {
    auto bus = BusClient::connect(invocation, surroundings);
    if (!bus) return bus.error();
    Receiver receiver(*bus, invocation, surroundings);
    const auto count = invocation.has("keep") ? receiver.look() : receiver.take();
    if (!count) return count.error();
    if (*count == 0 && !invocation.json()) {
        surroundings.err << "no message"
                         << (invocation.has("wait") ? "" : " (--wait SECONDS waits for one)")
                         << "\n";
    }
    return kOk;
}

}  // namespace

Command receiveCommand() {
    using Kind = Option::Kind;
    Command command;
    command.name = "receive";
    command.arguments = "QUEUE";
    command.summary = "Takes messages: prints each body, then acknowledges it";
    command.details =
        "A message is off the queue once it is printed; if the output breaks, it goes back.\n"
        "With --json one message is one line. Exits 0 also where there was none.";
    command.examples =
        "busbar receive orders\n"
        "busbar receive orders --wait 60 --headers\n"
        "busbar receive orders --max 0 --json > orders.jsonl      all there is\n"
        "busbar receive orders --keep                             look, take nothing";
    command.argumentsMin = command.argumentsMax = 1;
    command.options = {
        {"max", "N", "at most N messages (1); 0: until there is none", Kind::number, 0,
         1'000'000'000},
        {"wait", "TIME", "wait this long for each: 10, 500ms, 5m (0)", Kind::duration},
        {"selector", "TEXT", "only messages for which this is true (docs/selectors.md)",
         Kind::text},
        {"one-group", "", "messages of one group only: of the next that nobody has"},
        {"keep", "", "leave them on the queue, untouched"},
        {"headers", "", "headers and properties before each body"},
        {"raw", "", "the bodies' bytes only, no line end added"}};
    command.run = runReceive;
    return command;
}

}  // namespace busbar::command
