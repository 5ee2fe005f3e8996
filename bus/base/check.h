// Invariants that must hold in release builds too: a broken one stops the process with the values
// at hand, because going on could confirm or deliver what is not so.
#pragma once

#include <string_view>

namespace busbar {

[[noreturn]] void checkFailed(const char* expression, const char* file, int line,
                              std::string_view text);

}  // namespace busbar

/// BUSBAR_CHECK(condition, "what it means"); the text may be any string expression, built only on
/// failure.
#define BUSBAR_CHECK(condition, text)      \
    (static_cast<bool>(condition) ? void() \
                                  : ::busbar::checkFailed(#condition, __FILE__, __LINE__, (text)))
