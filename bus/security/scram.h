// SCRAM-SHA-256 (RFC 5802, RFC 7677), the server's side: a login that shows the password to nobody.
#pragma once

#include "bus/base/result.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace busbar {

/// What a server keeps of a password (RFC 5802, section 3). Whoever has it can neither log in with
/// it nor compute the password but by trying; trying is cheaper here than against scrypt.
struct ScramKeys {
    std::uint32_t iterations = 0;
    std::string salt;
    std::string storedKey;  ///< 32 bytes, as serverKey
    std::string serverKey;
};

/// With a fresh salt; takes some ten milliseconds. Nothing for a password with other bytes than
/// printable ASCII: SASLprep (RFC 4013), which clients do before they derive their key, is the
/// identity on those alone, and we have no tables for the rest.
std::optional<ScramKeys> makeScramKeys(std::string_view password);
/// The same with given salt and iterations.
ScramKeys deriveScramKeys(std::string_view password, std::string salt, std::uint32_t iterations);
/// For a user whom there is not, or who has none: well-formed, the same for the same name and
/// secret, and of no password.
ScramKeys decoyScramKeys(std::string_view user, std::string_view secret);

/// "SCRAM-SHA-256$100000:SALT$STOREDKEY:SERVERKEY" (base64), as RFC 5803 orders them.
std::string printScramKeys(const ScramKeys& keys);
/// Nothing where `text` is anything else.
std::optional<ScramKeys> parseScramKeys(std::string_view text);

/// One login: first() -> challenge() -> finish(). A message that cannot be understood, and a wrong
/// proof, are unauthenticated. Channel binding is not offered, so a client that asks for it (p=) is
/// refused; one that could do it but believes that we cannot (y) is right.
class ScramExchange {
  public:
    /// The client-first-message; returns the user's name.
    Result<std::string> first(std::string_view message);
    /// The server-first-message. `nonce`: the server's part, printable and without comma; nobody
    /// may know it before.
    std::string challenge(ScramKeys keys, std::string_view nonce);
    /// The client-final-message; returns the server-final-message for a right proof.
    Result<std::string> finish(std::string_view message);

  private:
    bool proves(std::string_view withoutProof, std::string_view proof) const;

    std::string gs2Header_;
    std::string clientFirstBare_;
    std::string clientNonce_;
    std::string nonce_;  ///< both parts
    std::string serverFirst_;
    ScramKeys keys_;
};

}  // namespace busbar
