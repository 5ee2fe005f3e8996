#include "bus/security/logins.h"

#include "tests/support/memory_file_system.h"

#include <cppunit/extensions/HelperMacros.h>

using namespace busbar;

namespace {

/// Not asked by what is tested here.
class NoPasswords final : public Authenticator {
  public:
    void authenticate(std::string, std::string, Answer answer) override {
        answer(Error{ErrorCode::unauthenticated, "wrong"});
    }
};

}  // namespace

class LoginsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(LoginsTest);
    CPPUNIT_TEST(aCertificateIsTheUserOfItsCommonName);
    CPPUNIT_TEST(rulesComeBeforeTheCommonName);
    CPPUNIT_TEST(theCommonNameMayBeSwitchedOff);
    CPPUNIT_TEST(aCertificateWithoutAUserIsNobody);
    CPPUNIT_TEST_SUITE_END();

  public:
    void setUp() override {
        users_ = std::move(*UserStore::open(disk_, "/data/users"));
        CPPUNIT_ASSERT(users_->configure("alice", {"orders"}, "$scrypt$").ok());
        CPPUNIT_ASSERT(users_->configure("shop", {}, "$scrypt$").ok());
    }

    void aCertificateIsTheUserOfItsCommonName() {
        const auto who = Logins(passwords_, *users_, {}).identify(alice());
        CPPUNIT_ASSERT(who.ok());
        CPPUNIT_ASSERT_EQUAL(std::string("alice"), who->user);
        CPPUNIT_ASSERT(who->hasRole("orders"));
    }

    void rulesComeBeforeTheCommonName() {
        const std::string name = "URI:spiffe://example/a";
        CertificateUsers rules{{{"CN=bob,O=Example", {}, "bob"},
                                {{}, name, "shop"},
                                {"CN=alice,O=Example", {}, "alice"}}};
        Logins logins(passwords_, *users_, rules);
        CPPUNIT_ASSERT_EQUAL(std::string("shop"), logins.identify(alice(name))->user);
        CPPUNIT_ASSERT_EQUAL(std::string("alice"), logins.identify(alice())->user);
        // Exactly the subject: neither a part of it nor more than it.
        rules.rules = {{"CN=alice", {}, "shop"}, {"CN=alice,O=Example,C=DE", {}, "shop"}};
        CPPUNIT_ASSERT_EQUAL(std::string("alice"),
                             Logins(passwords_, *users_, rules).identify(alice())->user);
    }

    void theCommonNameMayBeSwitchedOff() {
        CertificateUsers rules{{{"CN=alice,O=Example", {}, "shop"}}, false};
        Logins logins(passwords_, *users_, rules);
        CPPUNIT_ASSERT_EQUAL(std::string("shop"), logins.identify(alice())->user);
        const auto other = logins.identify({"CN=alice,O=Other", "alice", {}});
        CPPUNIT_ASSERT(other.error().code == ErrorCode::unauthenticated);
    }

    void aCertificateWithoutAUserIsNobody() {
        Logins logins(passwords_, *users_, {});
        for (const std::string name : {"", "mallory", "Alice", "alice\n"}) {
            const auto who = logins.identify({"CN=" + name, name, {}});
            CPPUNIT_ASSERT(who.error().code == ErrorCode::unauthenticated);
        }
    }

  private:
    static PeerCertificate alice(const std::string& name = "DNS:a.example") {
        return {"CN=alice,O=Example", "alice", {"DNS:x.example", name}};
    }

    test::MemoryFileSystem disk_;
    NoPasswords passwords_;
    std::unique_ptr<UserStore> users_;
};
CPPUNIT_TEST_SUITE_REGISTRATION(LoginsTest);
