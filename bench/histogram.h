// Latencies of a run, counted without keeping them.
#pragma once

#include <array>
#include <cstdint>

namespace busbar::bench {

/// Counts values in buckets that grow with the value: 64 linear buckets in each power of two, so a
/// reported quantile is less than 1.6 % above the value that was recorded. Any 64-bit value fits;
/// the unit is the caller's. One thread.
class Histogram {
  public:
    /// Never allocates, costs a few instructions.
    void record(std::uint64_t value) {
        ++counts_[indexOf(value)];
        ++total_;
        if (value > max_) max_ = value;
    }

    /// The smallest bucket's upper end that at least `quantile` (0 to 1) of the values do not
    /// exceed, at most max(); 0 when nothing was recorded.
    std::uint64_t quantile(double quantile) const;

    std::uint64_t count() const { return total_; }
    std::uint64_t max() const { return max_; }

  private:
    static constexpr unsigned kLinearBits = 6;
    static constexpr unsigned kLinear = 1U << kLinearBits;

    static unsigned indexOf(std::uint64_t value) {
        if (value < kLinear) return static_cast<unsigned>(value);
        const unsigned shift = 63U - kLinearBits - static_cast<unsigned>(__builtin_clzll(value));
        return (shift + 1) * kLinear + static_cast<unsigned>((value >> shift) - kLinear);
    }
    static std::uint64_t upperEnd(unsigned index);

    std::array<std::uint64_t, (64 - kLinearBits + 1) * kLinear> counts_{};
    std::uint64_t total_ = 0;
    std::uint64_t max_ = 0;
};

}  // namespace busbar::bench
