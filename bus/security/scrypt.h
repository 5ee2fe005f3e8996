// Passwords at rest: scrypt (RFC 7914) with a salt each, as text.
#pragma once

#include "bus/base/result.h"

#include <string>
#include <string_view>

namespace busbar {

/// "$scrypt$ln=14,r=8,p=1$SALT$HASH" (base64 without padding), with a fresh random salt. Takes
/// about 40 ms and 16 MiB. Any thread.
Result<std::string> hashPassword(std::string_view password);

/// True where `password` gives `hash`. Constant-time comparison; the cost is that of the parameters
/// in `hash`, which are refused (malformed) where they would take over 64 MiB.
Result<bool> verifyPassword(std::string_view password, std::string_view hash);

/// `bytes` random bytes of the operating system as lower-case base32: for passwords and tokens.
std::string randomToken(std::size_t bytes);

}  // namespace busbar
