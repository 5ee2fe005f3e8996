#include "bus/core/permissions.h"

#include "bus/core/topic_pattern.h"

#include <algorithm>

namespace busbar {
namespace {

constexpr std::size_t kKnownMax = 1'000;  // destinations of one session

bool isFor(const PermissionRule& rule, const std::string& user,
           const std::vector<std::string>& roles) {
    if (rule.role.empty()) return rule.user == user;
    return rule.role == "*" || std::find(roles.begin(), roles.end(), rule.role) != roles.end();
}

}  // namespace

std::string_view name(Right right) {
    switch (right) {
        case Right::send:
            return "send";
        case Right::receive:
            return "receive";
        case Right::browse:
            return "browse";
        case Right::create:
            return "create";
        case Right::manage:
            return "manage";
    }
    return "?";
}

std::vector<PermissionRule> defaultPermissions() {
    const Rights rights{Right::send, Right::receive, Right::browse, Right::create};
    return {{"user", {}, false, ">", rights}, {"user", {}, true, ">", rights}};
}

Access::Access(const std::vector<PermissionRule>& rules, const std::string& user,
               const std::vector<std::string>& roles) {
    const auto has = [&](std::string_view role) {
        return std::find(roles.begin(), roles.end(), role) != roles.end();
    };
    all_ = has(kAdminRole);
    watches_ = has(kMonitorRole);
    if (all_) return;
    for (const PermissionRule& rule : rules) {
        if (isFor(rule, user, roles)) rules_.push_back({rule.topics, rule.pattern, rule.rights});
    }
}

bool Access::may(Right right, bool topic, const std::string& destination) {
    if (all_) return true;
    if (rules_.empty()) return false;
    auto& known = known_[topic ? 1 : 0];
    const auto found = known.find(destination);
    if (found != known.end()) return found->second.has(right);
    if (known.size() >= kKnownMax) known.clear();
    return known.emplace(destination, lookUp(topic, destination)).first->second.has(right);
}

Rights Access::lookUp(bool topic, std::string_view destination) const {
    Rights rights;
    for (const Rule& rule : rules_) {
        if (rule.topics == topic && coversPattern(rule.pattern, destination))
            rights.add(rule.rights);
    }
    return rights;
}

}  // namespace busbar
