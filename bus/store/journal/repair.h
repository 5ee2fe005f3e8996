// Puts a repaired journal in the place of a damaged one.
#pragma once

#include "bus/base/file_system.h"

#include <string>

namespace busbar::journal {

/// What a repair that was interrupted between its two renames has left to do; nothing otherwise.
/// Before a journal is opened.
Result<void> finishRepair(FileSystem& files, const std::string& directory);

}  // namespace busbar::journal
