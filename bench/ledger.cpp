#include "bench/ledger.h"

#include <algorithm>

namespace busbar::bench {

Ledger::Ledger(unsigned producers, unsigned consumers, bool topic)
    : producers_(producers),
      readers_(topic ? consumers : 1),
      seen_(std::size_t{readers_} * producers),
      next_(std::size_t{std::max(consumers, 1U)} * producers) {}

bool Ledger::received(unsigned consumer, unsigned producer, std::uint64_t sequence) {
    Seen& seen = seen_[std::size_t{readers_ == 1 ? 0 : consumer} * producers_ + producer];
    const std::size_t word = sequence / 64;
    const std::uint64_t bit = std::uint64_t{1} << (sequence % 64);
    if (word >= seen.bits.size()) seen.bits.resize(std::max(word + 1, seen.bits.size() * 2));
    if ((seen.bits[word] & bit) != 0) {
        ++duplicates_;
        return false;
    }
    seen.bits[word] |= bit;
    ++seen.count;
    ++fresh_;
    std::uint64_t& next = next_[std::size_t{consumer} * producers_ + producer];
    if (sequence < next) ++outOfOrder_;
    next = std::max(next, sequence + 1);
    return true;
}

std::uint64_t Ledger::missing(unsigned producer, std::uint64_t sent) const {
    std::uint64_t missing = 0;
    for (unsigned reader = 0; reader < readers_; ++reader) {
        missing += sent - std::min(sent, seen_[std::size_t{reader} * producers_ + producer].count);
    }
    return missing;
}

}  // namespace busbar::bench
