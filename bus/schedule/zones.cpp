#include "bus/schedule/zones.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <utility>

namespace busbar {
namespace {

constexpr std::size_t kNameMax = 100;
constexpr std::uint64_t kFileMax = 256 << 10;

std::string systemDirectory() {
    const char* set = std::getenv("TZDIR");  // NOLINT(concurrency-mt-unsafe): nobody changes it
    return set && *set ? set : "/usr/share/zoneinfo";
}

/// Names that can be a zone's, and no path to anywhere else.
bool couldBe(std::string_view name) {
    if (name.empty() || name.size() > kNameMax) return false;
    if (!std::isalpha(static_cast<unsigned char>(name.front()))) return false;
    return std::all_of(name.begin(), name.end(), [](unsigned char c) {
        return std::isalnum(c) || c == '/' || c == '_' || c == '-' || c == '+';
    });
}

bool isUtc(std::string_view name) {
    return name == "UTC" || name == "Etc/UTC" || name == "Z";
}

ZonePtr utc() {
    static const ZonePtr kUtc = std::make_shared<const Zone>(Zone::utc());
    return kUtc;
}

Error unknown(const std::string& name, const std::string& why) {
    return {ErrorCode::invalidArgument, "time zone '" + name.substr(0, kNameMax) + "': " + why +
                                            "; a name such as Europe/Berlin or UTC is expected"};
}

}  // namespace

SystemZones::SystemZones(FileSystem& files) : SystemZones(files, systemDirectory()) {}

SystemZones::SystemZones(FileSystem& files, std::string directory)
    : files_(files), directory_(std::move(directory)) {}

Result<ZonePtr> SystemZones::find(const std::string& name) {
    if (isUtc(name)) return utc();
    if (const auto known = known_.find(name); known != known_.end()) return known->second;
    if (!couldBe(name)) return unknown(name, "there is no such name");
    auto file = files_.open(directory_ + "/" + name, FileSystem::Mode::read);
    if (!file) {
        return unknown(name, "not found in " + directory_ +
                                 " (where no name is, the package tzdata is missing)");
    }
    const auto size = (*file)->size();
    std::string bytes(size ? std::min(*size, kFileMax) : 0, '\0');
    const auto got = (*file)->read(0, bytes);
    if (!size || !got) return unknown(name, "its file cannot be read");
    bytes.resize(*got);
    auto zone = Zone::read(bytes);
    if (!zone) return unknown(name, "its file is " + zone.error().text);
    return known_[name] = std::make_shared<const Zone>(std::move(*zone));
}

Result<ZonePtr> UtcOnly::find(const std::string& name) {
    if (isUtc(name)) return utc();
    return unknown(name, "only UTC is known here");
}

}  // namespace busbar
