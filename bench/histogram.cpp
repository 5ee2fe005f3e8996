#include "bench/histogram.h"

#include <algorithm>
#include <cmath>

namespace busbar::bench {

std::uint64_t Histogram::upperEnd(unsigned index) {
    if (index < kLinear) return index;
    const unsigned shift = index / kLinear - 1;
    const std::uint64_t first = std::uint64_t{kLinear + index % kLinear} << shift;
    return first + ((std::uint64_t{1} << shift) - 1);
}

std::uint64_t Histogram::quantile(double quantile) const {
    if (total_ == 0) return 0;
    const auto wanted =
        static_cast<std::uint64_t>(std::ceil(quantile * static_cast<double>(total_)));
    std::uint64_t seen = 0;
    for (unsigned i = 0; i < counts_.size(); ++i) {
        seen += counts_[i];
        if (seen >= std::max<std::uint64_t>(wanted, 1)) return std::min(upperEnd(i), max_);
    }
    return max_;
}

}  // namespace busbar::bench
