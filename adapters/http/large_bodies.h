// Large bodies on their way out: which lease has which, and the answer that streams one.
#pragma once

#include "adapters/transport/body_transfer.h"
#include "adapters/transport/http.h"
#include "bus/core/lease_tokens.h"

#include <map>
#include <mutex>
#include <string_view>
#include <utility>

namespace busbar::http {

/// The large bodies of deliveries that are under a lease. Keeps none of them: the bus does, while
/// the lease lasts. Any thread.
class LeasedBodies {
  public:
    struct Leased {
        LargeBodyPtr body;  ///< null: it is over, or never had a large body
        Milliseconds lease{};
    };

    void add(const Lease& lease, const LargeBodyPtr& body, Milliseconds length);
    Leased find(const Lease& lease) const;

  private:
    struct Entry {
        std::weak_ptr<const LargeBody> body;
        Milliseconds lease{};
    };
    mutable std::mutex mutex_;
    std::map<std::pair<SessionId, DeliveryId>, Entry> entries_;
    std::size_t sweepAt_ = 64;
};

/// What part of a body is asked for.
struct ByteRange {
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
    bool partial = false;
};

/// RFC 9110, 14.2: one range of bytes; several, or another unit, mean the whole. invalidArgument
/// where it begins behind the end.
Result<ByteRange> rangeOf(std::string_view header, std::uint64_t size);

/// Streams a body as the answer, as fast as the client takes it. Keeps itself alive.
class BodyAnswer : public std::enable_shared_from_this<BodyAnswer> {
  public:
    static void start(const ResponderPtr& responder, const LargeBodyPtr& body, ByteRange range);
    BodyAnswer(ResponderPtr responder, const LargeBodyPtr& body, ByteRange range);

  private:
    void fetch();
    void got(Result<Buffer> piece);
    void startStream();

    ResponderPtr responder_;
    const std::uint64_t bodySize_;
    const ByteRange range_;
    BodyDownload download_;
    bool started_ = false;
    bool fetching_ = false;
};

}  // namespace busbar::http
