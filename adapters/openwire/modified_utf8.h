// Java's modified UTF-8 (java.io.DataInput, "Modified UTF-8"): NUL as C0 80, characters beyond
// U+FFFF as two surrogates of three bytes each. In memory the bus has UTF-8.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace busbar::openwire {

/// True where UTF-8 and modified UTF-8 of this text are the same bytes. `utf8` must be UTF-8.
bool sameInBoth(std::string_view utf8);

/// UTF-8 of modified UTF-8. Takes plain UTF-8 too, as clients that are not written in Java send it.
/// A surrogate without its other half becomes U+FFFD, since UTF-8 cannot say it. Nothing where the
/// bytes are neither.
std::optional<std::string> fromModifiedUtf8(std::string_view bytes);

/// Appends the modified UTF-8 of UTF-8. Bytes that are not UTF-8 become '?'.
void appendModifiedUtf8(std::string& out, std::string_view utf8);

/// True where every character is in U+0001 to U+007F: what tight encoding marks as ASCII.
bool isJavaAscii(std::string_view text);

}  // namespace busbar::openwire
