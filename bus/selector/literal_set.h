// The literals of an IN list.
#pragma once

#include "bus/selector/operand.h"

#include <cstdint>
#include <string_view>
#include <vector>

namespace busbar::selector {

/// Looked up by halving, so that a list of thousands costs little. Immutable once sorted.
class LiteralSet {
  public:
    /// Texts are borrowed and must outlive the set.
    void add(const Operand& literal);
    /// After the last add, before the first test; `convertStrings` as in the tests.
    void sort(bool convertStrings);

    /// `operand = item` for one of the items: UNKNOWN for NULL, FALSE where no item is of a like
    /// type.
    Truth contains(const Operand& operand, bool convertStrings) const;
    /// `operand <> item` for all items of a like type: FALSE where there is none, as for `<>`.
    Truth lacks(const Operand& operand, bool convertStrings) const;

  private:
    enum class Finding : unsigned char { found, absent, unlike };
    Finding find(const Operand& operand, bool convertStrings) const;
    Finding findLike(const Operand& operand) const;
    Finding findExact(std::int64_t value) const;
    Finding findApproximate(double value) const;
    bool hasNumbers() const { return !exact_.empty() || !approximate_.empty(); }

    std::vector<std::string_view> texts_;
    std::vector<std::int64_t> exact_;
    std::vector<double> approximate_;
    std::vector<LiteralSet> readTexts_;  ///< none or one: what the texts read as, where converted
    bool yes_ = false, no_ = false;      ///< which booleans are among the items
};

}  // namespace busbar::selector
