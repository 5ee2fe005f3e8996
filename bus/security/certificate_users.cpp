#include "bus/security/certificate_users.h"

#include <algorithm>

namespace busbar {
namespace {

bool fits(const CertificateRule& rule, const PeerCertificate& certificate) {
    if (!rule.subject.empty()) return rule.subject == certificate.subject;
    return !rule.name.empty() && std::find(certificate.names.begin(), certificate.names.end(),
                                           rule.name) != certificate.names.end();
}

}  // namespace

std::optional<std::string> CertificateUsers::userOf(const PeerCertificate& certificate) const {
    for (const auto& rule : rules) {
        if (fits(rule, certificate)) return rule.user;
    }
    if (!commonNameIsUser || certificate.commonName.empty()) return {};
    return certificate.commonName;
}

}  // namespace busbar
