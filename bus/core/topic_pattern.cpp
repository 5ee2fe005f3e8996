#include "bus/core/topic_pattern.h"

namespace busbar {
namespace {

/// Takes the first level off; `rest` is null behind the last one.
std::string_view takeLevel(std::string_view& rest) {
    const auto dot = rest.find('.');
    const auto level = rest.substr(0, dot);
    rest = dot == std::string_view::npos ? std::string_view() : rest.substr(dot + 1);
    return level;
}

bool isOne(std::string_view level) {
    return level == "*" || level == "+";
}

bool isRest(std::string_view level) {
    return level == ">" || level == "#";
}

}  // namespace

bool matchesPattern(std::string_view pattern, std::string_view name) {
    while (pattern.data()) {
        const auto wanted = takeLevel(pattern);
        if (!pattern.data() && (wanted == ">" || wanted == "#")) return true;
        if (!name.data()) return false;
        const auto level = takeLevel(name);
        if (wanted != "*" && wanted != "+" && wanted != level) return false;
    }
    return !name.data();
}

bool coversPattern(std::string_view pattern, std::string_view part) {
    if (isRest(part)) part = "*.>";  // the same: a name has a level
    while (pattern.data()) {
        const auto wanted = takeLevel(pattern);
        if (!pattern.data() && isRest(wanted)) return true;
        if (!part.data()) return false;
        const auto level = takeLevel(part);
        if (!part.data() && isRest(level)) return false;  // more than one level, or none
        if (!isOne(wanted) && wanted != level) return false;
    }
    return !part.data();
}

}  // namespace busbar
