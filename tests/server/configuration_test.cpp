#include "server/configuration.h"

#include "xml-schemas/xml.h"

#include <cppunit/extensions/HelperMacros.h>

#include <filesystem>
#include <fstream>
#include <map>

namespace busbar {

class ConfigurationTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ConfigurationTest);
    CPPUNIT_TEST(worksWithoutAFile);
    CPPUNIT_TEST(emptyFileGivesTheDefaults);
    CPPUNIT_TEST(readsAFullFile);
    CPPUNIT_TEST(permissionsReplaceTheDefaults);
    CPPUNIT_TEST(wrongPermissionsAreNamed);
    CPPUNIT_TEST(namesFileLineColumnAndWhatWasExpected);
    CPPUNIT_TEST(laterSourcesWin);
    CPPUNIT_TEST(unknownKeyNamesTheNearOnes);
    CPPUNIT_TEST(refusesBadValuesEverywhere);
    CPPUNIT_TEST(resolvesWsdlAgainstTheFile);
    CPPUNIT_TEST(printsWhatItReads);
    CPPUNIT_TEST(everyKeyIsInTheSchema);
    CPPUNIT_TEST(refusesHostileFiles);
    CPPUNIT_TEST(wantsCertificateAndKeyTogether);
    CPPUNIT_TEST(readsWhomCertificatesStandFor);
    CPPUNIT_TEST(readsEveryOptionOfAQueue);
    CPPUNIT_TEST(firstMatchingPatternCounts);
    CPPUNIT_TEST(queuesHaveEitherANameOrAPattern);
    CPPUNIT_TEST(readsLimitsAndAbandonedSubscriptions);
    CPPUNIT_TEST_SUITE_END();

    static std::optional<std::string> nothingSet(const std::string&) { return std::nullopt; }
    static std::string file(const std::string& content, const std::string& attributes = "") {
        return "<busbar xmlns='urn:busbar:configuration' " + attributes + ">" + content +
               "</busbar>";
    }
    static Configuration mustRead(const std::string& text, const std::string& directory = "") {
        Configuration configuration;
        const auto read = readConfigurationText(text, "busbar.xml", directory, configuration);
        CPPUNIT_ASSERT_MESSAGE(read ? "" : read.error().text, read.ok());
        return configuration;
    }
    static std::string mustRefuse(const std::string& text) {
        Configuration configuration;
        const auto read = readConfigurationText(text, "dir/busbar.xml", "", configuration);
        CPPUNIT_ASSERT_MESSAGE(text, !read);
        return read.error().text;
    }
    static void assertContains(const std::string& text, const std::string& part) {
        CPPUNIT_ASSERT_MESSAGE("'" + part + "' is not in: " + text,
                               text.find(part) != std::string::npos);
    }

    void worksWithoutAFile() {
        const auto loaded = loadConfiguration("", nothingSet, {});
        CPPUNIT_ASSERT(loaded.ok());
        CPPUNIT_ASSERT_EQUAL(std::uint16_t(61613), loaded->stomp.port);
        CPPUNIT_ASSERT_EQUAL(std::uint16_t(8080), loaded->http.port);
        CPPUNIT_ASSERT_EQUAL(std::string("127.0.0.1"), loaded->http.address);
        CPPUNIT_ASSERT_EQUAL(std::string("./data"), loaded->dataDirectory);
    }
    void emptyFileGivesTheDefaults() {
        // Each section empty: every default of the schema is applied, and must be the structure's.
        const auto read = mustRead(
            file("<stomp/><openwire/><amqp/><http/><one-port/><tls/><limits/><journal/><dedup/>"
                 "<abandoned-subscriptions/><queue-defaults/>"));
        CPPUNIT_ASSERT_EQUAL(printConfiguration(Configuration{}), printConfiguration(read));
    }
    void readsAFullFile() {
        const auto c = mustRead(
            file("<queues><queue name='a b'/><queue name='c' deliveries-max='3'/></queues>"
                 "<queue-defaults bytes-max='1000'/><stomp port='0' address='::'/><journal "
                 "lazy-sync-ms='5'/>"
                 "<services><service name='orders' wsdl='orders.wsdl' provider='http://h/x' "
                 "timeout-ms='500'>"
                 "<understands namespace='urn:h'/></service></services>"
                 "<users><user name='u' password-hash='$scrypt$x' roles='admin ops'/></users>",
                 "data='/d' io-threads='2' log-level='debug'"));
        CPPUNIT_ASSERT_EQUAL(std::uint16_t(0), c.stomp.port);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1000), c.queues[0].options.bytesMax);
        CPPUNIT_ASSERT_EQUAL(3u, c.queues[1].options.deliveriesMax);
        CPPUNIT_ASSERT(c.journal.lazySyncDelay == Milliseconds(5));
        CPPUNIT_ASSERT(c.services[0].timeout == Milliseconds(500));
        CPPUNIT_ASSERT(c.services[0].understands == std::vector<std::string>{"urn:h"});
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), c.users[0].roles.size());
        CPPUNIT_ASSERT_EQUAL(2u, c.ioThreads);
    }
    void permissionsReplaceTheDefaults() {
        const auto none = mustRead(file("<permissions/>"));
        CPPUNIT_ASSERT(none.permissions.empty());
        const auto c = mustRead(
            file("<permissions><allow role='shop' queues='orders.&gt;' rights='send create'/>"
                 "<allow user='anna' topics='prices.*' rights='all'/></permissions>"));
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), c.permissions.size());
        CPPUNIT_ASSERT(
            c.permissions[0] ==
            (PermissionRule{"shop", {}, false, "orders.>", {Right::send, Right::create}}));
        CPPUNIT_ASSERT(c.permissions[1] ==
                       (PermissionRule{{}, "anna", true, "prices.*", Rights::all()}));
        const auto printed = printConfiguration(c);
        Configuration again;
        CPPUNIT_ASSERT(readConfigurationText(printed, "again", "dir", again).ok());
        CPPUNIT_ASSERT(again.permissions == c.permissions);
    }
    void wrongPermissionsAreNamed() {
        const auto with = [](const std::string& allow) {
            return file("<permissions>\n<allow " + allow + "/></permissions>");
        };
        assertContains(mustRefuse(with("queues='a' rights='send'")), "either 'role' or 'user'");
        assertContains(mustRefuse(with("role='a' user='b' queues='a' rights='send'")),
                       "either 'role' or 'user'");
        assertContains(mustRefuse(with("role='a' rights='send'")), "either 'queues' or 'topics'");
        assertContains(mustRefuse(with("role='a' queues='a' rights='write'")), "write");
        assertContains(mustRefuse(with("role='a' queues='a' rights=''")), "line 2");
    }
    void namesFileLineColumnAndWhatWasExpected() {
        const auto unknown = mustRefuse(file("\n  <jurnal/>"));
        assertContains(unknown, "dir/busbar.xml: line 2, column ");
        assertContains(unknown, "jurnal");
        assertContains(unknown, "journal");
        assertContains(mustRefuse(file("<stomp port='99999'/>")), "99999");
        assertContains(mustRefuse(file("", "log-level='loud'")), "loud");
        assertContains(mustRefuse(file("<stomp prot='1'/>")), "prot");
        assertContains(mustRefuse(file("<queues><queue name='a'/><queue name='a'/></queues>")),
                       "line 1");
    }
    void laterSourcesWin() {
        const std::map<std::string, std::string> variables{{"BUSBAR_STOMP_PORT", "1"},
                                                           {"BUSBAR_HTTP_PORT", "2"},
                                                           {"BUSBAR_DATA", "/e"},
                                                           {"BUSBAR_ADMIN_PASSWORD", "s"}};
        const auto environment = [&](const std::string& name) -> std::optional<std::string> {
            const auto at = variables.find(name);
            return at == variables.end() ? std::nullopt : std::optional(at->second);
        };
        const std::vector<std::string> settings{"http.port=3", "journal.lazy-sync-ms=5"};
        const auto loaded = loadConfiguration("", environment, settings);
        CPPUNIT_ASSERT(loaded.ok());
        CPPUNIT_ASSERT_EQUAL(std::uint16_t(1), loaded->stomp.port);
        CPPUNIT_ASSERT_EQUAL(std::uint16_t(3), loaded->http.port);
        CPPUNIT_ASSERT_EQUAL(std::string("/e"), loaded->dataDirectory);
        CPPUNIT_ASSERT_EQUAL(std::string("s"), loaded->adminPassword);
        CPPUNIT_ASSERT(printConfiguration(*loaded).find("password") == std::string::npos);
    }
    void unknownKeyNamesTheNearOnes() {
        const std::vector<std::string> settings{"stomp.prot=0"};
        const auto loaded = loadConfiguration("", nothingSet, settings);
        CPPUNIT_ASSERT(!loaded);
        assertContains(loaded.error().text, "stomp.port");
    }
    void refusesBadValuesEverywhere() {
        Configuration c;
        for (const auto& [key, value] : {std::pair{"stomp.port", "65536"},
                                         {"stomp.port", ""},
                                         {"stomp.port", "-1"},
                                         {"stomp.port", "1x"},
                                         {"http.enabled", "yes"},
                                         {"io-threads", "0"},
                                         {"journal.live-factor", "nan"},
                                         {"journal.live-factor", "1"},
                                         {"journal.segment-bytes", "1"},
                                         {"log-level", "x"}}) {
            const auto set = setConfigurationValue(c, key, value);
            CPPUNIT_ASSERT_MESSAGE(std::string(key) + "=" + value, !set);
            assertContains(set.error().text, key);
        }
        CPPUNIT_ASSERT(!loadConfiguration("", nothingSet, std::vector<std::string>{"stomp.port"}));
        CPPUNIT_ASSERT(!loadConfiguration("/does/not/exist.xml", nothingSet, {}));
        const auto environment = [](const std::string& name) {
            return name == "BUSBAR_HTTP_PORT" ? std::optional<std::string>("x") : std::nullopt;
        };
        assertContains(loadConfiguration("", environment, {}).error().text, "BUSBAR_HTTP_PORT");
    }
    void resolvesWsdlAgainstTheFile() {
        const std::string services =
            "<services><service name='s' wsdl='w/s.wsdl'/><service name='t' "
            "wsdl='/t.wsdl'/></services>";
        const auto c = mustRead(file(services), "/etc/busbar");
        CPPUNIT_ASSERT_EQUAL(std::string("/etc/busbar/w/s.wsdl"), c.services[0].wsdl);
        CPPUNIT_ASSERT_EQUAL(std::string("/t.wsdl"), c.services[1].wsdl);
    }
    void printsWhatItReads() {
        Configuration c;
        c.dataDirectory = "a\"<&";
        c.stomp.port = 7;
        c.journal.liveFactor = 2.5;
        c.queues.push_back({"q", {}});
        c.queuePatterns.push_back({"orders.>", {}});
        c.queuePatterns[0].options.redeliveryDelays = {Milliseconds(5), Milliseconds(70)};
        c.queuePatterns[0].options.whenFull = WhenFull::block;
        c.queuePatterns[0].options.keep = Keep::memory;
        c.services.push_back({"s", "/w", "http://p/", "1.2", Milliseconds(9), 3, {"urn:x"}});
        const auto again = mustRead(printConfiguration(c));
        CPPUNIT_ASSERT_EQUAL(printConfiguration(c), printConfiguration(again));
        CPPUNIT_ASSERT(again.services == c.services);
        CPPUNIT_ASSERT(again.queuePatterns == c.queuePatterns);
        CPPUNIT_ASSERT_EQUAL(c.dataDirectory, again.dataDirectory);
    }
    void everyKeyIsInTheSchema() {
        const std::string schema(*xml::schemaText("busbar.xsd"));
        for (const auto& key : settingKeys()) {
            const auto dot = key.find('.');
            const auto attribute = dot == key.npos ? key : key.substr(dot + 1);
            assertContains(schema, "<xs:attribute name=\"" + attribute + "\"");
        }
    }
    void refusesHostileFiles() {
        assertContains(mustRefuse("<!DOCTYPE busbar SYSTEM 'file:///etc/passwd'>" + file("")),
                       "DOCTYPE");
        mustRefuse("");
        mustRefuse("<busbar/>");
        mustRefuse(file("<stomp>").substr(0, 60));
    }
    void wantsCertificateAndKeyTogether() {
        CPPUNIT_ASSERT(!loadConfiguration("", nothingSet, std::vector<std::string>{"http.key=k"}));
        CPPUNIT_ASSERT(
            !loadConfiguration("", nothingSet, std::vector<std::string>{"http.client-ca=k"}));
        CPPUNIT_ASSERT(
            loadConfiguration("", nothingSet,
                              std::vector<std::string>{"http.key=k", "http.certificate=c"})
                .ok());
    }
    void readsWhomCertificatesStandFor() {
        const std::string rules =
            "<tls watch-ms='0' common-name-is-user='false'>"
            "<certificate subject='CN=a,O=Example' user='alice'/>"
            "<certificate name='URI:spiffe://example/shop' user='shop'/></tls>"
            "<amqp client-certificate='wanted'/>";
        const auto c = mustRead(file(rules));
        const std::vector<CertificateRule> expected{{"CN=a,O=Example", "", "alice"},
                                                    {"", "URI:spiffe://example/shop", "shop"}};
        CPPUNIT_ASSERT(expected == c.certificateUsers.rules);
        CPPUNIT_ASSERT(!c.certificateUsers.commonNameIsUser);
        CPPUNIT_ASSERT(c.amqp.clientCertificate == ClientCertificate::wanted);
        CPPUNIT_ASSERT(c.stomp.clientCertificate == ClientCertificate::required);
        const auto again = mustRead(printConfiguration(c));
        CPPUNIT_ASSERT(expected == again.certificateUsers.rules);
        assertContains(mustRefuse(file("<tls><certificate user='x'/></tls>")), "either");
        assertContains(
            mustRefuse(file("<tls><certificate subject='CN=a' name='DNS:a' user='x'/></tls>")),
            "either");
        mustRefuse(file("<tls><certificate subject='CN=a'/></tls>"));
        mustRefuse(file("<tls><certificate name='IP:1.2.3.4' user='x'/></tls>"));
        mustRefuse(file("<amqp client-certificate='perhaps'/>"));
    }
    void readsEveryOptionOfAQueue() {
        const auto c = mustRead(
            file("<queues><queue name='q' deliveries-max='1' messages-max='2' bytes-max='3' "
                 "age-max-ms='4' when-full='drop-oldest' durability='os' park-failed-groups='true' "
                 "redelivery-delays-ms='5 600 70000'/></queues>"));
        QueueOptions expected;
        expected.deliveriesMax = 1;
        expected.messagesMax = 2;
        expected.bytesMax = 3;
        expected.ageMax = Milliseconds(4);
        expected.whenFull = WhenFull::dropOldest;
        expected.keep = Keep::written;
        expected.parkFailedGroups = true;
        expected.redeliveryDelays = {Milliseconds(5), Milliseconds(600), Milliseconds(70'000)};
        CPPUNIT_ASSERT(c.queues.at(0).options == expected);
        for (const std::string bad :
             {"when-full='explode'", "durability='maybe'", "redelivery-delays-ms='1 x'",
              "redelivery-delays-ms='-1'", "park-failed-groups='2'", "age-max-ms='x'"}) {
            assertContains(mustRefuse(file("<queues><queue name='q' " + bad + "/></queues>")),
                           "line 1");
        }
    }
    void firstMatchingPatternCounts() {
        const auto c =
            mustRead(file("<queue-defaults deliveries-max='9'/><queues><queue match='orders.eu.*' "
                          "messages-max='1'/><queue match='orders.>' messages-max='2'/></queues>"));
        CPPUNIT_ASSERT(c.queues.empty());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), optionsOfNewQueue(c, "orders.eu.x").messagesMax);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(2), optionsOfNewQueue(c, "orders.us").messagesMax);
        CPPUNIT_ASSERT_EQUAL(9u, optionsOfNewQueue(c, "orders.us").deliveriesMax);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(0), optionsOfNewQueue(c, "other").messagesMax);
    }
    void queuesHaveEitherANameOrAPattern() {
        assertContains(mustRefuse(file("<queues><queue messages-max='1'/></queues>")), "'match'");
        assertContains(mustRefuse(file("<queues><queue name='a' match='b'/></queues>")), "'match'");
    }
    void readsLimitsAndAbandonedSubscriptions() {
        const auto c = mustRead(
            file("<limits memory-bytes-max='1' read-ahead-bytes='2' unconfirmed-bytes-max='3' "
                 "subscription-bytes-max='4' groups-max='5' large-body-bytes='8' "
                 "large-body-bytes-max='9' prepared-max='10' "
                 "prepared-bytes-max='11'/><abandoned-subscriptions "
                 "unused-ms='86400000' messages-max='6' bytes-max='7'/>"));
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), c.memoryBytesMax);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(2), c.readAheadBytes);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(3), c.unconfirmedBytesMax);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(8), c.largeBodyBytes);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(10), c.preparedMax);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(11), c.preparedBytesMax);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(9), c.largeBodyBytesMax);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(4), c.subscriptionBytesMax);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(5), c.groupsMax);
        CPPUNIT_ASSERT(c.abandoned.unusedMax == Milliseconds(86'400'000));
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(6), c.abandoned.messagesMax);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(7), c.abandoned.bytesMax);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(256) << 20, Configuration{}.memoryBytesMax);
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(ConfigurationTest);

}  // namespace busbar
