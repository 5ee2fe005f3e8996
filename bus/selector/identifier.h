// UTF-8 characters, and which of them make names.
#pragma once

#include <cstddef>
#include <string_view>

namespace busbar::selector {

/// One character of UTF-8 text; size 0: the bytes are no UTF-8.
struct Character {
    char32_t code = 0;
    std::size_t size = 0;
};

/// The character at byte `at`, which lies within `text`.
Character characterAt(std::string_view text, std::size_t at);

/// How many characters `text`, which is UTF-8, has.
std::size_t characterCount(std::string_view text);

/// Java's rule (JMS 2.0 section 3.8.1.1, "Identifiers"), without its invisible characters.
bool startsIdentifier(char32_t code);
bool continuesIdentifier(char32_t code);

}  // namespace busbar::selector
