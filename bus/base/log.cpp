#include "bus/base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdio>
#include <string>

namespace busbar::log {
namespace {

spdlog::logger& logger() {
    static const auto instance = [] {
        auto made = spdlog::stderr_logger_mt("busbar");
        made->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %L %v");
        made->flush_on(spdlog::level::debug);
        return made;
    }();
    return *instance;
}

spdlog::level::level_enum toSpdlog(Level level) {
    switch (level) {
        case Level::debug:
            return spdlog::level::debug;
        case Level::info:
            return spdlog::level::info;
        case Level::warning:
            return spdlog::level::warn;
        case Level::error:
            return spdlog::level::err;
    }
    return spdlog::level::err;
}

std::string escaped(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte >= 0x20 && byte != 0x7f) {
            out += c;
        } else {
            char hex[8];
            std::snprintf(hex, sizeof hex, "\\x%02x", byte);
            out += hex;
        }
    }
    return out;
}

}  // namespace

void setLevel(Level level) {
    logger().set_level(toSpdlog(level));
}

bool setLevel(std::string_view name) {
    if (name == "debug")
        setLevel(Level::debug);
    else if (name == "info")
        setLevel(Level::info);
    else if (name == "warning")
        setLevel(Level::warning);
    else if (name == "error")
        setLevel(Level::error);
    else
        return false;
    return true;
}

bool enabled(Level level) {
    return logger().should_log(toSpdlog(level));
}

void write(Level level, std::string_view component, std::string_view text) {
    logger().log(toSpdlog(level), "{}: {}", component, escaped(text));
}

}  // namespace busbar::log
