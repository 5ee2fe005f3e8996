// What the certificate of a peer says, once TLS has verified it.
#pragma once

#include <string>
#include <vector>

namespace busbar {

/// A plain value: whoever gets one may rely on it that the certificate is of an authority that was
/// configured, in its time, not revoked, and its key in the peer's hands.
struct PeerCertificate {
    std::string subject;             ///< RFC 2253: "CN=alice,O=Example"
    std::string commonName;          ///< empty where the subject has none, or several
    std::vector<std::string> names;  ///< subjectAltName: "DNS:", "email:" or "URI:" and the name
};

}  // namespace busbar
