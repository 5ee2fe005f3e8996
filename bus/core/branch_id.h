// What a coordinator calls its part of a distributed transaction: an X/Open XID.
#pragma once

#include "bus/base/result.h"

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace busbar {

/// XA specification (X/Open CAE C193) section 4.2. The core compares it and shows it, and reads
/// nothing into it.
struct BranchId {
    std::int32_t format = 0;
    std::string global;  ///< 1 to 64 bytes: the transaction
    std::string branch;  ///< 0 to 64 bytes: which part of it

    bool operator==(const BranchId&) const = default;
    std::strong_ordering operator<=>(const BranchId&) const = default;
};

/// invalidArgument where a part has a length that an XID cannot have.
Result<void> checkBranchId(const BranchId& id);

/// "4711:01ff:09": the format in decimal, the parts in hexadecimal digits.
std::string toText(const BranchId& id);

/// Reads that form; hexadecimal digits of either case. invalidArgument says what was expected.
Result<BranchId> parseBranchId(std::string_view text);

}  // namespace busbar
