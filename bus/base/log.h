// One line a fact, for operators. Secrets and message bodies never go here.
#pragma once

#include <string_view>

namespace busbar::log {

enum class Level { debug, info, warning, error };

/// Lines below `level` are dropped. Default: info. Any thread, but meant for start-up.
void setLevel(Level level);
/// Parses "debug", "info", "warning", "error"; returns false for anything else.
bool setLevel(std::string_view name);
/// True where a line of this level would be written: ask before building a costly text.
bool enabled(Level level);

/// Writes one line to standard error: time, level, component, text. Control characters in `text`
/// are escaped, so that a client cannot forge a line. Any thread; may block on a slow terminal.
void write(Level level, std::string_view component, std::string_view text);

inline void debug(std::string_view component, std::string_view text) {
    if (enabled(Level::debug)) write(Level::debug, component, text);
}
inline void info(std::string_view component, std::string_view text) {
    write(Level::info, component, text);
}
inline void warning(std::string_view component, std::string_view text) {
    write(Level::warning, component, text);
}
inline void error(std::string_view component, std::string_view text) {
    write(Level::error, component, text);
}

}  // namespace busbar::log
