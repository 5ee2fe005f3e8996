// What became of every message: exact count of losses, duplicates and changes of order.
#pragma once

#include <cstdint>
#include <vector>

namespace busbar::bench {

/// Every producer numbers its messages 0, 1, 2, ... On a queue each number has to arrive once at
/// one of the consumers; on a topic once at each. Keeps one bit a message and reader. One thread.
class Ledger {
  public:
    Ledger(unsigned producers, unsigned consumers, bool topic);

    /// `consumer` received number `sequence` of `producer`. True: for the first time. Out of order
    /// is a first arrival below a number that the same consumer already had from that producer.
    bool received(unsigned consumer, unsigned producer, std::uint64_t sequence);

    /// Of `sent` messages of `producer`, those that did not arrive (on a topic summed over the
    /// consumers).
    std::uint64_t missing(unsigned producer, std::uint64_t sent) const;

    std::uint64_t fresh() const { return fresh_; }
    std::uint64_t duplicates() const { return duplicates_; }
    std::uint64_t outOfOrder() const { return outOfOrder_; }

  private:
    struct Seen {
        std::vector<std::uint64_t> bits;
        std::uint64_t count = 0;
    };

    unsigned producers_;
    unsigned readers_;        ///< Consumers that each need every message: 1 on a queue.
    std::vector<Seen> seen_;  ///< [reader][producer]
    std::vector<std::uint64_t>
        next_;  ///< [consumer][producer]: one above the highest number so far
    std::uint64_t fresh_ = 0;
    std::uint64_t duplicates_ = 0;
    std::uint64_t outOfOrder_ = 0;
};

}  // namespace busbar::bench
