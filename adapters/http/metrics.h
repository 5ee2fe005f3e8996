// Numbers for Prometheus, in its text format 0.0.4.
#pragma once

#include "adapters/transport/transport.h"
#include "bus/core/picture.h"
#include "bus/store/store.h"

#include <string>
#include <vector>

namespace busbar::http {

/// Queues beyond the first `labelsMax` (those with the most messages first) are summed under the
/// name "(other)", so that a bus with many queues does not drown its monitoring.
std::string prometheusText(const Picture& picture, const StoreStats& store,
                           std::size_t labelsMax = 1000);

/// A listener's certificate.
struct TlsNumbers {
    std::string listener;
    TlsState state;
};

/// To follow prometheusText; empty where nothing speaks TLS.
std::string tlsMetrics(const std::vector<TlsNumbers>& listeners);

}  // namespace busbar::http
