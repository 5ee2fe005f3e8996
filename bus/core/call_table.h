// Who waits for which reply? The open and the answered calls of all services.
#pragma once

#include "bus/base/clock.h"
#include "bus/base/ids.h"
#include "bus/message/message.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace busbar {

/// One request-reply exchange. A call without a key lives as long as somebody waits for it; one
/// with a key (a dedup id) is kept, durably, until its reply was there for the dedup window.
struct ServiceCall {
    std::string correlationId;  ///< the bus's own, on the request and on the reply
    std::string service;
    std::string key;  ///< DedupMemory::key of service, user and dedup id; empty: not collectable
    std::uint64_t contentHash = 0;
    std::string callerCorrelationId;  ///< what the caller had set: given back on the reply
    WallTime deadline{};
    MessagePtr reply;  ///< null: open
    WallTime answeredAt{};
    struct Waiter {
        SessionId session;
        RequestId request;
        SteadyTime until{};
        bool repeated = false;
    };
    std::vector<Waiter> waiters;
};

struct ServiceStats {
    std::uint64_t calls = 0, replies = 0, timeouts = 0, lateReplies = 0, duplicateReplies = 0;
};

/// The table. Rows (encode/decode) hold what must survive a restart: all but the waiters.
class CallTable {
  public:
    ServiceCall& add(ServiceCall call);
    ServiceCall* find(std::string_view correlationId);
    ServiceCall* findKey(const std::string& key);
    void erase(const std::string& correlationId);
    /// The call has its reply, or (null) is open again because the reply could not be stored.
    void setReply(ServiceCall& call, MessagePtr reply, WallTime at);

    bool isService(const std::string& name) const { return services_.contains(name); }
    void defineService(const std::string& name) { services_.try_emplace(name); }
    void forgetService(const std::string& name) { services_.erase(name); }
    ServiceStats& stats(const std::string& service) { return services_[service]; }
    const std::map<std::string, ServiceStats>& services() const { return services_; }
    std::uint64_t open(const std::string& service) const;

    /// The service whose reply channel `queue` is, or empty.
    std::string_view serviceOfReplyQueue(std::string_view queue) const;

    static std::string encode(const ServiceCall& call);
    static std::optional<ServiceCall> decode(std::string_view row);

    auto begin() { return calls_.begin(); }
    auto end() { return calls_.end(); }
    bool empty() const { return calls_.empty(); }

  private:
    std::unordered_map<std::string, ServiceCall> calls_;  ///< by correlation id
    std::unordered_map<std::string, std::string> keys_;   ///< key -> correlation id
    std::map<std::string, ServiceStats> services_;
    std::unordered_map<std::string, std::uint64_t> open_;
};

inline constexpr std::string_view kRequestSuffix = ".request";
inline constexpr std::string_view kReplySuffix = ".reply";
/// Correlation ids that the bus gives start so; all others on a reply queue are the users' own.
inline constexpr std::string_view kCallPrefix = "ID:call-";

}  // namespace busbar
