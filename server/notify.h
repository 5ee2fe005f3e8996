// Tells the service manager how far the daemon is (sd_notify's protocol, without libsystemd).
#pragma once

#include <string_view>

namespace busbar {

/// Sends `state`, such as "READY=1", to $NOTIFY_SOCKET. Does nothing where there is none. Never
/// blocks.
void notifyServiceManager(std::string_view state);

}  // namespace busbar
