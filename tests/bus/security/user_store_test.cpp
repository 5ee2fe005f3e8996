#include "bus/security/user_store.h"

#include "bus/security/scrypt.h"
#include "tests/support/memory_file_system.h"

#include <cppunit/extensions/HelperMacros.h>

#include <future>

using namespace busbar;
using namespace busbar::test;

namespace {

constexpr const char* kPath = "/data/users";

Result<Identity> login(UserStore& users, const std::string& name, const std::string& password) {
    std::promise<Result<Identity>> promise;
    auto future = promise.get_future();
    users.authenticate(name, password,
                       [&](Result<Identity> who) { promise.set_value(std::move(who)); });
    return future.get();
}

}  // namespace

class UserStoreTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(UserStoreTest);
    CPPUNIT_TEST(usersSurviveARestartAndACrash);
    CPPUNIT_TEST(aFailedWriteLeavesTheOldUsers);
    CPPUNIT_TEST(unknownAndWrongAreToldAlike);
    CPPUNIT_TEST(passwordsAndRolesChange);
    CPPUNIT_TEST(configuredUsersHideOthersAndStay);
    CPPUNIT_TEST(reloadsFileAndConfiguration);
    CPPUNIT_TEST(passwordsGetScramKeys);
    CPPUNIT_TEST(filesWithoutScramKeysAreReadAndKeepTheirUsers);
    CPPUNIT_TEST(unknownUsersLookTheSameAfterARestart);
    CPPUNIT_TEST(refusesBadNamesAndRoles);
    CPPUNIT_TEST(namesTheLineThatIsMalformed);
    CPPUNIT_TEST(refusesWhenTooManyWait);
    CPPUNIT_TEST(answersEveryoneWhenItGoes);
    CPPUNIT_TEST_SUITE_END();

  public:
    void usersSurviveARestartAndACrash() {
        {
            auto users = open();
            CPPUNIT_ASSERT(users->empty());
            CPPUNIT_ASSERT(users->add("anna", "secret", {"orders", "admin"}).ok());
            CPPUNIT_ASSERT(users->add("anna", "other", {}).error().code ==
                           ErrorCode::alreadyExists);
        }
        disk_.crash(7);
        auto users = open();
        const auto who = login(*users, "anna", "secret");
        CPPUNIT_ASSERT(who.ok());
        CPPUNIT_ASSERT_EQUAL(std::string("anna"), who->user);
        CPPUNIT_ASSERT(who->hasRole("admin") && who->hasRole("orders"));
        CPPUNIT_ASSERT(disk_.content(kPath).find("secret") == std::string::npos);
    }

    void aFailedWriteLeavesTheOldUsers() {
        auto users = open();
        CPPUNIT_ASSERT(users->add("anna", "secret", {}).ok());
        disk_.failWrite(1);
        CPPUNIT_ASSERT(!users->add("bert", "secret", {}).ok());
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, users->list().size());
        disk_.failSync(1);
        CPPUNIT_ASSERT(!users->remove("anna").ok());
        disk_.crash(3);
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, open()->list().size());
    }

    void unknownAndWrongAreToldAlike() {
        auto users = open();
        CPPUNIT_ASSERT(users->add("anna", "secret", {}).ok());
        const auto wrong = login(*users, "anna", "Secret");
        const auto unknown = login(*users, "nobody", "secret");
        CPPUNIT_ASSERT(wrong.error().code == ErrorCode::unauthenticated);
        CPPUNIT_ASSERT(wrong.error() == unknown.error());
        CPPUNIT_ASSERT(!login(*users, "", "").ok());
    }

    void passwordsAndRolesChange() {
        auto users = open();
        CPPUNIT_ASSERT(users->add("anna", "one", {"a"}).ok());
        CPPUNIT_ASSERT(users->setPassword("anna", "two").ok());
        CPPUNIT_ASSERT(users->setRoles("anna", {"b"}).ok());
        CPPUNIT_ASSERT(!login(*users, "anna", "one").ok());
        CPPUNIT_ASSERT(login(*users, "anna", "two")->hasRole("b"));
        CPPUNIT_ASSERT(users->remove("anna").ok());
        CPPUNIT_ASSERT(!login(*users, "anna", "two").ok());
        CPPUNIT_ASSERT(users->remove("anna").error().code == ErrorCode::notFound);
        CPPUNIT_ASSERT(users->setPassword("anna", "x").error().code == ErrorCode::notFound);
    }

    void configuredUsersHideOthersAndStay() {
        auto users = open();
        CPPUNIT_ASSERT(users->add("anna", "file", {"file"}).ok());
        CPPUNIT_ASSERT(users->configure("anna", {"configured"}, *hashPassword("xml")).ok());
        CPPUNIT_ASSERT(login(*users, "anna", "xml")->hasRole("configured"));
        CPPUNIT_ASSERT(!login(*users, "anna", "file").ok());
        CPPUNIT_ASSERT(users->remove("anna").error().code == ErrorCode::conflict);
        CPPUNIT_ASSERT(users->list().at(0).configured);
    }

    void reloadsFileAndConfiguration() {
        auto users = open();
        CPPUNIT_ASSERT(users->add("anna", "file", {"file"}).ok());
        CPPUNIT_ASSERT(users->configure("gone", {"configured"}, *hashPassword("xml")).ok());
        auto another = open();  // "busbar user"
        CPPUNIT_ASSERT(another->add("new", "file", {"file"}).ok());
        CPPUNIT_ASSERT(another->remove("anna").ok());
        CPPUNIT_ASSERT(!users->find("new"));
        CPPUNIT_ASSERT(users->reload({{"xml", {"configured"}, *hashPassword("xml")}}).ok());
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), users->list().size());
        CPPUNIT_ASSERT(users->find("new")->hasRole("file"));
        CPPUNIT_ASSERT(login(*users, "xml", "xml")->hasRole("configured"));
        CPPUNIT_ASSERT(!users->find("anna") && !users->find("gone"));
        // What is wrong changes nothing.
        CPPUNIT_ASSERT(!users->reload({{"a\tb", {}, ""}}));
        CPPUNIT_ASSERT(!users->reload({{"a", {"a b"}, ""}}));
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), users->list().size());
    }

    void passwordsGetScramKeys() {
        auto users = open();
        CPPUNIT_ASSERT(!users->offersScram());  // nobody to offer it to
        CPPUNIT_ASSERT(users->add("anna", "secret", {"orders"}).ok());
        CPPUNIT_ASSERT(users->offersScram());
        users = open();
        CPPUNIT_ASSERT(users->offersScram());
        const auto anna = users->scramLogin("anna");
        CPPUNIT_ASSERT_EQUAL(std::string("anna"), anna.identity.user);
        CPPUNIT_ASSERT(anna.identity.hasRole("orders"));
        CPPUNIT_ASSERT_EQUAL(
            anna.keys.storedKey,
            deriveScramKeys("secret", anna.keys.salt, anna.keys.iterations).storedKey);
        CPPUNIT_ASSERT(users->setRoles("anna", {}).ok());  // and they stay
        CPPUNIT_ASSERT_EQUAL(anna.keys.storedKey, users->scramLogin("anna").keys.storedKey);
        CPPUNIT_ASSERT(users->setPassword("anna", "other").ok());
        CPPUNIT_ASSERT(anna.keys.storedKey != users->scramLogin("anna").keys.storedKey);
        // One whose password SASLprep would change can only log in otherwise.
        CPPUNIT_ASSERT(users->add("j", "J\xc3\xbcrgen", {}).ok());
        CPPUNIT_ASSERT(!users->offersScram());
        CPPUNIT_ASSERT(users->scramLogin("j").identity.user.empty());
        CPPUNIT_ASSERT(login(*users, "j", "J\xc3\xbcrgen").ok());
    }

    void filesWithoutScramKeysAreReadAndKeepTheirUsers() {
        const auto hash = hashPassword("secret");
        disk_.setContent(
            kPath,
            "# Users of this Busbar: name, roles, password hash\nanna\tadmin\t" + *hash + "\n");
        auto users = open();
        CPPUNIT_ASSERT(login(*users, "anna", "secret").ok());
        CPPUNIT_ASSERT(!users->offersScram());
        CPPUNIT_ASSERT(users->scramLogin("anna").identity.user.empty());
        CPPUNIT_ASSERT(users->add("bert", "x", {}).ok());
        users = open();
        CPPUNIT_ASSERT(login(*users, "anna", "secret").ok());
        CPPUNIT_ASSERT(login(*users, "bert", "x").ok());
        CPPUNIT_ASSERT(!users->offersScram());
    }

    void unknownUsersLookTheSameAfterARestart() {
        auto users = open();
        CPPUNIT_ASSERT(users->add("anna", "secret", {}).ok());
        CPPUNIT_ASSERT(users->configure("conf", {}, "$scrypt$x").ok());
        const auto salt = users->scramLogin("nobody").keys.salt;
        CPPUNIT_ASSERT_EQUAL(salt, users->scramLogin("nobody").keys.salt);
        CPPUNIT_ASSERT(salt != users->scramLogin("conf").keys.salt);
        users = open();
        CPPUNIT_ASSERT_EQUAL(salt, users->scramLogin("nobody").keys.salt);
        CPPUNIT_ASSERT(users->setPassword("anna", "other").ok());
        users = open();
        CPPUNIT_ASSERT_EQUAL(salt, users->scramLogin("nobody").keys.salt);
    }

    void refusesBadNamesAndRoles() {
        auto users = open();
        for (const std::string& name : {std::string(), std::string("a\tb"), std::string("a\nb"),
                                        std::string("#x"), std::string(256, 'x')}) {
            CPPUNIT_ASSERT(users->add(name, "secret", {}).error().code ==
                           ErrorCode::invalidArgument);
        }
        CPPUNIT_ASSERT(users->add("anna", "secret", {"a,b"}).error().code ==
                       ErrorCode::invalidArgument);
        CPPUNIT_ASSERT(users->add("anna", "secret", {"a\tb"}).error().code ==
                       ErrorCode::invalidArgument);
        CPPUNIT_ASSERT(users->add("anna", "", {}).error().code == ErrorCode::invalidArgument);
    }

    void namesTheLineThatIsMalformed() {
        disk_.setContent(kPath, "# comment\nanna\tadmin\thash\nbert admin\n");
        const auto users = UserStore::open(disk_, kPath);
        CPPUNIT_ASSERT(users.error().code == ErrorCode::malformed);
        CPPUNIT_ASSERT(users.error().text.find("line 3") != std::string::npos);
    }

    void refusesWhenTooManyWait() {
        std::mutex mutex;
        std::map<ErrorCode, int> answers;
        {
            auto users = open();
            for (int i = 0; i < 200; ++i) {
                users->authenticate("nobody", "x", [&](Result<Identity> who) {
                    std::lock_guard lock(mutex);
                    ++answers[who.error().code];
                });
            }
            CPPUNIT_ASSERT(
                !login(*users, "nobody", "x").ok());  // refusals come before the next check
        }
        CPPUNIT_ASSERT(answers[ErrorCode::limitReached] >= 100);
        CPPUNIT_ASSERT_EQUAL(200, answers[ErrorCode::limitReached] +
                                      answers[ErrorCode::unauthenticated] +
                                      answers[ErrorCode::closed]);
    }

    void answersEveryoneWhenItGoes() {
        int answers = 0;
        {
            auto users = open();
            for (int i = 0; i < 20; ++i)
                users->authenticate("a", "b", [&](Result<Identity>) { ++answers; });
        }
        CPPUNIT_ASSERT_EQUAL(20, answers);
    }

  private:
    std::unique_ptr<UserStore> open() {
        auto users = UserStore::open(disk_, kPath);
        CPPUNIT_ASSERT(users.ok());
        return std::move(*users);
    }

    MemoryFileSystem disk_;
};
CPPUNIT_TEST_SUITE_REGISTRATION(UserStoreTest);
