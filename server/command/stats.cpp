// `busbar stats`
#include "adapters/http/parameters.h"
#include "server/command/bus_client.h"
#include "server/command/table.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <map>
#include <ostream>
#include <thread>

namespace busbar::command {
namespace {

struct Counts {
    std::uint64_t in = 0;
    std::uint64_t out = 0;
};
using Before = std::map<std::string, Counts>;

std::string titleOf(const JsonView& queue) {
    const auto kind = queue["kind"].text();
    return queue["name"].text() + (kind == "queue" || kind.empty() ? "" : " (" + kind + ")");
}

std::string ageOf(const JsonView& queue) {
    return queue["depth"].number() == 0
               ? "-"
               : readableTime(
                     Milliseconds(static_cast<std::int64_t>(queue["oldestAgeMs"].number())));
}

std::string rateOf(const JsonView& queue, const char* field) {
    const double rate = std::strtod(queue[field].text().c_str(), nullptr);
    return readableCount(static_cast<std::uint64_t>(std::llround(rate)));
}

/// How long until nothing waits, if all goes on as it does.
std::string drainOf(const JsonView& queue) {
    if (queue["waiting"].number() == 0) return "-";
    if (queue["drainSeconds"].isNull()) return "never";
    const double seconds = std::strtod(queue["drainSeconds"].text().c_str(), nullptr);
    constexpr double kLongest = 1e9;
    return readableTime(Milliseconds(static_cast<std::int64_t>(std::min(seconds, kLongest) * 1e3)));
}

std::string perSecond(std::uint64_t now, std::uint64_t before, double seconds) {
    if (seconds <= 0 || now < before) return "-";
    return readableCount(
        static_cast<std::uint64_t>(std::llround(static_cast<double>(now - before) / seconds)));
}

std::string overview(const JsonView& answer, const Before* before, double seconds) {
    std::vector<Table::Column> columns{{"QUEUE"},         {"DEPTH", true},     {"HELD", true},
                                       {"DELAYED", true}, {"CONSUMERS", true}, {"IN", true},
                                       {"OUT", true},     {"DEAD", true},      {"LOST", true},
                                       {"SIZE", true},    {"OLDEST", true},    {"DRAINED", true}};
    if (before) columns.insert(columns.end(), {{"IN/S", true}, {"OUT/S", true}});
    Table table(std::move(columns));
    std::uint64_t depth = 0;
    const auto& queues = answer["queues"].elements();
    for (const auto& queue : queues) {
        depth += queue["depth"].number();
        std::vector<std::string> row{titleOf(queue)};
        for (const char* field : {"depth", "held", "delayed", "consumers", "in", "out", "dead"}) {
            row.push_back(readableCount(queue[field].number()));
        }
        row.push_back(readableCount(queue["dropped"].number() + queue["evicted"].number()));
        row.push_back(readableBytes(queue["bytes"].number()));
        row.push_back(ageOf(queue));
        row.push_back(drainOf(queue));
        if (before) {
            const auto at = before->find(queue["name"].text());
            const Counts was = at == before->end() ? Counts{} : at->second;
            row.push_back(perSecond(queue["in"].number(), was.in, seconds));
            row.push_back(perSecond(queue["out"].number(), was.out, seconds));
        }
        table.add(std::move(row));
    }
    if (queues.empty()) return "no queues yet: busbar send QUEUE TEXT makes one\n";
    return table.text() + counted(queues.size(), "queue") + ", " + counted(depth, "message") + "\n";
}

std::string oneQueue(const JsonView& queue) {
    std::string out;
    const auto line = [&](std::string name, const std::string& value) {
        name.resize(20, ' ');
        out += name + value + "\n";
    };
    line("queue", titleOf(queue));
    for (const char* field :
         {"depth", "held", "delayed", "parked", "consumers", "groups", "in", "out", "expired",
          "dead", "purged", "moved", "evicted", "dropped", "redelivered"}) {
        line(field, readableCount(queue[field].number()));
    }
    line("blocked", readableCount(queue["blockedSends"].number()) + " sends");
    line("size", readableBytes(queue["bytes"].number()));
    line("in memory", readableBytes(queue["inMemory"].number()));
    if (!queue["activeConsumer"].isNull()) {
        line("active", "consumer " + queue["activeConsumer"].text() + ", fencing token " +
                           queue["fencingToken"].text());
    }
    for (const auto& [name, value] : queue["options"].members())
        line(name, std::string(value.raw()));
    line("waiting", readableCount(queue["waiting"].number()) + ", " +
                        readableBytes(queue["waitingBytes"].number()));
    line("oldest", ageOf(queue));
    line("a second", rateOf(queue, "inRate") + " in, " + rateOf(queue, "outRate") + " out");
    line("drained in", drainOf(queue));
    return out;
}

Before countsOf(const JsonView& answer) {
    Before out;
    for (const auto& queue : answer["queues"].elements()) {
        out[queue["name"].text()] = {queue["in"].number(), queue["out"].number()};
    }
    return out;
}

Result<int> runStats(const Invocation& invocation, Surroundings& surroundings) {
    auto bus = BusClient::connect(invocation, surroundings);
    if (!bus) return bus.error();
    const auto name = invocation.argument(0);
    const std::string path =
        "/api/v1/queues" + (name.empty() ? "" : "/" + http::encodeSegment(name));
    const auto every = invocation.duration("watch", Milliseconds(0));
    Before before;
    auto last = std::chrono::steady_clock::now();
    for (bool first = true;; first = false) {
        const auto answer = bus->json("GET", path);
        if (!answer) return answer.error();
        const auto now = std::chrono::steady_clock::now();
        const std::chrono::duration<double> passed = now - std::exchange(last, now);
        if (surroundings.outIsTerminal && every.count() > 0) surroundings.out << "\x1b[H\x1b[2J";
        if (invocation.json())
            surroundings.out << answer->raw() << "\n";
        else if (!name.empty())
            surroundings.out << oneQueue(*answer);
        else
            surroundings.out << overview(*answer, first ? nullptr : &before, passed.count());
        surroundings.out.flush();
        if (every.count() == 0 || !surroundings.out) return kOk;
        before = countsOf(*answer);
        std::this_thread::sleep_for(every);
    }
}

}  // namespace

Command statsCommand() {
    Command command;
    command.name = "stats";
    command.arguments = "[QUEUE]";
    command.summary = "Shows queues: how deep, who consumes, what came and went";
    command.details =
        "IN and OUT count since the bus started. HELD: handed out, not acknowledged.\n"
        "LOST: dropped for a subscriber that was too far behind, or evicted to make room.\n"
        "DRAINED: in how long nothing waits any more, by the rates of the last minute.";
    command.examples =
        "busbar stats\nbusbar stats orders\nbusbar stats --watch 2\n"
        "busbar stats --json | jq '.queues[] | select(.depth > 1000) | .name'";
    command.argumentsMax = 1;
    command.options = {{"watch", "TIME", "again every TIME, with rates, until Ctrl-C",
                        Option::Kind::duration, 0, 86'400'000}};
    command.run = runStats;
    return command;
}

}  // namespace busbar::command
