// Base64 (RFC 4648): the usual alphabet for bodies, the URL-safe one without padding for tokens.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace busbar {

std::string base64(std::string_view bytes);
std::string base64Url(std::string_view bytes);
/// Nothing where a character, the padding or the length is wrong, or unused bits are set.
std::optional<std::string> fromBase64(std::string_view text);
/// The same, without padding.
std::optional<std::string> fromBase64Url(std::string_view text);

}  // namespace busbar
