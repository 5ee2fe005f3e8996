// From the files of a journal to the state that its writer goes on with.
#pragma once

#include "bus/base/file_system.h"
#include "bus/store/journal/live_bodies.h"
#include "bus/store/journal/live_index.h"
#include "bus/store/journal/log_scan.h"
#include "bus/store/store.h"

#include <cstdint>
#include <memory>
#include <string>

namespace busbar::journal {

struct Recovered {
    LiveIndex index;  ///< counts segments from `firstEpoch`, which may be before the log's first
    Layout layout;    ///< all of its log is ended: new records go to a new segment
    std::uint64_t firstEpoch = 0;
    std::uint64_t nextIndex = 1;
    std::uint64_t units = 0;          ///< that were read
    std::uint64_t bytesReplayed = 0;  ///< of records behind the checkpoint; of all without one
    BodyReferences bodies;
    std::uint64_t checkpointBytes = 0;  ///< 0: there was none that could be used
};

/// Loads the checkpoint and reads the log behind it, or else the whole log; ends the last segment
/// behind its last good record, and tells the listener what is live: a new epoch then makes
/// whatever an interrupted write left harmless. storageCorrupt names file and offset; nothing was
/// changed or told then.
Result<std::unique_ptr<Recovered>> recoverLog(FileSystem& files, const std::string& directory,
                                              RecoveryListener& listener);

}  // namespace busbar::journal
