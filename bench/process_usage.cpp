#include "bench/process_usage.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace busbar::bench {
namespace {

struct Stat {
    int parent = 0;
    std::uint64_t ticks = 0;
    std::uint64_t pages = 0;
};

/// Fields 4, 14, 15 and 24 of proc(5) "stat"; the name before them may hold anything but ends with
/// the last ')'.
bool readStat(const std::filesystem::path& path, Stat& stat) {
    std::ifstream file(path);
    std::string text;
    if (!std::getline(file, text)) return false;
    const auto nameEnd = text.rfind(')');
    if (nameEnd == std::string::npos) return false;
    std::istringstream fields(text.substr(nameEnd + 1));
    std::string field;
    for (int number = 3; fields >> field; ++number) {
        if (number == 4) stat.parent = std::stoi(field);
        if (number == 14 || number == 15) stat.ticks += std::stoull(field);
        if (number == 24) stat.pages = std::stoull(field);
    }
    return true;
}

}  // namespace

ProcessUsage processUsage(int pid) {
    std::map<int, Stat> all;
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator("/proc", ignored)) {
        const std::string name = entry.path().filename();
        Stat stat;
        if (name.find_first_not_of("0123456789") == std::string::npos &&
            readStat(entry.path() / "stat", stat))
            all[std::stoi(name)] = stat;
    }
    ProcessUsage usage;
    std::vector<int> family{pid};
    for (std::size_t i = 0; i < family.size(); ++i) {
        const auto found = all.find(family[i]);
        if (found == all.end()) continue;
        usage.cpuUs +=
            found->second.ticks * 1'000'000U / static_cast<std::uint64_t>(sysconf(_SC_CLK_TCK));
        usage.rssBytes += found->second.pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
        for (const auto& [child, stat] : all) {
            if (stat.parent == family[i]) family.push_back(child);
        }
    }
    return usage;
}

}  // namespace busbar::bench
