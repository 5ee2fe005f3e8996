#include "adapters/http/json.h"
#include "server/command/bus_client.h"
#include "server/command/command_line.h"
#include "server/command/help.h"
#include "server/command/json_view.h"
#include "server/command/messages.h"
#include "server/command/table.h"

#include <cppunit/extensions/HelperMacros.h>

#include <fstream>
#include <iterator>
#include <sstream>

namespace busbar::command {
namespace {

/// The process as a test sees it.
struct Terminal {
    std::istringstream in;
    std::ostringstream out, err;
    std::map<std::string, std::string> variables{{"BUSBAR_DATA", "/nonexistent/data"}};

    int run(const std::vector<std::string>& line) {
        Surroundings surroundings{
            in, out, err, [this](const std::string& name) -> std::optional<std::string> {
                const auto at = variables.find(name);
                return at == variables.end() ? std::nullopt : std::optional(at->second);
            }};
        return runCommandLine(line, surroundings);
    }
};

std::string errorOf(const std::vector<std::string>& line) {
    const auto commands = allCommands();
    const auto parsed = parseCommandLine(commands, line);
    return parsed ? "understood" : parsed.error().text;
}

void contains(const std::string& part, const std::string& whole) {
    CPPUNIT_ASSERT_MESSAGE("'" + part + "' is missing in: " + whole,
                           whole.find(part) != whole.npos);
}

std::string readFile(const std::string& path) {
    std::ifstream file(std::string(BUSBAR_SOURCE_DIR) + "/" + path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

class CommandLineTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(CommandLineTest);
    CPPUNIT_TEST(takesOptionsAnywhereAndInBothSpellings);
    CPPUNIT_TEST(findsCommandsOfTwoWords);
    CPPUNIT_TEST(endsOptionsAtTwoDashes);
    CPPUNIT_TEST(namesWhatIsWrongAndWhatIsNear);
    CPPUNIT_TEST(checksValuesBeforeAnythingHappens);
    CPPUNIT_TEST(offersNothingOfLaterVersions);
    CPPUNIT_TEST(exitsWithTwoForUsageAndOneForFailure);
    CPPUNIT_TEST(writesErrorsAsJsonWhereAsked);
    CPPUNIT_TEST(helpsWithEveryCommandAndAnExample);
    CPPUNIT_TEST_SUITE_END();

    void takesOptionsAnywhereAndInBothSpellings() {
        const auto commands = allCommands();
        const auto parsed = parseCommandLine(
            commands, {"--data", "d", "send", "--priority=7", "q", "--property", "a=1", "text",
                       "--property=b=2", "--ttl", "250ms", "--json"});
        CPPUNIT_ASSERT(parsed.ok());
        const auto& invocation = parsed->invocation;
        CPPUNIT_ASSERT_EQUAL(std::string("send"), std::string(invocation.command->name));
        CPPUNIT_ASSERT(invocation.arguments == (std::vector<std::string>{"q", "text"}));
        CPPUNIT_ASSERT_EQUAL(std::string("d"), invocation.text("data"));
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{7}, invocation.number("priority", 4));
        CPPUNIT_ASSERT(invocation.all("property") == (std::vector<std::string>{"a=1", "b=2"}));
        CPPUNIT_ASSERT(invocation.duration("ttl", {}) == Milliseconds(250));
        CPPUNIT_ASSERT(invocation.json());
    }

    void findsCommandsOfTwoWords() {
        const auto commands = allCommands();
        const auto parsed = parseCommandLine(commands, {"dlq", "retry", "orders", "--max", "3"});
        CPPUNIT_ASSERT(parsed.ok());
        CPPUNIT_ASSERT_EQUAL(std::string("dlq retry"),
                             std::string(parsed->invocation.command->name));
        CPPUNIT_ASSERT_EQUAL(std::string("orders"), parsed->invocation.argument(0));
    }

    void endsOptionsAtTwoDashes() {
        const auto commands = allCommands();
        const auto parsed = parseCommandLine(commands, {"send", "q", "--", "--help"});
        CPPUNIT_ASSERT(parsed.ok() && !parsed->help);
        CPPUNIT_ASSERT_EQUAL(std::string("--help"), parsed->invocation.argument(1));
        CPPUNIT_ASSERT_EQUAL(std::string("understood"), errorOf({"send", "q", "-"}));
    }

    void namesWhatIsWrongAndWhatIsNear() {
        contains("there is no command 'recieve'; near are: receive", errorOf({"recieve"}));
        contains("has no option --propery; near are: --property",
                 errorOf({"send", "q", "x", "--propery", "a=b"}));
        contains("'dlq' needs one of: list, browse, show, retry, purge", errorOf({"dlq"}));
        contains("there is no 'dlq eat'", errorOf({"dlq", "eat"}));
        contains("something is missing: busbar move FROM TO", errorOf({"move", "a"}));
        contains("'c' is one argument too many", errorOf({"send", "a", "b", "c"}));
        contains("--max needs a value: --max N", errorOf({"receive", "q", "--max"}));
        contains("--json takes no value", errorOf({"stats", "--json=yes"}));
        contains("Put -- before text", errorOf({"send", "q", "-x"}));
    }

    void checksValuesBeforeAnythingHappens() {
        contains("not a whole number from 0 to 9", errorOf({"send", "q", "x", "--priority", "11"}));
        contains("not a duration", errorOf({"receive", "q", "--wait", "soon"}));
        contains("not a whole number", errorOf({"send", "q", "x", "--count", "0"}));
        contains("that is not empty", errorOf({"stats", "--user", ""}));
        Terminal terminal;
        CPPUNIT_ASSERT_EQUAL(kUsage, terminal.run({"send", "q", "x", "--property", "a b=c"}));
        CPPUNIT_ASSERT_EQUAL(
            kUsage, terminal.run({"send", "q", "x", "--correlation-id", "a\r\nX-Evil: 1"}));
        CPPUNIT_ASSERT_EQUAL(kUsage, terminal.run({"send", "q"}));
    }

    void offersNothingOfLaterVersions() {
        const auto help = helpText(allCommands(), "");
        for (const char* word : {"registry", "route", "bench"}) {
            Terminal terminal;
            CPPUNIT_ASSERT_EQUAL(kUsage, terminal.run({word, "anything"}));
            contains("not in this version", terminal.err.str());
            CPPUNIT_ASSERT(help.find("\n  " + std::string(word) + " ") == help.npos);
        }
    }

    void exitsWithTwoForUsageAndOneForFailure() {
        Terminal wrong;
        CPPUNIT_ASSERT_EQUAL(kUsage, wrong.run({"nonsense"}));
        Terminal refused;
        refused.variables["BUSBAR_PASSWORD"] = "x";
        CPPUNIT_ASSERT_EQUAL(kFailed, refused.run({"stats", "--url", "http://127.0.0.1:1"}));
        contains("cannot reach the bus at http://127.0.0.1:1", refused.err.str());
        contains("Start it with: busbard --data /nonexistent/data", refused.err.str());
        Terminal nobody;
        CPPUNIT_ASSERT_EQUAL(kFailed, nobody.run({"stats", "--user", "eve"}));
        contains("no password for user 'eve': set BUSBAR_PASSWORD", nobody.err.str());
        Terminal helped;
        CPPUNIT_ASSERT_EQUAL(kOk, helped.run({"send", "--help"}));
    }

    void writesErrorsAsJsonWhereAsked() {
        Terminal terminal;
        CPPUNIT_ASSERT_EQUAL(kUsage, terminal.run({"--json", "nonsense"}));
        CPPUNIT_ASSERT_EQUAL(
            std::string(
                R"({"error":{"code":"invalid-argument","message":"there is no command 'nonsense'. )"
                R"(See: busbar --help"}})"
                "\n"),
            terminal.err.str());
        CPPUNIT_ASSERT_EQUAL(std::string(), terminal.out.str());
    }

    void helpsWithEveryCommandAndAnExample() {
        const auto commands = allCommands();
        const auto all = helpText(commands, "");
        const auto man = readFile("packaging/busbar.1");
        const auto manual = readFile("docs/command-line.md");
        for (const auto& command : commands) {
            const std::string name(command.name);
            contains("\n  " + name, all);
            contains("busbar " + name, helpText(commands, name));
            contains("Examples\n  ", helpText(commands, name));
            contains("--json", helpText(commands, name));
            contains(name, man);
            contains("`busbar " + name, manual);
            for (const auto& option : command.options) {
                const auto dashed = "--" + std::string(option.name);
                contains(dashed, helpText(commands, name));
                contains(dashed, manual);
            }
        }
    }
};

class CommandOutputTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(CommandOutputTest);
    CPPUNIT_TEST(alignsTablesByCharacters);
    CPPUNIT_TEST(writesNumbersForPeople);
    CPPUNIT_TEST(readsJsonAndKeepsItsText);
    CPPUNIT_TEST(refusesWhatIsNotJson);
    CPPUNIT_TEST(showsBodiesAsTheyAre);
    CPPUNIT_TEST(printsConfigurationExactly);
    CPPUNIT_TEST(findsTheBusByItsPortsFile);
    CPPUNIT_TEST(agreesWithThePackagedCompletion);
    CPPUNIT_TEST_SUITE_END();

    void alignsTablesByCharacters() {
        Table table({{"QUEUE"}, {"DEPTH", true}, {"LAST"}});
        CPPUNIT_ASSERT(table.empty());
        table.add({"größe", "1,000", ""});
        table.add({"a", "7", "x"});
        CPPUNIT_ASSERT_EQUAL(std::string("QUEUE  DEPTH  LAST\n"
                                         "größe  1,000\n"
                                         "a          7  x\n"),
                             table.text());
    }

    void writesNumbersForPeople() {
        CPPUNIT_ASSERT_EQUAL(std::string("0"), readableCount(0));
        CPPUNIT_ASSERT_EQUAL(std::string("999"), readableCount(999));
        CPPUNIT_ASSERT_EQUAL(std::string("1,234,567"), readableCount(1'234'567));
        CPPUNIT_ASSERT_EQUAL(std::string("1023 B"), readableBytes(1023));
        CPPUNIT_ASSERT_EQUAL(std::string("1.5 MiB"), readableBytes(1536 << 10));
        CPPUNIT_ASSERT_EQUAL(std::string("1.0 MiB"), readableBytes((1 << 20) - 1));
        CPPUNIT_ASSERT_EQUAL(std::string("999 ms"), readableTime(Milliseconds(999)));
        CPPUNIT_ASSERT_EQUAL(std::string("59.9 s"), readableTime(Milliseconds(59'999)));
        CPPUNIT_ASSERT_EQUAL(std::string("2 min 5 s"), readableTime(Milliseconds(125'000)));
        CPPUNIT_ASSERT_EQUAL(std::string("2 d 4 h"), readableTime(Milliseconds(52 * 3'600'000)));
        CPPUNIT_ASSERT_EQUAL(std::string("1970-01-01 00:00:01"), readableDate(1'999));
        CPPUNIT_ASSERT_EQUAL(std::string("a b…"), oneLine("a\nbc", 3));
        CPPUNIT_ASSERT_EQUAL(std::string("1 message"), counted(1, "message"));
    }

    void readsJsonAndKeepsItsText() {
        const auto json = JsonView::parse(
            R"( {"a":[1,{"b":"x\"\u00e4\ud83d\ude00\n"}],"n":18446744073709551615,"f":1.50,"t":true,"e":{},"z":null} )");
        CPPUNIT_ASSERT(json.ok());
        CPPUNIT_ASSERT_EQUAL(std::string("x\"ä😀\n"), (*json)["a"].elements().at(1)["b"].text());
        CPPUNIT_ASSERT_EQUAL(~std::uint64_t{0}, (*json)["n"].number());
        CPPUNIT_ASSERT_EQUAL(std::string_view("1.50"), (*json)["f"].raw());
        CPPUNIT_ASSERT((*json)["t"].boolean() && (*json)["z"].isNull() && (*json)["none"].isNull());
        CPPUNIT_ASSERT_EQUAL(std::string_view(R"([1,{"b":"x\"\u00e4\ud83d\ude00\n"}])"),
                             (*json)["a"].raw());
    }

    void refusesWhatIsNotJson() {
        for (const char* text : {"", "{", "[1,]", "{\"a\"}", "{\"a\":1", "\"abc", "\"\\", "nul",
                                 "1 2", "<html>", "{1:2}", "[\"\\\"]"}) {
            CPPUNIT_ASSERT_MESSAGE(text, !JsonView::parse(text).ok());
        }
        CPPUNIT_ASSERT(!JsonView::parse(std::string(100'000, '[')).ok());
    }

    void showsBodiesAsTheyAre() {
        const auto body = [](const char* json) { return bodyOf(*JsonView::parse(json)); };
        CPPUNIT_ASSERT_EQUAL(std::string("a\0\xff", 3),
                             body(R"({"body":"YQD/","bodyEncoding":"base64"})"));
        CPPUNIT_ASSERT_EQUAL(std::string("hi"), body(R"({"body":"aGk=","bodyEncoding":"base64"})"));
        CPPUNIT_ASSERT_EQUAL(std::string(), body(R"({"body":"","bodyEncoding":"base64"})"));
        CPPUNIT_ASSERT_EQUAL(std::string("aGk="), body(R"({"body":"aGk="})"));
        CPPUNIT_ASSERT_EQUAL(std::string(R"({"n":{"type":"int","value":1}})"),
                             body(R"({"bodyKind":"map","body":{"n":{"type":"int","value":1}}})"));
        CPPUNIT_ASSERT_EQUAL(std::string("[]"), body(R"({"bodyKind":"stream","body":[]})"));
        CPPUNIT_ASSERT_EQUAL(std::string(), body(R"({"bodyKind":"text","body":null})"));
    }

    void printsConfigurationExactly() {
        Terminal terminal;
        CPPUNIT_ASSERT_EQUAL(kOk, terminal.run({"config", "--json", "--set", "http.port=0"}));
        const auto json = JsonView::parse(terminal.out.str());
        CPPUNIT_ASSERT(json.ok());
        CPPUNIT_ASSERT_EQUAL(std::string("0"), (*json)["settings"]["http.port"].text());
        CPPUNIT_ASSERT_EQUAL(std::string("/nonexistent/data"), (*json)["settings"]["data"].text());
        Terminal wrong;
        CPPUNIT_ASSERT_EQUAL(kFailed, wrong.run({"config", "--set", "http.prt=0"}));
        contains("http.port", wrong.err.str());
    }

    void findsTheBusByItsPortsFile() {
        Terminal terminal;
        terminal.variables["BUSBAR_PASSWORD"] = "secret";
        Surroundings surroundings{
            terminal.in, terminal.out, terminal.err,
            [&](const std::string& name) -> std::optional<std::string> {
                const auto at = terminal.variables.find(name);
                return at == terminal.variables.end() ? std::nullopt : std::optional(at->second);
            }};
        Invocation invocation;
        const auto absent = findTarget(invocation, surroundings);
        CPPUNIT_ASSERT_EQUAL(std::string("http://127.0.0.1:8080"), absent->url);
        CPPUNIT_ASSERT_EQUAL(std::string("secret"), absent->password);
        invocation.options.emplace("url", "https://bus.example:8443");
        const auto named = findTarget(invocation, surroundings);
        CPPUNIT_ASSERT(named->tls && named->host == "bus.example" && named->port == 8443);
        for (const char* url : {"ftp://x", "http://", "bus:1", "http://u:p@h/", "http://h/path"}) {
            Invocation bad;
            bad.options.emplace("url", url);
            CPPUNIT_ASSERT_MESSAGE(url, !findTarget(bad, surroundings).ok());
        }
    }

    void agreesWithThePackagedCompletion() {
        CPPUNIT_ASSERT_EQUAL(bashCompletion(allCommands()),
                             readFile("packaging/busbar.bash-completion"));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(CommandLineTest);
CPPUNIT_TEST_SUITE_REGISTRATION(CommandOutputTest);

}  // namespace busbar::command
