// Does a name match a pattern? The rule of topic wildcards, for one pattern at a time.
#pragma once

#include <string_view>

namespace busbar {

/// Levels are separated by `.`; `*` or `+` stands for exactly one level, `>` or `#` as the last
/// level for any number of further levels (also none).
bool matchesPattern(std::string_view pattern, std::string_view name);

/// Does `pattern` match every name that `part` does? `part` is a pattern too, or a name.
bool coversPattern(std::string_view pattern, std::string_view part);

}  // namespace busbar
