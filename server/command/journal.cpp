// `busbar journal ...`: offline, on the files; backup also of a running bus.
#include "bus/store/journal/journal.h"

#include "adapters/http/json.h"
#include "server/command/bus_client.h"
#include "server/command/progress.h"
#include "server/command/table.h"

#include <filesystem>
#include <functional>
#include <ostream>
#include <thread>

namespace busbar::command {
namespace {

/// DIR may be the data directory or the journal's own. notFound where neither has a journal:
/// checking must not make one.
Result<std::string> journalDirectory(const Invocation& invocation,
                                     const Surroundings& surroundings) {
    std::string directory = invocation.argument(0);
    if (directory.empty()) directory = dataDirectory(invocation, surroundings);
    std::error_code ignored;
    if (std::filesystem::is_directory(directory + "/journal", ignored))
        return directory + "/journal";
    if (std::filesystem::exists(directory + "/lock", ignored)) return directory;
    for (const auto& file : std::filesystem::directory_iterator(directory, ignored)) {
        if (file.path().extension() == ".seg") return directory;  // a backup, not opened yet
    }
    return Error{ErrorCode::notFound,
                 "there is no journal in " + directory +
                     ": name the bus's data directory (--data DIR, or BUSBAR_DATA)"};
}

std::string jsonOf(const std::string& directory, const JournalReport& report) {
    http::JsonWriter json;
    json.beginObject().key("directory").string(directory).key("segments").number(report.segments);
    json.key("units").number(report.units).key("messagesLive").number(report.messagesLive);
    json.key("entriesLive").number(report.entriesLive).key("rowsLive").number(report.rowsLive);
    json.key("bytesLive")
        .number(report.bytesLive)
        .key("tornTailBytes")
        .number(report.tornTailBytes);
    json.key("damages").beginArray();
    for (const auto& damage : report.damages) {
        json.beginObject().key("file").string(damage.file).key("offset").number(damage.offset);
        json.key("what").string(damage.what).endObject();
    }
    json.endArray().endObject();
    return json.take() + "\n";
}

std::string textOf(const std::string& directory, const JournalReport& report) {
    std::string out = directory + ": " + counted(report.segments, "segment") + ", " +
                      counted(report.units, "unit") +
                      " of work\nlive: " + counted(report.messagesLive, "message") + " on " +
                      counted(report.entriesLive, "queue place") + ", " +
                      counted(report.rowsLive, "row") + ", " + readableBytes(report.bytesLive) +
                      "\n";
    if (report.tornTailBytes > 0) {
        out += "torn tail: " + counted(report.tornTailBytes, "byte") +
               " that were never confirmed (normal after a kill)\n";
    }
    if (report.damages.empty()) return out + "no damage\n";
    for (const auto& damage : report.damages) {
        out += "DAMAGE: " + damage.file + " at byte " + readableCount(damage.offset) + ": " +
               damage.what + "\n";
    }
    return out;
}

/// The share done, on a terminal.
std::function<void(double)> showing(Progress& progress, const std::string& what) {
    return [&progress, what](double share) {
        progress.show(
            [&] { return what + ": " + std::to_string(static_cast<int>(share * 100)) + " %"; });
    };
}

Result<int> runCheck(const Invocation& invocation, Surroundings& surroundings) {
    const auto directory = journalDirectory(invocation, surroundings);
    if (!directory) return directory.error();
    const auto files = makePosixFileSystem();
    Progress progress(surroundings);
    const auto report = checkJournal(*files, *directory, showing(progress, "checking"));
    if (!report) return report.error();
    surroundings.out << (invocation.json() ? jsonOf(*directory, *report)
                                           : textOf(*directory, *report));
    if (report->damages.empty()) return kOk;
    if (!invocation.json()) {
        surroundings.err
            << "busbar: the journal has " << counted(report->damages.size(), "damage")
            << ": restore it from a backup, or keep what is intact with: busbar journal repair\n";
    }
    return kFailed;
}

Result<int> runDump(const Invocation& invocation, Surroundings& surroundings) {
    const auto directory = journalDirectory(invocation, surroundings);
    if (!directory) return directory.error();
    const auto files = makePosixFileSystem();
    bool damaged = false;
    const auto done = dumpJournal(*files, *directory, [&](std::string_view line) {
        damaged |= line.find("\"type\":\"damage\"") != line.npos;
        surroundings.out << line << "\n";
    });
    if (!done) return done.error();
    return damaged ? kFailed : kOk;
}

std::string jsonOf(const JournalRepair& repair) {
    http::JsonWriter json;
    json.beginObject().key("damagedDirectory").string(repair.damagedDirectory);
    json.key("messagesKept").number(repair.messagesKept);
    json.key("messagesSalvaged").number(repair.messagesSalvaged);
    json.key("entriesKept").number(repair.entriesKept).key("rowsKept").number(repair.rowsKept);
    json.key("messagesLostIsAll").boolean(repair.messagesLostIsAll);
    json.key("messagesLost").beginArray();
    for (const auto& ids : repair.messagesLost) {
        json.beginObject().key("first").number(ids.first.value);
        json.key("last").number(ids.last.value).endObject();
    }
    json.endArray().key("lost").beginArray();
    for (const auto& lost : repair.lost) {
        json.beginObject().key("file").string(lost.file).key("offset").number(lost.offset);
        json.key("bytes").number(lost.bytes).key("what").string(lost.what).endObject();
    }
    json.endArray().endObject();
    return json.take() + "\n";
}

std::string textOf(const JournalRepair& repair) {
    if (repair.damagedDirectory.empty()) return "no damage: nothing was changed\n";
    std::string out = "kept: " + counted(repair.messagesKept, "message") + " on " +
                      counted(repair.entriesKept, "queue place") + ", " +
                      counted(repair.rowsKept, "row") + "\n";
    if (repair.messagesSalvaged > 0)
        out += "of those, found in damaged places: " + counted(repair.messagesSalvaged, "message") +
               "\n";
    for (const auto& lost : repair.lost) {
        out += "LOST: " + lost.file + " at byte " + readableCount(lost.offset) + ", " +
               counted(lost.bytes, "byte") + ": " + lost.what + "\n";
    }
    for (const auto& ids : repair.messagesLost) {
        out += "LOST: messages " + std::to_string(ids.first.value) + " to " +
               std::to_string(ids.last.value) + ", or some of them\n";
    }
    if (!repair.messagesLostIsAll) out += "others may be lost that nothing tells of\n";
    return out + "the journal as it was: " + repair.damagedDirectory + "\n";
}

Result<int> runRepair(const Invocation& invocation, Surroundings& surroundings) {
    const auto directory = journalDirectory(invocation, surroundings);
    if (!directory) return directory.error();
    const auto files = makePosixFileSystem();
    Progress progress(surroundings);
    const auto repair = repairJournal(*files, *directory, showing(progress, "repairing"));
    if (!repair) return repair.error();
    surroundings.out << (invocation.json() ? jsonOf(*repair) : textOf(*repair));
    return kOk;
}

int printBackup(const Invocation& invocation, Surroundings& surroundings, const std::string& to) {
    http::JsonWriter json;
    json.beginObject().key("state").string("done").key("to").string(to).endObject();
    surroundings.out << (invocation.json() ? json.take()
                                           : "the journal is copied to " + to +
                                                 "; to restore it, start a bus whose data "
                                                 "directory has it as 'journal'")
                     << "\n";
    return kOk;
}

/// Asks the running bus, and looks how far it is until it has ended.
Result<int> backupOnline(const Invocation& invocation, Surroundings& surroundings,
                         const std::string& to) {
    auto bus = BusClient::connect(invocation, surroundings);
    if (!bus) return bus.error();
    http::JsonWriter body;
    body.beginObject().key("to").string(to).endObject();
    const std::string path = "/api/v1/journal/backup";
    auto state = bus->json("POST", path, Milliseconds(30'000), body.take());
    if (!state) return state.error();
    Progress progress(surroundings);
    while ((*state)["state"].text() == "running") {
        const auto share = (*state)["share"].text();
        progress.show([&] { return "copying: " + share; });
        std::this_thread::sleep_for(Milliseconds(100));
        state = bus->json("GET", path);
        if (!state) return state.error();
    }
    if ((*state)["state"].text() == "done") return printBackup(invocation, surroundings, to);
    return Error{ErrorCode::storageFailed, (*state)["message"].text()};
}

Result<int> runBackup(const Invocation& invocation, Surroundings& surroundings) {
    std::error_code ignored;
    const auto to = std::filesystem::absolute(invocation.argument(0), ignored).string();
    if (!invocation.has("offline")) return backupOnline(invocation, surroundings, to);
    Invocation where = invocation;
    where.arguments.clear();
    const auto directory = journalDirectory(where, surroundings);
    if (!directory) return directory.error();
    const auto files = makePosixFileSystem();
    Progress progress(surroundings);
    const auto done = backupJournal(*files, *directory, to, showing(progress, "copying"));
    if (!done) return done.error();
    return printBackup(invocation, surroundings, to);
}

Command command(std::string_view name, std::string_view summary, std::string_view examples,
                Command::Run run) {
    Command made = makeCommand(name, "[DIR]", {0, 1}, summary, examples, run);
    made.details =
        "Offline: the bus must not run. DIR is its data directory (--data), or the journal's own.\n"
        "Changes nothing. Exits 1 where there is damage.";
    made.online = false;
    return made;
}

}  // namespace

std::vector<Command> journalCommands() {
    auto repair =
        command("journal repair", "Makes a journal that opens again of one that is damaged",
                "busbar journal check\nbusbar journal repair", runRepair);
    repair.details =
        "Offline: the bus must not run. Everything intact is kept and what is lost is listed; the\n"
        "journal as it was stays beside it. A message whose removal is lost comes back: delivered "
        "twice\nrather than lost. Needs free room for the live data.";
    auto backup = command("journal backup", "Copies the journal while the bus goes on",
                          "busbar journal backup /backup/monday\n"
                          "busbar journal backup /backup/monday --offline --data /var/lib/busbar",
                          runBackup);
    backup.arguments = "TO";
    backup.argumentsMin = 1;
    backup.details =
        "TO is a directory on the machine of the bus, made where missing; it must be empty. What "
        "is "
        "durable when\nit begins is in it. To restore, put it as DATA/journal and start the bus.";
    backup.online = true;
    backup.options = {{"offline", "", "the bus does not run: copy the files of --data"}};
    return {
        command("journal check", "Reads the whole journal and lists what is damaged",
                "busbar journal check\nbusbar journal check /var/lib/busbar --json", runCheck),
        repair, backup,
        command("journal dump", "Prints each record as a line of JSON; no bodies, no secrets",
                "busbar journal dump | jq 'select(.type == \"unit\") | .operations[]'", runDump)};
}

}  // namespace busbar::command
