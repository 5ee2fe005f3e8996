// `busbar send`
#include "adapters/http/json.h"
#include "adapters/http/parameters.h"
#include "bus/base/utf8.h"
#include "server/command/bus_client.h"
#include "server/command/progress.h"
#include "server/command/table.h"

#include <algorithm>
#include <atomic>
#include <cctype>
#include <fstream>
#include <iostream>
#include <iterator>
#include <mutex>
#include <thread>

namespace busbar::command {
namespace {

constexpr std::uint64_t kManyMessages = 1000;  ///< from here on several connections, and progress
constexpr std::size_t kConnections = 8;

std::string readAll(std::istream& in) {
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

Result<std::string> bodyOf(const Invocation& invocation, Surroundings& surroundings) {
    const auto path = invocation.text("file");
    if (path.empty()) {
        const auto text = invocation.argument(1);
        return text == "-" ? readAll(surroundings.in) : text;
    }
    std::ifstream file(path, std::ios::binary);
    if (file.peek(); !file && !file.eof()) return {ErrorCode::notFound, "cannot read " + path};
    return readAll(file);
}

std::string contentTypeOf(const Invocation& invocation, const std::string& body) {
    const auto path = invocation.text("file");
    if (path.ends_with(".json")) return "application/json";
    if (path.ends_with(".xml")) return "application/xml";
    return isUtf8(body) ? "text/plain; charset=utf-8" : "application/octet-stream";
}

bool isHeaderText(const std::string& text) {
    return std::none_of(text.begin(), text.end(), [](char c) {
        return static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) == 0x7f;
    });
}

bool isPropertyName(const std::string& text) {
    return !text.empty() && std::isdigit(static_cast<unsigned char>(text[0])) == 0 &&
           std::all_of(text.begin(), text.end(), [](char c) {
               return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '$' ||
                      c == '-' || c == '.';
           });
}

/// invalidArgument is a usage error.
Result<BusClient::Headers> headersOf(const Invocation& invocation) {
    BusClient::Headers headers;
    static constexpr std::pair<const char*, const char*> kRows[] = {
        {"priority", "X-Priority"}, {"correlation-id", "X-Correlation-Id"},
        {"reply-to", "X-Reply-To"}, {"content-type", "Content-Type"},
        {"group", "X-Group-Id"},    {"type", "X-Message-Type"}};
    for (const auto& [option, header] : kRows) {
        if (!invocation.has(option)) continue;
        headers.emplace_back(header, invocation.text(option));
    }
    if (invocation.has("delay")) {
        headers.emplace_back("X-Delay-Ms",
                             std::to_string(invocation.duration("delay", {}).count()));
    }
    if (invocation.has("ttl")) {
        headers.emplace_back("X-Expires-Ms",
                             std::to_string(invocation.duration("ttl", {}).count()));
    }
    for (const auto& [option, header] :
         {std::pair{"cron", "X-Cron"}, std::pair{"zone", "X-Cron-Zone"}}) {
        if (invocation.has(option)) headers.emplace_back(header, invocation.text(option));
    }
    if (invocation.has("every")) {
        headers.emplace_back("X-Period-Ms",
                             std::to_string(invocation.duration("every", {}).count()));
    }
    if (invocation.has("times")) {
        headers.emplace_back("X-Repeat", std::to_string(invocation.number("times", 1) - 1));
    }
    if (invocation.has("transient")) headers.emplace_back("X-Persistent", "false");
    for (const auto& property : invocation.all("property")) {
        const auto equals = property.find('=');
        const auto name = property.substr(0, equals);
        if (equals == property.npos || !isPropertyName(name)) {
            return {ErrorCode::invalidArgument,
                    "--property " + oneLine(property, 60) +
                        ": expected NAME=VALUE, NAME of letters, digits, _ $ - ."};
        }
        headers.emplace_back("X-Property-" + name, property.substr(equals + 1));
    }
    for (const auto& [header, value] : headers) {
        if (isHeaderText(value)) continue;
        return {ErrorCode::invalidArgument,
                header + ": line ends and control characters cannot be sent here"};
    }
    return headers;
}

/// One message, or many over several connections at a time.
class Sender {
  public:
    Sender(Target target, std::string path, BusClient::Headers headers, std::string body,
           std::string key, std::uint64_t count)
        : target_(std::move(target)),
          path_(std::move(path)),
          headers_(std::move(headers)),
          body_(std::move(body)),
          key_(std::move(key)),
          count_(count) {}

    void run(Progress& progress) {
        const std::size_t threads = count_ < kManyMessages ? 1 : kConnections;
        if (threads == 1) return work(progress, true);
        std::vector<std::jthread> others;
        for (std::size_t i = 1; i < threads; ++i) {
            others.emplace_back([&] { work(progress, false); });
        }
        work(progress, true);
    }

    std::uint64_t sent() const { return sent_; }
    std::uint64_t repeated() const { return repeated_; }
    const std::optional<Error>& error() const { return error_; }
    const std::string& lastId() const { return lastId_; }
    /// The number of the schedule that was made; 0: none was.
    std::uint64_t schedule() const { return schedule_; }

  private:
    void work(Progress& progress, bool first) {
        BusClient bus(target_);
        while (!stop_) {
            const auto number = next_++;
            if (number >= count_) return;
            one(bus, number);
            if (!first) continue;
            progress.show([&] {
                return readableCount(sent_) + " of " + readableCount(count_) + " sent (" +
                       std::to_string(sent_ * 100 / count_) + " %)";
            });
        }
    }

    void one(BusClient& bus, std::uint64_t number) {
        auto headers = headers_;
        if (!key_.empty()) {
            headers.emplace_back("Idempotency-Key",
                                 count_ == 1 ? key_ : key_ + "-" + std::to_string(number + 1));
        }
        const auto reply = bus.request("POST", path_, headers, body_);
        if (reply && reply->ok()) {
            ++sent_;
            if (reply->status == 200) ++repeated_;
            if (number + 1 != count_) return;
            const auto json = JsonView::parse(reply->body);
            if (json) lastId_ = (*json)["id"].text();
            if (json) schedule_ = static_cast<std::uint64_t>((*json)["schedule"].number());
            return;
        }
        stop_ = true;
        const std::lock_guard lock(mutex_);
        if (!error_) error_ = reply ? bus.errorOf(*reply) : reply.error();
    }

    const Target target_;
    const std::string path_;
    const BusClient::Headers headers_;
    const std::string body_;
    const std::string key_;
    const std::uint64_t count_;
    std::atomic<std::uint64_t> next_ = 0, sent_ = 0, repeated_ = 0;
    std::atomic<bool> stop_ = false;
    std::mutex mutex_;  // guards error_
    std::optional<Error> error_;
    std::uint64_t schedule_ = 0;
    std::string lastId_;  // both written by the one thread that sends the last message
};

void report(const Sender& sender, const Invocation& invocation, Surroundings& surroundings,
            std::chrono::duration<double> time) {
    const auto count = sender.sent();
    if (invocation.json()) {
        http::JsonWriter json;
        json.beginObject().key("sent").number(count).key("repeated").number(sender.repeated());
        json.key("lastId").string(sender.lastId());
        if (sender.schedule() > 0) json.key("schedule").number(sender.schedule());
        json.key("seconds").real(time.count()).endObject();
        surroundings.out << json.take() << "\n";
    } else if (count == 1 && sender.schedule() > 0) {
        surroundings.out << "schedule " << sender.schedule()
                         << (sender.repeated() > 0 ? " was made before\n" : " is made\n");
    } else if (count == 1) {
        surroundings.out << (sender.repeated() > 0 ? "was sent before as " : "sent ")
                         << sender.lastId() << "\n";
    } else {
        const auto rate = static_cast<double>(count) / std::max(time.count(), 1e-3);
        surroundings.out << "sent " << counted(count, "message") << " in "
                         << readableTime(
                                Milliseconds(static_cast<std::int64_t>(time.count() * 1e3)))
                         << " (" << readableCount(static_cast<std::uint64_t>(rate)) << " a second)";
        if (sender.repeated() > 0) {
            surroundings.out << "; " << readableCount(sender.repeated()) << " were known already";
        }
        surroundings.out << "\n";
    }
}

Result<int> runSend(const Invocation& invocation, Surroundings& surroundings) {
    const bool text = invocation.arguments.size() > 1;
    if (text == invocation.has("file")) {
        return usageError(invocation, surroundings,
                          text
                              ? "TEXT and --file are both given"
                              : "nothing to send: give TEXT, --file FILE, or - for standard input");
    }
    auto headers = headersOf(invocation);
    if (!headers) return usageError(invocation, surroundings, headers.error().text);
    const auto key = invocation.text("idempotency-key");
    if (!isHeaderText(key))
        return usageError(invocation, surroundings, "--idempotency-key must be one line");
    auto target = findTarget(invocation, surroundings);
    if (!target) return target.error();
    auto body = bodyOf(invocation, surroundings);
    if (!body) return body.error();
    if (!invocation.has("content-type")) {
        headers->emplace_back("Content-Type", contentTypeOf(invocation, *body));
    }
    const std::string path = (invocation.has("topic") ? "/topics/" : "/queues/") +
                             http::encodeSegment(invocation.argument(0)) + "/messages";
    Sender sender(std::move(*target), path, std::move(*headers), std::move(*body), key,
                  invocation.number("count", 1));
    const auto start = std::chrono::steady_clock::now();
    {
        Progress progress(surroundings);
        sender.run(progress);
    }
    if (sender.error()) {
        const auto already = sender.sent() == 0 ? ""
                                                : " (" + counted(sender.sent(), "message") +
                                                      " were sent before that)";
        return Error{sender.error()->code, sender.error()->text + already};
    }
    report(sender, invocation, surroundings, std::chrono::steady_clock::now() - start);
    return kOk;
}

}  // namespace

Command sendCommand() {
    using Kind = Option::Kind;
    Command command;
    command.name = "send";
    command.arguments = "QUEUE [TEXT|-]";
    command.summary = "Sends a message; returns once it is safe on disk";
    command.details =
        "The body is TEXT, the file of --file, or standard input for '-'. A repeat with the same\n"
        "--idempotency-key within the bus's dedup window (10 minutes) stores nothing.";
    command.examples =
        "busbar send orders 'hello'\n"
        "busbar send orders --file order.json --property region=eu --priority 9 --ttl 5m\n"
        "echo hello | busbar send prices - --topic\n"
        "busbar send load 'x' --count 100000\n"
        "busbar send reports 'make it' --cron '30 2 * * *' --zone Europe/Berlin\n"
        "busbar send orders 'order 17' --idempotency-key order-17";
    command.argumentsMin = 1;
    command.argumentsMax = 2;
    command.options = {
        {"topic", "", "publish to the topic of that name"},
        {"file", "FILE", "the body; .json and .xml set the content type", Kind::file},
        {"count", "N", "send it N times (above 999: over 8 connections, in no order)", Kind::number,
         1, 1'000'000'000},
        {"property", "NAME=VALUE", "a string property; may be repeated", Kind::text},
        {"priority", "0..9", "urgent ones first (4)", Kind::number, 0, 9},
        {"ttl", "TIME", "expires after this long: 30, 250ms, 5m", Kind::duration},
        {"delay", "TIME", "delivered after this long", Kind::duration},
        {"cron", "EXPR", "a copy of it is sent at each of these times: '0 3 * * 1-5', @daily",
         Kind::text},
        {"zone", "NAME", "time zone of --cron: Europe/Berlin (UTC)", Kind::text},
        {"every", "TIME", "a copy is sent this often, the first one after --delay or this",
         Kind::duration},
        {"times", "N", "copies of --every in all (no end), or at each time of --cron (1)",
         Kind::number, 1, 1'000'000'000},
        {"correlation-id", "ID", "JMSCorrelationID", Kind::text},
        {"reply-to", "QUEUE", "where answers go: a queue, or topic://NAME", Kind::text},
        {"content-type", "TYPE", "media type of the body", Kind::text},
        {"type", "TYPE", "JMSType", Kind::text},
        {"group", "ID", "JMSXGroupID: one consumer gets all of a group, in order", Kind::text},
        {"idempotency-key", "KEY",
         "a repeat with this key is not stored again (--count: KEY-1, KEY-2...)", Kind::text},
        {"transient", "", "not persistent: faster, lost when the bus stops"}};
    command.run = runSend;
    return command;
}

}  // namespace busbar::command
