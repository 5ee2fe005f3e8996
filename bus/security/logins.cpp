#include "bus/security/logins.h"

namespace busbar {

void Logins::authenticate(std::string user, std::string password, Answer answer) {
    passwords_.authenticate(std::move(user), std::move(password), std::move(answer));
}

Result<Identity> Logins::identify(const PeerCertificate& certificate) {
    const auto user = certificates_.userOf(certificate);
    if (!user) {
        return Error{ErrorCode::unauthenticated,
                     "the certificate '" + certificate.subject.substr(0, 200) +
                         "' stands for no user: log in with a name and a password"};
    }
    auto identity = users_.find(*user);
    if (!identity) {
        return Error{ErrorCode::unauthenticated, "the certificate '" +
                                                     certificate.subject.substr(0, 200) +
                                                     "' stands for a user that there is not"};
    }
    return std::move(*identity);
}

}  // namespace busbar
