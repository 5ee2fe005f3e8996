#include "xml-schemas/embedded.h"
#include "xml-schemas/xml.h"

namespace busbar::xml {

std::optional<std::string_view> schemaText(std::string_view name) {
    for (const auto& file : embeddedFiles()) {
        if (file.name == name) return file.text;
    }
    return std::nullopt;
}

std::string resolveLocation(std::string_view base, std::string_view location) {
    if (location.find("://") != location.npos || location.starts_with('/')) {
        return std::string(location);
    }
    const auto slash = base.rfind('/');
    std::string path(slash == base.npos ? std::string_view{} : base.substr(0, slash + 1));
    while (!location.empty()) {
        const auto end = location.find('/');
        const auto step = location.substr(0, end);
        location.remove_prefix(end == location.npos ? location.size() : end + 1);
        if (step == "." || step.empty()) continue;
        const bool canGoUp = path.size() > 1 && !path.ends_with("../");
        if (step == ".." && canGoUp) {
            path.erase(path.rfind('/', path.size() - 2) + 1);
            continue;
        }
        path += step;
        if (end != location.npos) path += '/';
    }
    return path;
}

}  // namespace busbar::xml
