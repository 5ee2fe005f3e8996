// `busbar dlq ...`
#include "adapters/http/json.h"
#include "server/command/messages.h"
#include "server/command/operations.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <ostream>
#include <sstream>

namespace busbar::command {
namespace {

constexpr std::array<std::string_view, 3> kPrefixes{"DLQ.", "EXPIRED.", "INVALID."};

std::string_view prefixOf(std::string_view queue) {
    for (const auto prefix : kPrefixes) {
        if (queue.starts_with(prefix)) return prefix;
    }
    return {};
}

/// The dead letters of `queue`; a name that is one of them already stays.
std::string deadLettersOf(const std::string& queue) {
    return prefixOf(queue).empty() ? "DLQ." + queue : queue;
}

/// "no queue 'DLQ.x'" is true but does not help.
Error explained(Error error, const std::string& queue) {
    if (error.code == ErrorCode::notFound) {
        error.text =
            "there is no '" + queue +
            "': nothing of that queue was dead-lettered ('busbar dlq list' shows what was)";
    }
    return error;
}

Result<int> runList(const Invocation& invocation, Surroundings& surroundings) {
    auto bus = BusClient::connect(invocation, surroundings);
    if (!bus) return bus.error();
    const auto answer = bus->json("GET", "/api/v1/queues");
    if (!answer) return answer.error();
    Table table({{"QUEUE"}, {"MESSAGES", true}, {"SIZE", true}, {"OLDEST", true}});
    std::string json;
    for (const auto& queue : (*answer)["queues"].elements()) {
        const auto name = queue["name"].text();
        if (prefixOf(name).empty()) continue;
        json += (json.empty() ? "" : ",") + std::string(queue.raw());
        if (queue["depth"].number() == 0) continue;
        table.add(
            {name, readableCount(queue["depth"].number()), readableBytes(queue["bytes"].number()),
             readableTime(Milliseconds(static_cast<std::int64_t>(queue["oldestAgeMs"].number())))});
    }
    if (invocation.json())
        surroundings.out << "{\"queues\":[" << json << "]}\n";
    else
        surroundings.out << (table.empty() ? "no dead letters\n" : table.text());
    return kOk;
}

Result<int> runBrowse(const Invocation& invocation, Surroundings& surroundings) {
    auto bus = BusClient::connect(invocation, surroundings);
    if (!bus) return bus.error();
    const auto queue = deadLettersOf(invocation.argument(0));
    Table table({{"ID"}, {"FROM"}, {"DIED (UTC)"}, {"TRIES", true}, {"REASON"}, {"BODY"}});
    const auto done = browseQueue(
        *bus, queue, invocation.number("max", 20),
        [&](const JsonView& message) {
            if (invocation.json()) {
                surroundings.out << message.raw() << "\n";
                return bool(surroundings.out);
            }
            const auto text = propertyOf(message, "BusbarText");
            const auto time = propertyOf(message, "BusbarTime");
            table.add({message["id"].text(), propertyOf(message, "BusbarOrigin"),
                       readableDate(time.empty() ? 0 : std::strtoll(time.c_str(), nullptr, 10)),
                       propertyOf(message, "BusbarDeliveryCount"),
                       propertyOf(message, "BusbarReason") +
                           (text.empty() ? "" : ": " + oneLine(text, 60)),
                       bodyPreview(message, 40)});
            return true;
        },
        browseFilter(invocation));
    if (!done) return explained(done.error(), queue);
    if (!invocation.json())
        surroundings.out << (table.empty() ? "no dead letters\n" : table.text());
    return kOk;
}

/// BusbarHistory has each failure on a line: ms since 1970, text.
void printHistory(const JsonView& message, std::ostream& out) {
    std::istringstream history(propertyOf(message, "BusbarHistory"));
    for (std::string line; std::getline(history, line);) {
        char* text = nullptr;
        const auto time = std::strtoll(line.c_str(), &text, 10);
        out << "  failed   " << readableDate(time) << " " << oneLine(text, 200) << "\n";
    }
}

void printDeadLetter(const JsonView& message, std::ostream& out) {
    const auto time = propertyOf(message, "BusbarTime");
    const auto returns = propertyOf(message, "BusbarReturns");
    out << message["id"].text() << " (position " << message["position"].text() << ")\n";
    out << "  from     " << propertyOf(message, "BusbarOrigin") << "\n";
    out << "  died     " << readableDate(time.empty() ? 0 : std::strtoll(time.c_str(), nullptr, 10))
        << " after " << propertyOf(message, "BusbarDeliveryCount") << " deliveries\n";
    out << "  reason   " << propertyOf(message, "BusbarReason") << ": "
        << oneLine(propertyOf(message, "BusbarText"), 200) << "\n";
    if (!returns.empty()) out << "  retried  " << returns << " times before\n";
    printHistory(message, out);
    out << "  body     " << bodyPreview(message, 200) << "\n";
}

Result<int> runShow(const Invocation& invocation, Surroundings& surroundings) {
    auto bus = BusClient::connect(invocation, surroundings);
    if (!bus) return bus.error();
    const auto queue = deadLettersOf(invocation.argument(0));
    bool any = false;
    const auto done = browseQueue(
        *bus, queue, invocation.number("max", 20),
        [&](const JsonView& message) {
            if (invocation.json())
                surroundings.out << message.raw() << "\n";
            else
                printDeadLetter(message, surroundings.out);
            any = true;
            return bool(surroundings.out);
        },
        browseFilter(invocation));
    if (!done) return explained(done.error(), queue);
    if (!any && !invocation.json()) surroundings.out << "no dead letters\n";
    return kOk;
}

Result<int> runRetry(const Invocation& invocation, Surroundings& surroundings) {
    auto bus = BusClient::connect(invocation, surroundings);
    if (!bus) return bus.error();
    const auto queue = deadLettersOf(invocation.argument(0));
    const auto moved = moveMessages(*bus, invocation, queue, "move", {});
    if (!moved) return explained(moved.error(), queue);
    return printCount(
        invocation, surroundings, *moved,
        counted((*moved)["count"].number(), "message") + " put back to where they came from");
}

Result<int> runPurge(const Invocation& invocation, Surroundings& surroundings) {
    const auto queue = deadLettersOf(invocation.argument(0));
    auto purged = purgeQueue(invocation, surroundings, queue);
    if (!purged) return explained(purged.error(), queue);
    return purged;
}

Command command(std::string_view name, std::string_view summary, std::string_view examples,
                Command::Run run) {
    Command made = makeCommand(name, "QUEUE", {1, 1}, summary, examples, run);
    made.details =
        "QUEUE is the queue that the messages came from, or the dead letters' own (DLQ.orders).";
    return made;
}

}  // namespace

std::vector<Command> deadLetterCommands() {
    const std::vector<Option> look{
        {"max", "N", "at most N (20); 0: all", Option::Kind::number, 0, 0xFFFF'FFFF},
        {"selector", "TEXT", "only messages for which this is true (docs/selectors.md)",
         Option::Kind::text}};
    auto list =
        command("dlq list", "Shows which queues have dead letters", "busbar dlq list", runList);
    list.arguments = {};
    list.argumentsMin = list.argumentsMax = 0;
    list.details =
        "Dead letters of queue N are on DLQ.N, expired ones on EXPIRED.N, invalid ones on "
        "INVALID.N.";
    auto browse =
        command("dlq browse", "Shows dead letters and why they died",
                "busbar dlq browse orders\nbusbar dlq browse orders --max 0 --json", runBrowse);
    browse.options = look;
    auto show =
        command("dlq show", "Shows dead letters in full, with the history of their failures",
                "busbar dlq show orders --max 1", runShow);
    show.options = look;
    auto retry =
        command("dlq retry", "Puts dead letters back to where they came from",
                "busbar dlq retry orders\nbusbar dlq retry orders --max 1\n"
                "busbar dlq retry orders --selector \"BusbarText LIKE '%timeout%'\" --rate 10",
                runRetry);
    retry.options = selectionOptions();
    auto purge =
        command("dlq purge", "Deletes dead letters", "busbar dlq purge orders --yes", runPurge);
    purge.options = selectionOptions();
    purge.options.push_back(yesOption());
    return {list, browse, show, retry, purge};
}

}  // namespace busbar::command
