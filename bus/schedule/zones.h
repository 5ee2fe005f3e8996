// Time zones by their names.
#pragma once

#include "bus/base/file_system.h"
#include "bus/schedule/zone.h"

#include <map>
#include <string>

namespace busbar {

/// Where time zones come from: the system's files in the daemon, what a test likes in tests.
class ZoneSource {
  public:
    virtual ~ZoneSource() = default;
    /// invalidArgument: there is none of that name, or it cannot be read; says so. "UTC" is always
    /// there.
    virtual Result<ZonePtr> find(const std::string& name) = 0;
};

/// The compiled time zones of the system (Debian: package tzdata), below TZDIR where that is set,
/// else /usr/share/zoneinfo. Each file is read once, when it is first asked for (a few KiB: this
/// blocks on the disk), so a new tzdata counts from the next start. One thread.
class SystemZones final : public ZoneSource {
  public:
    explicit SystemZones(FileSystem& files);
    SystemZones(FileSystem& files, std::string directory);
    Result<ZonePtr> find(const std::string& name) override;

  private:
    FileSystem& files_;
    std::string directory_;
    std::map<std::string, ZonePtr> known_;
};

/// Knows UTC alone.
class UtcOnly final : public ZoneSource {
  public:
    Result<ZonePtr> find(const std::string& name) override;
};

}  // namespace busbar
