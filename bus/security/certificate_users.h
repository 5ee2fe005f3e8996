// Which user a certificate stands for.
#pragma once

#include "bus/security/peer_certificate.h"

#include <optional>
#include <string>
#include <vector>

namespace busbar {

/// One rule: a certificate with exactly this subject, or with this alternative name, is `user`.
struct CertificateRule {
    std::string subject;  ///< RFC 2253; or, where empty,
    std::string name;     ///< as in PeerCertificate::names
    std::string user;

    bool operator==(const CertificateRule&) const = default;
};

/// The rules, and what holds where none fits. Immutable.
struct CertificateUsers {
    std::vector<CertificateRule> rules;  ///< the first that fits counts
    bool commonNameIsUser = true;        ///< without a rule: the common name is the user's

    /// Nothing where the certificate stands for nobody. Whether there is such a user is not asked.
    std::optional<std::string> userOf(const PeerCertificate& certificate) const;
};

}  // namespace busbar
