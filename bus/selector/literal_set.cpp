#include "bus/selector/literal_set.h"

#include <algorithm>
#include <utility>

namespace busbar::selector {

void LiteralSet::add(const Operand& literal) {
    switch (literal.kind) {
        case Kind::text:
            texts_.push_back(literal.text());
            break;
        case Kind::exact:
            exact_.push_back(literal.exact);
            break;
        case Kind::approximate:
            approximate_.push_back(literal.approximate);
            break;
        case Kind::boolean:
            (literal.boolean ? yes_ : no_) = true;
            break;
        case Kind::null:
        case Kind::opaque:
            break;
    }
}

void LiteralSet::sort(bool convertStrings) {
    if (convertStrings) {
        LiteralSet read;
        for (const auto text : texts_) {
            read.add(readNumber(text));
            read.add(readBoolean(text));
        }
        read.sort(false);
        readTexts_.push_back(std::move(read));
    }
    std::sort(texts_.begin(), texts_.end());
    std::sort(exact_.begin(), exact_.end());
    std::sort(approximate_.begin(), approximate_.end());
}

LiteralSet::Finding LiteralSet::findExact(std::int64_t value) const {
    const bool found =
        std::binary_search(exact_.begin(), exact_.end(), value) ||
        std::binary_search(approximate_.begin(), approximate_.end(), static_cast<double>(value));
    return found ? Finding::found : Finding::absent;
}

LiteralSet::Finding LiteralSet::findApproximate(double value) const {
    if (std::binary_search(approximate_.begin(), approximate_.end(), value)) return Finding::found;
    // As doubles the longs are in the same order.
    const auto at =
        std::lower_bound(exact_.begin(), exact_.end(), value,
                         [](std::int64_t item, double v) { return static_cast<double>(item) < v; });
    const bool found = at != exact_.end() && static_cast<double>(*at) == value;
    return found ? Finding::found : Finding::absent;
}

LiteralSet::Finding LiteralSet::findLike(const Operand& operand) const {
    switch (operand.kind) {
        case Kind::text:
            if (texts_.empty()) return Finding::unlike;
            return std::binary_search(texts_.begin(), texts_.end(), operand.text())
                       ? Finding::found
                       : Finding::absent;
        case Kind::exact:
            return hasNumbers() ? findExact(operand.exact) : Finding::unlike;
        case Kind::approximate:
            return hasNumbers() ? findApproximate(operand.approximate) : Finding::unlike;
        case Kind::boolean:
            if (!yes_ && !no_) return Finding::unlike;
            return (operand.boolean ? yes_ : no_) ? Finding::found : Finding::absent;
        case Kind::null:
        case Kind::opaque:
            break;
    }
    return Finding::unlike;
}

LiteralSet::Finding LiteralSet::find(const Operand& operand, bool convertStrings) const {
    const Finding finding = findLike(operand);
    if (finding == Finding::found || !convertStrings) return finding;
    if (operand.kind == Kind::text) {
        const Finding asNumber = findLike(readNumber(operand.text()));
        if (asNumber != Finding::unlike) return asNumber;
        const Finding asBoolean = findLike(readBoolean(operand.text()));
        return asBoolean != Finding::unlike ? asBoolean : finding;
    }
    if (readTexts_.empty()) return finding;
    const Finding asRead = readTexts_.front().findLike(operand);
    return asRead == Finding::unlike ? finding : asRead;
}

Truth LiteralSet::contains(const Operand& operand, bool convertStrings) const {
    if (operand.kind == Kind::null) return Truth::unknown;
    return truth(find(operand, convertStrings) == Finding::found);
}

Truth LiteralSet::lacks(const Operand& operand, bool convertStrings) const {
    if (operand.kind == Kind::null) return Truth::unknown;
    return truth(find(operand, convertStrings) == Finding::absent);
}

}  // namespace busbar::selector
