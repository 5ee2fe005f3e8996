// How many files and connections the process may have open (ulimit -n).
#pragma once

namespace busbar {

/// Raises the soft limit to the hard one, which service managers and shells leave much higher, and
/// warns where that is little. Each connection takes one; what the store needs is kept free of
/// connections (adapters/transport/listener.cpp).
void raiseOpenFilesLimit();

}  // namespace busbar
